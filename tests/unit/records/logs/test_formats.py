"""Log records of every body format, written out by hand with what is in them."""

from __future__ import annotations

import gzip
import json

import pytest

from bedrock_distill.records.logs.decoding import decode_line

PROFILE = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3d4e5f6"
DEPLOYMENT = "arn:aws:bedrock:us-east-1:123456789012:custom-model-deployment/a1b2c3d4e5f6"
INVOKE, STREAM = "InvokeModel", "InvokeModelWithResponseStream"
HI = [("user", "Who are you?")]
SAID = "A model.\nNothing more."


def log_line(operation, model, request, response, **more):
    record = {
        "schemaType": "ModelInvocationLog",
        "schemaVersion": "1.0",
        "timestamp": "2026-11-01T09:30:00Z",
        "accountId": "123456789012",
        "identity": {"arn": "arn:aws:sts::123456789012:assumed-role/app/me"},
        "region": "us-east-1",
        "requestId": "11111111-2222-4333-8444-555555555555",
        "operation": operation,
        "modelId": model,
        "input": {
            "inputContentType": "application/json",
            "inputBodyJson": request,
            "inputTokenCount": 7,
        },
        "output": {
            "outputContentType": "application/json",
            "outputBodyJson": response,
            "outputTokenCount": 3,
        },
    }
    return json.dumps(record | more, ensure_ascii=False).encode()


def turns(exchange):
    if isinstance(exchange.messages, str):
        return [("user", exchange.messages)]
    return [(message.role, message.text) for message in exchange.messages]


def converse(text=SAID, stop="end_turn", **more):
    return {
        "output": {"message": {"role": "assistant", "content": [{"text": text}]}},
        "stopReason": stop,
        "usage": {"inputTokens": 7, "outputTokens": 3, "totalTokens": 10},
        "metrics": {"latencyMs": 5},
    } | more


ASK = {"messages": [{"role": "user", "content": [{"text": "Who are you?"}]}]}
CLAUDE_ASK = {
    "anthropic_version": "bedrock-2023-05-31",
    "max_tokens": 9,
    "messages": [{"role": "user", "content": "Who are you?"}],
}
CLAUDE_SAYS = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude",
    "content": [{"type": "text", "text": SAID}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 7, "output_tokens": 3},
}
CHAT_ASK = {"messages": [{"role": "user", "content": "Who are you?"}], "max_tokens": 9}
CHAT_SAYS = {
    "id": "c1",
    "object": "chat.completion",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": SAID}, "finish_reason": "stop"},
    ],
    "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
}
LLAMA_SAYS = {
    "generation": SAID,
    "prompt_token_count": 7,
    "generation_token_count": 3,
    "stop_reason": "stop",
}


def claude_stream(*blocks, stop="end_turn"):
    """Events of blocks, each a start and its deltas."""
    events = [
        {
            "type": "message_start",
            "message": CLAUDE_SAYS | {"content": [], "stop_reason": None, "usage": {"input_tokens": 7}},
        }
    ]
    for index, (start, *deltas) in enumerate(blocks):
        events.append({"type": "content_block_start", "index": index, "content_block": start})
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": index})
    return [
        *events,
        {"type": "message_delta", "delta": {"stop_reason": stop}, "usage": {"output_tokens": 3}},
        {
            "type": "message_stop",
            "amazon-bedrock-invocationMetrics": {"inputTokenCount": 7, "outputTokenCount": 3},
        },
    ]


TEXT_BLOCK = (
    {"type": "text", "text": ""},
    {"type": "text_delta", "text": "A model.\n"},
    {"type": "text_delta", "text": "Nothing more."},
)
LLAMA3 = "<|start_header_id|>user<|end_header_id|>\n\nWho are you?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"
LLAMA3_SYSTEM = "<|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>"
DEEPSEEK = "<｜begin▁of▁sentence｜><｜User｜>Who are you?<｜Assistant｜><think>\n"  # noqa: RUF001 - its marks

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
        claude_stream(
            (
                {"type": "thinking", "thinking": ""},
                {"type": "thinking_delta", "thinking": "Hm."},
                {"type": "signature_delta", "signature": "x"},
            ),
            TEXT_BLOCK,
            stop="max_tokens",
        )
        + ["[DONE]"],
        None,
        HI,
        SAID,
        "length",
    ),
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


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_is_read_as_what_was_asked_and_answered(name):
    operation, model, request, response, system, messages, completion, stop = FORMATS[name]
    entry = decode_line(log_line(operation, model, request, response))
    assert entry.reason is None
    exchange = entry.exchange
    assert (exchange.system, turns(exchange)) == (system, messages)
    assert (exchange.completion, exchange.stop) == (completion, stop)
    assert exchange.input_tokens in (None, 7)
    assert exchange.output_tokens in (None, 3)


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_is_told_by_its_keys_where_the_model_does_not_tell_it(name):
    operation, _, request, response, system, messages, completion, stop = FORMATS[name]
    exchange = decode_line(log_line(operation, DEPLOYMENT, request, response)).exchange
    assert exchange is not None
    assert (exchange.system, turns(exchange)) == (system, messages)
    assert (exchange.completion, exchange.stop) == (completion, stop)


