"""The two doors behind which a body is spoken: Bedrock's InvokeModel and SageMaker's InvokeEndpoint."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from bedrock_distill.chat.assembly import Piece
from bedrock_distill.chat.decoding import Decoder, read_document
from bedrock_distill.chat.dialects.base import Body, Call, given
from bedrock_distill.chat.dialects.converse import check_invocable
from bedrock_distill.chat.faults import fault_in
from bedrock_distill.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from bedrock_distill.chat.question import Question

__all__ = ["InvokeEndpoint", "InvokeModel"]

_JSON = "application/json"
_METRICS = "amazon-bedrock-invocationMetrics"
"""What Bedrock adds to the last chunk of a stream, whatever model it is of."""
_HEADERS = {
    "x-amzn-bedrock-input-token-count": "input_tokens",
    "x-amzn-bedrock-output-token-count": "output_tokens",
}
"""Where Bedrock says the same of a whole answer."""


@dataclass(frozen=True, slots=True)
class InvokeModel:
    """`invoke_model` and `invoke_model_with_response_stream` of Bedrock, for imported models."""

    body: Body

    def ask(self, target: str, asked: Question) -> Call:
        """The request for a whole answer."""
        return Call("bedrock-runtime", "invoke_model", self._request(target, asked), "body")

    def read(self, answer: Mapping[str, Any], asked: Question) -> Piece:
        """The whole answer; where the body does not count tokens, Bedrock's headers do."""
        piece = _read(self.body, read_document(answer["body"]), asked)
        headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        counted = {name: int(headers[header]) for header, name in _HEADERS.items() if header in headers}
        latency = headers.get("x-amzn-bedrock-invocation-latency")
        return replace(
            piece,
            counts={**counted, **piece.counts},
            service_latency_s=None if latency is None else float(latency) / 1000,
        )

    def ask_stream(self, target: str, asked: Question) -> Call:
        """The request for a stream; the operation says that it is one, so that the body need not."""
        params = self._request(target, asked)
        return Call("bedrock-runtime", "invoke_model_with_response_stream", params, "body")

    def read_stream(self, events: Iterable[Mapping[str, Any]], asked: Question) -> Iterator[Piece]:
        """What each chunk tells: every chunk is a JSON document."""
        for event in events:
            if "chunk" not in event:
                continue
            value = read_document(event["chunk"]["bytes"])
            metrics = value.pop(_METRICS, None) if isinstance(value, dict) else None
            if value:
                yield _read(self.body, value, asked)
            if metrics:
                yield _measured(metrics)

    def _request(self, model_id: str, asked: Question) -> dict[str, Any]:
        check_invocable(model_id)
        metadata = json.dumps(dict(asked.metadata), ensure_ascii=False) if asked.metadata else ""
        return {
            "modelId": model_id,
            "body": _bytes(self.body.write(asked, stream=False)),
            "contentType": _JSON,
            "accept": _JSON,
            **given(requestMetadata=metadata),
        }


@dataclass(frozen=True, slots=True)
class InvokeEndpoint:
    """`invoke_endpoint` and `invoke_endpoint_with_response_stream` of SageMaker."""

    body: Body
    component: str = ""
    """The inference component to ask, on an endpoint that has them."""

    def ask(self, target: str, asked: Question) -> Call:
        """The request for a whole answer."""
        return Call(
            "sagemaker-runtime", "invoke_endpoint", self._request(target, asked, stream=False), "Body"
        )

    def read(self, answer: Mapping[str, Any], asked: Question) -> Piece:
        """The whole answer."""
        return _read(self.body, read_document(answer["Body"]), asked)

    def ask_stream(self, target: str, asked: Question) -> Call:
        """The request for a stream."""
        params = self._request(target, asked, stream=True)
        return Call("sagemaker-runtime", "invoke_endpoint_with_response_stream", params, "Body")

    def read_stream(self, events: Iterable[Mapping[str, Any]], asked: Question) -> Iterator[Piece]:
        """What each value tells: the events are parts of the container's bytes, cut anywhere."""
        decoder = Decoder()
        for event in events:
            for value in decoder.feed(event.get("PayloadPart", {}).get("Bytes", b"")):
                yield _read(self.body, value, asked)
        for value in decoder.end():
            yield _read(self.body, value, asked)

    def _request(self, endpoint: str, asked: Question, *, stream: bool) -> dict[str, Any]:
        if asked.metadata:
            raise SpecError(
                f"A SageMaker endpoint keeps no metadata with a call, so {dict(asked.metadata)} would be lost. Ask without.",
                field="metadata",
                value=dict(asked.metadata),
            )
        return {
            "EndpointName": endpoint,
            "Body": _bytes(self.body.write(asked, stream=stream)),
            "ContentType": _JSON,
            **given(InferenceComponentName=self.component),
        }


def _bytes(body: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(body, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise SpecError(
            f"The prompt holds half of a surrogate pair ({error.object[error.start]!r}), which no text can carry in UTF-8: "
            "it was cut in the middle of a character, or decoded wrongly.",
            field="prompt",
        ) from error


def _read(body: Body, value: Any, asked: Question) -> Piece:
    fault = fault_in(value)
    if fault is not None:
        raise fault
    return body.read(value, asked)


def _measured(metrics: Mapping[str, Any]) -> Piece:
    counts = {
        "input_tokens": metrics.get("inputTokenCount"),
        "output_tokens": metrics.get("outputTokenCount"),
    }
    latency_ms = metrics.get("invocationLatency")
    return Piece(
        counts={name: count for name, count in counts.items() if count is not None},
        service_latency_s=None if latency_ms is None else latency_ms / 1000,
    )
