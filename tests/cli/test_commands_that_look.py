"""Looking at, waiting for and removing what is there; the catalog; and what holds for every command."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

MAIN = "from bedrock_distill.cli.main import main; main()"
TEACHER = "amazon.nova-pro-v1:0"

# jobs


def test_jobs_are_listed_shown_and_filtered(run, document):
    assert run("jobs", "list")[1] == "(no job)\n"
    done = document("apply", "job.toml", "--yes", "--wait")
    (listed,) = document("jobs", "list", "--status", "Completed")
    assert listed["jobArn"] == done["arn"]
    assert document("jobs", "list", "--name", "nothing") == []
    _, table, _ = run("jobs", "list")
    assert table.splitlines()[0].split() == ["job", "status", "created", "arn"]
    shown = document("jobs", "show", listed["jobName"], "--artifacts")
    assert shown["jobArn"] == done["arn"]
    assert any(uri.endswith(".csv") for uri in shown["artifacts"])
    _, text, _ = run("jobs", "show", done["arn"], "--artifacts")
    assert "training loss    0.5000" in text
    assert "s3://local-bucket/distill/" in text


def test_a_job_that_is_not_there_exits_with_5_and_one_that_is_none_with_2(run, model):
    code, _, said = run("jobs", "show", "absent")
    assert (code, "see `bedrock-distill jobs list`" in said) == (5, True)
    code, _, said = run("jobs", "show", model)
    assert code == 2
    assert "custom model" in said
    elsewhere = model.replace("us-east-1", "eu-west-1").replace("custom-model", "model-customization-job")
    code, _, said = run("jobs", "wait", elsewhere)
    assert code == 2
    assert "--region eu-west-1" in said


def test_a_job_that_is_over_cannot_be_stopped(run, document):
    done = document("apply", "job.toml", "--yes", "--wait")
    code, printed, said = run("jobs", "stop", done["arn"])
    assert (code, printed) == (5, "")
    assert "ConflictException" in said


# models and deployments


def test_models_are_listed_shown_and_deleted(run, document, model):
    (listed,) = document("models", "list")
    assert listed["modelArn"] == model
    assert document("models", "show", listed["modelName"])["modelArn"] == model
    assert model in run("models", "show", model)[1]
    code, printed, said = run("models", "delete", model)
    assert (code, printed) == (2, "")
    assert "--yes" in said
    assert document("models", "delete", model, "--yes") == {"deleted": model}
    assert document("models", "list") == []
    assert run("models", "delete", model, "--yes")[0] == 5


def test_a_model_is_deployed_shown_waited_for_and_removed(run, document, model):
    dry = document("deploy", model, "--dry-run")
    assert dry["kind"] == "deployment"
    assert document("deploy", "list") == []
    made = document("deploy", model)
    assert made["status"] == "Active"
    assert document("deploy", model) == made
    (listed,) = document("deploy", "list")
    name = listed["customModelDeploymentName"]
    assert document("deploy", "show", name)["customModelDeploymentArn"] == made["arn"]
    assert "Active" in run("deploy", "show", made["arn"])[1]
    assert document("deploy", "wait", name) == {
        "arn": made["arn"],
        "status": "Active",
        "model_arn": model,
        "reason": "",
    }
    assert document("deploy", "update", name, model) == {
        "arn": made["arn"],
        "status": "Active",
        "model_arn": model,
        "reason": "",
    }
    assert document("deploy", "delete", name) == {"deleted": made["arn"]}
    assert document("deploy", "list") == []


def test_deleting_a_deployment_that_is_not_there_does_not_claim_to_have_deleted_it(run, document):
    assert document("deploy", "delete", "absent") == {"deleted": None}
    code, printed, said = run("deploy", "delete", "absent")
    assert code == 0
    assert "Deleted" not in printed
    assert "absent" in said


def test_a_model_that_cannot_be_deployed_is_refused_with_the_reason(run, model):
    assert run("deploy", "triage")[0] == 2
    code, printed, said = run("deploy", model.replace("us-east-1", "us-west-2"))
    assert (code, printed) == (2, "")
    assert "model-elsewhere" in said
    code, _, said = run("deploy", model[:-12] + "zzzzzzzzzzzz")
    assert code == 2
    assert "no-model" in said


# catalog and the whole


@pytest.mark.parametrize("table", ["models", "pairs", "quotas", "prices"])
def test_the_catalog_is_a_table_or_one_document(run, document, table):
    assert isinstance(document("catalog", table), list)
    code, printed, said = run("catalog", table)
    assert (code, said) == (0, "")
    assert printed


def test_the_catalog_knows_a_teacher_or_suggests_one(run, document):
    assert {row["teacher"] for row in document("catalog", "pairs", "--teacher", f"us.{TEACHER}")} == {TEACHER}
    code, _, said = run("catalog", "pairs", "--teacher", "amazon.nova-por-v1:0")
    assert code == 2
    assert f"Did you mean {TEACHER}" in said


def test_an_unknown_command_or_option_exits_with_2(run):
    assert run("destil")[0] == 2
    assert run("plan", "job.toml", "--colour")[0] == 2


def test_a_reader_that_leaves_early_changes_no_exit_code(folder):
    """As in `bedrock-distill catalog models | head -0`, under pipefail."""
    read, write = os.pipe()
    os.close(read)
    ran = subprocess.run(
        [sys.executable, "-c", MAIN, "catalog", "models", "--output", "json"],
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(write)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_colour_is_for_terminals_that_want_it(monkeypatch):
    from bedrock_distill.cli.common import table

    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[1m" in table([("a",)], ("x",))
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in table([("a",)], ("x",))
