"""Endpoints and imported models over the wire: framings, errors of every kind, patience, and closed connections."""

from __future__ import annotations

import json
import logging

import pytest

from bedrock_distill.aws import Clients
from bedrock_distill.chat import PendingReply, Target, Usage, endpoint_dialect, imported_dialect
from bedrock_distill.chat.question import Question
from bedrock_distill.errors import (
    ModelNotReadyError,
    NotFoundError,
    ScaledToZeroError,
    ServiceError,
    SpecError,
)
from bedrock_distill.local import Fault
from bedrock_distill.local.gateway.errors import AwsError
from bedrock_distill.uris import S3Uri

IMPORTED = "arn:aws:bedrock:us-east-1:123456789012:imported-model/abcdefghijkl"
LOG = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/sagemaker/Endpoints/student:log-stream:all"


def chunk(text=None, *, reason=None, usage=None):
    choices = [] if usage else [{"index": 0, "delta": {"content": text}, "finish_reason": reason}]
    return {"object": "chat.completion.chunk", "choices": choices, "usage": usage}


USAGE = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
CHUNKS = [chunk(""), chunk("日"), chunk("本🎉"), chunk("", reason="stop"), chunk(usage=USAGE)]
JSON_LINES = "".join(json.dumps(each, ensure_ascii=False) + "\n\n" for each in CHUNKS).encode()
EVENTS = (
    "".join("data: " + json.dumps(each, ensure_ascii=False) + "\n\n" for each in CHUNKS) + "data: [DONE]\n\n"
)
WHOLE = {
    "object": "chat.completion",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "日本🎉"}, "finish_reason": "stop"}],
    "usage": USAGE,
}
FRAMINGS = {"lmi": JSON_LINES, "openai": EVENTS.encode(), "tgi": EVENTS.replace("data: ", "data:").encode()}


def streaming(raw, *, size=7, ending=None):
    """An answer that streams these bytes in parts that respect nothing."""

    def parts():
        for at in range(0, len(raw), size):
            yield {"PayloadPart": {"Bytes": raw[at : at + size]}}
        if ending is not None:
            raise ending

    return lambda: {"Body": parts(), "ContentType": "application/octet-stream"}


def whole(value):
    return {"Body": json.dumps(value).encode(), "ContentType": "application/json"}


@pytest.fixture
def container(runtimes):
    """What stands behind the endpoint."""
    return runtimes["sagemaker-runtime"]


@pytest.fixture
def student(clients):
    return Target(clients, "student", dialect=endpoint_dialect("lmi"))


@pytest.mark.parametrize("schema", FRAMINGS)
@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_an_endpoint_streams_what_it_answers_whole(clients, container, schema, size):
    target = Target(clients, "student", dialect=endpoint_dialect(schema, served_name="student"))
    container.answers = [whole(WHOLE), streaming(FRAMINGS[schema], size=size)]
    reply, stream = target.chat("Hi"), target.stream("Hi")
    assert list(stream) == ["日", "本🎉"]
    assert stream.text == reply.text == "日本🎉"
    assert stream.reply.usage == reply.usage == Usage(5, 2)
    assert stream.reply.stop_reason == reply.stop_reason == "end_turn"
    assert 0 < stream.reply.first_token_s <= stream.reply.latency_s
    assert reply.request_id != stream.reply.request_id != ""


def test_the_first_piece_is_there_before_the_last_is_made(student, container):
    made = []

    def answer():
        def parts():
            for line in JSON_LINES.splitlines(keepends=True):
                made.append(line)
                yield {"PayloadPart": {"Bytes": line}}

        return {"Body": parts()}

    container.answers = [answer]
    stream = student.stream("Hi")
    pieces = iter(stream)
    assert next(pieces) == "日"
    assert len(made) < len(JSON_LINES.splitlines())
    stream.close()


def test_an_inference_component_is_asked_by_its_name(clients, container):
    container.answers = [whole(WHOLE)]
    Target(clients, "shared", dialect=endpoint_dialect("lmi", component="student")).chat("Hi")
    (call,) = container.calls
    assert (call.params["EndpointName"], call.params["InferenceComponentName"]) == ("shared", "student")


