"""Near-duplicates across parts: of records with nearly the same prompt, the first is kept, wherever the others lie."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys

import pytest

from bedrock_distill.errors import SpecError
from bedrock_distill.harvest import from_logs, neardups, parts
from bedrock_distill.harvest.engines.processes import ProcessEngine
from bedrock_distill.harvest.engines.spark import SparkEngine
from bedrock_distill.harvest.parts import visit_order
from bedrock_distill.harvest.sources import LocalLogs
from bedrock_distill.local import Cloud
from bedrock_distill.records.curation import Recipe, curate
from bedrock_distill.records.curation.clusters import near_duplicates
from bedrock_distill.records.curation.quality import default_limits
from bedrock_distill.records.logs import LogQuery

SYLLABLES = [consonant + vowel for consonant in "bdfklmnprst" for vowel in "aeio"]
QUERY = LogQuery(responses=True)


class Planted:
    """Logs in which it is known what is nearly the same: copies with a word changed, and much that only looks alike."""

    OBJECTS = 8

    def __init__(self):
        self.rng = random.Random(5)
        self.words = ["".join(self.rng.choices(SYLLABLES, k=self.rng.randrange(2, 5))) for _ in range(3_000)]
        bases = [self.text(self.rng.randrange(80, 200)) for _ in range(60)]
        opening = self.text(120)
        rows = [(number, text) for number, text in enumerate(bases)]
        rows += [(number, self.changed(bases[number])) for number in range(0, 60, 2) for _ in range(2)]
        rows += [(number, bases[number]) for number in range(0, 60, 5)]
        rows += [(100 + number, self.shuffled(text)) for number, text in enumerate(bases[:20])]
        rows += [(200 + number, f"{opening}\n\n{self.text(30)}") for number in range(40)]
        self.rng.shuffle(rows)
        self.rows = [rows[start :: self.OBJECTS] for start in range(self.OBJECTS)]

    def text(self, count):
        return " ".join(self.rng.choices(self.words, k=count))

    def changed(self, text):
        words = text.split(" ")
        words[self.rng.randrange(10, len(words) - 10)] = self.rng.choice(self.words)
        return " ".join(words)

    def shuffled(self, text):
        words = text.split(" ")
        self.rng.shuffle(words)
        return " ".join(words)

    def tree(self, logs):
        """The objects."""
        return {
            logs.key(number): logs.packed(*(logs.line(text, f"To {text[:20]}") for _, text in rows))
            for number, rows in enumerate(self.rows)
        }

    def firsts(self, order=range(OBJECTS)):
        """The first text of each family, in an order of the objects; and of what is left out, repeats and copies."""
        families, texts, repeats, copies = set(), [], 0, 0
        for number in order:
            for family, text in self.rows[number]:
                repeats += text in texts
                copies += text not in texts and family in families
                if family not in families:
                    families.add(family)
                texts.append(text)
        seen, firsts = set(), []
        for number in order:
            for family, text in self.rows[number]:
                if family not in seen:
                    seen.add(family)
                    firsts.append(text)
        return firsts, repeats, copies


@pytest.fixture(scope="module")
def planted():
    return Planted()


@pytest.fixture
def source(planted, logs, tmp_path):
    return logs.put(tmp_path / "logs", planted.tree(logs))


def prompts(path):
    return [json.loads(line)["messages"][0]["content"][0]["text"] for line in path.read_bytes().splitlines()]


def told(report):
    return report.tally, report.written, report.duplicates


def test_the_first_of_each_group_is_kept_in_order_and_the_others_are_counted(planted, source, tmp_path):
    out = tmp_path / "made/out.jsonl"
    report = from_logs(source, out, query=QUERY, near_duplicates=True)
    firsts, repeats, copies = planted.firsts()
    assert prompts(out) == firsts
    assert (report.duplicates, report.tally.skipped) == (repeats, {"near-duplicate": copies})
    assert report.written + repeats + copies == report.matched
    assert [path.name for path in out.parent.iterdir()] == ["out.jsonl"], "no work is left behind"


@pytest.mark.parametrize("work", [(1, 0), (3_000, 0), (1 << 30, 0), (1, 2), (6_000, 2)])
@pytest.mark.parametrize("most", [None, 50])
def test_parts_and_processes_change_nothing(source, tmp_path, monkeypatch, work, most):
    settings = {"query": QUERY, "near_duplicates": True, "max_records": most}
    whole = from_logs(source, tmp_path / "whole.jsonl", **settings)
    size, processes = work
    monkeypatch.setattr(parts, "PART_BYTES", size)
    engine = ProcessEngine(processes) if processes else None
    report = from_logs(source, tmp_path / "out.jsonl", engine=engine, **settings)
    assert (tmp_path / "out.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert (report.written, report.duplicates) == (whole.written, whole.duplicates)
    assert report.tally.skipped == whole.tally.skipped


@pytest.mark.usefixtures("needs_spark")
def test_spark_finds_the_same(source, tmp_path, monkeypatch):
    whole = from_logs(source, tmp_path / "whole.jsonl", query=QUERY, near_duplicates=True)
    monkeypatch.setattr(parts, "PART_BYTES", 6_000)
    with SparkEngine("local[2]") as engine:
        report = from_logs(source, tmp_path / "out.jsonl", query=QUERY, near_duplicates=True, engine=engine)
    assert (tmp_path / "out.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert told(report) == told(whole)


def test_s3_holds_the_same(planted, logs, source, tmp_path, monkeypatch):
    whole = from_logs(source, tmp_path / "whole.jsonl", query=QUERY, near_duplicates=True)
    monkeypatch.setattr(parts, "PART_BYTES", 6_000)
    with Cloud() as cloud:
        cloud.bucket("acme-logs")
        s3 = cloud.boto3_session().client("s3")
        for key, body in planted.tree(logs).items():
            s3.put_object(Bucket="acme-logs", Key=key, Body=body)
        report = from_logs(
            "s3://acme-logs/AWSLogs",
            tmp_path / "out.jsonl",
            query=QUERY,
            near_duplicates=True,
            clients=cloud.session().clients,
            work="s3://acme-logs/work",
        )
        left = s3.list_objects_v2(Bucket="acme-logs", Prefix="work").get("Contents", [])
    assert (tmp_path / "out.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert told(report)[1:] == told(whole)[1:]
    assert not left, "what parts left is removed at the end"


def test_it_is_what_curation_finds_in_the_file_without_repeats(source, tmp_path):
    plain, out = tmp_path / "plain.jsonl", tmp_path / "out.jsonl"
    from_logs(source, plain, query=QUERY)
    report = from_logs(source, out, query=QUERY, near_duplicates=True)
    texts, lines = prompts(plain), plain.read_bytes().splitlines()
    firsts = near_duplicates(texts).tolist()
    assert out.read_bytes().splitlines() == [lines[at] for at, first in enumerate(firsts) if at == first]
    recipe = Recipe(limits=dict.fromkeys(default_limits(), None), max_records=None)
    card = curate(plain, tmp_path / "curated", recipe)
    stage = next(stage for stage in card.stages if stage.name == "near-duplicates")
    assert stage.left == report.written
    assert stage.reasons == report.tally.skipped


def test_what_is_common_is_told_by_a_sample_wherever_parts_begin(source, tmp_path, monkeypatch):
    monkeypatch.setattr(neardups, "SAMPLE", 40)
    made = set()
    for size in (1, 5_000, 1 << 30):
        monkeypatch.setattr(parts, "PART_BYTES", size)
        out = tmp_path / f"{size}.jsonl"
        from_logs(source, out, query=QUERY, near_duplicates=True)
        made.add(out.read_bytes())
    assert len(made) == 1


@pytest.mark.parametrize("most", [1, 40, 100, 119, 120, 500])
def test_a_sample_is_full_of_records_that_are_not_nearly_the_same(planted, source, tmp_path, most):
    out = tmp_path / "out.jsonl"
    report = from_logs(source, out, query=QUERY, near_duplicates=True, max_records=most, seed=2)
    names = [item.name for item in sorted(LocalLogs(source).list(), key=lambda item: item.name)]
    order = [names.index(item.name) for item in visit_order(LocalLogs(source).list(), 2)]
    firsts, repeats, copies = planted.firsts(order)
    assert prompts(out) == firsts[:most]
    assert report.written == min(most, len(firsts))
    if most > len(firsts):
        assert (report.duplicates, report.tally.skipped["near-duplicate"]) == (repeats, copies)
        assert report.complete


def test_a_sample_reads_on_only_as_long_as_records_lack(logs, tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "PART_BYTES", 1)
    made = Planted()
    tree = {
        logs.key(number): logs.packed(*(logs.line(made.text(60)) for _ in range(5))) for number in range(9)
    }
    source = logs.put(tmp_path / "unlike", tree)
    report = from_logs(source, tmp_path / "out.jsonl", near_duplicates=True, max_records=10)
    assert (report.written, report.tally.objects) == (10, 2)


_KILLED = """
import os, signal, sys
from bedrock_distill.harvest import from_logs, neardups, parts
from bedrock_distill.harvest.engines.processes import ProcessEngine
from bedrock_distill.records.logs import LogQuery

