"""What is wrong with a container's settings, found before anything is created."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from bedrock_distill.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Problem", "raise_errors"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One setting that cannot work (an error), or that may not do what is meant (a warning)."""

    field: str
    """The field of the container's spec, or `instance`."""
    value: object
    text: str
    """The value, the rule it breaks, and what to do."""
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        return f"{self.field}: {self.text}"


def raise_errors(problems: Iterable[Problem], *, what: str) -> None:
    """Raise what is an error among the problems, all of it in one message.

    Raises:
        SpecError: If any problem is an error; its field and value are those of the first.
    """
    errors = [problem for problem in problems if problem.severity == "error"]
    if errors:
        raise SpecError(
            f"{what} cannot work: {'; '.join(map(str, errors))}", field=errors[0].field, value=errors[0].value
        )
