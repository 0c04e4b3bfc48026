"""Building HTML and SVG with every text escaped: what is not already markup becomes text."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Child", "Markup", "element", "join"]

_VOID: Final = frozenset({"meta", "line", "rect", "circle", "path", "br"})
"""Elements without content; HTML and inline SVG both read them closed by a slash."""


_BIDI: Final = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""Controls that turn the direction of all text after them: in a slice's name, one would write the verdict backwards."""


class Markup(str):
    """Text that is markup already. Made by `element` and `join`, and by hand only from constants."""

    __slots__ = ()


Child: TypeAlias = "str | Markup | Iterable[Child] | None"
"""What an element may hold: markup, text to escape, several of these, or nothing."""


def element(name: str, /, *children: Child, **attributes: str | float | None) -> Markup:
    """An element.

    Args:
        name: Its tag.
        *children: Its content.
        **attributes: Its attributes: `class_` is `class`, other underscores become hyphens; None leaves one out.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_text(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID:
        return Markup(f"<{name}{written}/>")
    return Markup(f"<{name}{written}>{join(*children)}</{name}>")


def join(*children: Child) -> Markup:
    """Several children as one piece of markup."""
    return Markup("".join(map(_one, children)))


def _one(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Markup):
        return child
    if isinstance(child, str):
        return escape(_BIDI.sub(lambda found: f"[U+{ord(found[0]):04X}]", child))
    return join(*child)


def _text(value: str | float) -> str:
    # Coordinates need no more than a hundredth of a pixel.
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
