"""The engine behind endpoints: the model's own text, whoever asks beside whom, for models of several families."""

from __future__ import annotations

import threading

import pytest

from bedrock_distill.errors import SpecError
from bedrock_distill.local.engine import Engine, Engines
from bedrock_distill.train import batching
from bedrock_distill.train.answers import Generated, Sampling

FAMILIES = ("llama", "gpt2", "qwen2", "gemma", "gemma3", "gptj")
"""The last has an attention of its own, and is not batched continuously."""
GREEDY = Sampling(max_tokens=16)


def _make(family, tokenizer):
    import transformers as hf

    words = {
        "vocab_size": len(tokenizer), "bos_token_id": None, "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id, "initializer_range": 0.2,
    }  # fmt: skip
    usual = {
        "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
        "intermediate_size": 128, "max_position_embeddings": 512, **words,
    }  # fmt: skip
    if family == "gpt2":
        return hf.GPT2LMHeadModel(hf.GPT2Config(n_embd=64, n_layer=2, n_head=4, n_positions=512, **words))
    if family == "gptj":
        return hf.GPTJForCausalLM(
            hf.GPTJConfig(n_embd=64, n_layer=2, n_head=4, rotary_dim=8, n_positions=512, **words)
        )
    if family == "gemma3":
        return hf.Gemma3ForCausalLM(hf.Gemma3TextConfig(head_dim=16, sliding_window=32, **usual))
    config, model = {
        "llama": (hf.LlamaConfig, hf.LlamaForCausalLM),
        "qwen2": (hf.Qwen2Config, hf.Qwen2ForCausalLM),
        "gemma": (hf.GemmaConfig, hf.GemmaForCausalLM),
    }[family]
    return model(config(**usual, **({"head_dim": 16} if family == "gemma" else {})))


@pytest.fixture(scope="module", params=FAMILIES)
def directory(request, tmp_path_factory):
    import torch

    from bedrock_distill.train.tokens import byte_tokenizer

    path = tmp_path_factory.mktemp("engine") / request.param
    torch.manual_seed(7)
    tokenizer = byte_tokenizer()
    model = _make(request.param, tokenizer)
    model.generation_config.do_sample = False
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def loaded(directory):
    engine = Engine(directory)
    yield engine
    engine.close()


def whole(engine, text, sampling=GREEDY):
    *pieces, answer = engine.answer(engine.text_ids(text), sampling)
    assert isinstance(answer, Generated)
    assert "".join(pieces) == answer.text
    return answer


def reference(directory, text, most):
    """What transformers' own `generate` says."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(directory)
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32).eval()
    ids = tokenizer(text, return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        out = model.generate(ids, max_new_tokens=most, do_sample=False, pad_token_id=tokenizer.pad_token_id)
    return tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True)


def test_a_greedy_answer_is_the_models_own(loaded, directory):
    for text in ("What is it?", "Une réponse, s'il vous plaît: " * 4):
        assert whole(loaded, text).text == reference(directory, text, 16)


def test_company_changes_nothing(loaded):
    texts = [f"Question {number}: {'why ' * (number % 5)}" for number in range(10)]
    alone = [whole(loaded, text).text for text in texts]
    together = {}
    threads = [
        threading.Thread(target=lambda text=text: together.setdefault(text, whole(loaded, text).text))
        for text in texts
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [together[text] for text in texts] == alone


def test_a_stop_text_ends_the_answer_before_it(loaded):
    text = whole(loaded, "Go").text
    stop = text[3:5]
    answer = whole(loaded, "Go", Sampling(max_tokens=16, stop=(stop,)))
    assert answer.text == text[: text.index(stop)]
    assert answer.stop_reason == "stop_sequence"


def test_a_seed_draws_the_same_and_another_draws_another(loaded):
    drawn = [
        whole(loaded, "Go", Sampling(max_tokens=16, temperature=1.0, seed=seed)).text for seed in (1, 1, 2)
    ]
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_reader_who_leaves_frees_the_place(loaded):
    events = loaded.answer(loaded.text_ids("Go"), Sampling(max_tokens=400))
    next(events)
    events.close()
    assert whole(loaded, "Go").output_tokens > 0


def test_a_prompt_without_room_for_an_answer_is_refused(loaded):
    with pytest.raises(SpecError, match="shorten it"):
        loaded.answer([5] * 20_000, GREEDY)


def test_models_are_loaded_once_and_gone_when_closed(directory):
    engines = Engines()
    assert engines.get(directory) is engines.get(directory)
    engines.close()
    with pytest.raises(RuntimeError, match="closed"):
        engines.get(directory)


def test_where_there_is_no_continuous_batching_the_worker_answers_the_same(loaded, directory, monkeypatch):
    monkeypatch.setattr(batching, "is_available", lambda: False)
    engine = Engine(directory)
    try:
        assert whole(engine, "What is it?").text == whole(loaded, "What is it?").text
    finally:
        engine.close()


def test_a_model_that_cannot_be_batched_is_served_by_the_worker(directory, monkeypatch):
    def cannot(_directory):
        raise batching.CannotBatchError("a test says so")

    monkeypatch.setattr(batching, "ContinuousBatching", cannot)
    engine = Engine(directory)
    try:
        assert whole(engine, "What is it?").output_tokens > 0
    finally:
        engine.close()


def test_a_model_that_tells_positions_by_distance_is_served_though_its_config_names_no_last_one(tmp_path):
    import transformers as hf

    from bedrock_distill.train.tokens import byte_tokenizer

    tokenizer = byte_tokenizer()
    config = hf.BloomConfig(vocab_size=len(tokenizer), hidden_size=16, n_layer=1, n_head=2)
    hf.BloomForCausalLM(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    engine = Engine(tmp_path)
    try:
        assert whole(engine, "Go", Sampling(max_tokens=2)).output_tokens > 0
        assert engine.room > 2
    finally:
        engine.close()
