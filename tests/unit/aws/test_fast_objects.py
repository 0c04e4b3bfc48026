"""obstore and boto3 give the same objects, and where obstore cannot go on, boto3 does."""

from __future__ import annotations

import pytest

from bedrock_distill.aws import Clients
from bedrock_distill.aws.fast_objects import list_objects, object_reader
from bedrock_distill.errors import BedrockDistillError, NotFoundError, ServiceError, SpecError
from bedrock_distill.local import Cloud, Fault

pytest.importorskip("obstore")
ODD = ["logs/a b.gz", "logs/ä+=&?#.gz", "logs/a%2Fb.gz"]
TWO_SLASHES = "logs//b.gz"
"""obstore reads and lists no such key."""


@pytest.fixture
def cloud():
    with Cloud() as cloud:
        cloud.bucket("acme-logs")
        yield cloud


@pytest.fixture
def put(cloud):
    client = cloud.boto3_session().client("s3")
    return lambda key, body=b"x": client.put_object(Bucket="acme-logs", Key=key, Body=body)


@pytest.fixture
def gate(cloud, monkeypatch):
    with cloud.serve() as server:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "any")
        yield Clients(region="us-east-1", endpoint_url=server.url)


@pytest.mark.parametrize("fast", [False, True])
def test_any_key_can_be_read(put, gate, fast):
    read = object_reader(gate, "acme-logs", fast=fast)
    for key in [*ODD, TWO_SLASHES]:
        put(key, key.encode())
        assert read(key) == key.encode()


@pytest.mark.parametrize("fast", [False, True])
def test_an_object_that_is_not_there_is_not_found(gate, fast):
    with pytest.raises(NotFoundError, match="acme-logs") as caught:
        object_reader(gate, "acme-logs", fast=fast)("logs/none.gz")
    assert (caught.value.operation, caught.value.status) == ("GetObject", 404)


@pytest.mark.parametrize("fast", [False, True])
def test_a_root_is_an_object_or_a_folder_and_never_a_neighbour(put, gate, fast):
    for key in ["logs", "logs-2/a.gz", "logs.gz", *ODD, TWO_SLASHES]:
        put(key)

    def keys(root):
        return [key for key, _, _ in list_objects(gate, "acme-logs", root, fast=fast)]

    assert keys("logs") == sorted(["logs", *ODD, TWO_SLASHES])
    assert keys("logs/") == sorted([*ODD, TWO_SLASHES])
    assert keys("logs.gz") == ["logs.gz"]
    assert len(keys("")) == 7
    assert keys("none/") == []


@pytest.mark.slow
@pytest.mark.parametrize("odd", [(), (TWO_SLASHES, *(f"logs/x{number:04}//.gz" for number in range(3)))])
def test_a_listing_of_several_pages_holds_every_object_once(put, gate, odd):
    names = sorted([*(f"logs/{number:06}.gz" for number in range(1030)), *odd, "logs/z.gz"])
    for number, name in enumerate(names):
        put(name, b"x" * (number % 7))
    put("logs-2/a.gz")
    slow, quick = (list(list_objects(gate, "acme-logs", "logs", fast=fast)) for fast in (False, True))
    assert quick == slow
    assert [key for key, _, _ in quick] == names
    assert [size for _, size, _ in quick] == [number % 7 for number in range(len(names))]


def test_a_refused_listing_is_an_error(cloud, gate):
    cloud.faults.add(Fault(operation="ListObjectsV2", code="AccessDenied", status=403))
    with pytest.raises(ServiceError, match="acme-logs"):
        list(list_objects(gate, "acme-logs", "logs/", fast=True))


def test_credentials_that_are_missing_are_asked_for(gate, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    nobody = Clients(region="us-east-1", endpoint_url=gate.endpoint_url)
    with pytest.raises(BedrockDistillError, match="credentials"):
        object_reader(nobody, "acme-logs", fast=True)("logs/a.gz")


def test_a_bundle_of_certificates_that_cannot_be_read_is_named(gate, monkeypatch, tmp_path):
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "none.pem"))
    with pytest.raises(SpecError, match=r"none\.pem"):
        object_reader(Clients(region="us-east-1", endpoint_url=gate.endpoint_url), "acme-logs", fast=True)
