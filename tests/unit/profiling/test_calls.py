"""Lines to calls: each line is a call or is counted under a reason, judged by lines that are known."""

from __future__ import annotations

import json
import random
import runpy
from collections import Counter
from pathlib import Path

import pytest

from bedrock_distill.errors import SpecError
from bedrock_distill.harvest.sources import open_source
from bedrock_distill.profiling.calls import HINDRANCES, _object, _texts, calls_in, check_by, model_named
from bedrock_distill.records.logs import LogQuery, Metadata
from bedrock_distill.records.logs.tally import Tally

_made = runpy.run_path(str(Path(__file__).parents[2] / "logs_truth.py"))
make_logs, Wanted = _made["make_logs"], _made["Wanted"]


def read(truth, query, **options):
    from bedrock_distill.harvest.partition import lines_of_each

    origin, tally, calls = open_source(str(truth.folder), None), Tally(), []
    for lines in lines_of_each(origin, origin.list(), tally):
        calls += calls_in(lines, query, tally, overflow=origin.overflow, **options)
    return calls, tally


@pytest.fixture(scope="module")
def truth(tmp_path_factory):
    return make_logs(tmp_path_factory.mktemp("truth"), seed=3, records=1500)


def test_every_line_is_a_call_or_counted_under_the_reason_why_it_is_none(truth):
    calls, tally = read(truth, LogQuery())
    assert tally.scanned == len(truth.records) == len(calls) + sum(tally.skipped.values())
    told = Counter(call.reason for call in calls if call.reason) + Counter(tally.skipped)
    assert told == truth.skipped(Wanted(responses=True))


def test_what_was_asked_answered_and_counted_is_what_the_log_says(truth):
    calls, _ = read(truth, LogQuery())
    expected = Counter(
        (
            model_named(each.model_id),
            each.system or "",
            each.messages[0][1],
            each.completion,
            each.input_tokens,
        )
        for each in truth.used(Wanted(responses=True))
    )
    found = Counter(
        (call.model, call.system, call.prompt, call.answer, call.input_tokens)
        for call in calls
        if not call.reason and not call.estimated
    )
    assert not found - expected
    uncounted = sum(not call.reason and call.estimated for call in calls)
    assert found.total() + uncounted == expected.total()


def test_calls_with_tools_and_images_keep_their_texts_as_far_as_there_are_any(truth):
    calls, _ = read(truth, LogQuery())
    hindered = [call for call in calls if call.hindered]
    assert {call.reason for call in hindered} == set(HINDRANCES)
    assert any(call.prompt and call.reason == "not-text" for call in hindered)


def test_only_what_is_asked_for_is_a_call_and_groups_take_the_values_of_their_keys(truth):
    wanted = Wanted(metadata=lambda pairs: pairs.get("project") == "triage", responses=True)
    calls, tally = read(
        truth, LogQuery(where=Metadata("project") == "triage"), by=("metadata.project", "operation", "model")
    )
    told = Counter(call.reason for call in calls if call.reason) + Counter(tally.skipped)
    assert not truth.disagreements(wanted, skipped=told)
    assert {call.by[0] for call in calls} == {"triage"}
    assert {call.by[1] for call in calls} <= {each.operation for each in truth.records}
    assert all(call.by[2] == call.model for call in calls)


def test_without_a_count_in_the_log_tokens_are_estimated_and_said_to_be(line):
    tally = Tally()
    (call,) = calls_in([line("12345678", "1234", "123456789", usage=None)], LogQuery(), tally)
    assert (call.input_tokens, call.output_tokens, call.estimated) == (3, 3, True)


def test_a_call_without_a_key_or_a_time_still_is_one(line):
    bad = json.loads(line(None, "Hello there", "Good day"))
    bad["timestamp"] = "yesterday"
    (call,) = calls_in([json.dumps(bad).encode()], LogQuery(), Tally(), by=("metadata.project",))
    assert (call.by, call.at) == (("(none)",), None)


@pytest.mark.parametrize("keys", [["project"], ["metadata."], ["model", "model"], [""]])
def test_keys_that_nothing_can_be_grouped_by_are_refused(keys):
    with pytest.raises(SpecError) as refused:
        check_by(keys)
    assert refused.value.field == "by"


def test_spoiled_lines_break_nothing_and_are_counted():
    rng = random.Random(9)
    lines = []
    for each in _made["lines"](2, 3000):
        spoiled = bytearray(each)
        for _ in range(rng.choice((0, 1, 1, 3))):
            spoiled[rng.randrange(len(spoiled))] = rng.choice(b'"{}[]:,\\0nx\xff')
        lines.append(bytes(spoiled))
    tally = Tally()
    calls = list(calls_in(lines, LogQuery(), tally))
    assert tally.scanned == len(lines) == len(calls) + sum(tally.skipped.values())
    assert len({call.reason for call in calls}) > 4


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        "text",
        {"messages": 3, "system": {}},
        {"messages": [None, {"role": "user", "content": [1, {"text": 2}]}]},
    ],
)
def test_a_strange_body_has_no_texts(body):
    assert _texts(_object(body)) == ("", "")


def test_a_call_with_a_tool_has_the_texts_and_tokens_that_the_log_tells(line):
    record = json.loads(line("Be brief.", "Where is it?", "x"))
    record["input"]["inputBodyJson"]["messages"].append(
        {"role": "user", "content": [{"toolResult": {"a": 1}}]}
    )
    record["input"]["inputTokenCount"], record["output"]["outputTokenCount"] = 7, 3
    (call,) = calls_in([json.dumps(record).encode()], LogQuery(), Tally())
    assert (call.reason, call.system, call.prompt) == ("tool-use", "Be brief.", "Where is it?")
    assert (call.input_tokens, call.output_tokens, call.estimated) == (7, 3, False)
