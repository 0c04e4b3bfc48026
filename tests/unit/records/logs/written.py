"""Parts of log records, written out by hand. Test files load them by path."""

from __future__ import annotations

import json

CLAUDE = "anthropic.claude-3-5-sonnet-20241022-v2:0"
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


def user(*blocks):
    """A user's message of blocks."""
    return {"role": "user", "content": list(blocks)}


def chat_with(message, stop="stop"):
    """A chat completion."""
    return {"choices": [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": stop}]}
