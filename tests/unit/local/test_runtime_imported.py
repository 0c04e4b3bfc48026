"""Imported models and provisioned throughput answer: body formats, cold starts, and one text whichever way it is served."""

from __future__ import annotations

import json
import runpy
import shutil
from pathlib import Path

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from bedrock_distill.local.services.bedrock import Bedrock
from bedrock_distill.local.services.runtime import BedrockRuntime
from bedrock_distill.local.students import weights_dir

_stage = runpy.run_path(str(Path(__file__).parent / "bedrock_stage.py"))
open_stage, StubTrainer, model_files = (_stage[name] for name in ("open_stage", "StubTrainer", "model_files"))

HELLO = [{"role": "user", "content": [{"text": "hello"}]}]
RAW = "<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n"
"""What the chat template makes of the same message."""
NOT_READY = "ModelNotReadyException"


def services(world):
    return {"bedrock": Bedrock(world, trainer=StubTrainer()), "bedrock-runtime": BedrockRuntime(world)}


@pytest.fixture(scope="module")
def shared():
    with open_stage(services=services) as stage:
        once = Config(retries={"total_max_attempts": 1})
        stage.runtime = stage.cloud.boto3_session().client("bedrock-runtime", config=once)
        yield stage


@pytest.fixture
def stage(shared):
    shared.empty().model_directory().importer()
    return shared


@pytest.fixture
def arn(stage):
    """An imported model that is loaded."""
    arn = stage.bring()["importedModelArn"]
    warm(stage, arn)
    return arn


def warm(stage, arn):
    assert code_of(converse, stage, arn) == NOT_READY
    assert stage.cloud.clock.settle(60)


def converse(stage, arn, tokens=8, **more):
    limits = {"maxTokens": tokens, "temperature": 0}
    answer = stage.runtime.converse(modelId=arn, messages=HELLO, inferenceConfig=limits, **more)
    return answer["output"]["message"]["content"][0]["text"]


def converse_stream(stage, arn, tokens=8):
    limits = {"maxTokens": tokens, "temperature": 0}
    events = stage.runtime.converse_stream(modelId=arn, messages=HELLO, inferenceConfig=limits)["stream"]
    return "".join(e["contentBlockDelta"]["delta"]["text"] for e in events if "contentBlockDelta" in e)


def invoke(stage, arn, **body):
    response = stage.runtime.invoke_model(modelId=arn, body=json.dumps({"temperature": 0, **body}))
    return json.loads(response["body"].read())


def invoke_stream(stage, arn, **body):
    data = json.dumps({"temperature": 0, **body})
    response = stage.runtime.invoke_model_with_response_stream(modelId=arn, body=data)
    return [json.loads(event["chunk"]["bytes"]) for event in response["body"]]


def code_of(call, *args, **kwargs):
    with pytest.raises(ClientError) as caught:
        call(*args, **kwargs)
    return caught.value.response["Error"]["Code"]


FORMATS = {
    "BedrockCompletion": ({"prompt": RAW, "max_gen_len": 8}, lambda body: body["generation"]),
    "OpenAICompletion": ({"prompt": RAW, "max_tokens": 8}, lambda body: body["choices"][0]["text"]),
    "OpenAIChatCompletion": (
        {"messages": [{"role": "user", "content": "hello"}], "max_tokens": 8},
        lambda body: (
            body["choices"][0].get("message", body["choices"][0].get("delta", {})).get("content", "")
        ),
    ),
}


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_gives_the_text_that_converse_gives_streamed_or_not(stage, arn, name):
    body, text_of = FORMATS[name]
    expected = converse(stage, arn)
    assert expected
    assert converse_stream(stage, arn) == expected
    assert text_of(invoke(stage, arn, **body)) == expected
    chunks = invoke_stream(stage, arn, **body)
    assert "".join(text_of(chunk) for chunk in chunks) == expected
    assert "amazon-bedrock-invocationMetrics" in chunks[-1]


@pytest.mark.parametrize("name", FORMATS)
def test_over_http_an_imported_model_says_the_same(stage, arn, name):
    body, text_of = FORMATS[name]
    with stage.cloud.serve() as server:
        far = stage.cloud.boto3_session().client("bedrock-runtime", endpoint_url=server.url)
        data = json.dumps({"temperature": 0, **body})
        whole = json.loads(far.invoke_model(modelId=arn, body=data)["body"].read())
        events = far.invoke_model_with_response_stream(modelId=arn, body=data)["body"]
        pieces = [text_of(json.loads(event["chunk"]["bytes"])) for event in events]
    assert text_of(whole) == "".join(pieces) == converse(stage, arn)


