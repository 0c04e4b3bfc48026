"""The door over HTTP, and that it says what the other door says."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import sys
import threading
import urllib.request

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, EventStreamError
from urllib3.exceptions import ProtocolError

from bedrock_distill.errors import MissingDependencyError
from bedrock_distill.local.faults import Fault
from bedrock_distill.local.gateway.errors import AwsError

MODEL = "amazon.nova-pro-v1:0"
MESSAGES = [{"role": "user", "content": [{"text": "hi"}]}]
ONCE = Config(retries={"total_max_attempts": 1})


def _pieces(*texts):
    return [{"contentBlockDelta": {"delta": {"text": text}, "contentBlockIndex": 0}} for text in texts]


@pytest.fixture
def serve(open_cloud):
    """Opens a cloud and serves it; gives the cloud, the server and a maker of clients of it."""

    def make(services=None, **options):
        cloud = open_cloud(services, **options)
        server = cloud.serve()

        def client(service, **more):
            return boto3.client(service, endpoint_url=server.url, config=ONCE, **more)

        return cloud, server, client

    return make


def test_to_serve_without_the_extra_says_what_to_install(open_cloud, monkeypatch):
    cloud = open_cloud()
    monkeypatch.delitem(sys.modules, "bedrock_distill.local.doors.http", raising=False)
    monkeypatch.setitem(sys.modules, "werkzeug.serving", None)  # as if it were not installed
    with pytest.raises(MissingDependencyError, match=r"pip install 'bedrock-distill\[local\]'"):
        cloud.serve()


def _outcome(call):
    """What a call answers, without what differs from call to call."""
    try:
        answer = call()
    except ClientError as error:
        answer = error.response
    meta = answer.pop("ResponseMetadata")
    answer.get("Error", {}).pop("RequestId", None)
    return answer, meta["HTTPStatusCode"]


def test_both_doors_give_the_same_answers(serve, fake, make_value, deployment_arn):
    from bedrock_distill.local.gateway.models import load_api

    job = make_value(load_api("bedrock").operation("GetModelCustomizationJob").output_shape)

    def missing(_):
        raise AwsError("ResourceNotFoundException", "Not here.")

    bedrock = fake(
        get_model_customization_job=job, get_custom_model_deployment=missing, list_custom_models={}
    )
    _, __, over_http = serve({"bedrock": bedrock})

    def questions(client):
        return [
            _outcome(lambda: client("bedrock").get_model_customization_job(jobIdentifier="job")),
            _outcome(
                lambda: client("bedrock").get_custom_model_deployment(
                    customModelDeploymentIdentifier=deployment_arn
                )
            ),
            _outcome(lambda: client("bedrock").list_custom_models(sortBy="Size")),
            _outcome(lambda: client("bedrock").list_guardrails()),
            _outcome(lambda: client("iam").get_role(RoleName="nobody")),
            _outcome(lambda: client("s3").head_object(Bucket="none", Key="none")),
            _outcome(lambda: client("sts").get_caller_identity()),
        ]

    assert questions(over_http) == questions(lambda service: boto3.client(service, config=ONCE))


def test_both_doors_lead_to_one_state(serve):
    cloud, _, over_http = serve()
    over_http("s3").create_bucket(Bucket="a-bucket")
    boto3.client("s3").put_object(Bucket="a-bucket", Key="k é", Body=b"x", Metadata={"my_key": "v"})
    answer = over_http("s3").get_object(Bucket="a-bucket", Key="k é")
    assert (answer["Body"].read(), answer["Metadata"]) == (b"x", {"my_key": "v"})
    assert [(call.operation, call.door) for call in cloud.calls] == [
        ("CreateBucket", "http"),
        ("PutObject", "process"),
        ("GetObject", "http"),
    ]


def test_an_arn_in_a_path_keeps_its_slashes(serve, fake, deployment_arn):
    runtime = fake(invoke_model={"body": b'{"a": 1}', "contentType": "application/json"})
    _, __, over_http = serve({"bedrock-runtime": runtime})
    answer = over_http("bedrock-runtime").invoke_model(modelId=deployment_arn, body=b"{}")
    assert answer["body"].read() == b'{"a": 1}'
    assert runtime.calls[0].params["modelId"] == deployment_arn


def test_the_service_is_told_apart_by_the_path_where_the_signature_does_not_tell(serve, fake):
    cloud, _, over_http = serve(
        {"bedrock": fake(list_custom_models={}), "bedrock-runtime": fake(converse_stream={})}
    )
    over_http("bedrock").list_custom_models()
    over_http("bedrock-runtime").converse_stream(modelId=MODEL, messages=MESSAGES)["stream"].close()
    assert [call.name for call in cloud.calls] == [
        "bedrock.ListCustomModels",
        "bedrock-runtime.ConverseStream",
    ]


def test_the_region_is_the_one_that_was_signed_for(serve, fake):
    bedrock = fake(list_custom_models={})
    _, __, over_http = serve({"bedrock": bedrock})
    over_http("bedrock", region_name="ap-southeast-2").list_custom_models()
    assert bedrock.calls[0].region == "ap-southeast-2"


def test_each_event_crosses_the_wire_before_the_next_is_made(serve, fake):
    seen, made = threading.Semaphore(0), []

    def events():
        for event in _pieces("a", "b", "c"):
            made.append(event)
            yield event
            # The next event is made only when the client has read this one; otherwise nobody would ever get on.
            assert seen.acquire(timeout=30)

    _, __, over_http = serve({"bedrock-runtime": fake(converse_stream=lambda _: {"stream": events()})})
    stream = over_http("bedrock-runtime").converse_stream(modelId=MODEL, messages=MESSAGES)["stream"]
    for count, _event in enumerate(stream, start=1):
        assert len(made) == count
        seen.release()
    assert len(made) == 3


def test_an_error_in_mid_stream_crosses_the_wire(serve, fake):
    def events():
        yield from _pieces("a")
        raise AwsError("ModelStreamErrorException", "It stumbled.")

    _, __, over_http = serve({"bedrock-runtime": fake(converse_stream=lambda _: {"stream": events()})})
    stream = over_http("bedrock-runtime").converse_stream(modelId=MODEL, messages=MESSAGES)["stream"]
    with contextlib.closing(stream), pytest.raises(EventStreamError, match="It stumbled"):
        list(stream)


def test_a_dropped_connection_is_one_for_the_client(serve, fake):
    bedrock = fake(list_custom_models={})
    cloud, _, over_http = serve({"bedrock": bedrock}, faults=[Fault(disconnect=True, nth=1)])
    with pytest.raises(ConnectionClosedError):
        over_http("bedrock").list_custom_models()
    assert bedrock.calls == []
    assert cloud.calls.last.code == "Disconnected"
    over_http("bedrock").list_custom_models()


def test_a_crash_over_http_is_a_dropped_connection(serve, fake):
    _, __, over_http = serve({"bedrock": fake(list_custom_models={})}, faults=[Fault(crash=True)])
    with pytest.raises(ConnectionClosedError):
        over_http("bedrock").list_custom_models()


def test_a_crashing_block_counts_the_calls_of_other_processes_too(serve, fake):
    cloud, _, over_http = serve({"bedrock": fake(list_custom_models={})})
    with cloud.faults.crashing(1) as crash, pytest.raises(ConnectionClosedError):
        over_http("bedrock").list_custom_models()
    assert (crash.happened, crash.operation) == (True, "ListCustomModels")
    with cloud.faults.crashing(2) as crash:
        over_http("bedrock").list_custom_models()
    assert not crash.happened


def test_a_cut_stream_is_a_broken_connection_for_the_client(serve, fake):
    runtime = fake(converse_stream=lambda _: {"stream": iter(_pieces("a", "b", "c"))})
    _, __, over_http = serve({"bedrock-runtime": runtime}, faults=[Fault(cut_stream_after=2)])
    stream = over_http("bedrock-runtime").converse_stream(modelId=MODEL, messages=MESSAGES)["stream"]
    read = []
    with contextlib.closing(stream), pytest.raises(ProtocolError):
        read.extend(stream)  # what arrived before the break counts
    assert read == _pieces("a", "b")


def test_faults_reach_motos_services_too(serve):
    cloud, _, over_http = serve(faults=[Fault(service="iam", code="ServiceFailure")])
    with pytest.raises(ClientError) as caught:
        over_http("iam").list_roles()
    assert caught.value.response["Error"]["Code"] == "ServiceFailure"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    assert cloud.calls.last.code == "ServiceFailure"


def test_a_service_that_is_not_there_is_an_error_with_its_name(serve):
    _, __, over_http = serve()
    with pytest.raises(ClientError, match=r"no service 'dynamodb' \(asked for ListTables\)") as caught:
        over_http("dynamodb").list_tables()
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501


def test_a_slip_of_a_service_is_an_internal_error_and_logged(serve, fake, caplog):
    def slip(_):
        raise ZeroDivisionError

    _, __, over_http = serve({"bedrock": fake(list_custom_models=slip)})
    with pytest.raises(ClientError, match="InternalServerException"):
        over_http("bedrock").list_custom_models()
    assert "ZeroDivisionError" in caplog.text


def test_only_this_machine_can_connect(serve):
    _, server, __ = serve()
    assert server._server.socket.getsockname()[0] == "127.0.0.1"


def test_a_client_with_an_api_key_is_answered(serve, fake):
    bedrock = fake(list_custom_models={"modelSummaries": []})
    cloud, server, _ = serve({"bedrock": bedrock}, region="eu-north-1")
    request = urllib.request.Request(f"{server.url}/custom-models", headers={"Authorization": "Bearer key"})
    with urllib.request.urlopen(request) as answer:
        assert json.load(answer) == {"modelSummaries": []}
    assert cloud.calls.last.region == "eu-north-1"


def test_a_body_in_chunks_is_read(serve, fake, deployment_arn):
    runtime = fake(invoke_model={"body": b"{}", "contentType": "application/json"})
    _, server, __ = serve({"bedrock-runtime": runtime})
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    connection.request("POST", f"/model/{MODEL}/invoke", body=iter([b'{"a":', b"1}"]), encode_chunked=True)
    assert connection.getresponse().status == 200
    connection.close()
    assert runtime.calls[0].params["body"] == b'{"a":1}'


def _say(server, text):
    """Send bytes and no more, and read to the end of the answer."""
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(text.replace("\n", "\r\n").encode())
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(1 << 16), b"")).decode()


PUT = "PUT /a-bucket/half HTTP/1.1\nHost: localhost\nAuthorization: AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/s3/aws4_request\n"


@pytest.mark.parametrize(
    "rest",
    [
        "Content-Length: 100\n\nonly this",
        "Content-Length: many\n\nx",
        "Content-Length: -1\n\nx",
        "Content-Length: 5368709121\n\nx",
        "Transfer-Encoding: chunked\n\nzz\nx\n0\n\n",
        "Transfer-Encoding: chunked\n\n50\nonly this",
    ],
)
def test_half_a_body_is_refused_and_not_stored(serve, rest):
    cloud, server, _ = serve()
    cloud.bucket("a-bucket")
    answer = _say(server, PUT + rest)
    assert answer.startswith("HTTP/1.1 400 ")
    assert "<Code>IncompleteBody</Code>" in answer
    assert boto3.client("s3").list_objects_v2(Bucket="a-bucket")["KeyCount"] == 0


@pytest.mark.parametrize("host", ["[::1]:80", "[::1", "a b", "a:b", "a:99999", ":80", "é"])
def test_whatever_host_a_client_asks_for_it_is_answered(serve, host):
    cloud, server, _ = serve()
    cloud.bucket("a-bucket")
    answer = _say(server, (PUT + "Content-Length: 1\n\nx").replace("localhost", host))
    assert answer.startswith("HTTP/1.1 200 ")
    assert boto3.client("s3").get_object(Bucket="a-bucket", Key="half")["Body"].read() == b"x"


def test_a_presigned_url_works(serve):
    cloud, _, over_http = serve()
    boto3.client("s3").put_object(Bucket=cloud.bucket("a-bucket").bucket, Key="k", Body=b"signed")
    url = over_http("s3").generate_presigned_url("get_object", Params={"Bucket": "a-bucket", "Key": "k"})
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == b"signed"


def test_large_objects_cross_in_parts(serve, tmp_path):
    cloud, _, over_http = serve()
    source = tmp_path / "up"
    source.write_bytes(os.urandom(9 << 20))
    s3 = over_http("s3")
    s3.upload_file(str(source), cloud.bucket("a-bucket").bucket, "big")
    assert s3.get_object(Bucket="a-bucket", Key="big")["Body"].read() == source.read_bytes()
    assert cloud.calls.count("UploadPart") == 2


def test_the_environment_leads_a_client_to_the_server(serve, fake, monkeypatch):
    cloud, server, _ = serve({"bedrock": fake(list_custom_models={})})
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")  # this process has it, another one has not
    boto3.client("bedrock").list_custom_models()
    assert cloud.calls.last.door == "http"


def test_a_closed_server_listens_no_more(serve):
    _, server, __ = serve()
    idle = socket.create_connection(("127.0.0.1", server.port))
    server.close()
    server.close()
    with contextlib.suppress(ConnectionResetError):  # which of the two depends on whether it was accepted yet
        assert idle.recv(1) == b""
    idle.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port))


def test_closing_the_cloud_closes_its_servers(serve):
    cloud, server, _ = serve()
    cloud.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port))


def test_a_taken_port_is_an_error(serve):
    cloud, server, _ = serve()
    with pytest.raises(OSError, match="in use"):
        cloud.serve(server.port)
