"""Reading and writing records."""

import gzip
import stat

import pytest

from bedrock_distill.errors import DataError
from bedrock_distill.records import Record, encode_record
from bedrock_distill.records.reading import read_records, records_in
from bedrock_distill.records.writing import RecordWriter, write_records

RECORDS = [Record.of("one"), Record.of("two", completion="2"), Record.of("drei", system="Deutsch")]


def test_what_is_written_is_read_again(tmp_path):
    path = tmp_path / "new" / "folder" / "data.jsonl"
    assert write_records(path, RECORDS) == 3
    assert list(read_records(path)) == RECORDS
    assert path.read_bytes().count(b"\n") == 3


def test_reading_passes_over_blank_lines_and_unpacks_gzip(tmp_path):
    path = tmp_path / "data.jsonl"
    path.write_bytes(
        gzip.compress(b"\n" + encode_record(RECORDS[0]) + b"\r\n  \n" + encode_record(RECORDS[1]))
    )
    assert list(read_records(path)) == RECORDS[:2]


def test_reading_stops_at_the_first_bad_line_and_names_file_line_and_field(tmp_path):
    path = tmp_path / "data.jsonl"
    path.write_bytes(
        encode_record(RECORDS[0]) + b'\n{"schemaVersion":"bedrock-conversation-2024","messages":[1]}\n'
    )
    records = read_records(path)
    assert next(records) == RECORDS[0]
    with pytest.raises(DataError, match=r"data\.jsonl:2: messages\[0\]: is the number 1") as caught:
        next(records)
    assert [(offence.line, offence.code) for offence in caught.value.offences] == [(2, "wrong-type")]


def test_records_can_be_read_from_lines_that_come_from_anywhere():
    assert list(records_in(map(encode_record, RECORDS), "s3://bucket/key")) == RECORDS


def test_a_failed_write_leaves_the_target_as_it_was_and_no_draft(tmp_path):
    path = tmp_path / "data.jsonl"
    write_records(path, RECORDS)
    before = path.read_bytes()

    def failing():
        yield Record.of("another")
        raise KeyError("source")

    with pytest.raises(KeyError):
        write_records(path, failing())
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["data.jsonl"]


def test_the_target_appears_only_when_it_is_whole(tmp_path):
    path = tmp_path / "data.jsonl"
    with RecordWriter(path) as writer:
        writer.write(RECORDS[0])
        assert not path.exists()
    assert (writer.records, writer.size_bytes) == (1, path.stat().st_size)


def test_a_written_file_has_the_ordinary_permissions(tmp_path):
    plain = tmp_path / "plain"
    plain.write_bytes(b"")
    write_records(tmp_path / "data.jsonl", RECORDS)
    assert stat.S_IMODE((tmp_path / "data.jsonl").stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_a_folder_that_cannot_be_made_is_a_data_error(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DataError, match="Could not write"):
        write_records(tmp_path / "file" / "data.jsonl", RECORDS)


def test_a_writer_that_is_not_open_says_how_to_use_it(tmp_path):
    with pytest.raises(ValueError, match="with statement"):
        RecordWriter(tmp_path / "data.jsonl").write(RECORDS[0])
