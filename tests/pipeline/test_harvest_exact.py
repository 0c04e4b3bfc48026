"""Logs on S3 give the bytes of their copy on a disk, by every road to them, and say what is wrong with them."""

from __future__ import annotations

import functools
import gzip
import json
from datetime import UTC, datetime, timedelta

import pytest

from bedrock_distill.aws import Clients, fast_objects
from bedrock_distill.errors import AccessDeniedError, NotFoundError, ServiceError, SpecError
from bedrock_distill.harvest import count_logs, from_logs, parts
from bedrock_distill.harvest import s3 as harvest_s3
from bedrock_distill.harvest.engines.processes import ProcessEngine
from bedrock_distill.local import Cloud
from bedrock_distill.local.faults import Fault
from bedrock_distill.records.logs import LogQuery, Metadata

ROOT = "AWSLogs/123456789012/BedrockModelInvocationLogs/us-east-1"
QUERY = LogQuery(where=Metadata("project") == "triage", responses=True)


def line(prompt, answer="So.", *, at="2026-11-01T05:00:00Z", **changes):
    said = {"message": {"role": "assistant", "content": [{"text": answer}]}}
    record = {
        "schemaType": "ModelInvocationLog",
        "timestamp": at,
        "operation": "Converse",
        "modelId": "amazon.nova-pro-v1:0",
        "input": {"inputBodyJson": {"messages": [{"role": "user", "content": [{"text": prompt}]}]}},
        "output": {"outputBodyJson": {"output": said, "stopReason": "end_turn"}},
        "requestMetadata": {"project": "triage"},
    }
    return json.dumps(record | changes, separators=(",", ":")).encode() + b"\n"


def key(number, *, day="2026/11/01", hour=5):
    return f"{ROOT}/{day}/{hour:02}/20261101T050000000Z_{number:016x}.json.gz"


def record(prompt, answer):
    turns = [("user", prompt), ("assistant", answer)]
    return {
        "schemaVersion": "bedrock-conversation-2024",
        "messages": [{"role": role, "content": [{"text": text}]} for role, text in turns],
    }


def read(path):
    return [json.loads(each) for each in path.read_bytes().splitlines()]


@pytest.fixture(scope="module")
def tree():
    """Objects with repeats, other projects, bodies of their own, damage, and what is no log."""
    objects = {}
    for number in range(20):
        lines = [line(f"Question {number * at % 30}?", f"Answer {number}.{at}") for at in range(6)]
        lines.append(line("Elsewhere?", requestMetadata={"project": "other"}))
        objects[key(number, hour=number)] = gzip.compress(b"".join(lines))
    folder = f"{ROOT}/2026/11/01/05/data"
    paths = {name: f"s3://acme-logs/traffic/{folder}/{name}.json.gz" for name in ("there", "lost", "cut")}
    body = json.dumps({"messages": [{"role": "user", "content": [{"text": "Long?"}]}]}).encode()
    objects[f"{folder}/there.json.gz"] = gzip.compress(body)
    objects[f"{folder}/cut.json.gz"] = gzip.compress(body)[:-5]
    odd = [line("x", input={"inputBodyS3Path": path}) for path in (*paths.values(), "nowhere", "s3://Bad/x")]
    objects[key(77)] = gzip.compress(b"".join(odd))
    cut = b"".join(line(f"Cut {number}?") for number in range(9))
    objects[key(78)] = gzip.compress(cut)[:-6]
    objects[key(79)] = b"\x1f\x8b\x08 no gzip"
    objects[f"{ROOT.rpartition('/')[0]}/amazon-bedrock-logs-permission-check"] = b""
    return objects


@pytest.fixture
def copy(tree, tmp_path):
    """The tree on a disk."""
    root = tmp_path / "traffic"
    for name, data in tree.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


@pytest.fixture
def cloud():
    with Cloud() as cloud:
        cloud.bucket("acme-logs")
        yield cloud


@pytest.fixture
def put(cloud):
    client = cloud.boto3_session().client("s3")

    def upload(tree, prefix="traffic/"):
        for name, data in tree.items():
            client.put_object(Bucket="acme-logs", Key=prefix + name, Body=data)

    return upload


@pytest.fixture
def clients(cloud):
    return cloud.session().clients


@pytest.fixture
def filled(put, tree, clients):
    """The gate to a cloud that holds the tree."""
    put(tree)
    return clients


