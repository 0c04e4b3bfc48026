"""The data of a customization job: read from S3 as the role would, checked by the rules, answered by the teacher.

Two halves, as in Bedrock: `validate` looks at the file's form and reports every record it accepts; only `label`, in data
processing, counts them. A file of 99 good prompts therefore passes the first and fails the second.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from bedrock_distill.errors import BedrockDistillError, Offence
from bedrock_distill.local.gateway.errors import AwsError
from bedrock_distill.local.services.bedrock.artefacts import FileTally
from bedrock_distill.records.checking import Checker
from bedrock_distill.records.lines import line_size, split_lines
from bedrock_distill.records.reading import read_records
from bedrock_distill.records.tokens import BYTES_PER_TOKEN, estimate_tokens
from bedrock_distill.records.writing import RecordWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from bedrock_distill.local.teachers import Teacher
    from bedrock_distill.records.rules import Rules

__all__ = ["JobFailure", "Validated", "count", "label", "validate"]

_UNPARSABLE = frozenset(
    {"utf8-bom", "not-utf8", "invalid-json", "truncated-json", "not-an-object", "bad-gzip"}
)
"""Codes of `records.checking` that AWS answers with one sentence: the file is not JSON lines."""

_SHOWN_HEAD = 40
_KEPT_OFFENCES = 1_000


class JobFailure(Exception):  # noqa: N818 - it becomes a job's failureMessage, not an error that anyone catches
    """Why a job fails, in the words of its `failureMessage`."""


class Validated(NamedTuple):
    """What validation found in one file."""

    path: Path
    """The accepted lines."""
    tally: FileTally
    rejected: tuple[Offence, ...]
    """Why records were rejected; the first of them."""
    longest_tokens: int
    """Estimated tokens of the longest accepted record."""


def validate(chunks: Iterable[bytes], rules: Rules, *, name: str, uri: str, target: Path) -> Validated:
    """Check a file's form, and copy its accepted lines.

    Args:
        chunks: The file's bytes.
        rules: The limits. How many prompts there must be, and how long they may be in tokens, is left to `count`.
        name: The file's name, for AWS's messages.
        uri: The file's S3 URI, for ours.
        target: Where the accepted lines go.

    Raises:
        JobFailure: If the file is not JSON lines, or it or a line of it is too large.
    """
    form_only = replace(rules, min_prompts=0, max_prompts=None, context_tokens=None)
    checker = Checker(form_only, uri, max_offences=_KEPT_OFFENCES)
    meter = _Meter(rules.max_line_bytes)
    with RecordWriter(target) as writer:
        for line, *_ in checker.records(meter.watched(split_lines(meter.measured(chunks)))):
            writer.write_line(line.rstrip(b"\r"))
    report = checker.report(size_bytes=meter.size_bytes)
    if unparsable := _UNPARSABLE & report.counts.keys():
        first = next(offence for offence in report.offences if offence.code in unparsable)
        raise JobFailure(
            f"Unable to parse Amazon S3 file: {name}. Data files must conform to JSONL format. ({first})"
        )
    if meter.too_long is not None:
        raise JobFailure(f"Input size exceeded in file {name} for record starting with {meter.too_long}")
    if "file-too-large" in report.counts:
        raise JobFailure(f"Input size exceeded in file {name}: {report.size_bytes} bytes.")
    processed = report.lines - report.blank
    tally = FileTally(name, processed, report.prompts, processed - report.prompts)
    return Validated(target, tally, report.offences, report.longest_record_tokens)


def count(validated: Validated, rules: Rules, *, noun: str = "prompts") -> None:
    """Whether there are enough records, not too many, and none too long for the student.

    Raises:
        JobFailure: In AWS's words for too few and for too long.
    """
    accepted = validated.tally.accepted
    if accepted < rules.min_prompts:
        raise JobFailure(f"Input data must have at minimum {rules.min_prompts} valid {noun}")
    if rules.max_prompts is not None and accepted > rules.max_prompts:
        raise JobFailure(f"Input data must have at maximum {rules.max_prompts} valid {noun}")
    if rules.context_tokens is not None and validated.longest_tokens > rules.context_tokens:
        raise JobFailure(
            f"Maximum input token count {validated.longest_tokens} exceeds limit of {rules.context_tokens}"
        )


def label(
    source: Path,
    target: Path,
    *,
    teacher: Teacher | None,
    max_tokens: int | None,
    stopping: Callable[[], bool],
) -> int:
    """Write every record with a completion: its own golden label, or what the teacher answers.

    Args:
        source: Accepted records.
        target: Where the training records go.
        teacher: Who answers; None where every record must bring its own completion.
        max_tokens: Longest answer in estimated tokens; longer ones are cut, as a model's would be.
        stopping: Asked before each answer; when it says yes, what is written so far is dropped.

    Returns:
        How many answers the teacher gave.

    Raises:
        JobFailure: If the teacher fails, or a record has no completion and there is no teacher.
    """
    asked = 0
    with RecordWriter(target) as writer:
        for number, record in enumerate(read_records(source), 1):
            if stopping():
                raise JobFailure("The job was stopped.")
            if record.completion is not None:
                writer.write(record)
                continue
            if teacher is None:
                raise JobFailure(
                    f"Record {number} has no completion: fine-tuning data needs one in every record."
                )
            writer.write(record.with_completion(_cut(_answer(teacher, record, number), max_tokens)))
            asked += 1
    return asked


def _answer(teacher: Teacher, record: Any, number: int) -> str:
    try:
        answer: object = teacher.answer(record)  # a user's function may return anything
    except JobFailure:
        raise
    except (AwsError, BedrockDistillError) as error:
        raise JobFailure(f"The teacher could not answer record {number}: {error}") from error
    except Exception as error:
        raise JobFailure(
            f"The teacher could not answer record {number}: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(answer, str) or not answer.strip():
        raise JobFailure(f"The teacher's answer to record {number} is empty or not a text: {answer!r:.80}")
    return answer


def _cut(text: str, max_tokens: int | None) -> str:
    if max_tokens is None or estimate_tokens(text) <= max_tokens:
        return text
    return text.encode()[: max_tokens * BYTES_PER_TOKEN].decode(errors="ignore")


class _Meter:
    """Watches the bytes and lines that pass: how many bytes, and how the first line that is too long begins."""

    def __init__(self, max_line_bytes: int) -> None:
        self.size_bytes = 0
        self.too_long: str | None = None
        self._max_line_bytes = max_line_bytes

    def measured(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self.size_bytes += len(chunk)
            yield chunk

    def watched(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        for line in lines:
            if self.too_long is None and line_size(line) > self._max_line_bytes:
                self.too_long = line[:_SHOWN_HEAD].decode(errors="replace")
            yield line
