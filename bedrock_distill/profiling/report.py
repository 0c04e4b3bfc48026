"""What a profile found, as values: groups of traffic, ranked by how worth distilling they are."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import msgspec

from bedrock_distill.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from bedrock_distill.profiling.learning import LearningCurve
    from bedrock_distill.profiling.measuring import Answers, Prompts
    from bedrock_distill.profiling.saving import Assumptions, Saving
    from bedrock_distill.profiling.scoring import Score
    from bedrock_distill.records.logs.tally import Broken

__all__ = ["REST", "Group", "ModelUse", "Profile"]

REST = "rest"
"""Id of the group of all calls that no other group holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelUse:
    """What one model answered in a group."""

    model: str
    """The plain model id where the log's name tells it, or else that name."""
    calls: int
    input_tokens: int
    output_tokens: int
    usd: float | None
    """What that cost, or None where a price is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Calls that share their template and their values of the chosen keys."""

    id: str
    """Names the group; follows from the keys' values and the template."""
    rank: int
    """By score, from 1."""
    by: Mapping[str, str]
    """Key -> value; empty for the rest."""
    calls: int
    usable_calls: int
    """Single turns of text: what a student could answer."""
    left_out: Mapping[str, int]
    """Reason -> calls that make no pair of prompt and answer."""
    models: tuple[ModelUse, ...]
    """Who answered; the most tokens first."""
    input_tokens: int
    output_tokens: int
    estimated_calls: int
    """Calls whose tokens were estimated from their texts, because the log has no count."""
    first: datetime | None
    last: datetime | None
    by_day: Mapping[str, int]
    """Day in UTC -> calls."""
    calls_per_day: float
    """Mean over the time span of the whole profile."""
    distinct_prompts: int
    """Different single-turn prompts."""
    distinct_pairs: int
    """Different ones with a usable answer."""
    exact: bool
    """Whether both are exact; if not, they are within some 3 %."""
    prompts: Prompts
    answers: Answers | None
    """None where no answer can be used."""
    usd: float | None
    """What all calls cost, or None where the price of some model is unknown."""
    usd_per_day: float | None
    score: Score
    saving: Saving | None
    """None where no student was named, or none of the calls could be moved to it."""

    @property
    def name(self) -> str:
        """Keys and template, for people."""
        if self.id == REST:
            return "everything else"
        keys = [
            f"{key.removeprefix('metadata.')}={' '.join(value.split())}" for key, value in self.by.items()
        ]
        return " · ".join([*keys, self.prompts.template or "no fixed text"])

    @property
    def near_distinct_prompts(self) -> int:
        """Different prompts without near-duplicates: at most about so many, by what is alike within the sample."""
        prompts = self.prompts
        share = prompts.near_duplicates / prompts.distinct if prompts.distinct else 0.0
        return round(self.distinct_prompts * (1 - share))

    @property
    def answer_kind(self) -> str:
        """What the answers are, in a word or two."""
        answers = self.answers
        if answers is None:
            return "none"
        if answers.labels:
            return f"{len(answers.labels)} label{'s' * (len(answers.labels) > 1)}"
        if answers.json_share >= 0.5:
            return f"JSON {answers.schema_share:.0%}"
        return "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What logs hold, by groups."""

    source: str
    keys: tuple[str, ...]
    """What groups were made by, beside templates."""
    scanned: int
    """Lines, blank ones left out: calls and skipped ones together."""
    calls: int
    skipped: Mapping[str, int]
    """Reason -> lines that are no call of a model that answers prompts, or were not selected."""
    objects: int
    broken: tuple[Broken, ...]
    """Objects that could not be read to their end."""
    first: datetime | None
    last: datetime | None
    days: float
    """The time span, at least one day: less says nothing about days."""
    groups: tuple[Group, ...]
    """By rank."""
    teacher: str | None
    student: str | None
    assumptions: Assumptions
    missing_prices: tuple[str, ...]
    """Prices that are unknown, as `MODEL: KIND`."""
    remarks: tuple[str, ...]
    curve_of: str | None = None
    """Id of the group that the learning curve is of."""
    curve: LearningCurve | None = None
    seconds: float = field(default=0.0, compare=False)

    def group(self, wanted: str | int) -> Group:
        """A group, by its id or its rank.

        Raises:
            SpecError: If there is none.
        """
        text = str(wanted)
        for group in self.groups:
            if text in (group.id, str(group.rank)):
                return group
        known = ", ".join(group.id for group in self.groups[:8]) or "no groups"
        raise SpecError(
            f"There is no group {text!r}: name one by its rank, from 1 to {len(self.groups)}, or its id ({known}).",
            field="group",
            value=wanted,
        )

    def with_curve(self, group: Group, curve: LearningCurve) -> Profile:
        """The profile with a learning curve of one of its groups."""
        return replace(self, curve_of=group.id, curve=curve)

    def to_dict(self) -> dict[str, Any]:
        """The profile as plain values for JSON."""
        document: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(self))
        for group, shown in zip(self.groups, document["groups"], strict=True):
            shown |= {
                "name": group.name,
                "answer_kind": group.answer_kind,
                "near_distinct_prompts": group.near_distinct_prompts,
            }
            if group.saving is not None:
                shown["saving"] |= {
                    "usd_per_day": group.saving.usd_per_day,
                    "one_off_usd": group.saving.one_off_usd,
                }
        if self.curve is not None:
            document["curve"] = self.curve.to_dict()
        return document

    def to_markdown(self) -> str:
        """The profile in GitHub's Markdown; texts of the logs are escaped."""
        from bedrock_distill.profiling.rendering import markdown  # noqa: PLC0415 - rendering needs profiles

        return markdown(self)

    def to_html(self) -> str:
        """The profile as an HTML page of its own; texts of the logs are escaped."""
        from bedrock_distill.profiling.rendering import page  # noqa: PLC0415 - as above

        return page(self)

    def __str__(self) -> str:
        from bedrock_distill.profiling.rendering import plain  # noqa: PLC0415 - as above

        return plain(self)

    def __repr__(self) -> str:
        return f"<Profile of {self.source!r}: {self.calls:,} calls in {len(self.groups)} groups>"

    def _repr_html_(self) -> str:
        from bedrock_distill.profiling.rendering import html  # noqa: PLC0415 - as above

        return html(self)
