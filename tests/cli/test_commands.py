"""Planning and applying from the command line: tables and documents, exit codes, and what is said of each mistake."""

from __future__ import annotations

import io
import json
import sys

import pytest

from bedrock_distill.local import Fault
from bedrock_distill.resources import DistillationJob

TEACHER = "amazon.nova-pro-v1:0"
PRICES = "".join(
    f'[[price]]\nmodel = "{model}"\nkind = "{kind}"\nusd = 0.5\nsource = "an example"\nas_of = 2026-11-01\n'
    for model, kind in [(TEACHER, "input_1k_tokens"), (TEACHER, "output_1k_tokens")]
)


def train_badly(config, *, on_event=None, stop=None):
    raise RuntimeError("the trainer fell over")


def _edit(path, old, new):
    path.write_text(path.read_text().replace(old, new))


# plan


def test_a_plan_is_a_table_for_people(run):
    code, printed, said = run("plan", "job.toml")
    assert code == 0
    assert printed.startswith("Plan triage · ")
    assert "[costs money]" in printed
    assert "\x1b" not in printed
    assert said == ""


def test_a_plan_is_one_json_document_for_programs_and_the_file_holds_the_same(document, folder):
    plan = document("plan", "job.toml", "--out", "plan.json")
    assert plan == json.loads((folder / "plan.json").read_text())
    assert plan["kind"] == "distillation"


def test_a_plan_that_cannot_work_is_shown_and_exits_with_2(run, folder, job_file):
    (folder / "job.toml").write_text(job_file.replace("local-bucket", "no-such-bucket"))
    code, printed, said = run("plan", "job.toml")
    assert code == 2
    assert "STOP  no-bucket" in printed
    assert said == "Error: This plan cannot work: no-bucket (see above).\n"


def test_a_plan_whose_cost_is_unknown_does_not_fit_a_budget(run, document, folder):
    code, _, said = run("plan", "job.toml", "--max-cost-usd", "1000")
    assert code == 3
    assert "unknown" in said
    assert document("plan", "job.toml", "--max-cost-usd", "1000", code=3)["name"] == "triage"


@pytest.mark.parametrize("limit", ["nan", "-1", "much"])
def test_a_budget_must_be_a_number(run, limit):
    code, _, said = run("plan", "job.toml", "--max-cost-usd", limit)
    assert code in (2, 3)
    assert said


def test_prices_of_ones_own_are_laid_over_the_catalog(document, folder):
    (folder / "mine.toml").write_text(PRICES)
    plan = document("plan", "job.toml", "--catalog", "mine.toml")
    assert [line["unit_usd"] for line in plan["estimate"]["lines"]][:2] == [0.5, 0.5]


@pytest.mark.parametrize(
    ("break_it", "says"),
    [
        (lambda folder: (folder / "job.toml").unlink(), "No such file"),
        (lambda folder: (folder / "job.toml").write_text("name = 1"), "exactly one table"),
        (lambda folder: (folder / "job.toml").write_bytes(b"\xff"), "Could not read"),
        (lambda folder: (folder / "prompts.jsonl").unlink(), "job.toml: Prompts cannot be made: path"),
        (lambda folder: (folder / "prompts.jsonl").write_text("{}\n" * 200), "prompts.jsonl:1"),
        (
            lambda folder: _edit(folder / "job.toml", "distill/", "dt=1/"),
            "letters, digits",
        ),
    ],
)
def test_what_is_wrong_with_a_spec_or_its_data_is_said_and_exits_with_2(run, folder, break_it, says):
    break_it(folder)
    code, printed, said = run("plan", "job.toml")
    assert (code, printed) == (2, "")
    assert said.startswith("Error: ")
    assert says in said
    assert "Traceback" not in said


def test_a_plan_that_cannot_be_written_is_an_error_and_no_traceback(run, folder):
    code, printed, said = run("plan", "job.toml", "--out", "absent/plan.json")
    assert code == 2
    assert printed.startswith("Plan triage")
    assert said.startswith("Error: Could not write 'absent/plan.json'")


# apply


def test_money_needs_consent_and_a_pipe_cannot_give_it(run, document):
    code, printed, said = run("apply", "job.toml")
    assert (code, printed) == (2, "")
    assert "--yes" in said
    assert document("jobs", "list") == []


