"""vLLM's own server, as AWS and Hugging Face package it for SageMaker."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from bedrock_distill.resources.endpoint.containers.settings import MOUNTED, Dialect
from bedrock_distill.resources.endpoint.containers.vllm_engine import VllmEngine

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bedrock_distill.catalog import Catalog, Framework
    from bedrock_distill.models.shape import ModelShape

__all__ = ["VLLM"]


class VLLM(VllmEngine):
    """vLLM's OpenAI-compatible server: one copy of the model, over as many GPUs as it is split over."""

    dialect: ClassVar[Dialect] = "openai"
    copies: ClassVar[bool] = False
    reserved: ClassVar[Mapping[str, str]] = {
        "SM_VLLM_MODEL": "it names the mounted model",
        "HF_MODEL_ID": "it is what the server falls back to when no files are mounted",
        "SM_VLLM_TENSOR_PARALLEL_SIZE": "set `tensor_parallel`; left out it would be 1, whatever the instance",
        "SM_VLLM_PORT": "SageMaker asks on 8080",
        "SM_VLLM_HOST": "the image binds it",
    }

    package: Literal["vllm-server", "vllm", "huggingface-vllm"] = "vllm-server"
    """Which image: AWS's curated builds on Amazon Linux, AWS's builds of each vLLM release on Ubuntu, or Hugging Face's."""
    served_name: str = Field(default="model", pattern=r"^[\w.\-/:]+$")
    """What requests must give as `model`."""

    @property
    def framework(self) -> Framework:
        """The family of images, as the SageMaker SDK names it."""
        return self.package

    def variables(
        self,
        shape: ModelShape | None,
        tensor_parallel: int,
        hub_model: str | None,
        catalog: Catalog,  # noqa: ARG002 - others' variables follow from the version
    ) -> dict[str, object]:
        """The container's own variables; None leaves one out."""
        arguments = {
            # First in the image's order, so that nothing else can decide what is served.
            "MODEL": hub_model or MOUNTED,
            "SERVED_MODEL_NAME": self.served_name,
            "TENSOR_PARALLEL_SIZE": tensor_parallel,
            **self.engine_arguments(shape),
            "DTYPE": None if self.dtype == "auto" else self.dtype,
            "QUANTIZATION": self.quantize,
            # A variable that says false leaves its flag out, which is the default again; vLLM has a flag for no.
            "ENABLE_PREFIX_CACHING": self.prefix_caching or None,
            "NO_ENABLE_PREFIX_CACHING": True if self.prefix_caching is False else None,
        }
        return {f"SM_VLLM_{name}": value for name, value in arguments.items()}
