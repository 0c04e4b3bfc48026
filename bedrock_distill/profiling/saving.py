"""What a student would save on a group, what it costs once, and when that is paid back. No price is made up.

Per day, with the calls of a single turn of text that the teacher (or any model, where none is named) answered:

    moved    = student_share x calls / days                  and their tokens likewise
    saved    = moved tokens x the answering models' prices - moved tokens x the student's prices
               - storage of the model / 30 - hosting
    one-off  = teacher's answers for N prompts + N x tokens x passes of training + evaluation
    pay-back = one-off / saved                               in days, from today

The student is taken to read and write as many tokens as the teacher did.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from bedrock_distill.errors import SpecError
from bedrock_distill.plan.estimate import Line

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from bedrock_distill.catalog import Catalog, PriceKind
    from bedrock_distill.profiling.counting import Usage

__all__ = ["MOST_PROMPTS", "Assumptions", "Saving", "cost_of", "saving_of"]

MOST_PROMPTS: Final = 15_000
"""A distillation job takes so many (the catalog's `distillation_max_prompts`)."""

_MONTH_DAYS: Final = 30
_LONGEST_DAYS: Final = 36_500
"""A pay-back beyond that is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumptions:
    """What no log can tell.

    Raises:
        SpecError: If a number makes no sense.
    """

    student_share: float = 0.9
    """Share of the calls that the student answers; the rest goes to the teacher as before."""
    examples: int = MOST_PROMPTS
    """Prompts to learn from, at most; never more than there are different ones."""
    ask_teacher: bool = True
    """Whether the teacher answers the prompts anew. Without that the logged answers are learned, and cost nothing."""
    passes: float = 1.0
    """How often the training reads the examples. Bedrock chooses, and says it afterwards: 1 is the least."""
    evaluation_prompts: int = 400
    """Prompts that both models answer to be compared."""
    hosting_usd_per_day: float = 0.0
    """What serving costs a day beside tokens, such as provisioned throughput or an endpoint."""

    def __post_init__(self) -> None:
        for name, holds, rule in (
            ("student_share", 0 < self.student_share <= 1, "above 0 and at most 1"),
            ("examples", 1 <= self.examples <= MOST_PROMPTS, f"from 1 to {MOST_PROMPTS:,}"),
            ("passes", 0 < self.passes < 1000, "above 0 and below 1,000"),
            ("evaluation_prompts", self.evaluation_prompts >= 0, "0 or more"),
            ("hosting_usd_per_day", 0 <= self.hosting_usd_per_day < 1e9, "0 or more"),
        ):
            if not holds:
                value = getattr(self, name)
                raise SpecError(
                    f"{name} is {value!r}; it must be {rule}.", field=f"assumptions.{name}", value=value
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """What distilling a group comes to. A number that needs an unknown price is None."""

    calls_per_day: float
    """Calls that the student would answer."""
    input_tokens_per_day: float
    output_tokens_per_day: float
    now_usd_per_day: float | None
    """What these calls cost now."""
    student_usd_per_day: float | None
    """What they would cost then: tokens, storage where its price is known, hosting."""
    examples: int
    """Prompts to learn from."""
    one_off: tuple[Line, ...]
    missing: tuple[str, ...]
    """Prices that are unknown, as `MODEL: KIND`."""
    payback_days: float | None
    """None where a price is unknown, or nothing is saved."""
    payback_on: date | None

    @property
    def usd_per_day(self) -> float | None:
        """Saved a day; negative where the student is dearer."""
        if self.now_usd_per_day is None or self.student_usd_per_day is None:
            return None
        return self.now_usd_per_day - self.student_usd_per_day

    @property
    def one_off_usd(self) -> float | None:
        """Paid once."""
        costs = [line.usd for line in self.one_off]
        return None if None in costs else sum(cost or 0.0 for cost in costs)


class _Prices:
    """Prices of one region; remembers which were asked for in vain."""

    def __init__(self, catalog: Catalog, region: str) -> None:
        self._catalog, self._region = catalog, region
        self.missing: dict[str, None] = {}

    def line(self, what: str, model: str, kind: PriceKind, tokens: float) -> Line:
        price = self._catalog.price(model, kind, self._region)
        if price is None and tokens:
            self.missing[f"{model}: {kind}"] = None
        source = "price unknown" if price is None else f"{price.source}, {price.as_of.isoformat()}"
        return Line(
            what=what,
            quantity=tokens / 1000,
            unit="1k tokens",
            unit_usd=0.0 if not tokens else price.usd if price else None,
            source=source,
        )

    def both(self, what: str, model: str, input_tokens: float, output_tokens: float) -> tuple[Line, Line]:
        return (
            self.line(f"{what}, input", model, "input_1k_tokens", input_tokens),
            self.line(f"{what}, output", model, "output_1k_tokens", output_tokens),
        )


def _total(lines: tuple[Line, ...]) -> float | None:
    costs = [line.usd for line in lines]
    return None if None in costs else sum(cost or 0.0 for cost in costs)


def cost_of(models: Mapping[str, Usage], catalog: Catalog, region: str) -> dict[str, float | None]:
    """What each model's calls cost, None where its price is unknown."""
    prices = _Prices(catalog, region)
    return {
        name: _total(prices.both(name, name, used.input_tokens, used.output_tokens))
        for name, used in models.items()
    }


def saving_of(
    distillable: Mapping[str, Usage],
    *,
    days: float,
    prompts: int,
    teacher: str | None,
    student: str,
    catalog: Catalog,
    region: str,
    assumptions: Assumptions,
    today: date,
) -> Saving | None:
    """What a student would save; None where no call could be moved to it.

    Args:
        distillable: The calls that a student could answer, by the model that answered.
        days: Over how many days they were made.
        prompts: Different prompts there are.
        teacher: Whose calls are moved. Default: everybody's; nobody then answers anew.
        student: Who would answer.
        catalog: Where prices are.
        region: Where it is paid.
        assumptions: What no log can tell.
        today: When the pay-back begins.
    """
    moved = {name: used for name, used in distillable.items() if teacher in (None, name) and used.calls}
    calls = sum(used.calls for used in moved.values())
    if not calls:
        return None
    share = assumptions.student_share / days
    asked = sum(used.input_tokens for used in moved.values())
    answered = sum(used.output_tokens for used in moved.values())
    prices = _Prices(catalog, region)
    now = tuple(
        line
        for name, used in moved.items()
        for line in prices.both("now", name, used.input_tokens * share, used.output_tokens * share)
    )
    then = _total(prices.both("student", student, asked * share, answered * share))
    storage = catalog.price(student, "storage_month", region)
    examples = min(assumptions.examples, prompts)
    one_off = _one_off(
        prices, assumptions, teacher, student, examples=examples, mean=(asked / calls, answered / calls)
    )
    fixed = assumptions.hosting_usd_per_day + (storage.usd / _MONTH_DAYS if storage else 0.0)
    saving = Saving(
        calls_per_day=calls * share,
        input_tokens_per_day=asked * share,
        output_tokens_per_day=answered * share,
        now_usd_per_day=_total(now),
        student_usd_per_day=None if then is None else then + fixed,
        examples=examples,
        one_off=one_off,
        missing=tuple(prices.missing),
        payback_days=None,
        payback_on=None,
    )
    return _paid_back(saving, today)


def _one_off(
    prices: _Prices,
    assumptions: Assumptions,
    teacher: str | None,
    student: str,
    *,
    examples: int,
    mean: tuple[float, float],
) -> tuple[Line, ...]:
    def answers(what: str, model: str, count: int) -> tuple[Line, Line]:
        return prices.both(what, model, count * mean[0], count * mean[1])

    lines: tuple[Line, ...] = ()
    if teacher is not None and assumptions.ask_teacher:
        lines += answers(f"teacher's answers to {examples:,} prompts", teacher, examples)
    tokens = examples * sum(mean) * assumptions.passes
    lines += (prices.line("student training", student, "training_1k_tokens", tokens),)
    count = assumptions.evaluation_prompts
    for side, model in (("teacher", teacher), ("student", student)):
        if model is not None and count:
            lines += answers(f"evaluation on {count:,} prompts, {side}", model, count)
    return lines


def _paid_back(saving: Saving, today: date) -> Saving:
    saved, once = saving.usd_per_day, saving.one_off_usd
    if saved is None or once is None or saved <= 0 or once / saved > _LONGEST_DAYS:
        return saving
    days = once / saved
    return replace(saving, payback_days=days, payback_on=today + timedelta(days=-(-days // 1)))
