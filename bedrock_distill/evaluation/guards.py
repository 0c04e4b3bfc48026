"""Guards on slices: which of them are shown to fall short of a floor, or to keep it, looked at all at once.

Whoever looks at twenty slices at alpha 5 % finds one that falls short by chance alone. So the p values of all slices are
corrected together by Holm's method: the chance that any sound slice is called short is at most alpha, however many
slices there are and whatever they have in common; and likewise the chance that any short slice is called kept.

Scores of 0 and 1 are judged by the score test with continuity correction. For other scores it is the capital of a bet
(see `sequential.py`), whose inverse is a p value for samples of any size: cautious, where a bootstrap of ten prompts
would be certain of what it cannot know.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from bedrock_distill.evaluation.noninferiority import retention_p_value, shortfall_p_value
from bedrock_distill.evaluation.sequential import capital_of
from bedrock_distill.evaluation.statistics import PairCounts, holm

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bedrock_distill.evaluation.scoring import Paired
    from bedrock_distill.evaluation.slices import SliceResult

__all__ = ["Guard", "GuardState", "guard_slices"]

GuardState: TypeAlias = Literal["kept", "short", "open", "blind"]
"""`kept`: shown to keep the floor. `short`: shown to fall short. `open`: neither. `blind`: nothing could be shown."""

_MOST_HITS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """What can be said of one slice."""

    name: str
    """The slice."""
    state: GuardState
    p_short: float
    """Holm's p value: small where the slice is shown to fall short of the floor."""
    p_kept: float
    """Holm's p value: small where the slice is shown to keep the floor."""
    needed: int | None
    """Of a blind slice: how many prompts that the teacher is right on it needs at least."""


def guard_slices(slices: Sequence[SliceResult], *, floor: float, alpha: float) -> tuple[Guard, ...]:
    """Judge all slices together.

    A slice is blind where it holds so few prompts that even a student that is wrong on all of them would not be noticed:
    a guard that cannot fail guards nothing.

    Args:
        slices: The slices, of one field or of several.
        floor: The retention that each must keep, above 0.
        alpha: Chance of calling any slice short that is not; and of calling any kept that is not.
    """
    short = [_p_short(each.paired, floor) for each in slices]
    kept = holm([_p_kept(each.paired, floor) for each in slices])
    blind = [_p_short(_all_wrong(each.paired), floor) > alpha / len(slices) for each in slices]
    return tuple(
        Guard(
            name=each.name,
            state=_state(unseen=unseen, p_short=p_short, p_kept=p_kept, alpha=alpha),
            p_short=p_short,
            p_kept=p_kept,
            needed=_needed(floor, alpha / len(slices)) if unseen else None,
        )
        for each, p_short, p_kept, unseen in zip(slices, holm(short), kept, blind, strict=True)
    )


def _state(*, unseen: bool, p_short: float, p_kept: float, alpha: float) -> GuardState:
    if p_short <= alpha:
        return "short"
    if p_kept <= alpha:
        return "kept"
    return "blind" if unseen else "open"


def _p_short(paired: Paired, floor: float) -> float:
    if paired.binary:
        return shortfall_p_value(paired.counts, floor)
    changes = [floor * teacher - side for side, teacher in _pairs(paired)]
    return _p_of_bets(changes, largest_loss=max(1.0, *paired.side))


def _p_kept(paired: Paired, floor: float) -> float:
    if paired.binary:
        return retention_p_value(paired.counts, floor)
    changes = [side - floor * teacher for side, teacher in _pairs(paired)]
    return _p_of_bets(changes, largest_loss=max(1.0, *(floor * score for score in paired.teacher)))


def _p_of_bets(changes: list[float], largest_loss: float) -> float:
    # No stake may lose more than all of it, so what scores allow to lose at most counts as 1.
    return min(1.0, 1 / capital_of([change / largest_loss for change in changes]))


def _pairs(paired: Paired) -> zip[tuple[float, float]]:
    return zip(paired.side, paired.teacher, strict=True)


def _all_wrong(paired: Paired) -> Paired:
    return type(paired)((0.0,) * len(paired.side), paired.teacher)


def _needed(floor: float, alpha: float) -> int | None:
    """The fewest prompts that the teacher is right on with which a student that is always wrong is noticed."""
    enough = (
        hits for hits in range(1, _MOST_HITS) if shortfall_p_value(PairCounts(0, 0, hits, 0), floor) <= alpha
    )
    return next(enough, None)