def test_metadata_that_nobody_would_keep_is_refused_before_anything_is_sent(student, container):
    with pytest.raises(SpecError, match="keeps no metadata"):
        student.chat("Hi", metadata={"project": "triage"})
    assert container.calls == []


def test_a_containers_error_is_told_in_its_own_words_with_its_log(student, container):
    container.answers = [
        AwsError(
            "ModelError",
            "Received client error (424) from primary.",
            OriginalStatusCode=424,
            OriginalMessage='{"error": "prompt too long"}',
            LogStreamArn=LOG,
        )
    ]
    with pytest.raises(
        ServiceError, match=r"prompt too long.*log group /aws/sagemaker/Endpoints/student\."
    ) as caught:
        student.chat("Hi")
    assert (caught.value.code, caught.value.status, caught.value.retryable) == ("ModelError", 424, False)
    assert len(container.calls) == 1


def test_a_container_that_is_too_slow_is_met_with_the_way_out(student, container):
    container.answers = [
        AwsError("ModelError", "Your invocation timed out while waiting.", OriginalStatusCode=0)
    ]
    with pytest.raises(ServiceError, match=r"60 s to answer: stream"):
        student.chat("Hi")


@pytest.mark.parametrize("way", ["chat", "stream"])
@pytest.mark.parametrize(
    "error",
    [
        AwsError("ModelError", "Received server error (503).", OriginalStatusCode=503),
        AwsError("ServiceUnavailable", "Busy."),
        AwsError("ModelNotReadyException", "Loading."),
    ],
    ids=["a busy container", "a busy service", "a model that is being loaded"],
)
def test_what_may_pass_is_waited_out_before_the_first_byte(student, container, way, error):
    container.answers = [error, error, whole(WHOLE) if way == "chat" else streaming(JSON_LINES)]
    got = getattr(student, way)("Hi")
    assert (got if way == "chat" else got.finish()).text == "日本🎉"
    assert len(container.calls) == 3


def test_loading_is_waited_for_as_long_as_aws_advises_and_told_as_it_goes_on(clients, container, caplog):
    container.answers = [AwsError("ModelNotReadyException", "Loading.")]
    told = []
    target = Target(clients, "student", dialect=endpoint_dialect("lmi"), on_retry=told.append)
    started_s = clients.clock.monotonic()
    with caplog.at_level(logging.INFO), pytest.raises(ModelNotReadyError, match="being loaded"):
        target.chat("Hi")
    assert len(container.calls) == 10
    assert [(retry.tries, retry.of) for retry in told] == [(tries, 10) for tries in range(1, 10)]
    assert str(told[0]).startswith("The model is being loaded (try 1 of 10), trying again in ")
    assert "The model is being loaded (try 9 of 10)" in caplog.text
    assert clients.clock.monotonic() - started_s >= sum(retry.wait_s for retry in told) > 60


def test_other_errors_are_given_up_sooner(student, container):
    container.answers = [AwsError("ServiceUnavailable", "Busy.")]
    with pytest.raises(ServiceError):
        student.chat("Hi")
    assert len(container.calls) == 6


def test_an_endpoint_that_was_scaled_to_zero_is_a_model_that_is_not_ready(student, container):
    container.answers = [
        AwsError("ValidationError", "Inference Component has no capacity to process this request."),
        whole(WHOLE),
    ]
    assert student.chat("Hi").text == "日本🎉"


