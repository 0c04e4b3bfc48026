"""Log records of every body format, written out by hand with what is in them."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from bedrock_distill.records.logs.decoding import decode_line

_written = runpy.run_path(str(Path(__file__).parent / "written.py"))
PROFILE = _written["PROFILE"]
DEPLOYMENT = _written["DEPLOYMENT"]
log_line = _written["log_line"]
turns = _written["turns"]
converse = _written["converse"]
ASK = _written["ASK"]
FORMATS = {
    name: case
    for module in ("written_chats.py", "written_completions.py")
    for name, case in runpy.run_path(str(Path(__file__).parent / module))["FORMATS"].items()
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
