from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from bedrock_distill.train.data import collate, encode_files
from bedrock_distill.train.forward import ResponseLogits, attends_fully
from bedrock_distill.train.losses import text_loss
from bedrock_distill.train.students import random_student, use_float32_attention
from bedrock_distill.train.tokens import byte_tokenizer

TOKENIZER = byte_tokenizer()


@pytest.fixture
def encoded(data):
    return encode_files((data,), TOKENIZER, max_tokens=1024)


@pytest.fixture
def model(toy_size):
    return random_student(toy_size, TOKENIZER, seed=0)


def plain_loss(model, encoded, numbers):
    """One record at a time, all positions, no padding, nothing shared."""
    total = torch.zeros(())
    for number in numbers:
        ids = torch.tensor(encoded.ids[encoded.starts[number] : encoded.starts[number + 1]].astype(np.int64))
        first = int(encoded.responses[number] - encoded.starts[number])
        logits = model(input_ids=ids[None]).logits[0]
        total = total + text_loss(logits[first - 1 : -1], ids[first:])
    return total


def gradients(model, loss):
    model.zero_grad()
    loss.backward()
    return torch.cat([parameter.grad.flatten() for parameter in model.parameters()])


@pytest.mark.parametrize("shared", [True, False], ids=["beginning computed once", "computed for each"])
def test_a_batch_has_the_loss_and_gradient_of_its_records_one_by_one(model, encoded, shared):
    numbers = np.array([3, 8, 12, 19])
    want = plain_loss(model, encoded, numbers)
    want_gradient = gradients(model, want)
    forward = ResponseLogits(model, bfloat16=False)
    forward._share = shared
    batch = collate(encoded, numbers, padding=0)
    got = text_loss(forward(batch), batch.targets)
    assert batch.prefix.shape[1] > 16
    assert got.item() == pytest.approx(want.item(), rel=1e-5)
    assert torch.allclose(gradients(model, got), want_gradient, atol=1e-5, rtol=1e-4)


def test_what_padding_holds_makes_no_difference(model, encoded):
    forward = ResponseLogits(model, bfloat16=False)
    numbers = np.array([0, 1, 2])
    assert torch.equal(
        forward(collate(encoded, numbers, padding=0)), forward(collate(encoded, numbers, padding=77))
    )


def test_only_the_wanted_positions_are_projected_to_the_vocabulary(model, encoded):
    batch = collate(encoded, np.array([4, 5]), padding=0)
    forward = ResponseLogits(model, bfloat16=False)
    assert forward(batch).shape == (len(batch.targets), len(TOKENIZER))
    assert model(input_ids=batch.ids).logits.shape[:2] == batch.ids.shape


def test_the_last_feed_forward_runs_at_the_wanted_positions_only(model, encoded):
    batch = collate(encoded, np.array([4, 5]), padding=0)
    rows = []
    for layer in model.base_model.layers:
        layer.mlp.down_proj.register_forward_hook(
            lambda _module, inputs, _output: rows.append(inputs[0].shape[1])
        )
    ResponseLogits(model, bfloat16=False)(batch)
    shared, own = batch.prefix.shape[1], batch.ids.shape[1]
    assert rows == [shared, shared, own, len(batch.targets)]


def test_a_model_that_sees_a_window_does_not_share_a_beginning(model):
    assert attends_fully(model.config)
    model.config.sliding_window = 64
    assert not attends_fully(model.config)


def test_bfloat16_keeps_attention_in_float32(model, encoded):
    exact = ResponseLogits(model, bfloat16=False)
    batch = collate(encoded, np.array([4, 5, 6]), padding=0)
    want = exact(batch)
    use_float32_attention(model)
    seen = []
    attend = torch.nn.functional.scaled_dot_product_attention

    def watched(query, *rest, **options):
        seen.append(query.dtype)
        return attend(query, *rest, **options)

    torch.nn.functional.scaled_dot_product_attention = watched
    try:
        rounded = ResponseLogits(model, bfloat16=True)(batch)
        text_loss(rounded, batch.targets).backward()
    finally:
        torch.nn.functional.scaled_dot_product_attention = attend
    assert set(seen) == {torch.float32}
    assert rounded.dtype == torch.float32
    assert not torch.equal(rounded, want)
    assert torch.allclose(rounded, want, atol=0.06)


def test_dropping_the_common_beginning_changes_the_answer(model, encoded):
    batch = collate(encoded, np.array([4, 5]), padding=0)
    bare = replace(batch, prefix=batch.prefix[:, :0])
    forward = ResponseLogits(model, bfloat16=False)
    assert not torch.allclose(forward(batch), forward(bare), atol=1e-4)
