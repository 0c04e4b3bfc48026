"""Request and response bodies of the model families that speak in messages, made from a known conversation.

Nothing here reads a body, and nothing of the package is used: a body is written from a talk (see `families.py`), so what
a reader must find in it is known beforehand.
"""

from __future__ import annotations

import dataclasses
from typing import Any


def pieces(rng, text, longest=40):
    """A text in pieces."""
    out, at = [], 0
    while at < len(text):
        size = rng.randrange(1, longest)
        out.append(text[at : at + size])
        at += size
    return out


def blocks_of(rng, text):
    """A text cut into one to three pieces, never an empty list; no word is cut, so that a mark stays whole."""
    if rng.random() < 0.75 or len(text) < 9:
        return [text]
    cuts = sorted(rng.sample(range(1, len(text)), rng.randrange(1, 4)))
    cuts = [cut for cut in cuts if not text[cut - 1 : cut + 1].isalnum()]
    return [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]


# --- Converse and Nova ------------------------------------------------------------------------------------------------

MEDIA = (
    {"image": {"format": "png", "source": {"bytes": "iVBORw0KGgo="}}},
    {"image": {"format": "jpeg", "source": {"s3Uri": "s3://acme-logs/data/x_input_media_00.jpeg"}}},
    {"document": {"format": "pdf", "name": "text", "source": {"bytes": "JVBERi0="}}},
    {"video": {"format": "mp4", "source": {"s3Location": {"uri": "s3://acme/v.mp4"}}}},
)


def converse_messages(rng, talk, *, cache=True):
    messages = [
        {"role": role, "content": [{"text": part} for part in blocks_of(rng, text)]}
        for role, text in talk.turns
    ]
    last = messages[-1]["content"]
    if cache and rng.random() < 0.1:
        last.insert(rng.randrange(len(last) + 1), {"cachePoint": {"type": "default"}})
    if talk.extra == "image":
        last.insert(rng.randrange(len(last) + 1), rng.choice(MEDIA))
    if talk.extra == "tool-result":
        use = {"toolUseId": "t1", "name": "find", "input": {"text": "what", "city": "Köln"}}
        found = {"toolUseId": "t1", "content": [{"text": "found"}], "status": "success"}
        messages += [
            {"role": "assistant", "content": [{"text": "I look."}, {"toolUse": use}]},
            {"role": "user", "content": [{"toolResult": found}]},
        ]
    return messages


def converse_request(rng, talk):
    body = {"messages": converse_messages(rng, talk), "additionalModelRequestFields": {}}
    if rng.random() < 0.8:
        body["inferenceConfig"] = {"maxTokens": 2048, "temperature": 0.25, "stopSequences": ["</text>"]}
    if talk.system is not None:
        body["system"] = [{"text": part} for part in blocks_of(rng, talk.system)]
        if rng.random() < 0.2:
            body["system"].append({"cachePoint": {"type": "default"}})
    if rng.random() < 0.03:  # a body may repeat the metadata, or say something else
        body["requestMetadata"] = {"project": "triage"}
    if talk.extra.startswith("tool"):
        tool = {"name": "find", "description": "text", "inputSchema": {"json": {"type": "object"}}}
        body["toolConfig"] = {"tools": [{"toolSpec": tool}]}
    return body


def converse_response(rng, talk):
    content = [{"text": part} for part in blocks_of(rng, talk.answer)]
    if not talk.answer and rng.random() < 0.5:
        content = []
    if talk.extra == "thinking":
        thought = {"text": "Let me think about the text.", "signature": "c2ln"}
        kind = {"reasoningText": thought} if rng.random() < 0.8 else {"redactedContent": "AAAA"}
        content.insert(0, {"reasoningContent": kind})
    if talk.extra == "tool-call":
        content.append({"toolUse": {"toolUseId": "t1", "name": "find", "input": {"text": "x"}}})
    usage = {
        "inputTokens": talk.asked,
        "outputTokens": talk.answered,
        "totalTokens": talk.asked + talk.answered,
    }
    return {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": talk.stop,
        "metrics": {"latencyMs": rng.randrange(300, 9000)},
        "usage": usage,
    }


def nova_request(rng, talk):
    body = {"messages": converse_messages(rng, talk), "inferenceConfig": {"maxTokens": 512, "topK": 20}}
    if rng.random() < 0.7:
        body["schemaVersion"] = "messages-v1"
    if talk.system is not None:
        body["system"] = [{"text": part} for part in blocks_of(rng, talk.system)]
    return body


