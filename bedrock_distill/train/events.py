"""The protocol between the training process and whoever started it: one JSON object a line, versioned.

Nothing here imports torch: both sides read this file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["PROTOCOL", "EventKind", "StepMetric", "TrainEvent", "TrainResult", "decode_event", "encode_event"]

PROTOCOL = 1
"""Raised when a line of one side would be misread by the other."""

EventKind = Literal[
    "started", "teacher", "step", "validation", "checkpoint", "exported", "done", "stopped", "failed"
]


class StepMetric(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The losses at one optimizer step, in nats per response token."""

    step: int
    epoch: float
    training_loss: float | None = None
    validation_loss: float | None = None


class TrainEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that happened in a run. Fields that the kind has no use for keep their defaults."""

    kind: EventKind
    step: int = 0
    """Optimizer steps done."""
    steps: int = 0
    """Optimizer steps asked for."""
    epoch: float = 0.0
    """Passes over the data so far, with the fraction."""
    loss: float | None = None
    """Training or validation loss, nats per response token."""
    tokens: int = 0
    """Tokens learned from so far, prompts included, padding excluded."""
    tokens_per_s: float = 0.0
    """Of the last step; of the whole run in `done`."""
    learning_rate: float = 0.0
    gradient_norm: float = 0.0
    seconds: float = 0.0
    """Since the run started; for `step` the step's own time, for `teacher` since it began to read."""
    processor_s: float = 0.0
    """Processor time of all threads, for `step` and `teacher`: less than `seconds` promises where others compute too."""
    message: str = ""
    """For people: what was found at the start, or why it failed."""
    path: str = ""
    """What was written: the model or checkpoint directory."""
    records: int = 0
    """Records learned from."""
    too_long: int = 0
    """Records left out because they are longer than `max_tokens`."""
    parameters: int = 0
    error: str = ""
    """For `failed`: class name in `bedrock_distill.errors`, or empty for a crash."""
    field: str = ""
    """For `failed` with a `SpecError`: the field."""
    protocol: int = PROTOCOL


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainResult:
    """How a run ended."""

    model_dir: Path | None
    """The exported student, or None when stopped before the end."""
    steps: int
    training_loss: float | None
    """Mean over the last tenth of the steps, nats per response token."""
    validation_loss: float | None
    """At the last validation, or None where nothing was held out."""
    tokens: int
    seconds: float
    step_metrics: list[StepMetric]
    stopped: bool = False
    """Stopped on request; launching again with the same settings goes on from the checkpoint."""
    records: int = 0
    too_long: int = 0


_decoder = msgspec.json.Decoder(TrainEvent)
_encoder = msgspec.json.Encoder()


def encode_event(event: TrainEvent) -> bytes:
    """One line, with its newline."""
    return _encoder.encode(event) + b"\n"


def decode_event(line: bytes) -> TrainEvent:
    """Read a line of `encode_event`.

    Raises:
        ValueError: Not an event, or of a protocol this version does not speak.
    """
    event = _decoder.decode(line)
    if event.protocol != PROTOCOL:
        raise ValueError(
            f"the training process speaks protocol {event.protocol}, this package {PROTOCOL}; "
            "both must come from the same installation of bedrock-distill"
        )
    return event
