"""The settings of vLLM, which two containers run under different names."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from bedrock_distill.models.sizing import FORMATS, KvDtype
from bedrock_distill.models.sizing.memory import adapter_bytes
from bedrock_distill.resources.endpoint.containers.settings import Container, Lora, Speculation

if TYPE_CHECKING:
    from bedrock_distill.models.shape import ModelShape
    from bedrock_distill.models.sizing import Need
    from bedrock_distill.models.sizing.formats import WeightFormat

__all__ = ["VllmEngine"]


class VllmEngine(Container):
    """What vLLM can be told, in whichever container."""

    quantize: Literal["fp8", "bitsandbytes"] | None = None
    """Quantize 16-bit weights while they are loaded. Leave it out for a checkpoint that is quantized already: the server
    sees that, and naming the method would switch the fast kernels off."""
    kv_dtype: KvDtype = "auto"
    """Type of the cache of keys and values; `fp8` halves it."""
    prefill_tokens: int | None = Field(default=None, ge=1)
    """Tokens of prompts that one step works on. Default: vLLM's own choice."""
    prefix_caching: bool | None = None
    """Whether prompts that begin alike share their cache. Default: vLLM's own choice, which is yes."""
    speculation: Speculation | None = None
    lora: Lora | None = None
    tool_parser: str | None = None
    """vLLM's parser of tool calls, such as `hermes` or `llama3_json`; setting it lets the model choose tools."""
    reasoning_parser: str | None = None
    """vLLM's parser of reasoning, such as `deepseek_r1`."""
    chat_template: str | None = None
    """A template's file under /opt/ml/model, or a short template itself. Default: the model's own."""

    def held(self, shape: ModelShape) -> WeightFormat:
        """How the server holds the weights."""
        return FORMATS[self.quantize] if self.quantize else super().held(shape)

    def engine_arguments(self, shape: ModelShape | None) -> dict[str, object]:
        """VLLM's own names -> values; None leaves one out."""
        lora = self.lora
        return {
            "MAX_MODEL_LEN": self.context_for(shape),
            "MAX_NUM_SEQS": self.concurrency,
            "MAX_NUM_BATCHED_TOKENS": self.prefill_tokens,
            "GPU_MEMORY_UTILIZATION": self.memory_utilization,
            "KV_CACHE_DTYPE": None if self.kv_dtype == "auto" else self.kv_dtype,
            "SPECULATIVE_CONFIG": self.speculation.config() if self.speculation else None,
            "ENABLE_LORA": True if lora else None,
            "MAX_LORAS": lora.adapters if lora else None,
            "MAX_LORA_RANK": lora.rank if lora else None,
            "MAX_CPU_LORAS": lora.cpu_adapters if lora else None,
            "ENABLE_AUTO_TOOL_CHOICE": True if self.tool_parser else None,
            "TOOL_CALL_PARSER": self.tool_parser,
            "REASONING_PARSER": self.reasoning_parser,
            "CHAT_TEMPLATE": self.chat_template,
            "TRUST_REMOTE_CODE": True if self.trust_remote_code else None,
        }

    def need(self, shape: ModelShape) -> Need:
        """What these settings need of an instance."""
        lora = self.lora
        reserved = lora.adapters * adapter_bytes(shape, rank=lora.rank) if lora else 0
        return replace(super().need(shape), kv_dtype=self.kv_dtype, reserved_bytes=reserved)
