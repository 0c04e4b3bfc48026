"""The numbers of a model that decide where it fits: layers, heads, widths, bytes. Values, read from config and headers."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ModelShape", "Quantization"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantization:
    """How the weights of a checkpoint are quantized, as its config says."""

    method: str
    """The config's `quant_method`: awq, gptq, fp8, bitsandbytes, compressed-tensors, mxfp4, …"""
    bits: int
    """Bits of a quantized weight."""
    group_size: int | None = None
    """Weights that share one scale, along the input; None for one scale a channel or tensor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelShape:
    """A causal language model as far as memory and parallelism see it."""

    architecture: str
    """The config's class, such as `LlamaForCausalLM`."""
    layers: int
    hidden: int
    """Width of the residual stream."""
    heads: int
    """Attention heads."""
    kv_heads: int
    """Heads of keys and values; fewer than `heads` under grouped-query attention."""
    head_dim: int
    """Width of one head: the config's own where it says, for it need not be `hidden / heads`."""
    intermediate: int
    """Width of the feed-forward layers; of one expert where there are experts."""
    vocab: int
    context: int
    """Most positions, `max_position_embeddings` in text models."""
    parameters: int
    """Elements of all tensors; of packed quantized weights, the weights they stand for."""
    weight_bytes: int
    """Bytes of all tensors by the safetensors headers."""
    dtype: str
    """What most unquantized weights are: bfloat16, float16, float32."""
    quantization: Quantization | None = None
    experts: int = 0
    """Experts a layer; 0 for a dense model."""
    sliding_window: int | None = None
    """Positions that a windowed layer sees; None where no layer is windowed."""
    full_layers: int | None = None
    """Layers that see every position; None for all of them."""
    latent: int = 0
    """Width of what multi-head latent attention caches for a token and layer; 0 without it."""
