"""Putting something in the place of what was found: which findings count, what replaces them, and how they are numbered."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from typing import TYPE_CHECKING, Final, Literal, get_args

import msgspec

from bedrock_distill.errors import SpecError
from bedrock_distill.records.curation.redaction_kinds import KINDS, Span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from bedrock_distill.records.schema import Record, TextBlock

__all__ = ["STYLES", "Style", "check_style", "redact_texts", "redact_texts_of", "settle"]

Style = Literal["label", "hash", "remove"]
"""`label`: `[EMAIL_1]`, numbered in each record; `hash`: `[EMAIL_5f0c…]`, the same in every record; `remove`: nothing."""

STYLES: Final[tuple[Style, ...]] = get_args(Style)

_LABEL = re.compile(r"\[([A-Z][A-Z_]{1,40})_([0-9a-f]{1,16})\]")
_RANK: Final = {kind: rank for rank, kind in enumerate(KINDS)}
_SHORTEST_ECHO: Final = 6
"""A shorter value that comes again elsewhere may be something else by chance."""
_CASELESS: Final = frozenset({"email", "iban", "phone", "credit-card", "us-ssn", "national-id"})


def check_style(style: str) -> None:
    """Refuse a style that there is not.

    Raises:
        SpecError: If it is none of `STYLES`.
    """
    if style not in STYLES:
        raise SpecError(
            f"There is no style {style!r} of redaction; use one of {', '.join(STYLES)}.",
            field="style",
            value=style,
        )


def redact_texts(
    texts: Sequence[str],
    find: Callable[[list[str]], list[list[Span]]],
    *,
    style: Style,
    seed: int,
    again: bool = True,
) -> tuple[list[str], Counter[str]]:
    """Replace everything that `find` finds in texts that belong together.

    What is replaced may have hidden something else (its end stood too close to be told apart), so the texts are looked at
    again until nothing is found, unless a look costs money. Thus redacting a second time changes nothing.

    Args:
        texts: Texts of one record.
        find: Finds in all of them.
        style: What to put in.
        seed: Key of the hashes.
        again: Whether to look again after something was replaced.

    Returns:
        The texts, and how many places were replaced, by kind.
    """
    current, counts = list(texts), Counter[str]()
    names = _Names(current, style, seed)
    values: dict[str, str] = {}
    while True:
        found = [settle(text, spans) for text, spans in zip(current, find(current), strict=True)]
        found = _echo(current, found, values)
        if not any(found):
            return current, counts
        current = [_replace(text, spans, names, counts) for text, spans in zip(current, found, strict=True)]
        if not again:
            return current, counts


def redact_texts_of(
    record: Record, redact: Callable[[list[str]], tuple[list[str], Counter[str]]]
) -> tuple[Record, Counter[str]]:
    """The record with `redact` applied to all its texts at once, system prompt first; itself if nothing was found."""
    blocks = [*(record.system or ()), *(block for message in record.messages for block in message.content)]
    texts, counts = redact([block.text for block in blocks])
    if not counts:
        return record, counts
    fresh = iter(texts)

    def renew(old: tuple[TextBlock, ...]) -> tuple[TextBlock, ...]:
        return tuple(msgspec.structs.replace(block, text=next(fresh)) for block in old)

    system = renew(record.system) if record.system is not None else None
    messages = tuple(msgspec.structs.replace(each, content=renew(each.content)) for each in record.messages)
    return msgspec.structs.replace(record, system=system, messages=messages), counts


def settle(text: str, spans: Iterable[Span]) -> list[Span]:
    """Findings that do not overlap, in order: the longer one wins, then the kind that `KINDS` names first.

    Nothing that overlaps a label counts: it stands for something that was replaced already.
    """
    chosen: list[Span] = []
    taken = [found.span() for found in _LABEL.finditer(text)] if "[" in text else []
    for span in sorted(
        set(spans), key=lambda span: (span.begin - span.end, _RANK.get(span.kind, 99), span.begin)
    ):
        if span.begin < span.end and all(span.end <= begin or end <= span.begin for begin, end in taken):
            taken.append((span.begin, span.end))
            chosen.append(span)
    return sorted(chosen)


def _echo(texts: list[str], found: list[list[Span]], values: dict[str, str]) -> list[list[Span]]:
    """Add the places where a value comes again, even where nothing beside it tells what it is.

    Args:
        texts: The texts.
        found: What was found in each.
        values: Kinds of the values found so far; those of `found` are added.
    """
    for text, spans in zip(texts, found, strict=True):
        for span in spans:
            if span.end - span.begin >= _SHORTEST_ECHO:
                values.setdefault(text[span.begin : span.end], span.kind)
    if not values:
        return found
    alternatives = "|".join(map(re.escape, sorted(values, key=len, reverse=True)))
    pattern = re.compile(rf"(?<![A-Za-z0-9_])(?:{alternatives})(?![A-Za-z0-9_])")
    return [
        settle(text, [*spans, *(Span(*again.span(), values[again[0]]) for again in pattern.finditer(text))])
        for text, spans in zip(texts, found, strict=True)
    ]


def _replace(text: str, spans: list[Span], names: _Names, counts: Counter[str]) -> str:
    pieces: list[str] = []
    position = 0
    for span in spans:
        pieces += (text[position : span.begin], names.of(span.kind, text[span.begin : span.end]))
        position = span.end
        counts[span.kind] += 1
    return "".join((*pieces, text[position:]))


class _Names:
    """What replaces a value: the same for the same value of a kind, however it is spaced or capitalised."""

    def __init__(self, texts: Iterable[str], style: Style, seed: int) -> None:
        self._style, self._key = style, str(seed).encode()[:64]
        self._known: dict[tuple[str, str], str] = {}
        self._last: Counter[str] = Counter()
        # A label that is there already keeps its number to itself.
        for text in texts:
            for word, number in _LABEL.findall(text) if "[" in text else ():
                if number.isdecimal():
                    self._last[word] = max(self._last[word], int(number))

    def of(self, kind: str, value: str) -> str:
        if self._style == "remove":
            return ""
        word = kind.upper().replace("-", "_")
        value = "".join(value.casefold().split()) if kind in _CASELESS else value
        if kind in _CASELESS and kind != "email":
            value = "".join(filter(str.isalnum, value))
        if (word, value) not in self._known:
            self._known[word, value] = f"[{word}_{self._number(word, value)}]"
        return self._known[word, value]

    def _number(self, word: str, value: str) -> str:
        if self._style == "hash":
            return hashlib.blake2b(
                f"{word}:{value}".encode("utf-8", "surrogatepass"), key=self._key, digest_size=5
            ).hexdigest()
        self._last[word] += 1
        return str(self._last[word])
