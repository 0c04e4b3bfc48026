"""How weights may be held: bits a weight, what a GPU needs for it, and the bytes that come of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from bedrock_distill.catalog import Gpu
    from bedrock_distill.models.shape import ModelShape

__all__ = ["ALTERNATIVES", "FORMATS", "WeightFormat", "format_of", "weight_bytes", "wrong_with_gpu"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightFormat:
    """One way to hold weights in GPU memory."""

    name: str
    bits: float
    """Bits of a weight of a linear layer, its share of the scales included."""
    minimum: tuple[int, int]
    """Least CUDA compute capability that runs it at all."""
    fast_with: Literal["fp8", "marlin"] | None = None
    """What the GPU must have for it to be fast too."""
    slow: str = ""
    """What happens on a GPU that lacks it."""
    group_size: int | None = None
    made: str = ""
    """How a 16-bit checkpoint comes to it."""


_HALF = WeightFormat(name="16-bit", bits=16, minimum=(7, 0), made="as it is stored")
_FP8 = WeightFormat(
    name="fp8",
    bits=8,
    minimum=(8, 0),
    fast_with="fp8",
    slow="fp8 saves memory only: the GPU computes in 16 bits",
    made='by vLLM while it loads: quantize="fp8"',
)
_INT8 = WeightFormat(name="int8", bits=8, minimum=(7, 5), made="a W8A8 checkpoint must be made first")
_FOUR_BIT = WeightFormat(
    name="4-bit",
    bits=4 + 32 / 128,
    minimum=(7, 5),
    fast_with="marlin",
    slow="no Marlin kernels: 4-bit weights are slow",
    group_size=128,
    made="an AWQ or GPTQ checkpoint must be made first",
)
_BITSANDBYTES = WeightFormat(
    name="bitsandbytes",
    bits=4 + 32 / 64,
    minimum=(7, 0),
    made='by vLLM while it loads: quantize="bitsandbytes"',
)
_MXFP4 = WeightFormat(name="mxfp4", bits=4 + 8 / 32, minimum=(8, 0), fast_with="marlin", group_size=32)

FORMATS: dict[str, WeightFormat] = {
    row.name: row for row in (_HALF, _FP8, _INT8, _FOUR_BIT, _BITSANDBYTES, _MXFP4)
}
"""By name. Capabilities: vLLM's table of supported hardware (docs.vllm.ai v0.15.1, features/quantization).

Bits: 4-bit adds a 16-bit scale and a zero point of at most 16 bits to each 128 weights, bitsandbytes a 32-bit scale to
each 64, mxfp4 an 8-bit one to each 32; fp8 and int8 have one scale a channel, which is nothing beside a row of weights.
"""

ALTERNATIVES = ("fp8", "int8", "4-bit", "bitsandbytes")
"""What a 16-bit checkpoint can be held as instead."""

_METHODS = {
    "awq": "4-bit",
    "awq_marlin": "4-bit",
    "gptq": "4-bit",
    "gptq_marlin": "4-bit",
    "fp8": "fp8",
    "fbgemm_fp8": "fp8",
    "bitsandbytes": "bitsandbytes",
    "mxfp4": "mxfp4",
}
"""A config's `quant_method` -> the format."""


def format_of(shape: ModelShape) -> WeightFormat:
    """The format of a checkpoint as it is stored.

    A method that is not known here (compressed-tensors holds several) is taken by its bits, and the GPU is not asked for
    more than int8 needs.
    """
    quantization = shape.quantization
    if quantization is None:
        return _HALF
    known = _METHODS.get(quantization.method)
    if known is not None:
        return replace(FORMATS[known], group_size=quantization.group_size)
    return WeightFormat(
        name=quantization.method,
        bits=quantization.bits,
        minimum=_INT8.minimum,
        group_size=quantization.group_size,
    )


def weight_bytes(shape: ModelShape, held: WeightFormat) -> int:
    """Bytes of all weights once they are loaded.

    As stored they are counted, from the headers; a float32 checkpoint is loaded as 16 bits. In another format they are
    estimated: linear layers at the format's bits, embeddings and output at 16.
    """
    if held == format_of(shape):
        halved = shape.quantization is None and shape.dtype == "float32"
        return shape.weight_bytes // 2 if halved else shape.weight_bytes
    whole = embedding_weights(shape)
    return round((shape.parameters - whole) * held.bits / 8) + 2 * whole


def embedding_weights(shape: ModelShape) -> int:
    """Weights of the embedding table, and of the output layer where it is not the same table.

    The config need not say whether they are one; the number of all weights does: what the layers leave over.
    """
    table = shape.vocab * shape.hidden
    attention = 2 * shape.hidden * shape.head_dim * (shape.heads + shape.kv_heads)
    feed_forward = 3 * shape.hidden * shape.intermediate * max(shape.experts, 1)
    left_over = shape.parameters - shape.layers * (attention + feed_forward)
    tables = 1 if left_over < 1.5 * table else 2
    return min(tables * table, shape.parameters)


def wrong_with_gpu(gpu: Gpu, held: WeightFormat) -> str | None:
    """Why a GPU cannot run a format, or None where it can."""
    if gpu.capability >= held.minimum:
        return None
    least = ".".join(map(str, held.minimum))
    return f"{held.name} weights need compute capability {least}, the {gpu.name} has {gpu.compute}"
