"""What a model needs of a GPU's memory besides its weights: the cache of keys and values, and what the server takes."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from bedrock_distill.models.shape import ModelShape

__all__ = [
    "BLOCK_TOKENS",
    "GIB",
    "MIB",
    "Assumptions",
    "KvDtype",
    "adapter_bytes",
    "blocks_per_request",
    "kv_bytes_per_token",
]

MIB, GIB = 2**20, 2**30

BLOCK_TOKENS = 16
"""Tokens of one block of vLLM's cache; a request takes whole blocks."""

KvDtype = Literal["auto", "fp8"]
"""Type of cached keys and values: the model's own 16 bits, or 8."""

_KV_BYTES: dict[KvDtype, int] = {"auto": 2, "fp8": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumptions:
    """What cannot be read from a model, and is assumed. Change any of it to see what depends on it."""

    memory_utilization: float = 0.90
    """Share of a GPU's memory that the server may use; the containers here send the same figure."""
    overhead_floor_gib: float = 1.5
    overhead_share: float = 0.05
    """Activations and the CUDA context: this share of the GPU's memory, but at least the floor. Reported figures run from
    0.35 GiB (chunked prefill, four L4) to 9.4 GiB (a prefill of 8,192 tokens in one piece)."""
    graphs_gib: float = 0.24
    graphs_gib_per_sequence: float = 0.20 / 128
    """CUDA graphs: the line through 0.44 GiB at 128 and 0.64 GiB at 256 sequences, as measured on an L4."""

    def overhead_bytes(self, gpu_bytes: int, sequences: int) -> int:
        """Memory of one GPU that neither weights nor cache get."""
        fixed = max(self.overhead_floor_gib * GIB, self.overhead_share * gpu_bytes)
        return ceil(fixed + (self.graphs_gib + self.graphs_gib_per_sequence * sequences) * GIB)

    def budget_bytes(self, gpu_bytes: int) -> int:
        """Memory of one GPU that the server may use."""
        return int(gpu_bytes * self.memory_utilization)


def kv_bytes_per_token(shape: ModelShape, *, kv_dtype: KvDtype = "auto", tensor_parallel: int = 1) -> int:
    """Bytes that one GPU caches for one token.

    Keys and values of every layer, of this GPU's share of their heads. No GPU has less than one head, so beyond
    `kv_heads` GPUs the share stays the same. Multi-head latent attention caches one vector a layer, whole on every GPU.
    """
    width = _KV_BYTES[kv_dtype]
    if shape.latent:
        return shape.layers * shape.latent * width
    heads = max(1, ceil(shape.kv_heads / tensor_parallel))
    return 2 * shape.layers * heads * shape.head_dim * width


def adapter_bytes(shape: ModelShape, *, rank: int) -> int:
    """Bytes of one adapter of this rank on all linear layers, in 16 bits; counted whole on every GPU.

    A layer from `a` to `b` values gets two matrices, of rank times `a` and rank times `b` values.
    """
    attention = 2 * (shape.hidden + shape.heads * shape.head_dim) + 2 * (
        shape.hidden + shape.kv_heads * shape.head_dim
    )
    feed_forward = 3 * (shape.hidden + shape.intermediate) * max(shape.experts, 1)
    return 2 * rank * shape.layers * (attention + feed_forward)


def blocks_per_request(shape: ModelShape, context: int) -> int:
    """Blocks of cache that a request of this many tokens takes.

    Where every layer is windowed, no more than the window is kept. Where only some are, all are counted in full: servers
    that keep less for the windowed ones hold more than is said here.
    """
    windowed = shape.sliding_window is not None and shape.full_layers == 0
    kept = min(context, shape.sliding_window or context) if windowed else context
    return ceil(kept / BLOCK_TOKENS)
