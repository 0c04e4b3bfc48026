"""Failures on demand."""

from __future__ import annotations

import contextlib
import itertools
import pickle

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, EventStreamError
from urllib3.exceptions import ProtocolError

from bedrock_distill.errors import SpecError
from bedrock_distill.local.faults import Fault, Faults, SimulatedCrash

MODEL = "amazon.nova-pro-v1:0"
MESSAGES = [{"role": "user", "content": [{"text": "hi"}]}]
LISTED = {"modelSummaries": []}
ONCE = Config(retries={"total_max_attempts": 1})
QUICK = Config(retries={"mode": "standard", "total_max_attempts": 3})


@pytest.fixture
def bedrock(fake):
    return fake(list_custom_models=LISTED, list_tags_for_resource={"tags": []})


def _strikes(rule, count):
    faults = Faults([rule])
    return [bool(faults.strike("bedrock", "GetCustomModel", {})) for _ in range(count)]


def test_a_rule_without_a_when_strikes_always():
    assert _strikes(Fault(code="X"), 3) == [True] * 3


def test_the_nth_call_and_no_other():
    assert _strikes(Fault(code="X", nth=2), 4) == [False, True, False, False]


def test_every_nth_call():
    assert _strikes(Fault(code="X", every=2), 5) == [False, True, False, True, False]


def test_so_many_times_and_no_more():
    assert _strikes(Fault(code="X", times=2), 4) == [True, True, False, False]
    assert _strikes(Fault(code="X", every=2, times=1), 4) == [False, True, False, False]


def test_a_probability_is_the_same_for_the_same_seed():
    first, again = (_strikes(Fault(code="X", probability=0.5, seed=1), 200) for _ in range(2))
    other = _strikes(Fault(code="X", probability=0.5, seed=2), 200)
    assert first == again
    assert first != other
    assert 60 < sum(first) < 140


@pytest.mark.parametrize(
    ("rule", "covered"),
    [
        (Fault(code="X"), True),
        (Fault(code="X", service="bedrock"), True),
        (Fault(code="X", service="bedrock-runtime"), False),
        (Fault(code="X", operation="Create*"), True),
        (Fault(code="X", operation="Get*"), False),
        (Fault(code="X", resource="job-*"), True),
        (Fault(code="X", resource="s3://bucket/*"), True),
        (Fault(code="X", resource="v"), True),
        (Fault(code="X", resource="other"), False),
    ],
)
def test_a_rule_says_which_calls_it_is_about(rule, covered):
    params = {
        "jobName": "job-1",
        "data": {"s3Uri": "s3://bucket/k"},
        "tags": [{"key": "k", "value": "v"}],
        "n": 1,
    }
    assert rule.covers("bedrock", "CreateModelCustomizationJob", params) is covered


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "needs an effect"),
        ({"code": "X", "crash": True}, "has code and crash"),
        ({"status": 500, "disconnect": True}, "has status and disconnect"),
        ({"code": "X", "nth": 0}, "nth counts from 1"),
        ({"code": "X", "times": 0}, "times counts from 1"),
        ({"code": "X", "probability": 1.5}, "between 0 and 1"),
        ({"code": "X", "when": "during"}, "before or after"),
    ],
)
def test_a_rule_that_cannot_mean_anything_is_refused(options, message):
    with pytest.raises(SpecError, match=message):
        Fault(**options)


def test_a_rule_can_be_written_as_text():
    text = "operation=Converse, nth=2, code=ThrottlingException, status=400, latency_s=0.5, when=after"
    assert Fault.parse(text) == Fault(
        operation="Converse", nth=2, code="ThrottlingException", status=400, latency_s=0.5, when="after"
    )
    assert Fault.parse("disconnect=true").disconnect
    assert not Fault.parse("crash=no,code=X").crash


