"""Texts of others in Markdown: shown as they are, whatever they hold."""

from __future__ import annotations

import re

__all__ = ["escaped"]

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~@!:&]|(?<=www)\.)")

_REFERENCE = re.compile(r"\\([@#])")
"""What names a person or an issue: GitHub takes it for that even behind a backslash, but not with a space of no width behind it."""


def escaped(text: str) -> str:
    """The text on one line, its marks taken literally: no link, no mention, no table cell of its own."""
    marked = _SPECIAL.sub(r"\\\1", " ".join(text.split()))
    return _REFERENCE.sub(r"\1&#8203;", marked)
