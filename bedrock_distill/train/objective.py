"""Which loss a step has, and where the teacher's side of it comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import torch

from bedrock_distill.train.losses import (
    DIVERGENCES,
    align_vocabularies,
    bucket_log_probs,
    log_probs,
    text_loss,
)

if TYPE_CHECKING:
    from bedrock_distill.train.config import Loss
    from bedrock_distill.train.data import Batch
    from bedrock_distill.train.forward import ResponseLogits
    from bedrock_distill.train.teacher import TeacherCache

__all__ = ["CachedLogits", "LiveLogits", "Objective", "Text"]


class Objective(Protocol):
    """A loss over a batch."""

    def __call__(self, logits: torch.Tensor, batch: Batch, loss: Loss) -> torch.Tensor:
        """The student's logits, [N, V'], to a scalar: nats summed over the N response tokens."""
        ...


class Text:
    """The teacher wrote, and that is all there is."""

    def __init__(self, vocab_size: int) -> None:
        self._vocab_size = vocab_size

    def __call__(self, logits: torch.Tensor, batch: Batch, loss: Loss) -> torch.Tensor:  # noqa: ARG002 - there is one
        """Cross-entropy."""
        return text_loss(align_vocabularies(logits, self._vocab_size), batch.targets)


class CachedLogits:
    """The teacher's likeliest words and the tail, from the cache."""

    def __init__(self, cache: TeacherCache) -> None:
        self._cache = cache

    def __call__(self, logits: torch.Tensor, batch: Batch, loss: Loss) -> torch.Tensor:
        """A divergence between k + 1 buckets."""
        temperature = self._cache.temperature
        words, teacher = self._cache.look_up(batch.rows)
        student = bucket_log_probs(align_vocabularies(logits, self._cache.vocab_size), words, temperature)
        return DIVERGENCES[loss](student, teacher) * temperature**2


class LiveLogits:
    """The teacher's whole distribution, asked for at every step."""

    def __init__(self, teacher: ResponseLogits, *, vocab_size: int, temperature: float) -> None:
        self._teacher, self._vocab_size, self._temperature = teacher, vocab_size, temperature

    def __call__(self, logits: torch.Tensor, batch: Batch, loss: Loss) -> torch.Tensor:
        """A divergence over the vocabulary."""
        with torch.no_grad():
            heard = align_vocabularies(self._teacher(batch), self._vocab_size)
            teacher = log_probs(heard, self._temperature)
        student = log_probs(align_vocabularies(logits, self._vocab_size), self._temperature)
        return DIVERGENCES[loss](student, teacher) * self._temperature**2