@pytest.mark.parametrize(
    ("text", "message"),
    [("operation", "KEY=VALUE"), ("colour=red", "KEY=VALUE"), ("code=X,nth=two", "is a number")],
)
def test_text_that_is_no_rule_is_refused(text, message):
    with pytest.raises(SpecError, match=message):
        Fault.parse(text)


def test_a_rule_pickles():
    rule = Fault(code="X", nth=3)
    assert pickle.loads(pickle.dumps(rule)) == rule


def test_an_error_is_answered_with_the_models_status_and_botocore_retries_it(open_cloud, bedrock):
    cloud = open_cloud(
        {"bedrock": bedrock}, faults=[Fault(operation="List*", code="ThrottlingException", times=2)]
    )
    reply = boto3.client("bedrock", config=QUICK).list_custom_models()
    assert reply["ResponseMetadata"]["RetryAttempts"] == 2
    assert [(call.status, call.code) for call in cloud.calls] == [
        (429, "ThrottlingException"),
        (429, "ThrottlingException"),
        (200, None),
    ]
    assert len(bedrock.calls) == 1


def test_an_error_may_have_a_status_and_a_message_of_its_own(open_cloud, bedrock):
    open_cloud(
        {"bedrock": bedrock}, faults=[Fault(code="AccessDeniedException", status=418, message="Tea only.")]
    )
    client = boto3.client("bedrock", config=ONCE)
    with pytest.raises(client.exceptions.AccessDeniedException, match="Tea only") as caught:
        client.list_custom_models()
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 418


def test_a_status_alone_has_no_body(open_cloud, bedrock):
    open_cloud({"bedrock": bedrock}, faults=[Fault(status=503, times=1)])
    with pytest.raises(ClientError) as caught:
        boto3.client("bedrock", config=ONCE).list_custom_models()
    assert caught.value.response["Error"]["Code"] == "503"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    assert bedrock.calls == []


def test_latency_passes_by_the_clouds_clock(open_cloud, bedrock):
    cloud = open_cloud({"bedrock": bedrock}, faults=[Fault(latency_s=3_600)])
    before = cloud.clock.monotonic()
    boto3.client("bedrock").list_custom_models()
    assert cloud.clock.monotonic() - before >= 3_600


def test_a_dropped_connection_is_the_clients_own_error_and_is_retried(open_cloud, bedrock):
    rule = Fault(disconnect=True, nth=1)
    cloud = open_cloud({"bedrock": bedrock}, faults=[rule])
    with pytest.raises(ConnectionClosedError):
        boto3.client("bedrock", config=ONCE).list_custom_models()
    cloud.faults.clear()
    cloud.faults.add(rule)
    reply = boto3.client("bedrock", config=QUICK).list_custom_models()
    assert reply["ResponseMetadata"]["RetryAttempts"] == 1


def test_an_answer_may_be_lost_after_the_operation_took_effect(open_cloud, bedrock):
    cloud = open_cloud({"bedrock": bedrock}, faults=[Fault(disconnect=True, when="after", times=1)])
    with pytest.raises(ConnectionClosedError):
        boto3.client("bedrock", config=ONCE).list_custom_models()
    assert len(bedrock.calls) == 1
    assert cloud.calls.last.code == "Disconnected"


def test_a_cut_stream_breaks_after_so_many_events(open_cloud, fake):
    events = [{"contentBlockDelta": {"delta": {"text": text}, "contentBlockIndex": 0}} for text in "abc"]
    open_cloud(
        {"bedrock-runtime": fake(converse_stream={"stream": events})}, faults=[Fault(cut_stream_after=2)]
    )
    stream = boto3.client("bedrock-runtime").converse_stream(modelId=MODEL, messages=MESSAGES)["stream"]
    read = []
    with pytest.raises(ProtocolError, match="cut"):
        read.extend(stream)  # what arrived before the break counts
    assert read == events[:2]


