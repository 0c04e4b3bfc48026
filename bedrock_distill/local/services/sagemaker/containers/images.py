"""Which container an image URI names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bedrock_distill.catalog import Catalog
    from bedrock_distill.local.services.sagemaker.containers.launch import Family

__all__ = ["ServingImage", "read_image"]

_FAMILIES: tuple[tuple[str, str, Family], ...] = (
    # repository, what its tag contains, container
    ("djl-inference", "tensorrtllm", "trtllm"),
    ("djl-inference", "lmi", "lmi"),
    ("huggingface-pytorch-tgi-inference", "tgi", "tgi"),
    ("huggingface-vllm", "", "vllm"),
    ("vllm", "", "vllm"),
)
_CUDA = re.compile(r"cu(\d{2})(\d)\b")
_LMI = re.compile(r"lmi(\d+)")
_SERVER = re.compile(r"server-sagemaker-cuda-v2\b")
"""The tags of AWS's own vLLM images name no CUDA; those of the second generation have 13.0."""


@dataclass(frozen=True, slots=True)
class ServingImage:
    """A serving image."""

    family: Family
    cuda: str | None
    """CUDA version inside; None where nothing says."""
    lmi: int | None = None
    """LMI release."""


def read_image(uri: str, catalog: Catalog) -> ServingImage | None:
    """What an image is, from its repository and tag; None for one that the local cloud cannot stand in for."""
    path, _, tag = uri.partition("/")[2].partition(":")
    repository = path.rpartition("/")[2]
    family = next((name for known, part, name in _FAMILIES if known == repository and part in tag), None)
    if family is None or "neuron" in tag:
        return None
    row = next((row for row in catalog.images if (row.repository, row.tag) == (repository, tag)), None)
    lmi = _LMI.search(tag)
    return ServingImage(
        family, row.cuda if row is not None else _cuda(tag), int(lmi[1]) if lmi and family == "lmi" else None
    )


def _cuda(tag: str) -> str | None:
    if found := _CUDA.search(tag):
        return f"{found[1]}.{found[2]}"
    return "13.0" if _SERVER.search(tag) else None
