"""A cloud whose runtimes say what a test tells them to: real boto3, real frames, real errors."""

from __future__ import annotations

import pytest

from bedrock_distill.aws import Clients
from bedrock_distill.local.cloud import Cloud


class Scripted:
    """A runtime that answers every operation with the next of its answers, and remembers what it was asked."""

    def __init__(self):
        self.answers = []
        self.calls = []

    def __getattr__(self, name):
        if name.startswith("_") or name in ("close", "flush", "answers", "calls"):
            raise AttributeError(name)

        def method(call):
            self.calls.append(call)
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            if isinstance(answer, Exception):
                raise answer
            return answer() if callable(answer) else answer

        return method


@pytest.fixture
def runtimes():
    """The scripted runtimes, by boto3's names."""
    return {"sagemaker-runtime": Scripted(), "bedrock-runtime": Scripted(), "bedrock": Scripted()}


@pytest.fixture
def cloud(runtimes):
    """The cloud they stand in."""
    with Cloud(services=lambda _: runtimes) as opened:
        yield opened


@pytest.fixture
def clients(cloud):
    """The gate to it, on the cloud's clock."""
    return Clients(boto_session=cloud.boto3_session(), region=cloud.region, clock=cloud.clock)
