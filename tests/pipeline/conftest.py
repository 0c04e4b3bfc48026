"""A cloud whose trainer writes an empty model at once: these tests are about calls, not about learning."""

from __future__ import annotations

import pytest

import bedrock_distill as bd
from bedrock_distill.local import Cloud
from bedrock_distill.local.services.bedrock import Bedrock
from bedrock_distill.records import Record, encode_record

TEACHER, STUDENT = "amazon.nova-pro-v1:0", "amazon.nova-micro-v1:0"


@pytest.fixture
def cloud(tmp_path, trainer):
    with Cloud(
        teachers={TEACHER: lambda record: f"Answer to {record.prompt_text}"},
        services=lambda world: {"bedrock": Bedrock(world, trainer=trainer)},
        workdir=tmp_path / "cloud",
    ) as cloud:
        cloud.bucket("acme-ml")
        yield cloud


@pytest.fixture
def prompts(tmp_path):
    path = tmp_path / "prompts.jsonl"
    path.write_bytes(b"".join(encode_record(Record.of(f"Question {i}?")) + b"\n" for i in range(120)))
    return path


@pytest.fixture
def spec(prompts):
    return bd.Distillation(
        name="triage",
        teacher=TEACHER,
        student=STUDENT,
        data=bd.Prompts(prompts),
        output="s3://acme-ml/distill/",
    )
