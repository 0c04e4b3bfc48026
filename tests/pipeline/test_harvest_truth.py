"""Thousands of lines in every format and with every fault: exactly the records that are known to be in them."""

from __future__ import annotations

import runpy
from datetime import timedelta
from pathlib import Path

import pytest

from bedrock_distill.catalog import read_model_id
from bedrock_distill.harvest import from_logs, parts
from bedrock_distill.harvest.engines.processes import ProcessEngine
from bedrock_distill.local import Cloud
from bedrock_distill.records.logs import LogQuery, Metadata

_made = runpy.run_path(str(Path(__file__).parent.parent / "logs_truth.py"))
Wanted, make_logs, START = _made["Wanted"], _made["make_logs"], _made["START"]

NOVA = "amazon.nova-pro-v1:0"
BEGIN, END = START + timedelta(hours=1), START + timedelta(hours=2, minutes=10)
PROJECT = Metadata("project")

QUERIES = {
    "prompts": (Wanted(), LogQuery()),
    "pairs": (Wanted(responses=True), LogQuery(responses=True)),
    "conversations": (
        Wanted(responses=True, multi_turn=True),
        LogQuery(responses=True, multi_turn=True),
    ),
    "one project's": (
        Wanted(metadata=lambda said: said.get("project") == "triage", responses=True),
        LogQuery(where=PROJECT == "triage", responses=True),
    ),
    "all but one project's": (
        Wanted(metadata=lambda said: said.get("project") != "triage"),
        LogQuery(where=PROJECT != "triage"),
    ),
    "two conditions'": (
        Wanted(metadata=lambda said: said.get("project") == "triage" and said.get("env") != "dev"),
        LogQuery(where=(PROJECT == "triage") & (Metadata("env") != "dev")),
    ),
    "a model's": (
        Wanted(models=lambda name: read_model_id(name).model == NOVA, responses=True),
        LogQuery(models=(NOVA,), responses=True),
    ),
    "a name's": (Wanted(models=lambda name: name == NOVA), LogQuery(exact_model=NOVA)),
    "an operation's": (
        Wanted(operations=frozenset({"InvokeModelWithResponseStream"}), responses=True),
        LogQuery(operations=("InvokeModelWithResponseStream",), responses=True),
    ),
    "some hours'": (
        Wanted(since=BEGIN, until=END, responses=True),
        LogQuery(since=BEGIN, until=END, responses=True),
    ),
    "long prompts": (
        Wanted(also=lambda each: "length" if len(each.messages[-1][1]) < 200 else None),
        LogQuery(min_chars=200),
    ),
}


@pytest.fixture(scope="module", params=["", "data/", "a b/2020/01/02/03/"])
def truth(request, tmp_path_factory):
    """Logs of half a day, below a prefix that must mislead nobody."""
    return make_logs(
        tmp_path_factory.mktemp("bucket"),
        seed=11,
        records=1500,
        step=timedelta(seconds=25),
        prefix=request.param,
        regions=("us-east-1", "us-west-2"),
    )


@pytest.mark.parametrize(("wanted", "query"), QUERIES.values(), ids=QUERIES)
@pytest.mark.parametrize("distinct", [True, False])
def test_exactly_the_known_records_come_out_and_all_others_are_counted(
    truth, tmp_path, wanted, query, distinct
):
    out = tmp_path / "out.jsonl"
    report = from_logs(truth.folder, out, query=query, distinct=distinct)
    # With a window, objects of other hours are not read, and their lines are counted by nobody.
    pruned = query.since is not None
    wrong = truth.disagreements(
        wanted,
        lines=out.read_bytes().splitlines(),
        skipped=None if pruned else report.tally.skipped,
        by_model=None if distinct else report.tally.by_model_id,
        distinct=distinct,
    )
    assert not wrong, wrong[0]
    assert report.written + report.duplicates == report.matched == len(truth.used(wanted)) > 0
    assert (report.objects_listed < len(truth.objects)) is pruned
    assert pruned or report.tally.scanned == len(truth.records)


@pytest.mark.parametrize("processes", [1, 3])
@pytest.mark.parametrize("name", ["pairs", "one project's"])
def test_processes_find_the_same(truth, tmp_path, monkeypatch, processes, name):
    monkeypatch.setattr(parts, "PART_BYTES", 60_000)
    wanted, query = QUERIES[name]
    report = from_logs(truth.folder, tmp_path / "out.jsonl", query=query, engine=ProcessEngine(processes))
    lines = (tmp_path / "out.jsonl").read_bytes().splitlines()
    wrong = truth.disagreements(wanted, lines=lines, skipped=report.tally.skipped, distinct=True)
    assert not wrong, wrong[0]


def test_s3_holds_the_same(truth, tmp_path):
    with Cloud() as cloud:
        cloud.bucket(truth.bucket)
        s3 = cloud.boto3_session().client("s3")
        for path in truth.folder.rglob("*"):
            if path.is_file():
                key = path.relative_to(truth.folder).as_posix()
                s3.put_object(Bucket=truth.bucket, Key=key, Body=path.read_bytes())
        clients = cloud.session().clients
        for name, (wanted, query) in QUERIES.items():
            out = tmp_path / f"{name}.jsonl"
            from_logs(f"s3://{truth.bucket}/", out, query=query, clients=clients)
            wrong = truth.disagreements(wanted, lines=out.read_bytes().splitlines(), distinct=True)
            assert not wrong, (name, wrong[0])


def test_damaged_objects_give_what_can_be_read_and_are_told(tmp_path):
    truth = make_logs(tmp_path / "bucket", seed=5, records=300, damaged=True)
    report = from_logs(truth.folder, tmp_path / "out.jsonl", distinct=False)
    assert sorted(each.name for each in report.tally.broken) == sorted(truth.damaged)
    lines = (tmp_path / "out.jsonl").read_bytes().splitlines()
    whole = iter(lines)
    assert all(line in whole for line in truth.lines()), "every record of a whole object, in order"
    assert len(truth.lines()) < len(lines) <= len(truth.lines()) + 60
