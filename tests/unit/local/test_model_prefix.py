"""A model's directory in the cloud's own S3: looked at by ranges, and brought to this machine whole."""

from __future__ import annotations

import pytest

from bedrock_distill.errors import DataError
from bedrock_distill.local.cloud import Cloud
from bedrock_distill.local.model_prefix import ModelPrefix
from bedrock_distill.uris import S3Uri


@pytest.fixture(scope="module")
def s3():
    with Cloud() as cloud:
        cloud.bucket("acme")
        yield cloud.boto3_session().client("s3")


@pytest.fixture
def prefix(s3, request):
    def make(**files):
        folder = f"{request.node.name}/m/"
        for name, body in files.items():
            s3.put_object(Bucket="acme", Key=folder + name.replace("__", "/"), Body=body)
        return ModelPrefix(s3, S3Uri.parse(f"s3://acme/{folder.rstrip('/')}"))

    return make


def test_files_are_named_by_what_follows_the_prefix_and_empty_folders_are_none(prefix):
    assert prefix(config=b"ab", original__params=b"c", empty__=b"").sizes() == {
        "config": 2,
        "original/params": 1,
    }


@pytest.mark.parametrize(
    ("start", "length", "expected"),
    [(0, None, b"0123456789"), (3, 4, b"3456"), (8, 9, b"89"), (10, 1, b""), (0, 0, b"")],
)
def test_any_range_of_a_file_is_read(prefix, start, length, expected):
    assert prefix(weights=b"0123456789").read("weights", start, length) == expected


def test_a_file_that_is_not_there_is_an_error_that_names_it(prefix):
    with pytest.raises(DataError, match="m/absent: there is no such object"):
        prefix(config=b"x").read("absent")


def test_everything_is_brought_and_what_was_there_is_not_kept(prefix, tmp_path):
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "old").write_text("x")
    prefix(config=b"ab", original__params=b"c" * 3_000_000).download(tmp_path / "m")
    brought = {
        p.relative_to(tmp_path / "m").as_posix(): p.stat().st_size for p in tmp_path.rglob("*") if p.is_file()
    }
    assert brought == {"config": 2, "original/params": 3_000_000}


def test_a_name_that_leads_out_of_the_directory_is_refused(prefix, tmp_path):
    with pytest.raises(DataError, match="not a file of a directory"):
        prefix(**{"..__outside": b"x"}).download(tmp_path / "m")
    assert not (tmp_path / "outside").exists()


def test_more_files_than_a_model_has_are_not_one(prefix, monkeypatch):
    monkeypatch.setattr("bedrock_distill.local.model_prefix.MOST_FILES", 2)
    with pytest.raises(DataError, match="not one model's directory"):
        prefix(a=b"", b=b"", c=b"").sizes()
