"""Converse: one request for every model that Bedrock itself serves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bedrock_distill.catalog import read_model_id
from bedrock_distill.chat.assembly import Piece
from bedrock_distill.chat.dialects.base import Call, given
from bedrock_distill.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from bedrock_distill.chat.question import Question
    from bedrock_distill.records.schema import TextBlock

__all__ = ["Converse", "check_invocable"]

_COUNTS = {
    "inputTokens": "input_tokens",
    "outputTokens": "output_tokens",
    "cacheReadInputTokens": "cache_read_tokens",
    "cacheWriteInputTokens": "cache_write_tokens",
}


@dataclass(frozen=True, slots=True)
class Converse:
    """`converse` and `converse_stream`: foundation models, profiles, deployments, and most imported models."""

    def ask(self, target: str, asked: Question) -> Call:
        """The request for a whole answer."""
        return Call("bedrock-runtime", "converse", _request(target, asked))

    def read(self, answer: Mapping[str, Any], asked: Question) -> Piece:  # noqa: ARG002 - a dialect's
        """The whole answer."""
        blocks = answer.get("output", {}).get("message", {}).get("content", ())
        return Piece(
            text="".join(block["text"] for block in blocks if "text" in block),
            stop_reason=answer.get("stopReason", ""),
            **_counted(answer),
        )

    def ask_stream(self, target: str, asked: Question) -> Call:
        """The request for a stream."""
        return Call("bedrock-runtime", "converse_stream", _request(target, asked), "stream")

    def read_stream(
        self,
        events: Iterable[Mapping[str, Any]],
        asked: Question,  # noqa: ARG002 - a dialect's
    ) -> Iterator[Piece]:
        """What each event tells."""
        for event in events:
            if "contentBlockDelta" in event:
                yield Piece(text=event["contentBlockDelta"]["delta"].get("text", ""))
            elif "messageStop" in event:
                yield Piece(stop_reason=event["messageStop"]["stopReason"])
            elif "metadata" in event:
                yield Piece(**_counted(event["metadata"]))


def _request(model_id: str, asked: Question) -> dict[str, Any]:
    check_invocable(model_id)
    inference = given(
        maxTokens=asked.max_tokens,
        temperature=asked.temperature,
        topP=asked.top_p,
        stopSequences=list(asked.stop),
    )
    return {
        "modelId": model_id,
        "messages": [
            {"role": message.role, "content": _blocks(message.content)} for message in asked.messages
        ],
        **given(
            system=_blocks(asked.system), inferenceConfig=inference, requestMetadata=dict(asked.metadata)
        ),
    }


def _blocks(blocks: Sequence[TextBlock]) -> list[dict[str, str]]:
    return [{"text": block.text} for block in blocks]


def _counted(part: Mapping[str, Any]) -> dict[str, Any]:
    usage = part.get("usage", {})
    latency_ms = part.get("metrics", {}).get("latencyMs")
    return {
        "counts": {ours: usage[theirs] for theirs, ours in _COUNTS.items() if theirs in usage},
        "service_latency_s": None if latency_ms is None else latency_ms / 1000,
    }


def check_invocable(model_id: str) -> None:
    """Two kinds of id name a model that exists and yet answer nobody; AWS's own refusals do not say what to send.

    Raises:
        SpecError: If the id is one of these.
    """
    ref = read_model_id(model_id)
    if ref.kind == "custom-model":
        raise SpecError(
            f"{model_id!r} is a custom model; it answers through a deployment. Deploy it (`bedrock-distill deploy`, "
            "`session.deploy`) and use the deployment's ARN.",
            field="model_id",
            value=model_id,
        )
    if ref.suffix:
        raise SpecError(
            f"{model_id!r} names a context variant, which only customization and provisioned throughput know. "
            f"To call the model, use {ref.model!r}.",
            field="model_id",
            value=model_id,
        )