def nova_chunks(rng, talk):
    out: list[Any] = [{"messageStart": {"role": "assistant"}}]
    index = 0
    if talk.extra == "thinking":
        delta = {"reasoningContent": {"reasoningText": {"text": "Hm, text."}}}
        out += [
            {"contentBlockDelta": {"delta": delta, "contentBlockIndex": 0}},
            {"contentBlockStop": {"contentBlockIndex": 0}},
        ]
        index = 1
    out += [
        {"contentBlockDelta": {"delta": {"text": part}, "contentBlockIndex": index}}
        for part in pieces(rng, talk.answer)
    ]
    out.append({"contentBlockStop": {"contentBlockIndex": index}})
    if talk.extra == "tool-call":
        start = {"toolUse": {"toolUseId": "t1", "name": "find"}}
        out += [
            {"contentBlockStart": {"start": start, "contentBlockIndex": index + 1}},
            {"contentBlockDelta": {"delta": {"toolUse": {"input": "{}"}}, "contentBlockIndex": index + 1}},
            {"contentBlockStop": {"contentBlockIndex": index + 1}},
        ]
    out.append({"messageStop": {"stopReason": talk.stop}})
    usage = {"inputTokens": talk.asked, "outputTokens": talk.answered}
    return [*out, {"metadata": {"usage": usage, "metrics": {}, "trace": {}}}]


# --- Anthropic --------------------------------------------------------------------------------------------------------


def anthropic_content(rng, text, *, blocks=False):
    if not blocks and rng.random() < 0.5:
        return text
    content: list[dict[str, Any]] = [{"type": "text", "text": part} for part in blocks_of(rng, text)]
    if rng.random() < 0.2:
        content[-1]["cache_control"] = {"type": "ephemeral"}
    return content


def anthropic_request(rng, talk):
    messages = [{"role": role, "content": anthropic_content(rng, text)} for role, text in talk.turns]
    if talk.extra == "image":
        source = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}
        kind = rng.choice(["image", "document"])
        text = anthropic_content(rng, talk.turns[-1][1], blocks=True)
        messages[-1]["content"] = [{"type": kind, "source": source}, *text]
    if talk.extra == "tool-result":
        use = {"type": "tool_use", "id": "t1", "name": "find", "input": {"text": "x"}}
        messages += [
            {"role": "assistant", "content": [{"type": "text", "text": "I look."}, use]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "found"}]},
        ]
    body = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 1024, "messages": messages}
    if talk.system is not None:
        body["system"] = anthropic_content(rng, talk.system)
    if talk.extra == "thinking":
        body["thinking"] = {"type": "enabled", "budget_tokens": 1024}
    return body


def anthropic_head(talk):
    head = {"id": "msg_bdrk_01", "type": "message", "role": "assistant", "model": "claude-3-5-sonnet"}
    return head | {"usage": {"input_tokens": talk.asked, "output_tokens": 1}}


def anthropic_response(rng, talk):
    content: list[dict[str, Any]] = [{"type": "text", "text": part} for part in blocks_of(rng, talk.answer)]
    if not talk.answer and rng.random() < 0.5:
        content = []
    if talk.extra == "thinking":
        thought = {"type": "thinking", "thinking": "Let me see the text.", "signature": "c2ln"}
        content.insert(0, thought if rng.random() < 0.8 else {"type": "redacted_thinking", "data": "AAAA"})
    if talk.extra == "tool-call":
        content.append({"type": "tool_use", "id": "t1", "name": "find", "input": {"text": "x"}})
    usage = {"input_tokens": talk.asked, "output_tokens": talk.answered}
    said = {"content": content, "stop_reason": talk.stop, "stop_sequence": None, "usage": usage}
    return anthropic_head(talk) | said


