"""Staging a directory: parts side by side, nothing sent twice, and what changed on the way refused."""

from __future__ import annotations

from collections import Counter

import boto3
import pytest

from bedrock_distill.aws import FolderStage
from bedrock_distill.aws.parts import PART_BYTES, digest_files, digest_of, part_bytes_of, parts_of, read_part
from bedrock_distill.errors import AccessDeniedError, DataError, ServiceError, StalePlanError
from bedrock_distill.local import Fault
from bedrock_distill.plan import FolderFile

KEY = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000001"
BIG = 2 * PART_BYTES + 1000


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "model"
    (path / "sub").mkdir(parents=True)
    (path / "config.json").write_bytes(b"{}")
    (path / "empty.txt").write_bytes(b"")
    (path / "sub" / "vocab ü.json").write_bytes(b"[1]" * 100)
    (path / "model.safetensors").write_bytes(bytes(range(250)) * (BIG // 250) + bytes(BIG % 250))
    return path


@pytest.fixture
def files(folder):
    return files_of(folder)


def files_of(folder):
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return [
        FolderFile(name=path.relative_to(folder).as_posix(), size_bytes=size, digest=digest)
        for path, (size, digest) in zip(paths, digest_files(paths), strict=True)
    ]


@pytest.fixture
def prefix(local_bucket):
    return local_bucket / "models/abc/"


@pytest.fixture
def model(folder, files, prefix):
    return folder, files, prefix


@pytest.fixture
def stage(local_session):
    return FolderStage(local_session.clients)


def sent(cloud):
    return Counter(call.operation for call in cloud.calls if call.operation in ("PutObject", "UploadPart"))


def parts_in_s3(prefix):
    """Parts of the one big file that are in S3, in an open upload or in the object that it has become."""
    s3 = boto3.client("s3")
    uploads = s3.list_multipart_uploads(Bucket=prefix.bucket).get("Uploads", [])
    if not uploads:
        there = s3.list_objects_v2(Bucket=prefix.bucket, Prefix=(prefix / "model.safetensors").key)
        return 3 if there["KeyCount"] else 0
    [upload] = uploads
    listed = s3.list_parts(Bucket=prefix.bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    return len(listed.get("Parts", []))


def content(prefix, name):
    return boto3.client("s3").get_object(Bucket=prefix.bucket, Key=(prefix / name).key)["Body"].read()


def test_every_file_arrives_whole_and_a_second_time_sends_nothing(stage, local_cloud, folder, files, prefix):
    assert stage.put(folder, files, prefix) == 4
    assert sent(local_cloud) == {"PutObject": 3, "UploadPart": 3}
    for file in files:
        assert content(prefix, file.name) == (folder / file.name).read_bytes()
    local_cloud.calls.clear()
    assert stage.put(folder, files, prefix) == 0
    assert sent(local_cloud) == {}
    assert stage.missing(files, prefix) == []


def test_what_lies_there_under_another_key_is_sent_again(stage, folder, files, prefix):
    stage.put(folder, files, prefix)
    assert stage.put(folder, files, prefix, kms_key_id=KEY) == 4


def test_bytes_are_counted_once_each_also_those_that_were_there(local_session, folder, files, prefix):
    counts = []
    stage = FolderStage(local_session.clients, on_bytes=counts.append)
    stage.put(folder, files, prefix)
    total = sum(file.size_bytes for file in files)
    assert sum(counts) == total
    counts.clear()
    stage.put(folder, files, prefix)
    assert sum(counts) == total


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("operation", "nth"),
    [("UploadPart", 1), ("UploadPart", 3), ("CompleteMultipartUpload", 1), ("PutObject", 2)],
)
def test_after_a_kill_finished_parts_are_not_sent_again(local_cloud, model, operation, nth, when):
    folder, files, prefix = model
    with local_cloud.faults.crashing(nth, operation=operation, when=when) as crash:
        FolderStage(local_cloud.session().clients).put(folder, files, prefix)
    assert crash.happened
    arrived = parts_in_s3(prefix)
    local_cloud.calls.clear()
    FolderStage(local_cloud.session().clients).put(folder, files, prefix)
    assert sent(local_cloud)["UploadPart"] == 3 - arrived
    for file in files:
        assert content(prefix, file.name) == (folder / file.name).read_bytes()
    assert FolderStage(local_cloud.session().clients).abandon(prefix) == 0


def test_parts_of_another_content_that_lie_in_an_open_upload_are_sent_again(stage, folder, files, prefix):
    s3 = boto3.client("s3")
    where = {"Bucket": prefix.bucket, "Key": (prefix / "model.safetensors").key}
    upload = s3.create_multipart_upload(**where)["UploadId"]
    s3.upload_part(**where, UploadId=upload, PartNumber=1, Body=b"0" * PART_BYTES)
    s3.upload_part(**where, UploadId=upload, PartNumber=7, Body=b"0" * 10)
    stage.put(folder, files, prefix)
    assert content(prefix, "model.safetensors") == (folder / "model.safetensors").read_bytes()


def test_a_file_that_changed_since_the_plan_is_refused_and_leaves_nothing_behind(
    stage, folder, files, prefix
):
    with (folder / "model.safetensors").open("r+b") as file:
        file.seek(PART_BYTES + 5)
        file.write(b"changed")
    with pytest.raises(StalePlanError, match=r"model\.safetensors is not the file that was planned"):
        stage.put(folder, files, prefix)
    assert stage.abandon(prefix) == 0
    assert "model.safetensors" in [file.name for file in stage.missing(files, prefix)]


@pytest.mark.parametrize("change", ["gone", "longer"])
def test_a_file_of_another_size_is_refused_before_anything_is_sent(stage, local_cloud, model, change):
    folder, files, prefix = model
    path = folder / "config.json"
    if change == "gone":
        path.unlink()
    else:
        path.write_bytes(b"{ }")
    with pytest.raises(StalePlanError, match=r"config\.json is not the 2 bytes"):
        stage.put(folder, files, prefix)
    assert sent(local_cloud) == {}


def test_a_refusal_says_that_parts_stay_and_abandon_removes_them(stage, local_cloud, folder, files, prefix):
    local_cloud.faults.add(Fault(operation="UploadPart", nth=2, code="AccessDenied", status=403))
    with pytest.raises(AccessDeniedError, match="stays in S3 for the next try"):
        stage.put(folder, files, prefix)
    local_cloud.faults.clear()
    assert stage.abandon(prefix) == 1
    assert stage.abandon(prefix) == 0


def test_without_the_right_to_see_open_uploads_every_file_is_sent_from_its_beginning(
    stage, local_cloud, folder, files, prefix
):
    local_cloud.faults.add(Fault(operation="ListMultipartUploads", code="AccessDenied", status=403))
    assert stage.put(folder, files, prefix) == 4


def test_an_upload_that_was_taken_away_half_way_is_said(stage, local_cloud, folder, files, prefix):
    local_cloud.faults.add(Fault(operation="UploadPart", code="NoSuchUpload", status=404))
    with pytest.raises(ServiceError, match="taken away while it was under way"):
        stage.put(folder, files, prefix)


def test_an_upload_whose_completing_answer_got_lost_is_found_complete(
    stage, local_cloud, folder, files, prefix
):
    local_cloud.faults.add(Fault(operation="CompleteMultipartUpload", disconnect=True, when="after", times=1))
    assert stage.put(folder, files, prefix) == 4
    assert stage.missing(files, prefix) == []


def test_parts_grow_where_a_file_would_have_too_many():
    assert part_bytes_of(1) == PART_BYTES
    assert part_bytes_of(PART_BYTES * 10_000) == PART_BYTES
    size = 300 << 30
    assert -(-size // part_bytes_of(size)) <= 10_000


def test_parts_cover_a_file_without_gap_or_overlap(tmp_path):
    for size in (0, 1, PART_BYTES, PART_BYTES + 1, 3 * PART_BYTES - 1):
        parts = parts_of(tmp_path / "f", size)
        assert [part.number for part in parts] == list(range(1, len(parts) + 1))
        ends = [part.start + part.size for part in parts]
        assert [part.start for part in parts] == [0, *ends[:-1]]
        assert ends[-1] == size


def test_a_digest_tells_how_many_parts_it_is_of(folder, files):
    by_name = {file.name: file.digest for file in files}
    assert by_name["model.safetensors"].endswith("-3")
    assert by_name["config.json"] == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    assert digest_of([b"a" * 32]) == (b"a" * 32).hex()


def test_a_part_of_a_file_that_shrank_or_cannot_be_read_is_a_data_error(tmp_path):
    path = tmp_path / "f"
    path.write_bytes(b"123")
    [part] = parts_of(path, 5)
    with pytest.raises(DataError, match="has become shorter"):
        read_part(part)
    path.unlink()
    with pytest.raises(DataError, match="Could not read"):
        read_part(part)
    with pytest.raises(DataError, match="Could not read"):
        digest_files([path])
