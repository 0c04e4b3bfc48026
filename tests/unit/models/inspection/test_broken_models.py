"""Broken model directories, each with what its owner is told: one way to break a sound model, one row."""

from __future__ import annotations

import json

import pytest

EVERY = ("model-import", "lmi", "vllm", "tgi")
IMPORT = ("model-import",)
OLD = ("model-import", "tgi")
"""Targets that read models with transformers 4.51.3."""

SHARD = "model-0000{}-of-00002.safetensors"


def adapter_only(model, made):
    model.remove("model.safetensors", "config.json").write("adapter_model.safetensors", made.safetensors({}))
    model.write("adapter_config.json", {"base_model_name_or_path": "meta-llama/Llama-3.2-1B"})


def no_config(model, made):
    model.remove("config.json")


def config_not_json(model, made):
    model.write("config.json", '{"architectures": ["LlamaForCausalLM"],')


def config_no_object(model, made):
    model.write("config.json", "[]")


def no_architecture(model, made):
    model.config("architectures")


def no_weights(model, made):
    model.remove("model.safetensors")


def another_name(model, made):
    model.remove("model.safetensors").tensors(made.tensors, "model-final.safetensors")


def pickled_under_another_name(model, made):
    model.remove("model.safetensors").write("weights.bin", b"\x80\x02").write(
        "training_args.bin", b"\x80\x02"
    )


def only_pickled(model, made):
    model.remove("model.safetensors").write("pytorch_model.bin", b"\x80\x02")


def only_gguf(model, made):
    model.remove("model.safetensors", "config.json").write("model-q4.gguf", b"GGUF")


def archive(model, made):
    for path in model.path.iterdir():
        path.unlink()
    model.write("model.tar.gz", b"\x1f\x8b")


def one_level_down(model, made):
    for path in list(model.path.iterdir()):
        model.write(f"checkpoint-500/{path.name}", path.read_bytes()).remove(path.name)


def something_else(model, made):
    for path in model.path.iterdir():
        path.unlink()
    model.write("notes.txt", "hello")


def missing_shard(model, made):
    model.remove("model.safetensors").tensors(made.tensors, SHARD.format(1))
    placed = dict.fromkeys(made.tensors, SHARD.format(1)) | {"lm_head.weight": SHARD.format(2)}
    model.write("model.safetensors.index.json", made.index(placed))


def shards_without_index(model, made):
    model.remove("model.safetensors").tensors(made.tensors, SHARD.format(1))


def index_of_another_save(model, made):
    placed = dict.fromkeys([*made.tensors, "model.layers.7.mlp.up_proj.weight"], "model.safetensors")
    model.write("model.safetensors.index.json", made.index(placed))


def index_without_map(model, made):
    model.write("model.safetensors.index.json", {"metadata": {}})


def truncated(model, made):
    model.write("model.safetensors", made.safetensors(made.tensors)[:-100])


def truncated_in_the_header(model, made):
    model.write("model.safetensors", made.safetensors(made.tensors)[:100])


def lfs_pointer(model, made):
    model.write("model.safetensors", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")


def huge_header(model, made):
    model.write("model.safetensors", b"<!DOCTYPE html>")


def tensor_twice(model, made):
    model.remove("model.safetensors").tensors(made.tensors, SHARD.format(1)).tensors(
        made.tensors, SHARD.format(2)
    )
    placed = dict.fromkeys(made.tensors, SHARD.format(1)) | {"model.norm.weight": SHARD.format(2)}
    model.write("model.safetensors.index.json", made.index(placed))


def layers_missing(model, made):
    model.config(num_hidden_layers=4)


def other_vocabulary(model, made):
    model.config(vocab_size=32000)


def no_head(model, made):
    model.config(tie_word_embeddings=False)


def number_of_another_kind(model, made):
    model.config(num_hidden_layers="two")


def no_tokenizer(model, made):
    model.remove("tokenizer.json")


def no_tokenizer_config(model, made):
    model.remove("tokenizer_config.json")


def tokenizer_of_its_own(model, made):
    model.change("tokenizer_config.json", tokenizer_class="BaichuanTokenizer")


def tokenizer_of_transformers_5(model, made):
    model.change("tokenizer_config.json", tokenizer_class="TokenizersBackend")


def specials_of_transformers_5(model, made):
    model.change("tokenizer_config.json", extra_special_tokens=["<|tool|>"])


def rope_of_transformers_5(model, made):
    model.config("rope_theta", rope_parameters={"rope_theta": 500000.0, "rope_type": "default"})


def rope_scaling_of_transformers_5(model, made):
    model.config(rope_parameters={"rope_theta": 500000.0, "rope_type": "yarn", "factor": 4.0})


def rope_of_layer_kinds(model, made):
    kinds = {"full_attention": {"rope_theta": 1e6}, "sliding_attention": {"rope_theta": 2e4}}
    model.config("rope_theta", architectures=["Gemma3ForCausalLM"], rope_parameters=kinds)


def numbers_of_transformers_5(model, made):
    part = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4}
    model.config(*part, architectures=["Qwen2VLForConditionalGeneration"], text_config=part)


