"""A saturating power law through a learning curve, with what is not known about it.

    error(n) = plateau + (start - plateau) x (n / n0) ^ -rate

with n0 the least number of examples that was tried, `plateau` the error that no number of examples removes, `start` the error
at n0, and `rate` how fast the rest goes. What is measured is the law plus two kinds of noise: of the held-out prompts, which
is known, and of the training, whose size is not.

The answer is a posterior and not a best fit: all laws of a grid, each weighted by how well it explains the points, under the
same prior for all: the start uniform; the square root of plateau / start uniform, so that low plateaus are as likely as they
are found to be; the rate uniform in its logarithm. So a curve that says nothing about its plateau gets a wide interval,
where a best fit would name a number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["Interval", "Laws", "fit_laws"]

_RATES: Final = np.geomspace(0.1, 2.0, 24)
_TRAINING_NOISE: Final = (0.003, 0.01, 0.03)
"""Standard deviations of what two trainings on as much data differ by, any as likely as the other."""
_STEPS: Final = 80
_WIDE: Final = 4.0
"""Standard deviations beyond a point that the grid reaches."""
_DRAWS: Final = 4000
_LEVEL: Final = 0.9


@dataclass(frozen=True, slots=True)
class Interval:
    """A number, and the interval that holds it with 90 %."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True, slots=True)
class Laws:
    """Draws of the posterior: as many laws, each as likely as the other."""

    least: float
    """The number of examples that `start` is of."""
    plateau: NDArray[np.float64]
    start: NDArray[np.float64]
    rate: NDArray[np.float64]

    def error(self, examples: float) -> NDArray[np.float64]:
        """Each law's error after so many examples."""
        fall: NDArray[np.float64] = (self.start - self.plateau) * (examples / self.least) ** -self.rate
        return self.plateau + fall

    def until(self, gain: float) -> NDArray[np.float64]:
        """Each law's number of examples from which doubling them brings less than so much."""
        share = (self.start - self.plateau) * (1 - 2.0**-self.rate) / gain
        found: NDArray[np.float64] = self.least * np.maximum(share, 1e-12) ** (1 / self.rate)
        return found


def interval_of(draws: NDArray[np.float64]) -> Interval:
    """Median and 90 % of draws."""
    low, value, high = np.quantile(draws, [(1 - _LEVEL) / 2, 0.5, (1 + _LEVEL) / 2])
    return Interval(float(value), float(low), float(high))


def fit_laws(
    sizes: Sequence[int], errors: Sequence[float], deviations: Sequence[float], *, seed: int = 0
) -> Laws:
    """The laws that explain points.

    Args:
        sizes: How many examples, ascending.
        errors: The error after so many, from 0 to 1.
        deviations: Standard deviation of each, by the held-out prompts.
        seed: Of the draws.
    """
    n, y, known = (np.asarray(values, np.float64) for values in (sizes, errors, deviations))
    top = min(1.0, float((y + _WIDE * np.hypot(known, max(_TRAINING_NOISE))).max()))
    share, start = (
        values.ravel()
        for values in np.meshgrid(np.linspace(0, 1, _STEPS), np.linspace(0, top, _STEPS), indexing="ij")
    )
    plateau = start * share**2
    weights = []
    for rate in _RATES:
        misses = plateau[:, None] + (start - plateau)[:, None] * (n / n[0]) ** -rate - y
        for noise in _TRAINING_NOISE:
            variance = known**2 + noise**2
            weights.append(-0.5 * ((misses**2 / variance).sum(axis=1) + np.log(variance).sum()))
    table = np.stack(weights)
    chances = np.exp(table - table.max()).ravel()
    dice = np.random.default_rng(seed)
    drawn = dice.choice(len(chances), size=_DRAWS, p=chances / chances.sum())
    rows, columns = np.divmod(drawn, len(plateau))
    return Laws(
        least=float(n[0]),
        plateau=plateau[columns],
        start=start[columns],
        rate=_RATES[rows // len(_TRAINING_NOISE)],
    )
