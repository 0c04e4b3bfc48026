"""The base of every spec: frozen, strict about names, and with errors that say which field and why."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from bedrock_distill.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Spec", "check_name", "plan_tags", "short_name"]

_NAME = re.compile(r"[0-9a-zA-Z]([_-]?[0-9a-zA-Z])*")


class Spec(BaseModel):
    """What the user wants, as a value.

    Raises:
        SpecError: On construction, naming every field at fault, its value and the rule.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)

    # Positional only: a job file may well hold a field called `self`, and must hear that there is none.
    def __init__(self, /, **fields: Any) -> None:
        try:
            super().__init__(**fields)
        except ValidationError as error:
            raise _as_spec_error(type(self), error) from error


def _as_spec_error(cls: type[Spec], error: ValidationError) -> SpecError:
    problems = []
    for problem in error.errors():
        field = ".".join(str(part) for part in problem["loc"])
        value = problem.get("input")
        shown = "" if problem["type"] == "missing" else f" (got {value!r})"
        rule = problem["msg"].removeprefix("Value error, ").removesuffix(".")
        # pydantic would also take a dict, and does not say how a spec is written.
        if problem["type"] == "model_type":
            rule = f"must be {problem['ctx']['class_name']}(…)"
        # What several fields break together names them itself, and its value would be the whole spec.
        problems.append((field or cls.__name__, f"{field}: {rule}{shown}" if field else rule))
    known = ", ".join(cls.model_fields)
    extra = (
        f" {cls.__name__} takes: {known}."
        if any(p["type"] == "extra_forbidden" for p in error.errors())
        else ""
    )
    return SpecError(
        f"{cls.__name__} cannot be made: " + "; ".join(text for _, text in problems) + "." + extra,
        field=problems[0][0],
        value=error.errors()[0].get("input"),
    )


def check_name(value: str) -> str:
    """A name that may become part of job, model, deployment and role names.

    Raises:
        ValueError: If it could not.
    """
    if not _NAME.fullmatch(value) or len(value) > 40:
        raise ValueError(
            "must be 1 to 40 letters and digits with single '-' or '_' between them; "
            "it becomes part of AWS names of at most 63 characters"
        )
    return value


def plan_tags(name: str, fingerprint: str, own: Mapping[str, str]) -> list[dict[str, str]]:
    """The tags of everything a plan makes, so that it can be found again; the user's own come last and win."""
    tags = {"bedrock-distill": name, "bedrock-distill:plan": fingerprint, **own}
    return [{"key": key, "value": value} for key, value in tags.items()]


def short_name(name: str, fingerprint: str, attempt: int = 1) -> str:
    """A resource's name: the spec's name, the plan's fingerprint, and the attempt where it is not the first.

    Underscores become hyphens, because job names have no underscores.
    """
    base = f"{name.replace('_', '-')}-{fingerprint[:8]}"
    return base if attempt == 1 else f"{base}-{attempt}"
