"""Values that have no HTML form: a notebook shows of them what `print` shows."""

from __future__ import annotations

from typing import Any

__all__ = ["Printed"]


class Printed:
    """Its text is what a notebook shows; a plain prompt shows its repr."""

    __slots__ = ()

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: FBT001 - IPython's protocol
        printer.text(repr(self) if cycle else str(self))
