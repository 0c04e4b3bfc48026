"""Every answer of bedrock-runtime against botocore's model: required members, types, enums, patterns, nothing unknown."""

from __future__ import annotations

import dataclasses
import json

import botocore.session
import msgspec
import pytest

from bedrock_distill.catalog import load_catalog
from bedrock_distill.local.call import Call
from bedrock_distill.local.cloud import Cloud
from bedrock_distill.local.gateway.validation import find_violations
from bedrock_distill.local.services.runtime import BedrockRuntime
from bedrock_distill.local.services.runtime.bodies import FORMATS

PRO = "amazon.nova-pro-v1:0"
MODEL = botocore.session.get_session().get_service_model("bedrock-runtime")
USER = [{"role": "user", "content": [{"text": "hi"}]}]

BODIES = {
    "nova": {"messages": USER},
    "llama": {"prompt": "hi"},
    "anthropic": {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 50,
        "messages": [{"role": "user", "content": "hi"}],
    },
    "titan": {"inputText": "hi"},
    "mistral": {"prompt": "<s>[INST] hi [/INST]"},
    "cohere": {"message": "hi"},
    "deepseek": {"prompt": "hi"},
    "qwen": {"messages": [{"role": "user", "content": "hi"}]},
    "openai": {"messages": [{"role": "user", "content": "hi"}]},
}


def catalog_of_every_family():
    catalog = load_catalog()
    pro = catalog.model(PRO)
    models = [
        msgspec.structs.replace(pro, id=f"acme.{family}-v1:0", body=family, profiles=()) for family in BODIES
    ]
    return dataclasses.replace(catalog, models=(*catalog.models, *models))


@pytest.fixture(scope="module")
def service():
    answerers = [
        PRO,
        "anthropic.claude-3-5-sonnet-20241022-v2:0",
        *(f"acme.{family}-v1:0" for family in BODIES),
    ]
    teachers = {model: lambda prompt: f"You said: {prompt.prompt_text}" for model in answerers}
    with Cloud(teachers=teachers, catalog=catalog_of_every_family()) as cloud:
        service = BedrockRuntime(cloud.world)
        yield service
        service.close()


def call(operation, **params):
    return Call(
        service="bedrock-runtime",
        operation=operation,
        params=params,
        region="us-east-1",
        account_id="123456789012",
        request_id="11111111-2222-4333-8444-555555555555",
        caller_arn="arn:aws:iam::123456789012:user/tester",
    )


def unknown_members(shape, value, path=""):
    """Paths of members that the model does not have: botocore would drop them without a word."""
    if shape.type_name == "structure" and isinstance(value, dict):
        for name, member in value.items():
            if name not in shape.members:
                yield f"{path}.{name}"
            else:
                yield from unknown_members(shape.members[name], member, f"{path}.{name}")
    elif shape.type_name == "list":
        for item in value:
            yield from unknown_members(shape.member, item, f"{path}[]")


def problems(shape, value):
    return [*find_violations(shape, value), *unknown_members(shape, value)]


def events_of(operation, member, answer):
    """The stream's events, after each was held to its own shape."""
    stream = MODEL.operation_model(operation).output_shape.members[member]
    events = list(answer[member])
    for event in events:
        assert len(event) == 1
        [(name, value)] = event.items()
        assert problems(stream.members[name], value) == []
    return events


def test_the_catalogs_families_all_have_a_body_here():
    assert FORMATS.keys() == BODIES.keys()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"system": [{"text": "Be brief."}], "inferenceConfig": {"maxTokens": 1}},
        {"performanceConfig": {"latency": "standard"}, "serviceTier": {"type": "flex"}},
        {"requestMetadata": {"team": "a"}},
    ],
)
def test_converse_answers_as_its_model_says(service, options):
    answer = service.converse(call("Converse", modelId=PRO, messages=USER, **options))
    assert problems(MODEL.operation_model("Converse").output_shape, answer) == []


@pytest.mark.parametrize("options", [{}, {"serviceTier": {"type": "flex"}}])
def test_converse_stream_sends_events_as_its_model_says(service, options):
    answer = service.converse_stream(call("ConverseStream", modelId=PRO, messages=USER, **options))
    events = events_of("ConverseStream", "stream", answer)
    assert {name for event in events for name in event} == {
        "messageStart",
        "contentBlockDelta",
        "contentBlockStop",
        "messageStop",
        "metadata",
    }


@pytest.mark.parametrize("family", BODIES)
def test_invoke_model_answers_as_its_model_says_with_json_inside(service, family):
    request = call("InvokeModel", modelId=f"acme.{family}-v1:0", body=json.dumps(BODIES[family]).encode())
    answer = service.invoke_model(request)
    assert problems(MODEL.operation_model("InvokeModel").output_shape, answer) == []
    assert "You said: hi" in answer["body"].decode()
    assert isinstance(json.loads(answer["body"]), dict)


@pytest.mark.parametrize("family", BODIES)
def test_a_streamed_invocation_sends_chunks_as_its_model_says(service, family):
    operation = "InvokeModelWithResponseStream"
    request = call(operation, modelId=f"acme.{family}-v1:0", body=json.dumps(BODIES[family]).encode())
    answer = service.invoke_model_with_response_stream(request)
    assert set(answer) <= set(MODEL.operation_model(operation).output_shape.members)
    chunks = [json.loads(event["chunk"]["bytes"]) for event in events_of(operation, "body", answer)]
    assert all(isinstance(chunk, dict) for chunk in chunks)
    assert "amazon-bedrock-invocationMetrics" in chunks[-1]


@pytest.mark.parametrize(
    "asked",
    [
        {"converse": {"messages": USER, "system": [{"text": "Be brief."}]}},
        {"invokeModel": {"body": json.dumps(BODIES["anthropic"]).encode()}},
    ],
)
def test_count_tokens_answers_as_its_model_says(service, asked):
    request = call("CountTokens", modelId="anthropic.claude-3-5-sonnet-20241022-v2:0", input=asked)
    answer = service.count_tokens(request)
    assert problems(MODEL.operation_model("CountTokens").output_shape, answer) == []
    assert answer["inputTokens"] > 0