@pytest.fixture
def gate(cloud, filled, monkeypatch):
    """A gate that other processes can make again: it leads to the same cloud by HTTP."""
    with cloud.serve() as server:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "any")
        yield Clients(region="us-east-1", endpoint_url=server.url)


def told(report):
    """What a report says, but for places and time."""
    return {
        name: value for name, value in report.to_dict().items() if name not in {"source", "out", "seconds"}
    }


def test_a_disk_gives_exactly_the_wanted_records_and_counts(copy, tmp_path):
    report = from_logs(copy, tmp_path / "out.jsonl", query=QUERY)
    wanted, matched = {}, 0
    for number in range(20):
        answers = [(f"Question {number * at % 30}?", f"Answer {number}.{at}") for at in range(6)]
        if number == 5:  # the odd ones lie in the same hour, after it
            answers += [("Long?", "So."), *((f"Cut {at}?", "So.") for at in range(9))]
        matched += len(answers)
        for prompt, answer in answers:
            wanted.setdefault(prompt, answer)
    assert read(tmp_path / "out.jsonl") == [record(*pair) for pair in wanted.items()]
    assert (report.matched, report.written) == (matched, len(wanted))
    assert report.tally.skipped == {"not-selected": 20, "no-body": 4}
    assert report.tally.scanned == matched + 24
    assert [each.name for each in report.tally.broken] == [key(78), key(79)]
    assert (report.objects_listed, report.complete) == (23, True)


@pytest.mark.parametrize("source", ["s3://acme-logs/traffic", "s3://acme-logs/traffic/"])
@pytest.mark.parametrize(
    "settings", [{}, {"max_records": 17}, {"max_records": 17, "seed": 4}, {"distinct": False}]
)
def test_s3_gives_the_bytes_and_the_counts_of_its_copy(filled, put, copy, source, settings):
    tmp_path = copy.parent
    put({key(1): gzip.compress(line("A neighbour"))}, "traffic-of-others/")
    here = from_logs(copy, tmp_path / "here.jsonl", query=QUERY, **settings)
    there = from_logs(source, tmp_path / "there.jsonl", query=QUERY, clients=filled, **settings)
    assert (tmp_path / "there.jsonl").read_bytes() == (tmp_path / "here.jsonl").read_bytes()
    assert told(there) == told(here)


@pytest.mark.parametrize("prefix", ["", "data/", "lake/2020/01/02/03/", "a b/é+%/"])
def test_any_prefix_of_a_bucket_will_do(put, clients, tmp_path, prefix):
    put({key(1): gzip.compress(line("One?")), f"{ROOT}/2026/11/01/05/data/x_input.json.gz": b"{}"}, prefix)
    window = LogQuery(since=datetime(2026, 11, 1, tzinfo=UTC), responses=True)
    for query in (QUERY, window):
        report = from_logs(f"s3://acme-logs/{prefix}", tmp_path / "out.jsonl", query=query, clients=clients)
        assert read(tmp_path / "out.jsonl") == [record("One?", "So.")]
        assert report.objects_listed == 1


def test_a_single_object_is_a_source(filled, tmp_path):
    for name, broken in ((key(1, hour=1), []), (key(78), [f"s3://acme-logs/traffic/{key(78)}"])):
        report = from_logs(f"s3://acme-logs/traffic/{name}", tmp_path / "out.jsonl", clients=filled)
        assert (report.tally.objects, report.written > 0) == (1, True)
        assert [each.name for each in report.tally.broken] == broken


AT = datetime(2026, 11, 1, 5, tzinfo=UTC)


