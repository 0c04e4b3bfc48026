"""`data from-logs` as a command: what it is told, what it says, and what it refuses."""

from __future__ import annotations

import gzip
import json

import pytest

from bedrock_distill.cli.main import main

WORDS = "the parcel with my new lamp came to the wrong house and nobody there wants to give it back to me or say why"


def line(prompt):
    record = {
        "schemaType": "ModelInvocationLog",
        "timestamp": "2026-11-01T05:00:00Z",
        "operation": "Converse",
        "modelId": "amazon.nova-pro-v1:0",
        "input": {"inputBodyJson": {"messages": [{"role": "user", "content": [{"text": prompt}]}]}},
    }
    return json.dumps(record).encode() + b"\n"


@pytest.fixture
def source(tmp_path):
    long = f"{WORDS}, {WORDS[::-1]}"
    folder = tmp_path / "AWSLogs/123456789012/BedrockModelInvocationLogs/us-east-1/2026/11/01/05"
    folder.mkdir(parents=True)
    for number, prompt in enumerate([long, long.upper(), "Where is my refund?", long, WORDS]):
        (folder / f"20261101T050000000Z_{number:016x}.json.gz").write_bytes(gzip.compress(line(prompt)))
    return tmp_path / "AWSLogs"


@pytest.fixture
def run(capsys):
    """Run a command; gives exit code, stdout and stderr."""

    def run(*words):
        with pytest.raises(SystemExit) as left:
            main(list(map(str, words)))
        told = capsys.readouterr()
        return left.value.code or 0, told.out, told.err

    return run


def test_near_duplicates_are_left_out_where_that_is_asked_for(run, source, tmp_path):
    out = tmp_path / "out.jsonl"
    common = ("data", "from-logs", source, "--out", out, "--processes", 1)
    code, told, _ = run(*common, "--output", "json")
    assert (code, json.loads(told)["written"]) == (0, 4)
    code, told, _ = run(*common, "--near-duplicates", "--output", "json")
    report = json.loads(told)
    assert (report["written"], report["duplicates"], report["skipped"]) == (3, 1, {"near-duplicate": 1})
    assert len(out.read_bytes().splitlines()) == 3
    code, told, _ = run(*common, "--near-duplicates", "--max", 3)
    assert code == 0
    assert "Wrote 3 records" in told


def test_the_reason_is_told_in_words(run, source, tmp_path):
    code, told, _ = run(
        "data", "from-logs", source, "--out", tmp_path / "out.jsonl", "--processes", 1, "--near-duplicates"
    )
    assert code == 0
    assert "near-duplicate: nearly the prompt of a record before" in told
    assert "Left out 1 whose prompt came before." in told


def test_keeping_repeats_and_leaving_out_what_is_nearly_one_is_refused(run, source, tmp_path):
    out = tmp_path / "out.jsonl"
    code, _, err = run("data", "from-logs", source, "--out", out, "--keep-duplicates", "--near-duplicates")
    assert code == 2
    assert "contradict each other" in err
    assert not out.exists()
