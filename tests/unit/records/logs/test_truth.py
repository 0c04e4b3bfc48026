"""The judge of log readers is judged first: made logs are what it says they are."""

from __future__ import annotations

import gzip
import hashlib
import itertools
import json
import re
import runpy
import zlib
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import pytest

_made = runpy.run_path(str(Path(__file__).parents[3] / "logs_truth.py"))
make_logs, Lines, Wanted, KINDS, START = (
    _made[name] for name in ("make_logs", "Lines", "Wanted", "KINDS", "START")
)
ROOT = "AWSLogs/123456789012/BedrockModelInvocationLogs/us-east-1/"
TRIAGE = Wanted(metadata=lambda pairs: pairs.get("project") == "triage", responses=True)


@pytest.fixture(scope="module")
def truth(tmp_path_factory):
    return make_logs(tmp_path_factory.mktemp("logs"), seed=5, records=4000)


def digest(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return hashlib.sha256(
        b"".join(str(path.relative_to(folder)).encode() + path.read_bytes() for path in files)
    ).hexdigest()


def unpacked(path):
    data = path.read_bytes()
    return gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data


def line_of(truth, expected):
    return unpacked(truth.folder / expected.key).split(b"\n")[expected.line - 1].rstrip(b"\r")


def test_a_seed_makes_the_same_logs_again_and_another_seed_others(tmp_path):
    for name, seed in (("first", 1), ("again", 1), ("other", 2)):
        make_logs(tmp_path / name, seed=seed, records=300, damaged=True)
    first, again, other = (digest(tmp_path / name) for name in ("first", "again", "other"))
    assert first == again != other


def test_every_line_on_disk_is_known_and_every_kind_is_there(truth):
    on_disk = sum(
        1 for key in truth.objects for line in unpacked(truth.folder / key).split(b"\n") if line.strip()
    )
    assert on_disk == len(truth.records) == 4000
    kinds = {part for each in truth.records for part in each.kind.split("/")}
    assert not set(KINDS) - kinds
    assert {"converse", "anthropic", "nova", "llama", "mistral", "mistral-chat", "command"} <= kinds
    assert {"command-r", "titan", "deepseek", "deepseek-chat", "qwen", "openai"} <= kinds


def test_lines_are_json_objects_that_say_what_is_known_unless_they_are_broken(truth):
    for expected in truth.records[:1500]:
        line = line_of(truth, expected)
        if expected.reason == "broken-line":
            with pytest.raises((ValueError, AssertionError)):
                assert isinstance(json.loads(line.decode()), dict)
        elif expected.reason != "not-a-log":
            record = json.loads(line)
            assert record["modelId"] == expected.model_id
            assert (record["operation"], record["timestamp"]) == (expected.operation, expected.timestamp)
            assert record.get("requestMetadata", {}) == expected.metadata
            assert record["schemaType"] == "ModelInvocationLog"


def test_used_and_skipped_lines_are_all_lines(truth):
    for wanted in (Wanted(), Wanted(responses=True, multi_turn=True), TRIAGE):
        assert len(truth.lines(wanted)) + truth.skipped(wanted).total() == 4000
        assert truth.by_model(wanted).total() == len(truth.lines(wanted))
    assert truth.by_model().total() == sum(bool(each.model_id) for each in truth.records)
    distinct = truth.used(distinct=True)
    assert len({(each.system, each.messages) for each in distinct}) == len(distinct) < len(truth.used())


def test_objects_lie_in_awss_layout_in_every_shape_that_is_met(truth):
    pattern = re.compile(re.escape(ROOT) + r"\d{4}/\d\d/\d\d/\d\d/\d{8}T\d{12}Z_[0-9a-f]{16}(\.json(\.gz)?)?")
    assert all(pattern.fullmatch(key) for key in truth.objects)
    assert (truth.folder / ROOT / "amazon-bedrock-logs-permission-check").read_bytes() == b""
    stored = {key: (truth.folder / key).read_bytes() for key in truth.objects}
    plain = [key for key, data in stored.items() if data and not data.startswith(b"\x1f\x8b")]
    assert plain
    assert all(key.endswith(".json.gz") for key in plain)
    assert b"" in stored.values()
    assert any(data.startswith(b"\x1f\x8b") and not key.endswith(".gz") for key, data in stored.items())
    assert any(data.startswith(b"\x1f\x8b") and members(data) > 1 for data in stored.values())
    assert any(b"\r\n" in unpacked(truth.folder / key) for key in truth.objects)


def members(data):
    count = 0
    while data:
        reader = zlib.decompressobj(31)
        reader.decompress(data)
        data, count = reader.unused_data, count + 1
    return count


def test_large_bodies_lie_beside_the_logs_and_some_are_lost(truth):
    assert truth.bodies
    for uri, body in truth.bodies.items():
        path = truth.folder / uri.removeprefix("s3://acme-logs/")
        assert path.parent.name == "data"
        assert unpacked(path) == body == truth.overflow(uri)
    lost = [each for each in truth.records if each.kind.endswith("overflow-lost")]
    assert {each.reason or each.answer_reason for each in lost} == {"no-body"}


def test_an_objects_hour_may_be_later_than_its_calls_but_never_earlier(truth):
    gaps = []
    for each in truth.records:
        if each.timestamp:
            hour = datetime.strptime("/".join(each.key.split("/")[4:8]) + " +0000", "%Y/%m/%d/%H %z")
            gaps.append(hour - datetime.fromisoformat(each.timestamp))
    assert timedelta(0) < max(gaps) < timedelta(hours=1)


def test_thousands_of_objects_may_be_made_with_a_prefix_that_looks_like_bodies(tmp_path):
    truth = make_logs(tmp_path, seed=1, records=3100, objects=3050, prefix="data/", regions=("eu-west-1",))
    assert len(truth.objects) > 3050
    assert truth.objects == sorted(truth.objects)
    assert all(key.startswith("data/AWSLogs/") for key in truth.objects)
    assert len({each.key for each in truth.records}) == 3050


def test_damaged_objects_are_kept_apart(tmp_path):
    truth = make_logs(tmp_path, seed=1, records=100, damaged=True)
    assert len(truth.records) == 100
    assert len(truth.damaged) == 2
    for key in truth.damaged:
        with pytest.raises((EOFError, zlib.error, OSError)):
            gzip.decompress((tmp_path / key).read_bytes())


def test_weights_decide_what_comes(tmp_path):
    truth = make_logs(tmp_path, seed=1, records=50, weights={"embedding": 1.0, "failed": 1.0})
    assert set(truth.skipped()) == {"embedding", "failed-call"}
    assert truth.lines() == []


def test_right_findings_are_agreed_with(truth):
    assert not truth.disagreements(
        TRIAGE,
        lines=truth.lines(TRIAGE),
        skipped=truth.skipped(TRIAGE),
        by_model=truth.by_model(TRIAGE),
    )


def test_wrong_findings_are_told(truth):
    lines, skipped = truth.lines(TRIAGE), truth.skipped(TRIAGE)
    assert truth.disagreements(TRIAGE, lines=lines[1:])
    assert truth.disagreements(TRIAGE, lines=[*lines, b"{}"])
    assert truth.disagreements(TRIAGE, lines=[lines[1], lines[0], *lines[2:]])
    assert truth.disagreements(TRIAGE, skipped=skipped + Counter({"embedding": 1}))
    assert truth.disagreements(TRIAGE, skipped=skipped - Counter({"cut-off": 1}))
    assert truth.disagreements(TRIAGE, by_model=truth.by_model())


def test_broken_lines_may_hide_among_those_not_selected_but_nowhere_else(truth):
    moved = Counter({"broken-line": 5})
    skipped = truth.skipped(TRIAGE)
    assert not truth.disagreements(TRIAGE, skipped=skipped - moved + Counter({"not-selected": 5}))
    assert truth.disagreements(TRIAGE, skipped=skipped - moved + Counter({"cut-off": 5}))
    assert truth.disagreements(TRIAGE, skipped=skipped + moved - Counter({"not-selected": 5}))
    everything = truth.skipped()
    assert truth.disagreements(skipped=everything - moved + Counter({"not-selected": 5}))


# --- Lines without a disk ---------------------------------------------------------------------------------------------


def test_lines_are_endless_new_each_time_and_the_same_for_a_seed():
    first = list(itertools.islice(Lines(4, templates=50).take(), 500))
    assert first == list(Lines(4, templates=50).take(500))
    assert first != list(Lines(5, templates=50).take(500))
    whole = [line for line in first if b"Case 0" in line]
    assert len(set(whole)) == len(whole) > 100
    assert not any(b"\n" in line or _made["MARK"] in line for line in first)


def test_counts_of_many_lines_are_those_of_their_templates():
    made = Lines(4, templates=700)
    for count in (300, 700, 1500):
        records = list(made.records(count, TRIAGE))
        assert len(records) == made.used(count, TRIAGE).total()
        assert len(records) + made.skipped(count, TRIAGE).total() == count
    assert len(set(records)) == len(records)
    assert json.loads(records[0])["schemaVersion"] == "bedrock-conversation-2024"
