"""Logs on a disk to a file of records: exactly what is wanted, once each, in order, whatever is damaged beside it."""

from __future__ import annotations

import gzip
import itertools
import json
import os
from datetime import UTC, datetime, timedelta

import pytest

from bedrock_distill.errors import BedrockDistillError, DataError, SpecError
from bedrock_distill.harvest import count_logs, from_logs, parts
from bedrock_distill.harvest.engines.processes import ProcessEngine, SerialEngine
from bedrock_distill.harvest.parts import visit_order
from bedrock_distill.harvest.sources import LocalLogs
from bedrock_distill.records.logs import LogQuery, Metadata

WITH_ANSWERS = LogQuery(responses=True)


def short(record):
    """A filter that another process can import."""
    return len(record.prompt_text) < 12


def test_every_record_comes_once_in_order_and_every_other_line_is_counted(logs, tmp_path):
    lines = [
        logs.line("One?", "1", requestMetadata={"project": "triage"}),
        logs.line("Two?", "2", requestMetadata={"project": "other"}),
        logs.line("One?", "again", requestMetadata={"project": "triage"}),
        b"{broken",
        b"",
        logs.line("Late?", "3", requestMetadata={"project": "triage"}, errorCode="ThrottlingException"),
    ]
    more = [logs.line("Three?", "3", requestMetadata={"project": "triage"})]
    source = logs.put(tmp_path / "logs", {logs.key(1): logs.packed(*lines), logs.key(0): logs.packed(*more)})
    out = tmp_path / "made/records.jsonl"
    report = from_logs(source, out, query=LogQuery(where=Metadata("project") == "triage", responses=True))
    assert logs.read(out) == [logs.record("Three?", "3"), logs.record("One?", "1")]
    told = report.to_dict()
    assert {name: told[name] for name in ("scanned", "matched", "written", "duplicates", "skipped")} == {
        "scanned": 6,
        "matched": 3,
        "written": 2,
        "duplicates": 1,
        "skipped": {"broken-line": 1, "failed-call": 1, "not-selected": 1},
    }
    assert (told["objects"], told["objects_listed"], told["complete"]) == (2, 2, True)
    assert told["bytes_read"] == sum(path.stat().st_size for path in source.rglob("*.gz"))
    assert json.loads(json.dumps(told)) == told
    assert sorted(path.name for path in out.parent.iterdir()) == ["records.jsonl"], "no work is left behind"


def test_repeats_stay_where_they_are_wanted(logs, tmp_path):
    source = logs.put(tmp_path / "logs", logs.many(3, 4))
    report = from_logs(source, tmp_path / "all.jsonl", distinct=False)
    assert (report.written, report.duplicates, report.matched) == (12, 0, 12)
    report = from_logs(source, tmp_path / "once.jsonl")
    assert (report.written, report.duplicates) == (6, 6)
    assert len({json.dumps(each) for each in logs.read(tmp_path / "once.jsonl")}) == 6


@pytest.mark.parametrize("size", [1, 700, 1 << 30])
def test_the_size_of_parts_changes_nothing(logs, tmp_path, monkeypatch, size):
    source, done = logs.put(tmp_path / "logs", logs.many()), []
    plain = from_logs(source, tmp_path / "plain.jsonl", query=WITH_ANSWERS)
    monkeypatch.setattr(parts, "PART_BYTES", size)
    report = from_logs(source, tmp_path / "out.jsonl", query=WITH_ANSWERS, on_part=done.append)
    assert (tmp_path / "out.jsonl").read_bytes() == (tmp_path / "plain.jsonl").read_bytes()
    assert report.tally == plain.tally
    assert (len(done) == 12) == (size == 1)
    assert [receipt.number for receipt in done] == list(range(len(done)))


@pytest.mark.parametrize("processes", [1, 2, 3])
@pytest.mark.parametrize("max_records", [None, 20])
def test_processes_write_the_bytes_of_one(logs, tmp_path, monkeypatch, processes, max_records):
    monkeypatch.setattr(parts, "PART_BYTES", 400)
    source = logs.put(tmp_path / "logs", logs.many())
    settings = {"query": WITH_ANSWERS, "max_records": max_records, "predicate": short}
    alone = from_logs(source, tmp_path / "alone.jsonl", **settings)
    report = from_logs(source, tmp_path / "out.jsonl", engine=ProcessEngine(processes), **settings)
    assert (tmp_path / "out.jsonl").read_bytes() == (tmp_path / "alone.jsonl").read_bytes()
    assert (report.tally, report.written) == (alone.tally, alone.written)
    assert report.tally.skipped["predicate"] > 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alone.jsonl", "logs", "out.jsonl"]


