"""OpenAI's completions and chat completions, which every container has in some framing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bedrock_distill.local.services.sagemaker_runtime.schemas.asks import Ask, Reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from bedrock_distill.local.services.sagemaker_runtime.schemas.asks import ContainerError, Request
    from bedrock_distill.train.answers import Generated

__all__ = ["ask_openai", "chunks", "whole"]

_FINISH = {"end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length"}
_COMPLETION_DEFAULT = 16
"""Tokens of a completion where the caller does not say; a chat may go on to the end of the context."""


def ask_openai(
    body: Mapping[str, Any],
    request: Request,
    *,
    kind: str,
    refuse: Callable[[str], ContainerError],
    default_temperature: float = 1.0,
) -> Ask:
    """Read a body of either kind.

    Args:
        body: The body.
        request: The request it came with.
        kind: `prompt` or `messages`.
        refuse: How the container says no.
        default_temperature: Where the caller names none.
    """
    reader, engine = Reader(body, refuse), request.engine
    ids = engine.text_ids(reader.text("prompt")) if kind == "prompt" else engine.chat_ids(reader.messages())
    room = min(request.launch.max_length or engine.room, engine.room) - len(ids)
    asked = reader.count("max_completion_tokens") or reader.count("max_tokens")
    if room < 1 or (asked or 0) > room:
        total = room + len(ids)
        wanted = f" and requested {asked} output tokens" if asked else ""
        raise refuse(
            f"This model's maximum context length is {total} tokens. However, your request has {len(ids)} input tokens{wanted}. "
            "Please reduce the length of the input messages or completion."
        )
    most = asked or (min(_COMPLETION_DEFAULT, room) if kind == "prompt" else room)
    temperature = reader.number("temperature", default_temperature) or 0.0
    if temperature < 0:
        raise refuse(f"temperature must be non-negative, got {temperature}.")
    options = body.get("stream_options") or {}
    return Ask(
        kind=kind,
        ids=ids,
        sampling=reader.sampling(most=most, temperature=temperature, stop=reader.stops("stop")),
        stream=bool(body.get("stream")),
        request=request,
        model=str(body.get("model") or request.launch.served_name),
        options={
            "usage": bool(options.get("include_usage")),
            "echo": body.get("prompt") if body.get("echo") else "",
        },
    )


def whole(ask: Ask, answer: Generated) -> dict[str, Any]:
    """The body of an answer that is not streamed."""
    if ask.kind == "prompt":
        choice: dict[str, Any] = {"text": f"{ask.options['echo']}{answer.text}"}
    else:
        choice = {"message": {"role": "assistant", "content": answer.text, "tool_calls": []}}
    choice = {"index": 0, **choice, "logprobs": None, **_ending(ask, answer)}
    return {**_head(ask, chunk=False), "choices": [choice], "usage": _usage(answer)}


def chunks(ask: Ask, events: Iterator[str | Generated]) -> Iterator[dict[str, Any]]:
    """The chunks of a streamed answer."""
    if ask.kind == "messages":
        yield _chunk(ask, {"delta": {"role": "assistant", "content": ""}})
    for event in events:
        if isinstance(event, str):
            part = {"text": event} if ask.kind == "prompt" else {"delta": {"content": event}}
            yield _chunk(ask, part)
            continue
        empty: dict[str, Any] = {"text": ""} if ask.kind == "prompt" else {"delta": {"content": ""}}
        yield _chunk(ask, empty | _ending(ask, event))
        if ask.options["usage"]:
            yield {**_head(ask, chunk=True), "choices": [], "usage": _usage(event)}


def _ending(ask: Ask, answer: Generated) -> dict[str, Any]:
    """Why the answer ended. TGI has a finish reason for stop texts; the others name the text beside it."""
    if ask.request.launch.family == "tgi":
        stopped = answer.stop_reason == "stop_sequence"
        return {"finish_reason": "stop_sequence" if stopped else _FINISH[answer.stop_reason]}
    return {"finish_reason": _FINISH[answer.stop_reason], "stop_reason": answer.stopped_by or None}


def _chunk(ask: Ask, part: dict[str, Any]) -> dict[str, Any]:
    choice = {"index": 0, "logprobs": None, "finish_reason": None, **part}
    return {**_head(ask, chunk=True), "choices": [choice]}


def _head(ask: Ask, *, chunk: bool) -> dict[str, Any]:
    request_id = ask.request.request_id.replace("-", "")
    if ask.kind == "prompt":
        identity, kind = f"cmpl-{request_id}", "text_completion"
    else:
        identity, kind = f"chatcmpl-{request_id}", "chat.completion.chunk" if chunk else "chat.completion"
    return {"id": identity, "object": kind, "created": ask.request.created, "model": ask.model}


def _usage(answer: Generated) -> dict[str, Any]:
    return {
        "prompt_tokens": answer.input_tokens,
        "total_tokens": answer.input_tokens + answer.output_tokens,
        "completion_tokens": answer.output_tokens,
    }
