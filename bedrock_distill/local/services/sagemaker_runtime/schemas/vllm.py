"""vLLM: OpenAI's completions and chat, server-sent events that end with [DONE]; the model's name must be the served one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bedrock_distill.local.services.sagemaker_runtime.schemas import openai
from bedrock_distill.local.services.sagemaker_runtime.schemas.asks import (
    JSON,
    Ask,
    ContainerError,
    dump,
    object_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bedrock_distill.local.services.sagemaker_runtime.schemas.asks import Request
    from bedrock_distill.train.answers import Generated

__all__ = ["Vllm", "server_sent"]

_ROUTES = {"/v1/completions": "prompt", "/v1/chat/completions": "messages"}


class Vllm:
    """vLLM's schema."""

    stream_type = "text/event-stream; charset=utf-8"

    def read(self, request: Request) -> Ask:
        """Understand a request."""
        if request.content_type.partition(";")[0].strip().lower() != JSON:
            raise _error(
                415, "Unsupported Media Type: Only 'application/json' is allowed", "UnsupportedMediaType"
            )
        body = object_of(request.body, _bad)
        kind = _ROUTES.get(request.route) or next(
            (name for name in ("messages", "prompt") if name in body), None
        )
        if kind is None:
            raise _bad("the body is neither a chat completion (messages) nor a completion (prompt)")
        asked = body.get("model")
        served = request.launch.served_name
        if request.launch.asks_name and asked not in (None, "", served):
            raise _error(404, f"The model `{asked}` does not exist.", "NotFoundError")
        return openai.ask_openai(body, request, kind=kind, refuse=_bad)

    def whole(self, ask: Ask, answer: Generated) -> bytes:
        """The body of an answer that is not streamed."""
        return dump(openai.whole(ask, answer))

    def frames(self, ask: Ask, events: Iterator[str | Generated]) -> Iterator[bytes]:
        """Server-sent events."""
        yield from server_sent(ask, events)

    def failure(self, message: str) -> ContainerError:
        """The answer when the engine fails."""
        return _error(500, message, "InternalServerError")

    def broken(self, message: str) -> bytes:
        """The event that ends a stream in which the engine fails."""
        return b"data: " + self.failure(message).body.encode() + b"\n\ndata: [DONE]\n\n"


def server_sent(ask: Ask, events: Iterator[str | Generated]) -> Iterator[bytes]:
    """OpenAI's chunks as server-sent events."""
    for chunk in openai.chunks(ask, events):
        yield b"data: " + dump(chunk) + b"\n\n"
    yield b"data: [DONE]\n\n"


def _bad(message: str) -> ContainerError:
    return _error(400, message, "BadRequestError")


def _error(status: int, message: str, kind: str) -> ContainerError:
    return ContainerError(
        status, {"error": {"message": message, "type": kind, "param": None, "code": status}}
    )
