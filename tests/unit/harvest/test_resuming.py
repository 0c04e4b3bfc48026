"""A harvest that was killed goes on where it was, and believes no receipt that is about something else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import msgspec
import pytest

from bedrock_distill.harvest import from_logs, parts
from bedrock_distill.harvest.parts import Receipt
from bedrock_distill.records.logs import LogQuery

QUERY = LogQuery(responses=True)

_KILLED = """
import os, signal, sys
from bedrock_distill.harvest import from_logs, parts
from bedrock_distill.harvest.engines.processes import ProcessEngine
from bedrock_distill.records.logs import LogQuery

def die(receipt):
    if receipt.number + 1 == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    parts.PART_BYTES = 1
    engine = ProcessEngine(2) if sys.argv[4] == "processes" else None
    most = int(sys.argv[5]) or None
    from_logs(sys.argv[1], sys.argv[2], query=LogQuery(responses=True), engine=engine, max_records=most, on_part=die)
"""


@pytest.fixture
def killed(tmp_path, repository):
    """Runs a harvest in a process of its own that is killed after so many parts."""
    script = tmp_path / "killed.py"
    script.write_text(_KILLED)

    def run(source, out, after, *, engine="serial", most=0):
        command = [sys.executable, str(script), str(source), str(out), str(after), engine, str(most)]
        # A group of its own: processes that outlive their parent must not outlive the test.
        done = subprocess.Popen(
            command, env=os.environ | {"PYTHONPATH": str(repository)}, start_new_session=True,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            assert done.wait(timeout=60) == -signal.SIGKILL
        finally:
            if engine == "processes":
                os.killpg(done.pid, signal.SIGKILL)

    return run


@pytest.fixture
def small(monkeypatch):
    """An object a part."""
    monkeypatch.setattr(parts, "PART_BYTES", 1)


def times(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("part-*")}


@pytest.mark.parametrize("after", [1, 5, 12])
@pytest.mark.parametrize("most", [0, 30])
@pytest.mark.usefixtures("small")
def test_a_killed_harvest_goes_on_and_writes_the_same_bytes(logs, tmp_path, killed, after, most):
    source, out = logs.put(tmp_path / "logs", logs.many()), tmp_path / "out.jsonl"
    whole = from_logs(source, tmp_path / "whole.jsonl", query=QUERY, max_records=most or None)
    after = min(after, whole.tally.objects)
    killed(source, out, after, most=most)
    work = tmp_path / ".out.jsonl.parts"
    before = times(work)
    assert sum(name.endswith(".json") for name in before) == after
    assert not out.exists()
    seen = []
    report = from_logs(
        source, out, query=QUERY, max_records=most or None, on_part=lambda _: seen.append(times(work))
    )
    assert all(seen[-1][name] == at for name, at in before.items()), "what was done is not done again"
    assert out.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert (report.tally, report.written, report.duplicates) == (whole.tally, whole.written, whole.duplicates)
    assert not work.exists()


def test_killed_processes_leave_what_another_engine_goes_on_with(logs, tmp_path, small, killed):
    source, out = logs.put(tmp_path / "logs", logs.many()), tmp_path / "out.jsonl"
    from_logs(source, tmp_path / "whole.jsonl", query=QUERY)
    killed(source, out, 3, engine="processes")
    from_logs(source, out, query=QUERY)
    assert out.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert not (tmp_path / ".out.jsonl.parts").exists(), "drafts of the killed are removed, too"


class StopError(Exception):
    """Raised where a test ends a harvest early."""


def stopped(after):
    def stop(receipt):
        if receipt.number + 1 == after:
            raise StopError

    return stop


def begun(source, out, after, **settings):
    with pytest.raises(StopError):
        from_logs(source, out, on_part=stopped(after), **settings)


OTHERS = {
    "another query": {"query": LogQuery()},
    "a narrower query": {"query": LogQuery(responses=True, pattern="[02468][?]")},
    "a sample": {"query": QUERY, "max_records": 10},
    "a filter": {"query": QUERY, "predicate": lambda record: "4" in record.prompt_text},
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("turned", [False, True])
def test_receipts_of_another_harvest_are_not_believed(logs, tmp_path, small, other, turned):
    source, out = logs.put(tmp_path / "logs", logs.many()), tmp_path / "out.jsonl"
    first, second = ({"query": QUERY}, other) if not turned else (other, {"query": QUERY})
    whole = from_logs(source, tmp_path / "whole.jsonl", **second)
    begun(source, out, 3, **first)
    report = from_logs(source, out, **second)
    assert out.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert report.tally == whole.tally


def test_two_harvests_in_turns_never_mix_their_parts(logs, tmp_path, small, monkeypatch):
    """The second dies between a part's records and its receipt; the first's receipt must be gone by then."""
    source, out = logs.put(tmp_path / "logs", logs.many()), tmp_path / "out.jsonl"
    from_logs(source, tmp_path / "whole.jsonl", query=QUERY)
    begun(source, out, 3, query=QUERY)

    class Dying(Receipt, frozen=True, kw_only=True):
        def __post_init__(self):
            raise StopError

    with monkeypatch.context() as patch:
        patch.setattr("bedrock_distill.harvest.partition.Receipt", Dying)
        patch.setattr("bedrock_distill.harvest.partition._receipt", lambda _: None)
        with pytest.raises(StopError):
            from_logs(source, out, query=LogQuery())
    from_logs(source, out, query=QUERY)
    assert out.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_an_object_that_changed_is_read_again(logs, tmp_path, small):
    source, out = logs.put(tmp_path / "logs", logs.many(4, 2)), tmp_path / "out.jsonl"
    begun(source, out, 2, query=QUERY)
    path = min(source.rglob("*.gz"))
    size = path.stat().st_size
    data = logs.packed(logs.line("Changed?"))
    path.write_bytes(data + b"\0" * (size - len(data)))  # of the same size, by the padding that gzip allows
    os.utime(path, ns=(1, 1))
    from_logs(source, out, query=QUERY)
    assert logs.read(out)[0] == logs.record("Changed?", "So.")


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"number":0}', b"\xff"])
def test_a_receipt_that_cannot_be_read_is_none(logs, tmp_path, small, text):
    source, out = logs.put(tmp_path / "logs", logs.many(4)), tmp_path / "out.jsonl"
    from_logs(source, tmp_path / "whole.jsonl", query=QUERY)
    begun(source, out, 2, query=QUERY)
    (tmp_path / ".out.jsonl.parts/part-000000.json").write_bytes(text)
    from_logs(source, out, query=QUERY)
    assert out.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_a_work_folder_keeps_what_is_not_ours(logs, tmp_path, small):
    source, work = logs.put(tmp_path / "logs", logs.many(3)), tmp_path / "work"
    foreign = {
        "notes.txt",
        "part-1.jsonl",
        "my-part-000000.jsonl",
        "part-000000.jsonl.bak",
        ".part-000000.draft",
    }
    logs.put(work, dict.fromkeys(foreign, b"mine"))
    logs.put(work, {"part-000009.jsonl": b"old", ".part-000009.keys.0123abcd.draft": b"old"})
    from_logs(source, tmp_path / "out.jsonl", query=QUERY, work=str(work))
    assert {path.name for path in work.iterdir()} == foreign
    assert all((work / name).read_bytes() == b"mine" for name in foreign)


def test_receipts_hold_no_text_of_anyone(logs, tmp_path, small):
    source = logs.put(tmp_path / "logs", {logs.key(1): logs.packed(logs.line("Secret words"))})
    begun(source, tmp_path / "out.jsonl", 1, query=QUERY)
    (path,) = (tmp_path / ".out.jsonl.parts").glob("*.json")
    assert b"Secret" not in path.read_bytes()
    assert msgspec.json.decode(path.read_bytes(), type=Receipt).records == 1
