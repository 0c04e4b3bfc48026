"""A model that was imported answers the same in every way of asking, and is waited for where it was unloaded."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from bedrock_distill.aws import Clients
from bedrock_distill.chat import ChatTemplate, Target, imported_dialect
from bedrock_distill.local.services.bedrock import Bedrock
from bedrock_distill.local.services.runtime import BedrockRuntime
from bedrock_distill.models import Folder

_stage = runpy.run_path(str(Path(__file__).parents[1] / "local" / "bedrock_stage.py"))


@pytest.fixture(scope="module")
def stage():
    def services(world):
        return {"bedrock": Bedrock(world), "bedrock-runtime": BedrockRuntime(world)}

    with _stage["open_stage"](services=services) as opened:
        opened.model_directory().importer()
        yield opened


@pytest.fixture(scope="module")
def arn(stage):
    return stage.bring()["importedModelArn"]


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """The template of the model that was imported, from its own files."""
    folder = tmp_path_factory.mktemp("model")
    for name, data in _stage["model_files"]().items():
        if not name.endswith(".safetensors"):
            (folder / name).write_bytes(data)
    return ChatTemplate.of(Folder(folder))


@pytest.fixture
def clients(stage):
    return Clients(boto_session=stage.cloud.boto3_session(), region=stage.region, clock=stage.cloud.clock)


def test_every_way_of_asking_brings_the_same_text(clients, arn, template):
    told = []
    ways = {
        "Converse": None,
        "BedrockCompletion": imported_dialect("BedrockCompletion", template=template),
        "OpenAICompletion": imported_dialect("OpenAICompletion", template=template),
        "OpenAIChatCompletion": imported_dialect("OpenAIChatCompletion"),
    }
    replies = []
    for dialect in ways.values():
        target = Target(clients, arn, dialect=dialect, on_retry=told.append)
        options = {"system": "Be brief.", "max_tokens": 8, "temperature": 0.0}
        replies += [target.chat("hello", **options), target.stream("hello", **options).finish()]
    assert replies[0].text
    assert {reply.text for reply in replies} == {replies[0].text}
    assert {reply.stop_reason for reply in replies} == {replies[0].stop_reason}
    assert {reply.usage for reply in replies} == {replies[0].usage}
    assert all(reply.complete for reply in replies)
    assert told  # the first of them found the model unloaded