@pytest.mark.parametrize("name", FORMATS)
def test_without_answers_the_prompt_is_the_same(name):
    operation, model, request, response, system, messages, _, _ = FORMATS[name]
    exchange = decode_line(log_line(operation, model, request, response), answers=False).exchange
    assert (exchange.system, turns(exchange)) == (system, messages)


def test_an_entry_says_what_the_envelope_says():
    metadata = {"project": "triage", "a b": '"{}"', "π": "🙂"}
    line = log_line("Converse", f"us.{'amazon.nova-pro-v1:0'}", ASK, converse(), requestMetadata=metadata)
    entry = decode_line(line)
    assert (entry.model_id, entry.operation) == ("us.amazon.nova-pro-v1:0", "Converse")
    assert str(entry.timestamp).startswith("2026-11-01")
    assert entry.metadata == metadata
    assert not decode_line(log_line("Converse", PROFILE, ASK, converse())).metadata


# --- Records that are of no use ---------------------------------------------------------------------------------------

VECTOR = {"embedding": [0.5, -0.25], "inputTextTokenCount": 2}
IMAGE = {"image": {"format": "png", "source": {"bytes": "iVBORw0KGgo="}}}
TOOL = {"toolUse": {"toolUseId": "t", "name": "find", "input": {"text": "x"}}}
RESULT = {"toolResult": {"toolUseId": "t", "content": [{"text": "x"}], "status": "success"}}
DRAWING = {"taskType": "TEXT_IMAGE", "textToImageParams": {"text": "A cat"}}


def user(*blocks):
    return {"role": "user", "content": list(blocks)}


