"""The gate itself: what it does before anything is sent, and what it says when it cannot begin."""

from __future__ import annotations

import http.server
import threading

import boto3
import pytest

from bedrock_distill.aws import Clients, ObjectStore
from bedrock_distill.errors import ServiceError, SpecError
from bedrock_distill.uris import S3Uri


def session():
    return boto3.Session(region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="hidden")


def test_an_endpoint_that_is_no_url_is_named():
    with pytest.raises(SpecError, match=r"'localhost:4566'.*http://") as caught:
        _ = Clients(boto_session=session(), endpoint_url="localhost:4566").account_id
    assert caught.value.field == "endpoint_url"


def test_a_region_that_cannot_be_one_is_named():
    with pytest.raises(SpecError, match="Could not use the region 'us east 1'") as caught:
        _ = Clients(boto_session=session(), region="us east 1").account_id
    assert caught.value.field == "region"


def test_a_profile_that_the_environment_names_is_told_by_its_name(monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(SpecError, match="nobody") as caught:
        Clients()
    assert "None" not in str(caught.value)


def test_half_a_set_of_credentials_is_an_error_of_ours(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    with pytest.raises(Exception, match="AWS_SECRET_ACCESS_KEY") as caught:
        _ = Clients(region="us-east-1").account_id
    assert type(caught.value).__module__ == "bedrock_distill.errors"


def test_no_region_is_said_before_anything_is_sent():
    with pytest.raises(SpecError, match=r"^No AWS region.*set AWS_DEFAULT_REGION"):
        _ = Clients(boto_session=boto3.Session(aws_access_key_id="x", aws_secret_access_key="y")).account_id


def test_nothing_secret_is_in_its_repr():
    shown = repr(Clients(boto_session=session(), endpoint_url="https://user:pass@proxy.example:8443/path"))
    assert "pass" not in shown
    assert "hidden" not in shown
    assert "proxy.example:8443" in shown


def test_an_endpoint_is_waited_for_longer_than_sagemaker_waits_for_its_container():
    gate = Clients(boto_session=session())
    assert gate.client("sagemaker-runtime").meta.config.read_timeout > 70


@pytest.fixture
def breaking_server():
    """A server that promises a hundred bytes, sends ten, and hangs up; gives its URL and the requests it saw."""
    seen = []

    class Breaking(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            seen.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b'{"error": ')

        def do_GET(self):
            self.do_POST()

        def log_message(self, *_):
            """A test's server keeps quiet."""

    with http.server.HTTPServer(("127.0.0.1", 0), Breaking) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}", seen
        server.shutdown()
        serving.join()


def test_a_body_that_is_cut_is_an_error_and_is_not_asked_for_again(breaking_server):
    url, seen = breaking_server
    gate = Clients(boto_session=session(), endpoint_url=url)
    with pytest.raises(ServiceError, match=r"InvokeEndpoint on student") as caught:
        gate.read(
            "sagemaker-runtime",
            "invoke_endpoint",
            "Body",
            subject="student",
            EndpointName="student",
            Body=b"{}",
        )
    assert caught.value.operation == "InvokeEndpoint"
    assert len(seen) == 1


def test_an_object_that_is_cut_is_an_error_that_names_it(breaking_server):
    store = ObjectStore(Clients(boto_session=session(), endpoint_url=breaking_server[0]))
    with pytest.raises(ServiceError, match=r"GetObject on s3://acme-ml/a\.jsonl"):
        store.read(S3Uri("acme-ml", "a.jsonl"))
