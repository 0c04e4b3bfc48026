"""Models that are taken and may yet go wrong: one way to make a sound model doubtful, one row."""

from __future__ import annotations

import pytest


def pickled_too(model, made):
    model.write("pytorch_model.bin", b"\x80\x02")


def training_state(model, made):
    model.write("optimizer.pt", bytes(10)).write("trainer_state.json", {}).write("rng_state_0.pth", b"")


def several_tokenizers(model, made):
    model.write("tokenizer.model", b"1").write("spiece.model", b"1")


def unnamed_shard(model, made):
    model.write("model.safetensors.index.json", made.index(dict.fromkeys(made.tensors, "model.safetensors")))
    model.tensors({"extra.weight": ("BF16", (1,))}, "extra.safetensors")


def wrong_size(model, made):
    placed = dict.fromkeys(made.tensors, "model.safetensors")
    model.write("model.safetensors.index.json", made.index(placed, total=5))


def index_incomplete(model, made):
    placed = dict.fromkeys(list(made.tensors)[:3], "model.safetensors")
    model.write("model.safetensors.index.json", made.index(placed))


def weights_twice(model, made):
    model.tensors(made.tensors, "consolidated.safetensors")


def merged_adapter(model, made):
    model.write("adapter_config.json", {})


def download_leftovers(model, made):
    model.write(".cache/huggingface/download/config.json.lock", b"")


def folder(model, made):
    model.write("original/params.json", {})


def broken_link(model, made):
    (model.path / "merges.txt").symlink_to("nowhere")


def no_template(model, made):
    model.remove("chat_template.jinja").change("tokenizer_config.json", "chat_template")


def template_in_a_new_place(model, made):
    model.change("tokenizer_config.json", "chat_template")


def two_templates(model, made):
    model.change("tokenizer_config.json", chat_template="{{ messages }}")
    model.write("chat_template.json", {"chat_template": "x"})


def template_without_a_template(model, made):
    model.write("chat_template.json", {"template": "x"})


def named_templates(model, made):
    model.change("tokenizer_config.json", chat_template=[{"name": "default", "template": "x"}])


def no_end(model, made):
    model.remove("generation_config.json").config("eos_token_id")


def two_ends(model, made):
    model.config(eos_token_id=[5, 6])


def end_of_tokenizer(model, made):
    model.change("tokenizer_config.json", added_tokens_decoder={"9": {"content": "</s>"}})


def new_dtype(model, made):
    model.config("torch_dtype", dtype="bfloat16")


def dtype_differs(model, made):
    model.config(torch_dtype="float16")


def float32(model, made):
    model.config(torch_dtype="float32").tensors(
        {name: ("F32", shape) for name, (_, shape) in made.tensors.items()}
    )


def llama3(model, made):
    scaling = {"rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
    model.config(rope_scaling=scaling | {"original_max_position_embeddings": 8192})


def quantized(model, made):
    model.config(quantization_config={"quant_method": "awq", "bits": 4})


def quantized_strangely(model, made):
    model.config(quantization_config={"quant_method": "higgs"})


def unnamed_tokenizer(model, made):
    model.change("tokenizer_config.json", "tokenizer_class")


def code_elsewhere(model, made):
    model.change("tokenizer_config.json", auto_map={"AutoTokenizer": "someone/repo--tok.Tok"})


def no_head_dim(model, made):
    model.config("num_attention_heads")


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (pickled_too, "pickled-too", "pytorch_model.bin (2 bytes): the weights once more, pickled"),
        (training_state, "training-state", "optimizer.pt, rng_state_0.pth, trainer_state.json (12 bytes): the state of a training run"),
        (several_tokenizers, "several-tokenizers", "(tokenizer.model, spiece.model)"),
        (unnamed_shard, "shards-unnamed", "extra.safetensors is not named by model.safetensors.index.json"),
        (wrong_size, "index-size", "says that the tensors take 5 bytes (5 bytes), and their headers say 3,104"),
        (index_incomplete, "index-incomplete", "the shards hold 1 tensors that"),
        (weights_twice, "weights-twice", "consolidated.safetensors ("),
        (merged_adapter, "adapter-beside", "an adapter lies beside the weights"),
        (download_leftovers, "hidden-files", ".cache/huggingface/download/config.json.lock"),
        (folder, "subfolders", "original/params.json (2 bytes): files in folders"),
        (broken_link, "empty-file", "merges.txt is empty, or a link that leads nowhere"),
        (no_template, "no-chat-template", "there is no chat template"),
        (template_in_a_new_place, "template-unread", "TGI looks for a chat template in chat_template.json and tokenizer_config.json, and this one is in chat_template.jinja"),
        (two_templates, "several-chat-templates", "chat_template.jinja, chat_template.json, tokenizer_config.json hold different chat templates: the first counts"),
        (template_without_a_template, "bad-chat-template", 'no template under "chat_template"'),
        (named_templates, "named-chat-templates", "several named chat templates"),
        (no_end, "no-eos", "answers run on until the limit"),
        (two_ends, "eos-differs", "is [2] in generation_config.json and [5, 6] in config.json"),
        (end_of_tokenizer, "eos-of-tokenizer", "the tokenizer ends with '</s>' (id 9), and the model stops at [2]"),
        (new_dtype, "dtype-hidden", "says dtype and not torch_dtype"),
        (dtype_differs, "dtype-differs", "says float16 and the weights are bfloat16"),
        (float32, "float32", "bfloat16 takes half the memory"),
        (llama3, "llama3-rope", "factor 32.0 becomes 8. Compare answers"),
        (quantized, "quantized", "no rule is published on quantized weights (awq) in Custom Model Import"),
        (quantized_strangely, "quantization-unknown", "does not say how many bits a weight has"),
        (quantized_strangely, "quantized", "and these weights are higgs"),
        (unnamed_tokenizer, "no-tokenizer-class", "names no tokenizer_class"),
        (code_elsewhere, "code-elsewhere", "auto_map fetches code from the hub (someone/repo--tok.Tok)"),
        (no_head_dim, "shape-unknown", "config.json: num_attention_heads is missing"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)  # fmt: skip
def test_what_may_go_wrong_is_warned_of_and_not_refused(model, made, change, code, said):
    change(model, made)
    report = model.report()
    found = [finding for finding in report.findings if finding.code == code]
    assert any(said in finding.text for finding in found), report
    assert all(finding.severity == "warning" for finding in found)
