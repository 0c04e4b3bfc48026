from __future__ import annotations

import math

import pytest
import torch

from bedrock_distill.train.losses import (
    DIVERGENCES,
    align_vocabularies,
    bucket_log_probs,
    log_probs,
    text_loss,
)

N, V, K = 5, 11, 3


def logits(seed, *, scale=2.0):
    return scale * torch.randn(N, V, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def softmax(row, temperature):
    """With plain Python floats, one word at a time."""
    exps = [math.exp(x / temperature) for x in row]
    return [x / sum(exps) for x in exps]


def buckets(row, ids):
    return [row[i] for i in ids] + [sum(p for i, p in enumerate(row) if i not in ids)]


def naive_kl(p, q):
    return sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))


NAIVE = {
    "forward_kl": lambda student, teacher: naive_kl(teacher, student),
    "reverse_kl": naive_kl,
    "jensen_shannon": lambda s, t: 0.5 * naive_kl(t, middle(s, t)) + 0.5 * naive_kl(s, middle(s, t)),
}


def middle(p, q):
    return [(a + b) / 2 for a, b in zip(p, q, strict=True)]


@pytest.mark.parametrize("temperature", [1.0, 2.5])
@pytest.mark.parametrize("name", list(DIVERGENCES))
def test_divergences_over_the_vocabulary_match_a_plain_computation(name, temperature):
    student, teacher = logits(0), logits(1)
    got = DIVERGENCES[name](log_probs(student, temperature), log_probs(teacher, temperature))
    pairs = zip(student.tolist(), teacher.tolist(), strict=True)
    want = sum(NAIVE[name](softmax(s, temperature), softmax(t, temperature)) for s, t in pairs)
    assert got.item() == pytest.approx(want, rel=1e-12)


@pytest.mark.parametrize("temperature", [1.0, 2.5])
@pytest.mark.parametrize("name", list(DIVERGENCES))
def test_divergences_over_buckets_match_a_plain_computation(name, temperature):
    student, teacher = logits(2), logits(3)
    ids = teacher.topk(K).indices
    got = DIVERGENCES[name](
        bucket_log_probs(student, ids, temperature), bucket_log_probs(teacher, ids, temperature)
    )
    want = sum(
        NAIVE[name](buckets(softmax(s, temperature), i), buckets(softmax(t, temperature), i))
        for s, t, i in zip(student.tolist(), teacher.tolist(), ids.tolist(), strict=True)
    )
    assert got.item() == pytest.approx(want, rel=1e-12)


@pytest.mark.parametrize("name", list(DIVERGENCES))
def test_gradients_of_divergences_are_right(name):
    teacher = logits(4)
    ids = teacher.topk(K).indices
    whole, short = log_probs(teacher, 2.0), bucket_log_probs(teacher, ids, 2.0)
    student = logits(5).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: DIVERGENCES[name](log_probs(x, 2.0), whole), student)
    assert torch.autograd.gradcheck(
        lambda x: DIVERGENCES[name](bucket_log_probs(x, ids, 2.0), short), student
    )


def test_text_loss_is_the_summed_surprise_at_the_words_of_the_teacher():
    student, targets = logits(6), torch.tensor([0, 3, 10, 3, 7])
    want = sum(-math.log(softmax(s, 1.0)[t]) for s, t in zip(student.tolist(), targets.tolist(), strict=True))
    assert text_loss(student, targets).item() == pytest.approx(want, rel=1e-12)


@pytest.mark.parametrize("name", list(DIVERGENCES))
def test_a_student_that_equals_its_teacher_has_nothing_to_learn(name):
    student = logits(7).requires_grad_()
    loss = DIVERGENCES[name](log_probs(student, 1.0), log_probs(student.detach(), 1.0))
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-12)
    assert student.grad.abs().max().item() == pytest.approx(0, abs=1e-12)


def test_probability_put_outside_the_named_words_is_punished():
    teacher = torch.zeros(1, V, dtype=torch.float64)
    teacher[0, :K] = 8.0
    ids = teacher.topk(K).indices
    strays = teacher.clone()
    strays[0, K:] = 12.0  # the named words keep their proportions, and hardly any probability
    loss = DIVERGENCES["forward_kl"](bucket_log_probs(strays, ids, 1.0), bucket_log_probs(teacher, ids, 1.0))
    assert loss.item() > 3


def test_the_tail_of_a_sure_teacher_is_not_rounded_away_in_float32():
    sure = torch.full((1, V), -30.0)
    sure[0, 0] = 0.0
    tail = bucket_log_probs(sure, torch.tensor([[0]]), 1.0)[0, -1]
    assert tail.item() == pytest.approx(-30 + math.log(V - 1), rel=1e-5)


def test_bucket_probabilities_sum_to_one():
    total = bucket_log_probs(logits(8), logits(8).topk(K).indices, 1.7).exp().sum(dim=-1)
    assert total.tolist() == pytest.approx([1.0] * N, rel=1e-12)


def test_jensen_shannon_never_exceeds_ln_2_a_position():
    far = DIVERGENCES["jensen_shannon"](
        log_probs(logits(9, scale=200), 1.0), log_probs(logits(10, scale=200), 1.0)
    )
    assert 0.5 * N * math.log(2) < far.item() <= N * math.log(2) + 1e-9


def test_rows_that_pad_a_vocabulary_take_no_part():
    padded = torch.cat((logits(11), torch.full((N, 5), 50.0, dtype=torch.float64)), dim=1)
    assert torch.equal(log_probs(align_vocabularies(padded, V), 1.0), log_probs(logits(11), 1.0))
