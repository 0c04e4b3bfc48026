"""Every model family in invocation logs: its models, its words for how an answer ended, and who writes its bodies."""

from __future__ import annotations

import dataclasses
import runpy
from collections.abc import Callable  # noqa: TC003 - dataclasses read it when the file is run by path
from pathlib import Path
from typing import Any

_here = Path(__file__).parent
chats = runpy.run_path(str(_here / "bodies.py"))
texts = runpy.run_path(str(_here / "completions.py"))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """One call: what was asked and answered."""

    system: str | None
    turns: tuple[tuple[str, str], ...]
    """Role and text; the last is the user's."""
    answer: str
    stop: str | None
    """The family's own word."""
    asked: int
    answered: int
    """Tokens."""
    extra: str = ""
    """What stands beside the text: thinking, image, tool-result or tool-call."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A body format."""

    models: tuple[str, ...]
    stops: dict[str | None, str | None]
    """The family's words for how an answer ended -> class; the first is the usual one."""
    request: Callable[..., dict[str, Any]]
    response: Callable[..., dict[str, Any]]
    chunks: Callable[..., list[Any]] | None = None
    """None for Converse, whose streams are logged assembled."""
    extras: tuple[str, ...] = ()
    system: bool = True
    history: bool = True
    plain: bool = False
    """Whether marks surround the texts, which then begin and end with a visible character."""
    tool_stop: str = ""
    weight: int = 1


ALL = ("thinking", "image", "tool-result", "tool-call")
CLAUDE = (
    "anthropic.claude-3-5-sonnet-20241022-v2:0",
    "anthropic.claude-3-haiku-20240307-v1:0",
    "anthropic.claude-sonnet-4-20250514-v1:0",
)
NOVA = ("amazon.nova-pro-v1:0", "amazon.nova-premier-v1:0", "amazon.nova-2-lite-v1:0")
LLAMA = ("meta.llama3-1-405b-instruct-v1:0", "meta.llama3-3-70b-instruct-v1:0", "meta.llama2-70b-chat-v1")
CONVERSE_STOPS = {
    "end_turn": "end",
    "stop_sequence": "end",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "guardrail_intervened": "filtered",
    "content_filtered": "filtered",
    "malformed_model_output": "filtered",  # as little a label as what a filter stopped
    "malformed_tool_use": "tool",
    "some_new_word": "other",
}
CLAUDE_STOPS = {
    "end_turn": "end",
    "stop_sequence": "end",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "filtered",
    "pause_turn": "other",
}
CHAT_STOPS = {"stop": "end", "length": "length", "content_filter": "filtered", None: None}
TEXT_STOPS = {"stop": "end", "length": "length"}
COHERE_STOPS = {
    "COMPLETE": "end",
    "MAX_TOKENS": "length",
    "ERROR_LIMIT": "length",
    "ERROR_TOXIC": "filtered",
    "ERROR": "other",
}
TITAN_STOPS = {
    "FINISHED": "end",
    "FINISH": "end",
    "STOP_CRITERIA_MET": "end",
    "LENGTH": "length",
    "CONTENT_FILTERED": "filtered",
    "RAG_QUERY_WHEN_RAG_DISABLED": "other",
}


def _parts(module, name, request=None, **more):
    found = {part: module.get(f"{name}_{part}") for part in ("request", "response", "chunks")}
    return found | ({"request": module[f"{request}_request"]} if request else {}) | more


FAMILIES = {
    name: Family(**settings)
    for name, settings in {
        "converse": _parts(
            chats,
            "converse",
            models=(*CLAUDE, *NOVA, *LLAMA, "deepseek.r1-v1:0"),
            stops=CONVERSE_STOPS,
            extras=ALL,
            tool_stop="tool_use",
            weight=12,
        ),
        "anthropic": _parts(
            chats,
            "anthropic",
            models=CLAUDE,
            stops=CLAUDE_STOPS,
            extras=ALL,
            tool_stop="tool_use",
            weight=8,
        ),
        "nova": _parts(
            chats,
            "nova",
            response=chats["converse_response"],
            models=NOVA,
            stops=CONVERSE_STOPS,
            extras=ALL,
            tool_stop="tool_use",
            weight=3,
        ),
        "llama": _parts(texts, "llama", models=LLAMA, stops=TEXT_STOPS, plain=True, weight=4),
        "mistral": _parts(
            texts,
            "mistral",
            response=texts["texts_response"]("outputs"),
            chunks=texts["texts_chunks"]("outputs"),
            models=("mistral.mistral-7b-instruct-v0:2", "mistral.mixtral-8x7b-instruct-v0:1"),
            stops=TEXT_STOPS,
            plain=True,
            system=False,
        ),
        "mistral-chat": _parts(
            chats,
            "mistral_chat",
            "chat",
            models=("mistral.mistral-large-2407-v1:0", "mistral.pixtral-large-2502-v1:0"),
            stops=TEXT_STOPS,
            extras=("image", "tool-result"),
        ),
        "command": _parts(
            texts,
            "command",
            models=("cohere.command-text-v14",),
            stops=COHERE_STOPS,
            system=False,
            history=False,
        ),
        "command-r": _parts(
            texts,
            "command_r",
            models=("cohere.command-r-v1:0", "cohere.command-r-plus-v1:0"),
            stops=COHERE_STOPS,
        ),
        "titan": _parts(
            texts,
            "titan",
            models=("amazon.titan-text-express-v1", "amazon.titan-text-premier-v1:0"),
            stops=TITAN_STOPS,
            plain=True,
            system=False,
        ),
        "deepseek": _parts(
            texts,
            "deepseek",
            models=("deepseek.r1-v1:0",),
            stops=TEXT_STOPS,
            extras=("thinking",),
            plain=True,
            system=False,
        ),
        "deepseek-chat": _parts(
            chats, "chat", models=("deepseek.v3-v1:0",), stops=CHAT_STOPS, extras=ALL, tool_stop="tool_calls"
        ),
        "qwen": _parts(
            chats,
            "chat",
            models=("qwen.qwen3-32b-v1:0",),
            stops=CHAT_STOPS,
            extras=ALL,
            tool_stop="tool_calls",
        ),
        "openai": _parts(
            chats,
            "gpt_oss",
            "openai",
            models=("openai.gpt-oss-120b-1:0", "openai.gpt-oss-20b-1:0"),
            stops=CHAT_STOPS,
            extras=ALL,
            tool_stop="tool_calls",
            plain=True,
        ),
    }.items()
}