def own_code(model, made):
    model.config(auto_map={"AutoModelForCausalLM": "modeling_ours.OursForCausalLM"})


def embedding_model(model, made):
    model.config(architectures=["Qwen3Model"])


def classifier(model, made):
    model.config(architectures=["LlamaForSequenceClassification"])


def long_context(model, made):
    model.config(max_position_embeddings=1_010_000)


def other_ends_of_gpt_oss(model, made):
    model.config(architectures=["GptOssForCausalLM"])


def token_beyond(model, made):
    model.change("tokenizer_config.json", added_tokens_decoder={"64": {"content": "<|tool|>"}})


@pytest.mark.parametrize(
    ("break_it", "code", "refused_by", "said"),
    [
        (adapter_only, "adapter-only", EVERY, "holds only an adapter (adapter_config.json), trained on meta-llama/Llama-3.2-1B. Merge it"),
        (no_config, "no-config", EVERY, "config.json is missing"),
        (config_not_json, "bad-json", EVERY, "config.json: not JSON: Expecting property name enclosed in double quotes: line 1 column 40"),
        (config_no_object, "bad-json", EVERY, "config.json: list where a JSON object belongs"),
        (no_architecture, "no-architecture", EVERY, "architectures is None, and must name the model's class"),
        (no_weights, "no-weights", EVERY, "there is no *.safetensors file"),
        (another_name, "weights-name", EVERY, "model-final.safetensors has a name that transformers does not read: it reads model.safetensors or"),
        (pickled_under_another_name, "weights-name", EVERY, "weights.bin has a name that transformers does not read"),
        (only_pickled, "pickled", IMPORT, "(pytorch_model.bin), and Custom Model Import takes only safetensors: load the model and save it"),
        (only_gguf, "other-format", EVERY, "holds model-q4.gguf and no safetensors"),
        (archive, "archive", EVERY, "holds an archive, model.tar.gz: unpack it"),
        (one_level_down, "nested", EVERY, "holds no config.json, but checkpoint-500 does: name that directory"),
        (something_else, "no-model", EVERY, "is not a Hugging Face model directory"),
        (missing_shard, "shards-missing", EVERY, "names 2 shards, and 1 of them are missing: model-00002-of-00002.safetensors"),
        (shards_without_index, "no-index", EVERY, "in 1 shards without model.safetensors.index.json"),
        (shards_without_index, "shards-missing", EVERY, "say that there are 2, and 1 are here"),
        (index_of_another_save, "index-wrong", EVERY, "places 1 tensors in files that do not hold them: model.layers.7.mlp.up_proj.weight"),
        (index_without_map, "bad-index", EVERY, "weight_map must be an object"),
        (truncated, "truncated", EVERY, "model.safetensors: is cut short: 100 bytes of its tensors are missing"),
        (truncated_in_the_header, "truncated", EVERY, "bytes of its header are missing"),
        (lfs_pointer, "lfs-pointer", EVERY, "model.safetensors: is a Git LFS pointer and not the weights: run `git lfs pull`"),
        (huge_header, "bad-safetensors", EVERY, "above the format's 100,000,000: it is not a safetensors file"),
        (tensor_twice, "tensor-twice", EVERY, "4 tensors are in more than one file (model.embed_tokens.weight"),
        (layers_missing, "layers-missing", EVERY, "says 4 layers, and the files hold tensors of 2"),
        (other_vocabulary, "vocabulary-size", EVERY, "vocab_size 32000, and model.embed_tokens.weight has 64 rows"),
        (no_head, "head-missing", EVERY, "the files hold no lm_head.weight"),
        (number_of_another_kind, "shape-unknown", (), "config.json: num_hidden_layers is 'two', and must be a whole number"),
        (no_tokenizer, "no-tokenizer", EVERY, "there is no tokenizer (tokenizer.json or tokenizer.model)"),
        (no_tokenizer_config, "no-tokenizer-config", IMPORT, "tokenizer_config.json is missing"),
        (tokenizer_of_its_own, "tokenizer-class", IMPORT, "does not take the tokenizer_class 'BaichuanTokenizer'; it takes T5Tokenizer"),
        (tokenizer_of_transformers_5, "tokenizer-class-new", OLD, 'transformers 4.51.3 fails on it: write "PreTrainedTokenizerFast"'),
        (specials_of_transformers_5, "special-tokens-list", OLD, "extra_special_tokens is a list"),
        (rope_of_transformers_5, "rope-hidden", OLD, "transformers 4.51.3 does not read that: rope_theta 500,000 silently becomes 10,000"),
        (rope_scaling_of_transformers_5, "rope-hidden", OLD, "the yarn scaling is left out"),
        (rope_of_layer_kinds, "rope-hidden", OLD, "rope_theta 20,000 silently becomes 1,000,000"),
        (numbers_of_transformers_5, "config-nested", OLD, "Copy the entries of text_config to the top as well"),
        (own_code, "custom-code", IMPORT, "modeling_ours.OursForCausalLM), and Custom Model Import runs none"),
        (own_code, "code-missing", EVERY, "auto_map names code that is not here: modeling_ours.py"),
        (embedding_model, "not-generative", OLD, "Qwen3Model gives vectors or scores and not text"),
        (classifier, "not-generative", OLD, "LlamaForSequenceClassification gives vectors or scores"),
        (long_context, "context", IMPORT, "a context of 1,010,000 tokens, and Custom Model Import takes up to 131,072"),
        (other_ends_of_gpt_oss, "eos-wanted", IMPORT, "eos_token_id is [2], and Custom Model Import wants [199999, 200002, 200012]"),
        (token_beyond, "token-beyond-vocabulary", EVERY, "beyond the model's 64 (<|tool|>)"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)  # fmt: skip
def test_a_broken_model_is_refused_by_those_that_cannot_use_it_and_says_why(  # noqa: PLR0917 - a row of four
    model, made, break_it, code, refused_by, said
):
    break_it(model, made)
    report = model.report()
    found = [finding for finding in report.findings if finding.code == code]
    assert any(said in finding.text for finding in found), report
    refusing = {target for finding in found if finding.severity == "error" for target in finding.targets}
    assert refusing == set(refused_by), report
    assert not any(report.verdict(target).ok for target in refused_by)


def test_weights_above_the_limit_are_refused_by_import_alone(model, made):
    """No test writes 200 GB: the file claims them, and has none on disk."""
    path = model.path / "model.safetensors"
    size = 200_000_000_002
    entry = {"dtype": "BF16", "shape": [size // 2], "data_offsets": [0, size]}
    header = json.dumps({"model.layers.0.weight": entry, "model.layers.1.weight": {**entry, "shape": [0], "data_offsets": [size, size]}}).encode()  # fmt: skip
    with path.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + size)
    report = model.report()
    (reason,) = report.verdict("model-import").reasons
    assert "the weights take 200.0 GB, and Custom Model Import takes text models up to 200.0 GB" in reason
    assert report.verdict("vllm").ok


def test_a_truncated_shard_does_not_hide_that_another_is_missing(model, made):
    missing_shard(model, made)
    shard = model.path / SHARD.format(1)
    shard.write_bytes(shard.read_bytes()[:-1])
    codes = [finding.code for finding in model.report().findings if finding.severity == "error"]
    assert codes == ["truncated", "shards-missing"]
