"""From what was counted to groups with measures, costs, scores and ranks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from bedrock_distill.profiling.calls import HINDRANCES, NO_VALUE
from bedrock_distill.profiling.measuring import measure_answers, measure_prompts
from bedrock_distill.profiling.report import REST, Group, ModelUse, Profile
from bedrock_distill.profiling.saving import MOST_PROMPTS, cost_of, saving_of
from bedrock_distill.profiling.scoring import FEWEST_PROMPTS, Facts, score_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import date, datetime

    from bedrock_distill.catalog import Catalog
    from bedrock_distill.profiling.counting import GroupCounts
    from bedrock_distill.profiling.saving import Assumptions
    from bedrock_distill.records.logs.tally import Tally

__all__ = ["Span", "assembled"]

_DAY_S: Final = 86_400
_MOSTLY: Final = 0.2


@dataclass(frozen=True, slots=True)
class Span:
    """From the first call to the last."""

    first: datetime | None
    last: datetime | None

    @classmethod
    def of(cls, counts: Iterable[GroupCounts]) -> Span:
        """The span of all groups."""
        spans = [(each.first, each.last) for each in counts]
        return cls(
            min((first for first, _ in spans if first is not None), default=None),
            max((last for _, last in spans if last is not None), default=None),
        )

    @property
    def days(self) -> float:
        """In days, and at least one: an hour says little about a day."""
        if self.first is None or self.last is None:
            return 1.0
        return max(1.0, (self.last - self.first).total_seconds() / _DAY_S)


def assembled(
    counts: Mapping[str, GroupCounts],
    values: Mapping[str, tuple[str, ...]],
    *,
    source: str,
    keys: tuple[str, ...],
    tally: Tally,
    span: Span,
    teacher: str | None,
    student: str | None,
    catalog: Catalog,
    region: str,
    assumptions: Assumptions,
    today: date,
    seconds: Callable[[], float],
) -> Profile:
    """The profile.

    Args:
        counts: Group's id -> what was counted.
        values: Group's id -> values of the keys; the rest has none.
        source: Where the logs lie.
        keys: What groups were made by.
        tally: What was read.
        span: From the first call to the last.
        teacher: Whose calls a student would take over.
        student: Who would answer.
        catalog: Where prices are.
        region: Where it is paid.
        assumptions: What no log can tell.
        today: When a pay-back begins.
        seconds: How long it took so far.
    """
    costs = {name: cost_of(each.models, catalog, region) for name, each in counts.items()}
    priced = all(usd is not None for cost in costs.values() for usd in cost.values())
    groups = []
    for name, each in counts.items():
        group = _group(
            name,
            each,
            dict(zip(keys, values.get(name, ()), strict=False)),
            costs[name],
            span.days,
            priced=priced,
        )
        if student is not None:
            saving = saving_of(
                each.distillable,
                days=span.days,
                prompts=group.distinct_prompts,
                teacher=teacher,
                student=student,
                catalog=catalog,
                region=region,
                assumptions=assumptions,
                today=today,
            )
            group = replace(group, saving=saving)
        groups.append(group)
    # The rest is many things, and no candidate: it comes last.
    groups.sort(key=lambda group: (group.id == REST, -group.score.value, -group.calls, group.id))
    ranked = tuple(replace(group, rank=rank) for rank, group in enumerate(groups, 1))
    missing = {name for group in ranked if group.saving for name in group.saving.missing}
    missing |= {
        f"{model}: {kind}"
        for cost in costs.values()
        for model, usd in cost.items()
        if usd is None
        for kind in ("input_1k_tokens", "output_1k_tokens")
        if catalog.price(model, kind, region) is None
    }
    made = Profile(
        source=source,
        keys=keys,
        scanned=tally.scanned,
        calls=tally.matched,
        skipped=dict(sorted(tally.skipped.items())),
        objects=tally.objects,
        broken=tuple(sorted(tally.broken, key=lambda each: each.name)),
        first=span.first,
        last=span.last,
        days=span.days,
        groups=ranked,
        teacher=teacher,
        student=student,
        assumptions=assumptions,
        missing_prices=tuple(sorted(missing)),
        remarks=(),
        seconds=seconds(),
    )
    return replace(made, remarks=tuple(_remarks(made)))


def _group(
    name: str,
    counts: GroupCounts,
    by: Mapping[str, str],
    costs: Mapping[str, float | None],
    days: float,
    *,
    priced: bool,
) -> Group:
    examples = counts.sample.items()
    prompts, answers = measure_prompts(examples), measure_answers(examples)
    uses = sorted(counts.models.items(), key=lambda item: (-item[1].tokens, item[0]))
    calls = sum(used.calls for _, used in uses)
    tokens = sum(used.tokens for _, used in uses)
    usable = sum(used.calls for used in counts.distillable.values())
    known = [costs[model] for model, _ in uses]
    usd = None if None in known else sum(cost or 0.0 for cost in known)
    distinct = counts.prompts.count
    facts = Facts(
        prompts=prompts,
        answers=answers,
        calls_per_day=calls / days,
        tokens_per_day=tokens / days,
        usd_per_day=usd / days if priced and usd is not None else None,
        usable_share=usable / calls,
        distinct_prompts=distinct,
    )
    return Group(
        id=name,
        rank=0,
        by=by,
        calls=calls,
        usable_calls=usable,
        left_out=dict(sorted(counts.left_out.items())),
        models=tuple(
            ModelUse(
                model=model,
                calls=used.calls,
                input_tokens=used.input_tokens,
                output_tokens=used.output_tokens,
                usd=costs[model],
            )
            for model, used in uses
        ),
        input_tokens=sum(used.input_tokens for _, used in uses),
        output_tokens=sum(used.output_tokens for _, used in uses),
        estimated_calls=counts.estimated,
        first=counts.first,
        last=counts.last,
        by_day=dict(sorted(counts.days.items())),
        calls_per_day=calls / days,
        distinct_prompts=distinct,
        distinct_pairs=counts.pairs.count,
        exact=counts.prompts.exact and counts.pairs.exact,
        prompts=prompts,
        answers=answers,
        usd=usd,
        usd_per_day=None if usd is None else usd / days,
        score=score_of(facts),
        saving=None,
    )


def _remarks(profile: Profile) -> Iterable[str]:
    """What a reader must know to take the numbers rightly."""
    if profile.first is None:
        yield "No call has a readable time: numbers a day are of one day."
    elif profile.last is not None and (profile.last - profile.first).total_seconds() < _DAY_S:
        yield "The calls lie within less than a day: numbers a day are of this day alone, and not extrapolated."
    estimated = sum(group.estimated_calls for group in profile.groups)
    if estimated:
        yield (
            f"Tokens of {estimated:,} calls were estimated (four bytes a token): the log has no count for them."
        )
    if profile.missing_prices:
        yield (
            f"Unknown prices: {'; '.join(profile.missing_prices[:6])}{' …' * (len(profile.missing_prices) > 6)}. What "
            "depends on them is unknown, and groups are ranked by tokens instead of money. Give them in a catalog file, "
            "or as prices (--price)."
        )
    answering = {use.model for group in profile.groups for use in group.models}
    if profile.teacher is not None and profile.teacher not in answering:
        yield (
            f"{profile.teacher}, which is named as teacher, answered none of these calls, so that a student would take over none. "
            f"Who answered: {', '.join(sorted(answering)[:6])}{' …' * (len(answering) > 6)}."
        )
    for key in profile.keys:
        if all(group.by.get(key) == NO_VALUE for group in profile.groups):
            yield f"No call has {key}, so that it tells no groups apart: its name may be another."
    for broken in profile.broken:
        yield f"{broken.name} could not be read to its end: {broken.reason}."
    yield from (remark for group in profile.groups for remark in _about(group))


def _about(group: Group) -> Iterable[str]:
    hindered = {reason: group.left_out.get(reason, 0) for reason in HINDRANCES}
    share = sum(hindered.values()) / group.calls
    if share >= _MOSTLY:
        which = ", ".join(f"{count:,} {reason}" for reason, count in hindered.items() if count)
        yield f"{group.id}: {share:.0%} of the calls cannot be distilled from logs ({which})."
    if group.id != REST and group.usable_calls and group.distinct_prompts < FEWEST_PROMPTS:
        yield (
            f"{group.id}: {group.distinct_prompts} different prompts; a distillation job needs {FEWEST_PROMPTS}. "
            "Where few prompts make many calls, a cache answers them for less."
        )
    if group.distinct_prompts - group.near_distinct_prompts >= _MOSTLY * group.distinct_prompts > 0:
        yield (
            f"{group.id}: of its different prompts at most about {group.near_distinct_prompts:,} are not nearly the same as "
            "another; choose with `data curate`."
        )
    if group.distinct_prompts > MOST_PROMPTS:
        about = "" if group.exact else "about "
        yield f"{group.id}: {about}{group.distinct_prompts:,} different prompts, of which a job takes {MOST_PROMPTS:,}."