def test_a_stream_may_end_with_an_error_after_so_many_events(open_cloud, fake):
    events = [{"contentBlockDelta": {"delta": {"text": text}, "contentBlockIndex": 0}} for text in "abc"]
    rule = Fault(cut_stream_after=1, code="ThrottlingException", message="Slower.")
    cloud = open_cloud({"bedrock-runtime": fake(converse_stream={"stream": events})}, faults=[rule])
    stream = boto3.client("bedrock-runtime").converse_stream(modelId=MODEL, messages=MESSAGES)["stream"]
    read = []
    with pytest.raises(EventStreamError, match="Slower") as caught:
        read.extend(stream)  # what arrived before the end counts
    assert read == events[:1]
    assert caught.value.response["Error"]["Code"] == "throttlingException"
    assert cloud.calls.last.status == 200


@pytest.mark.parametrize(("code", "logged"), [(None, "Disconnected"), ("ModelStreamErrorException",) * 2])
def test_the_log_says_that_a_stream_was_cut(open_cloud, fake, code, logged):
    pieces = [{"messageStart": {"role": "assistant"}}, {"messageStop": {"stopReason": "end_turn"}}]
    cloud = open_cloud(
        {"bedrock-runtime": fake(converse_stream=lambda _: {"stream": iter(pieces)})},
        faults=[Fault(cut_stream_after=1, code=code)],
    )
    stream = boto3.client("bedrock-runtime").converse_stream(modelId=MODEL, messages=MESSAGES)["stream"]
    with pytest.raises((EventStreamError, ProtocolError)):
        list(stream)
    assert (cloud.calls.last.status, cloud.calls.last.code) == (200, logged)
    assert not cloud.calls.last.ok


def test_a_file_is_sent_whole_again_after_a_fault(open_cloud, tmp_path):
    cloud = open_cloud(faults=[Fault(operation="PutObject", disconnect=True, nth=1)])
    source = tmp_path / "file"
    source.write_bytes(b"line\n" * 1_000)
    boto3.client("s3").upload_file(str(source), cloud.bucket("a-bucket").bucket, "k")
    assert boto3.client("s3").get_object(Bucket="a-bucket", Key="k")["Body"].read() == source.read_bytes()
    assert cloud.calls.count("PutObject") == 2


def test_a_cut_leaves_answers_that_are_no_streams_whole(open_cloud, bedrock):
    open_cloud({"bedrock": bedrock}, faults=[Fault(cut_stream_after=0)])
    assert boto3.client("bedrock").list_custom_models()["modelSummaries"] == []


@pytest.mark.parametrize(
    ("service", "operation", "params", "error"),
    [
        ("s3", "list_buckets", {}, ("SlowDown", 503)),
        ("s3", "put_object", {"Bucket": "b", "Key": "k"}, ("AccessDenied", 403)),
        ("iam", "list_roles", {}, ("ServiceFailure", 500)),
        ("sts", "get_caller_identity", {}, ("ExpiredToken", 403)),
        ("kms", "list_keys", {}, ("ThrottlingException", 400)),
        ("logs", "describe_log_groups", {}, ("ServiceUnavailableException", 400)),
        ("cloudwatch", "list_metrics", {}, ("InternalServiceFault", 400)),
    ],
)
def test_motos_services_fail_in_their_own_protocols(service, operation, params, error, open_cloud):
    code, status = error
    open_cloud(faults=[Fault(service=service, code=code, message="On purpose.")])
    with pytest.raises(ClientError) as caught:
        getattr(boto3.client(service, config=ONCE), operation)(**params)
    assert caught.value.response["Error"]["Code"] == code
    assert caught.value.response["Error"]["Message"] == "On purpose."
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status


def test_a_fault_before_keeps_moto_from_acting_and_one_after_does_not(open_cloud):
    cloud = open_cloud()
    s3 = boto3.client("s3", config=ONCE)
    for when, made in (("before", 0), ("after", 1)):
        rule = cloud.faults.add(Fault(operation="CreateBucket", code="InternalError", when=when))
        with pytest.raises(ClientError, match="InternalError"):
            s3.create_bucket(Bucket="a-bucket")
        cloud.faults.remove(rule)
        assert len(s3.list_buckets()["Buckets"]) == made


