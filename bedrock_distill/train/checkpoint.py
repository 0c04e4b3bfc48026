"""The state of an interrupted run: one file, replaced whole, that the same settings and data go on from."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from bedrock_distill.errors import SpecError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Progress", "load_checkpoint", "save_checkpoint"]

FILE = "state.pt"


@dataclass(slots=True)
class Progress:
    """How far a run has come. The order of the data follows from `step`, so there is no position to keep beside it."""

    step: int = 0
    """Optimizer steps done."""
    tokens: int = 0
    """Tokens learned from."""
    seconds: float = 0.0
    """Time spent, over all launches."""


def save_checkpoint(
    directory: Path, *, fingerprint: str, progress: Progress, model: Any, optimizer: torch.optim.Optimizer
) -> Path:
    """Write the state beside the old one, then put it in its place: a crash leaves one of the two, never a half."""
    directory.mkdir(parents=True, exist_ok=True)
    state = {
        "fingerprint": fingerprint,
        "step": progress.step,
        "tokens": progress.tokens,
        "seconds": progress.seconds,
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "random": torch.get_rng_state(),
    }
    temporary = directory / f"{FILE}.writing"
    with temporary.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    target = directory / FILE
    temporary.replace(target)
    return target


def load_checkpoint(
    directory: Path, *, fingerprint: str, model: Any, optimizer: torch.optim.Optimizer
) -> Progress:
    """Bring model, optimizer and random numbers to where the run was; a new `Progress` where there is no checkpoint.

    Raises:
        SpecError: The checkpoint belongs to a run with other settings or other data.
    """
    path = directory / FILE
    if not path.exists():
        return Progress()
    state = torch.load(path, weights_only=True)
    if state["fingerprint"] != fingerprint:
        raise SpecError(
            f"training: {path} was left by a run with other settings or other data; give another output_dir, "
            "or remove the file to begin anew",
            field="output_dir",
            value=str(directory.parent),
        )
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    torch.set_rng_state(state["random"])
    return Progress(step=state["step"], tokens=state["tokens"], seconds=state["seconds"])
