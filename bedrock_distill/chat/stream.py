"""An answer while it is being written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, Self

from bedrock_distill.chat.assembly import Assembly
from bedrock_distill.chat.faults import placed
from bedrock_distill.chat.reply import ChatReply
from bedrock_distill.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bedrock_distill.chat.assembly import Piece
    from bedrock_distill.chat.dialects import Call

__all__ = ["ChatStream", "Events"]


class Events(Protocol):
    """An open stream of events, as the gate in `aws` gives it."""

    response: dict[str, Any]
    """The answer's other members."""

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Each event; raises ServiceError for an error in the stream."""
        ...

    def close(self) -> None:
        """Give the connection back. Safe to call twice."""
        ...


class ChatStream:
    """Pieces of text as they arrive; iterate it once.

    `for piece in target.stream("My invoice is wrong"): print(piece, end="")`

    The connection is given back when the answer ends, when the loop is left by `break`, `return` or an error, and at the
    end of a `with` block around it. `reply` is there at any time: what has come so far, and after the end the whole
    answer with its usage and stop reason.

    Args:
        events: The open stream.
        pieces: What its events tell, read from it one by one.
        call: The request that opened it.
        model_id: The model id or ARN that was asked.
        name: What messages call the target.
        timer: A monotonic clock in seconds.
        started_s: What the timer said when the request was sent.
    """

    def __init__(
        self,
        events: Events,
        pieces: Iterator[Piece],
        *,
        call: Call,
        model_id: str,
        name: str,
        timer: Callable[[], float],
        started_s: float,
    ) -> None:
        self._events = events
        self._pieces = pieces
        self._call = call
        self._model_id = model_id
        self._name = name
        self._timer = timer
        self._started_s = started_s
        self._assembly = Assembly()
        self._first_token_s: float | None = None
        self._latency_s: float | None = None

    def __iter__(self) -> Iterator[str]:
        """Each piece of text; nothing once the stream is closed.

        Raises:
            ServiceError: If the service reports an error, or the connection is cut before the model has said that it is
                done. The message says how much text had come; `text` still holds it.
        """
        # A generator, not __next__: leaving the loop drops it, and its `finally` runs there and then.
        if self._latency_s is not None:
            return
        try:
            for piece in self._pieces:
                self._assembly.add(piece)
                if piece.text and self._first_token_s is None:
                    self._first_token_s = self._timer() - self._started_s
                if piece.text:
                    yield piece.text
            if not self._assembly.stop_reason:
                raise self._cut("the connection closed before the model said that it was done.")
        except ServiceError as error:
            raise self._broken(error) from error
        finally:
            self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop reading and give the connection back. Safe to call twice."""
        if self._latency_s is None:
            self._latency_s = self._timer() - self._started_s
            self._events.close()

    def finish(self) -> ChatReply:
        """Read what is left, and return the reply."""
        for _ in self:
            pass
        return self.reply

    @property
    def text(self) -> str:
        """The text so far."""
        return self._assembly.text

    @property
    def reply(self) -> ChatReply:
        """The answer so far; `reply.complete` tells whether the model came to an end."""
        elapsed_s = self._timer() - self._started_s if self._latency_s is None else self._latency_s
        return ChatReply(
            text=self._assembly.text,
            stop_reason=self._assembly.stop_reason,
            usage=self._assembly.usage,
            latency_s=elapsed_s,
            first_token_s=self._first_token_s,
            service_latency_s=self._assembly.service_latency_s,
            model_id=self._model_id,
            request_id=self._events.response.get("ResponseMetadata", {}).get("RequestId", ""),
            logprobs=self._assembly.logprobs,
        )

    def _cut(self, reason: str) -> ServiceError:
        return ServiceError(reason, code="IncompleteStream", retryable=True)

    def _broken(self, error: ServiceError) -> ServiceError:
        """The same error, saying how much had come: a caller decides by that whether to ask again."""
        came = len(self._assembly.text)
        so_far = f"after {came} characters of text" if came else "before any text"
        return placed(
            error,
            service=self._call.service,
            operation=self._call.api_name,
            target=self._name,
            request_id=self.reply.request_id,
        ).advised(f"The stream broke {so_far}; it is not retried once open, so ask again for a whole answer.")