def test_the_clouds_own_calls_are_never_struck(open_cloud):
    cloud = open_cloud(faults=[Fault(service="s3", code="AccessDenied")])
    assert str(cloud.bucket("a-bucket")) == "s3://a-bucket/"
    cloud.world.client("s3", "us-east-1").head_bucket(Bucket="a-bucket")


def test_a_crash_ends_the_caller_and_not_the_cloud(open_cloud, bedrock):
    cloud = open_cloud({"bedrock": bedrock}, faults=[Fault(crash=True, nth=1)])
    client = boto3.client("bedrock")
    with pytest.raises(SimulatedCrash, match="die before ListCustomModels"):
        client.list_custom_models()
    assert bedrock.calls == []
    assert cloud.calls.last.code == "SimulatedCrash"
    client.list_custom_models()


def test_no_except_exception_survives_a_crash(open_cloud, bedrock):
    open_cloud({"bedrock": bedrock}, faults=[Fault(crash=True)])
    assert not issubclass(SimulatedCrash, Exception)
    with pytest.raises(SimulatedCrash), contextlib.suppress(Exception):
        boto3.client("bedrock", config=QUICK).list_custom_models()


@pytest.mark.parametrize(("when", "calls_made"), [("before", 0), ("after", 1)])
def test_a_crash_comes_before_or_after_the_operation_took_effect(when, calls_made, open_cloud, bedrock):
    cloud = open_cloud({"bedrock": bedrock})
    with cloud.faults.crashing(1, when=when) as crash:
        boto3.client("bedrock").list_custom_models()
    assert (crash.happened, crash.operation) == (True, "ListCustomModels")
    assert len(bedrock.calls) == calls_made


def test_a_client_can_be_killed_at_every_call_in_turn(open_cloud, bedrock):
    cloud = open_cloud({"bedrock": bedrock})
    client, crashes = boto3.client("bedrock"), []
    for at in itertools.count(1):
        with cloud.faults.crashing(at) as crash:
            client.list_custom_models()
            client.list_tags_for_resource(
                resourceARN="arn:aws:bedrock:us-east-1:123456789012:custom-model/amazon.nova/abcdefghijkl"
            )
        if not crash.happened:
            break
        crashes.append(crash.operation)
    assert crashes == ["ListCustomModels", "ListTagsForResource"]


def test_the_dead_do_not_call(open_cloud, bedrock):
    cloud = open_cloud({"bedrock": bedrock})
    client = boto3.client("bedrock")
    with cloud.faults.crashing(1, operation="CreateBucket") as crash:
        with pytest.raises(SimulatedCrash):
            boto3.client("s3").create_bucket(Bucket="a-bucket")
        client.list_custom_models()
    assert crash.happened
    assert bedrock.calls == []
    client.list_custom_models()
    assert len(bedrock.calls) == 1


def test_a_crash_that_a_thread_pool_swallows_is_still_reported(open_cloud, tmp_path):
    cloud = open_cloud()
    cloud.bucket("a-bucket")
    source = tmp_path / "file"
    source.write_bytes(b"x")
    with cloud.faults.crashing(1, operation="PutObject") as crash:
        boto3.client("s3").upload_file(str(source), "a-bucket", "k")
    assert crash.happened
    assert "Contents" not in boto3.client("s3").list_objects_v2(Bucket="a-bucket")


def test_rules_come_and_go(open_cloud, bedrock):
    cloud = open_cloud({"bedrock": bedrock})
    client = boto3.client("bedrock", config=ONCE)
    rule = cloud.faults.add(Fault(code="ConflictException"))
    with pytest.raises(client.exceptions.ConflictException):
        client.list_custom_models()
    assert cloud.faults.struck(rule) == 1
    cloud.faults.remove(rule)
    client.list_custom_models()
