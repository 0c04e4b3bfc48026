"""The rows of the catalog that serving needs: GPU instances, container images, registries and hosts' images."""

from __future__ import annotations

from datetime import date
from typing import Literal

import msgspec

__all__ = ["Ami", "Framework", "Gpu", "Image", "Instance", "Registry"]

Framework = Literal[
    "djl-lmi", "djl-tensorrtllm", "huggingface-llm", "huggingface-vllm", "vllm", "vllm-server"
]
"""A family of serving images, by the name the SageMaker SDK gives it."""


class Gpu(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a GPU can do."""

    name: str
    """Such as `L40S`."""
    compute: str
    """CUDA compute capability, such as `8.9`."""
    bf16: bool
    """Whether it computes in bfloat16."""
    fp8: bool
    """Whether it computes in 8-bit floats; without, fp8 weights only save memory."""
    marlin: bool
    """Whether vLLM's Marlin kernels run on it; without, AWQ and GPTQ weights are slow."""
    gb_s: int | None = None
    """Nominal memory bandwidth in GB/s, or None where unknown."""
    source: str
    as_of: date

    @property
    def capability(self) -> tuple[int, int]:
        """The compute capability as two numbers, to compare."""
        major, _, minor = self.compute.partition(".")
        return int(major), int(minor or 0)


class Instance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A GPU instance type of SageMaker hosting."""

    name: str
    """Such as `ml.g6e.xlarge`."""
    gpu: str
    """Name of its GPU's row."""
    gpus: int
    gpu_mib: int
    """Memory of one GPU in MiB, as the EC2 API states it."""
    vcpus: int
    memory_mib: int
    """Memory of the host in MiB."""
    source: str
    as_of: date

    @property
    def family(self) -> str:
        """Such as `g6e` of `ml.g6e.xlarge`."""
        return self.name.removeprefix("ml.").partition(".")[0]


class Image(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One version of a serving image."""

    framework: Framework
    version: str
    """As the SageMaker SDK counts it."""
    aliases: tuple[str, ...] = ()
    """Other names of the version, such as `3.3` or `latest`."""
    repository: str
    tag: str
    cuda: str
    """CUDA version inside, such as `13.0`."""
    lmi: int | None = None
    """LMI release of a djl-lmi image."""
    vllm: str = ""
    """Version of the vLLM inside, or an empty string where unknown or where there is none."""
    absent: tuple[str, ...] = ()
    """Regions with a registry but without this image."""
    source: str
    as_of: date


class Registry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The account that holds a region's serving images."""

    region: str
    account: str
    domain: str
    """Domain of the partition, such as `amazonaws.com`."""
    source: str
    as_of: date


class Ami(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The host's image (InferenceAmiVersion) for containers of one CUDA major version."""

    cuda: str
    """CUDA major version, such as `13`."""
    version: str
    driver: str
    """Version of the NVIDIA driver."""
    families: tuple[str, ...] = ()
    """Instance families that AWS lists for it; empty where it lists none."""
    source: str
    as_of: date