def test_bedrock_completion_answers_in_the_documented_members(stage, arn):
    assert invoke(stage, arn, prompt=RAW, max_gen_len=3).keys() == {
        "generation",
        "prompt_token_count",
        "generation_token_count",
        "stop_reason",
        "logprobs",
    }


def test_openai_completion_answers_in_openais_members(stage, arn):
    answer = invoke(stage, arn, prompt=RAW, max_tokens=3)
    assert (answer["object"], answer["choices"][0]["finish_reason"]) == ("text_completion", "length")
    assert answer["id"].startswith("cmpl-")
    assert answer["usage"]["completion_tokens"] == 3


def test_a_prompt_is_completed_as_it_stands(stage, arn):
    bare = invoke(stage, arn, prompt="hello", max_gen_len=1)
    templated = invoke(stage, arn, messages=[{"role": "user", "content": "hello"}], max_tokens=1)
    assert bare["prompt_token_count"] == len("hello")
    assert templated["usage"]["prompt_tokens"] > len("hello")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"prompt": "a", "structured_outputs": {"choice": ["a"]}, "max_tokens": 1}, "structured_outputs"),
        ({"prompt": "a", "return_logprobs": True}, "return_logprobs"),
        ({"prompt": "a", "response_format": {"type": "json_object"}}, "response_format"),
        ({"prompt": "a", "max_tokens": 1, "n": 2}, "the n field"),
        ({"prompt": ""}, "#/prompt"),
        ({"prompt": "a", "max_gen_len": 1, "max_tokens": 1}, "extraneous key [max_gen_len]"),
        ({"inputText": "a"}, "extraneous key [inputText]"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "image_url"),
    ],
)
def test_a_body_that_asks_for_what_is_not_there_is_refused_by_name(stage, arn, body, words):
    with pytest.raises(stage.runtime.exceptions.ValidationException) as caught:
        stage.runtime.invoke_model(modelId=arn, body=json.dumps(body))
    assert words in str(caught.value)


def test_without_a_chat_template_prompts_are_answered_and_conversations_are_not(stage):
    settings = json.loads(model_files()["tokenizer_config.json"])
    settings.pop("chat_template", None)
    stage.s3.delete_object(Bucket="acme", Key="models/tiny/chat_template.jinja")
    stage.model_directory(
        without=("chat_template.jinja",), tokenizer_config__json=json.dumps(settings).encode()
    )
    arn = stage.bring()["importedModelArn"]
    with pytest.raises(stage.runtime.exceptions.ValidationException, match="Try again with a supported text"):
        converse(stage, arn)
    with pytest.raises(stage.runtime.exceptions.ValidationException, match="without a chat template"):
        invoke(stage, arn, messages=[{"role": "user", "content": "hello"}])
    assert code_of(invoke, stage, arn, prompt="hello") == NOT_READY
    assert stage.cloud.clock.settle(60)
    assert invoke(stage, arn, prompt="hello", max_gen_len=2)["generation_token_count"] == 2


def test_a_conversation_that_the_models_own_template_refuses_is_the_callers_mistake(stage):
    template = (
        "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}{{ messages }}"
    )
    stage.model_directory(chat_template__jinja=template.encode())
    arn = stage.bring()["importedModelArn"]
    warm(stage, arn)
    assert converse(stage, arn)
    with pytest.raises(stage.runtime.exceptions.ValidationException, match="no system"):
        converse(stage, arn, system=[{"text": "Be brief."}])


# Cold starts ----------------------------------------------------------------------------------------------------


def test_the_first_call_finds_no_copy_and_the_next_after_a_sleep_does(stage):
    arn = stage.bring()["importedModelArn"]
    assert code_of(converse, stage, arn) == NOT_READY
    for _ in range(50):
        stage.cloud.clock.sleep(30)
        try:
            assert converse(stage, arn)
            return
        except stage.runtime.exceptions.ModelNotReadyException:
            continue
    pytest.fail("The model never became ready.")


def test_five_idle_minutes_unload_a_model_and_calls_keep_it_loaded(stage, arn):
    for _ in range(3):
        stage.cloud.clock.sleep(240)
        assert converse(stage, arn)
    stage.cloud.clock.sleep(301)
    assert code_of(converse, stage, arn) == NOT_READY


