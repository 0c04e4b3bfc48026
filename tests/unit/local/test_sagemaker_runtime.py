"""Endpoints asked and answering: each container's bodies, framings and errors, and what SageMaker makes of them."""

from __future__ import annotations

import json
import runpy
import threading
from pathlib import Path

import pytest
from botocore.exceptions import ClientError, EventStreamError

from bedrock_distill.local import Fault
from bedrock_distill.local.services.sagemaker_runtime.cutting import cut
from bedrock_distill.records.schema import Record
from bedrock_distill.train.generation import Generator

_stage = runpy.run_path(str(Path(__file__).with_name("sagemaker_stage.py")))
open_stage, LMI, LMI_ROLLING, TGI, VLLM = (
    _stage[name] for name in ("open_stage", "LMI", "LMI_ROLLING", "TGI", "VLLM")
)
SAID = "What is the capital of Italy? Écrivez-le."
MESSAGES = [{"role": "user", "content": SAID}]
GREEDY = {
    "inputs": {"inputs": SAID, "parameters": {"max_new_tokens": 12, "do_sample": False}},
    "prompt": {"prompt": SAID, "max_tokens": 12, "temperature": 0},
    "messages": {"messages": MESSAGES, "max_tokens": 12, "temperature": 0},
}


@pytest.fixture(scope="module")
def stage(student_dir):
    """One cloud for all, with an endpoint for each container."""
    with open_stage(student_dir) as opened:
        for name, image in (("lmi", LMI), ("rolling", LMI_ROLLING), ("vllm", VLLM), ("tgi", TGI)):
            assert opened.endpoint(name, image=image)["EndpointStatus"] == "InService"
        yield opened


def read(answer):
    """A streamed answer's bytes, whole."""
    return b"".join(event["PayloadPart"]["Bytes"] for event in answer["Body"])


def events(raw, prefix="data: "):
    texts = [part for part in raw.decode().split("\n\n") if part]
    assert all(text.startswith(prefix) for text in texts)
    return [text.removeprefix(prefix) for text in texts]


def text_of(schema, body):
    """The generated text of a whole answer."""
    if schema == "inputs":
        return (body[0] if isinstance(body, list) else body)["generated_text"]
    choice = body["choices"][0]
    return choice["text"] if schema == "prompt" else choice["message"]["content"]


def piece_of(schema, chunk):
    if schema == "inputs":
        return chunk["token"]["text"]
    choice = chunk["choices"][0]
    return choice["text"] if schema == "prompt" else choice["delta"]["content"]


CASES = [
    (name, schema)
    for name in ("lmi", "rolling", "vllm", "tgi")
    for schema in GREEDY
    if not (name == "vllm" and schema == "inputs")
]


@pytest.mark.parametrize(("name", "schema"), CASES)
def test_a_streamed_answer_says_what_the_whole_one_says(stage, name, schema):
    whole = stage.ask(GREEDY[schema], name)
    streamed = stage.ask_stream({**GREEDY[schema], "stream": True}, name)
    raw = read(streamed)
    assert whole["ContentType"] == "application/json"
    if name in ("lmi", "rolling"):
        assert streamed["ContentType"] == "application/jsonlines"
        assert b"data:" not in raw
        assert b"[DONE]" not in raw
        assert b"\n\n" in raw
        chunks = [json.loads(line) for line in raw.splitlines() if line]
    else:
        assert streamed["ContentType"].startswith("text/event-stream")
        own = (name, schema) == ("tgi", "inputs")
        texts = events(raw, "data:" if own else "data: ")
        assert own or texts.pop() == "[DONE]"
        chunks = [json.loads(text) for text in texts]
    text = text_of(schema, json.loads(whole["Body"].read()))
    assert "".join(piece_of(schema, chunk) for chunk in chunks) == text
    assert len(text) > 0


def test_every_container_gives_the_same_text_as_the_model_itself(stage, student_dir):
    answers = {
        name: text_of("messages", json.loads(stage.ask(GREEDY["messages"], name)["Body"].read()))
        for name in ("lmi", "rolling", "vllm", "tgi")
    }
    with Generator(student_dir) as generator:
        answers["the model"] = generator.generate([Record.of(SAID)], max_tokens=12)[0].text
    assert len(set(answers.values())) == 1


def test_lmi_answers_inputs_with_an_object_and_thirty_tokens(stage):
    body = {"inputs": SAID, "parameters": {"do_sample": False, "details": True}}
    answer = json.loads(stage.ask(body, "lmi")["Body"].read())
    assert answer["details"]["generated_tokens"] <= 30
    longer = {"inputs": SAID, "parameters": {"do_sample": False, "details": True, "max_new_tokens": 40}}
    assert json.loads(stage.ask(longer, "lmi")["Body"].read())["generated_text"].startswith(
        answer["generated_text"]
    )