def test_a_process_without_any_input_is_not_asked_either(run, monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    assert run("apply", "job.toml")[0] == run("models", "delete", "x")[0] == 2


@pytest.mark.parametrize(("answer", "ends"), [("n\n", (130, 0)), ("", (130, 0)), ("y\n", (0, 1))])
def test_on_a_terminal_the_plan_is_shown_and_the_question_asked_even_if_quiet(
    run, document, monkeypatch, answer, ends
):
    terminal = io.StringIO(answer)
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stdin", terminal)
    left, printed, said = run("apply", "job.toml", "--quiet")
    assert "Plan triage" in said
    assert "costs money. Go on? [y/N]" in said
    assert (left, printed.count("\n")) == ends
    assert len(document("jobs", "list")) == ends[1]


def test_a_job_is_applied_waited_for_and_told_by_phase(run):
    code, printed, said = run("apply", "job.toml", "--yes", "--wait")
    assert code == 0
    arn, status, model = printed.split()
    assert ":model-customization-job/" in arn
    assert status == "Completed"
    assert ":custom-model/" in model
    assert "made  Create the distillation job triage-" in said
    assert ": Completed" in said


def test_quiet_says_nothing_but_the_result(run):
    code, printed, said = run("apply", "job.toml", "--yes", "--wait", "--quiet")
    assert (code, said) == (0, "")
    assert len(printed.split()) == 3


@pytest.mark.parametrize("name", ["plan.json", "my plan ü", "plan"])
def test_a_plan_file_of_any_name_is_applied_from_any_folder(run, document, folder, monkeypatch, name):
    run("plan", "job.toml", "--out", name)
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    done = document("apply", f"../{name}", "--yes", "--wait")
    assert done["status"] == "Completed"
    again = document("apply", f"../{name}", "--yes", "--wait")
    assert again == done


def test_a_plan_is_applied_in_its_own_region_unless_another_is_asked_for(run, document, cloud):
    run("plan", "job.toml", "--out", "plan.json", "--region", "us-east-1")
    cloud.region = "us-west-2"  # as if AWS_REGION said so
    assert document("apply", "plan.json", "--yes")["arn"].split(":")[3] == "us-east-1"
    code, _, said = run("apply", "plan.json", "--yes", "--region", "us-west-2")
    assert code == 2
    assert "us-west-2" in said


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda text: text.replace("triage", "triumph"), "was changed"),
        (lambda text: text[:-20], "not a plan"),
        (lambda text: text.replace('"version": 1', '"version": 7'), "version 7"),
    ],
)
def test_a_plan_file_that_was_tampered_with_is_refused(run, folder, change, says):
    run("plan", "job.toml", "--out", "plan.json")
    path = folder / "plan.json"
    path.write_text(change(path.read_text()))
    code, printed, said = run("apply", "plan.json", "--yes")
    assert (code, printed) == (2, "")
    assert says in said


@pytest.mark.parametrize("name", ["absent.json", "absent.toml", "."])
def test_a_file_that_is_not_there_is_named(run, name):
    code, _, said = run("apply", name, "--yes")
    assert code == 2
    assert name in said


def test_a_plan_that_cannot_work_is_refused_before_anybody_is_asked_for_money(run, folder, job_file):
    (folder / "job.toml").write_text(job_file.replace("local-bucket", "no-such-bucket"))
    code, _, said = run("apply", "job.toml")
    assert code == 2
    assert "no-bucket" in said
    assert "--force" in said


def test_a_time_to_wait_without_waiting_is_a_slip(run):
    code, _, said = run("apply", "job.toml", "--yes", "--timeout", "1h")
    assert code == 2
    assert "--wait" in said


@pytest.mark.parametrize("text", ["0", "-1m", "nan", "inf", "soon", ""])
def test_a_duration_is_a_number_above_zero_with_a_unit(run, text):
    code, _, said = run("jobs", "wait", "x", "--timeout", text)
    assert code == 2
    assert "duration" in said


@pytest.mark.parametrize("trainer", [train_badly])
def test_a_job_that_fails_exits_with_1_says_why_and_still_prints_its_one_document(run, document):
    failed = document("apply", "job.toml", "--yes", "--wait", code=1)
    assert failed["status"] == "Failed"
    assert failed["reason"]
    code, printed, said = run("jobs", "wait", failed["arn"])
    assert code == 1
    assert "Failed" in printed
    assert failed["reason"].rstrip(".") in said
    assert document("jobs", "wait", failed["arn"], code=1)["reason"] == failed["reason"]
    assert failed["reason"] in run("jobs", "show", failed["arn"])[1]


@pytest.fixture
def stuck(monkeypatch):
    """Jobs that never end, as far as anybody can see."""
    describe = DistillationJob.describe

    def described(self):
        return describe(self) | {"status": "InProgress"}

    monkeypatch.setattr(DistillationJob, "describe", described)


def test_a_wait_that_runs_out_exits_with_4_and_still_prints_what_to_pick_up(run, document, stuck):
    late = document("apply", "job.toml", "--yes", "--wait", "--timeout", "5s", code=4)
    assert late["status"] == "InProgress"
    assert document("jobs", "wait", late["arn"], "--timeout", "5s", code=4) == {
        "arn": late["arn"],
        "status": "InProgress",
        "model_arn": None,
        "reason": "",
    }
    code, printed, said = run("jobs", "wait", late["arn"], "--timeout", "5s")
    assert code == 4
    assert late["arn"] in printed
    assert f"bedrock-distill jobs wait {late['arn']}" in said


def test_what_aws_refuses_exits_with_5(run, cloud):
    cloud.faults.add(Fault(operation="CreateModelCustomizationJob", code="ServiceQuotaExceededException"))
    code, printed, said = run("apply", "job.toml", "--yes")
    assert (code, printed) == (5, "")
    assert "Service Quotas" in said


def test_an_interrupted_apply_exits_with_130_and_says_that_it_can_go_on(run, cloud, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(DistillationJob, "describe", interrupted)
    code, printed, said = run("apply", "job.toml", "--yes", "--wait")
    assert (code, printed) == (130, "")
    assert "apply again" in said


def test_verbose_tells_what_is_tried_again(run, cloud):
    cloud.faults.add(Fault(operation="ListModelCustomizationJobs", status=503))
    quiet = run("jobs", "list", "-q")
    loud = run("jobs", "list", "-v")
    assert quiet[0] == loud[0] == 5
    assert "trying again" not in quiet[2]
    assert loud[2].count("trying again") == 5