def anthropic_chunks(rng, talk):
    out: list[Any] = [
        {"type": "message_start", "message": anthropic_head(talk) | {"content": [], "stop_reason": None}},
        {"type": "ping"},
    ]
    index = 0

    def block(start, deltas):
        nonlocal index
        out.append({"type": "content_block_start", "index": index, "content_block": start})
        out.extend({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas)
        out.append({"type": "content_block_stop", "index": index})
        index += 1

    if talk.extra == "thinking":
        deltas = [{"type": "thinking_delta", "thinking": part} for part in ("Let me ", "see the text.")]
        start = {"type": "thinking", "thinking": "", "signature": ""}
        block(start, [*deltas, {"type": "signature_delta", "signature": "c2ln"}])
    for part in blocks_of(rng, talk.answer):
        block(
            {"type": "text", "text": ""}, [{"type": "text_delta", "text": each} for each in pieces(rng, part)]
        )
    if talk.extra == "tool-call":
        deltas = [{"type": "input_json_delta", "partial_json": part} for part in ("", '{"text":', '"x"}')]
        block({"type": "tool_use", "id": "t1", "name": "find", "input": {}}, deltas)
    end = {"stop_reason": talk.stop, "stop_sequence": None}
    usage = {"output_tokens": talk.answered}
    return [*out, {"type": "message_delta", "delta": end, "usage": usage}, {"type": "message_stop"}]


# --- Chat completions: OpenAI, Qwen, DeepSeek V3, Mistral -------------------------------------------------------------


def chat_request(rng, talk, *, systems=("system",)):
    def content(text):
        if rng.random() < 0.7:
            return text
        return [{"type": "text", "text": part} for part in blocks_of(rng, text)]

    messages = [{"role": role, "content": content(text)} for role, text in talk.turns]
    if talk.extra == "image":
        url = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
        messages[-1]["content"] = [{"type": "text", "text": talk.turns[-1][1]}, url]
    if talk.extra == "tool-result":
        called = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": "{}"}}
        messages += [
            {"role": "assistant", "content": None, "tool_calls": [called]},
            {"role": "tool", "tool_call_id": "c1", "content": "found"},
        ]
    if talk.system is not None:
        messages.insert(0, {"role": rng.choice(systems), "content": content(talk.system)})
    return {"messages": messages, "max_tokens": 512, "temperature": 0.5}


def openai_request(rng, talk):
    return chat_request(rng, talk, systems=("system", "developer"))


def chat_usage(talk):
    total = talk.asked + talk.answered
    return {"prompt_tokens": talk.asked, "completion_tokens": talk.answered, "total_tokens": total}


def chat_response(rng, talk, *, stop="finish_reason"):
    message: dict[str, Any] = {"role": "assistant", "content": talk.answer}
    if talk.extra == "thinking":
        message["reasoning_content"] = "The user asks for text."
    if talk.extra == "tool-call":
        called = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"text": 1}'}}
        message |= {"content": rng.choice([None, talk.answer]), "tool_calls": [called]}
    choice = {"index": 0, "message": message, stop: talk.stop}
    return {"id": "chatcmpl-1", "object": "chat.completion", "choices": [choice], "usage": chat_usage(talk)}


def chat_chunks(rng, talk):
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}

    def chunk(delta, stop=None):
        return head | {"choices": [{"index": 0, "delta": delta, "finish_reason": stop}]}

    out = [chunk({"role": "assistant", "content": ""})]
    if talk.extra == "thinking":
        out += [chunk({"reasoning_content": part}) for part in ("The user ", "asks.")]
    out += [chunk({"content": part}) for part in pieces(rng, talk.answer)]
    if talk.extra == "tool-call":
        function = {"index": 0, "id": "c1", "function": {"name": "find", "arguments": "{}"}}
        out.append(chunk({"tool_calls": [function]}))
    return [*out, chunk({}, talk.stop), head | {"choices": [], "usage": chat_usage(talk)}]


def tagged(talk):
    """GPT-OSS writes its thought before the answer when it is called by InvokeModel."""
    if talk.extra != "thinking":
        return talk
    answer = f"<reasoning>The user asks for text.</reasoning>{talk.answer}"
    return dataclasses.replace(talk, answer=answer, extra="")


def gpt_oss_response(rng, talk):
    return chat_response(rng, tagged(talk))


def gpt_oss_chunks(rng, talk):
    return chat_chunks(rng, tagged(talk))


def mistral_chat_response(rng, talk):
    return chat_response(rng, talk, stop="stop_reason")


def mistral_chat_chunks(rng, talk):
    def chunk(text, stop=None):
        message = {"role": "assistant", "content": text}
        return {"choices": [{"index": 0, "message": message, "stop_reason": stop}]}

    return [*map(chunk, pieces(rng, talk.answer)), chunk("", talk.stop)]
