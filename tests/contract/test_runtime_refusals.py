"""Requests to bedrock-runtime that AWS would refuse, and the modelled error each is refused with."""

from __future__ import annotations

import json

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from bedrock_distill.local.cloud import Cloud
from bedrock_distill.local.services.bedrock.serving import ProvisionedModel
from bedrock_distill.local.services.bedrock.state import Deployment, Tables

PRO, MICRO = "amazon.nova-pro-v1:0", "amazon.nova-micro-v1:0"
SONNET = "anthropic.claude-3-5-sonnet-20241022-v2:0"
ACCOUNT = "arn:aws:bedrock:us-east-1:123456789012"
FOUNDATION = f"arn:aws:bedrock:us-east-1::foundation-model/{MICRO}:128k"
CUSTOM = f"{ACCOUNT}:custom-model/{MICRO}:128k/abcdefghijkl"
NOT_READY = f"{ACCOUNT}:custom-model-deployment/notreadyyet0"
CREATING = f"{ACCOUNT}:provisioned-model/notreadyyet0"

VALIDATION, NOT_FOUND = "ValidationException", "ResourceNotFoundException"


def user(text="hi"):
    return [{"role": "user", "content": [{"text": text}]}]


def assistant(text="ok"):
    return [{"role": "assistant", "content": [{"text": text}]}]


def content(*blocks):
    return {"messages": [{"role": "user", "content": list(blocks)}]}


@pytest.fixture(scope="module", params=["process", "http"])
def runtime(request):
    with Cloud(teachers={PRO: lambda _: "yes"}) as cloud:
        tables = Tables(cloud.world, "us-east-1")
        now = cloud.clock.now()
        waiting = cloud.clock.phases([])  # never started
        tables.deployments.put(
            NOT_READY,
            Deployment(
                arn=NOT_READY,
                name="triage",
                serial=2,
                model_arn=CUSTOM,
                created=now,
                description="",
                phases=waiting,
            ),
        )
        row = {"arn": CREATING, "name": "steady", "serial": 3, "created": now, "phases": waiting}
        tables.provisioned.put(
            CREATING,
            ProvisionedModel(**row, model_arn=CUSTOM, foundation_arn=FOUNDATION, units=1, commitment=""),
        )
        # botocore's own checks are off: what it would stop must be stopped by the cloud.
        config = Config(parameter_validation=False, retries={"total_max_attempts": 1})
        url = cloud.serve().url if request.param == "http" else None
        yield cloud.boto3_session().client("bedrock-runtime", config=config, endpoint_url=url)


MODEL_IDS = {
    "an unknown id": ("acme.wonder-v1:0", VALIDATION, "The provided model identifier is invalid."),
    "a bare name": ("Wonder", VALIDATION, "The provided model identifier is invalid."),
    "a context variant": (f"{MICRO}:128k", NOT_FOUND, f"invoke {MICRO} instead"),
    "a context variant by arn": (
        f"arn:aws:bedrock:us-east-1::foundation-model/{MICRO}:128k",
        VALIDATION,
        "regular expression pattern",
    ),
    "a model called only by its profile": (
        "meta.llama3-2-1b-instruct-v1:0",
        VALIDATION,
        (
            "Invocation of model ID meta.llama3-2-1b-instruct-v1:0 with on-demand throughput isn\u2019t supported. "
            "Retry your request with the ID or ARN of an inference profile that contains this model."
        ),
    ),
    "a profile of another region": (f"eu.{PRO}", VALIDATION, "The provided model identifier is invalid."),
    "a profile that the model does not have": (
        f"global.{PRO}",
        VALIDATION,
        "The provided model identifier is invalid.",
    ),
    "an arn of another region": (
        f"arn:aws:bedrock:eu-west-1::foundation-model/{PRO}",
        VALIDATION,
        "The provided model identifier is invalid.",
    ),
    "an arn of another account": (
        f"arn:aws:bedrock:us-east-1:999999999999:inference-profile/us.{PRO}",
        VALIDATION,
        "The provided model identifier is invalid.",
    ),
    "an application profile": (
        f"{ACCOUNT}:application-inference-profile/abcdefghijkl",
        VALIDATION,
        "The provided model identifier is invalid.",
    ),
    "an imported model that is not there": (
        f"{ACCOUNT}:imported-model/abcdefghijkl",
        VALIDATION,
        "The provided model identifier is invalid.",
    ),
    "a model past its end of life": (
        "us.amazon.nova-premier-v1:0",
        NOT_FOUND,
        "This model version has reached the end of its life.",
    ),
    "a legacy model that the account does not use": (
        SONNET,
        NOT_FOUND,
        "Access denied. This Model is marked by provider as Legacy",
    ),
    "a custom model without a deployment": (CUSTOM, VALIDATION, "regular expression pattern"),
    "a custom model whose arn fits the pattern": (
        f"{ACCOUNT}:custom-model/amazon.titan-text/abcdefghijkl",
        VALIDATION,
        "The provided model identifier is invalid.",
    ),
    "a deployment that is not there": (
        f"{ACCOUNT}:custom-model-deployment/abcdefghijkl",
        NOT_FOUND,
        "was not found",
    ),
    "a deployment that is not active": (NOT_READY, VALIDATION, "not active yet"),
    "a provisioned throughput that is not there": (
        f"{ACCOUNT}:provisioned-model/abcdefghijkl",
        NOT_FOUND,
        "was not found",
    ),
    "a provisioned throughput that is being created": (CREATING, VALIDATION, "not in service yet"),
    "a provisioned throughput by its name": (
        "steady",
        VALIDATION,
        "The provided model identifier is invalid.",
    ),
    "a provisioned throughput of another region": (
        CREATING.replace("us-east-1", "us-west-2"),
        VALIDATION,
        "The provided model identifier is invalid.",
    ),
    "an empty id": (" ", VALIDATION, "regular expression pattern"),
}

