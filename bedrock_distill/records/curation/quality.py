"""Which records teach nothing good: a table of rules, each with a name, a reason and a limit.

The rules are sure rather than thorough. What they drop is counted by name, and every limit can be moved or turned off.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from string import ascii_letters
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bedrock_distill.records.schema import Record

__all__ = ["RULES", "Judge", "Rule", "Subject", "default_limits"]


class Subject(NamedTuple):
    """What the rules look at."""

    prompt: str
    """What the user says, in all turns."""
    completion: str | None
    """The golden label."""
    line_bytes: int
    """Bytes of the record's line."""

    @classmethod
    def of(cls, record: Record, line: bytes) -> Subject:
        """What to look at of a record."""
        asked = [message.text for message in record.messages if message.role == "user"]
        return cls("\n".join(asked), record.completion, len(line))


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule."""

    name: str
    reason: str
    """Why a record is dropped; `{limit}` stands for the limit."""
    limit: float | None
    """The usual limit; None is off."""
    breaks: Callable[[Subject, float], bool]
    """Whether a subject breaks the rule with this limit."""

    def explained(self, limit: float) -> str:
        """The reason, with the limit."""
        return self.reason.format(limit=f"{limit:,g}")


_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_CUT_MARK = re.compile(
    r"[\[(<{]\s*(?:\.{3}|…)?\s*(?:text |message |output |content )?(?:was |is )?truncated\b[^\])>}]{0,40}[\])>}]\s*$",
    re.IGNORECASE,
)
_CANNOT = r"(?:can't|cannot|can not|won't|will not|unable|not able|not allowed|not permitted|don't|do not)"
_SERVE = (
    r"(?:help|assist|provide|fulfil+|comply|answer|create|generate|engage|discuss|support|participate|complete|offer|"
    r"respond)"
)
_REFUSALS = (
    rf"(?:i'm|i am|we're|we are) (?:very |so |really |terribly )?sorry,? but (?:as an ai|i|we)\b[^.]{{0,40}}?\b{_CANNOT}\b",
    r"sorry,? (?:but )?(?:i|we) (?:can't|cannot|can not|won't|am unable|are unable|am not able)\b",
    r"(?:i|we) apologi[sz]e,? but\b",
    rf"(?:i|we) (?:can't|cannot|can not|won't|will not)(?: \w+){{0,2}}? {_SERVE}\b",
    rf"(?:i'm|i am|we're|we are) (?:unable|not able) to(?: \w+){{0,2}}? {_SERVE}\b",
    r"(?:i'm sorry,? )?(?:but )?as an? (?:ai|artificial intelligence)(?: language)?(?: model| assistant)?,? i\b",
    r"i (?:must|have to|need to) (?:respectfully )?(?:decline|refuse)\b",
    r"i (?:don't|do not|wouldn't) feel comfortable\b",
)
_REFUSAL = re.compile(rf"\W*(?:{'|'.join(_REFUSALS)})", re.IGNORECASE)
_NO_LETTERS = str.maketrans("", "", ascii_letters)
_FENCE = re.compile(r"^ {0,3}```", re.MULTILINE)

_LOOP_TAIL, _LOOP_CHARS = 24, 200
_JUDGEABLE_CHARS, _JUDGEABLE_LENGTH = 20, 500
_PROBE, _REPEATS = 12, 4


def _either(test: Callable[[str, float], bool]) -> Callable[[Subject, float], bool]:
    """A test of texts, for the prompt and the completion."""
    return lambda subject, limit: (
        test(subject.prompt, limit) or (subject.completion is not None and test(subject.completion, limit))
    )


def _few_letters(text: str, share: float) -> bool:
    rest = text.translate(_NO_LETTERS)
    letters = len(text) - len(rest)
    marks = "".join(rest.split())
    if not marks.isascii():
        others = sum(map(str.isalpha, marks))
        letters += others
        marks = marks[others:]  # only their number counts
    written = letters + len(marks)
    return written >= _JUDGEABLE_CHARS and letters < share * written


def _ends_in_loop(text: str, times: float) -> bool:
    """Whether the text ends with the same passage so many times in a row, 200 characters at least."""
    text = text.rstrip()
    tail = text[-_LOOP_TAIL:]
    before = text.rfind(tail, 0, len(text) - 1)
    if before < 0:
        return False
    period = len(text) - len(tail) - before
    # What stands between the passages does not follow the last one.
    length = max(int(period * times) - 1, _LOOP_CHARS)
    return length <= len(text) and text[-length:-period] == text[period - length :]


def _repeats_itself(text: str, share: float) -> bool:
    if len(text) < _JUDGEABLE_LENGTH:
        return False
    # Packing is slow, and few texts are worth it: what packs so well says the same again and again.
    probes = (text[place : place + _PROBE] for place in (len(text) // 4, len(text) // 2, 3 * len(text) // 4))
    if all(text.count(probe) < _REPEATS for probe in probes):
        return False
    encoded = text.encode("utf-8", "surrogatepass")
    return len(zlib.compress(encoded, 1)) < share * len(encoded)


def _refuses(subject: Subject, most_chars: float) -> bool:
    text = subject.completion
    return (
        text is not None
        and len(text) <= most_chars
        and _REFUSAL.match(text.replace("\u2019", "'")) is not None
    )


def _echoes(subject: Subject, least_chars: float) -> bool:
    text = subject.completion
    if text is None or len(text) < least_chars:
        return False
    return " ".join(text.split()).casefold() == " ".join(subject.prompt.split()).casefold()


RULES: Final[tuple[Rule, ...]] = (
    Rule("long-line", "its line has more than {limit} bytes", 16_384, lambda s, limit: s.line_bytes > limit),
    Rule(
        "short-prompt",
        "the user says less than {limit} characters",
        8,
        lambda s, limit: len(s.prompt.strip()) < limit,
    ),
    Rule(
        "long-prompt",
        "the user says more than {limit} characters",
        None,
        lambda s, limit: len(s.prompt) > limit,
    ),
    Rule(
        "short-completion",
        "the completion has less than {limit} characters",
        None,
        lambda s, limit: s.completion is not None and len(s.completion.strip()) < limit,
    ),
    Rule(
        "long-completion",
        "the completion has more than {limit} characters",
        None,
        lambda s, limit: s.completion is not None and len(s.completion) > limit,
    ),
    Rule(
        "replacement-characters",
        "a text holds more than {limit} of U+FFFD, which stands where a character was lost",
        0,
        _either(lambda text, limit: text.count("\ufffd") > limit),
    ),
    Rule(
        "control-characters",
        "a text holds more than {limit} control characters",
        0,
        _either(lambda text, limit: len(_CONTROL.findall(text)) > limit),
    ),
    Rule(
        "cut-prompt",
        "the prompt ends with a mark of truncation, in its last {limit} characters",
        80,
        lambda s, limit: _CUT_MARK.search(s.prompt[-int(limit) :]) is not None,
    ),
    Rule(
        "cut-completion",
        "the completion leaves more than {limit} code blocks open",
        0,
        lambda s, limit: s.completion is not None and len(_FENCE.findall(s.completion)) % 2 > limit,
    ),
    Rule(
        "few-letters",
        "less than {limit} of what the user writes are letters",
        0.1,
        lambda s, limit: _few_letters(s.prompt, limit),
    ),
    Rule("loop", "a text ends with the same passage {limit} times in a row", 4, _either(_ends_in_loop)),
    Rule("repetitive", "a text packs to less than {limit} of its size", 0.06, _either(_repeats_itself)),
    Rule("refusal", "the completion, of at most {limit} characters, refuses to answer", 600, _refuses),
    Rule("echo", "the completion, of at least {limit} characters, repeats the prompt", 20, _echoes),
)
"""The rules, in the order in which they are asked; a record is counted under the first it breaks."""


def default_limits() -> dict[str, float | None]:
    """The usual limit of every rule."""
    return {rule.name: rule.limit for rule in RULES}


class Judge:
    """Rules with their limits, ready to be asked.

    Attributes:
        reasons: For each rule that is on, why it drops a record.
    """

    def __init__(self, limits: Mapping[str, float | None]) -> None:
        on = [(rule, limit) for rule in RULES if (limit := limits.get(rule.name)) is not None]
        self._asked = [(rule.name, rule.breaks, limit) for rule, limit in on]
        self.reasons = MappingProxyType({rule.name: rule.explained(limit) for rule, limit in on})

    def broken(self, record: Record, line: bytes) -> str | None:
        """The first rule that a record breaks, or None."""
        subject = Subject.of(record, line)
        for name, breaks, limit in self._asked:
            if breaks(subject, limit):
                return name
        return None
