"""Tiny models of every architecture that Custom Model Import takes, written as transformers 4.51 writes them. Loaded by path."""

from __future__ import annotations

import json

import torch
import transformers

from bedrock_distill.train.export import export_model
from bedrock_distill.train.tokens import byte_tokenizer

TEXT = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 48,
    "max_position_embeddings": 256,
}
EXPERTS = {"head_dim": 8, "num_experts_per_tok": 1}
SECTIONS = {"rope_scaling": {"type": "mrope", "mrope_section": [1, 1, 2]}}
VISION = {"depth": 1, "hidden_size": 32, "num_heads": 2}
MLLAMA_VISION = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_global_layers": 1,
    "attention_heads": 2,
    "intermediate_size": 16,
    "intermediate_layers_indices": [0],
    "image_size": 28,
    "patch_size": 14,
    "vision_output_dim": 32,
    "supported_aspect_ratios": [[1, 1]],
    "max_num_tiles": 1,
}

FAMILIES = {
    "LlamaForCausalLM": ("LlamaConfig", TEXT),
    "MistralForCausalLM": ("MistralConfig", TEXT),
    "MixtralForCausalLM": ("MixtralConfig", {**TEXT, "num_local_experts": 2}),
    "Qwen2ForCausalLM": ("Qwen2Config", TEXT),
    "Qwen3ForCausalLM": ("Qwen3Config", {**TEXT, "head_dim": 8}),
    "Qwen3MoeForCausalLM": (
        "Qwen3MoeConfig",
        {**TEXT, **EXPERTS, "num_experts": 2, "moe_intermediate_size": 16},
    ),
    "GptOssForCausalLM": ("GptOssConfig", {**TEXT, **EXPERTS, "num_local_experts": 2}),
    "GPTBigCodeForCausalLM": (
        "GPTBigCodeConfig",
        {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 256},
    ),
    "T5ForConditionalGeneration": (
        "T5Config",
        {"d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4, "decoder_start_token_id": 0},
    ),
    "Qwen2VLForConditionalGeneration": (
        "Qwen2VLConfig",
        {"text_config": {**TEXT, **SECTIONS}, "vision_config": {**VISION, "embed_dim": 16}},
    ),
    "Qwen2_5_VLForConditionalGeneration": (
        "Qwen2_5_VLConfig",
        {"text_config": {**TEXT, **SECTIONS}, "vision_config": {**VISION, "out_hidden_size": 32}},
    ),
    "MllamaForConditionalGeneration": (
        "MllamaConfig",
        {"text_config": {**TEXT, "cross_attention_layers": [1]}, "vision_config": MLLAMA_VISION},
    ),
}
"""Config class and its settings by the architecture's name."""


def make_family(architecture, directory):
    """Write a model with random weights that say different things about different prompts; returns it."""
    tokenizer = byte_tokenizer()
    config_class, settings = FAMILIES[architecture]
    ids = {
        "vocab_size": len(tokenizer),
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    if "text_config" in settings:
        settings = {**settings, "text_config": {**settings["text_config"], **ids}}
    else:
        settings = {**settings, **ids}
    torch.manual_seed(1)
    model = getattr(transformers, architecture)(getattr(transformers, config_class)(**settings)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                torch.nn.init.normal_(parameter, std=0.3)
    export_model(model, tokenizer, directory)
    _as_release_4(directory / "config.json", architecture)
    if architecture == "GptOssForCausalLM":
        ends = directory / "generation_config.json"
        ends.write_text(
            json.dumps({**json.loads(ends.read_text()), "eos_token_id": [200002, 199999, 200012]})
        )
    return model, tokenizer


def greedy(model, tokenizer, prompt, tokens):
    """What transformers' own `generate` says, by the likeliest token."""
    ids = tokenizer(prompt, return_tensors="pt")
    model.generation_config.eos_token_id = None
    said = model.generate(
        input_ids=ids["input_ids"],
        attention_mask=ids["attention_mask"],
        max_new_tokens=tokens,
        do_sample=False,
        pad_token_id=tokenizer.pad_token_id,
    )[0]
    new = said[1:] if model.config.is_encoder_decoder else said[ids["input_ids"].shape[1] :]
    return tokenizer.decode(new, skip_special_tokens=True)


def _as_release_4(path, architecture):
    """Spell a multimodal config as transformers 4.51 does; `export_model` does that for text models."""
    config = json.loads(path.read_text())
    text = config.get("text_config")
    if text is not None:
        rope = text.pop("rope_parameters", None) or {}
        text["rope_theta"] = rope.get("rope_theta", 10000.0)
        if "mrope_section" in rope:
            text["rope_scaling"] = {"type": "mrope", "mrope_section": rope["mrope_section"]}
        if architecture.startswith("Qwen2"):
            config.update({name: value for name, value in text.items() if name != "model_type"})
    path.write_text(json.dumps(config))
