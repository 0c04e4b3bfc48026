"""Whether what comes still looks like what the threshold was chosen on: a test that may be looked at after every request.

The hypothesis is exchangeability: calibration values and those that came since, in any order, were equally likely. Each new
value gets its conformal p-value: its randomised rank among all values before it, which under the hypothesis is uniform and
independent of every earlier one (Vovk, Gammerman and Shafer, "Algorithmic learning in a random world"). A gambler bets against
that. Whoever multiplies a unit of money at fair odds gets to 1/level with a chance of at most `level`, however long he plays
(Ville's inequality): that is when the alarm goes off, and why it may be read at any time.

A few bets are made, each anew from every moment on that a change may have come at. What is not staked yet is kept as cash,
so that a long time without drift costs the logarithm of that time and not the fortune.
"""

from __future__ import annotations

import math
import random
import threading
from typing import TYPE_CHECKING, TypeAlias

from bedrock_distill.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["DriftAlarm", "Histogram", "histogram"]

Histogram: TypeAlias = "Mapping[int, int]"
"""Values from 0 to 1 in thousandths, and how many there are of each."""

_BINS = 1000
_BETS: tuple[Callable[[float], float], ...] = (
    lambda p: 2 * (1 - p),
    lambda p: 0.5 * p**-0.5,
    lambda p: 0.2 * p**-0.8,
    lambda p: 2 * p,
    lambda p: 0.5 * (1 - p) ** -0.5,
    lambda p: 0.2 * (1 - p) ** -0.8,
)
"""What a unit staked on each becomes: on average over uniform p, one. Three bet on higher values than before, mildly on many
somewhat higher ones and boldly on a few at the top, such as losses that had been rare; three on lower ones."""
_ENDS = 1e-9
"""p is kept so far from 0 and 1, where the bold bets pay without end."""
_RICH = 1e12
"""The fortune is not counted any further: the alarm has long been given."""


def histogram(values: Iterable[float]) -> dict[int, int]:
    """Count values from 0 to 1 in thousandths: enough to rank by, and small enough to keep."""
    counts: dict[int, int] = {}
    for value in sorted(values):
        counts[_bin(value)] = counts.get(_bin(value), 0) + 1
    return counts


class DriftAlarm:
    """Goes off when values stop to look like the calibration's. Thread-safe; memory does not grow.

    Once it has gone off it stays so: calibrate anew.

    Args:
        calibration: The values that the threshold was chosen on.
        level: Chance of ever going off while nothing has changed.
        seed: Where the randomness starts that breaks ties between equal values.

    Raises:
        SpecError: If there are no calibration values, or the level makes no sense.
    """

    def __init__(self, calibration: Histogram, *, level: float = 0.01, seed: int = 0) -> None:
        if not 0 < level < 1:
            raise SpecError(
                f"level must lie between 0 and 1, such as 0.01, not {level!r}.", field="level", value=level
            )
        if not calibration:
            raise SpecError(
                "A drift alarm needs the calibration's values, and there are none.", field="calibration"
            )
        self.level = level
        self._counts = [calibration.get(place, 0) for place in range(_BINS + 1)]
        self._total = sum(self._counts)
        self._dice = random.Random(seed)  # noqa: S311 - breaks ties
        self._lock = threading.Lock()
        self._stakes = [0.0] * len(_BETS)
        self._seen = 0
        self._peak = 1.0

    @property
    def seen(self) -> int:
        """How many values have come since calibration."""
        return self._seen

    @property
    def evidence(self) -> float:
        """The largest fortune so far, from a unit: 1/level gives the alarm."""
        return self._peak

    @property
    def fired(self) -> bool:
        """Whether the alarm has gone off."""
        return self._peak >= 1 / self.level

    def observe(self, value: float) -> bool:
        """Take the next value, from 0 to 1, and say whether the alarm has gone off, now or before.

        Raises:
            SpecError: If it lies outside.
        """
        if not 0 <= value <= 1:
            raise SpecError(
                f"An alarm watches values from 0 to 1, not {value!r}.", field="value", value=value
            )
        with self._lock:
            p = self._p_value(_bin(value))
            staked = (_cash(self._seen) - _cash(self._seen + 1)) / len(_BETS)
            self._seen += 1
            self._stakes = [
                min(_RICH, (stake + staked) * bet(p)) for stake, bet in zip(self._stakes, _BETS, strict=True)
            ]
            self._peak = max(self._peak, _cash(self._seen) + sum(self._stakes))
            return self.fired

    def _p_value(self, place: int) -> float:
        """The share of all values, this one included, that are above it, its equals counted by a throw of the dice."""
        above, equal = sum(self._counts[place + 1 :]), self._counts[place] + 1
        self._counts[place] += 1
        self._total += 1
        p = (above + self._dice.random() * equal) / self._total
        return min(1 - _ENDS, max(_ENDS, p))


def _cash(seen: int) -> float:
    """What is not staked after so many values: 1 at first, and less each time, so slowly that every moment gets its share."""
    return 1 / math.log2(seen + 2)


def _bin(value: float) -> int:
    return round(value * _BINS)
