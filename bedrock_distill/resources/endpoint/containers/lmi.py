"""AWS's Large Model Inference containers (djl-inference): the one with vLLM, and the one with TensorRT-LLM."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from bedrock_distill.models.sizing import FORMATS
from bedrock_distill.resources.endpoint.containers.settings import MOUNTED, Container, Dialect
from bedrock_distill.resources.endpoint.containers.timeouts import Timeouts, timeouts
from bedrock_distill.resources.endpoint.containers.vllm_engine import VllmEngine

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bedrock_distill.catalog import Catalog, Framework
    from bedrock_distill.models.shape import ModelShape
    from bedrock_distill.models.sizing.formats import WeightFormat

__all__ = ["ASYNC_BY_DEFAULT", "ASYNC_BY_REQUEST", "LMI", "TensorRTLLM"]

ASYNC_BY_DEFAULT = 17
"""First LMI release that hands requests to vLLM's own loop unless told otherwise."""
ASYNC_BY_REQUEST = 15
"""First LMI release that does so when asked."""

_ASKED_ASYNC: Mapping[str, object] = {
    "OPTION_ASYNC_MODE": True,
    "OPTION_ROLLING_BATCH": "disable",
    "OPTION_ENTRYPOINT": "djl_python.lmi_vllm.vllm_async_service",
}

_RESERVED: Mapping[str, str] = {
    "HF_MODEL_ID": "it names the mounted model; a second model would be loaded beside it",
    "OPTION_MODEL_ID": "it names the mounted model; a second model would be loaded beside it",
    "OPTION_MAX_NUM_SEQS": "LMI compares it with its own name and fails whatever the value; set `concurrency`",
    "OPTION_TENSOR_PARALLEL_SIZE": "LMI compares it with its own name and fails; set `tensor_parallel`",
    "TENSOR_PARALLEL_DEGREE": "set `tensor_parallel`",
    "OPTION_PIPELINE_PARALLEL_DEGREE": "LMI's vLLM takes 1 only; use a larger instance",
    "OPTION_ROLLING_BATCH": "it follows from the version",
    "OPTION_ASYNC_MODE": "it follows from the version",
    "OPTION_ENABLE_STREAMING": "it is deprecated; every request says whether it wants a stream",
}


class LMI(VllmEngine):
    """LMI with vLLM: AWS's own server, and the one with the most settings."""

    dialect: ClassVar[Dialect] = "lmi"
    copies: ClassVar[bool] = True
    reserved: ClassVar[Mapping[str, str]] = _RESERVED

    @property
    def framework(self) -> Framework:
        """The family of images, as the SageMaker SDK names it."""
        return "djl-lmi"

    def release(self, catalog: Catalog) -> int | None:
        """The LMI release inside the image; None where the image is the user's own and does not tell."""
        # The account does not matter for the tag, so any region that has the image will do.
        if self.image_uri is not None:
            return self.image("", catalog).lmi
        region = next(iter(self.published(catalog).accounts))
        return self.image(region, catalog).lmi

    def variables(
        self, shape: ModelShape | None, tensor_parallel: int, hub_model: str | None, catalog: Catalog
    ) -> dict[str, object]:
        """The container's own variables; None leaves one out."""
        release = self.release(catalog)
        engine = self.engine_arguments(shape)
        return {
            "HF_MODEL_ID": hub_model or MOUNTED,
            "OPTION_TENSOR_PARALLEL_DEGREE": tensor_parallel,
            # Never left to LMI: its documentation says 256, its code sets 32.
            "OPTION_MAX_ROLLING_BATCH_SIZE": engine.pop("MAX_NUM_SEQS"),
            "OPTION_MAX_ROLLING_BATCH_PREFILL_TOKENS": engine.pop("MAX_NUM_BATCHED_TOKENS"),
            **{f"OPTION_{name}": value for name, value in engine.items()},
            "OPTION_DTYPE": _DTYPES.get(self.dtype),
            "OPTION_QUANTIZE": self.quantize,
            "OPTION_ENABLE_PREFIX_CACHING": self.prefix_caching,
            "OPTION_ENABLE_REASONING": True
            if self.reasoning_parser and release == ASYNC_BY_REQUEST
            else None,
            **_handler(release),
            "OPTION_MODEL_LOADING_TIMEOUT": self.timeouts(shape.weight_bytes).startup_s if shape else None,
            "SERVING_FAIL_FAST": True,
        }


_DTYPES = {"float16": "fp16", "bfloat16": "bf16"}


def _handler(release: int | None) -> Mapping[str, object]:
    if release is None or release >= ASYNC_BY_DEFAULT:
        return {}
    if release >= ASYNC_BY_REQUEST:
        return _ASKED_ASYNC
    return {"OPTION_ROLLING_BATCH": "vllm", "OPTION_OUTPUT_FORMATTER": "jsonlines"}


class TensorRTLLM(Container):
    """LMI with TensorRT-LLM, which compiles the model as it starts. Its image is not developed further."""

    dialect: ClassVar[Dialect] = "lmi"
    copies: ClassVar[bool] = True
    reserved: ClassVar[Mapping[str, str]] = {
        name: advice for name, advice in _RESERVED.items() if name != "OPTION_MAX_NUM_SEQS"
    }

    quantize: Literal["awq", "fp8", "smoothquant"] | None = None
    """Quantize the 16-bit weights while the model is compiled."""
    batch_tokens: int = Field(default=16384, ge=1)
    """Tokens that the engine works on at once, over all requests."""

    @property
    def framework(self) -> Framework:
        """The family of images, as the SageMaker SDK names it."""
        return "djl-tensorrtllm"

    def held(self, shape: ModelShape) -> WeightFormat:
        """How the server holds the weights."""
        formats = {"awq": "4-bit", "fp8": "fp8", "smoothquant": "int8"}
        return FORMATS[formats[self.quantize]] if self.quantize else super().held(shape)

    def timeouts(self, weight_bytes: int) -> Timeouts:
        """How long the endpoint may take to download the model and to start; half an hour more, to compile it."""
        return timeouts(weight_bytes, compile_s=1800)

    def variables(
        self, shape: ModelShape | None, tensor_parallel: int, hub_model: str | None, catalog: Catalog
    ) -> dict[str, object]:
        """The container's own variables; None leaves one out."""
        version = "" if self.image_uri else self.published(catalog).version
        legacy = bool(version) and tuple(map(int, version.split("."))) < (0, 33)
        return {
            "HF_MODEL_ID": hub_model or MOUNTED,
            "OPTION_TENSOR_PARALLEL_DEGREE": tensor_parallel,
            "OPTION_MAX_ROLLING_BATCH_SIZE": self.concurrency,
            "OPTION_MAX_INPUT_LEN": self.context_for(shape),
            # Compiled in by the older engines, where it is 512 unless told.
            "OPTION_MAX_OUTPUT_LEN": self.context_for(shape) if legacy else None,
            "OPTION_KV_CACHE_FREE_GPU_MEM_FRACTION": self.memory_utilization,
            "OPTION_MAX_NUM_TOKENS": self.batch_tokens,
            "OPTION_DTYPE": _DTYPES.get(self.dtype),
            "OPTION_QUANTIZE": self.quantize,
            "OPTION_TRUST_REMOTE_CODE": True if self.trust_remote_code else None,
            "OPTION_ROLLING_BATCH": "trtllm" if legacy else None,
            "OPTION_MPI_MODE": True if legacy else None,
            "OPTION_MODEL_LOADING_TIMEOUT": self.timeouts(shape.weight_bytes).startup_s if shape else None,
            "SERVING_FAIL_FAST": True,
        }