whole = neardups.do_sketching

def dying(task, **more):
    done = whole(task, **more)
    if task.name.endswith(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
    return done

if __name__ == "__main__":
    parts.PART_BYTES, neardups.do_sketching = 1, dying
    from_logs(sys.argv[1], sys.argv[2], query=LogQuery(responses=True), near_duplicates=True)
"""


@pytest.mark.parametrize("engine", [None, ProcessEngine(2)], ids=["serial", "processes"])
def test_a_killed_harvest_goes_on_and_sketches_nothing_twice(
    source, tmp_path, monkeypatch, repository, engine
):
    script, out, work = tmp_path / "killed.py", tmp_path / "out.jsonl", tmp_path / ".out.jsonl.parts"
    script.write_text(_KILLED)
    whole = from_logs(source, tmp_path / "whole.jsonl", query=QUERY, near_duplicates=True)
    done = subprocess.run(
        [sys.executable, str(script), str(source), str(out), "000003"],
        env=os.environ | {"PYTHONPATH": str(repository)},
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    before = {path.name: path.stat().st_mtime_ns for path in work.glob("part-*")}
    assert sum(name.endswith(".sketched") for name in before) == 4
    assert not out.exists()
    monkeypatch.setattr(parts, "PART_BYTES", 1)
    seen = {}
    found = neardups._firsts

    def looking(*given):
        seen.update({path.name: path.stat().st_mtime_ns for path in work.glob("part-*")})
        return found(*given)

    monkeypatch.setattr(neardups, "_firsts", looking)
    report = from_logs(source, out, query=QUERY, near_duplicates=True, engine=engine)
    assert {name: seen[name] for name in before} == before, "what was done is not done again"
    assert out.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert told(report) == told(whole)
    assert not work.exists()


class StopError(Exception):
    """Raised where a test ends a harvest early."""


def test_sketches_of_another_harvest_are_not_believed(source, tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "PART_BYTES", 1)
    other = LogQuery(responses=True, max_chars=900)
    whole = from_logs(source, tmp_path / "whole.jsonl", query=other, near_duplicates=True)
    out = tmp_path / "out.jsonl"

    def stop(*_):
        raise StopError

    with monkeypatch.context() as patch:
        patch.setattr(neardups, "_firsts", stop)
        with pytest.raises(StopError):
            from_logs(source, out, query=QUERY, near_duplicates=True)
    assert (tmp_path / ".out.jsonl.parts/part-000007.sketched").exists()
    report = from_logs(source, out, query=other, near_duplicates=True)
    assert out.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert told(report) == told(whole)


def test_a_filter_of_the_callers_comes_before(planted, source, tmp_path):
    without = set(planted.firsts()[0][::3])
    report = from_logs(
        source,
        tmp_path / "out.jsonl",
        near_duplicates=True,
        predicate=lambda record: record.prompt_text not in without,
    )
    assert not without & set(prompts(tmp_path / "out.jsonl"))
    # Where the first of a group is filtered out, the next one stands for it.
    assert report.written > len(planted.firsts()[0]) - len(without)


def test_golden_labels_make_no_difference(logs, tmp_path):
    text = Planted().text(90)
    lines = [logs.line(text, "One answer"), logs.line(f"{text} Anyway", "Another " * 50)]
    source = logs.put(tmp_path / "pairs", {logs.key(0): logs.packed(*lines)})
    report = from_logs(source, tmp_path / "out.jsonl", query=QUERY, near_duplicates=True)
    assert logs.read(tmp_path / "out.jsonl") == [logs.record(text, "One answer")]
    assert report.tally.skipped == {"near-duplicate": 1}


@pytest.mark.parametrize("most", [None, 5])
def test_of_nothing_nothing_is_left(tmp_path, most):
    (tmp_path / "logs").mkdir()
    report = from_logs(tmp_path / "logs", tmp_path / "out.jsonl", near_duplicates=True, max_records=most)
    assert (report.written, report.duplicates, report.tally.skipped) == (0, 0, {})
    assert (tmp_path / "out.jsonl").read_bytes() == b""


def test_to_keep_repeats_and_leave_out_what_is_nearly_one_is_refused(tmp_path):
    with pytest.raises(SpecError, match="set both, or neither") as caught:
        from_logs(tmp_path, tmp_path / "out.jsonl", distinct=False, near_duplicates=True)
    assert caught.value.field == "near_duplicates"


def test_what_parts_leave_holds_no_text(source, tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "PART_BYTES", 1)
    read = {}
    found = neardups._firsts

    def looking(*given):
        work = tmp_path / ".out.jsonl.parts"
        read.update({path.name: path.read_bytes() for path in work.glob("*.sketche*")})
        return found(*given)

    monkeypatch.setattr(neardups, "_firsts", looking)
    from_logs(source, tmp_path / "out.jsonl", near_duplicates=True)
    distinct = sum(len(data) for name, data in read.items() if name.endswith(".sketches")) / 280
    assert distinct == 60 + 60 + 20 + 40, "280 bytes for each prompt"
