"""The texts of a line, read off where they stand, if the line is laid out as JSON writers lay records out.

Almost every line comes from `json.dumps` or a sister of it: the documented keys in the documented order, with the usual
blanks or with none. Between its texts such a line holds nothing but fixed bytes. So it is enough to compare those and to
decode the texts: that costs less than decoding the whole and then looking for keys that stand twice, which the decoder
is silent about. Lines with another layout are as good; `checking.py` decodes them whole.
"""

from __future__ import annotations

import json
from functools import lru_cache
from itertools import product
from typing import NamedTuple

import msgspec
from msgspec import to_builtins

from bedrock_distill.records.schema import Record
from bedrock_distill.records.tokens import SEPARATOR

__all__ = ["read_off"]

_MARK = "@"
_HEAD_BYTES = 49
"""So many first bytes of a line tell its layout: up to the first letters of the second key, with blanks or without."""
_REPEATED_BYTES = 1 << 12
"""Longest system prompt, in bytes, that is remembered."""

_decode_text = msgspec.json.Decoder(str).decode


class _Layout(NamedTuple):
    """The fixed bytes of a layout. Each begins and ends with the quotes of the texts beside it."""

    begin: bytes
    begin_size: int
    after_system: bytes
    """What stands between system prompt and prompt; nothing where there is no system prompt."""
    brace_after_system: int
    """Where its first brace stands."""
    after_prompt: bytes
    """What stands between prompt and completion."""
    brace_after_prompt: int


def _layouts() -> dict[bytes, _Layout]:
    """By a line's first bytes: what `json.dumps` makes of records whose texts are a mark, cut at the marks."""
    layouts = {}
    for system, separators in product((None, _MARK), ((",", ":"), (", ", ": "))):
        record = to_builtins(Record.of(_MARK, system=system, completion=_MARK))
        line = json.dumps(record, separators=separators).encode()
        begin, *after_system, after_prompt, _ = line.split(_MARK.encode())
        after = b"".join(after_system)
        layouts[begin[:_HEAD_BYTES]] = _Layout(
            begin, len(begin), after, after.find(b"{"), after_prompt, after_prompt.find(b"{")
        )
    return layouts


_LAYOUTS = _layouts()
_END = b'"}]}]}'  # the same in every layout
_LAST = 1 - len(_END)
"""Where the last text of a line ends, its quote included."""


def read_off(line: bytes) -> tuple[bytes, bool] | None:
    """The `joined_texts` of a valid record of one turn, and whether it is labelled; None if the layout is another.

    Args:
        line: The line, without its newline.

    Raises:
        msgspec.DecodeError: If a text is no JSON string.
        UnicodeDecodeError: If a text is not UTF-8.
    """
    layout = _LAYOUTS.get(line[:_HEAD_BYTES])
    if layout is None or not line.endswith(_END):
        return None
    begin, start, after_system, brace_after_system, after_prompt, brace_after_prompt = layout
    if not line.startswith(begin):
        return None
    # The fixed bytes between two texts hold bare quotes, and no text does: so where they stand, a text has ended. One
    # byte is found many times faster than several, and few texts hold a brace: hence the leap to the next one.
    find = line.find
    joined = b""
    brace = find(b"{", start)
    if after_system:
        at = find(after_system, brace - brace_after_system)
        if at < 0:
            return None
        system = line[start - 1 : at + 1]
        joined = _repeated(system) if len(system) < _REPEATED_BYTES else _separated(system)
        if not joined:
            return None
        start = at + len(after_system)
        brace = find(b"{", start)
    at = -1 if brace < 0 else find(after_prompt, brace - brace_after_prompt)
    if at < 0:
        prompt = _plain(line[start - 1 : _LAST])
        return (joined + prompt, False) if prompt else None
    prompt, completion = _plain(line[start - 1 : at + 1]), _plain(line[at + len(after_prompt) - 1 : _LAST])
    return (b"".join((joined, prompt, SEPARATOR, completion)), True) if prompt and completion else None


def _plain(text: bytes) -> bytes:
    """A JSON string as plain UTF-8; nothing if it is blank."""
    value = _decode_text(text)
    return b"" if value.isspace() else value.encode()


def _separated(system: bytes) -> bytes:
    """A system prompt as plain UTF-8, with what separates it from the prompt; nothing if it is blank."""
    plain = _plain(system)
    return plain and plain + SEPARATOR


_repeated = lru_cache(64)(_separated)  # the same system prompt stands in many records
