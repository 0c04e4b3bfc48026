"""What every service is handed: the account, the facts, time, ids, memory, and the way to the cloud's own S3."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from bedrock_distill.errors import SpecError
from bedrock_distill.train.config import SIZES, TrainConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from bedrock_distill.catalog import Catalog
    from bedrock_distill.local.clock import LocalClock
    from bedrock_distill.local.grants import Grants
    from bedrock_distill.local.ids import Ids
    from bedrock_distill.local.store import Store
    from bedrock_distill.local.teachers import Teacher

__all__ = ["TrainingSettings", "World"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSettings:
    """How the local cloud trains a student when a customization job reaches its training phase.

    Raises:
        SpecError: If there is no such size, or the trainer has no such setting.
    """

    size: str | None = None
    """Name of the student size that stands for every catalog model; None lets each model have its own."""
    overrides: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the trainer's configuration to set, such as `{"steps": 50, "loss": "forward_kl"}`."""
    seed: int | None = None
    """Seed of the weights and of the order of records; None takes the cloud's seed."""
    timeout_s: float = 3600.0
    """A training run that takes longer is stopped and its job fails."""

    def __post_init__(self) -> None:
        """Refuse now what a job would refuse only when it comes to train."""
        known = [each.name for each in fields(TrainConfig)]
        for given, names, what in ([self.size], SIZES, "student size"), (self.overrides, known, "setting"):
            for name in given:
                if name is not None and name not in names:
                    raise SpecError(
                        f"The local cloud's trainer has no {what} {name!r}; there are: {', '.join(names)}.",
                        field="training",
                        value=name,
                    )


@dataclass(slots=True, kw_only=True)
class World:
    """The state and the means that services share. One for each cloud."""

    account_id: str
    catalog: Catalog
    clock: LocalClock
    ids: Ids
    store: Store
    workdir: Path
    """A directory of this cloud's own, for weights and scratch files."""
    teachers: Mapping[str, Teacher]
    """Teachers by the model id they answer for."""
    training: TrainingSettings
    client: Callable[[str, str], Any]
    """`client("s3", "us-east-1")`: a boto3 client to the cloud's own S3, IAM, STS, KMS or Logs.

    Calls through it are the cloud's, not the user's: no fault rule touches them and the call log leaves them out.
    """
    flush: Callable[[], object] = lambda: None
    """Deliver what services hold back, such as invocation logs. Whoever reads their deliveries calls it first."""
    door_url: Callable[[], str] = lambda: ""
    """URL of an HTTP door on this machine, opened at the first call: for what a service runs in a process of its own."""
    grants: Grants
    """Keys with which such a process acts as a role."""
    seed: int = 0
    lock: threading.RLock = field(default_factory=threading.RLock)
    """Hold it to look and then act on what was seen (is the name free? then take it)."""
