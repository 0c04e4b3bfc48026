import gzip
import json
import tracemalloc
from dataclasses import replace

import pytest

from bedrock_distill.catalog import load_catalog
from bedrock_distill.errors import DataError
from bedrock_distill.records import Record, encode_record
from bedrock_distill.records.checking import check_chunks, check_file, check_lines
from bedrock_distill.records.rules import Rules, rules_for

FREE = Rules()
NOVA = rules_for(load_catalog(), "amazon.nova-pro-v1:0", "amazon.nova-micro-v1:0")
GOOD = encode_record(Record.of("Hello", system="Be brief."))
LABELLED_RECORD = Record.of("Hello", completion="Hi: there")
LABELLED = encode_record(LABELLED_RECORD)
BAD = b'{"schemaVersion":"bedrock-conversation-2024","messages":[]}'


def codes(report):
    return [(offence.line, offence.code) for offence in report.offences]


def test_a_file_is_counted_through(tmp_path):
    path = tmp_path / "data.jsonl"
    data = b"\n".join([GOOD, b"", LABELLED, b" \t\r", BAD]) + b"\n"
    path.write_bytes(data)
    report = check_file(path, FREE)
    assert (report.lines, report.blank, report.prompts, report.labelled, report.bad_lines) == (5, 2, 2, 1, 1)
    assert (report.size_bytes, report.longest_line_bytes) == (len(data), len(LABELLED))
    assert (report.tokens, report.longest_record_tokens) == (8, 4)
    assert codes(report) == [(5, "empty-messages")]
    assert not report.ok


@pytest.mark.parametrize("blank", [b"", b"   ", b"\t\r"])
def test_a_blank_line_is_counted_but_not_an_offence(blank):
    report = check_lines([GOOD, blank, GOOD], FREE, "data")
    assert (report.ok, report.blank, report.prompts) == (True, 1, 2)


@pytest.mark.parametrize(
    ("count", "expected"),
    [(99, ["too-few-prompts"]), (100, []), (15_000, []), (15_001, ["too-many-prompts"])],
)
def test_bedrock_takes_100_to_15000_valid_records(count, expected):
    report = check_lines([GOOD] * count, NOVA, "data")
    assert [offence.code for offence in report.offences] == expected


def test_only_valid_records_count_towards_the_minimum():
    report = check_lines([GOOD] * 99 + [BAD, b""], NOVA, "data")
    assert codes(report) == [(None, "too-few-prompts"), (100, "empty-messages")]
    assert "99 valid records" in report.offences[0].reason


def test_a_file_may_have_2_gb_and_beyond_1_gb_carries_a_warning():
    small = replace(FREE, max_file_bytes=10 * (len(GOOD) + 1), warn_file_bytes=5 * (len(GOOD) + 1))
    assert check_lines([GOOD] * 5, small, "data").warnings == ()
    warned = check_lines([GOOD] * 10, small, "data")
    assert warned.ok
    assert [warning.code for warning in warned.warnings] == ["large-file"]
    assert codes(check_lines([GOOD] * 11, small, "data")) == [(None, "file-too-large")]


def test_the_first_offences_are_kept_and_all_are_counted():
    report = check_lines([BAD, b"{"] * 50, FREE, "data", max_offences=3)
    assert codes(report) == [
        (None, "too-few-prompts"),
        (1, "empty-messages"),
        (2, "truncated-json"),
        (3, "empty-messages"),
    ]
    assert report.counts == {"too-few-prompts": 1, "empty-messages": 50, "truncated-json": 50}
    assert report.offence_count == 101


def test_a_report_raises_with_file_line_field_reason_and_the_number_of_all():
    report = check_lines([GOOD, BAD, BAD], FREE, "s3://bucket/data.jsonl", max_offences=1)
    with pytest.raises(DataError, match=r"First: s3://bucket/data\.jsonl:2: messages: is empty") as caught:
        report.raise_for_offences()
    assert (len(caught.value.offences), caught.value.count) == (1, 2)
    check_lines([GOOD], FREE, "data").raise_for_offences()


