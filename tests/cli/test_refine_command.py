"""`refine` over the local cloud: look, run, lineage and rollback, what they print, and how they leave."""

from __future__ import annotations

import json
import threading

import pytest

import bedrock_distill as bd
from bedrock_distill.records import Record, encode_record

pytest.importorskip("torch")

TEACHER, STUDENT = "amazon.nova-pro-v1:0", "amazon.nova-micro-v1:0"
FILE = f"""\
[refinement]
name = "triage"
deployment = "{{deployment}}"
evaluation = "held.jsonl"
logs = {{{{ source = "s3://local-bucket/logs" }}}}
min_new = {{min_new}}
ask_teacher = 20

[refinement.distillation]
name = "triage"
teacher = "{TEACHER}"
student = "{STUDENT}"
data = "prompts.jsonl"
output = "s3://local-bucket/distill/"
max_response_tokens = 2

[refinement.gate]
min_gain = {{min_gain}}
"""


@pytest.fixture
def fails():
    """Whether training fails; a test may change it."""
    return []


@pytest.fixture
def ready():
    """Set while training may end; a test may hold it up."""
    event = threading.Event()
    event.set()
    return event


@pytest.fixture
def trainer(untaught, fails, ready):
    """A trainer that teaches nothing and leaves a model that answers, when it may."""

    def train(config, **options):
        ready.wait(60)
        if fails:
            raise bd.errors.DataError("The machine caught fire.")
        return untaught(config, **options)

    return train


@pytest.fixture
def serving(cloud, model):
    """A student that serves, and its traffic."""
    session = cloud.session()
    session.apply(session.plan(bd.InvocationLogging(bucket="local-bucket", prefix="logs")))
    student = session.deploy(bd.OnDemandDeployment(model=model, name="triage"))
    for number in range(20):
        student.chat(f"Why is parcel number {number} late?", max_tokens=1, temperature=0)
    cloud.flush()
    return student.model_id


@pytest.fixture
def write(serving, folder):
    """Write the refinement file; its gate lets any candidate pass, where it is not told otherwise."""
    lines = (encode_record(Record.of(f"Is order {number} paid?")) for number in range(10))
    (folder / "held.jsonl").write_bytes(b"\n".join(lines))

    def write(**values):
        values = {"deployment": serving, "min_new": 5, "min_gain": -0.9, **values}
        (folder / "refinement.toml").write_text(FILE.format(**values))
        return "refinement.toml"

    return write


@pytest.fixture
def serves(cloud, serving):
    return lambda: cloud.session().attach(serving).status().model_arn


def test_a_round_from_the_look_to_the_rollback(document, run, write, serves, model):
    file = write()
    looked = document("refine", "look", file)
    assert (looked["student_calls"], looked["teacher_calls"], looked["enough"]) == (20, 0, True)
    assert looked["new"] + looked["held_out"] == 20
    assert looked["plan"]
    assert document("refine", "lineage", file) == {
        "name": "triage",
        "serving": None,
        "rounds": 0,
        "events": [],
    }

    outcome = document("refine", "run", file, "--yes")
    assert (outcome["round"], outcome["promoted"], outcome["model"]) == (1, True, serves())
    assert outcome["by_reason"] == looked["by_reason"]
    assert outcome["verdict"]["passed"]
    assert outcome["report"].endswith("/report.html")

    told = document("refine", "lineage", file)
    assert [event["event"] for event in told["events"]] == ["opened", "distilled", "judged", "promoted"]
    assert told["serving"] == outcome["model"]
    assert "promoted" in run("refine", "lineage", file)[1]

    assert document("refine", "rollback", file) == {"model": model}
    assert serves() == model
    code, printed, _ = run("refine", "rollback", file, "--to", outcome["model"])
    assert (code, printed.strip()) == (0, outcome["model"])
    assert serves() == outcome["model"]
    code, _, said = run("refine", "rollback", file, "--to", "arn:other")
    assert code == 2
    assert "no way back to arn:other" in said


def test_people_read_tables_and_the_file_alone_is_short_for_run(run, write, serves):
    code, printed, _ = run("refine", "look", write())
    assert code == 0
    assert printed.startswith("20 calls of the student and 0 of the teacher were read.")
    assert "the student's answer differs from the teacher's" in printed
    assert "new in the evaluation, never learned" in printed
    code, printed, said = run("refine", "refinement.toml", "--yes")
    assert code == 0, said
    assert printed.rstrip().endswith(f"serves {serves()}, promoted in round 1.")
    assert "Round 1: distilling" in said


def test_too_little_to_learn_is_no_failure(document, run, write):
    file = write(min_new=100)
    assert document("refine", "look", file)["plan"] is None
    assert "That is not enough for a round (min_new = 100)." in run("refine", "look", file)[1]
    assert document("refine", file, "--yes")["round"] is None
    code, printed, said = run("refine", file, "--yes")
    assert code == 0
    assert "as before." in printed
    assert "min_new is 100" in said


def test_a_candidate_that_is_no_better_exits_with_3_and_says_why(run, write, serves, model):
    code, printed, said = run("refine", write(min_gain=0.5), "--yes", "--output", "json")
    assert code == 3
    assert json.loads(printed)["verdict"]["passed"] is False
    assert "The candidate of round 1 does not take over: it missed one criterion." in said
    assert serves() == model


def test_without_consent_nothing_is_paid_and_the_round_waits(run, document, write, cloud):
    file = write()
    code, _, said = run("refine", file)
    assert code == 2
    assert "This costs money, and there is no terminal to ask: give --yes to consent." in said
    assert len(cloud.session().jobs()) == 1
    assert [event["event"] for event in document("refine", "lineage", file)["events"]] == ["opened"]
    code, _, said = run("refine", "look", file)
    assert code == 2
    assert "Round 1 of 'triage' is under way: `refine` goes on with it." in said
    assert document("refine", file, "--yes")["promoted"]


def test_a_job_that_still_runs_exits_with_4_and_the_next_call_goes_on(run, document, write, cloud, ready):
    file = write()
    ready.clear()
    code, _, said = run("refine", file, "--yes", "--timeout", "1s")
    ready.set()
    assert code == 4, said
    assert document("refine", file, "--yes")["promoted"]
    assert len(cloud.session().jobs()) == 2


def test_a_job_that_fails_exits_with_1_and_the_next_round_is_new(run, document, write, fails):
    file = write()
    fails.append(True)
    code, _, said = run("refine", file, "--yes")
    assert code == 1
    assert "caught fire" in said
    fails.clear()
    assert document("refine", file, "--yes")["round"] == 2


@pytest.mark.parametrize("words", [("look",), ("run", "--yes"), ("lineage",), ("rollback",)])
def test_a_file_that_is_wrong_or_missing_exits_with_2(run, folder, words):
    (folder / "wrong.toml").write_text("[refinement]\nname = 'triage'\n")
    for file, expected in (("wrong.toml", "wrong.toml: "), ("missing.toml", "Could not read 'missing.toml'")):
        code, printed, said = run("refine", words[0], file, *words[1:])
        assert (code, printed) == (2, "")
        assert expected in said


def test_a_deployment_that_is_not_there_exits_with_5(run, write):
    code, _, said = run("refine", write(deployment="nobody"), "--yes")
    assert code == 5
    assert "nobody" in said