def chat_with(message, stop="stop"):
    return {"choices": [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": stop}]}


USELESS = {
    "Titan's embedding": (
        (INVOKE, "amazon.titan-embed-text-v2:0", {"inputText": "x"}, VECTOR),
        "embedding",
    ),
    "Titan's embedding of an unknown model": ((INVOKE, PROFILE, {"inputText": "x"}, VECTOR), "embedding"),
    "Titan's embedding by type": (
        (INVOKE, PROFILE, {"inputText": "x"}, {"embeddingsByType": {"binary": [0, 1]}}),
        "embedding",
    ),
    "Cohere's embedding": (
        (
            INVOKE,
            "cohere.embed-english-v3",
            {"texts": ["x"], "input_type": "search_query"},
            {"embeddings": [[0.5]], "id": "e", "texts": ["x"], "response_type": "embeddings_floats"},
        ),
        "embedding",
    ),
    "Nova Canvas": (
        (INVOKE, "amazon.nova-canvas-v1:0", DRAWING, {"images": ["iVBORw0KGgo="], "error": None}),
        "image-model",
    ),
    "an image of an unknown model": (
        (INVOKE, PROFILE, DRAWING, {"images": ["iVBORw0KGgo="]}),
        "image-model",
    ),
    "Stability": (
        (
            INVOKE,
            "stability.sd3-5-large-v1:0",
            {"prompt": "A cat", "mode": "text-to-image"},
            {"seeds": [1], "finish_reasons": [None], "images": ["iVBORw0KGgo="]},
        ),
        "image-model",
    ),
    "a rerank": (
        (
            INVOKE,
            "amazon.rerank-v1:0",
            {"query": "x", "documents": ["y"]},
            {"results": [{"index": 0, "relevance_score": 0.5}]},
        ),
        "unknown-format",
    ),
    "an unknown shape": ((INVOKE, "acme.oracle-v1:0", {"question": "x"}, {"reply": "y"}), "unknown-format"),
    "an unknown operation": (("CountTokens", "amazon.nova-pro-v1:0", ASK, converse()), "unknown-operation"),
    "an image in the prompt": (
        ("Converse", PROFILE, {"messages": [user({"text": "What?"}, IMAGE)]}, converse()),
        "not-text",
    ),
    "a document in Claude's prompt": (
        (
            INVOKE,
            "anthropic.claude-3-haiku-20240307-v1:0",
            CLAUDE_ASK
            | {
                "messages": [
                    user({"type": "document", "source": {"type": "base64"}}, {"type": "text", "text": "x"})
                ]
            },
            CLAUDE_SAYS,
        ),
        "not-text",
    ),
    "an image in OpenAI's prompt": (
        (
            INVOKE,
            "openai.gpt-oss-20b-1:0",
            {"messages": [user({"type": "text", "text": "x"}, {"type": "image_url", "image_url": {}})]},
            CHAT_SAYS,
        ),
        "not-text",
    ),
    "a tool's result in the prompt": (
        (
            "Converse",
            PROFILE,
            {
                "messages": [
                    user({"text": "x"}),
                    {"role": "assistant", "content": [{"text": "I look."}, TOOL]},
                    user(RESULT),
                ]
            },
            converse(),
        ),
        "tool-use",
    ),
    "a tool's message in OpenAI's prompt": (
        (
            INVOKE,
            "qwen.qwen3-32b-v1:0",
            {
                "messages": [
                    {"role": "user", "content": "x"},
                    {
                        "role": "assistant",
                        "content": None,
                        "tool_calls": [
                            {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
                        ],
                    },
                    {"role": "tool", "tool_call_id": "c", "content": "y"},
                ]
            },
            CHAT_SAYS,
        ),
        "tool-use",
    ),
    "an empty prompt": (("Converse", PROFILE, {"messages": [user({"text": ""})]}, converse()), "no-prompt"),
    "no messages": (("Converse", PROFILE, {"messages": []}, converse()), "no-prompt"),
    "an empty Llama turn": (
        (
            INVOKE,
            "meta.llama3-1-8b-instruct-v1:0",
            {"prompt": LLAMA3.replace("Who are you?", "")},
            LLAMA_SAYS,
        ),
        "no-prompt",
    ),
    "an empty Command R message": (
        (INVOKE, "cohere.command-r-v1:0", {"message": ""}, {"text": "x", "finish_reason": "COMPLETE"}),
        "no-prompt",
    ),
}


@pytest.mark.parametrize("name", USELESS)
def test_a_record_that_holds_no_text_pair_has_its_reason(name):
    asked, reason = USELESS[name]
    entry = decode_line(log_line(*asked))
    assert (entry.exchange, entry.reason) == (None, reason)


CLAUDE = "anthropic.claude-3-5-sonnet-20241022-v2:0"
CALL_BLOCK = (
    {"type": "tool_use", "id": "t", "name": "find", "input": {}},
    {"type": "input_json_delta", "partial_json": "{}"},
)
CALLS = [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
ANSWERS = {
    "a tool call": (
        ("Converse", PROFILE, ASK, converse() | {"output": {"message": {"content": [{"text": "x"}, TOOL]}}}),
        "tool-use",
    ),
    "Claude's tool call": (
        (
            INVOKE,
            CLAUDE,
            CLAUDE_ASK,
            CLAUDE_SAYS
            | {
                "content": [
                    {"type": "text", "text": "x"},
                    {"type": "tool_use", "id": "t", "name": "find", "input": {}},
                ],
                "stop_reason": "tool_use",
            },
        ),
        "tool-use",
    ),
    "Claude's tool call, streamed": (
        (STREAM, CLAUDE, CLAUDE_ASK, claude_stream(TEXT_BLOCK, CALL_BLOCK, stop="tool_use")),
        "tool-use",
    ),
    "OpenAI's tool call beside a text": (
        (
            INVOKE,
            "openai.gpt-oss-20b-1:0",
            CHAT_ASK,
            chat_with({"content": "x", "tool_calls": CALLS}, "tool_calls"),
        ),
        "tool-use",
    ),
    "OpenAI's tool call, streamed, that simply stops": (
        (
            STREAM,
            "openai.gpt-oss-20b-1:0",
            CHAT_ASK,
            [
                {"choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": None}]},
                {"choices": [{"index": 0, "delta": {"tool_calls": CALLS}, "finish_reason": None}]},
                {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
            ],
        ),
        "tool-use",
    ),
    "an image": (
        ("Converse", PROFILE, ASK, converse() | {"output": {"message": {"content": [IMAGE]}}}),
        "not-text",
    ),
    "nothing": (
        ("Converse", PROFILE, ASK, converse() | {"output": {"message": {"content": []}}}),
        "no-completion",
    ),
    "thinking only": (
        (INVOKE, CLAUDE, CLAUDE_ASK, CLAUDE_SAYS | {"content": [{"type": "thinking", "thinking": "Hm."}]}),
        "no-completion",
    ),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_that_is_no_text_has_its_reason_and_leaves_the_prompt(name):
    asked, reason = ANSWERS[name]
    exchange = decode_line(log_line(*asked)).exchange
    assert turns(exchange) == HI
    found = exchange.answer_reason or ("tool-use" if exchange.stop == "tool" else None)
    assert found == reason


# --- Bodies elsewhere, or nowhere -------------------------------------------------------------------------------------

URI = "s3://acme-logs/AWSLogs/1/BedrockModelInvocationLogs/us-east-1/2026/11/01/09/data/11_{}.json.gz"


def overflowing(sides):
    record = json.loads(log_line("Converse", "amazon.nova-pro-v1:0", ASK, converse()))
    bodies = {}
    for side in sides:
        body = record[side].pop(f"{side}BodyJson")
        record[side][f"{side}BodyS3Path"] = URI.format(side)
        bodies[URI.format(side)] = json.dumps(body).encode()
    return json.dumps(record).encode(), bodies


@pytest.mark.parametrize("sides", [["input"], ["output"], ["input", "output"]])
def test_bodies_that_overflowed_are_fetched_by_their_uri(sides):
    line, bodies = overflowing(sides)
    exchange = decode_line(line, bodies.get).exchange
    assert (turns(exchange), exchange.completion) == (HI, SAID)


def test_a_prompt_that_is_not_there_is_no_body():
    line, _ = overflowing(["input"])
    assert decode_line(line, lambda _: None).reason == "no-body"
    assert decode_line(line).reason == "no-body"


def test_an_answer_that_is_not_there_leaves_the_prompt_but_no_label():
    line, _ = overflowing(["output"])
    exchange = decode_line(line, lambda _: None).exchange
    assert (turns(exchange), exchange.completion, exchange.answer_reason) == (HI, None, "no-body")


def test_an_overflowing_answer_is_not_fetched_where_answers_do_not_matter():
    line, bodies = overflowing(["output"])
    asked = []
    entry = decode_line(line, lambda uri: asked.append(uri) or bodies[uri], answers=False)
    assert (turns(entry.exchange), asked) == (HI, [])


def test_a_record_without_text_delivery_has_no_body():
    record = json.loads(log_line("Converse", "amazon.nova-pro-v1:0", ASK, converse()))
    del record["input"]["inputBodyJson"], record["output"]["outputBodyJson"]
    assert decode_line(json.dumps(record).encode()).reason == "no-body"


@pytest.mark.parametrize("bodies", [True, False])
def test_a_failed_call_is_one_whether_or_not_its_request_was_logged(bodies):
    record = json.loads(
        log_line("Converse", "amazon.nova-pro-v1:0", ASK, converse(), errorCode="ThrottlingException")
    )
    del record["output"]
    if not bodies:
        record["input"] = {"inputContentType": "application/json", "inputTokenCount": 0}
    assert decode_line(json.dumps(record).encode()).reason == "failed-call"


# --- Lines that are none ----------------------------------------------------------------------------------------------

WHOLE = log_line("Converse", "amazon.nova-pro-v1:0", ASK, converse())
TAIL_FIRST = json.dumps(dict(reversed(json.loads(WHOLE).items()))).encode()

BROKEN = {
    "cut": WHOLE[:200],
    "cut at its last brace": WHOLE[:-1],
    "two records": WHOLE + WHOLE,
    "a bad byte in the prompt": WHOLE.replace(b"Who are", b"Who\xff are"),
    "a bad byte in the model's name": WHOLE.replace(b"amazon.nova", b"amazon\xe9.nova"),
    "half a surrogate pair": WHOLE.replace(b"Who are", b"Who \\ud83d are"),
    "a list": b"[" + WHOLE + b"]",
    "a number": b"17",
    "null": b"null",
    "a text": b'"ModelInvocationLog"',
    "Python's own writing": str(json.loads(WHOLE)).encode(),
    "not a number": WHOLE.replace(b'"inputTokenCount": 7', b'"inputTokenCount": NaN'),
    "gzip": gzip.compress(WHOLE),
    "too deep": b'{"a":' * 5000,
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_line_is_one(name):
    assert decode_line(BROKEN[name]).reason == "broken-line"


def without(name):
    return json.dumps({key: value for key, value in json.loads(WHOLE).items() if key != name}).encode()


NO_LOGS = {
    "no schema type": without("schemaType"),
    "another schema type": WHOLE.replace(b"ModelInvocationLog", b"AgentTrace"),
    "another schema type at the end": TAIL_FIRST.replace(b"ModelInvocationLog", b"AgentTrace"),
    "no model": without("modelId"),
    "an empty object": b"{}",
    "something else": b'{"eventVersion": "1.08", "eventName": "InvokeModel"}',
}


@pytest.mark.parametrize("name", NO_LOGS)
def test_json_that_is_no_log_record_is_not_a_log(name):
    assert decode_line(NO_LOGS[name]).reason == "not-a-log"


# --- Whatever texts hold ----------------------------------------------------------------------------------------------

TEXTS = {
    "a whole log line": WHOLE.decode(),
    "members of one": '","modelId":"x","requestMetadata":{"project":"triage"},"errorCode":"E"}',
    "another family's marks": "<|start_header_id|>user<|end_header_id|>\n\n[INST] x [/INST]<｜User｜>",  # noqa: RUF001
    "scripts": "Größe 検索 مرحبا שלום e\u0301 é 👩‍👩‍👧‍👦 \u2028\x85\x00",
    "space around": "  Who?\n\n",
    "escapes": 'back\\slash \\u0041 "quoted" /slash/ \b\f\t',
}


@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("name", TEXTS)
def test_texts_are_kept_to_the_letter(name, ascii_only):
    text = TEXTS[name]
    record = json.loads(
        log_line("Converse", PROFILE, {"messages": [user({"text": text})]}, converse(f"> {text}"))
    )
    line = json.dumps(record, ensure_ascii=ascii_only)
    if ascii_only:
        line = line.replace("/", "\\/")
    entry = decode_line(line.encode())
    assert (entry.model_id, entry.metadata) == (PROFILE, {})
    assert turns(entry.exchange) == [("user", text)]
    assert entry.exchange.completion == f"> {text}"


@pytest.mark.parametrize(
    ("model", "prompt"),
    [
        ("meta.llama3-1-8b-instruct-v1:0", "What does [INST] x [/INST] mean?"),
        ("mistral.mistral-7b-instruct-v0:2", "Explain <|im_start|>user and the like."),
        ("meta.llama3-1-8b-instruct-v1:0", "Is <|start_header_id|> one token?"),
    ],
)
def test_a_prompt_that_speaks_of_marks_in_its_middle_is_no_template(model, prompt):
    response = (
        LLAMA_SAYS if model.startswith("meta") else {"outputs": [{"text": SAID, "stop_reason": "stop"}]}
    )
    exchange = decode_line(log_line(INVOKE, model, {"prompt": prompt}, response)).exchange
    assert (exchange.system, turns(exchange)) == (None, [("user", prompt)])


def test_a_templated_text_may_speak_of_another_template():
    prompt = DEEPSEEK.replace("Who are you?", "What does [INST] x [/INST] mean?")
    response = {"choices": [{"text": f"Hm.</think>{SAID}", "stop_reason": "stop"}]}
    exchange = decode_line(log_line(INVOKE, "us.deepseek.r1-v1:0", {"prompt": prompt}, response)).exchange
    assert turns(exchange) == [("user", "What does [INST] x [/INST] mean?")]


def test_an_answer_that_speaks_of_thoughts_keeps_all_of_its_text():
    said = "The model writes its thought, then </think>, then the answer."
    exchange = decode_line(
        log_line(INVOKE, "qwen.qwen3-32b-v1:0", CHAT_ASK, chat_with({"content": said}))
    ).exchange
    assert exchange.completion == said
