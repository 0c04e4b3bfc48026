"""Inspecting a model on S3: the same findings as on disk, out of the headers' bytes and no others."""

from __future__ import annotations

import json

import pytest

from bedrock_distill.aws.model_files import S3Folder
from bedrock_distill.errors import AccessDeniedError, DataError, NotFoundError, SpecError
from bedrock_distill.local import Fault
from bedrock_distill.models import Folder, inspect
from bedrock_distill.resources.model_inspection import inspect_model

SMALL_FILES = {"config.json", "generation_config.json", "tokenizer_config.json", "chat_template.jinja"}


@pytest.fixture
def put(local_cloud, local_bucket, model):
    """Puts the model's directory into the bucket, under `student/`; returns the URI."""

    def put():
        s3 = local_cloud.boto3_session().client("s3")
        for path in model.path.rglob("*"):
            if path.is_file():
                key = f"student/{path.relative_to(model.path).as_posix()}"
                s3.put_object(Bucket=local_bucket.bucket, Key=key, Body=path.read_bytes())
        return f"s3://{local_bucket.bucket}/student"

    return put


def gets(cloud, uri):
    """Every object that was read since: name -> the ranges asked for."""
    prefix, found = uri.rpartition("/")[2] + "/", {}
    for call in cloud.calls.where(service="s3", operation="GetObject"):
        found.setdefault(call.params["Key"].removeprefix(prefix), []).append(call.params.get("Range"))
    return found


def test_a_model_on_s3_is_judged_as_on_disk(put, local_session, model):
    uri = put()
    there = inspect_model(uri, session=local_session, region="us-east-1")
    here = inspect(Folder(model.path), region="us-east-1")
    assert (there.shape, there.findings, there.total_bytes) == (here.shape, here.findings, here.total_bytes)
    assert there.where == uri + "/"


def test_of_weights_only_the_header_is_read_and_of_other_large_files_nothing(
    put, local_cloud, local_session, model, made
):
    raw = made.safetensors(made.tensors)
    header = int.from_bytes(raw[:8], "little")
    model.write("tokenizer.json", "[" + "0," * 100_000 + "0]").write("optimizer.pt", bytes(50_000))
    uri = put()
    local_cloud.calls.clear()
    inspect_model(uri, session=local_session)
    read = gets(local_cloud, uri)
    assert set(read) == SMALL_FILES | {"model.safetensors"}
    assert read["model.safetensors"] == ["bytes=0-7", f"bytes=8-{7 + header}"]
    assert local_cloud.calls.count("ListObjectsV2") == 1


def test_each_of_many_shards_costs_two_reads(put, local_cloud, local_session, model, made):
    placed = {}
    for number in range(1, 31):
        file = f"model-{number:05}-of-00030.safetensors"
        placed[f"model.layers.{number - 1}.mlp.up_proj.weight"] = file
        model.tensors({f"model.layers.{number - 1}.mlp.up_proj.weight": ("BF16", (4, 4))}, file)
    model.remove("model.safetensors").config(num_hidden_layers=30)
    model.write("model.safetensors.index.json", made.index(placed, total=30 * 32))
    uri = put()
    local_cloud.calls.clear()
    report = inspect_model(uri, session=local_session, region="us-east-1")
    assert report.findings == ()
    assert report.shape.parameters == 480
    assert local_cloud.calls.count("GetObject") == len(SMALL_FILES) + 1 + 2 * 30


def test_a_truncated_object_and_an_empty_one_are_told(put, local_session, model, made):
    model.write("model.safetensors", made.safetensors(made.tensors)[:-1]).write("extra.safetensors", b"")
    findings = inspect_model(put(), session=local_session).findings
    told = {finding.code: finding.text for finding in findings if finding.severity == "error"}
    assert "1 bytes of its tensors are missing" in told["truncated"]
    assert "extra.safetensors: is 0 bytes long" in told["bad-safetensors"]


def test_a_prefix_without_objects_is_an_error_that_names_it(local_session, local_bucket):
    with pytest.raises(DataError, match=r"no object under s3://local-bucket/nothing/"):
        inspect_model(f"s3://{local_bucket.bucket}/nothing", session=local_session)


def test_a_prefix_does_not_reach_into_its_neighbours(put, local_cloud, local_session, local_bucket):
    uri = put()
    local_cloud.boto3_session().client("s3").put_object(
        Bucket=local_bucket.bucket, Key="student-2/config.json", Body=b"{}"
    )
    local_cloud.boto3_session().client("s3").put_object(Bucket=local_bucket.bucket, Key="student/", Body=b"")
    assert set(S3Folder(local_session.clients, uri).sizes()) == {
        *SMALL_FILES, "model.safetensors", "tokenizer.json",
    }  # fmt: skip


def test_what_is_no_s3_uri_and_what_is_no_bucket_are_errors(local_session):
    with pytest.raises(SpecError, match="is not an S3 URI"):
        inspect_model("https://example.com/model", session=local_session)
    with pytest.raises(NotFoundError, match="no-such-bucket"):
        inspect_model("s3://no-such-bucket/model", session=local_session)


def test_a_refusal_of_s3_is_its_own_error_and_no_finding(put, local_cloud, local_session):
    uri = put()
    local_cloud.faults.add(Fault(operation="GetObject", status=403))
    with pytest.raises(AccessDeniedError):
        inspect_model(uri, session=local_session)


def test_a_files_bytes_are_those_that_were_asked_for(put, local_session, model):
    there, here = S3Folder(local_session.clients, put()), Folder(model.path)
    for asked in [(), (3,), (0, 5), (3, 4), (0, 0), (3, 10_000)]:
        assert there.read("config.json", *asked) == here.read("config.json", *asked)


def test_a_catalog_of_the_sessions_is_used(put, local_cloud, tmp_path):
    uri, override = put(), tmp_path / "ours.toml"
    override.write_text('[[target]]\nname = "vllm"\nmax_context = 100\n')
    report = inspect_model(uri, session=local_cloud.session(catalog=override))
    assert not report.verdict("vllm").ok
    assert json.dumps(report.to_dict())


def test_a_read_that_fails_in_passing_is_tried_again(put, local_cloud, local_session):
    uri = put()
    local_cloud.faults.add(Fault(operation="GetObject", status=503, times=2))
    assert inspect_model(uri, session=local_session, region="us-east-1").findings == ()
