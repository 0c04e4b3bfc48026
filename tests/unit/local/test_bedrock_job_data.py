from __future__ import annotations

import pytest

from bedrock_distill.errors import DataError
from bedrock_distill.local.gateway.errors import AwsError
from bedrock_distill.local.services.bedrock.job_data import JobFailure, count, label, validate
from bedrock_distill.local.teachers import FunctionTeacher
from bedrock_distill.records.reading import read_records
from bedrock_distill.records.rules import Rules
from bedrock_distill.records.schema import Record, encode_record
from bedrock_distill.records.writing import write_records

RULES = Rules(min_prompts=3, max_prompts=5, max_line_bytes=400, max_file_bytes=2000, context_tokens=20)


def line(text="Hello?", **parts):
    return encode_record(Record.of(text, **parts))


def checked(tmp_path, *lines, rules=RULES):
    data = b"\n".join([*lines, b""])
    return validate(
        [data[:7], data[7:]], rules, name="p.jsonl", uri="s3://b/p.jsonl", target=tmp_path / "accepted.jsonl"
    )


def test_every_valid_record_is_accepted_and_copied_as_it_was(tmp_path):
    lines = [line("One"), line("Two", completion="2"), line("Three", system="S")]
    found = checked(tmp_path, *lines)
    assert found.tally == ("p.jsonl", 3, 3, 0)
    assert found.path.read_bytes() == b"\n".join([*lines, b""])


def test_records_that_break_the_schema_are_rejected_with_their_reason(tmp_path):
    found = checked(
        tmp_path, line(), b'{"schemaVersion": "bedrock-conversion-2024", "messages": []}', b"", line()
    )
    assert found.tally == ("p.jsonl", 3, 2, 1)
    assert {offence.line for offence in found.rejected} == {2}
    assert any("conversation, not conversion" in offence.reason for offence in found.rejected)


def test_too_few_prompts_are_no_matter_for_validation_and_the_end_of_data_processing(tmp_path):
    found = checked(tmp_path, line(), line())
    assert found.tally.accepted == 2
    with pytest.raises(JobFailure, match=r"^Input data must have at minimum 3 valid prompts$"):
        count(found, RULES)


def test_too_many_prompts_fail_as_well(tmp_path):
    with pytest.raises(JobFailure, match="at maximum 5 valid prompts"):
        count(checked(tmp_path, *[line()] * 6), RULES)


def test_a_record_longer_than_the_student_takes_fails_with_its_length(tmp_path):
    with pytest.raises(JobFailure, match=r"^Maximum input token count 25 exceeds limit of 20$"):
        count(checked(tmp_path, *[line("x" * 100)] * 3), RULES)


@pytest.mark.parametrize(
    "bad",
    [b"{not json", b"\xff\xfe\x00", b"[1]", b'{"schemaVersion": "bedrock-conv', b"\xef\xbb\xbf" + line()],
)
def test_a_file_that_is_not_json_lines_fails_in_awss_words(tmp_path, bad):
    with pytest.raises(
        JobFailure, match=r"^Unable to parse Amazon S3 file: p\.jsonl\. Data files must conform to JSONL"
    ):
        checked(tmp_path, line(), bad)


def test_a_line_that_is_too_long_fails_with_how_it_begins(tmp_path):
    with pytest.raises(
        JobFailure, match=r'^Input size exceeded in file p\.jsonl for record starting with \{"schema'
    ):
        checked(tmp_path, line(), line("y" * 400))


def test_a_file_that_is_too_large_fails(tmp_path):
    with pytest.raises(JobFailure, match=r"^Input size exceeded in file p\.jsonl: \d+ bytes"):
        checked(tmp_path, *[line("z" * 300)] * 6)


def labelled(tmp_path, records, **options):
    source, target = tmp_path / "accepted.jsonl", tmp_path / "training.jsonl"
    write_records(source, records)
    options = {
        "teacher": FunctionTeacher(lambda prompt: prompt.prompt_text.upper()),
        "max_tokens": None,
    } | options
    asked = label(source, target, stopping=options.pop("stopping", lambda: False), **options)
    return asked, [record.completion for record in read_records(target)]


def test_the_teacher_answers_what_has_no_golden_label(tmp_path):
    asked, completions = labelled(
        tmp_path, [Record.of("a"), Record.of("b", completion="golden"), Record.of("c")]
    )
    assert (asked, completions) == (2, ["A", "golden", "C"])


def test_an_answer_is_cut_at_the_longest_response(tmp_path):
    _, completions = labelled(tmp_path, [Record.of("a" * 100)], max_tokens=5)
    assert completions == ["A" * 20]


def broken(error):
    def teach(_prompt):
        raise error

    return FunctionTeacher(teach)


@pytest.mark.parametrize(
    "error", [AwsError("ThrottlingException", "slow down"), DataError("not recorded"), KeyError("oops")]
)
def test_a_teacher_that_fails_ends_the_job_with_the_records_number(tmp_path, error):
    with pytest.raises(JobFailure, match="could not answer record 1"):
        labelled(tmp_path, [Record.of("a")], teacher=broken(error))


@pytest.mark.parametrize("nothing", ["", "  ", None, 7])
def test_an_answer_must_be_text(tmp_path, nothing):
    with pytest.raises(JobFailure, match="answer to record 1 is empty or not a text"):
        labelled(tmp_path, [Record.of("a")], teacher=FunctionTeacher(lambda _prompt: nothing))


def test_without_a_teacher_every_record_must_bring_its_completion(tmp_path):
    assert labelled(tmp_path, [Record.of("a", completion="b")], teacher=None) == (0, ["b"])
    with pytest.raises(JobFailure, match="Record 1 has no completion"):
        labelled(tmp_path, [Record.of("a")], teacher=None)


def test_a_job_that_is_stopped_asks_no_more_and_leaves_no_file(tmp_path):
    asked = []
    teacher = FunctionTeacher(lambda prompt: asked.append(prompt) or "answer")
    with pytest.raises(JobFailure, match="stopped"):
        labelled(tmp_path, [Record.of("a"), Record.of("b")], teacher=teacher, stopping=lambda: bool(asked))
    assert len(asked) == 1
    assert not (tmp_path / "training.jsonl").exists()
