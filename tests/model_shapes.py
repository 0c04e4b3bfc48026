"""Shapes of well-known models, from their configs; parameters and bytes by arithmetic from the same numbers."""

from __future__ import annotations

from bedrock_distill.models.shape import ModelShape, Quantization


def dense(  # noqa: PLR0917 - in the order of a config
    architecture, layers, hidden, heads, kv_heads, intermediate, vocab, context, *, tied=False, bias=0, **more
):
    head_dim = more.pop("head_dim", hidden // heads)
    attention = 2 * hidden * head_dim * (heads + kv_heads) + bias * head_dim * (heads + 2 * kv_heads)
    layer = attention + 3 * hidden * intermediate + 2 * hidden
    parameters = layers * layer + hidden + (1 if tied else 2) * vocab * hidden
    fields = {
        "parameters": parameters,
        "weight_bytes": 2 * parameters,
        "dtype": "bfloat16",
        "head_dim": head_dim,
    } | more
    return ModelShape(
        architecture=architecture,
        layers=layers,
        hidden=hidden,
        heads=heads,
        kv_heads=kv_heads,
        intermediate=intermediate,
        vocab=vocab,
        context=context,
        **fields,
    )


LLAMA_3_2_1B = dense("LlamaForCausalLM", 16, 2048, 32, 8, 8192, 128256, 131072, tied=True)
LLAMA_3_2_3B = dense("LlamaForCausalLM", 28, 3072, 24, 8, 8192, 128256, 131072, tied=True)
QWEN_2_5_7B = dense("Qwen2ForCausalLM", 28, 3584, 28, 4, 18944, 152064, 32768, bias=1)
LLAMA_3_1_8B = dense("LlamaForCausalLM", 32, 4096, 32, 8, 14336, 128256, 131072)
QWEN_2_5_14B = dense("Qwen2ForCausalLM", 48, 5120, 40, 8, 13824, 152064, 32768, bias=1)
QWEN_2_5_32B = dense("Qwen2ForCausalLM", 64, 5120, 40, 8, 27648, 152064, 32768, bias=1)
LLAMA_3_3_70B = dense("LlamaForCausalLM", 80, 8192, 64, 8, 28672, 128256, 131072)
LLAMA_2_7B = dense("LlamaForCausalLM", 32, 4096, 32, 32, 11008, 32000, 4096)
LLAMA_2_13B = dense("LlamaForCausalLM", 40, 5120, 40, 40, 13824, 32000, 4096)
LLAMA_2_70B = dense("LlamaForCausalLM", 80, 8192, 64, 8, 28672, 32000, 4096)

LLAMA_3_1_8B_AWQ = dense(
    "LlamaForCausalLM",
    32,
    4096,
    32,
    8,
    14336,
    128256,
    131072,
    dtype="float16",
    weight_bytes=5_730_000_000,
    quantization=Quantization(method="awq", bits=4, group_size=128),
)
