"""From a prompt to a Converse request: pure, so that what is sent can be read without sending it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from bedrock_distill.catalog import read_model_id
from bedrock_distill.errors import SpecError
from bedrock_distill.records.schema import Message, Record, TextBlock

__all__ = ["Prompt", "converse_request"]

Prompt: TypeAlias = str | Record | Sequence[Message]
"""What may be asked: a user's text, a record (its completion is left out), or the messages of a conversation."""


def converse_request(
    model_id: str,
    prompt: Prompt,
    *,
    system: str | None,
    max_tokens: int | None,
    temperature: float | None,
    top_p: float | None,
    stop: str | Sequence[str],
    metadata: Mapping[str, str] | None,
) -> dict[str, Any]:
    """The parameters of `converse` and `converse_stream`, as boto3 takes them.

    Args:
        model_id: Model id or ARN.
        prompt: What is asked.
        system: System prompt. None takes the record's; an empty text sends none.
        max_tokens: Most tokens of the answer. None leaves it to the model.
        temperature: Randomness from 0 to 1. None leaves it to the model.
        top_p: Probability mass to choose from. None leaves it to the model.
        stop: Texts that end the answer.
        metadata: Keys and values that the invocation log keeps with the call, to filter by later.

    Raises:
        SpecError: If there is nothing to ask, or the id is one that no caller may use.
    """
    _check_invocable(model_id)
    messages, system_blocks = _parts(prompt)
    if system is not None:
        system_blocks = (TextBlock(system),) if system else ()
    if not any(message.role == "user" and message.text.strip() for message in messages):
        raise SpecError(
            f"There is nothing to ask {model_id!r}: no user message has any text.", field="prompt"
        )
    inference = {
        "maxTokens": max_tokens,
        "temperature": temperature,
        "topP": top_p,
        "stopSequences": [stop] if isinstance(stop, str) else list(stop),
    }
    optional = {
        "system": _blocks(system_blocks),
        "inferenceConfig": {key: value for key, value in inference.items() if value not in (None, [])},
        "requestMetadata": dict(metadata or {}),
    }
    return {
        "modelId": model_id,
        "messages": [{"role": message.role, "content": _blocks(message.content)} for message in messages],
        **{key: value for key, value in optional.items() if value},
    }


def _parts(prompt: Prompt) -> tuple[Sequence[Message], tuple[TextBlock, ...]]:
    if isinstance(prompt, str):
        return (Message.of("user", prompt),), ()
    if isinstance(prompt, Record):
        return prompt.prompt.messages, prompt.system or ()
    return tuple(prompt), ()


def _blocks(blocks: Sequence[TextBlock]) -> list[dict[str, str]]:
    return [{"text": block.text} for block in blocks]


def _check_invocable(model_id: str) -> None:
    """Two kinds of id name a model that exists and yet answer nobody; AWS's own refusals do not say what to send."""
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
