from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file

from bedrock_distill.errors import JobFailedError, SpecError
from bedrock_distill.train.loop import learning_rate_at, train
from bedrock_distill.train.setup import multiplies_bfloat16


def run(config, *, stop=lambda: False):
    events = []
    train(config, events.append, stop)
    return events


def weights(config):
    return load_file(config.output_dir / "model" / "model.safetensors")


def after(count):
    """Says stop from the count-th time on."""
    answers = iter([False] * (count - 1))
    return lambda: next(answers, True)


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_a_run_reports_every_step_and_leaves_a_model(make_config):
    config = make_config(validation_share=0.2, validate_every=2, checkpoint_every=2)
    events = run(config)
    assert [event.kind for event in events] == [
        *("started", "step", "step", "validation", "checkpoint"),
        *("step", "step", "validation", "checkpoint", "exported", "done"),
    ]
    assert [event.step for event in events if event.kind == "step"] == [1, 2, 3, 4]
    assert events[0].records == 16
    assert events[-1].tokens > 0
    assert events[-1].epoch == 1.0
    lines = [json.loads(line) for line in (config.output_dir / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 2, 3, 4, 4]
    assert lines[1]["training_loss"] == [event.loss for event in events if event.kind == "step"][1]


def test_the_loss_falls(make_config):
    losses = [event.loss for event in run(make_config(steps=30, learning_rate=1e-2)) if event.kind == "step"]
    assert losses[-1] < 0.6 * losses[0]


def test_the_same_seed_gives_the_same_weights_bit_for_bit(make_config):
    one, two, other = make_config("one"), make_config("two"), make_config("other", seed=1)
    for config in (one, two, other):
        run(config)
    assert same(weights(one), weights(two))
    assert not same(weights(one), weights(other))


def test_a_stopped_run_goes_on_to_the_same_weights_bit_for_bit(make_config):
    whole, halves = make_config("whole", steps=7), make_config("halves", steps=7)
    run(whole)
    first = run(halves, stop=after(3))
    second = run(halves)
    assert [event.kind for event in first][-2:] == ["checkpoint", "stopped"]
    assert [event.step for event in second if event.kind == "step"] == [4, 5, 6, 7]
    assert second[-1].tokens == run(make_config("again", steps=7))[-1].tokens
    assert same(weights(whole), weights(halves))
    lines = (halves.output_dir / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3, 4, 5, 6, 7]


def test_steps_done_after_the_last_checkpoint_are_done_again_not_twice(make_config):
    config = make_config(steps=6, checkpoint_every=4)
    run(config)
    kinds = [(event.kind, event.step) for event in run(config)]
    assert kinds[:3] == [("started", 4), ("step", 5), ("step", 6)]
    lines = (config.output_dir / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3, 4, 5, 6]


def test_a_checkpoint_of_other_settings_or_other_data_is_refused(make_config, data):
    run(make_config(), stop=after(2))
    with pytest.raises(SpecError, match="other settings"):
        run(make_config(seed=5))
    data.write_bytes(b"".join(data.read_bytes().splitlines(keepends=True)[:-1]))
    with pytest.raises(SpecError, match="other data"):
        run(make_config())


def test_a_torn_checkpoint_leaves_the_one_before(make_config):
    config = make_config(steps=5)
    run(config, stop=after(2))
    (config.output_dir / "checkpoint" / "state.pt.writing").write_bytes(b"half of a")
    assert run(config)[0].step == 2


@pytest.mark.parametrize("micro_batch_size", [1, 3])
def test_a_batch_in_parts_is_the_same_step_as_a_batch_at_once(make_config, micro_batch_size):
    at_once, in_parts = make_config("at-once"), make_config("in-parts", micro_batch_size=micro_batch_size)
    whole = [event for event in run(at_once) if event.kind == "step"]
    parts = [event for event in run(in_parts) if event.kind == "step"]
    # The first gradient is the promise; after it Adam turns the last bit of small gradients into whole steps.
    assert parts[0].loss == pytest.approx(whole[0].loss, rel=1e-6)
    assert parts[0].gradient_norm == pytest.approx(whole[0].gradient_norm, rel=1e-5)
    assert [event.tokens for event in parts] == [event.tokens for event in whole]
    assert [event.loss for event in parts] == pytest.approx([event.loss for event in whole], rel=1e-3)


def test_bfloat16_products_train_too(make_config):
    config = make_config(steps=2, dtype="bfloat16")
    events = run(config)
    assert "bfloat16" in events[0].message
    assert all(weight.dtype == torch.float32 for weight in weights(config).values())
    assert "sdpa_float32" not in (config.output_dir / "model" / "config.json").read_text()


def test_a_loss_that_is_no_number_ends_the_run_with_advice(make_config, base_dir, tmp_path):
    broken = tmp_path / "broken"
    broken.mkdir()
    for path in base_dir.iterdir():
        (broken / path.name).write_bytes(path.read_bytes())
    from safetensors.torch import save_file

    state = load_file(broken / "model.safetensors")
    state["model.norm.weight"][:] = float("nan")
    save_file(state, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(JobFailedError, match=r"step 1 the loss is nan .* lower learning_rate"):
        run(make_config(init_dir=broken))


def test_a_start_from_a_model_keeps_its_tokenizer_and_may_drop_layers(make_config, base_dir):
    config = make_config(init_dir=base_dir, keep_layers=(1,))
    run(config)
    model = config.output_dir / "model"
    assert json.loads((model / "config.json").read_text())["num_hidden_layers"] == 1
    assert json.loads((model / "tokenizer.json").read_text()) == json.loads(
        (base_dir / "tokenizer.json").read_text()
    )
    with pytest.raises(SpecError, match="layers 0 to 1"):
        run(make_config("bad", init_dir=base_dir, keep_layers=(0, 2)))


def test_a_start_from_what_is_no_model_is_a_spec_error(make_config, tmp_path):
    with pytest.raises(SpecError, match="no-model"):
        run(make_config(init_dir=tmp_path / "no-model"))


def test_the_learning_rate_rises_then_falls_to_nothing():
    rates = [learning_rate_at(step, steps=10, peak=1.0, warmup_share=0.2) for step in range(10)]
    assert rates[:3] == [0.5, 1.0, 1.0]
    assert rates[2:] == sorted(rates[2:], reverse=True)
    assert 0 < rates[-1] < 0.05


@pytest.mark.parametrize(
    ("flags", "answer"),
    [("fpu avx2", False), ("avx512f avx512_bf16", True), ("amx_tile amx_bf16", True)],
)
def test_bfloat16_is_chosen_only_where_the_processor_multiplies_it(tmp_path, flags, answer):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"processor\t: 0\nflags\t\t: {flags}\n")
    assert multiplies_bfloat16(cpuinfo) is answer
    assert multiplies_bfloat16(tmp_path / "absent") is False
