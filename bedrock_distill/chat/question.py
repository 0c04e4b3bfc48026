"""What is asked of a model, in the words that every way of asking understands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from bedrock_distill.errors import SpecError
from bedrock_distill.records.schema import Message, Record, TextBlock

__all__ = ["Prompt", "Question", "turns"]

Prompt: TypeAlias = str | Record | Sequence[Message]
"""What may be asked: a user's text, a record (its completion is left out), or the messages of a conversation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A prompt with its options, checked."""

    messages: tuple[Message, ...]
    system: tuple[TextBlock, ...] = ()
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        prompt: Prompt,
        *,
        target: str,
        system: str | None = None,
        max_tokens: int | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        stop: str | Sequence[str] = (),
        metadata: Mapping[str, str] | None = None,
    ) -> Question:
        """Read what `Target.chat` takes.

        Args:
            prompt: What is asked.
            target: Who is asked, for messages.
            system: System prompt. None takes the record's; an empty text sends none.
            max_tokens: Most tokens of the answer. None leaves it to the model.
            temperature: Randomness from 0 to 1. None leaves it to the model.
            top_p: Probability mass to choose from. None leaves it to the model.
            stop: Texts that end the answer.
            metadata: Keys and values that the invocation log keeps with the call.

        Raises:
            SpecError: If there is nothing to ask.
        """
        messages, blocks = _parts(prompt)
        if system is not None:
            blocks = (TextBlock(system),) if system else ()
        if not any(message.role == "user" and message.text.strip() for message in messages):
            raise SpecError(
                f"There is nothing to ask {target!r}: no user message has any text.", field="prompt"
            )
        return cls(
            messages=messages,
            system=blocks,
            max_tokens=max_tokens,
            temperature=temperature,
            top_p=top_p,
            stop=(stop,) if isinstance(stop, str) else tuple(stop),
            metadata=dict(metadata or {}),
        )


def turns(asked: Question) -> list[dict[str, str]]:
    """The conversation as the OpenAI chat schema and chat templates write it, the system prompt first."""
    system = "".join(block.text for block in asked.system)
    return [
        *([{"role": "system", "content": system}] if system else []),
        *({"role": message.role, "content": message.text} for message in asked.messages),
    ]


def _parts(prompt: Prompt) -> tuple[tuple[Message, ...], tuple[TextBlock, ...]]:
    if isinstance(prompt, str):
        return (Message.of("user", prompt),), ()
    if isinstance(prompt, Record):
        return prompt.prompt.messages, prompt.system or ()
    return tuple(prompt), ()