CONVERSATIONS = {
    "no messages": ({"messages": []}, "must start with a user message"),
    "messages left out": ({}, "must start with a user message"),
    "the assistant first": ({"messages": [*assistant(), *user()]}, "must start with a user message"),
    "two users in a row": ({"messages": [*user(), *user()]}, "must alternate between user and assistant"),
    "the assistant last": (
        {"messages": [*user(), *assistant()]},
        "does not support assistant message prefill",
    ),
    "a system role": ({"messages": [{"role": "system", "content": [{"text": "x"}]}]}, "Use the system field"),
    "an unknown role": ({"messages": [{"role": "robot", "content": []}]}, "enum value set"),
    "no content": (content(), "The content field in the Message object at messages.0 is empty."),
    "a blank text": (
        content({"text": "x"}, {"text": " \n"}),
        "The text field in the ContentBlock object at messages.0.content.1 is blank.",
    ),
    "an image": (
        content({"image": {"format": "png", "source": {"bytes": b"x"}}}),
        "doesn't support the messages.0.content.0.image field",
    ),
    "a document": (
        content({"text": "x"}, {"document": {"format": "txt", "name": "d", "source": {"bytes": b"x"}}}),
        "doesn't support the messages.0.content.1.document field",
    ),
    "a tool result": (
        content({"toolResult": {"toolUseId": "t", "content": [{"text": "x"}]}}),
        "doesn't support the messages.0.content.0.toolResult field",
    ),
    "an empty block": (content({}), "exactly one of"),
    "two kinds in one block": (content({"text": "x", "cachePoint": {"type": "default"}}), "exactly one of"),
    "an empty system text": (
        {"messages": user(), "system": [{"text": ""}]},
        "length greater than or equal to 1",
    ),
    "tools": (
        {
            "messages": user(),
            "toolConfig": {"tools": [{"toolSpec": {"name": "t", "inputSchema": {"json": {}}}}]},
        },
        "doesn't support the toolConfig field",
    ),
    "a guardrail": (
        {"messages": user(), "guardrailConfig": {"guardrailIdentifier": "abc", "guardrailVersion": "1"}},
        "guardrail identifier or version provided in the request does not exist",
    ),
    "a temperature above 1": (
        {"messages": user(), "inferenceConfig": {"temperature": 1.1}},
        "less than or equal to 1",
    ),
    "a temperature below 0": (
        {"messages": user(), "inferenceConfig": {"temperature": -1}},
        "greater than or equal",
    ),
    "topP above 1": ({"messages": user(), "inferenceConfig": {"topP": 2}}, "less than or equal to 1"),
    "maxTokens of 0": (
        {"messages": user(), "inferenceConfig": {"maxTokens": 0}},
        "greater than or equal to 1",
    ),
    "an empty stop sequence": (
        {"messages": user(), "inferenceConfig": {"stopSequences": [""]}},
        "length greater than",
    ),
    "no metadata in its map": (
        {"messages": user(), "requestMetadata": {}},
        "length greater than or equal to 1",
    ),
    "metadata with letters it may not have": (
        {"messages": user(), "requestMetadata": {"a": "é"}},
        "regular expression",
    ),
    "too much metadata": (
        {"messages": user(), "requestMetadata": {str(n): "x" for n in range(17)}},
        "length less than or equal to 16",
    ),
}

