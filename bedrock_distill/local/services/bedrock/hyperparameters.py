"""The hyperparameters that fine-tuning jobs may carry, as AWS documents them for each family.

They are checked and echoed. They do not steer the local trainer: a learning rate that suits an adapter on a model of
billions of weights says nothing about a small student trained from scratch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bedrock_distill.local.gateway.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["RANGES", "check_hyperparameters"]

RANGES: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "nova": {
        "epochCount": (1, 5),
        "batchSize": (1, 1),  # not in the table, but AWS's own samples send it
        "learningRate": (1e-6, 1e-4),
        "learningRateWarmupSteps": (0, 100),
    },
    "llama": {"epochCount": (1, 10), "batchSize": (1, 1), "learningRate": (5e-6, 0.1)},
    "anthropic": {
        "epochCount": (1, 10),
        "batchSize": (4, 256),
        "learningRateMultiplier": (0.1, 2),
        "earlyStoppingThreshold": (0, 0.1),
        "earlyStoppingPatience": (1, 10),
    },
}
"""Family -> hyperparameter -> smallest and largest value. Source: user guide, custom-models-hp, read 2026-10-01."""


def check_hyperparameters(family: str, given: Mapping[str, str]) -> None:
    """Check names and values.

    Raises:
        AwsError: ValidationException, naming the hyperparameter.
    """
    known = RANGES.get(family, {})
    for name, text in given.items():
        if name not in known:
            raise AwsError(
                "ValidationException", f"Unknown hyperparameter {name}. Valid ones are: {', '.join(known)}."
            )
        low, high = known[name]
        try:
            value = float(text)
        except ValueError:
            raise AwsError(
                "ValidationException", f"The hyperparameter {name} is not a number: {text!r}."
            ) from None
        if not low <= value <= high:
            raise AwsError(
                "ValidationException",
                f"The hyperparameter {name} must be between {low:g} and {high:g}, not {text}.",
            )
