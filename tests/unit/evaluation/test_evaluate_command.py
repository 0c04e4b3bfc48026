"""The command over the local cloud: what it prints, writes and exits with."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

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
def run(local_cloud, heldout, monkeypatch):
    monkeypatch.chdir(heldout.parent)

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


@pytest.mark.parametrize(
    ("kept", "told"),
    [((), "With --cache DIR they are kept"), (("--cache", "."), "kept in .: the same command goes on")],
)
def test_who_interrupts_is_told_what_became_of_the_answers(run, capsys, monkeypatch, kept, told):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("bedrock_distill.evaluation.evaluate", interrupted)
    assert run(*kept) == 130
    assert told in capsys.readouterr().err


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


def test_ci_gets_junit_xml_and_markdown_with_every_slice(run, heldout, tmp_path, capsys):
    lines = [json.loads(line) for line in heldout.read_text("utf-8").splitlines()]
    for place, line in enumerate(lines):
        line["requestMetadata"] = {"tenant": "north" if place % 10 == 7 else "south"}
    heldout.write_text("".join(f"{json.dumps(line)}\n" for line in lines), "utf-8")
    junit, markdown = tmp_path / "ci" / "junit.xml", tmp_path / "ci" / "summary.md"
    outputs = ("--junit", str(junit), "--markdown", str(markdown))
    assert run("--slice", "metadata.tenant", "--min-slice-retention", "0.75", *outputs) == 3
    suite = ET.parse(junit).getroot()[0]
    assert (suite.get("tests"), suite.get("failures")) == ("4", "1")
    (failed,) = (case.get("name") for case in suite.iter("testcase") if case.find("failure") is not None)
    assert failed == "slice metadata.tenant = north"
    summary = markdown.read_text("utf-8")
    assert summary.startswith("## Gate failed")
    assert "**shown to fall short**" in summary
    assert "fall short of 75.00%" in capsys.readouterr().err


def test_an_unknown_price_fails_the_cost_ratio(run, capsys):
    assert run("--max-cost-ratio", "0.5", "--limit", "5") == 3
    assert "what the student and the teacher costs is unknown" in capsys.readouterr().err


def test_prompts_that_were_trained_on_are_refused_unless_that_is_known(
    run, heldout, local_cloud, tmp_path, capsys
):
    training = tmp_path / "training.jsonl"
    training.write_bytes(encode_record(Record.of("question  7?", completion="x")) + b"\n")
    assert run("--training", str(training)) == 2
    said = capsys.readouterr().err
    assert "1 of 100 prompts are in the training data training.jsonl" in said
    assert "prompt 8: is the same as record 1" in said
    assert not [call for call in local_cloud.calls if call.operation == "Converse"]
    assert run("--training", str(training), "--allow-overlap") == 0
    assert "! 1 of 100 prompts are in the training data" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--min-slice-retention", "0.8"), "needs --slice"),
        (("--every-slice-shown",), "needs --min-slice-retention"),
        (("--junit", "junit.xml"), "writes the gate's criteria"),
        (("--min-gain", "0"), "needs --base"),
        (
            ("--max-cost-ratio", "0.5", "--runner", "bedrock", "--output-uri", "s3://acme/evaluation/"),
            "cannot be met",
        ),
        (("--judge", ""), "--judge is empty"),
        (("--min-retention", "nan"), "min_retention must be above 0"),
        (("--min-retention", "90"), "write 0.9 for 90 %, not 90"),
        (("--max-cost-ratio", "30"), "write 0.9 for 90 %, not 30"),
        (("--temperature", "nan"), "neither a number nor `none`"),
    ],
)
def test_options_that_say_nothing_are_wrong_usage_before_anything_is_asked(
    run, local_cloud, capsys, options, message
):
    assert run(*options) == 2
    assert message in capsys.readouterr().err
    assert not local_cloud.calls.count(operation="Converse")


@pytest.mark.parametrize("option", ["--report", "--junit", "--markdown"])
def test_a_place_that_cannot_be_written_to_shows_before_anything_is_asked(run, local_cloud, tmp_path, option):
    (tmp_path / "file").touch()
    assert run("--min-retention", "0.7", option, str(tmp_path / "file" / "report")) == 2
    assert not local_cloud.calls.count(operation="Converse")


@pytest.mark.parametrize("written", [b"\xff\xfe", b" \n"])
def test_a_rubric_that_says_nothing_is_wrong_usage(run, tmp_path, capsys, written):
    (tmp_path / "rubric.txt").write_bytes(written)
    assert run("--judge", BASE, "--rubric", str(tmp_path / "rubric.txt")) == 2
    assert "Invalid value for --rubric" in capsys.readouterr().err


def test_the_command_knows_every_metric_that_has_a_name():
    assert tuple(METRICS) == _METRICS


def test_a_second_run_over_a_cache_asks_nothing(run, local_cloud, tmp_path, capsys):
    args = (
        "--limit",
        "5",
        "--cache",
        str(tmp_path / "answers"),
        "--rpm",
        "6000",
        "--tpm",
        "6000000",
        "--quiet",
    )
    assert run(*args) == 0
    assert run(*args, "--metric", "token_f1") == 0
    assert local_cloud.calls.count(operation="Converse") == 10
    assert "5 of 5 answers of the student came from the cache" in capsys.readouterr().out


def test_a_judge_decides_by_the_rubric_of_a_file(run, local_cloud, tmp_path, capsys):
    rubric = tmp_path / "rubric.txt"
    rubric.write_text("Prefer the answer that says urgent.")
    assert run("--judge", BASE, "--rubric", str(rubric), "--output", "json", "--metric", "json_equal") == 0
    document = json.loads(capsys.readouterr().out)
    assert [metric["name"] for metric in document["metrics"]] == ["judge", "json_equal"]
    (said,) = document["judges"]
    assert said["outcomes"] == {"unparsed": 100}
    asked = [call for call in local_cloud.calls if call.params.get("modelId") == BASE]
    assert len(asked) == 200
    assert all(rubric.read_text() in call.params["messages"][0]["content"][0]["text"] for call in asked)


def test_a_rubric_without_a_judge_is_wrong_usage(run, tmp_path, capsys):
    (tmp_path / "rubric.txt").touch()
    assert run("--rubric", str(tmp_path / "rubric.txt")) == 2
    assert "give --judge" in capsys.readouterr().err


def test_streams_give_the_time_to_the_first_token(run, capsys):
    assert run("--stream", "--limit", "3", "--output", "json") == 0
    assert json.loads(capsys.readouterr().out)["sides"]["student"]["first_token_p50_s"] >= 0