@pytest.mark.parametrize("most", [1, 7, 20])
@pytest.mark.parametrize("size", [1, 900, 1 << 30])
def test_a_sample_is_the_first_records_of_objects_in_the_order_of_a_seed(
    logs, tmp_path, monkeypatch, most, size
):
    monkeypatch.setattr(parts, "PART_BYTES", size)
    source = logs.put(tmp_path / "logs", logs.many())
    report = from_logs(source, tmp_path / "out.jsonl", max_records=most, seed=3)
    wanted, objects = [], visit_order(LocalLogs(source).list(), 3)
    for item in objects:
        for line in gzip.decompress((source / item.name).read_bytes()).splitlines():
            turn = json.loads(line)["input"]["inputBodyJson"]["messages"][0]["content"][0]["text"]
            wanted += [] if turn in wanted else [turn]
    assert logs.read(tmp_path / "out.jsonl") == [logs.record(turn) for turn in wanted[:most]]
    assert report.written == most
    assert report.complete is (report.tally.objects == 12)
    if size == 1:  # an object a part: nothing is read beyond the object that made it enough
        names = {each: set() for each in range(len(objects) + 1)}
        for count, item in enumerate(objects, 1):
            data = gzip.decompress((source / item.name).read_bytes()).decode()
            names[count] = names[count - 1] | {turn for turn in wanted if f'"{turn}"' in data}
        assert report.tally.objects == next(count for count in names if len(names[count]) >= most)


def test_a_sample_repeats_by_its_seed_and_another_seed_takes_others(logs, tmp_path):
    source = logs.put(tmp_path / "logs", logs.many(40, 3))
    made = {}
    for seed, again in itertools.product((0, 1, 2), "ab"):
        out = tmp_path / f"{seed}{again}.jsonl"
        from_logs(source, out, max_records=9, seed=seed)
        made[seed, again] = out.read_bytes()
    assert all(made[seed, "a"] == made[seed, "b"] for seed in (0, 1, 2))
    assert len(set(made.values())) == 3


def test_a_maximum_above_what_there_is_takes_all(logs, tmp_path):
    source = logs.put(tmp_path / "logs", logs.many(3, 4))
    report = from_logs(source, tmp_path / "out.jsonl", max_records=1000)
    assert (report.written, report.complete, report.duplicates) == (6, True, 6)


@pytest.mark.parametrize("most", [0, -1])
def test_a_maximum_below_one_is_refused(logs, tmp_path, most):
    with pytest.raises(SpecError, match="at least 1") as caught:
        from_logs(tmp_path, tmp_path / "out.jsonl", max_records=most)
    assert caught.value.field == "max_records"


AT = datetime(2026, 11, 1, 5, tzinfo=UTC)


@pytest.mark.parametrize("zone", [UTC, None])
def test_a_time_window_reads_the_hours_near_it_and_takes_the_records_in_it(logs, tmp_path, zone):
    tree = {}
    for hour in range(13):
        # Delivered late: an object's key may name another hour than its records.
        at = f"2026-11-01T05:{hour:02}:00Z"
        tree[logs.key(hour, hour=hour)] = logs.packed(
            logs.line(f"In {hour}", at=at), logs.line("Out", at="2026-11-01T06:00:00Z")
        )
    tree[logs.key(99, day="2026/10/01")] = logs.packed(logs.line("Never read", at="2026-11-01T05:00:00Z"))
    source = logs.put(tmp_path / "logs", tree)
    begin = AT.replace(tzinfo=zone)
    query = LogQuery(since=begin, until=begin + timedelta(hours=1))
    report = from_logs(source, tmp_path / "out.jsonl", query=query)
    near = range(3, 8)  # two hours on either side
    assert [each["messages"][0]["content"][0]["text"] for each in logs.read(tmp_path / "out.jsonl")] == [
        f"In {hour}" for hour in near
    ]
    assert (report.objects_listed, report.tally.skipped) == (5, {"not-selected": 5})


def overflow_line(logs, path, name):
    return logs.line("x", input={"inputBodyS3Path": f"s3://acme-logs/traffic/{path}"}, requestId=name)


