"""Staging, where S3 says less than it knows, or fails half way."""

from __future__ import annotations

import pytest

from bedrock_distill.aws import ObjectStore
from bedrock_distill.errors import AccessDeniedError, DataError
from bedrock_distill.local import Fault
from bedrock_distill.records.digest import digest_file

KEY = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000001"


@pytest.fixture
def store(local_session):
    return ObjectStore(local_session.clients)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "prompts file ü.jsonl"
    path.write_bytes(b"line\n" * 1000)
    return path


@pytest.fixture
def facts(file):
    digest = digest_file(file)
    return {"sha256": digest.sha256, "size_bytes": digest.size_bytes}


def test_what_was_put_is_held_and_other_content_is_not(store, local_bucket, file, facts):
    uri = local_bucket / "a.jsonl"
    assert not store.holds(uri, **facts)
    store.put_file(file, uri, sha256=facts["sha256"])
    assert store.holds(uri, **facts)
    assert not store.holds(uri, **(facts | {"sha256": "0" * 64}))
    assert not store.holds(uri, **(facts | {"size_bytes": 1}))


def test_what_lies_there_under_another_key_is_not_what_was_asked_for(store, local_bucket, file, facts):
    uri = local_bucket / "a.jsonl"
    store.put_file(file, uri, sha256=facts["sha256"])
    assert not store.holds(uri, **facts, kms_key_id=KEY)
    store.put_file(file, uri, sha256=facts["sha256"], kms_key_id=KEY)
    assert store.holds(uri, **facts, kms_key_id=KEY)
    assert not store.holds(uri, **facts)


def test_an_object_that_may_not_be_looked_at_counts_as_missing(store, local_cloud, local_bucket, file, facts):
    """S3 answers 403 for a missing object too, where the caller may not list the bucket."""
    uri = local_bucket / "a.jsonl"
    local_cloud.faults.add(Fault(operation="HeadObject", status=403))
    assert not store.holds(uri, **facts)
    store.put_file(file, uri, sha256=facts["sha256"])


def test_a_bucket_that_may_not_be_looked_at_exists(store, local_cloud, local_bucket):
    local_cloud.faults.add(Fault(operation="HeadBucket", status=403))
    assert store.bucket(local_bucket.bucket).forbidden


def test_an_upload_that_is_tried_again_is_not_counted_twice(store, local_cloud, local_bucket, file, facts):
    local_cloud.faults.add(Fault(operation="PutObject", status=503, times=2))
    sent = []
    store.put_file(file, local_bucket / "a.jsonl", sha256=facts["sha256"], on_bytes=sent.append)
    assert sum(sent) == facts["size_bytes"]


def test_an_upload_that_is_refused_is_an_error_of_ours_that_names_the_object(
    store, local_cloud, local_bucket, file, facts
):
    local_cloud.faults.add(Fault(operation="PutObject", code="AccessDenied", status=403))
    with pytest.raises(AccessDeniedError, match=r"s3://local-bucket/a\.jsonl"):
        store.put_file(file, local_bucket / "a.jsonl", sha256=facts["sha256"])


def test_a_file_that_vanishes_before_it_is_sent_is_an_error_of_ours(store, local_bucket, tmp_path):
    with pytest.raises(DataError, match=r"gone\.jsonl"):
        store.put_file(tmp_path / "gone.jsonl", local_bucket / "a.jsonl", sha256="0" * 64)
