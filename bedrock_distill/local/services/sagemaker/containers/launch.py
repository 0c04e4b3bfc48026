"""How a container was told to serve, and the end of one that could not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MOUNTED", "CrashError", "Family", "Launch"]

Family = Literal["lmi", "trtllm", "vllm", "tgi"]

MOUNTED = "/opt/ml/model"
"""Where SageMaker puts a model's files."""


class CrashError(RuntimeError):
    """A container ended before it was healthy.

    Attributes:
        lines: What it wrote to its log; none for one that dies before it can write.
    """

    def __init__(self, *lines: str) -> None:
        super().__init__("; ".join(lines))
        self.lines = lines


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """The settings that a container came to, from its image and environment."""

    family: Family
    tensor_parallel: int | None
    """GPUs that share the model; None for as many as there are."""
    max_length: int | None = None
    """Most tokens of a prompt and its answer; None for all that the model has."""
    most_input: int | None = None
    """Most tokens of a prompt, where the container has a bound for it (TGI)."""
    memory_share: float = 0.9
    """Share of a GPU's memory that the server may take."""
    sequences: int = 256
    """Requests that are answered side by side."""
    quantization: str | None = None
    dtype: str = "auto"
    served_name: str = MOUNTED
    """What a request must call the model, where the container asks."""
    asks_name: bool = False
    """Whether it asks."""
    rolling: bool = False
    """Whether LMI's older handler answers, which spells a token's probability `log_prob`."""
    s3_model: str | None = None
    """A prefix that the container itself downloads (LMI)."""
    adapters: Mapping[str, str] | None = None