@pytest.mark.parametrize(
    "below", ["", "AWSLogs/123456789012", "AWSLogs/123456789012/BedrockModelInvocationLogs/us-east-1/2026"]
)
def test_bodies_of_their_own_are_found_from_any_folder_of_a_copy(logs, tmp_path, below):
    key, folder = logs.key(1), logs.key(1).rpartition("/")[0] + "/data"
    body = json.dumps({"messages": [{"role": "user", "content": [{"text": "Long?"}]}]}).encode()
    lines = [
        overflow_line(logs, f"{folder}/a_input.json.gz", "a"),
        overflow_line(logs, f"{folder}/lost_input.json.gz", "b"),
        overflow_line(logs, f"{folder}/damaged_input.json.gz", "c"),
    ]
    logs.put(
        tmp_path / "logs",
        {
            key: logs.packed(*lines),
            f"{folder}/a_input.json.gz": gzip.compress(body),
            f"{folder}/damaged_input.json.gz": gzip.compress(body)[:-9],
        },
    )
    report = from_logs(tmp_path / "logs" / below, tmp_path / "out.jsonl")
    assert logs.read(tmp_path / "out.jsonl") == [logs.record("Long?")]
    assert (report.tally.scanned, report.tally.skipped) == (3, {"no-body": 2})


@pytest.mark.parametrize(
    "path",
    [
        "",
        "nowhere",
        "s3://",
        "s3://UPPER/AWSLogs/x",
        "file:///etc/passwd",
        "AWSLogs/../secret.json",
        "AWSLogs/../../secret.json",
    ],
)
def test_a_path_that_leads_out_of_the_logs_is_not_followed(logs, tmp_path, path):
    secret = json.dumps({"messages": [{"role": "user", "content": [{"text": "Secret"}]}]}).encode()
    line = logs.line("x", input={"inputBodyS3Path": path})
    source = logs.put(
        tmp_path / "logs",
        {"AWSLogs/one.json.gz": logs.packed(line), "secret.json": secret},
    )
    (tmp_path / "secret.json").write_bytes(secret)
    report = from_logs(source / "AWSLogs/one.json.gz", tmp_path / "out.jsonl")
    assert (report.written, report.tally.skipped) == (0, {"no-body": 1})


