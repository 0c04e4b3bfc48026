"""The distances that a student is trained to shrink; pure functions of tensors.

Every function returns a sum over the positions it is given, never a mean: the loop divides by the number of response
tokens in the whole optimizer step, so that splitting a step into parts changes nothing. Positions are response
positions only; prompts and padding never reach this file.

Shapes: N positions, V words in the vocabulary, K buckets (V of them, or the teacher's k most likely words and one bucket
for all the rest).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bedrock_distill.train.config import Loss

__all__ = [
    "DIVERGENCES",
    "align_vocabularies",
    "bucket_log_probs",
    "forward_kl",
    "jensen_shannon",
    "log_probs",
    "reverse_kl",
    "text_loss",
]


def text_loss(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Cross-entropy with the words the teacher wrote.

    Args:
        logits: [N, V], the student's, in float32.
        targets: [N], ids of the teacher's words.

    Returns:
        Scalar, nats summed over N.
    """
    return F.cross_entropy(logits, targets, reduction="sum")


def forward_kl(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """KL(teacher || student): the student must cover everything the teacher might say.

    Args:
        student: [N, K] log probabilities, each row sums to one.
        teacher: [N, K] log probabilities, each row sums to one.

    Returns:
        Scalar, nats summed over N.
    """
    return (teacher.exp() * (teacher - student)).sum()


def reverse_kl(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """KL(student || teacher): the student must not say what the teacher would not.

    Its gradient is weighted by the student's own probabilities, so it teaches nothing about words the student never
    thinks of: useful after a warm start, useless from random weights.

    Args:
        student: [N, K] log probabilities, each row sums to one.
        teacher: [N, K] log probabilities, each row sums to one.

    Returns:
        Scalar, nats summed over N.
    """
    return (student.exp() * (student - teacher)).sum()


def jensen_shannon(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """Mean of both KLs to the midpoint of the two distributions; at most ln 2 a position.

    Args:
        student: [N, K] log probabilities, each row sums to one.
        teacher: [N, K] log probabilities, each row sums to one.

    Returns:
        Scalar, nats summed over N.
    """
    middle = torch.logaddexp(student, teacher) - math.log(2.0)
    return 0.5 * (forward_kl(middle, teacher) + forward_kl(middle, student))


DIVERGENCES: Mapping[Loss, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "forward_kl": forward_kl,
    "jensen_shannon": jensen_shannon,
    "reverse_kl": reverse_kl,
}
"""Loss on logits by name; each takes (student, teacher) log probabilities."""


def log_probs(logits: torch.Tensor, temperature: float) -> torch.Tensor:
    """Log probabilities of the whole vocabulary at a temperature.

    Args:
        logits: [N, V].
        temperature: Above 1 flattens, below 1 sharpens.

    Returns:
        [N, V], each row sums to one.
    """
    return F.log_softmax(logits / temperature, dim=-1)


def bucket_log_probs(logits: torch.Tensor, ids: torch.Tensor, temperature: float) -> torch.Tensor:
    """Log probabilities of the named words, and of all other words together.

    The last bucket is what makes a short list honest: without it the named words alone must sum to one, the student
    is free to put any amount of probability elsewhere, and training degenerates. It is summed over the other words
    directly, because one minus the named ones rounds to nothing where the teacher is sure.

    Args:
        logits: [N, V].
        ids: [N, k], distinct within a row, k < V.
        temperature: As in `log_probs`.

    Returns:
        [N, k + 1], each row sums to one.
    """
    scaled = logits / temperature
    total = scaled.logsumexp(dim=-1, keepdim=True)
    named = scaled.gather(1, ids)
    others = scaled.scatter(1, ids, float("-inf")).logsumexp(dim=-1, keepdim=True)
    return torch.cat((named, others), dim=-1) - total


def align_vocabularies(logits: torch.Tensor, vocab_size: int) -> torch.Tensor:
    """Drop the rows that pad an embedding matrix to a round size.

    Models of one family share a tokenizer and differ in that padding (Qwen: 151,936 and 152,064), so their logits
    cannot be compared until both end at the last real word.

    Args:
        logits: [N, V'] with V' >= vocab_size.
        vocab_size: V, the number of words in the tokenizer.

    Returns:
        [N, V].
    """
    return logits[:, :vocab_size]