def test_under_the_polls_clock_one_call_in_a_cold_start_is_refused(shared):
    shared.empty()
    shared.cloud.clock.mode = "polls"
    try:
        shared.model_directory().importer()
        shared.bedrock.create_model_import_job(**shared.import_request())
        job = [shared.bedrock.get_model_import_job(jobIdentifier="bring") for _ in range(2)][-1]
        assert code_of(converse, shared, job["importedModelArn"]) == NOT_READY
        assert converse(shared, job["importedModelArn"])
    finally:
        shared.cloud.clock.mode = "instant"


def test_a_body_is_checked_before_a_copy_is_woken(stage):
    arn = stage.bring()["importedModelArn"]
    assert code_of(invoke, stage, arn, inputText="a") == "ValidationException"
    assert code_of(invoke, stage, arn, prompt="a") == NOT_READY


def test_weights_that_cannot_be_loaded_are_a_model_error_and_the_next_call_tries_again(stage):
    arn = stage.bring()["importedModelArn"]
    home = next((stage.world.workdir / "imported-models").iterdir())
    (home / "model.safetensors").rename(home / "elsewhere")
    assert code_of(converse, stage, arn) == NOT_READY
    assert stage.cloud.clock.settle(60)
    assert code_of(converse, stage, arn) == "ModelErrorException"
    (home / "elsewhere").rename(home / "model.safetensors")
    warm(stage, arn)
    assert converse(stage, arn)


def test_a_deleted_model_does_not_answer(stage, arn):
    stage.bedrock.delete_imported_model(modelIdentifier=arn)
    assert code_of(converse, stage, arn) == "ValidationException"


# The same weights, served in every way --------------------------------------------------------------------------


@pytest.fixture
def custom(stage):
    """A custom model with real weights, whose directory is also what was put in S3."""
    stage.role()
    stage.prompts(100)
    arn = stage.model()
    directory = weights_dir(stage.world, arn)
    shutil.rmtree(directory)
    directory.mkdir()
    for name, data in model_files().items():
        (directory / name).write_bytes(data)
    return arn


def test_one_student_says_the_same_deployed_provisioned_copied_and_imported(stage, custom, arn):
    deployment = stage.bedrock.create_custom_model_deployment(modelDeploymentName="live", modelArn=custom)
    throughput = stage.bedrock.create_provisioned_model_throughput(
        modelUnits=1, provisionedModelName="steady", modelId=custom
    )
    west = stage.cloud.boto3_session("us-west-2")
    west.client("bedrock").create_model_copy_job(sourceModelArn=custom, targetModelName="copied")
    assert stage.cloud.clock.settle(20)
    copied = west.client("bedrock").create_provisioned_model_throughput(
        modelUnits=1, provisionedModelName="far", modelId="copied"
    )
    expected = converse(stage, arn)
    for served in (deployment["customModelDeploymentArn"], throughput["provisionedModelArn"]):
        assert converse(stage, served) == converse_stream(stage, served) == expected
    limits = {"maxTokens": 8, "temperature": 0}
    far = west.client("bedrock-runtime").converse(
        modelId=copied["provisionedModelArn"], messages=HELLO, inferenceConfig=limits
    )
    assert far["output"]["message"]["content"][0]["text"] == expected


def test_provisioned_throughput_of_a_foundation_model_answers_as_the_model(stage):
    bought = stage.bedrock.create_provisioned_model_throughput(
        modelUnits=1, provisionedModelName="pro", modelId="amazon.nova-pro-v1:0:24k"
    )["provisionedModelArn"]
    assert converse(stage, bought) == "Answer to: hello"
    body = json.dumps({"messages": HELLO})
    answer = json.loads(stage.runtime.invoke_model(modelId=bought, body=body)["body"].read())
    assert answer["output"]["message"]["content"] == [{"text": "Answer to: hello"}]


def test_provisioned_throughput_is_called_by_its_arn_and_not_by_its_name(stage):
    stage.bedrock.create_provisioned_model_throughput(
        modelUnits=1, provisionedModelName="pro", modelId="amazon.nova-pro-v1:0:24k"
    )
    assert code_of(converse, stage, "pro") == "ValidationException"
    gone = "arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abcdefghijkl"
    assert code_of(converse, stage, gone) == "ResourceNotFoundException"
