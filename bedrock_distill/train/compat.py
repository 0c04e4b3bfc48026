"""What differs between the releases of transformers that this package runs on, 4.51 to 5; all of it, and nothing else."""

from __future__ import annotations

import inspect
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from transformers import __version__
from transformers.utils import logging

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["DTYPE", "cache_argument", "quiet", "rope_settings"]

_RELEASE = tuple(int(part) for part in __version__.split(".")[:2])

DTYPE = "dtype" if _RELEASE >= (4, 56) else "torch_dtype"
"""What `from_pretrained` calls the type of the weights."""


def rope_settings(theta: float) -> dict[str, Any]:
    """The base of the rotary angles, as `LlamaConfig` wants it."""
    if _RELEASE >= (5, 0):
        return {"rope_parameters": {"rope_theta": theta, "rope_type": "default"}}
    return {"rope_theta": theta}


@contextmanager
def quiet() -> Iterator[None]:
    """No progress bar for what takes a moment; since release 5 loading and saving draw one."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def cache_argument(model: Any) -> str:
    """What a model's `forward` calls the cache of keys and values: `cache` from transformers 5.24 on, another name before."""
    return "cache" if "cache" in inspect.signature(model.forward).parameters else "past_key_values"