def test_a_report_raises_with_a_line_at_fault_before_what_that_does_to_the_file():
    with pytest.raises(DataError, match="First: data:2: messages: is empty"):
        check_lines([GOOD, BAD], FREE, "data").raise_for_offences()


def test_a_report_is_ready_for_json():
    document = json.loads(json.dumps(check_lines([GOOD, BAD], FREE, "data").to_dict()))
    assert document["ok"] is False
    assert document["offences"][0]["code"] == "empty-messages"
    assert "2 lines offend" not in check_lines([GOOD], FREE, "data").summary()


def test_a_byte_order_mark_spoils_only_the_first_line():
    report = check_chunks([b"\xef\xbb\xbf" + GOOD + b"\n" + GOOD], FREE, "data")
    assert codes(report) == [(1, "utf8-bom")]
    assert report.prompts == 1


def test_gzip_is_unpacked_by_content_with_a_warning_that_bedrock_wants_it_unpacked(tmp_path):
    path = tmp_path / "data.jsonl"
    path.write_bytes(gzip.compress(GOOD + b"\n" + LABELLED + b"\n"))
    report = check_file(path, FREE)
    assert (report.ok, report.prompts, report.size_bytes) == (True, 2, len(GOOD) + len(LABELLED) + 2)
    assert [warning.code for warning in report.warnings] == ["gzip"]


def test_a_broken_gzip_stream_is_an_offence_and_what_came_before_is_counted(tmp_path):
    path = tmp_path / "data.jsonl"
    path.write_bytes(gzip.compress((GOOD + b"\n") * 20_000)[:-20])
    report = check_file(path, FREE)
    assert codes(report)[0] == (None, "bad-gzip")
    assert report.prompts > 0


def test_a_file_that_is_not_there_is_an_error_and_no_report(tmp_path):
    with pytest.raises(DataError, match="No such file"):
        check_file(tmp_path / "nowhere.jsonl", FREE)


def test_a_pipe_can_be_checked(tmp_path):
    import os
    import threading

    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(GOOD + b"\n",))
    writer.start()
    report = check_file(path, FREE)
    writer.join()
    assert report.prompts == 1


def test_a_colon_written_as_an_escape_is_acquitted():
    line = GOOD.replace(b"Hello", b"\\u003a Hello: \\u003A")
    assert check_lines([line], FREE, "data").ok


def test_a_duplicate_key_is_caught_although_the_decoder_is_silent():
    line = GOOD.replace(b'"role":"user"', b'"role":"assistant","role":"user"')
    assert codes(check_lines([GOOD, line], FREE, "data")) == [(2, "duplicate-key")]


def test_the_context_is_the_students():
    line = encode_record(Record.of("word " * 3_000))
    short = replace(NOVA, min_prompts=0, context_tokens=3_000)
    assert codes(check_lines([line], short, "data")) == [(1, "context-too-long")]
    assert check_lines([line], replace(short, context_tokens=None), "data").ok


def test_a_line_too_long_to_keep_offends_with_its_true_size_even_if_its_head_is_a_record():
    free = replace(FREE, max_line_bytes=1 << 30)
    report = check_chunks([GOOD, b" " * (3 << 20), b"\n", GOOD], free, "data")
    assert codes(report) == [(1, "line-too-long")]
    assert report.longest_line_bytes == len(GOOD) + (3 << 20)


def test_memory_does_not_grow_with_the_file():
    def peak(lines):
        tracemalloc.start()
        check_lines((BAD if number % 3 == 0 else GOOD for number in range(lines)), FREE, "data")
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    peak(300)
    assert peak(6_000) < peak(600) + 50_000


def test_several_turns_pass_only_where_the_family_takes_them():
    line = encode_record(Record.of([*LABELLED_RECORD.messages, *Record.of("And then?").messages]))
    assert check_lines([line], replace(FREE, multi_turn=True), "data").ok
    assert codes(check_lines([GOOD, line], replace(FREE, multi_turn=False), "data")) == [(2, "multi-turn")]
