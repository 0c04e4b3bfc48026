"""How long an endpoint may take to download a model and to start, from the bytes of its weights."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["LEAST_S", "MOST_S", "Timeouts", "timeouts"]

LEAST_S, MOST_S = 60, 3600
"""What SageMaker takes for either (ProductionVariant in its model)."""

_BYTES_PER_S = 100 * 10**6
"""Assumed: the slowest reading of weights, from S3 and again from disk, that is not a fault."""

_DOWNLOAD_BASE_S = 300
_STARTUP_BASE_S = 600
"""Assumed: pulling the image, starting the server, compiling, capturing CUDA graphs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds that SageMaker waits before it gives an endpoint up."""

    download_s: int
    """ModelDataDownloadTimeoutInSeconds."""
    startup_s: int
    """ContainerStartupHealthCheckTimeoutInSeconds."""


def timeouts(weight_bytes: int, *, compile_s: int = 0) -> Timeouts:
    """Timeouts for weights of so many bytes: a base, and the weights at 100 MB/s; within what SageMaker takes.

    They are generous on purpose: a server that fails ends its container long before, and a timeout that is too short
    fails an endpoint that would have come up.

    Args:
        weight_bytes: Bytes of the model's files.
        compile_s: Seconds more to start, where the container compiles the model first.
    """
    reading = weight_bytes // _BYTES_PER_S
    return Timeouts(
        download_s=_clamped(_DOWNLOAD_BASE_S + reading),
        startup_s=_clamped(_STARTUP_BASE_S + compile_s + reading),
    )


def _clamped(seconds: int) -> int:
    return max(LEAST_S, min(MOST_S, seconds))
