"""Slices: retention of each kind of prompt, because an average hides the kind that broke.

What kind a prompt is of says a field of its record, the metadata of its request, or a function of the caller's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from bedrock_distill.errors import SpecError
from bedrock_distill.evaluation.metrics import parse_json
from bedrock_distill.evaluation.scoring import Paired, retention_estimate

if TYPE_CHECKING:
    from bedrock_distill.evaluation.scoring import MetricResult, Precision
    from bedrock_distill.evaluation.statistics import Estimate
    from bedrock_distill.evaluation.tasks import Task
    from bedrock_distill.records.schema import Record

__all__ = ["MOST_SLICES", "NONE", "SliceChoice", "SliceResult", "Slicing", "score_slices", "slice_task"]

MOST_SLICES: Final = 50
"""Most values that a field may have: more would be too few prompts each to say anything of."""

NONE: Final = "(none)"
"""The slice of the prompts that have no such field."""

SliceChoice: TypeAlias = "str | Callable[[Record], object]"
"""How a caller names a slicing: a field, or a function of the record (with its completion, where it has one)."""

_MOST_CHARS: Final = 60

_FIELDS: Final[Mapping[str, Callable[[Record], object]]] = {
    "system": lambda record: record.system_text,
    "prompt": lambda record: record.prompt_text,
    "completion": lambda record: record.completion,
    "messages": lambda record: len(record.prompt.messages),
}
"""What a field's first word may be; what follows a dot is looked up in the text read as JSON."""


@dataclass(frozen=True, slots=True)
class Slicing:
    """One way to divide the prompts."""

    name: str
    values: tuple[str, ...]
    """The slice of each prompt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceResult:
    """Retention on the prompts of one slice, by the metric that decides."""

    by: str
    """What the prompts were divided by: a field, or a function's name."""
    value: str
    """What these have in common."""
    n: int
    """How many prompts retention rests on; 0 where none of them has a reference and an answer of the teacher's."""
    retention: Estimate | None
    """The student's score over the teacher's; None without such prompts."""
    paired: Paired = field(repr=False)
    """The scores that it rests on."""

    @property
    def name(self) -> str:
        """Field and value, as reports write it: on one line, and not too long."""
        value = " ".join(self.value.split())
        if len(value) > _MOST_CHARS:
            # The end as well: long values, such as system prompts, often begin alike.
            value = f"{value[: _MOST_CHARS // 2]}…{value[1 - _MOST_CHARS // 2 :]}"
        return f"{self.by} = {value}"


def slice_task(
    task: Task, slices: SliceChoice | Sequence[SliceChoice] | Mapping[str, SliceChoice] | None
) -> tuple[Slicing, ...]:
    """Divide the prompts, before anything is asked.

    Args:
        task: The prompts.
        slices: Fields or functions; a mapping gives them names. Fields are `system`, `prompt`, `completion`, `messages`
            (how many), `metadata.KEY` of the request, and `prompt.KEY` and so on where the text is JSON; deeper keys
            follow after more dots.

    Raises:
        SpecError: If a field is unknown, no prompt has it, it has too many values, or a name stands for two slicings.
    """
    if slices is None:
        return ()
    named = _named(slices)
    return tuple(_slicing(name, choice, task) for name, choice in named.items())


def _named(
    slices: SliceChoice | Sequence[SliceChoice] | Mapping[str, SliceChoice],
) -> dict[str, SliceChoice]:
    if isinstance(slices, Mapping):
        return dict(slices)
    choices = [slices] if isinstance(slices, str) or callable(slices) else list(slices)
    names = [
        choice if isinstance(choice, str) else getattr(choice, "__name__", type(choice).__name__).strip("<>")
        for choice in choices
    ]
    if len(set(names)) < len(names):
        raise SpecError(
            f"Slices need names of their own: {names}. Give them in a mapping from name to field or function.",
            field="slices",
            value=names,
        )
    return dict(zip(names, choices, strict=True))


def _slicing(name: str, choice: SliceChoice, task: Task) -> Slicing:
    read = _reader(choice)
    metadata = task.metadata or ({},) * len(task.prompts)
    values = tuple(
        _text(read(prompt if reference is None else prompt.with_completion(reference), known))
        for prompt, reference, known in zip(task.prompts, task.references, metadata, strict=True)
    )
    distinct = set(values)
    if distinct == {NONE}:
        raise SpecError(
            f"No prompt of {task.source} has {name!r}, so there is nothing to slice by. Correct the field, or leave it out.",
            field="slices",
            value=name,
        )
    if len(distinct) > MOST_SLICES:
        raise SpecError(
            f"{name!r} has {len(distinct)} different values on {len(values)} prompts; at most {MOST_SLICES} can be slices. "
            "Group them with a function of the record.",
            field="slices",
            value=name,
        )
    return Slicing(name, values)


def _reader(choice: SliceChoice) -> Callable[[Record, Mapping[str, str]], object]:
    if not isinstance(choice, str):
        return lambda record, _metadata: _said(choice, record)
    first, _, rest = choice.partition(".")
    if first == "metadata" and rest:
        return lambda _record, metadata: metadata.get(rest)
    if first not in _FIELDS:
        known = ", ".join([*_FIELDS, "metadata.KEY", "prompt.KEY", "completion.KEY"])
        raise SpecError(
            f"{choice!r} is not a field to slice by. Known are {known}.", field="slices", value=choice
        )
    read = _FIELDS[first]
    if not rest:
        return lambda record, _metadata: read(record)
    return lambda record, _metadata: _inside(read(record), rest.split("."))


def _said(choice: Callable[[Record], object], record: Record) -> object:
    try:
        return choice(record)
    except Exception as error:
        error.add_note(
            f"A function to slice by raised this on the prompt {record.prompt_text[:_MOST_CHARS]!r}."
        )
        raise


def _inside(text: object, keys: list[str]) -> Any:
    """What stands under these keys of a text that is JSON, or None."""
    parsed = parse_json(text) if isinstance(text, str) else None
    value = None if parsed is None else parsed.value
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _text(value: object) -> str:
    if value is None:
        return NONE
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def score_slices(
    slicings: Sequence[Slicing],
    metric: MetricResult,
    *,
    places: Sequence[int],
    precision: Precision,
) -> tuple[SliceResult, ...]:
    """Retention of every slice, those of one field together, the largest first.

    Args:
        slicings: How the prompts are divided.
        metric: The metric that decides.
        places: Places of the prompts that the metric's retention rests on, in the order of its scores.
        precision: How intervals are found.
    """
    found = []
    for slicing in slicings:
        members: dict[str, list[int]] = {value: [] for value in slicing.values}
        # Places among the scores, which are those of some prompts only.
        for index, place in enumerate(places):
            members[slicing.values[place]].append(index)
        for value, indices in sorted(members.items(), key=lambda item: (-len(item[1]), item[0])):
            found.append(_result(slicing.name, value, indices, metric, precision))
    return tuple(found)


def _result(
    name: str, value: str, indices: list[int], metric: MetricResult, precision: Precision
) -> SliceResult:
    whole = metric.student.paired
    paired = Paired(tuple(whole.side[i] for i in indices), tuple(whole.teacher[i] for i in indices))
    seed = f"{precision.seed}:{metric.name}:{name}:{value}"
    return SliceResult(
        by=name,
        value=value,
        n=len(indices),
        retention=retention_estimate(paired, precision, seed) if indices else None,
        paired=paired,
    )
