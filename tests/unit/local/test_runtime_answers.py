"""Converse and InvokeModel: who answers for which id, limits on answers, streams, and what a failing teacher does."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError, EventStreamError

from bedrock_distill.errors import DataError
from bedrock_distill.local.cloud import Cloud
from bedrock_distill.local.gateway.errors import AwsError
from bedrock_distill.local.services.bedrock.state import Deployment, Tables
from bedrock_distill.local.students import base_dir, weights_dir
from bedrock_distill.local.world import TrainingSettings

PRO, PREMIER, MICRO = "amazon.nova-pro-v1:0", "us.amazon.nova-premier-v1:0", "amazon.nova-micro-v1:0"
LLAMA_70B = "meta.llama3-3-70b-instruct-v1:0"
CUSTOM = "arn:aws:bedrock:us-east-1:123456789012:custom-model/amazon.nova-micro-v1:0:128k/abcdefghijkl"
DEPLOYMENT = "arn:aws:bedrock:us-east-1:123456789012:custom-model-deployment/mnopqrstuvwx"

REPLIES = {
    "long": "one two three four five six seven eight nine ten",
    "spaces": "  leading, and trailing  \n",
    "letters": "día 日本語です 🙂 ende",
    "empty": "",
}


def teacher(prompt):
    text = prompt.prompt_text
    if text == "fail":
        raise RuntimeError("the teacher is ill")
    if text == "throttle":
        raise AwsError("ThrottlingException", "Too many requests, please wait before trying again.")
    if text == "number":
        return 42
    if text == "system?":
        return prompt.system_text or "none"
    if text == "turns?":
        return str(len(prompt.messages))
    return REPLIES.get(text, f"You said: {text}")


class Unrecorded:
    def answer(self, prompt):
        raise DataError("pairs.jsonl has no completion for this prompt.")


@pytest.fixture(scope="module")
def cloud():
    teachers = {PRO: teacher, f"us.{LLAMA_70B}": teacher, "meta.llama3-1-405b-instruct-v1:0": Unrecorded()}
    with Cloud(teachers=teachers, training=TrainingSettings(size="tiny")) as cloud:
        yield cloud


@pytest.fixture(scope="module")
def runtime(cloud):
    return cloud.boto3_session().client("bedrock-runtime")


def user(text):
    return [{"role": "user", "content": [{"text": text}]}]


def text_of(response):
    return response["output"]["message"]["content"][0]["text"]


def streamed(response):
    return "".join(
        event["contentBlockDelta"]["delta"]["text"]
        for event in response["stream"]
        if "contentBlockDelta" in event
    )


@pytest.mark.parametrize(
    "model_id",
    [
        PRO,
        f"us.{PRO}",
        f"arn:aws:bedrock:us-east-1::foundation-model/{PRO}",
        f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.{PRO}",
    ],
)
def test_a_teacher_answers_whichever_way_its_model_is_called(runtime, model_id):
    assert text_of(runtime.converse(modelId=model_id, messages=user("hi"))) == "You said: hi"


def test_a_teacher_named_by_its_profile_answers_too(runtime):
    assert text_of(runtime.converse(modelId=f"us.{LLAMA_70B}", messages=user("hi"))) == "You said: hi"


def test_a_teacher_sees_the_system_prompt_and_all_turns(runtime):
    system = [{"text": "Be brief."}]
    assert text_of(runtime.converse(modelId=PRO, system=system, messages=user("system?"))) == "Be brief."
    turns = [*user("a"), {"role": "assistant", "content": [{"text": "b"}]}, *user("turns?")]
    assert text_of(runtime.converse(modelId=PRO, messages=turns)) == "3"


def test_a_cache_point_is_a_hint_and_changes_no_text(runtime):
    content = [{"text": "hi"}, {"cachePoint": {"type": "default"}}]
    response = runtime.converse(modelId=PRO, messages=[{"role": "user", "content": content}])
    assert text_of(response) == "You said: hi"


def test_usage_is_the_stated_estimate_where_there_is_no_tokenizer(runtime):
    usage = runtime.converse(modelId=PRO, system=[{"text": "x" * 8}], messages=user("hi"))["usage"]
    assert usage == {"inputTokens": 3, "outputTokens": 3, "totalTokens": 6}


def test_max_tokens_cuts_a_teachers_answer(runtime):
    response = runtime.converse(modelId=PRO, messages=user("long"), inferenceConfig={"maxTokens": 2})
    assert (text_of(response), response["stopReason"]) == ("one two ", "max_tokens")
    assert response["usage"]["outputTokens"] == 2


def test_a_cut_answer_never_ends_inside_a_letter(runtime):
    for max_tokens in range(1, 6):
        limit = {"maxTokens": max_tokens}
        text = text_of(runtime.converse(modelId=PRO, messages=user("letters"), inferenceConfig=limit))
        assert REPLIES["letters"].startswith(text)


def test_the_first_stop_sequence_ends_the_answer_and_is_not_part_of_it(runtime):
    limits = {"stopSequences": ["five", "three"]}
    response = runtime.converse(modelId=PRO, messages=user("long"), inferenceConfig=limits)
    assert (text_of(response), response["stopReason"]) == ("one two ", "stop_sequence")


def test_a_stop_sequence_beyond_max_tokens_is_never_reached(runtime):
    limits = {"stopSequences": ["nine"], "maxTokens": 2}
    response = runtime.converse(modelId=PRO, messages=user("long"), inferenceConfig=limits)
    assert response["stopReason"] == "max_tokens"


@pytest.mark.parametrize("prompt", ["hi", *REPLIES])
def test_a_streamed_answer_is_the_whole_answer(runtime, prompt):
    whole = text_of(runtime.converse(modelId=PRO, messages=user(prompt)))
    assert streamed(runtime.converse_stream(modelId=PRO, messages=user(prompt))) == whole


def test_a_stream_has_converses_events_in_order(runtime):
    events = list(runtime.converse_stream(modelId=PRO, messages=user("a b"))["stream"])
    names = [next(iter(event)) for event in events]
    assert names[0] == "messageStart"
    assert set(names[1:-3]) == {"contentBlockDelta"}
    assert names[-3:] == ["contentBlockStop", "messageStop", "metadata"]
    assert events[-1]["metadata"]["usage"]["totalTokens"] > 0


def test_invoke_model_answers_in_the_familys_own_format(runtime):
    body = json.dumps({"messages": user("hi"), "inferenceConfig": {"maxTokens": 50}})
    response = runtime.invoke_model(modelId=PRO, body=body)
    assert response["contentType"] == "application/json"
    assert text_of(json.loads(response["body"].read())) == "You said: hi"
    llama = runtime.invoke_model(modelId=f"us.{LLAMA_70B}", body=json.dumps({"prompt": "hi"}))
    assert json.loads(llama["body"].read())["generation"] == "You said: hi"


def test_the_last_chunk_of_a_streamed_invocation_carries_bedrocks_measurements(runtime):
    response = runtime.invoke_model_with_response_stream(
        modelId=PRO, body=json.dumps({"messages": user("hi")})
    )
    chunks = [json.loads(event["chunk"]["bytes"]) for event in response["body"]]
    with_metrics = [
        index for index, chunk in enumerate(chunks) if "amazon-bedrock-invocationMetrics" in chunk
    ]
    assert with_metrics == [len(chunks) - 1]
    metrics = chunks[-1]["amazon-bedrock-invocationMetrics"]
    assert (metrics["inputTokenCount"], metrics["outputTokenCount"]) == (1, 3)
    assert metrics.keys() == {"inputTokenCount", "outputTokenCount", "invocationLatency", "firstByteLatency"}


@pytest.mark.parametrize(
    ("prompt", "words"),
    [("fail", "RuntimeError: the teacher is ill"), ("number", "answered with int, not with a text")],
)
def test_a_teacher_that_fails_is_a_model_error_that_names_it(runtime, prompt, words):
    with pytest.raises(ClientError, match=words) as caught:
        runtime.converse(modelId=PRO, messages=user(prompt))
    assert caught.value.response["Error"]["Code"] == "ModelErrorException"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert caught.value.response["resourceName"] == PRO
    assert caught.value.response["originalStatusCode"] == 500


def test_a_prompt_that_was_not_recorded_is_a_model_error(runtime):
    with pytest.raises(ClientError, match="no completion for this prompt") as caught:
        runtime.converse(modelId="meta.llama3-1-405b-instruct-v1:0", messages=user("hi"))
    assert caught.value.response["Error"]["Code"] == "ModelErrorException"


def test_a_teacher_may_fail_as_aws_does(cloud):
    from botocore.config import Config

    client = cloud.boto3_session().client("bedrock-runtime", config=Config(retries={"total_max_attempts": 1}))
    with pytest.raises(client.exceptions.ThrottlingException):
        client.converse(modelId=PRO, messages=user("throttle"))


def test_a_teachers_failure_comes_before_its_stream_begins(runtime):
    with pytest.raises(ClientError) as caught:
        runtime.converse_stream(modelId=PRO, messages=user("fail"))
    assert not isinstance(caught.value, EventStreamError)


def test_an_untrained_student_answers_for_a_student_model(runtime):
    limits = {"maxTokens": 12, "temperature": 0}
    response = runtime.converse(modelId=MICRO, messages=user("hi"), inferenceConfig=limits)
    assert response["usage"]["outputTokens"] <= 12
    assert response["usage"]["inputTokens"] > 1  # counted by its tokenizer, template included
    again = runtime.converse(modelId=f"us.{MICRO}", messages=user("hi"), inferenceConfig=limits)
    assert text_of(again) == text_of(response)


def test_a_students_stream_is_its_whole_answer(runtime):
    limits = {"maxTokens": 24, "temperature": 0}
    whole = text_of(runtime.converse(modelId=MICRO, messages=user("hello"), inferenceConfig=limits))
    stream = runtime.converse_stream(modelId=MICRO, messages=user("hello"), inferenceConfig=limits)
    assert streamed(stream) == whole


def test_a_sampled_answer_depends_on_the_prompt_and_the_seed_alone(runtime):
    limits = {"maxTokens": 12, "temperature": 1.0}

    def ask(text):
        return text_of(runtime.converse(modelId=MICRO, messages=user(text), inferenceConfig=limits))

    first = ask("one")
    assert ask("two") != first
    assert ask("one") == first


def test_a_prompt_beyond_the_students_window_is_too_long(runtime):
    with pytest.raises(ClientError, match="Input is too long for requested model") as caught:
        runtime.converse(modelId=MICRO, messages=user("x" * 5000))
    assert caught.value.response["Error"]["Code"] == "ValidationException"


def test_callers_at_once_get_what_each_would_get_alone(runtime):
    limits = {"maxTokens": 16, "temperature": 0}
    prompts = [f"prompt number {number}" * number for number in range(1, 7)]

    def ask(text):
        return text_of(runtime.converse(modelId=MICRO, messages=user(text), inferenceConfig=limits))

    alone = [ask(prompt) for prompt in prompts]
    with ThreadPoolExecutor(len(prompts)) as pool:
        assert list(pool.map(ask, prompts)) == alone


def test_the_answer_repeats_the_service_tier_that_was_asked_for(runtime):
    body = json.dumps({"messages": user("hi")})
    assert runtime.invoke_model(modelId=PRO, body=body, serviceTier="flex")["serviceTier"] == "flex"
    response = runtime.converse(modelId=PRO, messages=user("hi"), serviceTier={"type": "flex"})
    assert response["serviceTier"] == {"type": "flex"}


def deploy(cloud, *, phases):
    row = Deployment(
        arn=DEPLOYMENT,
        name="triage",
        serial=1,
        model_arn=CUSTOM,
        created=cloud.clock.now(),
        description="",
        phases=phases,
    )
    Tables(cloud.world, "us-east-1").deployments.put(DEPLOYMENT, row)


def test_a_deployment_answers_from_its_custom_models_weights(cloud, runtime):
    from bedrock_distill.train.base import make_base

    deploy(cloud, phases=cloud.clock.phases([]).start())
    make_base("tiny", weights_dir(cloud.world, CUSTOM), seed=99)
    limits = {"maxTokens": 12, "temperature": 1.0}
    trained = runtime.converse(modelId=DEPLOYMENT, messages=user("hi"), inferenceConfig=limits)
    untrained = runtime.converse(modelId=MICRO, messages=user("hi"), inferenceConfig=limits)
    assert text_of(trained) != text_of(untrained)
    assert base_dir(cloud.world, MICRO) != weights_dir(cloud.world, CUSTOM)


def test_a_deployment_speaks_its_base_models_body_format(cloud, runtime):
    body = json.dumps({"messages": user("hi"), "inferenceConfig": {"maxTokens": 3}})
    response = json.loads(runtime.invoke_model(modelId=DEPLOYMENT, body=body)["body"].read())
    assert response["output"]["message"]["role"] == "assistant"