def test_an_endpoint_is_given_the_minutes_that_waking_takes_and_no_more_than_is_wanted(clients, container):
    awake_s = clients.clock.monotonic() + 600

    def answer():
        if clients.clock.monotonic() < awake_s:
            raise AwsError("ValidationError", "Inference Component has no capacity to process this request.")
        return whole(WHOLE)

    container.answers = [answer]
    hasty = Target(clients, "student", dialect=endpoint_dialect("lmi"), wake_timeout_s=120)
    with pytest.raises(ScaledToZeroError, match="scaled to zero, and asking wakes it"):
        hasty.chat("Hi")
    assert clients.clock.monotonic() < awake_s - 400
    told = []
    patient = Target(clients, "student", dialect=endpoint_dialect("lmi"), on_retry=told.append)
    assert patient.chat("Hi").text == "日本🎉"
    assert {retry.wait_at_most_s for retry in told} == {900}


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b'{"error": {"message": "CUDA out of memory", "code": 500}}\n', "CUDA out of memory"),
        (b'data:{"error": "overloaded", "error_type": "overloaded"}\n\n', "overloaded"),
        (b'{"code": 424, "message": "invoke handler failure", "error": "bad"}\n', "bad.*424"),
        (b'{"token": {"id": -1, "text": ""}, "details": {"finish_reason": "error"}}\n', "says no more"),
        (b'event: error\ndata: "gone"\n\n', "gone"),
        (b'{"object": "error", "message": "no such adapter", "code": 404}\n', "no such adapter.*404"),
    ],
)
def test_an_error_inside_the_stream_is_raised_with_what_had_come(student, container, raw, said):
    lines = json.dumps(chunk("Hel")).encode() + b"\n" + raw
    container.answers = [streaming(lines)]
    stream = student.stream("Hi")
    with pytest.raises(ServiceError, match=f"(?s){said}.*after 3 characters of text") as caught:
        list(stream)
    assert caught.value.operation == "InvokeEndpointWithResponseStream"
    assert "on student" in str(caught.value)
    assert (stream.text, stream.reply.complete, len(container.calls)) == ("Hel", False, 1)


@pytest.mark.parametrize("code", ["ModelStreamError", "InternalStreamFailure"])
def test_an_error_event_in_mid_stream_is_raised_by_its_name(student, container, code):
    head = json.dumps(chunk("Hel")).encode() + b"\n"
    container.answers = [streaming(head, ending=AwsError(code, "The container went away."))]
    with pytest.raises(ServiceError, match=r"went away.*after 3 characters") as caught:
        list(student.stream("Hi"))
    assert caught.value.code == code


def test_a_connection_that_is_cut_is_not_an_answer(cloud, student, container):
    cloud.faults.add(Fault(operation="InvokeEndpointWithResponseStream", cut_stream_after=20))
    container.answers = [streaming(JSON_LINES)]
    stream = student.stream("Hi")
    with pytest.raises(ServiceError, match=r"characters of text|before any text") as caught:
        list(stream)
    assert caught.value.retryable
    assert len(container.calls) == 1


def test_a_connection_that_is_cut_on_the_wire_is_the_same(cloud, container):
    """Over HTTP it is urllib3 that notices, in an error that botocore lets through."""
    cloud.faults.add(Fault(operation="InvokeEndpointWithResponseStream", cut_stream_after=20))
    container.answers = [streaming(JSON_LINES)]
    with cloud.serve() as server:
        gate = Clients(boto_session=cloud.boto3_session(), region=cloud.region, endpoint_url=server.url)
        stream = Target(gate, "student", dialect=endpoint_dialect("lmi")).stream("Hi")
        with pytest.raises(ServiceError, match=r"cut in mid-stream.*ask again") as caught:
            list(stream)
    assert caught.value.retryable
    assert caught.value.operation == "InvokeEndpointWithResponseStream"


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (JSON_LINES[: JSON_LINES.index("本".encode()) + 1], "ends inside a record"),
        (JSON_LINES[: JSON_LINES.index(b"\n\n", 200)], "closed before the model said"),
    ],
    ids=["inside a character", "between two records"],
)
def test_a_stream_that_just_ends_is_not_an_answer(student, container, raw, said):
    container.answers = [streaming(raw)]
    with pytest.raises(ServiceError, match=said) as caught:
        list(student.stream("Hi"))
    assert (caught.value.code, caught.value.retryable) == ("IncompleteStream", True)


def test_the_producer_is_told_when_the_reader_leaves_early(student, container):
    left = []

    def answer():
        def parts():
            try:
                for line in JSON_LINES.splitlines(keepends=True):
                    yield {"PayloadPart": {"Bytes": line}}
            finally:
                left.append(True)

        return {"Body": parts()}

    container.answers = [answer]
    for _ in student.stream("Hi"):
        break
    assert left == [True]


