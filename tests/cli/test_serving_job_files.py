"""Every table of job files through `plan` and `apply`, and what the two say of them."""

from __future__ import annotations

import shutil

import pytest

from bedrock_distill.resources.jobfile import TABLES


@pytest.fixture
def elsewhere(student_dir, folder, monkeypatch):
    """Job files and the model beside them; commands are run in another folder, so that only the file's own counts."""
    shutil.copytree(student_dir, folder / "student")
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    return folder


@pytest.fixture
def write(elsewhere):
    """Write a job file; returns its path from where commands are run."""

    def write(text):
        (elsewhere / "serve.toml").write_text(text)
        return "../serve.toml"

    return write


IMPORT = """\
[import]
name = "triage"
model = "student"
staging = "s3://local-bucket/"
tags = { team = "triage" }
"""
ENDPOINT = """\
[endpoint]
name = "triage"
model = "student"
staging = "s3://local-bucket/"
instance = "ml.g6.xlarge"

[endpoint.container]
kind = "vllm"
concurrency = 4
served_name = "student"

[endpoint.container.speculation]
method = "ngram"
tokens = 2

[endpoint.scaling]
minimum = 1
maximum = 3

[endpoint.rollout]
batch_percent = 25
alarms = ["errors"]
"""


def requests(plan):
    """What a plan asks AWS, by what it makes."""
    return {step["kind"]: step["request"] for step in plan["steps"] if "request" in step}


def test_a_directory_is_imported_from_a_job_file(run, document, write):
    path = write(IMPORT)
    assert document("plan", path)["kind"] == "import"
    done = document("apply", path, "--yes", "--wait")
    assert done["status"] == "Completed"
    assert document("import", "list")[0]["modelArn"] == done["model_arn"]
    _, printed, _ = run("apply", path, "--wait")  # there is nothing left to pay for
    assert printed.split() == [done["arn"], "Completed", done["model_arn"]]


def test_an_endpoint_is_made_and_updated_from_a_job_file(document, write):
    path = write(ENDPOINT)
    steps = requests(document("plan", path))
    environment = steps["SageMaker model"]["PrimaryContainer"]["Environment"]
    assert environment["SM_VLLM_SERVED_MODEL_NAME"] == "student"
    assert '"ngram"' in environment["SM_VLLM_SPECULATIVE_CONFIG"]
    done = document("apply", path, "--yes", "--wait")
    assert done["status"] == "InService"
    serves = document("endpoints", "show", "triage")["EndpointConfigName"]
    changed = document("apply", write(ENDPOINT.replace("= 4", "= 5")), "--yes", "--wait")
    assert changed["arn"] == done["arn"]
    assert document("endpoints", "show", "triage")["EndpointConfigName"] != serves
    parts = document("endpoints", "delete", "triage")["parts"]
    assert "scaling of endpoint/triage/variant/AllTraffic" in parts


def test_an_asynchronous_endpoint_in_a_vpc_is_planned_from_a_job_file(document, write):
    asked = ENDPOINT.replace('[endpoint.rollout]\nbatch_percent = 25\nalarms = ["errors"]\n', "")
    plan = document(
        "plan",
        write(
            asked
            + '[endpoint.asynchronous]\noutput = "s3://local-bucket/answers"\n'
            + '[endpoint.vpc]\nsubnet_ids = ["subnet-1"]\nsecurity_group_ids = ["sg-1"]\n'
        ),
    )
    steps = requests(plan)
    assert steps["SageMaker model"]["VpcConfig"] == {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
    assert "AsyncInferenceConfig" in steps["endpoint configuration"]


def test_throughput_is_bought_from_a_job_file(document, model, write):
    path = write(f'[provisioned]\nmodel = "{model}"\nname = "triage"\naccept_hourly_cost = true\nunits = 2\n')
    assert document("plan", path)["facts"]["units"] == "2"
    done = document("apply", path, "--yes", "--wait")
    assert done["status"] == "InService"
    assert document("provisioned", "list")[0]["modelUnits"] == 2


def test_a_model_is_copied_from_a_job_file(document, model, write):
    path = write(f'[copy]\nmodel = "{model}"\nname = "west"\n')
    done = document("apply", path, "--yes", "--wait", "--region", "us-west-2")
    assert (done["status"], ":us-west-2:" in done["model_arn"]) == ("Completed", True)


def test_a_deployment_is_made_from_a_job_file(document, model, write):
    path = write(f'[deployment]\nmodel = "{model}"\n')
    assert document("apply", path, "--wait")["status"] == "Active"


@pytest.mark.parametrize("command", ["plan", "apply"])
def test_the_help_names_every_table(run, command):
    _, printed, _ = run(command, "--help")
    assert [name for name in TABLES if f"[{name}]" not in printed] == []