def test_tgi_answers_inputs_with_a_list(stage):
    answer = json.loads(
        stage.ask({"inputs": SAID, "parameters": {"max_new_tokens": 3, "details": True}}, "tgi")[
            "Body"
        ].read()
    )
    assert isinstance(answer, list)
    assert answer[0]["details"]["generated_tokens"] == 3
    assert answer[0]["details"]["finish_reason"] == "length"


@pytest.mark.parametrize(("name", "spelled"), [("lmi", "logprob"), ("rolling", "log_prob")])
def test_lmis_two_handlers_spell_a_probability_differently(stage, name, spelled):
    raw = read(stage.ask_stream({**GREEDY["inputs"], "stream": True}, name))
    lines = [json.loads(line) for line in raw.splitlines() if line]
    assert all(spelled in line["token"] for line in lines)
    assert lines[-1]["generated_text"] is not None
    assert {line["generated_text"] for line in lines[:-1]} == {None}


def test_a_stop_text_ends_the_answer_and_is_not_part_of_it(stage):
    whole = text_of(
        "prompt", json.loads(stage.ask({**GREEDY["prompt"], "max_tokens": 30}, "vllm")["Body"].read())
    )
    stop = whole[len(whole) // 2]
    body = {**GREEDY["prompt"], "max_tokens": 30, "stop": [stop]}
    answer = json.loads(stage.ask(body, "vllm")["Body"].read())
    assert answer["choices"][0]["text"] == whole.partition(stop)[0]
    assert answer["choices"][0]["finish_reason"] == "stop"


def test_the_same_seed_draws_the_same_answer(stage):
    body = {**GREEDY["messages"], "temperature": 0.9, "seed": 5, "max_tokens": 20}
    answers = [json.loads(stage.ask(body, "vllm")["Body"].read())["choices"] for _ in range(2)]
    assert answers[0] == answers[1]
    other = json.loads(stage.ask({**body, "seed": 6}, "vllm")["Body"].read())["choices"]
    assert other != answers[0]


def test_usage_is_counted_and_streamed_where_it_is_asked_for(stage):
    usage = json.loads(stage.ask(GREEDY["messages"], "vllm")["Body"].read())["usage"]
    body = {**GREEDY["messages"], "stream": True, "stream_options": {"include_usage": True}}
    last = json.loads(events(read(stage.ask_stream(body, "vllm")))[-2])
    assert last["usage"] == usage
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


def test_a_route_in_the_custom_attributes_chooses_vllms_api(stage):
    both = {**GREEDY["messages"], **GREEDY["prompt"]}
    answer = stage.ask(both, "vllm", CustomAttributes="route=/v1/completions")
    assert json.loads(answer["Body"].read())["object"] == "text_completion"
    assert answer["CustomAttributes"] == "route=/v1/completions"
    assert json.loads(stage.ask(both, "vllm")["Body"].read())["object"] == "chat.completion"


REFUSED = [
    # endpoint, body, the container's status, and a word of its message
    ("lmi", {"text": SAID}, 424, "expected one of prompt, inputs, messages"),
    ("lmi", {"inputs": SAID, "parameters": {"max_new_tokens": 0}}, 424, "at least 1"),
    ("lmi", {"inputs": "a" * 3000}, 424, "too long"),
    ("vllm", {"inputs": SAID}, 400, "neither a chat completion"),
    ("vllm", {**GREEDY["messages"], "model": "other"}, 404, "The model `other` does not exist"),
    ("vllm", {"messages": []}, 400, "at least one message"),
    ("vllm", {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, 400, "parts of type text"),
    ("vllm", {**GREEDY["prompt"], "max_tokens": 5000}, 400, "maximum context length is 2048 tokens"),
    ("vllm", {**GREEDY["prompt"], "temperature": -1}, 400, "temperature must be non-negative"),
    ("vllm", {**GREEDY["prompt"], "stop": 7}, 400, "a string or a list of strings"),
    ("tgi", {"text": SAID}, 422, "did not match any variant"),
    ("tgi", {"inputs": SAID, "parameters": {"temperature": 0}}, 422, "strictly positive"),
    ("tgi", {"inputs": "a" * 1500}, 422, "must have less than 1024 tokens"),
    ("tgi", {"inputs": "a" * 500, "parameters": {"max_new_tokens": 2000}}, 422, "must be <= 2048"),
]


@pytest.mark.parametrize("ask", ["ask", "ask_stream"])
@pytest.mark.parametrize("case", REFUSED, ids=lambda case: f"{case[0]}-{case[3][:24]}")
def test_what_a_container_refuses_is_a_model_error_with_its_own_words_inside(stage, ask, case):
    name, body, status, words = case
    with pytest.raises(ClientError) as caught:
        getattr(stage, ask)(body, name)
    answer = caught.value.response
    assert answer["Error"]["Code"] == "ModelError"
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert answer["OriginalStatusCode"] == status
    assert words in answer["OriginalMessage"]
    assert (
        answer["LogStreamArn"]
        == f"arn:aws:logs:us-east-1:123456789012:log-group:/aws/sagemaker/Endpoints/{name}"
    )
    assert f"Received client error ({status}) from primary" in answer["Error"]["Message"]


def test_a_body_that_is_not_json_is_the_containers_to_refuse(stage):
    with pytest.raises(ClientError, match="ModelError"):
        stage.runtime.invoke_endpoint(EndpointName="vllm", Body=b"{", ContentType="application/json")
    with pytest.raises(ClientError, match="Unsupported Media Type"):
        stage.runtime.invoke_endpoint(EndpointName="vllm", Body=b"{}", ContentType="text/csv")


def test_a_body_of_more_than_six_mib_is_refused_by_sagemaker(stage):
    with pytest.raises(ClientError) as caught:
        stage.runtime.invoke_endpoint(EndpointName="vllm", Body=b"x" * 6_291_457)
    assert caught.value.response["Error"]["Code"] == "ValidationError"


@pytest.mark.parametrize("ask", ["ask", "ask_stream"])
def test_an_endpoint_that_does_not_serve_is_not_found(stage, ask):
    with pytest.raises(ClientError, match="Endpoint nowhere of account 123456789012 not found") as caught:
        getattr(stage, ask)(GREEDY["prompt"], "nowhere")
    assert caught.value.response["Error"]["Code"] == "ValidationError"
    with pytest.raises(ClientError, match="Variant Other not found"):
        getattr(stage, ask)(GREEDY["prompt"], "vllm", TargetVariant="Other")


def test_an_injected_failure_ends_a_stream_in_the_middle(stage):
    rule = Fault(
        operation="InvokeEndpointWithResponseStream", cut_stream_after=2, code="ModelStreamError", times=1
    )
    stage.cloud.faults.add(rule)
    answer = stage.ask_stream({**GREEDY["messages"], "stream": True}, "vllm")
    parts = iter(answer["Body"])
    assert all("PayloadPart" in next(parts) for _ in range(2))
    with pytest.raises(EventStreamError) as caught:
        next(parts)
    assert caught.value.response["Error"]["Code"] == "ModelStreamError"
    hosting = stage.cloud._running["sagemaker-runtime"]._hosting
    assert hosting.in_flight("endpoint/vllm/variant/AllTraffic") == 0  # the model does not go on for nobody


BROKEN_FRAMES = [
    ("lmi", b'{"error":', b'"code":424}}\n'),
    ("vllm", b'data: {"error":', b"data: [DONE]\n\n"),
    ("tgi", b'data:{"error":', b'"error_type": "generation"}\n\n'),
]


@pytest.mark.parametrize(("name", "starts", "ends"), BROKEN_FRAMES, ids=[row[0] for row in BROKEN_FRAMES])
def test_an_engine_that_fails_in_the_middle_ends_the_stream_in_the_containers_way(stage, name, starts, ends):
    body = {"messages": MESSAGES, "temperature": 0, "stream": True, "max_tokens": 1500}
    answer = stage.ask_stream(body, name)
    parts = iter(answer["Body"])
    first = next(parts)["PayloadPart"]["Bytes"]
    stage.cloud._running["sagemaker-runtime"]._hosting.engines.keep(set())
    raw = first + b"".join(event["PayloadPart"]["Bytes"] for event in parts)
    assert starts in raw
    assert raw.endswith(ends)
    assert stage.ask(GREEDY["messages"], name)["Body"].read()


def test_the_first_part_is_there_long_before_the_last_is_made(stage):
    hosting = stage.cloud._running["sagemaker-runtime"]._hosting
    body = {"messages": MESSAGES, "temperature": 0, "stream": True, "max_tokens": 1500}
    answer = stage.ask_stream(body, "vllm")
    next(iter(answer["Body"]))
    assert hosting.in_flight("endpoint/vllm/variant/AllTraffic") == 1
    answer["Body"].close()
    assert hosting.in_flight("endpoint/vllm/variant/AllTraffic") == 0


def test_a_reader_who_leaves_early_ends_the_request(stage):
    answer = stage.ask_stream(
        {"messages": MESSAGES, "temperature": 0, "stream": True, "max_tokens": 1500}, "vllm"
    )
    next(iter(answer["Body"]))
    answer["Body"].close()
    assert stage.ask(GREEDY["messages"], "vllm")["ContentType"] == "application/json"


def test_concurrent_callers_get_what_each_alone_gets(stage):
    bodies = [{**GREEDY["prompt"], "prompt": f"Number {number}: {'x' * number}"} for number in range(12)]
    alone = [json.loads(stage.ask(body, "lmi")["Body"].read())["choices"][0]["text"] for body in bodies]
    together = {}

    def ask(number):
        together[number] = json.loads(stage.ask(bodies[number], "lmi")["Body"].read())["choices"][0]["text"]

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [together[number] for number in range(12)] == alone


def test_cuts_are_anywhere_and_the_same_for_a_seed():
    frames = ["data: 日本語のテキスト🎉\n\n".encode()] * 40
    parts = list(cut(iter(frames), 3))
    assert b"".join(parts) == b"".join(frames)
    assert parts == list(cut(iter(frames), 3)) != list(cut(iter(frames), 4))
    assert any(_splits_a_character(part) for part in parts)


def _splits_a_character(part):
    try:
        part.decode()
    except UnicodeDecodeError:
        return True
    return False


def test_an_answer_over_http_is_the_one_in_process(stage):
    import boto3

    with stage.cloud.serve() as server:
        client = boto3.client(
            "sagemaker-runtime", endpoint_url=server.url, region_name="us-east-1",
            aws_access_key_id="x", aws_secret_access_key="x",
        )  # fmt: skip
        body = json.dumps({**GREEDY["messages"], "stream": True})
        over_http = client.invoke_endpoint_with_response_stream(EndpointName="vllm", Body=body)
        texts = [json.loads(text) for text in events(read(over_http)) if text != "[DONE]"]
    said = "".join(piece_of("messages", chunk) for chunk in texts)
    assert said == text_of("messages", json.loads(stage.ask(GREEDY["messages"], "vllm")["Body"].read()))


def _asynchronous(stage, **client):
    output = {"S3OutputPath": "s3://models/out/", "S3FailurePath": "s3://models/failed/"}
    stage.config("later", stage.variant("lmi"), AsyncInferenceConfig={"OutputConfig": output, **client})
    stage.sm.create_endpoint(EndpointName="later", EndpointConfigName="later")
    assert stage.settled("later")["EndpointStatus"] == "InService"


def test_an_asynchronous_endpoint_answers_and_fails_to_s3(stage):
    _asynchronous(stage)

    def put(location):
        bucket, _, key = location.removeprefix("s3://").partition("/")
        return stage.s3.get_object(Bucket=bucket, Key=key)["Body"].read()

    stage.s3.put_object(Bucket="models", Key="in/ask.json", Body=json.dumps(GREEDY["prompt"]))
    taken = stage.runtime.invoke_endpoint_async(
        EndpointName="later", InputLocation="s3://models/in/ask.json", InferenceId="mine"
    )
    refused = stage.runtime.invoke_endpoint_async(EndpointName="later", Body=b'{"text": 1}')
    gone = stage.runtime.invoke_endpoint_async(EndpointName="later", InputLocation="s3://models/in/gone.json")
    assert stage.cloud.clock.settle()
    assert (taken["InferenceId"], taken["ResponseMetadata"]["HTTPStatusCode"]) == ("mine", 202)
    assert taken["OutputLocation"].startswith("s3://models/out/")
    assert text_of("prompt", json.loads(put(taken["OutputLocation"])))
    assert b"Received client error (424)" in put(refused["FailureLocation"])
    assert b"Unable to download" in put(gone["FailureLocation"])
    for bad in ({}, {"Body": b"{}", "InputLocation": "s3://models/in/ask.json"}):
        with pytest.raises(ClientError, match="Exactly one of"):
            stage.runtime.invoke_endpoint_async(EndpointName="later", **bad)
    with pytest.raises(ClientError, match="use InvokeEndpointAsync"):
        stage.ask(GREEDY["prompt"], "later")
    with pytest.raises(ClientError, match="does not have AsyncInferenceConfig"):
        stage.runtime.invoke_endpoint_async(EndpointName="lmi", Body=b"{}")
