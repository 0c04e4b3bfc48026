"""The command over the local cloud: what it prints, writes and exits with."""

from __future__ import annotations

import json

import pytest

from bedrock_distill.cli.evaluate import _METRICS
from bedrock_distill.cli.main import main
from bedrock_distill.evaluation import METRICS
from bedrock_distill.local import Fault
from bedrock_distill.records.schema import Record, encode_record

TEACHER, STUDENT, BASE = "amazon.nova-pro-v1:0", "amazon.nova-lite-v1:0", "amazon.nova-micro-v1:0"


def by_teacher(record) -> str:
    return json.dumps({"length": len(record.prompt_text), "urgent": "7" in record.prompt_text})


def by_student(record) -> str:
    return json.dumps(
        {"urgent": record.prompt_text in ("Question 7?", "Question 70?"), "length": len(record.prompt_text)}
    )


pytestmark = pytest.mark.local_cloud(
    teachers={TEACHER: by_teacher, STUDENT: by_student, BASE: lambda _: "I do not know."}
)


@pytest.fixture
def heldout(tmp_path):
    path = tmp_path / "heldout.jsonl"
    path.write_bytes(b"".join(encode_record(Record.of(f"Question {place}?")) + b"\n" for place in range(100)))
    return path


@pytest.fixture
def run(local_cloud, heldout):
    def run(*args: str) -> int:
        sides = ("--student", STUDENT, "--teacher", TEACHER, "--data", str(heldout))
        with pytest.raises(SystemExit) as leaving:
            main(["evaluate", *sides, "--region", "us-east-1", *args])
        return leaving.value.code

    return run


def test_a_student_that_is_good_enough_exits_with_0(run, capsys):
    assert run("--min-retention", "0.7", "--quiet") == 0
    printed, said = capsys.readouterr()
    assert printed.startswith(f"{STUDENT} against {TEACHER}, 100 prompts")
    assert "Gate passed" in printed
    assert said == ""


def test_a_student_that_is_not_good_enough_exits_with_3_after_the_report_is_written(run, capsys, tmp_path):
    assert run("--min-retention", "0.9", "--report", str(tmp_path / "report")) == 3
    printed, said = capsys.readouterr()
    assert "Gate failed" in printed
    assert "90.00% was asked for" in said
    assert f"Report: {tmp_path / 'report' / 'report.html'}" in said
    assert "The gate is not passed" in (tmp_path / "report" / "report.html").read_text("utf-8")
    assert json.loads((tmp_path / "report" / "report.json").read_text("utf-8"))["verdict"]["passed"] is False


def test_the_result_is_one_json_document_with_the_verdict(run, capsys):
    assert run("--min-retention", "0.9", "--output", "json", "--base", BASE) == 3
    document = json.loads(capsys.readouterr().out)
    assert document["verdict"]["passed"] is False
    assert (document["metric"], document["agreement"]["value"]) == ("json_equal", 0.83)
    assert document["sides"]["base"]["json_share"] == 0
    assert [field["name"] for field in document["fields"]] == ["length", "urgent"]
    assert "answers" not in document


def test_without_a_gate_a_bad_student_exits_with_0(run, capsys):
    assert run("--metric", "exact_match", "--limit", "20", "--temperature", "none") == 0
    printed, said = capsys.readouterr()
    assert "agreement (exact_match)" in printed
    assert "Only the first 20 prompts of heldout.jsonl were asked" in printed
    assert "Asking the student: 20 of 20" in said
    assert "Asking the teacher: 20 of 20" in said


def test_every_call_has_the_options_that_were_given(run, local_cloud):
    assert run("--limit", "3", "--system", "Be brief.", "--max-tokens", "77", "--temperature", "0.5") == 0
    calls = [call for call in local_cloud.calls if call.operation == "Converse"]
    assert len(calls) == 6
    for call in calls:
        assert call.params["system"] == [{"text": "Be brief."}]
        assert call.params["inferenceConfig"] == {"maxTokens": 77, "temperature": 0.5}


def test_calls_that_fail_for_good_are_counted_and_fail_the_gate(run, local_cloud, capsys):
    local_cloud.faults.add(
        Fault(operation="Converse", resource=STUDENT, every=10, code="ModelErrorException")
    )
    assert run("--min-retention", "0.1") == 3
    assert "10 of 100 calls of the student failed (10.0%)" in capsys.readouterr().err


def test_a_model_that_does_not_exist_ends_the_evaluation_at_once(local_cloud, heldout, capsys):
    gone = "arn:aws:bedrock:us-east-1:123456789012:custom-model-deployment/abcdefghijkl"
    with pytest.raises(SystemExit) as leaving:
        main(
            [
                "evaluate",
                "--student",
                gone,
                "--teacher",
                TEACHER,
                "--data",
                str(heldout),
                "--region",
                "us-east-1",
            ]
        )
    assert leaving.value.code == 5
    assert "ResourceNotFoundException" in capsys.readouterr().err
    assert not [call for call in local_cloud.calls if call.params.get("modelId") == TEACHER]


def test_a_temperature_that_is_no_number_is_wrong_usage(run, capsys):
    assert run("--temperature", "warm") == 2
    assert "neither a number nor `none`" in capsys.readouterr().err


def test_prices_of_the_catalog_give_costs(run, capsys, tmp_path):
    prices = tmp_path / "prices.toml"
    prices.write_text(
        "\n".join(
            f'[[price]]\nmodel = "{TEACHER}"\nkind = "{kind}"\nusd = 1.0\nsource = "a contract"\nas_of = 2026-01-01'
            for kind in ("input_1k_tokens", "output_1k_tokens")
        )
    )
    assert run("--catalog", str(prices), "--output", "json") == 0
    sides = json.loads(capsys.readouterr().out)["sides"]
    tokens = sides["teacher"]["input_tokens"] + sides["teacher"]["output_tokens"]
    assert sides["teacher"]["cost_usd"] == pytest.approx(tokens / 1000)
    assert sides["student"]["cost_usd"] is None


def test_the_command_knows_every_metric_that_has_a_name():
    assert tuple(METRICS) == _METRICS