def test_damaged_objects_are_told_and_what_came_before_is_kept(logs, tmp_path):
    good = logs.packed(*(logs.line(f"Good {number}") for number in range(3)))
    long = logs.packed(*(logs.line(f"Cut {os.urandom(3000).hex()}") for _ in range(40)))
    tree = {
        logs.key(1): good,
        logs.key(2): long[: len(long) // 2],
        logs.key(3): b"\x1f\x8b not gzip after all",
        logs.key(4): b"",
        logs.key(5): gzip.decompress(good).replace(b"Good", b"Plain"),
        logs.key(6): good[:-1].replace(b"\n", b"\n"),
        logs.key(7): logs.packed(logs.line("Last")),
    }
    report = from_logs(logs.put(tmp_path / "logs", tree), tmp_path / "out.jsonl")
    prompts = [each["messages"][0]["content"][0]["text"] for each in logs.read(tmp_path / "out.jsonl")]
    assert [name for name in prompts if "Cut" not in name] == [
        *(f"Good {n}" for n in range(3)),
        *(f"Plain {n}" for n in range(3)),
        "Last",
    ]
    assert 5 < sum("Cut" in name for name in prompts) < 35
    broken = report.to_dict()["broken_objects"]
    assert [each["name"] for each in broken] == [logs.key(2), logs.key(3), logs.key(6)]
    assert all("gzip stream is broken" in each["reason"] for each in broken)
    assert report.tally.objects == report.objects_listed == 7
    assert report.complete


def test_a_source_of_one_damaged_file_is_told_by_its_name(logs, tmp_path):
    path = tmp_path / "one.json.gz"
    path.write_bytes(logs.packed(logs.line("One"))[:-4])
    report = from_logs(path, tmp_path / "out.jsonl")
    assert [each.name for each in report.tally.broken] == [str(path)]
    assert report.written == 1


def test_what_is_no_log_is_not_read(logs, tmp_path):
    folder = logs.key(1).rpartition("/")[0]
    tree = {
        logs.key(1): logs.packed(logs.line("One")),
        f"{folder}/data/x_input.json.gz": logs.packed(logs.line("No")),
        "AWSLogs/123456789012/BedrockModelInvocationLogs/amazon-bedrock-logs-permission-check": b"",
    }
    source = logs.put(tmp_path / "data", tree)
    assert from_logs(source, tmp_path / "out.jsonl").to_dict()["objects_listed"] == 1
    # The folder's own name is none of Bedrock's.
    assert from_logs(source.parent, tmp_path / "out2.jsonl").written >= 1


@pytest.mark.parametrize("max_records", [None, 5])
def test_an_empty_source_makes_an_empty_file(logs, tmp_path, max_records):
    (tmp_path / "logs").mkdir()
    report = from_logs(tmp_path / "logs", tmp_path / "out.jsonl", max_records=max_records)
    assert (tmp_path / "out.jsonl").read_bytes() == b""
    assert (report.written, report.objects_listed, report.complete) == (0, 0, True)


def test_a_single_file_is_a_source_packed_or_not(logs, tmp_path):
    for name, data in (("a.json.gz", logs.packed(logs.line("One"))), ("b.jsonl", logs.line("One"))):
        (tmp_path / name).write_bytes(data)
        assert from_logs(tmp_path / name, tmp_path / "out.jsonl").written == 1
        assert logs.read(tmp_path / "out.jsonl") == [logs.record("One")]


@pytest.mark.parametrize("max_records", [None, 5])
def test_a_missing_source_is_refused_by_name(tmp_path, max_records):
    with pytest.raises(DataError, match="no such file or directory") as caught:
        from_logs(tmp_path / "nowhere", tmp_path / "out.jsonl", max_records=max_records)
    assert str(tmp_path / "nowhere") in str(caught.value)


def test_logs_on_s3_need_a_session(tmp_path):
    with pytest.raises(SpecError, match="give a session"):
        from_logs("s3://acme-logs/", tmp_path / "out.jsonl")


@pytest.mark.parametrize("max_records", [None, 5])
def test_an_out_that_cannot_be_written_is_refused_by_name(logs, tmp_path, max_records):
    source = logs.put(tmp_path / "logs", logs.many(2))
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/kept").write_bytes(b"kept")
    for out in (tmp_path / "file/out.jsonl", tmp_path / "folder"):
        with pytest.raises(DataError, match="Could not write") as caught:
            from_logs(source, out, max_records=max_records)
        assert str(tmp_path / out.name) in str(caught.value) or out.name in str(caught.value)
    assert (tmp_path / "folder/kept").read_bytes() == b"kept"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("which", ["file", "folder"])
def test_a_file_or_folder_that_may_not_be_read_ends_the_harvest(logs, tmp_path, which):
    source = logs.put(tmp_path / "logs", logs.many(2))
    path = source / logs.key(1, hour=1)
    closed = path if which == "file" else path.parent
    mode = closed.stat().st_mode
    closed.chmod(0)
    try:
        with pytest.raises(DataError, match="Could not read"):
            from_logs(source, tmp_path / "out.jsonl")
    finally:
        closed.chmod(mode)  # so that the test's folder can be removed


def test_an_old_file_stays_until_the_new_one_is_whole(logs, tmp_path):
    source, out = logs.put(tmp_path / "logs", logs.many(4)), tmp_path / "out.jsonl"
    out.write_bytes(b"old")

    def fail(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        from_logs(source, out, on_part=fail)
    assert out.read_bytes() == b"old"
    from_logs(source, out)
    assert len(logs.read(out)) > 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["logs", "out.jsonl"]


def test_an_error_of_a_part_is_the_callers_from_any_engine(logs, tmp_path):
    source = logs.put(tmp_path / "logs", logs.many(2))
    (tmp_path / "work").write_bytes(b"a file where a folder should be")
    for engine in (None, SerialEngine(), ProcessEngine(2)):
        with pytest.raises(BedrockDistillError, match="Could not"):
            from_logs(source, tmp_path / "out.jsonl", engine=engine, work=str(tmp_path / "work"))


def test_progress_is_told(logs, tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "PART_BYTES", 1)
    source, sizes, done = logs.put(tmp_path / "logs", logs.many(5)), [], []
    report = from_logs(source, tmp_path / "out.jsonl", on_listed=sizes.append, on_part=done.append)
    assert sizes == [report.tally.bytes_read] == [sum(each.tally.bytes_read for each in done)]


def test_counting_tells_prompts_and_pairs_by_the_name_of_the_model(logs, tmp_path):
    profile = "us.amazon.nova-pro-v1:0"
    lines = [
        logs.line("One", requestMetadata={"project": "triage"}),
        logs.line("One", requestMetadata={"project": "triage"}),
        logs.line("Two", modelId=profile, requestMetadata={"project": "triage"}),
        logs.line("Three", "", requestMetadata={"project": "triage"}),
        logs.line("Four"),
        b"{",
    ]
    source = logs.put(tmp_path / "logs", {logs.key(1): logs.packed(*lines)})
    count = count_logs(source, where=Metadata("project") == "triage")
    assert count.prompts == 4
    assert (count.pairs_of("amazon.nova-pro-v1:0"), count.pairs_of(profile)) == (2, 1)
    assert count.others_of("amazon.nova-pro-v1:0") == {profile: 1}
    without = count_logs(source, where=Metadata("project") == "triage", responses=False)
    assert (without.prompts, without.pairs) == (4, {})
