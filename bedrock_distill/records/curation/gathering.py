"""Reading sources into a pool: each line checked, redacted, judged, and counted whatever becomes of it."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgspec

from bedrock_distill.errors import DataError, Offence
from bedrock_distill.records.checking import MAX_OFFENCES, Checker, CheckReport
from bedrock_distill.records.curation.sessions import NumberedLines
from bedrock_distill.records.lines import KEEP_BYTES, raw_chunks, split_lines, unpack
from bedrock_distill.records.rules import Rules
from bedrock_distill.records.schema import Message, TextBlock, encode_record
from bedrock_distill.records.tokens import joined_texts

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator

    from bedrock_distill.records.curation.pool import Pool
    from bedrock_distill.records.curation.quality import Judge
    from bedrock_distill.records.curation.recipe import Redactor
    from bedrock_distill.records.schema import Record

__all__ = ["Gathered", "Gatherer"]

_SHAPE: Final = Rules(max_line_bytes=KEEP_BYTES)
_LETTERS_TO_TELL = 24
_CHARS_TO_TELL = 400


@dataclass(slots=True)
class Gathered:
    """What was read of one source, and what came of it."""

    path: str
    golden: bool
    sha256: str
    """Of the file as it lies there, packed or not."""
    size_bytes: int
    check: CheckReport
    added: int
    dropped: Counter[str] = field(default_factory=Counter)
    """Records that were read and not added, by reason."""


class Gatherer:
    """Reads sources into a pool.

    Attributes:
        redacted: What was taken out of texts, by kind.
        languages: Codes of the languages met; a record's number is the place of its language here.
    """

    def __init__(
        self,
        pool: Pool,
        *,
        judge: Judge,
        rules: Rules | None = None,
        redactor: Redactor | None = None,
        languages: tuple[str, ...] | None = None,
        skip_bad: bool = False,
    ) -> None:
        self._pool, self._judge, self._rules = pool, judge, rules or _SHAPE
        self._redactor, self._wanted, self._skip_bad = redactor, languages, skip_bad
        self._tell = _teller() if languages is not None else None
        self._sources = 0
        self.redacted: Counter[str] = Counter()
        self.languages: list[str] = [""]

    def read(
        self,
        path: str | os.PathLike[str],
        *,
        golden: bool = False,
        groups: str | os.PathLike[str] | None = None,
    ) -> Gathered:
        """Read one source.

        Args:
            path: The records; gzip is unpacked.
            golden: These go before others: they are not judged, and each must have a golden label.
            groups: A file with a JSON string, number or null for each line of the source: what belongs together.

        Raises:
            DataError: If a file cannot be read, a line is no record and bad ones are not skipped, a golden record has no
                label, or the groups do not match the lines.
        """
        digest, size = hashlib.sha256(), 0

        def measured() -> Iterator[bytes]:
            nonlocal size
            for chunk in raw_chunks(path):
                digest.update(chunk)
                size += len(chunk)
                yield chunk

        unpacked = 0

        def plain() -> Iterator[bytes]:
            nonlocal unpacked
            for chunk in unpack(measured(), str(path)):
                unpacked += len(chunk)
                yield chunk

        checker = Checker(self._rules, str(path), max_offences=MAX_OFFENCES)
        lines = NumberedLines(split_lines(plain()), str(path), groups)
        dropped: Counter[str] = Counter()
        before = len(self._pool)
        for _, record, texts in checker.records(lines):
            if golden and record.completion is None:
                raise _unlabelled(str(path), lines.number)
            reason = self._take(record, texts, lines.session, golden=golden)
            if reason is not None:
                dropped[reason] += 1
        lines.finish()
        report = checker.report(size_bytes=unpacked)
        self._refuse(report)
        self._sources += 1
        added = len(self._pool) - before
        return Gathered(str(path), golden, digest.hexdigest(), size, report, added, dropped)

    def _take(self, record: Record, texts: bytes, session: int, *, golden: bool) -> str | None:
        """Add a record to the pool, or say why not."""
        if self._redactor is not None:
            record, found = _redacted(self._redactor, record)
            self.redacted.update(found)
            if found and _is_blank(record):
                return "nothing-left"
            texts = joined_texts(record)
        line = encode_record(record)
        if not golden and (reason := self._judge.broken(record, line)) is not None:
            return reason
        language = 0
        if self._tell is not None:
            code = _told(record, self._tell)
            if self._wanted and code and code not in self._wanted and not golden:
                return "language"
            if code not in self.languages:
                self.languages.append(code)
            language = self.languages.index(code)
        self._pool.add(
            record, texts, line, source=self._sources, golden=golden, session=session, language=language
        )
        return None

    def _refuse(self, report: CheckReport) -> None:
        broken = "bad-gzip" in report.counts
        if not broken and (self._skip_bad or not report.bad_lines):
            return
        offences = tuple(each for each in report.offences if broken or each.line is not None)
        raise DataError(
            f"Did not take {report.file}: {report.bad_lines:,} of {report.lines:,} lines offend. First: {offences[0]}. "
            "Mend the file (`bedrock-distill data check` lists what is wrong), or leave bad lines out (`--skip-bad`).",
            offences=offences,
            count=report.offence_count,
        )


def _unlabelled(path: str, line: int) -> DataError:
    reason = "has no golden label: a golden record ends with an assistant message"
    offence = Offence(path, line, "messages", reason, "no-label")
    return DataError(f"Could not take golden records. {offence}.", offences=(offence,))


def _redacted(redactor: Redactor, record: Record) -> tuple[Record, Counter[str]]:
    """A record with all its texts redacted."""
    # What is redacted as a whole can have the same stand-in for the same name in all its texts.
    whole: Callable[[Record], tuple[Record, Counter[str]]] | None = getattr(redactor, "redact_record", None)
    if whole is not None:
        return whole(record)
    found: Counter[str] = Counter()

    def of(blocks: tuple[TextBlock, ...]) -> tuple[TextBlock, ...]:
        texts = [redactor.redact(block.text) for block in blocks]
        for _, counts in texts:
            found.update(counts)
        return tuple(TextBlock(text) for text, _ in texts)

    changed = msgspec.structs.replace(
        record,
        system=None if record.system is None else of(record.system),
        messages=tuple(Message(message.role, of(message.content)) for message in record.messages),
    )
    return changed, found


def _is_blank(record: Record) -> bool:
    """Whether nothing is left of a text."""
    texts = [message.text for message in record.messages]
    return any(not text or text.isspace() for text in (*texts, record.system_text or "-"))


def _teller() -> Callable[[str], str]:
    from bedrock_distill.records.curation.languages import language_of  # noqa: PLC0415 - loads a model

    return language_of


def _told(record: Record, tell: Callable[[str], str]) -> str:
    """The language of the user's last words, or an empty string where there are too few letters to tell."""
    text = record.prompt_text
    letters = "".join(filter(str.isalpha, text[:_CHARS_TO_TELL]))
    return tell(text) if len(letters.encode("utf-8", "surrogatepass")) >= _LETTERS_TO_TELL else ""
