"""LMI (djl-inference): `prompt`, `inputs` or `messages`; streams of JSON lines with blank lines between, and no [DONE]."""

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
from bedrock_distill.train.answers import Generated

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bedrock_distill.local.services.sagemaker_runtime.schemas.asks import Request

__all__ = ["Lmi"]

_KINDS = ("prompt", "inputs", "messages")
"""In the order in which the handler looks for them."""
_DEFAULT_TOKENS = 30
_FINISH = {"end_turn": "eos_token", "stop_sequence": "stop_sequence", "max_tokens": "length"}


class Lmi:
    """LMI's schema."""

    stream_type = "application/jsonlines"

    def read(self, request: Request) -> Ask:
        """Understand a request; anything it does not like is a 424."""
        body = object_of(request.body, self.failure)
        kind = next((name for name in _KINDS if name in body), None)
        if kind is None:
            raise self.failure(
                f"invalid payload: {', '.join(body) or 'it is empty'}; expected one of {', '.join(_KINDS)}"
            )
        if kind != "inputs":
            return openai.ask_openai(body, request, kind=kind, refuse=self.failure)
        return self._inputs(body, request)

    def whole(self, ask: Ask, answer: Generated) -> bytes:
        """The body of an answer that is not streamed."""
        if ask.kind != "inputs":
            return dump(openai.whole(ask, answer))
        body: dict[str, Any] = {"generated_text": f"{ask.options['prefix']}{answer.text}"}
        if ask.options["details"]:
            body["details"] = self._details(ask, answer)
        return dump(body)

    def frames(self, ask: Ask, events: Iterator[str | Generated]) -> Iterator[bytes]:
        """JSON lines; where vLLM would end with [DONE], a blank line stands."""
        if ask.kind != "inputs":
            for chunk in openai.chunks(ask, events):
                yield dump(chunk) + b"\n\n"
            yield b"\n"
            return
        yield from self._token_lines(ask, events)

    def failure(self, message: str) -> ContainerError:
        """A refusal."""
        return ContainerError(424, {"error": message, "code": 424})

    def broken(self, message: str) -> bytes:
        """The line that ends a stream in which the engine fails."""
        return dump({"error": {"message": message, "type": "InternalServerError", "code": 424}}) + b"\n"

    def _inputs(self, body: Mapping[str, Any], request: Request) -> Ask:
        parameters = body.get("parameters") or {}
        if not isinstance(parameters, dict):
            raise self.failure("parameters must be a JSON object")
        text = Reader(body, self.failure).text("inputs")
        reader = Reader(parameters, self.failure)
        ids = request.engine.text_ids(text)
        room = min(request.launch.max_length or request.engine.room, request.engine.room) - len(ids)
        most = reader.count("max_new_tokens", _DEFAULT_TOKENS) or _DEFAULT_TOKENS
        if room < 1:
            raise self.failure(
                f"Input prompt ({len(ids)} tokens) is too long: the maximum context length is {room + len(ids)} tokens"
            )
        greedy = parameters.get("do_sample") is False
        temperature = 0.0 if greedy else reader.number("temperature", 1.0) or 0.0
        return Ask(
            kind="inputs",
            ids=ids,
            sampling=reader.sampling(
                most=min(most, room), temperature=temperature, stop=reader.stops("stop", "stop_sequences")
            ),
            stream=bool(body.get("stream")),
            request=request,
            options={
                "details": bool(parameters.get("details")),
                "prefix": text if parameters.get("return_full_text") else "",
            },
        )

    def _token_lines(self, ask: Ask, events: Iterator[str | Generated]) -> Iterator[bytes]:
        for index, event in enumerate(events):
            text = event if isinstance(event, str) else ""
            line = self._line(ask, index, text)
            if isinstance(event, Generated):
                line["generated_text"] = f"{ask.options['prefix']}{event.text}"
                line["details"] = self._details(ask, event)
            yield dump(line) + b"\n\n"
        yield b"\n"

    def _line(self, ask: Ask, index: int, text: str) -> dict[str, Any]:
        probability = "log_prob" if ask.request.launch.rolling else "logprob"
        token = {"id": ask.request.engine.token_id(text), "text": text, probability: 0.0}
        return {"index": index, "token": token, "generated_text": None, "details": None}

    def _details(self, ask: Ask, answer: Generated) -> dict[str, Any]:
        # The asynchronous handler reports vLLM's stop_reason here, which is null unless a stop text ended the answer.
        reason = _FINISH[answer.stop_reason] if ask.request.launch.rolling else answer.stopped_by or None
        return {"finish_reason": reason, "generated_tokens": answer.output_tokens, "inputs": None}
