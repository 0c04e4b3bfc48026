"""`cascade calibrate` over the local cloud: what it prints and writes, and a cascade from what it wrote."""

from __future__ import annotations

import json

import pytest

from bedrock_distill.chat import Cascade
from bedrock_distill.chat.scores import KINDS
from bedrock_distill.cli.cascade import _BUILT, _METRICS
from bedrock_distill.cli.main import COMMANDS, main
from bedrock_distill.evaluation import METRICS
from bedrock_distill.records.schema import Record, encode_record
from bedrock_distill.risk import Policy

TEACHER, STUDENT = "amazon.nova-pro-v1:0", "amazon.nova-lite-v1:0"


def by_teacher(record) -> str:
    return "billing" if "invoice" in record.prompt_text else "shipping"


def by_student(record) -> str:
    """Does not know parcels, and says so."""
    return "billing" if "invoice" in record.prompt_text else "Could you tell me more?"


pytestmark = pytest.mark.local_cloud(teachers={TEACHER: by_teacher, STUDENT: by_student})


@pytest.fixture
def run(local_cloud, tmp_path, monkeypatch):
    monkeypatch.setitem(
        COMMANDS, "cascade", ("bedrock_distill.cli.cascade", "Find from which score on a student may answer.")
    )
    monkeypatch.chdir(tmp_path)
    prompts = [f"My {('invoice', 'invoice', 'parcel')[place % 3]} {place}" for place in range(120)]
    (tmp_path / "heldout.jsonl").write_bytes(
        b"".join(encode_record(Record.of(prompt)) + b"\n" for prompt in prompts)
    )

    def run(*args: str) -> int:
        sides = ("--student", STUDENT, "--teacher", TEACHER, "--data", "heldout.jsonl", "--alpha", "0.02")
        with pytest.raises(SystemExit) as leaving:
            main(["cascade", "calibrate", *sides, "--region", "us-east-1", *args])
        return leaving.value.code

    return run


def test_it_prints_the_threshold_and_writes_a_policy_that_a_cascade_is_made_from(run, capsys, local_session):
    assert run("--score", "labels:billing,shipping", "--out", "policy.json") == 0
    printed, told = capsys.readouterr()
    assert printed.startswith(
        "The student answers from a score of 1.000 on: 66.7% of 120 prompts, at a risk of 0.0000"
    )
    assert "Policy: policy.json" in told
    assert "Asking both: 120 of 120" in told
    student, teacher = local_session.model(STUDENT), local_session.model(TEACHER)
    cascade = Cascade.from_policy("policy.json", student, teacher)
    assert cascade.chat("My invoice").answered_by == "student"
    assert cascade.chat("My parcel").text == "shipping"
    assert cascade.counts.reasons == {"sure": 1, "unsure": 1}


def test_a_policy_that_could_not_be_written_is_told_of_before_anything_is_asked(run, capsys, local_cloud):
    assert run("--score", "labels:billing,shipping", "--out", "gone/policy.json") == 2
    assert "there is no folder 'gone'" in capsys.readouterr().err
    assert not local_cloud.calls


def test_the_result_is_one_json_document_with_the_curve(run, capsys):
    assert (
        run("--score", "labels:billing,shipping", "--output", "json", "--confidence", "0.9", "--limit", "117")
        == 0
    )
    document = json.loads(capsys.readouterr().out)
    assert (document["threshold"], document["examples"], document["confidence"]) == (1.0, 117, 0.9)
    assert [point["student_share"] for point in document["curve"]] == pytest.approx([0, 2 / 3, 1])
    assert document["curve"][0]["cost_usd"] is None


def test_a_score_of_the_users_is_a_function_in_the_working_folder(run, tmp_path):
    (tmp_path / "my_scores.py").write_text("def short(record, reply):\n    return 1 / len(reply.text)\n")
    assert run("--score", "my_scores:short", "--score", "regex:[a-z]+", "--out", "policy.json") == 0
    policy = Policy.read("policy.json")
    assert policy.score == ("my_scores:short", "regex:[a-z]+")
    assert policy.threshold == pytest.approx(1 / 7)


def test_a_schema_is_read_from_its_file_and_kept_in_the_policy(run, tmp_path):
    pytest.importorskip("jsonschema", reason="checks against JSON schemas need it")
    (tmp_path / "answer.schema.json").write_text('{"type": "object"}')
    assert run("--score", "schema:answer.schema.json", "--out", "policy.json") == 0
    policy = Policy.read("policy.json")
    assert policy.score == ('schema:{"type": "object"}',)
    assert policy.threshold is None


def test_prices_of_the_catalog_give_costs(run, capsys, tmp_path):
    (tmp_path / "prices.toml").write_text(
        "\n".join(
            f'[[price]]\nmodel = "{model}"\nkind = "{kind}"\nusd = {usd}\nsource = "a contract"\nas_of = 2026-01-01'
            for model, usd in ((TEACHER, 1.0), (STUDENT, 0.1))
            for kind in ("input_1k_tokens", "output_1k_tokens")
        )
    )
    assert run("--score", "labels:billing,shipping", "--catalog", "prices.toml", "--output", "json") == 0
    costs = [point["cost_usd"] for point in json.loads(capsys.readouterr().out)["curve"]]
    assert costs == sorted(costs, reverse=True)
    assert costs[-1] > 0


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--score", "nonsense"), "nor MODULE:FUNCTION"),
        (("--score", "no_such_module:score"), "cannot be loaded"),
        (("--score", "regex:("), "cannot be read"),
        (("--score", "schema:missing.json"), "'schema:missing.json': No such file"),
        (("--score", "schema:heldout.jsonl"), "is not JSON"),
        (("--score", "labels:"), "write labels:A,B"),
        (("--score", "logprobs"), "brings no log-probabilities"),
        (("--score", "labels:a", "--temperature", "warm"), "neither a number nor"),
    ],
)
def test_wrong_usage_exits_with_2_and_says_why(run, capsys, args, said):
    assert run(*args) == 2
    assert said in capsys.readouterr().err


def test_the_command_names_metrics_and_scores_that_there_are():
    assert set(_METRICS) <= set(METRICS)
    assert _BUILT == KINDS