def test_an_answer_in_another_schema_says_what_is_wrong_with_it(student, container):
    container.answers = [whole({"predictions": [1]})]
    with pytest.raises(
        ServiceError, match=r"InvokeEndpoint on student: .*`choices`.*\"predictions"
    ) as caught:
        student.chat("Hi")
    assert (caught.value.code, caught.value.retryable) == ("MalformedAnswer", False)


def test_an_error_in_a_whole_answer_is_an_error(student, container):
    container.answers = [whole({"error": "no such model", "code": 404})]
    with pytest.raises(ServiceError, match="no such model") as caught:
        student.chat("Hi")
    assert caught.value.request_id


def test_an_imported_model_is_asked_by_invoke_model_and_keeps_metadata(clients, runtimes):
    bedrock = runtimes["bedrock-runtime"]
    bedrock.answers = [{"body": json.dumps(WHOLE).encode(), "contentType": "application/json"}]
    target = Target(clients, IMPORTED, dialect=imported_dialect("OpenAIChatCompletion"))
    reply = target.chat("Hi", max_tokens=9, metadata={"project": "triage"})
    (call,) = bedrock.calls
    assert json.loads(call.params["body"]) == {
        "messages": [{"role": "user", "content": "Hi"}],
        "max_tokens": 9,
    }
    assert json.loads(call.params["requestMetadata"]) == {"project": "triage"}
    assert (reply.text, reply.usage, reply.stop_reason) == ("日本🎉", Usage(5, 2), "end_turn")


def test_an_imported_model_streams_and_bedrocks_own_measures_end_the_reply(clients, runtimes):
    documents = [
        {"generation": "Hel", "prompt_token_count": 4, "generation_token_count": 1, "stop_reason": None},
        {
            "generation": "lo",
            "prompt_token_count": None,
            "generation_token_count": 2,
            "stop_reason": "length",
        },
        {
            "generation": "",
            "amazon-bedrock-invocationMetrics": {
                "inputTokenCount": 5,
                "outputTokenCount": 2,
                "invocationLatency": 250,
            },
        },
    ]
    runtimes["bedrock-runtime"].answers = [
        lambda: {
            "body": iter([{"chunk": {"bytes": json.dumps(each).encode()}} for each in documents]),
            "contentType": "application/json",
        }
    ]
    target = Target(clients, IMPORTED, dialect=imported_dialect("BedrockCompletion"))
    reply = target.stream("Hi").finish()
    assert (reply.text, reply.stop_reason) == ("Hello", "max_tokens")
    assert (reply.usage, reply.service_latency_s) == (Usage(5, 2), 0.25)


def test_an_imported_model_that_is_unloaded_is_waited_for(clients, runtimes):
    loading = AwsError("ModelNotReadyException", "Model is not ready for inference.")
    runtimes["bedrock-runtime"].answers = [
        *[loading] * 9,
        {"body": b'{"generation": "Hello", "stop_reason": "stop"}', "contentType": "application/json"},
    ]
    target = Target(clients, IMPORTED, dialect=imported_dialect("BedrockCompletion"))
    assert target.chat("Hi").text == "Hello"


def test_a_refusal_of_an_imported_model_is_raised_as_ever(clients, runtimes):
    runtimes["bedrock-runtime"].answers = [AwsError("ResourceNotFoundException", "No such model.")]
    with pytest.raises(NotFoundError, match="No such model"):
        Target(clients, IMPORTED, dialect=imported_dialect("BedrockCompletion")).stream("Hi")


def test_an_answer_that_comes_later_brings_its_log_probabilities_too(local_cloud, local_session):
    local_cloud.bucket("acme-ml")
    said = {
        "message": {"content": "billing"},
        "logprobs": {"content": [{"token": "billing", "logprob": -0.5}]},
    }
    body = json.dumps({"choices": [{**said, "finish_reason": "stop"}]}).encode()
    local_cloud.boto3_session().client("s3").put_object(Bucket="acme-ml", Key="answer.json", Body=body)
    pending = PendingReply(
        clients=local_session.clients,
        dialect=endpoint_dialect("openai", served_name="triage", logprobs=True),
        asked=Question.of("?", target="later"),
        model_id="later",
        output=S3Uri.parse("s3://acme-ml/answer.json"),
        failure=None,
        request_id="",
        started_s=0.0,
    )
    assert pending.result().logprobs == (-0.5,)
