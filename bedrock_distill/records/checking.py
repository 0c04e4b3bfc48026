"""Does a data file keep Bedrock's rules? One pass, constant memory, and a report that says where it does not.

Most lines are read off by `layouts.py`, others are decoded; what neither can vouch for goes to `diagnosis.py`. They vouch
only for what they are sure of; all agree on every line, which property tests hold.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from bedrock_distill.errors import DataError, Offence
from bedrock_distill.records.diagnosis import diagnose
from bedrock_distill.records.layouts import read_off
from bedrock_distill.records.lines import line_size, raw_chunks, split_lines, unpack
from bedrock_distill.records.schema import Record
from bedrock_distill.records.syntax import Fault
from bedrock_distill.records.tokens import BYTES_PER_TOKEN, SEPARATOR, joined_texts

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator

    from bedrock_distill.records.rules import Rules

__all__ = ["MAX_OFFENCES", "CheckReport", "Checker", "check_chunks", "check_file", "check_lines", "vouch"]

MAX_OFFENCES = 20
"""How many offences a report keeps unless told otherwise; all are counted."""

_NO_LIMIT = 1 << 40

_decode = msgspec.json.Decoder(Record).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """What a check found. A value: `to_dict` is ready for JSON."""

    file: str
    """Path or name of what was checked."""
    lines: int
    """Lines, blank ones included."""
    blank: int
    """Blank lines; they are skipped, and no offence."""
    prompts: int
    """Valid records."""
    labelled: int
    """Valid records that carry a golden label."""
    bad_lines: int
    """Lines with at least one offence."""
    size_bytes: int
    """Bytes, unpacked."""
    longest_line_bytes: int
    tokens: int
    """Tokens of all valid records, by the estimate of `tokens.py`."""
    longest_record_tokens: int
    offences: tuple[Offence, ...]
    """Those of the whole file, then the first ones in the order of its lines."""
    counts: dict[str, int]
    """Number of offences by code, all of them."""
    warnings: tuple[Offence, ...] = ()
    """What is allowed but worth knowing."""

    @property
    def ok(self) -> bool:
        """Whether nothing offends."""
        return not self.counts

    @property
    def offence_count(self) -> int:
        """All offences, kept or not."""
        return sum(self.counts.values())

    def to_dict(self) -> dict[str, Any]:
        """The report as plain values for JSON."""
        return {"ok": self.ok, "offence_count": self.offence_count, **asdict(self)}

    def summary(self) -> str:
        """One sentence: how many offences of which kinds, or how many valid records."""
        if self.ok:
            return f"{self.file}: {self.prompts:,} valid records, {self.labelled:,} of them labelled."
        kinds = ", ".join(f"{count:,} {code}" for code, count in sorted(self.counts.items()))
        return (
            f"{self.file}: {self.offence_count:,} offence{'s' * (self.offence_count != 1)} ({kinds}); "
            f"{self.bad_lines:,} of {self.lines:,} lines offend, {self.prompts:,} records are valid."
        )

    def raise_for_offences(self) -> None:
        """Do nothing if the file is fine.

        Raises:
            DataError: With the first offences and the number of all, if anything offends.
        """
        if self.ok:
            return
        # A line at fault is easier to mend than what its loss does to the whole file, such as too few prompts.
        shown = min(self.offences, key=lambda each: each.line is None, default=None)
        first = f" First: {shown}." if shown else ""
        raise DataError(
            f"The data breaks Bedrock's rules. {self.summary()}{first}",
            offences=self.offences,
            count=self.offence_count,
        )


class Checker:
    """Checks lines as they pass, and keeps the tally.

    Iterate over `valid(lines)` or `records(lines)` to its end, then ask for the `report`.
    """

    def __init__(self, rules: Rules, name: str, *, max_offences: int = MAX_OFFENCES) -> None:
        self._rules, self._name, self._max_offences = rules, name, max_offences
        self._offences: list[Offence] = []
        self._counts: Counter[str] = Counter()
        self._broken: tuple[Offence, ...] = ()
        self._lines = self._blank = self._prompts = self._labelled = self._bad_lines = 0
        self._tokens = self._most_tokens = self._longest = 0

    def records(self, lines: Iterable[bytes]) -> Iterator[tuple[bytes, Record, bytes]]:
        """Pass on each valid line, with its record and that record's `joined_texts`; see `valid`."""
        for line, texts, _ in self.valid(lines):
            yield line, _decode(line), texts

    def valid(self, lines: Iterable[bytes]) -> Iterator[tuple[bytes, bytes, bool]]:
        """Pass on each valid line, with the `joined_texts` of its record, and whether that is labelled.

        Args:
            lines: Lines without their newlines, as `lines.split_lines` gives them.
        """
        # The hot path: everything it touches is local, because this loop runs once a line.
        multi_turn, most_bytes = self._rules.multi_turn, self._rules.kept_line_bytes
        most_text = (self._rules.context_tokens or _NO_LIMIT) * BYTES_PER_TOKEN
        number = prompts = labels = total = longest_text = longest = 0
        try:
            for number, line in enumerate(lines, 1):
                try:
                    found = read_off(line) or _decoded(line, multi_turn)
                except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                    found = None
                if found is None or len(found[0]) > most_text or len(line) > most_bytes:
                    found = self._look_closer(line, number)
                    if found is None:
                        continue
                texts, labelled = found
                size = len(texts)
                prompts += 1
                labels += labelled
                total += -(-size // BYTES_PER_TOKEN)
                if size > longest_text:  # noqa: PLR1730 - max() would be a call a line
                    longest_text = size
                if len(line) > longest:
                    longest = line_size(line)
                yield line, texts, labelled
        except DataError as error:
            if not error.offences:
                raise
            self._broken = error.offences
        finally:
            self._lines, self._prompts, self._labelled, self._tokens = number, prompts, labels, total
            self._longest, self._most_tokens = (
                max(self._longest, longest),
                -(-longest_text // BYTES_PER_TOKEN),
            )

    def _look_closer(self, line: bytes, number: int) -> tuple[bytes, bool] | None:
        """What `valid` passes on, if the line is fine after all; otherwise its offences are in the tally."""
        if not line.strip():
            self._blank += 1
            return None
        faults = diagnose(line, self._rules)
        if not faults:
            try:
                record = _decode(line)
                return joined_texts(record), _is_labelled(record)
            except (
                msgspec.MsgspecError
            ) as error:  # a gap between diagnosis and decoder must not pass for a record
                faults = [Fault("", f"is not a record: {error}", "invalid")]
        self._bad_lines += 1
        self._longest = max(self._longest, line_size(line))
        for fault in faults:
            self._counts[fault.code] += 1
            if len(self._offences) < self._max_offences:
                self._offences.append(Offence(self._name, number, fault.field, fault.reason, fault.code))
        return None

    def report(self, *, size_bytes: int, warnings: tuple[Offence, ...] = ()) -> CheckReport:
        """The tally, with the rules about the whole file applied."""
        whole_file = (*self._broken, *self._judge_file(size_bytes))
        return CheckReport(
            file=self._name,
            lines=self._lines,
            blank=self._blank,
            prompts=self._prompts,
            labelled=self._labelled,
            bad_lines=self._bad_lines,
            size_bytes=size_bytes,
            longest_line_bytes=self._longest,
            tokens=self._tokens,
            longest_record_tokens=self._most_tokens,
            offences=(*whole_file, *self._offences),
            counts=dict(self._counts + Counter(offence.code for offence in whole_file)),
            warnings=(*warnings, *self._warn_of_size(size_bytes)),
        )

    def _judge_file(self, size_bytes: int) -> Iterator[Offence]:
        rules, prompts = self._rules, self._prompts
        if prompts < rules.min_prompts:
            yield self._about_file(
                f"has {prompts:,} valid records, and Bedrock takes no fewer than {rules.min_prompts:,}; "
                "the job would fail after validation, while it processes the data",
                "too-few-prompts",
            )
        if rules.max_prompts is not None and prompts > rules.max_prompts:
            reason = f"has {prompts:,} valid records, and Bedrock takes at most {rules.max_prompts:,}; select among them"
            yield self._about_file(reason, "too-many-prompts")
        if rules.max_file_bytes is not None and size_bytes > rules.max_file_bytes:
            reason = f"has {size_bytes:,} bytes, and Bedrock takes at most {rules.max_file_bytes:,}"
            yield self._about_file(reason, "file-too-large")

    def _warn_of_size(self, size_bytes: int) -> Iterator[Offence]:
        limit = self._rules.warn_file_bytes
        if limit is not None and size_bytes > limit:
            reason = (
                f"has {size_bytes:,} bytes: within Bedrock's quota, but AWS's published dataset validator refuses "
                f"files above {limit:,}"
            )
            yield self._about_file(reason, "large-file")

    def _about_file(self, reason: str, code: str) -> Offence:
        return Offence(self._name, None, "", reason, code)


def check_file(
    path: str | os.PathLike[str], rules: Rules, *, max_offences: int = MAX_OFFENCES
) -> CheckReport:
    """Check a data file; one that is packed with gzip is unpacked on the way.

    Args:
        path: The file.
        rules: What to check, as `rules.rules_for` makes it.
        max_offences: How many of the lines' offences the report keeps; all are counted.

    Raises:
        DataError: If the file cannot be read. What it holds is never raised, only reported.
    """
    return check_chunks(raw_chunks(path), rules, str(path), max_offences=max_offences)


def check_chunks(
    chunks: Iterable[bytes], rules: Rules, name: str, *, max_offences: int = MAX_OFFENCES
) -> CheckReport:
    """Check a stream of bytes, however it is cut, such as `iter_chunks()` of an S3 object's body.

    Args:
        chunks: The bytes, packed with gzip or not.
        rules: What to check.
        name: What the report calls the data, such as its S3 URI.
        max_offences: How many of the lines' offences the report keeps.
    """
    size = 0
    warnings: list[Offence] = []

    def warn_of_gzip() -> None:
        reason = "is packed with gzip; Bedrock's guide knows plain JSON Lines only, so upload it unpacked"
        warnings.append(Offence(name, None, "", reason, "gzip"))

    def measured() -> Iterator[bytes]:
        nonlocal size
        for chunk in unpack(chunks, name, on_gzip=warn_of_gzip):
            size += len(chunk)
            yield chunk

    checker = Checker(rules, name, max_offences=max_offences)
    deque(checker.valid(split_lines(measured())), maxlen=0)
    return checker.report(size_bytes=size, warnings=tuple(warnings))


def check_lines(
    lines: Iterable[bytes], rules: Rules, name: str, *, max_offences: int = MAX_OFFENCES
) -> CheckReport:
    r"""Check lines, with or without their `\n`; the size counts one newline a line. See `check_chunks`."""
    chunks = (line if line.endswith(b"\n") else line + b"\n" for line in lines)
    return check_chunks(chunks, rules, name, max_offences=max_offences)


def _decoded(line: bytes, multi_turn: bool) -> tuple[bytes, bool] | None:  # noqa: FBT001 - positional for speed
    """What `layouts.read_off` gives, of a line of any layout and with any number of turns."""
    record = _decode(line)
    texts = vouch(record, line, multi_turn)
    return None if texts is None else (texts, _is_labelled(record))


def _is_labelled(record: Record) -> bool:
    return not len(record.messages) & 1  # roles alternate from user


def vouch(record: Record, line: bytes, multi_turn: bool) -> bytes | None:  # noqa: FBT001 - positional for speed
    """The `joined_texts` of a record that is surely valid, whatever its size; None where somebody must look closer.

    Args:
        record: What the line was decoded to.
        line: The line.
        multi_turn: Whether a conversation may have several turns.
    """
    messages, system = record.messages, record.system
    count = len(messages)
    if not count or (count > 2 and not multi_turn):
        return None
    # Every key has a colon, and every other colon is in a text. So if the line has as many colons as the record needs,
    # no key stands twice and no `"system": null` hides: the decoder is silent about both. A colon that is written as an
    # escape could make up for one too many, so where there may be such a one, a closer look decides.
    colons = 2 + 3 * count
    texts = []
    try:
        if system is not None:
            (block,) = system
            text = block.text
            if not text or text.isspace():
                return None
            texts.append(text.encode())
            colons += 2
        expected = "user"
        for message in messages:
            (block,) = message.content
            text = block.text
            if message.role != expected or not text or text.isspace():
                return None
            texts.append(text.encode())
            expected = "assistant" if expected == "user" else "user"
    except ValueError:  # not exactly one block
        return None
    joined = SEPARATOR.join(texts)
    found = line.count(b":")
    if found == colons:
        return joined
    return joined if found == colons + joined.count(b":") and b"\\u003" not in line else None
