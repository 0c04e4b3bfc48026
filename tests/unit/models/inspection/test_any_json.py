"""Whatever stands in a model's JSON files, an inspection ends in a report that can be printed."""

from __future__ import annotations

import json

from hypothesis import example, given
from hypothesis import strategies as st

from bedrock_distill.catalog import load_catalog
from bedrock_distill.models import ModelReport, inspect

CATALOG = load_catalog()

NAMES = {
    "config.json": [
        "architectures", "model_type", "hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size", "head_dim",
        "num_key_value_heads", "max_position_embeddings", "intermediate_size", "sliding_window", "use_sliding_window",
        "layer_types", "max_window_layers", "sliding_window_pattern", "kv_lora_rank", "qk_rope_head_dim", "text_config",
        "quantization_config", "rope_parameters", "rope_scaling", "rope_theta", "torch_dtype", "dtype", "eos_token_id",
        "auto_map", "transformers_version", "tie_word_embeddings", "vision_config", "num_experts",
    ],
    "tokenizer_config.json": [
        "tokenizer_class", "eos_token", "added_tokens_decoder", "chat_template", "extra_special_tokens", "auto_map",
        "model_max_length",
    ],
    "generation_config.json": ["eos_token_id"],
    "model.safetensors.index.json": ["weight_map", "metadata"],
    "adapter_config.json": ["base_model_name_or_path"],
    "chat_template.json": ["chat_template"],
}  # fmt: skip
INNER = st.sampled_from([
    "rope_theta", "rope_type", "factor", "quant_method", "bits", "config_groups", "weights", "num_bits", "group_size",
    "weight_block_size", "content", "64", "hidden_size", "total_size", "model.layers.0.w", "type",
])  # fmt: skip
WORDS = st.sampled_from(["llama", "LlamaForCausalLM", "Qwen2VLForConditionalGeneration", "GptOssForCausalLM", "llama3", "gemma3",
                         "fp8", "model.safetensors", "a--b.C", "5.1", "", "x"])  # fmt: skip
SCALARS = (
    st.none() | st.booleans() | st.integers(-2, 70) | st.floats(allow_nan=False) | WORDS | st.just(10**30)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(INNER, inner, max_size=4),
    max_leaves=8,
)
DOCUMENTS = st.fixed_dictionaries(
    {},
    optional={
        file: st.dictionaries(st.sampled_from(names), VALUES, max_size=len(names)) | VALUES
        for file, names in NAMES.items()
    },
)
LLAMA = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 4, "num_hidden_layers": 1,
    "num_attention_heads": 2, "vocab_size": 4, "max_position_embeddings": 8,
}  # fmt: skip


class Memory:
    """A model's directory in memory."""

    where = "memory"

    def __init__(self, files):
        self.files = files

    def sizes(self):
        return {name: len(content) for name, content in self.files.items()}

    def read(self, name, start=0, length=None):
        return self.files[name][start : None if length is None else start + length]


def judged(documents, weights):
    files = {name: json.dumps(document).encode() for name, document in documents.items()}
    return inspect(Memory({**files, "model.safetensors": weights}), catalog=CATALOG, region="us-east-1")


def weights_of_one_tensor():
    header = json.dumps({"model.layers.0.w": {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]}}).encode()
    return len(header).to_bytes(8, "little") + header + bytes(4)


WEIGHTS = weights_of_one_tensor()


@given(DOCUMENTS)
@example({"config.json": {"architectures": [5]}})
@example({"config.json": LLAMA | {"num_attention_heads": 10**30}})
@example({"model.safetensors.index.json": {"weight_map": {"model.layers.0.w": "../x"}}})
def test_any_documents_end_in_a_report(documents):
    report = judged(documents, WEIGHTS)
    assert isinstance(report, ModelReport)
    assert str(report).startswith("memory")
    assert json.dumps(report.to_dict())


@given(st.dictionaries(st.sampled_from(NAMES["config.json"]), VALUES, max_size=6))
def test_any_change_to_a_sound_config_ends_in_a_report(changes):
    report = judged({"config.json": LLAMA | changes, "tokenizer.json": {}}, WEIGHTS)
    assert all(len(set(finding.targets)) == len(finding.targets) > 0 for finding in report.findings)
    for target in ("model-import", "lmi", "vllm", "tgi"):
        assert report.verdict(target).ok is not bool(report.verdict(target).reasons)
    if (shape := report.shape) is not None:
        numbers = (
            shape.layers,
            shape.hidden,
            shape.heads,
            shape.kv_heads,
            shape.head_dim,
            shape.vocab,
            shape.context,
        )
        assert min(numbers) > 0
        assert shape.full_layers is None or 0 <= shape.full_layers <= shape.layers
        assert shape.sliding_window is None or shape.sliding_window > 0
        assert (shape.full_layers is None) == (shape.sliding_window is None)
