"""Bodies of the families that complete a text, and what is in them. Test files load them by path."""

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
LLAMA_SAYS = _written["LLAMA_SAYS"]
LLAMA3 = _written["LLAMA3"]
LLAMA3_SYSTEM = _written["LLAMA3_SYSTEM"]
DEEPSEEK = _written["DEEPSEEK"]
user = _written["user"]

FORMATS = {
    "Llama 3": (
        INVOKE,
        "meta.llama3-1-405b-instruct-v1:0",
        {"prompt": f"<|begin_of_text|>{LLAMA3_SYSTEM}{LLAMA3}", "max_gen_len": 9},
        LLAMA_SAYS,
        "Be brief.",
        HI,
        SAID,
        "end",
    ),
    "Llama 3 without a system prompt": (
        INVOKE,
        DEPLOYMENT,
        {"prompt": LLAMA3, "max_gen_len": 9},
        LLAMA_SAYS | {"stop_reason": "length"},
        None,
        HI,
        SAID,
        "length",
    ),
    "Llama 2": (
        INVOKE,
        "meta.llama2-13b-chat-v1",
        {"prompt": "<s>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nWho are you? [/INST]"},
        LLAMA_SAYS,
        "Be brief.",
        HI,
        SAID,
        "end",
    ),
    "Llama, streamed": (
        STREAM,
        "us.meta.llama3-3-70b-instruct-v1:0",
        {"prompt": f"<|begin_of_text|>{LLAMA3}"},
        [
            {
                "generation": "A model.\n",
                "prompt_token_count": 7,
                "generation_token_count": 1,
                "stop_reason": None,
            },
            {
                "generation": "Nothing more.",
                "prompt_token_count": None,
                "generation_token_count": 2,
                "stop_reason": None,
            },
            {
                "generation": "",
                "prompt_token_count": None,
                "generation_token_count": 3,
                "stop_reason": "stop",
                "amazon-bedrock-invocationMetrics": {"inputTokenCount": 7, "outputTokenCount": 3},
            },
        ],
        None,
        HI,
        SAID,
        "end",
    ),
    "Mistral": (
        INVOKE,
        "mistral.mistral-7b-instruct-v0:2",
        {"prompt": "<s>[INST] Hello [/INST] Yes?</s>[INST] Who are you? [/INST]", "max_tokens": 9},
        {"outputs": [{"text": SAID, "stop_reason": "length"}]},
        None,
        [("user", "Hello"), ("assistant", "Yes?"), *HI],
        SAID,
        "length",
    ),
    "Mistral without a template, streamed": (
        STREAM,
        PROFILE,
        {"prompt": "Who are you?"},
        [
            {"outputs": [{"text": "A model.\nNothing", "stop_reason": None}]},
            {"outputs": [{"text": " more.", "stop_reason": "stop"}]},
        ],
        None,
        HI,
        SAID,
        "end",
    ),
    "Cohere Command": (
        INVOKE,
        "cohere.command-text-v14",
        {"prompt": "Who are you?", "max_tokens": 9},
        {
            "id": "r",
            "prompt": "Who are you?",
            "generations": [{"id": "g", "text": SAID, "finish_reason": "COMPLETE"}],
        },
        None,
        HI,
        SAID,
        "end",
    ),
    "Cohere Command, whose stream ends with the whole once more": (
        STREAM,
        "cohere.command-text-v14",
        {"prompt": "Who are you?", "stream": True},
        [
            {"text": "A model.\n", "is_finished": False},
            {"text": "Nothing more.", "is_finished": False},
            {
                "is_finished": True,
                "finish_reason": "MAX_TOKENS",
                "response": {
                    "id": "r",
                    "generations": [{"id": "g", "text": SAID, "finish_reason": "MAX_TOKENS"}],
                },
            },
        ],
        None,
        HI,
        SAID,
        "length",
    ),
    "Cohere Command R": (
        INVOKE,
        "cohere.command-r-v1:0",
        {
            "message": "Who are you?",
            "preamble": "Be brief.",
            "chat_history": [
                {"role": "USER", "message": "Hello"},
                {"role": "CHATBOT", "message": "Yes?"},
            ],
        },
        {"response_id": "r", "text": SAID, "generation_id": "g", "finish_reason": "ERROR_TOXIC"},
        "Be brief.",
        [("user", "Hello"), ("assistant", "Yes?"), *HI],
        SAID,
        "filtered",
    ),
    "Cohere Command R, streamed": (
        STREAM,
        PROFILE,
        {"message": "Who are you?"},
        [
            {"is_finished": False, "event_type": "stream-start", "generation_id": "g"},
            {"is_finished": False, "event_type": "text-generation", "text": "A model.\n"},
            {"is_finished": False, "event_type": "text-generation", "text": "Nothing more."},
            {
                "is_finished": True,
                "event_type": "stream-end",
                "finish_reason": "COMPLETE",
                "response": {"response_id": "r", "text": SAID, "finish_reason": "COMPLETE"},
            },
        ],
        None,
        HI,
        SAID,
        "end",
    ),
    "Titan": (
        INVOKE,
        "amazon.titan-text-express-v1",
        {"inputText": "Who are you?", "textGenerationConfig": {"maxTokenCount": 9}},
        {
            "inputTextTokenCount": 7,
            "results": [{"tokenCount": 3, "outputText": SAID, "completionReason": "FINISHED"}],
        },
        None,
        HI,
        SAID,
        "end",
    ),
    "Titan as a chat, streamed": (
        STREAM,
        "amazon.titan-text-premier-v1:0",
        {"inputText": "User: Who are you?\nBot:"},
        [
            {"outputText": "A model.\n", "index": 0, "completionReason": None},
            {
                "outputText": "Nothing more.",
                "index": 0,
                "totalOutputTextTokenCount": 3,
                "completionReason": "LENGTH",
                "inputTextTokenCount": 7,
            },
        ],
        None,
        HI,
        SAID,
        "length",
    ),
    "DeepSeek R1, whose thought is left out": (
        INVOKE,
        "us.deepseek.r1-v1:0",
        {"prompt": DEEPSEEK, "max_tokens": 9},
        {"choices": [{"text": f"Hm.\n</think>\n\n{SAID}", "stop_reason": "stop"}]},
        None,
        HI,
        SAID,
        "end",
    ),
    "DeepSeek R1, streamed": (
        STREAM,
        "us.deepseek.r1-v1:0",
        {"prompt": DEEPSEEK},
        [
            {"choices": [{"text": "Hm.</th", "stop_reason": None}]},
            {"choices": [{"text": "ink>\n\nA model.\nNothing more.", "stop_reason": None}]},
            {"choices": [{"text": "", "stop_reason": "length"}]},
        ],
        None,
        HI,
        SAID,
        "length",
    ),
}
"""Operation, model, request, response; system, messages, completion, class of the stop reason."""
