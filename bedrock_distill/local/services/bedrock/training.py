"""What the local cloud asks of the trainer for one job: sensible defaults, then the cloud's own settings over them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from bedrock_distill.errors import SpecError
from bedrock_distill.local.services.bedrock.job_data import JobFailure
from bedrock_distill.local.students import size_for, weights_dir
from bedrock_distill.local.teachers import HuggingFaceTeacher, Teacher
from bedrock_distill.train.config import TrainConfig

if TYPE_CHECKING:
    from pathlib import Path

    from bedrock_distill.local.world import World

__all__ = ["Budget", "budget_for", "training_config"]

MAX_TOKENS = 4096
"""Longest record that is learned from: what a student of ours can read. Longer ones are left out by the trainer."""

BYTES_PER_TOKEN = 3
"""What the trainer's own small vocabularies come to, roughly."""

PASSES = 8
"""Passes over the data, within the bounds below."""
MIN_STEPS, MAX_STEPS = 300, 800
"""Fewer steps leave a small student half taught; more buy little."""
TOKENS_A_STEP = 8_192
"""With long records a step takes fewer of them, so that it stays short."""
TOKENS_A_JOB = 1_500_000
"""Two minutes or so on two cores; with long records this comes before `MIN_STEPS`."""
LONG_RECORD = 1_000
"""Tokens at which attention costs about as much as all the rest: a token of such a record counts twice."""
MIN_BATCH, MAX_BATCH = 4, 16
VOCABULARY = 4096
"""Enough for the words of a narrow job to be whole, which a small student learns from sooner; text is shorter, too."""
VALIDATION_SHARE = 0.05
"""Bedrock splits the data itself, and does not say how."""


class Budget(NamedTuple):
    """How long and how broad a training is."""

    steps: int
    batch_size: int


def budget_for(records: int, size_bytes: int) -> Budget:
    """A budget that teaches a small student and ends within minutes, whatever the data.

    Args:
        records: How many training records there are.
        size_bytes: How large they are together.
    """
    tokens = max(1, size_bytes // (BYTES_PER_TOKEN * max(1, records)))
    batch = min(max(MIN_BATCH, TOKENS_A_STEP // tokens), MAX_BATCH)
    steps = min(max(MIN_STEPS, PASSES * -(-records // batch)), MAX_STEPS)
    cost = tokens * batch * (1 + tokens / LONG_RECORD)
    return Budget(min(steps, max(1, int(TOKENS_A_JOB / cost))), batch)


def training_config(
    world: World, base_id: str, *, start_arn: str, folder: Path, teacher: Teacher | None
) -> TrainConfig:
    """The trainer's settings for a job.

    Args:
        world: The cloud; its `training.overrides` have the last word.
        base_id: The student's model id.
        start_arn: ARN of the custom model to start from, or an empty string.
        folder: The job's folder, with `training.jsonl` in it.
        teacher: The teacher; its directory is used where the settings ask for a loss on logits.

    Raises:
        JobFailure: If the settings break one of the trainer's rules.
    """
    data = folder / "training.jsonl"
    budget = budget_for(_records(data), data.stat().st_size)
    settings: dict[str, Any] = {
        "data": data,
        "output_dir": folder / "training",
        "batch_size": budget.batch_size,
        "max_tokens": MAX_TOKENS,
        "vocab_size": VOCABULARY,
        "validation_share": VALIDATION_SHARE,
        "seed": world.seed if world.training.seed is None else world.training.seed,
    }
    if start_arn:
        settings["init_dir"] = weights_dir(world, start_arn)
    else:
        settings["size"] = size_for(world, base_id).name
    overrides = dict(world.training.overrides)
    if "epochs" not in overrides:
        settings["steps"] = budget.steps
    if overrides.get("loss", "text") != "text" and isinstance(teacher, HuggingFaceTeacher):
        settings["teacher_dir"] = teacher.model_dir
    try:
        return TrainConfig(**{**settings, **overrides})
    except (SpecError, TypeError) as error:
        raise JobFailure(f"The local cloud's training settings do not hold: {error}") from error


def _records(data: Path) -> int:
    with data.open("rb") as stream:
        return sum(1 for _ in stream)
