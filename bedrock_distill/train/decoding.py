"""One answer in the making: which token comes next, which text is safe to show, and when it is over.

No model here: a request is fed rows of logits and says what it makes of them, so that batched, single and streamed
answers come out of the same code.
"""

from __future__ import annotations

import queue
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from bedrock_distill.train.answers import Generated, Sampling

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bedrock_distill.train.answers import StopReason

__all__ = ["Request", "TextStream"]

UNFINISHED = "\N{REPLACEMENT CHARACTER}"
"""What bytes decode to that do not make a character yet, or never will."""


class TextStream:
    """Turns tokens into text that will not change any more.

    Text is held back while its last character lacks bytes, or while it might be the beginning of a stop text.
    """

    def __init__(self, tokenizer: Any, stop: Sequence[str]) -> None:
        self._tokenizer = tokenizer
        self._stop = tuple(text for text in stop if text)
        self._ids: list[int] = []
        self._shown = 0
        """Tokens before this one are decoded for good."""
        self._context = 0
        """Tokens from this one on are decoded again with new ones: some tokenizers spell a token by its neighbours."""
        self._held = ""
        self.stopped_by = ""
        """The stop text that has come; nothing is certain after it."""

    @property
    def stopped(self) -> bool:
        """Whether a stop text has come."""
        return bool(self.stopped_by)

    def _decode(self, ids: list[int]) -> str:
        text: str = self._tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text

    def add(self, token: int) -> str:
        """Take a token, return the text that is now certain."""
        self._ids.append(token)
        return self._release(final=False)

    def finish(self) -> str:
        """No more tokens: return all that was held back."""
        return self._release(final=True)

    def _release(self, *, final: bool) -> str:
        known = self._decode(self._ids[self._context : self._shown])
        text = self._decode(self._ids[self._context :])
        if final or not text.endswith(UNFINISHED):
            self._held += text[len(known) :]
            self._context, self._shown = self._shown, len(self._ids)
        return self._before_stop(final=final)

    def _before_stop(self, *, final: bool) -> str:
        found = [(place, text) for text in self._stop if (place := self._held.find(text)) >= 0]
        if found:
            place, self.stopped_by = min(found)
            piece, self._held = self._held[:place], ""
            return piece
        keep = 0 if final else max((_overlap(self._held, text) for text in self._stop), default=0)
        certain = len(self._held) - keep
        piece, self._held = self._held[:certain], self._held[certain:]
        return piece


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of `text` that begins `stop`."""
    longest = min(len(text), len(stop) - 1)
    return next((length for length in range(longest, 0, -1) if stop.startswith(text[-length:])), 0)


@dataclass(slots=True, kw_only=True)
class Request:
    """A prompt waiting for its answer, or in the middle of it."""

    prompt: list[int]
    sampling: Sampling
    tokenizer: Any
    ends: frozenset[int]
    """Tokens that end an answer."""
    room: int
    """Tokens that the model has positions for after the prompt."""
    pieces: queue.SimpleQueue[str | Generated | BaseException] = field(default_factory=queue.SimpleQueue)
    """What the caller waits on: texts, then the whole or an error."""
    cancelled: bool = False
    """Set by a caller that has gone; the answer ends at the next token."""
    _text: TextStream = field(init=False)
    _parts: list[str] = field(default_factory=list, init=False)
    _count: int = field(default=0, init=False)
    _random: torch.Generator = field(init=False)

    def __post_init__(self) -> None:
        self._text = TextStream(self.tokenizer, self.sampling.stop)
        self._random = torch.Generator().manual_seed(self.sampling.seed)

    def take(self, logits: torch.Tensor) -> int | None:
        """Choose the next token from logits, [V]; None when the answer is complete."""
        token = self._choose(logits)
        self._count += 1
        over = self._read(token)
        if over is not None:
            self._finish(over)
        return token if over is None else None

    def _read(self, token: int) -> StopReason | None:
        if token in self.ends:
            return "end_turn"
        self._show(self._text.add(token))
        if self._text.stopped:
            return "stop_sequence"
        if self.cancelled or self._count >= min(self.sampling.max_tokens, self.room):
            return "max_tokens"
        return None

    def _choose(self, logits: torch.Tensor) -> int:
        sampling = self.sampling
        if sampling.temperature == 0:
            return int(logits.argmax())
        probabilities, words = torch.softmax(logits / sampling.temperature, dim=-1).sort(
            descending=True, stable=True
        )
        before = probabilities.cumsum(dim=-1) - probabilities
        kept = torch.where(before < sampling.top_p, probabilities, 0.0)
        return int(words[torch.multinomial(kept, 1, generator=self._random)])

    def _show(self, piece: str) -> None:
        if piece:
            self._parts.append(piece)
            self.pieces.put(piece)

    def _finish(self, reason: StopReason) -> None:
        if not self._text.stopped:
            self._show(self._text.finish())
            if self._text.stopped:
                reason = "stop_sequence"
        self.pieces.put(
            Generated(
                text="".join(self._parts),
                input_tokens=len(self.prompt),
                output_tokens=self._count,
                stop_reason=reason,
                stopped_by=self._text.stopped_by,
            )
        )
