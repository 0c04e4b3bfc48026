"""What transformers saves, inspected: its own counts are the truth, for every architecture that Bedrock imports and more."""

from __future__ import annotations

import pytest

from bedrock_distill.catalog import load_catalog
from bedrock_distill.models import Folder, inspect

transformers = pytest.importorskip(
    "transformers", reason="transformers is not installed: pip install '.[local]'"
)
torch = pytest.importorskip("torch", reason="torch is not installed: pip install '.[local]'")

TEXT = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 128,
    "vocab_size": 320,
    "max_position_embeddings": 512,
}
GPT = {"n_embd": 64, "n_layer": 2, "n_head": 4, "n_inner": 128, "vocab_size": 320, "n_positions": 512}
VISION = {"depth": 2, "num_heads": 2, "patch_size": 14}
MLLAMA = {
    "vision_config": {
        "hidden_size": 32, "attention_heads": 2, "num_hidden_layers": 2, "num_global_layers": 1, "image_size": 28,
        "intermediate_size": 64, "patch_size": 14, "vision_output_dim": 64, "intermediate_layers_indices": [0],
        "supported_aspect_ratios": [[1, 1]], "max_num_tiles": 1,
    },
    "text_config": {**TEXT, "cross_attention_layers": [1], "pad_token_id": 0},
}  # fmt: skip

SIZES = {
    "LlamaForCausalLM": ("LlamaConfig", TEXT),
    "MistralForCausalLM": ("MistralConfig", TEXT),
    "MixtralForCausalLM": ("MixtralConfig", {**TEXT, "num_local_experts": 4}),
    "T5ForConditionalGeneration": ("T5Config", {"d_model": 64, "d_kv": 16, "d_ff": 128, "num_layers": 2, "num_heads": 4, "vocab_size": 320, "n_positions": 512}),
    "MllamaForConditionalGeneration": ("MllamaConfig", MLLAMA),
    "GPTBigCodeForCausalLM": ("GPTBigCodeConfig", GPT),
    "Qwen2ForCausalLM": ("Qwen2Config", TEXT),
    "Qwen2VLForConditionalGeneration": ("Qwen2VLConfig", {"text_config": TEXT, "vision_config": {**VISION, "embed_dim": 32, "hidden_size": 64}}),
    "Qwen2_5_VLForConditionalGeneration": ("Qwen2_5_VLConfig", {"text_config": TEXT, "vision_config": {**VISION, "hidden_size": 32, "out_hidden_size": 64, "intermediate_size": 64}}),
    "Qwen3ForCausalLM": ("Qwen3Config", {**TEXT, "head_dim": 32}),
    "Qwen3MoeForCausalLM": ("Qwen3MoeConfig", {**TEXT, "head_dim": 16, "moe_intermediate_size": 32, "num_experts": 4, "num_experts_per_tok": 2}),
    "GptOssForCausalLM": ("GptOssConfig", {**TEXT, "head_dim": 16, "num_local_experts": 4}),
    "Gemma2ForCausalLM": ("Gemma2Config", {**TEXT, "head_dim": 16}),
    "Gemma3ForCausalLM": ("Gemma3TextConfig", {**TEXT, "head_dim": 16}),
    "GPT2LMHeadModel": ("GPT2Config", GPT),
    "GPTNeoXForCausalLM": ("GPTNeoXConfig", {name: value for name, value in TEXT.items() if "key_value" not in name}),
    "Phi3ForCausalLM": ("Phi3Config", {**TEXT, "pad_token_id": 0}),
}  # fmt: skip


@pytest.fixture
def saved(tmp_path):
    """Save a tiny model of a class; returns it, and the directory."""

    def save(architecture, **settings):
        config, sizes = SIZES[architecture]
        if not hasattr(transformers, architecture):
            pytest.skip(f"transformers {transformers.__version__} does not have {architecture}")
        torch.manual_seed(0)
        made = getattr(transformers, architecture)(getattr(transformers, config)(**{**sizes, **settings}))
        model = made.to(torch.bfloat16)
        model.save_pretrained(tmp_path / "model")
        return model, tmp_path / "model"

    return save


def test_every_architecture_that_bedrock_imports_is_made_here():
    assert {row.name for row in load_catalog().architectures if row.model_import == "yes"} <= set(SIZES)


@pytest.mark.parametrize("architecture", SIZES)
def test_the_headers_tell_parameters_bytes_and_type(saved, architecture):
    model, directory = saved(architecture)
    report = inspect(Folder(directory))
    shape = report.shape
    if shape is None:  # T5 states no length, from transformers 5 on
        (unknown,) = [finding for finding in report.findings if finding.code == "shape-unknown"]
        assert "max_position_embeddings is missing" in unknown.text
        return
    assert report.architecture == architecture
    assert shape.parameters == model.num_parameters()
    assert shape.weight_bytes == 2 * shape.parameters
    assert (shape.dtype, shape.layers, shape.heads) == ("bfloat16", 2, 4)
    assert not [finding for finding in report.findings if finding.code in {"layers-missing", "head-missing"}]


TEXT_DECODERS = [name for name in SIZES if not any(part in name for part in ("VL", "Mllama", "T5"))]
"""Classes that run on a prompt alone."""


@pytest.mark.parametrize("architecture", TEXT_DECODERS)
def test_heads_of_keys_and_values_are_as_wide_as_the_cache_that_the_model_makes(saved, architecture):
    model, directory = saved(architecture)
    shape = inspect(Folder(directory)).shape
    with torch.no_grad():
        cache = model(torch.tensor([[1, 2, 3]]), use_cache=True)
    kept = getattr(cache, "cache", None) or cache.past_key_values
    keys = kept.layers[0].keys if hasattr(kept, "layers") else kept[0][0]
    assert tuple(keys.shape[-3:]) in {
        (shape.kv_heads, 3, shape.head_dim),
        (1, 3, 2 * shape.kv_heads * shape.head_dim),  # GPTBigCode keeps both in one
    }


def test_sharded_weights_are_read_through_their_index(tmp_path, saved):
    model, _ = saved("LlamaForCausalLM")
    model.save_pretrained(tmp_path / "sharded", max_shard_size="100KB")
    report = inspect(Folder(tmp_path / "sharded"))
    assert len(list((tmp_path / "sharded").glob("*.safetensors"))) > 2
    assert report.shape.parameters == model.num_parameters()
    assert not [finding for finding in report.findings if "shard" in finding.code or "index" in finding.code]


def test_a_students_export_has_no_version_traps(saved, tmp_path):
    """Our own trainer writes both spellings, so that releases 4 and 5 read it alike."""
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    from bedrock_distill.train.compat import rope_settings
    from bedrock_distill.train.export import export_model

    model, _ = saved("LlamaForCausalLM", **rope_settings(500000.0), eos_token_id=0)
    vocabulary = {"</s>": 0} | {str(number): number for number in range(1, 320)}
    made = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE(vocabulary, [])), eos_token="</s>")
    made.chat_template = "{{ messages }}"
    report = inspect(Folder(export_model(model, made, tmp_path / "student")), region="us-east-1")
    for target in ("model-import", "lmi", "vllm", "tgi"):
        verdict = report.verdict(target)
        assert verdict.ok, report
    traps = {"rope-hidden", "tokenizer-class-new", "special-tokens-list", "dtype-hidden", "config-nested"}
    assert not traps & {finding.code for finding in report.findings}
