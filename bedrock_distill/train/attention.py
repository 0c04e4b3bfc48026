"""Attention that stays fast under bfloat16 autocast on a processor.

torch's bfloat16 backward of scaled-dot-product attention on CPU takes several times as long as the float32 one, and was
a third of a whole training step where this was measured. So attention alone leaves autocast; everything else stays in.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.modeling_utils import AttentionInterface

__all__ = ["FLOAT32_ATTENTION", "register_float32_attention"]

FLOAT32_ATTENTION = "sdpa_float32"
"""Name to give a model as `attn_implementation` once it is registered."""


def _float32_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """Scaled-dot-product attention in float32, whatever the type around it.

    Args:
        module: The attention layer.
        query: [B, H, T, D].
        key: [B, H_kv, S, D], S >= T where a cache stands before.
        value: [B, H_kv, S, D].
        attention_mask: Broadcasts to [B, H, T, S], or None for plain causal attention.
        options: What the model passes on to its attention.

    Returns:
        [B, T, H, D] in the query's type, and no weights.
    """
    with torch.autocast("cpu", enabled=False):
        if attention_mask is not None and attention_mask.dtype.is_floating_point:
            attention_mask = attention_mask.float()
        output, _ = sdpa_attention_forward(
            module, query.float(), key.float(), value.float(), attention_mask, **options
        )
    return output.to(query.dtype), None


def register_float32_attention() -> str:
    """Make the attention known to transformers, and return the name to ask for it by."""
    AttentionInterface.register(FLOAT32_ATTENTION, _float32_attention)
    try:
        from transformers.masking_utils import AttentionMaskInterface, sdpa_mask  # noqa: PLC0415 - newer than 4.51
    except ImportError:
        return FLOAT32_ATTENTION
    AttentionMaskInterface.register(FLOAT32_ATTENTION, sdpa_mask)
    return FLOAT32_ATTENTION
