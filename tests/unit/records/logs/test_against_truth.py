"""Decoding and scanning, judged by lines that are known: see `tests/logs_truth.py`."""

from __future__ import annotations

import gzip
import runpy
from datetime import timedelta
from pathlib import Path

import pytest

from bedrock_distill.records.logs.decoding import decode_line
from bedrock_distill.records.logs.filters import Metadata
from bedrock_distill.records.logs.query import LogQuery, Selector
from bedrock_distill.records.logs.scanning import scan_lines
from bedrock_distill.records.logs.tally import Tally

_made = runpy.run_path(str(Path(__file__).parents[3] / "logs_truth.py"))
make_logs, Lines, Wanted, START = (_made[name] for name in ("make_logs", "Lines", "Wanted", "START"))
CLAUDE = "anthropic.claude-3-5-sonnet-20241022-v2:0"
PROJECT, ENV = Metadata("project"), Metadata("env")
WINDOW = {"since": START + timedelta(hours=1), "until": START + timedelta(hours=3)}

QUERIES = {
    "everything": (LogQuery(), Wanted()),
    "answers": (LogQuery(responses=True), Wanted(responses=True)),
    "conversations": (
        LogQuery(responses=True, multi_turn=True),
        Wanted(responses=True, multi_turn=True),
    ),
    "one project": (
        LogQuery(where=PROJECT == "triage", responses=True),
        Wanted(metadata=lambda pairs: pairs.get("project") == "triage", responses=True),
    ),
    "all other projects": (
        LogQuery(where=PROJECT != "triage"),
        Wanted(metadata=lambda pairs: pairs.get("project") != "triage"),
    ),
    "two conditions": (
        LogQuery(where=(PROJECT == "triage") & (ENV != "dev")),
        Wanted(metadata=lambda pairs: pairs.get("project") == "triage" and pairs.get("env") != "dev"),
    ),
    "either condition": (
        LogQuery(where=(PROJECT == "support") | (ENV == "prod"), responses=True),
        Wanted(
            metadata=lambda pairs: pairs.get("project") == "support" or pairs.get("env") == "prod",
            responses=True,
        ),
    ),
    "a model however called": (
        LogQuery(models=(CLAUDE,), responses=True),
        Wanted(models=lambda name: name.endswith(CLAUDE), responses=True),
    ),
    "a model as called": (
        LogQuery(exact_model=f"us.{CLAUDE}"),
        Wanted(models=lambda name: name == f"us.{CLAUDE}"),
    ),
    "an operation": (
        LogQuery(operations=("ConverseStream", "InvokeModelWithResponseStream"), responses=True),
        Wanted(operations=frozenset({"ConverseStream", "InvokeModelWithResponseStream"}), responses=True),
    ),
    "a window": (LogQuery(**WINDOW), Wanted(**WINDOW)),
    "all at once": (
        LogQuery(**WINDOW, where=PROJECT == "triage", models=(CLAUDE,), operations=("Converse",)),
        Wanted(
            **WINDOW,
            metadata=lambda pairs: pairs.get("project") == "triage",
            models=lambda name: name.endswith(CLAUDE),
            operations=frozenset({"Converse"}),
        ),
    ),
}


@pytest.fixture(scope="module")
def truth(tmp_path_factory):
    return make_logs(tmp_path_factory.mktemp("logs"), seed=11, records=5000)


def lines_of(truth):
    """Every line beside what is to be found in it."""
    known = {}
    for expected in truth.records:
        known.setdefault(expected.key, []).append(expected)
    for key, there in known.items():
        data = (truth.folder / key).read_bytes()
        lines = (gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data).split(b"\n")
        yield from ((lines[expected.line - 1], expected) for expected in there)


def found_in(entry):
    """An entry as the truth would put it: reason of the whole, reason of the answer, and what was said."""
    exchange = entry.exchange
    if exchange is None:
        return entry.reason, None, None
    if isinstance(exchange.messages, str):
        said = (("user", exchange.messages),)
    else:
        said = tuple((message.role, message.text) for message in exchange.messages)
    prompt = (exchange.system, said)
    if exchange.completion is None or exchange.stop == "tool":
        return None, exchange.answer_reason or "tool-use", prompt
    return None, None, (*prompt, exchange.completion, exchange.stop)


def known_of(expected):
    """The same of what is known."""
    if expected.reason is not None:
        return expected.reason, None, None
    prompt = (expected.system, expected.messages)
    if expected.answer_reason or expected.stop == "tool":
        return None, expected.answer_reason or "tool-use", prompt
    if expected.completion is None:
        return None, "no-completion", prompt
    return None, None, (*prompt, expected.completion, expected.stop)


def test_every_line_is_read_as_what_it_is(truth):
    wrong = [
        (expected.kind, known_of(expected), found)
        for line, expected in lines_of(truth)
        if (found := found_in(decode_line(line, truth.overflow))) != known_of(expected)
    ]
    assert not wrong[:3], f"{len(wrong)} lines"


def test_every_record_is_known_by_its_envelope(truth):
    for line, expected in lines_of(truth):
        if expected.model_id:
            entry = decode_line(line, truth.overflow)
            assert (entry.model_id, entry.operation) == (expected.model_id, expected.operation)
            assert (entry.timestamp, entry.metadata) == (expected.timestamp, expected.metadata)


def test_tokens_are_those_of_the_call_where_they_are_told(truth):
    for line, expected in lines_of(truth):
        exchange = decode_line(line, truth.overflow).exchange
        if exchange is not None:
            assert exchange.input_tokens in (None, expected.input_tokens)
            assert exchange.output_tokens in (None, expected.output_tokens)


@pytest.mark.parametrize("name", QUERIES)
def test_endless_lines_give_the_records_and_counts_of_their_templates(name):
    query, wanted = QUERIES[name]
    made, count, tally = Lines(3, templates=1500), 4000, Tally()
    found = [line for _, line in scan_lines(made.take(count), Selector(query), tally)]
    assert found == list(made.records(count, wanted))
    assert tally.by_model_id == dict(made.used(count, wanted))
    if not wanted.selects:
        assert tally.skipped == dict(made.skipped(count, wanted))