@pytest.mark.parametrize("zone", [UTC, None])
@pytest.mark.parametrize("days", [0, 31])
def test_a_time_window_lists_and_reads_only_the_hours_near_it(put, clients, tmp_path, zone, days):
    tree = {"loose.json.gz": gzip.compress(line("Loose?")), f"{ROOT}/loose.json": line("Loose, too?")}
    for day in ("2025/11/01", "2026/10/31", "2026/11/01", "2026/11/02", "2026/12/01"):
        for hour in range(0, 24, 3):
            at = f"{day.replace('/', '-')}T{hour:02}:30:00Z"
            tree[key(1, day=day, hour=hour)] = gzip.compress(line(f"At {at}", at=at) + line("Late?"))
    put(tree)
    for name, data in tree.items():
        (tmp_path / "logs" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "logs" / name).write_bytes(data)
    begin = AT.replace(tzinfo=zone)
    query = LogQuery(since=begin, until=begin + timedelta(days=days, hours=1))
    here = from_logs(tmp_path / "logs", tmp_path / "here.jsonl", query=query)
    there = from_logs("s3://acme-logs/traffic", tmp_path / "there.jsonl", query=query, clients=clients)
    assert (tmp_path / "there.jsonl").read_bytes() == (tmp_path / "here.jsonl").read_bytes()
    assert told(there) == told(here)
    assert there.objects_listed == (4 if days == 0 else 2 + 7 + 8 + 8)
    names = [each["messages"][0]["content"][0]["text"] for each in read(tmp_path / "there.jsonl")]
    assert {"Loose?", "Loose, too?", "Late?"} <= set(names)
    assert sum(name.startswith("At 2026") for name in names) == (0 if days == 0 else 6 + 8 + 8)


@pytest.mark.slow
def test_thousands_of_objects_are_listed_page_after_page(put, clients, tmp_path):
    put({key(number): line(f"Question {number}?") for number in range(3100)})
    report = from_logs("s3://acme-logs/traffic/", tmp_path / "out.jsonl", query=QUERY, clients=clients)
    assert [each["messages"][0]["content"][0]["text"] for each in read(tmp_path / "out.jsonl")] == [
        f"Question {number}?" for number in range(3100)
    ]
    assert (report.tally.objects, report.objects_listed, report.tally.skipped) == (3100, 3100, {})


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("max_records", [None, 25])
def test_a_served_cloud_gives_the_same_by_boto3_and_by_obstore(gate, copy, fast, max_records, monkeypatch):
    if fast:
        pytest.importorskip("obstore")
    reader = functools.partial(fast_objects.object_reader, fast=fast)
    monkeypatch.setattr(harvest_s3, "object_reader", reader)
    here, there = copy.with_name("here.jsonl"), copy.with_name("there.jsonl")
    settings = {"query": QUERY, "max_records": max_records}
    from_logs(copy, here, **settings)
    from_logs("s3://acme-logs/traffic/", there, clients=gate, **settings)
    assert there.read_bytes() == here.read_bytes()


@pytest.mark.parametrize("max_records", [None, 25])
def test_processes_that_ask_a_served_cloud_write_the_bytes_of_a_disk(gate, copy, monkeypatch, max_records):
    monkeypatch.setattr(parts, "PART_BYTES", 2000)
    here, there = copy.with_name("here.jsonl"), copy.with_name("there.jsonl")
    settings = {"query": QUERY, "max_records": max_records}
    alone = from_logs(copy, here, **settings)
    shared = from_logs("s3://acme-logs/traffic/", there, clients=gate, engine=ProcessEngine(2), **settings)
    assert there.read_bytes() == here.read_bytes()
    assert told(shared) == told(alone)


def test_processes_cannot_take_a_session_that_was_handed_in(clients, tmp_path):
    with pytest.raises(SpecError, match="leave the engine out") as caught:
        from_logs("s3://acme-logs/", tmp_path / "out.jsonl", clients=clients, engine=ProcessEngine(2))
    assert caught.value.field == "engine"


@pytest.mark.parametrize("operation", ["ListObjectsV2", "GetObject"])
@pytest.mark.parametrize("max_records", [None, 5])
def test_a_refusal_of_s3_ends_the_harvest_and_leaves_no_file(cloud, filled, tmp_path, operation, max_records):
    cloud.faults.add(Fault(operation=operation, code="AccessDenied", status=403))
    out = tmp_path / "out.jsonl"
    with pytest.raises(AccessDeniedError, match="acme-logs") as caught:
        from_logs("s3://acme-logs/traffic/", out, clients=filled, max_records=max_records)
    assert caught.value.operation == operation
    assert not out.exists()


def test_a_refused_body_of_its_own_is_no_lost_one(cloud, filled, tmp_path):
    cloud.faults.add(Fault(operation="GetObject", resource="*/data/*", code="AccessDenied", status=403))
    with pytest.raises(AccessDeniedError):
        from_logs("s3://acme-logs/traffic/", tmp_path / "out.jsonl", clients=filled)


