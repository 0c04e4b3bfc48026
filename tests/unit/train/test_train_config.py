from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bedrock_distill.errors import SpecError
from bedrock_distill.train import SIZES, TrainConfig

PLACE = {"data": Path("train.jsonl"), "output_dir": Path("run")}


@pytest.mark.parametrize(
    ("field", "settings"),
    [
        ("size", {"steps": 1, "size": "huge"}),
        ("loss", {"steps": 1, "loss": "mse"}),
        ("dtype", {"steps": 1, "dtype": "float16"}),
        ("steps", {}),
        ("steps", {"steps": 1, "epochs": 1.0}),
        ("steps", {"steps": 0}),
        ("epochs", {"epochs": 0.0}),
        ("batch_size", {"steps": 1, "batch_size": 0}),
        ("micro_batch_size", {"steps": 1, "batch_size": 4, "micro_batch_size": 5}),
        ("learning_rate", {"steps": 1, "learning_rate": 0.0}),
        ("warmup_share", {"steps": 1, "warmup_share": 1.0}),
        ("validation_share", {"steps": 1, "validation_share": 1.0}),
        ("validation_data", {"steps": 1, "validation_share": 0.1, "validation_data": Path("v.jsonl")}),
        ("max_tokens", {"steps": 1, "max_tokens": 5000}),
        ("vocab_size", {"steps": 1, "vocab_size": 100}),
        ("temperature", {"steps": 1, "temperature": 0.0}),
        ("top_k", {"steps": 1, "top_k": 0}),
        ("teacher_dir", {"steps": 1, "loss": "forward_kl"}),
        ("teacher_dir", {"steps": 1, "teacher_dir": Path("teacher")}),
        ("keep_layers", {"steps": 1, "keep_layers": (0, 1)}),
        ("rope_theta", {"steps": 1, "rope_theta": 1e6, "init_dir": Path("model")}),
        ("threads", {"steps": 1, "threads": 0}),
    ],
)
def test_a_setting_that_breaks_a_rule_is_named(field, settings):
    with pytest.raises(SpecError) as caught:
        TrainConfig(**PLACE, **settings)
    assert caught.value.field == field
    assert field in caught.value.message


@pytest.mark.parametrize("loss", ["jensen_shannon", "reverse_kl"])
def test_losses_that_need_a_student_with_an_opinion_are_refused_from_random_weights(loss):
    with pytest.raises(SpecError, match="warm_start_steps of forward KL"):
        TrainConfig(**PLACE, steps=9, loss=loss, teacher_dir=Path("teacher"))
    warm = TrainConfig(**PLACE, steps=9, loss=loss, teacher_dir=Path("teacher"), warm_start_steps=3)
    started = TrainConfig(**PLACE, steps=9, loss=loss, teacher_dir=Path("teacher"), init_dir=Path("model"))
    assert (warm.loss, started.loss) == (loss, loss)


def test_json_brings_back_an_equal_config():
    config = TrainConfig(
        **PLACE,
        epochs=1.5,
        init_dir=Path("model"),
        keep_layers=(0, 3),
        teacher_dir=Path("t"),
        loss="forward_kl",
    )
    assert TrainConfig.from_json(config.to_json()) == config


def test_an_unknown_setting_is_not_passed_over():
    with pytest.raises(SpecError, match="learning_rte"):
        TrainConfig.from_json('{"data": "a", "output_dir": "b", "steps": 1, "learning_rte": 1}')


def test_the_fingerprint_follows_what_the_weights_depend_on_and_nothing_else():
    config = TrainConfig(**PLACE, steps=3)
    elsewhere = TrainConfig(data=PLACE["data"], output_dir=Path("other"), steps=3, checkpoint_every=1)
    assert config.fingerprint() == elsewhere.fingerprint()
    assert config.fingerprint() != TrainConfig(**PLACE, steps=3, seed=1).fingerprint()


def test_sizes_are_as_large_as_they_say():
    millions = {name: size.parameters(1024) / 1e6 for name, size in SIZES.items()}
    assert millions == pytest.approx({"tiny": 0.16, "small": 0.9, "base": 5, "large": 24}, rel=0.1)


def test_describing_and_launching_a_run_needs_no_torch():
    code = (
        "import sys, bedrock_distill.train, bedrock_distill.train.base, bedrock_distill.train.generation; "
        "print(sorted({'torch', 'transformers', 'tokenizers', 'numpy'} & set(sys.modules)))"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"