INVOCATIONS = {
    "no body": ({}, "Malformed input request"),
    "a body that is no json": ({"body": b"{"}, "Malformed input request: the body is not JSON"),
    "a body without messages": ({"body": b"{}"}, "#: required key [messages] not found, please reformat"),
    "a body with an unknown key": (
        {"body": json.dumps({"messages": user(), "prompt": "x"})},
        "#: extraneous key [prompt] is not permitted",
    ),
    "another family's body": ({"body": json.dumps({"prompt": "hi"})}, "#: extraneous key [prompt]"),
    "a conversation out of order": (
        {"body": json.dumps({"messages": assistant()})},
        "must start with a user message",
    ),
    "a content type that is not json": (
        {"body": b"hi", "contentType": "text/plain"},
        "The provided Content Type is invalid or not supported for this model",
    ),
    "an accept type that is not json": (
        {"body": json.dumps({"messages": user()}), "accept": "image/png"},
        "The provided Accept Type is invalid or not supported for this model",
    ),
    "a guardrail": (
        {"body": json.dumps({"messages": user()}), "guardrailIdentifier": "abc", "guardrailVersion": "1"},
        "guardrail identifier or version provided in the request does not exist",
    ),
    "metadata that is no json": (
        {"body": json.dumps({"messages": user()}), "requestMetadata": "team=a"},
        "request metadata must be a JSON object",
    ),
    "metadata that is not texts": (
        {"body": json.dumps({"messages": user()}), "requestMetadata": '{"a": 1}'},
        "request metadata must be a JSON object",
    ),
}


def refused(call, **params):
    with pytest.raises(ClientError) as caught:
        call(**params)
    error = caught.value.response
    return error["Error"]["Code"], error["Error"]["Message"], error["ResponseMetadata"]["HTTPStatusCode"]


STATUS = {VALIDATION: 400, NOT_FOUND: 404}


@pytest.mark.parametrize("operation", ["converse", "converse_stream"])
@pytest.mark.parametrize("case", MODEL_IDS)
def test_a_model_that_does_not_answer_is_refused_by_converse(runtime, operation, case):
    model_id, code, words = MODEL_IDS[case]
    found, message, status = refused(getattr(runtime, operation), modelId=model_id, messages=user())
    assert (found, status) == (code, STATUS[code]), message
    assert words in message


@pytest.mark.parametrize("operation", ["invoke_model", "invoke_model_with_response_stream"])
@pytest.mark.parametrize("case", MODEL_IDS)
def test_a_model_that_does_not_answer_is_refused_by_invoke(runtime, operation, case):
    model_id, code, words = MODEL_IDS[case]
    found, message, _ = refused(getattr(runtime, operation), modelId=model_id, body=b"{}")
    assert found == code, message
    assert words in message


@pytest.mark.parametrize("operation", ["converse", "converse_stream"])
@pytest.mark.parametrize("case", CONVERSATIONS)
def test_a_conversation_that_breaks_a_rule_is_refused(runtime, operation, case):
    params, words = CONVERSATIONS[case]
    code, message, status = refused(getattr(runtime, operation), modelId=PRO, **params)
    assert (code, status) == (VALIDATION, 400), message
    assert words in message


@pytest.mark.parametrize("operation", ["invoke_model", "invoke_model_with_response_stream"])
@pytest.mark.parametrize("case", INVOCATIONS)
def test_an_invocation_that_breaks_a_rule_is_refused(runtime, operation, case):
    params, words = INVOCATIONS[case]
    code, message, status = refused(getattr(runtime, operation), modelId=PRO, **params)
    assert (code, status) == (VALIDATION, 400), message
    assert words in message


@pytest.mark.parametrize(
    ("model_id", "asked", "words"),
    [
        (PRO, {"converse": {"messages": user()}}, "The provided model doesn't support counting tokens."),
        (
            "meta.llama3-1-8b-instruct-v1:0",
            {"converse": {"messages": user()}},
            "doesn't support counting tokens",
        ),
        (f"us.{SONNET}", {"converse": {"messages": user()}}, "doesn't support counting tokens"),
        ("acme.wonder-v1:0", {"converse": {"messages": user()}}, "The provided model identifier is invalid."),
        (SONNET, {"converse": {"messages": assistant()}}, "must start with a user message"),
        (SONNET, {"invokeModel": {"body": b"{}"}}, "Malformed input request"),
        (SONNET, {}, "exactly one of"),
    ],
)
def test_counting_is_refused_where_aws_does_not_count(runtime, model_id, asked, words):
    code, message, status = refused(runtime.count_tokens, modelId=model_id, input=asked)
    assert (code, status) == (VALIDATION, 400), message
    assert words in message
