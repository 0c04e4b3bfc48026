"""Hugging Face's Text Generation Inference, which is maintained but no longer developed."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from bedrock_distill.models.sizing import FORMATS
from bedrock_distill.resources.endpoint.containers.settings import MOUNTED, Container, Dialect

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bedrock_distill.catalog import Catalog, Framework
    from bedrock_distill.models.shape import ModelShape
    from bedrock_distill.models.sizing.formats import WeightFormat

__all__ = ["TGI"]

_NAMED_IN_CONFIG = ("awq", "gptq")
"""Methods of quantized checkpoints that TGI wants to be told."""

_QUEUE = 128
"""TGI's own limit of requests, waiting ones included; more are refused."""


class TGI(Container):
    """Text Generation Inference. Its makers recommend vLLM now; it serves what was built on it."""

    dialect: ClassVar[Dialect] = "tgi"
    copies: ClassVar[bool] = False
    reserved: ClassVar[Mapping[str, str]] = {
        "HF_MODEL_ID": "it names the mounted model",
        "SM_NUM_GPUS": "set `tensor_parallel`",
        "NUM_SHARD": "set `tensor_parallel`",
        "QUANTIZE": "set `quantize`",
        "MAX_INPUT_LENGTH": "set `input_tokens`; the name follows from the version",
        "MESSAGES_API_ENABLED": "it follows from the version",
    }

    quantize: Literal["bitsandbytes", "bitsandbytes-nf4", "eetq", "fp8"] | None = None
    """Quantize 16-bit weights while they are loaded. Leave it out for a checkpoint that is quantized already."""
    input_tokens: int | None = Field(default=None, ge=1)
    """Longest prompt. Default: all of `context` but one token."""
    prefill_tokens: int | None = Field(default=None, ge=1)
    """Tokens of prompts that one step works on, at least those of the longest prompt. Default: that."""

    @property
    def framework(self) -> Framework:
        """The family of images, as the SageMaker SDK names it."""
        return "huggingface-llm"

    def held(self, shape: ModelShape) -> WeightFormat:
        """How the server holds the weights."""
        formats = {
            "bitsandbytes": "int8",
            "bitsandbytes-nf4": "bitsandbytes",
            "eetq": "int8",
            "fp8": "fp8",
        }
        return FORMATS[formats[self.quantize]] if self.quantize else super().held(shape)

    def numbers(self, catalog: Catalog) -> tuple[int, ...]:
        """The version as numbers, to compare; that of an image of the user's own is taken as newer than all."""
        if self.image_uri is not None:
            return (99,)
        return tuple(map(int, self.published(catalog).version.split(".")))

    def longest_prompt(self, shape: ModelShape | None) -> int:
        """Tokens of the longest prompt that is taken."""
        return self.input_tokens or max(1, self.context_for(shape) - 1)

    def variables(
        self, shape: ModelShape | None, tensor_parallel: int, hub_model: str | None, catalog: Catalog
    ) -> dict[str, object]:
        """The container's own variables; None leaves one out."""
        version, longest = self.numbers(catalog), self.longest_prompt(shape)
        method = shape.quantization.method if shape and shape.quantization else None
        return {
            "HF_MODEL_ID": hub_model or MOUNTED,
            "SM_NUM_GPUS": tensor_parallel,
            "MAX_INPUT_TOKENS" if version >= (2,) else "MAX_INPUT_LENGTH": longest,
            "MAX_TOTAL_TOKENS": self.context_for(shape),
            "MAX_BATCH_PREFILL_TOKENS": self.prefill_tokens or longest,
            "MAX_CONCURRENT_REQUESTS": max(_QUEUE, self.concurrency),
            "CUDA_MEMORY_FRACTION": self.memory_utilization,
            "HF_MODEL_QUANTIZE": self.quantize or (method if method in _NAMED_IN_CONFIG else None),
            "DTYPE": None if self.dtype == "auto" else self.dtype,
            "HF_MODEL_TRUST_REMOTE_CODE": True if self.trust_remote_code else None,
            "MESSAGES_API_ENABLED": True if (1, 4) <= version < (3,) else None,
        }
