"""Bodies of the families that speak in messages, and what is in them. Test files load them by path."""

from __future__ import annotations

import runpy
from pathlib import Path

_written = runpy.run_path(str(Path(__file__).parent / "written.py"))
PROFILE = _written["PROFILE"]
DEPLOYMENT = _written["DEPLOYMENT"]
INVOKE = _written["INVOKE"]
STREAM = _written["STREAM"]
HI = _written["HI"]
SAID = _written["SAID"]
converse = _written["converse"]
ASK = _written["ASK"]
CLAUDE_ASK = _written["CLAUDE_ASK"]
CLAUDE_SAYS = _written["CLAUDE_SAYS"]
CHAT_ASK = _written["CHAT_ASK"]
CHAT_SAYS = _written["CHAT_SAYS"]
claude_stream = _written["claude_stream"]
TEXT_BLOCK = _written["TEXT_BLOCK"]
user = _written["user"]

FORMATS = {
    "Converse": ("Converse", "us.amazon.nova-pro-v1:0", ASK, converse(), None, HI, SAID, "end"),
    "ConverseStream, assembled": (
        "ConverseStream",
        PROFILE,
        ASK | {"system": [{"text": "Be "}, {"text": "brief."}, {"cachePoint": {"type": "default"}}]},
        converse(stop="stop_sequence"),
        "Be brief.",
        HI,
        SAID,
        "end",
    ),
    "Converse in several blocks": (
        "Converse",
        "anthropic.claude-3-haiku-20240307-v1:0",
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"text": "Who "},
                        {"cachePoint": {"type": "default"}},
                        {"text": "are you?"},
                    ],
                }
            ]
        },
        {
            "output": {
                "message": {
                    "role": "assistant",
                    "content": [
                        {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "x"}}},
                        {"text": "A model.\n"},
                        {"text": "Nothing more."},
                    ],
                }
            },
            "stopReason": "max_tokens",
        },
        None,
        HI,
        SAID,
        "length",
    ),
    "Converse with a history": (
        "Converse",
        "amazon.nova-lite-v1:0",
        {
            "messages": [
                {"role": "user", "content": [{"text": "Hello"}]},
                {"role": "assistant", "content": [{"text": "Yes?"}]},
                {"role": "user", "content": [{"text": "Who are you?"}]},
            ]
        },
        converse(),
        None,
        [("user", "Hello"), ("assistant", "Yes?"), *HI],
        SAID,
        "end",
    ),
    "Nova": (
        INVOKE,
        "amazon.nova-pro-v1:0",
        ASK | {"schemaVersion": "messages-v1", "system": [{"text": "Be brief."}]},
        converse(),
        "Be brief.",
        HI,
        SAID,
        "end",
    ),
    "Nova, streamed": (
        STREAM,
        DEPLOYMENT,
        ASK,
        [
            {"messageStart": {"role": "assistant"}},
            {"contentBlockDelta": {"delta": {"text": "A model.\n"}, "contentBlockIndex": 0}},
            {"contentBlockDelta": {"delta": {"text": "Nothing more."}, "contentBlockIndex": 0}},
            {"contentBlockStop": {"contentBlockIndex": 0}},
            {"messageStop": {"stopReason": "content_filtered"}},
            {"metadata": {"usage": {"inputTokens": 7, "outputTokens": 3}}},
        ],
        None,
        HI,
        SAID,
        "filtered",
    ),
    "Anthropic": (
        INVOKE,
        "global.anthropic.claude-sonnet-4-20250514-v1:0",
        CLAUDE_ASK | {"system": "Be brief."},
        CLAUDE_SAYS,
        "Be brief.",
        HI,
        SAID,
        "end",
    ),
    "Anthropic in blocks, with thinking": (
        INVOKE,
        PROFILE,
        CLAUDE_ASK
        | {
            "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
            "messages": [
                {
                    "role": "user",
                    "content": [{"type": "text", "text": "Who "}, {"type": "text", "text": "are you?"}],
                }
            ],
        },
        CLAUDE_SAYS
        | {
            "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": "x"},
                {"type": "redacted_thinking", "data": "x"},
                {"type": "text", "text": SAID},
            ],
            "stop_reason": "refusal",
        },
        "Be brief.",
        HI,
        SAID,
        "filtered",
    ),
    "Anthropic, streamed": (
        STREAM,
        "anthropic.claude-3-5-sonnet-20241022-v2:0",
        CLAUDE_ASK,
        [
            *claude_stream(
                (
                    {"type": "thinking", "thinking": ""},
                    {"type": "thinking_delta", "thinking": "Hm."},
                    {"type": "signature_delta", "signature": "x"},
                ),
                TEXT_BLOCK,
                stop="max_tokens",
            ),
            "[DONE]",
        ],
        None,
        HI,
        SAID,
        "length",
    ),
    "Mistral's chat": (
        INVOKE,
        "mistral.mistral-large-2407-v1:0",
        {
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "Who are you?"},
            ]
        },
        {"choices": [{"index": 0, "message": {"role": "assistant", "content": SAID}, "stop_reason": "stop"}]},
        "Be brief.",
        HI,
        SAID,
        "end",
    ),
    "DeepSeek's chat": (INVOKE, "deepseek.v3-v1:0", CHAT_ASK, CHAT_SAYS, None, HI, SAID, "end"),
    "Qwen, whose thought is left out": (
        INVOKE,
        "qwen.qwen3-32b-v1:0",
        {
            "messages": [
                {"role": "system", "content": [{"type": "text", "text": "Be brief."}]},
                {"role": "user", "content": [{"type": "text", "text": "Who are you?"}]},
            ]
        },
        CHAT_SAYS
        | {
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": SAID, "reasoning_content": "Hm."},
                    "finish_reason": "content_filter",
                }
            ]
        },
        "Be brief.",
        HI,
        SAID,
        "filtered",
    ),
    "GPT-OSS, whose thought stands in the text": (
        INVOKE,
        "openai.gpt-oss-120b-1:0",
        {"messages": [{"role": "developer", "content": "Be brief."}, *CHAT_ASK["messages"]]},
        CHAT_SAYS
        | {
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": f"<reasoning>Hm.</reasoning>{SAID}"},
                    "finish_reason": "stop",
                }
            ]
        },
        "Be brief.",
        HI,
        SAID,
        "end",
    ),
    "OpenAI's chat, streamed": (
        STREAM,
        DEPLOYMENT,
        CHAT_ASK,
        [
            {"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]},
            {"choices": [{"index": 0, "delta": {"reasoning_content": "Hm."}, "finish_reason": None}]},
            {"choices": [{"index": 0, "delta": {"content": "A model.\n"}, "finish_reason": None}]},
            {"choices": [{"index": 0, "delta": {"content": "Nothing more."}, "finish_reason": None}]},
            {"choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]},
            {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3}},
            "[DONE]",
        ],
        None,
        HI,
        SAID,
        "length",
    ),
}
"""Operation, model, request, response; system, messages, completion, class of the stop reason."""
