"""One published version of a serving image, whichever table it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Published"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A version of an image, and the accounts that hold it."""

    version: str
    repository: str
    tag: str
    cuda: str
    """CUDA version inside, such as `13.0`."""
    aliases: tuple[str, ...]
    accounts: Mapping[str, str]
    """Region -> account."""
    vllm: str = ""
    """Version of the vLLM inside, or an empty string where unknown."""
