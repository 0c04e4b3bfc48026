"""Log records that hold no text to learn from, written out by hand: each has its reason."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

from bedrock_distill.records.logs.decoding import decode_line

_written = runpy.run_path(str(Path(__file__).parent / "written.py"))
PROFILE = _written["PROFILE"]
INVOKE = _written["INVOKE"]
STREAM = _written["STREAM"]
HI = _written["HI"]
SAID = _written["SAID"]
log_line = _written["log_line"]
turns = _written["turns"]
converse = _written["converse"]
ASK = _written["ASK"]
CLAUDE_ASK = _written["CLAUDE_ASK"]
CLAUDE_SAYS = _written["CLAUDE_SAYS"]
CHAT_ASK = _written["CHAT_ASK"]
CHAT_SAYS = _written["CHAT_SAYS"]
LLAMA_SAYS = _written["LLAMA_SAYS"]
claude_stream = _written["claude_stream"]
TEXT_BLOCK = _written["TEXT_BLOCK"]
LLAMA3 = _written["LLAMA3"]
CLAUDE = _written["CLAUDE"]
user = _written["user"]
chat_with = _written["chat_with"]
VECTOR = {"embedding": [0.5, -0.25], "inputTextTokenCount": 2}
IMAGE = {"image": {"format": "png", "source": {"bytes": "iVBORw0KGgo="}}}
TOOL = {"toolUse": {"toolUseId": "t", "name": "find", "input": {"text": "x"}}}
RESULT = {"toolResult": {"toolUseId": "t", "content": [{"text": "x"}], "status": "success"}}
DRAWING = {"taskType": "TEXT_IMAGE", "textToImageParams": {"text": "A cat"}}
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
    "an image in Llama's prompt": (
        (
            INVOKE,
            "us.meta.llama3-2-90b-instruct-v1:0",
            {"prompt": LLAMA3, "images": ["iVBORw0KGgo="]},
            LLAMA_SAYS,
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
