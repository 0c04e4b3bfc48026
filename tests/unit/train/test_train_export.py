from __future__ import annotations

import json
import os
import stat
import subprocess

import pytest
import torch

from bedrock_distill.train.base import make_base
from bedrock_distill.train.export import export_model
from bedrock_distill.train.students import load_model, random_student
from bedrock_distill.train.tokens import CHAT_TEMPLATE, byte_tokenizer, learn_tokenizer, load_tokenizer

THETA = 250_000.0  # not the default, to which an older runtime would fall back without a word

ASK = """
import json, sys, torch
from transformers import AutoModelForCausalLM, AutoTokenizer
torch.set_num_threads(1)
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
model = AutoModelForCausalLM.from_pretrained(sys.argv[1]).eval()
chat = [{"role": "system", "content": "Sort."}, {"role": "user", "content": "Where is order 4711? ü"}]
text = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
ids = tokenizer(text, return_tensors="pt", add_special_tokens=False)["input_ids"]
with torch.no_grad():
    logits = model(ids).logits
    answer = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=24)
print(json.dumps({"text": text, "ids": ids.tolist(), "answer": answer.tolist(), "sum": logits.double().sum().item(),
                  "dtype": str(model.dtype), "decoded": tokenizer.decode(answer[0], skip_special_tokens=True)}))
"""


@pytest.fixture(scope="module")
def exported(tmp_path_factory, toy_size):
    tokenizer = learn_tokenizer(["Where is order 4711?", "Where is my order"] * 2, 300)
    student = random_student(toy_size, tokenizer, seed=5, rope_theta=THETA)
    return export_model(student, tokenizer, tmp_path_factory.mktemp("export") / "model")


def read(directory, name):
    return json.loads((directory / name).read_text(encoding="utf-8"))


def test_both_spellings_of_what_releases_renamed_are_written(exported):
    config = read(exported, "config.json")
    assert config["rope_theta"] == THETA
    assert config["rope_parameters"]["rope_theta"] == THETA
    assert config["rope_scaling"] is None
    assert config["torch_dtype"] == config["dtype"] == "float32"
    assert config["architectures"] == ["LlamaForCausalLM"]


def test_rope_scaling_is_carried_over_whole(tmp_path, base_dir):
    model = load_model(base_dir)
    scaling = {"rope_type": "linear", "factor": 2.0}
    model.config.rope_parameters = {"rope_theta": 500.0, **scaling}
    config = read(export_model(model, load_tokenizer(base_dir), tmp_path / "model"), "config.json")
    assert (config["rope_theta"], config["rope_scaling"]) == (500.0, scaling)


def test_the_tokenizer_names_a_class_that_every_release_has_and_carries_its_template(exported):
    settings = read(exported, "tokenizer_config.json")
    assert settings["tokenizer_class"] == "PreTrainedTokenizerFast"
    assert settings["chat_template"] == CHAT_TEMPLATE
    assert settings["eos_token"] == "<|im_end|>"
    assert "extra_special_tokens" not in settings


def test_everything_a_runtime_looks_for_is_there_and_others_may_read_it(exported):
    files = {path.name: stat.S_IMODE(path.stat().st_mode) for path in exported.iterdir()}
    wanted = (
        "model.safetensors",
        "config.json",
        "generation_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
    )
    assert set(wanted) <= set(files)
    assert set(files.values()) == {0o644}
    assert not [path for path in exported.parent.iterdir() if path != exported]


def test_a_reloaded_student_is_the_same_student(exported, toy_size):
    again = load_model(exported)
    tokenizer = load_tokenizer(exported)
    student = random_student(toy_size, tokenizer, seed=5, rope_theta=THETA)
    ids = torch.arange(40)[None]
    with torch.no_grad():
        assert torch.equal(again(ids).logits, student(ids).logits)
    assert tokenizer.chat_template == CHAT_TEMPLATE


def test_the_rope_base_matters_so_that_a_lost_one_would_show(exported, toy_size):
    tokenizer = load_tokenizer(exported)
    ids = torch.arange(40)[None]
    with torch.no_grad():
        default = random_student(toy_size, tokenizer, seed=5)(ids).logits
        assert not torch.allclose(load_model(exported)(ids).logits, default, atol=1e-4)


def test_exporting_again_replaces_the_directory(exported, toy_size, tmp_path):
    target = tmp_path / "model"
    target.mkdir()
    (target / "stale.bin").write_bytes(b"old")
    tokenizer = byte_tokenizer()
    export_model(random_student(toy_size, tokenizer, seed=0), tokenizer, target)
    assert not (target / "stale.bin").exists()


def test_a_base_model_depends_on_its_seed_only(tmp_path, toy_size):
    weights = [
        (make_base(toy_size, tmp_path / name, seed=seed) / "model.safetensors").read_bytes()
        for name, seed in (("one", 7), ("two", 7), ("three", 8))
    ]
    assert weights[0] == weights[1] != weights[2]


def test_a_base_model_can_be_named_by_its_size(tmp_path):
    assert read(make_base("tiny", tmp_path / "tiny"), "config.json")["hidden_size"] == 64


@pytest.mark.slow
@pytest.mark.skipif(
    "BEDROCK_DISTILL_OLD_TRANSFORMERS" not in os.environ,
    reason="BEDROCK_DISTILL_OLD_TRANSFORMERS names no interpreter with transformers 4.51.3",
)
def test_an_old_release_answers_as_the_new_one_does(exported, tmp_path):
    import sys

    script = tmp_path / "ask.py"
    script.write_text(ASK)

    def ask(interpreter):
        done = subprocess.run(
            [interpreter, str(script), str(exported)], capture_output=True, text=True, check=True
        )
        return json.loads(done.stdout)

    assert ask(os.environ["BEDROCK_DISTILL_OLD_TRANSFORMERS"]) == ask(sys.executable)
