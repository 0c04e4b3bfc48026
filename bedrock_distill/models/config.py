"""From a config and tensors to the numbers that decide where a model fits.

Families name the same number differently, so each has a list of names, the commonest first.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, TypeGuard

from bedrock_distill.errors import DataError, Offence
from bedrock_distill.models.headers import BITS
from bedrock_distill.models.shape import ModelShape, Quantization

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bedrock_distill.models.headers import Tensor

__all__ = ["quantization_of", "read_shape"]

_NAMES: dict[str, tuple[str, ...]] = {
    "layers": ("num_hidden_layers", "n_layer", "n_layers", "num_layers"),
    "hidden": ("hidden_size", "n_embd", "d_model"),
    "heads": ("num_attention_heads", "n_head", "n_heads", "num_heads"),
    "kv_heads": ("num_key_value_heads", "num_kv_heads"),
    "head_dim": ("head_dim", "d_kv"),
    "intermediate": ("intermediate_size", "n_inner", "d_ff", "ffn_dim"),
    "expert": ("moe_intermediate_size",),
    "vocab": ("vocab_size",),
    "context": (
        "max_position_embeddings", "n_positions", "max_sequence_length", "max_seq_len", "seq_length",
        "model_max_length",
    ),
    "experts": ("num_local_experts", "num_experts", "n_routed_experts"),
}  # fmt: skip
_DTYPES = {"BF16": "bfloat16", "F16": "float16", "F32": "float32"}

_PACKED = ("qweight", "weight_packed", "_blocks")
"""How the names of tensors end that hold several quantized weights in each element."""
_AUXILIARY = (
    "scales", "qzeros", "g_idx", "weight_scale", "weight_scale_inv", "input_scale", "weight_zero_point",
    "weight_shape", "absmax", "quant_map", "nested_absmax", "nested_quant_map", "nested_offset", "SCB", "weight_format", "k_scale", "v_scale",
)  # fmt: skip
"""How the names of tensors end that a quantized weight needs beside it, and that are no weights."""


def read_shape(
    architecture: str, text: Mapping[str, Any], tensors: Iterable[Tensor], quantization: Quantization | None
) -> ModelShape:
    """A model's shape.

    Args:
        architecture: The config's class.
        text: The config, with the part of the language model laid over it.
        tensors: What the headers name.
        quantization: How the weights are quantized.

    Raises:
        DataError: If the config lacks a number that is needed, or it is not a whole number above zero.
    """
    tensors = tuple(tensors)
    layers, hidden = _number(text, "layers"), _number(text, "hidden")
    heads, experts = _number(text, "heads"), _number(text, "experts", 0)
    intermediate = _number(text, "intermediate", 4 * hidden)
    if hidden < heads:
        raise _wrong("num_attention_heads", f"is {heads}, more than the hidden_size of {hidden}")
    windowed = _windowed_layers(text, layers)
    return ModelShape(
        architecture=architecture,
        layers=layers,
        hidden=hidden,
        heads=heads,
        kv_heads=_kv_heads(text, heads),
        head_dim=_number(text, "head_dim", hidden // heads),
        intermediate=_number(text, "expert", intermediate) if experts else intermediate,
        vocab=_number(text, "vocab"),
        context=_number(text, "context"),
        parameters=sum(_weights_in(tensor, quantization) for tensor in tensors),
        weight_bytes=sum(tensor.size_bytes for tensor in tensors),
        dtype=_dtype(text, tensors),
        quantization=quantization,
        experts=experts,
        sliding_window=text["sliding_window"] if windowed else None,
        full_layers=layers - windowed if windowed else None,
        latent=_latent(text),
    )


def quantization_of(config: Mapping[str, Any]) -> Quantization | None:
    """How a config says that its weights are quantized; None where it says nothing, or not with how many bits."""
    said = config.get("quantization_config") or config.get("compression_config")
    if not isinstance(said, dict):
        return None
    method = str(said.get("quant_method", "")) or "unknown"
    # compressed-tensors says it for groups of layers; where they differ, the first stands for all.
    groups = said.get("config_groups")
    first = next(iter(groups.values()), None) if isinstance(groups, dict) else None
    nested = first.get("weights") if isinstance(first, dict) else None
    inner = nested if isinstance(nested, dict) else {}
    bits = next(
        (
            value
            for value in (said.get("bits"), said.get("w_bit"), said.get("nbits"), inner.get("num_bits"))
            if _is_count(value)
        ),
        _bits_by_method(method, said),
    )
    if bits is None:
        return None
    block = said.get("weight_block_size")
    sizes = (
        said.get("group_size"),
        said.get("q_group_size"),
        inner.get("group_size"),
        block[-1] if isinstance(block, list) and block else None,
        32 if method == "mxfp4" else None,
    )
    group = next((size for size in sizes if _is_count(size)), None)
    return Quantization(method=method, bits=bits, group_size=group)


def _bits_by_method(method: str, said: Mapping[str, Any]) -> int | None:
    if method == "bitsandbytes":
        return 4 if said.get("load_in_4bit") else 8
    return {"fp8": 8, "fbgemm_fp8": 8, "mxfp4": 4, "awq": 4, "eetq": 8}.get(method)


def _number(text: Mapping[str, Any], what: str, default: int | None = None) -> int:
    for name in _NAMES[what]:
        value = text.get(name)
        if value is None:
            continue
        if not _is_count(value):
            raise _wrong(name, f"is {value!r}, and must be a whole number above zero")
        return value
    if default is None:
        raise _wrong(_NAMES[what][0], "is missing, and its size in memory follows from it: add it")
    return default


def _wrong(name: str, reason: str) -> DataError:
    return DataError(f"config.json: {name} {reason}.", offences=(Offence("config.json", None, name, reason),))


def _kv_heads(text: Mapping[str, Any], heads: int) -> int:
    # GPTBigCode and the first Falcons say it with a switch; theirs is on where the config does not mention it.
    one_for_all = text.get("model_type") == "gpt_bigcode" or (
        text.get("model_type") == "falcon" and not text.get("new_decoder_architecture")
    )
    if one_for_all and text.get("multi_query", True):
        return 1
    return _number(text, "kv_heads", heads)


def _windowed_layers(text: Mapping[str, Any], layers: int) -> int:
    """Layers that see only a window of positions."""
    window, kind = text.get("sliding_window"), str(text.get("model_type", ""))
    # Qwen writes a window into every config, and uses it only where this switch is on.
    if not _is_count(window) or not text.get("use_sliding_window", not kind.startswith("qwen")):
        return 0
    types = text.get("layer_types")
    if isinstance(types, list):
        return types[:layers].count("sliding_attention")
    if kind == "gemma2":
        return layers - layers // 2
    if kind.startswith("gemma3"):
        pattern = text.get("sliding_window_pattern", 6)
        return layers - layers // pattern if _is_count(pattern) else 0
    full = text.get("max_window_layers")
    return max(0, layers - full) if _is_count(full) else layers


def _latent(text: Mapping[str, Any]) -> int:
    rank, rotary = text.get("kv_lora_rank"), text.get("qk_rope_head_dim")
    return rank + rotary if _is_count(rank) and _is_count(rotary) else 0


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _weights_in(tensor: Tensor, quantization: Quantization | None) -> int:
    """How many weights a tensor stands for: packed ones hold several in an element, scales hold none."""
    if quantization is None:
        return tensor.elements
    ending = tensor.name.rpartition(".")[2]
    if ending in _AUXILIARY or ending.endswith("_scales") or "quant_state" in tensor.name:
        return 0
    bits = BITS.get(tensor.dtype, 8)
    packed = ending.endswith(_PACKED) or (quantization.method == "bitsandbytes" and tensor.dtype == "U8")
    return tensor.elements * bits // quantization.bits if packed else tensor.elements


def _dtype(text: Mapping[str, Any], tensors: tuple[Tensor, ...]) -> str:
    """What most bytes of unquantized weights are, else what the config says."""
    counted: Counter[str] = Counter()
    for tensor in tensors:
        if tensor.dtype in _DTYPES:
            counted[_DTYPES[tensor.dtype]] += tensor.size_bytes
    if counted:
        return counted.most_common(1)[0][0]
    said = text.get("torch_dtype") or text.get("dtype")
    return said.removeprefix("torch.") if isinstance(said, str) else "float32"