def test_a_refusal_can_be_mended_and_the_harvest_goes_on(cloud, filled, copy, monkeypatch):
    tmp_path = copy.parent
    monkeypatch.setattr(parts, "PART_BYTES", 1)
    from_logs(copy, tmp_path / "here.jsonl", query=QUERY)
    settings = {"query": QUERY, "clients": filled}
    fault = cloud.faults.add(
        Fault(operation="GetObject", resource=f"*{key(9, hour=9)}", code="AccessDenied", status=403)
    )
    out = tmp_path / "out.jsonl"
    with pytest.raises(AccessDeniedError):
        from_logs("s3://acme-logs/traffic/", out, **settings)
    done = {path.name: path.stat().st_mtime_ns for path in (tmp_path / ".out.jsonl.parts").glob("*.json")}
    assert done
    cloud.faults.remove(fault)
    seen = []

    def look(receipt):
        path = tmp_path / f".out.jsonl.parts/part-{receipt.number:06}.json"
        seen.append((path.name, path.stat().st_mtime_ns))

    from_logs("s3://acme-logs/traffic/", out, **settings, on_part=look)
    assert done.items() <= dict(seen).items(), "what was done is not done again"
    assert out.read_bytes() == (tmp_path / "here.jsonl").read_bytes()


def test_throttling_is_waited_out(cloud, filled, copy, tmp_path):
    cloud.faults.add(Fault(service="s3", operation="GetObject", every=3, code="SlowDown", status=503))
    from_logs(copy, tmp_path / "here.jsonl", query=QUERY)
    from_logs("s3://acme-logs/traffic/", tmp_path / "there.jsonl", query=QUERY, clients=filled)
    assert (tmp_path / "there.jsonl").read_bytes() == (tmp_path / "here.jsonl").read_bytes()


def test_a_bucket_or_prefix_without_logs(clients, tmp_path):
    report = from_logs("s3://acme-logs/nothing/", tmp_path / "out.jsonl", clients=clients)
    assert (report.written, report.objects_listed, report.complete) == (0, 0, True)
    assert (tmp_path / "out.jsonl").read_bytes() == b""
    with pytest.raises((NotFoundError, ServiceError), match="nowhere"):
        from_logs("s3://nowhere/", tmp_path / "other.jsonl", clients=clients)
    with pytest.raises(SpecError, match="not an S3 URI"):
        from_logs("s3:acme-logs", tmp_path / "other.jsonl", clients=clients)
    assert not (tmp_path / "other.jsonl").exists()


class StopError(Exception):
    """Raised where a test ends a harvest early."""


def test_a_work_prefix_is_found_again_and_keeps_what_is_not_ours(cloud, filled, put, copy, monkeypatch):
    tmp_path = copy.parent
    monkeypatch.setattr(parts, "PART_BYTES", 1)
    put({"notes.txt": b"mine", "part-1.json": b"mine"}, "work/")
    from_logs(copy, tmp_path / "here.jsonl", query=QUERY)
    settings = {"query": QUERY, "clients": filled, "work": "s3://acme-logs/work/"}

    def stop(receipt):
        if receipt.number == 4:
            raise StopError

    with pytest.raises(StopError):
        from_logs("s3://acme-logs/traffic/", tmp_path / "out.jsonl", **settings, on_part=stop)
    s3 = cloud.boto3_session().client("s3")

    def left():
        found = s3.list_objects_v2(Bucket="acme-logs", Prefix="work/")["Contents"]
        return {item["Key"].removeprefix("work/"): item["LastModified"] for item in found}

    before, states = left(), []
    assert len(before) == 2 + 3 * 5
    from_logs(
        "s3://acme-logs/traffic/", tmp_path / "out.jsonl", **settings, on_part=lambda _: states.append(left())
    )
    assert before.items() <= states[-1].items()
    assert set(left()) == {"notes.txt", "part-1.json"}
    assert (tmp_path / "out.jsonl").read_bytes() == (tmp_path / "here.jsonl").read_bytes()


def test_counting_reads_s3_as_it_reads_a_disk(filled, copy):
    here, there = count_logs(copy), count_logs("s3://acme-logs/traffic", clients=filled)
    assert (there.prompts, there.pairs) == (here.prompts, here.pairs)
    assert here.prompts == sum(here.pairs.values()) == 20 * 7 + 10
