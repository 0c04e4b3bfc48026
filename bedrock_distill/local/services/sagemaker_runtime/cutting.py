"""Cutting a stream's bytes as the network does: anywhere, in the middle of a line or of a character."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["cut"]

_MOST_CUTS = 2
_HELD_BACK = 0.25
"""How often the end of a frame waits for the next one."""


def cut(frames: Iterator[bytes], seed: int | str) -> Iterator[bytes]:
    """The same bytes in other parts; the same seed cuts the same frames at the same places.

    Args:
        frames: What a container writes.
        seed: Any number or text.
    """
    dice = random.Random(seed)  # noqa: S311 - for variety, not for secrets
    held = b""
    try:
        for frame in frames:
            data = held + frame
            places = sorted(dice.randrange(1, len(data) + 1) for _ in range(dice.randint(0, _MOST_CUTS)))
            parts = [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]
            held = parts.pop() if len(parts) > 1 and dice.random() < _HELD_BACK else b""
            yield from filter(None, parts)
        if held:
            yield held
    finally:
        close = getattr(frames, "close", None)
        if close is not None:
            close()
