"""A cascade's answer while it may be read: the student's whole, or the teacher's as it is being written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bedrock_distill.chat.outcomes import CascadeReply
    from bedrock_distill.chat.reply import ChatReply
    from bedrock_distill.chat.stream import ChatStream
    from bedrock_distill.clock import Clock

__all__ = ["CascadeStream"]


class CascadeStream:
    """Pieces of text; iterate it once. It reads like a `ChatStream`, and its `reply` says who answered and why.

    Args:
        stream: The teacher's stream, or None where the student answers.
        answer: The student's reply, or None where the teacher answers.
        make: The cascade's reply around either's, as far as it has come.
        clock: Time for latencies.
        started_s: What the clock said when the request was sent.
        on_end: Told the reply once, when the stream is closed.
        note: Added to the teacher's error, if its stream breaks.
    """

    def __init__(
        self,
        stream: ChatStream | None,
        *,
        answer: ChatReply | None,
        make: Callable[..., CascadeReply],
        clock: Clock,
        started_s: float,
        on_end: Callable[[CascadeReply], None],
        note: str,
    ) -> None:
        self._stream = stream
        self._answer = answer
        self._make = make
        self._clock = clock
        self._started_s = started_s
        self._on_end = on_end
        self._note = note
        self._first_token_s: float | None = None
        self._final: CascadeReply | None = None

    def __iter__(self) -> Iterator[str]:
        """Each piece of text; nothing once the stream is closed.

        Raises:
            ServiceError: If the teacher's stream breaks.
        """
        if self._final is not None:
            return
        pieces = (self.text,) if self._stream is None else self._stream
        try:
            for piece in pieces:
                if self._first_token_s is None:
                    self._first_token_s = self._clock.monotonic() - self._started_s
                yield piece
        except Exception as error:
            error.add_note(self._note)
            raise
        finally:
            self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop reading and give the connection back. Safe to call twice."""
        if self._final is None:
            if self._stream is not None:
                self._stream.close()
            self._final = self.reply
            self._on_end(self._final)

    def finish(self) -> CascadeReply:
        """Read what is left, and return the reply."""
        for _ in self:
            pass
        return self.reply

    @property
    def text(self) -> str:
        """The text so far; the student's is there from the beginning."""
        return str(self._so_far.text)

    @property
    def reply(self) -> CascadeReply:
        """The answer so far; `reply.complete` tells whether the model came to an end."""
        if self._final is not None:
            return self._final
        return self._make(self._so_far, first_token_s=self._first_token_s)

    @property
    def _so_far(self) -> Any:
        return self._answer if self._stream is None else self._stream.reply
