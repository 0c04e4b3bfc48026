"""InvokeModel's request bodies, one function a family: a conversation in, the family's JSON out.

Converse has one form for all models, so only jobs that ask by InvokeModel need these. Families whose prompt templates are not
written down in a source of ours are left to Converse.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bedrock_distill.records.schema import Message

__all__ = ["BODIES", "Talk"]


class Talk(NamedTuple):
    """What is asked, and how."""

    system: str
    """The system prompt, or an empty text."""
    messages: tuple[Message, ...]
    max_tokens: int
    temperature: float | None


def _nova(talk: Talk) -> dict[str, Any]:
    return {
        "schemaVersion": "messages-v1",
        "messages": [{"role": turn.role, "content": [{"text": turn.text}]} for turn in talk.messages],
        **({"system": [{"text": talk.system}]} if talk.system else {}),
        "inferenceConfig": {"maxTokens": talk.max_tokens, **_temperature(talk)},
    }


def _anthropic(talk: Talk) -> dict[str, Any]:
    return {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": talk.max_tokens,
        "messages": [
            {"role": turn.role, "content": [{"type": "text", "text": turn.text}]} for turn in talk.messages
        ],
        **({"system": talk.system} if talk.system else {}),
        **_temperature(talk),
    }


def _llama(talk: Talk) -> dict[str, Any]:
    """Llama 3's template, which trims what is said; the model's own beginning of an answer comes last."""
    turns = [("system", talk.system)] if talk.system else []
    turns += [(turn.role, turn.text) for turn in talk.messages]
    said = "".join(f"{_header(role)}{text.strip()}<|eot_id|>" for role, text in turns)
    return {
        "prompt": f"<|begin_of_text|>{said}{_header('assistant')}",
        "max_gen_len": talk.max_tokens,
        **_temperature(talk),
    }


def _openai(talk: Talk) -> dict[str, Any]:
    turns = [("system", talk.system)] if talk.system else []
    turns += [(turn.role, turn.text) for turn in talk.messages]
    return {
        "messages": [{"role": role, "content": text} for role, text in turns],
        "max_tokens": talk.max_tokens,
        **_temperature(talk),
    }


def _header(role: str) -> str:
    return f"<|start_header_id|>{role}<|end_header_id|>\n\n"


def _temperature(talk: Talk) -> dict[str, float]:
    return {} if talk.temperature is None else {"temperature": talk.temperature}


BODIES: Mapping[str, Callable[[Talk], dict[str, Any]]] = MappingProxyType(
    {"nova": _nova, "anthropic": _anthropic, "llama": _llama, "qwen": _openai, "openai": _openai}
)
"""The catalog's name of a body format -> what writes it."""
