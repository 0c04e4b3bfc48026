"""Lines that are none, and texts that look like something else."""

from __future__ import annotations

import gzip
import json
import runpy
from pathlib import Path

import pytest

from bedrock_distill.records.logs.decoding import decode_line

_written = runpy.run_path(str(Path(__file__).parent / "written.py"))
PROFILE = _written["PROFILE"]
INVOKE = _written["INVOKE"]
SAID = _written["SAID"]
log_line = _written["log_line"]
turns = _written["turns"]
converse = _written["converse"]
ASK = _written["ASK"]
CHAT_ASK = _written["CHAT_ASK"]
LLAMA_SAYS = _written["LLAMA_SAYS"]
LLAMA3 = _written["LLAMA3"]
DEEPSEEK = _written["DEEPSEEK"]
user = _written["user"]
chat_with = _written["chat_with"]
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


# --- Whatever texts hold ---

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


PROMPTS = (
    "What does [INST] x [/INST] mean?",
    "Explain <|im_start|>user and the like.",
    "Is <|start_header_id|> one token?",
)
COMPLETIONS = {
    "meta.llama3-1-8b-instruct-v1:0": ("prompt", LLAMA_SAYS),
    "mistral.mistral-7b-instruct-v0:2": (
        "prompt",
        {"outputs": [{"text": SAID, "stop_reason": "stop"}]},
    ),
    "amazon.titan-text-express-v1": (
        "inputText",
        {"results": [{"outputText": SAID, "completionReason": "FINISH"}]},
    ),
}


@pytest.mark.parametrize("prompt", PROMPTS)
@pytest.mark.parametrize("model", COMPLETIONS)
def test_a_prompt_that_speaks_of_marks_in_its_middle_is_no_template(model, prompt):
    key, response = COMPLETIONS[model]
    exchange = decode_line(log_line(INVOKE, model, {key: prompt}, response)).exchange
    assert exchange is not None
    assert (exchange.system, turns(exchange)) == (None, [("user", prompt)])


TEMPLATED = {
    "us.deepseek.r1-v1:0": (
        DEEPSEEK.replace("Who are you?", "What does [INST] x [/INST] mean?"),
        {"choices": [{"text": f"Hm.</think>{SAID}", "stop_reason": "stop"}]},
        "What does [INST] x [/INST] mean?",
    ),
    "mistral.mistral-7b-instruct-v0:2": (
        "<s>[INST] What is <|start_header_id|>? [/INST]",
        {"outputs": [{"text": SAID, "stop_reason": "stop"}]},
        "What is <|start_header_id|>?",
    ),
    "meta.llama3-1-8b-instruct-v1:0": (
        LLAMA3.replace("Who are you?", "What does [INST] x [/INST] mean?\n\nHuman: hi"),
        LLAMA_SAYS,
        "What does [INST] x [/INST] mean?\n\nHuman: hi",
    ),
}


@pytest.mark.parametrize("model", TEMPLATED)
def test_a_templated_text_may_speak_of_another_template(model):
    prompt, response, text = TEMPLATED[model]
    exchange = decode_line(log_line(INVOKE, model, {"prompt": prompt}, response)).exchange
    assert exchange is not None
    assert turns(exchange) == [("user", text)]


def test_an_answer_that_speaks_of_thoughts_keeps_all_of_its_text():
    said = "The model writes its thought, then </think>, then the answer."
    exchange = decode_line(
        log_line(INVOKE, "qwen.qwen3-32b-v1:0", CHAT_ASK, chat_with({"content": said}))
    ).exchange
    assert exchange.completion == said
