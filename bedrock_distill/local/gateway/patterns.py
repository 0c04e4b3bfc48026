r"""Patterns of the service models, matched in Python: written for Java, and some of them exponential in `re`.

AWS's patterns describe the whole value. Most run as they are. Three kinds need help:

* `(-*[a-z\-])*`, where the class holds the hyphen too: every hyphen may belong to either half, and `re` tries all ways.
  The language is the same without the `-*`, which is how it is matched here. (Job names of Bedrock are such.)
* Java's classes of characters (`\p{L}`): spelled out from the Unicode database.
* What Python cannot read at all: not checked, as AWS would be stricter only in odd corners.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from itertools import groupby

__all__ = ["matches"]

_HYPHEN_TWICE = re.compile(
    r"""
    \( -\* (?P<letters> \[ [^\]]* \\- [^\]]* \] ) \)    # (-*[...\-...]) : the class holds the hyphen
    (?: \* | \{ 0, \d+ \} )                             # any number of times; the length has its own limit
    """,
    re.VERBOSE,
)
_ANYTHING = r"[\s\S]*"
_REWRITTEN = {
    # Any text at all, in a form that takes exponential time to say so.
    r".*(?:[ \r\n\t].*)*": _ANYTHING,
    r".*(?:[ \r\n\t].*)*.*": _ANYTHING,
    # One turn of the inner group says as much as forty.
    r"[a-z0-9]([-a-z0-9]*[a-z0-9]){0,39}?": r"[a-z0-9]([-a-z0-9]*[a-z0-9])?",
    r"https://([.\-_a-zA-Z0-9]+/?){3,1016}": r"https://[.\-_a-zA-Z0-9/]{3,1016}",
}
_LAST_LETTER = 0x323AF
_POSIX = {"Alnum": "a-zA-Z0-9", "Alpha": "a-zA-Z", "ASCII": r"\x00-\x7f", "Print": r"\x20-\x7e"}
_PROPERTY = re.compile(r"\\p\{(\w+)\}")


def matches(pattern: str, value: str) -> bool:
    """Whether the whole of `value` fits a service model's pattern."""
    compiled = _compiled(pattern)
    return compiled is None or compiled.fullmatch(value) is not None


@cache
def _compiled(pattern: str) -> re.Pattern[str] | None:
    text = _REWRITTEN.get(pattern, pattern)
    text = _HYPHEN_TWICE.sub(lambda found: found["letters"] + "*", text)
    text = _spell_out_properties(text).replace(r"\z", r"\Z")
    try:
        return re.compile(text)
    except re.error:
        return None


def _spell_out_properties(pattern: str) -> str:
    r"""Replace `\p{L}` by the characters it stands for, within a class or outside one."""
    result, position, in_class = "", 0, False
    for found in _PROPERTY.finditer(pattern):
        between = pattern[position : found.start()]
        in_class = _ends_in_class(between, in_class)
        letters = _letters_of(found[1])
        result += between + (letters if in_class else f"[{letters}]")
        position = found.end()
    return result + pattern[position:]


def _ends_in_class(text: str, in_class: bool) -> bool:  # noqa: FBT001 - a state, passed on
    plain = re.sub(r"\\.", "", text)
    for letter in plain:
        if letter == "[":
            in_class = True
        elif letter == "]":
            in_class = False
    return in_class


@cache
def _letters_of(name: str) -> str:
    """The inside of a character class that stands for a property such as `L` or `Lu`."""
    if name in _POSIX:
        return _POSIX[name]
    codes = [
        code for category, members in _categories().items() if category.startswith(name) for code in members
    ]
    ranges = ""
    for _, run in groupby(enumerate(sorted(codes)), key=lambda pair: pair[1] - pair[0]):
        members = [code for _, code in run]
        ranges += f"\\U{members[0]:08x}-\\U{members[-1]:08x}"
    return ranges


@cache
def _categories() -> dict[str, list[int]]:
    """Code points by their general category, up to the last letter that Unicode has."""
    found: dict[str, list[int]] = {}
    for code in range(_LAST_LETTER + 1):
        found.setdefault(unicodedata.category(chr(code)), []).append(code)
    return found
