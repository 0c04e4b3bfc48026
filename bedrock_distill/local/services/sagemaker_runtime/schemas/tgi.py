"""TGI: `inputs` answered with a list, or chat and completions; server-sent events, of `inputs` without a space and [DONE]."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bedrock_distill.local.services.sagemaker_runtime.schemas import openai
from bedrock_distill.local.services.sagemaker_runtime.schemas.asks import (
    Ask,
    ContainerError,
    Reader,
    dump,
    object_of,
)
from bedrock_distill.local.services.sagemaker_runtime.schemas.vllm import server_sent
from bedrock_distill.train.answers import Generated

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bedrock_distill.local.services.sagemaker_runtime.schemas.asks import Request

__all__ = ["Tgi"]

_KINDS = ("inputs", "messages", "prompt")
_DEFAULT_TOKENS = 100
_FINISH = {"end_turn": "eos_token", "stop_sequence": "stop_sequence", "max_tokens": "length"}


class Tgi:
    """TGI's schema."""

    stream_type = "text/event-stream"

    def read(self, request: Request) -> Ask:
        """Understand a request."""
        body = object_of(request.body, _invalid)
        kind = next((name for name in _KINDS if name in body), None)
        if kind is None:
            raise ContainerError(
                422,
                "Failed to deserialize the JSON body into the target type: data did not match any variant of untagged enum "
                "SagemakerRequest",
            )
        if kind != "inputs":
            return openai.ask_openai(body, request, kind=kind, refuse=_invalid)
        return self._inputs(body, request)

    def whole(self, ask: Ask, answer: Generated) -> bytes:
        """The body of an answer that is not streamed: a list, where it was asked by `inputs`."""
        if ask.kind != "inputs":
            return dump(openai.whole(ask, answer))
        item: dict[str, Any] = {"generated_text": f"{ask.options['prefix']}{answer.text}"}
        if ask.options["details"]:
            item["details"] = {**_details(ask, answer), "prefill": [], "tokens": []}
        return dump([item])

    def frames(self, ask: Ask, events: Iterator[str | Generated]) -> Iterator[bytes]:
        """Server-sent events."""
        if ask.kind != "inputs":
            yield from server_sent(ask, events)
            return
        for index, event in enumerate(events, start=1):
            text = event if isinstance(event, str) else ""
            line = _token(ask, index, text)
            if isinstance(event, Generated):
                line["token"]["special"] = event.stop_reason == "end_turn"
                line["generated_text"] = f"{ask.options['prefix']}{event.text}"
                line["details"] = _details(ask, event)
            yield b"data:" + dump(line) + b"\n\n"

    def failure(self, message: str) -> ContainerError:
        """The answer when the engine fails."""
        return ContainerError(
            424, {"error": f"Request failed during generation: {message}", "error_type": "generation"}
        )

    def broken(self, message: str) -> bytes:
        """The event that ends a stream in which the engine fails."""
        return b"data:" + self.failure(message).body.encode() + b"\n\n"

    def _inputs(self, body: Mapping[str, Any], request: Request) -> Ask:
        parameters = body.get("parameters") or {}
        if not isinstance(parameters, dict):
            raise _invalid("parameters must be a JSON object")
        text = Reader(body, _invalid).text("inputs")
        reader = Reader(parameters, _invalid)
        launch, engine = request.launch, request.engine
        ids = engine.text_ids(text)
        total = min(launch.max_length or engine.room, engine.room)
        most_input = min(launch.most_input or total - 1, total - 1)
        if len(ids) > most_input:
            raise _invalid(f"`inputs` must have less than {most_input} tokens. Given: {len(ids)}")
        asked = reader.count("max_new_tokens")
        if asked is not None and len(ids) + asked > total:
            raise _invalid(
                f"`inputs` tokens + `max_new_tokens` must be <= {total}. Given: {len(ids)} `inputs` tokens and {asked} "
                "`max_new_tokens`"
            )
        temperature = reader.number("temperature")
        if temperature is not None and temperature <= 0:
            raise _invalid("`temperature` must be strictly positive")
        draws = bool(parameters.get("do_sample")) or temperature is not None
        return Ask(
            kind="inputs",
            ids=ids,
            sampling=reader.sampling(
                most=asked or min(_DEFAULT_TOKENS, total - len(ids)),
                temperature=(temperature or 1.0) if draws else 0.0,
                stop=reader.stops("stop"),
            ),
            stream=bool(body.get("stream")),
            request=request,
            options={
                "details": bool(parameters.get("details")),
                "prefix": text if parameters.get("return_full_text") else "",
                "seed": parameters.get("seed"),
            },
        )


def _token(ask: Ask, index: int, text: str) -> dict[str, Any]:
    token = {"id": ask.request.engine.token_id(text), "text": text, "logprob": 0.0, "special": False}
    return {"index": index, "token": token, "generated_text": None, "details": None}


def _details(ask: Ask, answer: Generated) -> dict[str, Any]:
    return {
        "finish_reason": _FINISH[answer.stop_reason],
        "generated_tokens": answer.output_tokens,
        "input_length": answer.input_tokens,
        "seed": ask.options["seed"],
    }


def _invalid(message: str) -> ContainerError:
    return ContainerError(422, {"error": f"Input validation error: {message}", "error_type": "validation"})
