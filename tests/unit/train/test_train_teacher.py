from __future__ import annotations

import numpy as np
import pytest
import torch

from bedrock_distill.errors import SpecError
from bedrock_distill.train.data import collate, encode_files
from bedrock_distill.train.export import export_model
from bedrock_distill.train.forward import ResponseLogits
from bedrock_distill.train.loop import train
from bedrock_distill.train.losses import bucket_log_probs, forward_kl, log_probs
from bedrock_distill.train.objective import CachedLogits, LiveLogits
from bedrock_distill.train.students import load_model, random_student
from bedrock_distill.train.teacher import TeacherCache
from bedrock_distill.train.tokens import byte_tokenizer, learn_tokenizer

TOKENIZER = byte_tokenizer()
K = 4


@pytest.fixture
def encoded(data):
    return encode_files((data,), TOKENIZER, max_tokens=1024)


@pytest.fixture
def teacher(base_dir):
    return ResponseLogits(load_model(base_dir).eval(), bfloat16=False)


def cache_for(encoded, directory, *, key="teacher-1", temperature=1.5):
    return TeacherCache(
        directory, encoded, top_k=K, vocab_size=len(TOKENIZER), temperature=temperature, key=key
    )


def run(config, stop=lambda: False):
    events = []
    train(config, events.append, stop)
    return events


def test_the_cache_holds_what_the_teacher_would_say(encoded, teacher, tmp_path):
    cache = cache_for(encoded, tmp_path / "cache")
    everything = np.arange(len(encoded))
    told = []
    cache.fill(teacher, encoded, everything, 0, lambda done, tokens: told.append((done, tokens)))
    batch = collate(encoded, np.array([5, 1, 9]), padding=0)
    words, logs = cache.look_up(batch.rows)
    with torch.no_grad():
        logits = teacher(batch)
    assert torch.equal(words, logits.topk(K).indices)
    assert torch.allclose(logs, bucket_log_probs(logits, words, 1.5), atol=5e-3)
    assert logs.exp().sum(dim=-1).tolist() == pytest.approx([1.0] * len(logs), rel=1e-6)
    assert told == [(len(encoded), int(encoded.lengths.sum()))]


def test_a_cache_is_used_again_and_replaced_when_teacher_or_data_change(encoded, teacher, tmp_path):
    everything = np.arange(len(encoded))
    cache_for(encoded, tmp_path).fill(teacher, encoded, everything[:7], 0, lambda *_: None)
    assert cache_for(encoded, tmp_path).missing(everything).tolist() == everything[7:].tolist()
    assert len(cache_for(encoded, tmp_path, key="teacher-2").missing(everything)) == len(encoded)


def test_filling_can_be_interrupted_and_what_is_done_stays(make_config, base_dir):
    config = make_config(loss="forward_kl", teacher_dir=base_dir, epochs=1.0, steps=None)
    assert [event.kind for event in run(config, stop=lambda: True)] == ["teacher", "stopped"]
    assert "teacher" not in [event.kind for event in run(config)]


def test_the_teacher_is_asked_once_and_only_about_records_that_the_run_sees(make_config, base_dir):
    short = run(make_config("short", loss="forward_kl", teacher_dir=base_dir, steps=2))
    long = run(make_config("long", loss="forward_kl", teacher_dir=base_dir, steps=11))
    assert [event.records for event in short if event.kind == "teacher"] == [8]
    assert [event.records for event in long if event.kind == "teacher"] == [20]


@pytest.mark.parametrize(
    "settings",
    [
        {"loss": "forward_kl", "top_k": None},
        {"loss": "forward_kl", "top_k": 4, "temperature": 2.0},
        {"loss": "jensen_shannon", "warm_start_steps": 8},
        {"loss": "reverse_kl", "warm_start_steps": 8, "top_k": None},
    ],
    ids=lambda settings: "-".join(map(str, settings.values())),
)
def test_every_loss_brings_the_student_nearer_to_its_teacher(make_config, base_dir, settings):
    config = make_config(
        teacher_dir=base_dir, steps=16, learning_rate=5e-3, validation_share=0.2, validate_every=8, **settings
    )
    losses = [event.loss for event in run(config) if event.kind == "validation"]
    assert losses[-1] < losses[0]


def test_cached_and_live_teachers_agree_where_the_list_is_nearly_the_whole_vocabulary(
    encoded, teacher, tmp_path, toy_size
):
    almost = len(TOKENIZER) - 1
    cache = TeacherCache(tmp_path, encoded, top_k=almost, vocab_size=len(TOKENIZER), temperature=1.0, key="t")
    cache.fill(teacher, encoded, np.arange(len(encoded)), 0, lambda *_: None)
    batch = collate(encoded, np.arange(6), padding=0)
    logits = ResponseLogits(random_student(toy_size, TOKENIZER, seed=8), bfloat16=False)(batch)
    live = LiveLogits(teacher, vocab_size=len(TOKENIZER), temperature=1.0)(logits, batch, "forward_kl")
    cached = CachedLogits(cache)(logits, batch, "forward_kl")
    assert cached.item() == pytest.approx(live.item(), rel=2e-2)


def test_a_teacher_with_a_padded_vocabulary_teaches_the_real_words_only(encoded, tmp_path, toy_size):
    words = len(TOKENIZER)
    wide = random_student(toy_size, TOKENIZER, seed=1, vocab_size=words + 13)
    narrow = random_student(toy_size, TOKENIZER, seed=2)
    teacher = ResponseLogits(wide, bfloat16=False)
    batch = collate(encoded, np.arange(4), padding=0)
    logits = ResponseLogits(narrow, bfloat16=False)(batch)
    with torch.no_grad():
        want = forward_kl(log_probs(logits, 1.0), log_probs(teacher(batch)[:, :words], 1.0))
    got = LiveLogits(teacher, vocab_size=words, temperature=1.0)(logits, batch, "forward_kl")
    assert got.item() == pytest.approx(want.item(), rel=1e-6)
    cache = cache_for(encoded, tmp_path)
    cache.fill(teacher, encoded, np.arange(4), 0, lambda *_: None)
    assert int(cache.look_up(batch.rows)[0].max()) < words


def test_a_teacher_that_spells_differently_is_refused(make_config, base_dir, tmp_path, toy_size):
    other = learn_tokenizer(["some other words"] * 3, 300)
    foreign = export_model(random_student(toy_size, other, seed=0), other, tmp_path / "foreign")
    with pytest.raises(SpecError, match="different tokenizers"):
        run(make_config(init_dir=base_dir, teacher_dir=foreign, loss="forward_kl"))
