"""Serving from the command line: endpoints, imports, provisioned throughput and copies, and talking to what answers."""

from __future__ import annotations

import shutil

import pytest

from bedrock_distill.errors import WaitTimeoutError
from bedrock_distill.local import Fault
from bedrock_distill.local.services.sagemaker_runtime.routing import NO_CAPACITY
from bedrock_distill.resources import LiveEndpoint

ENDPOINT = "arn:aws:sagemaker:us-east-1:123456789012:endpoint/"


@pytest.fixture
def student(student_dir, folder):
    """A model's directory, by a relative path."""
    shutil.copytree(student_dir, folder / "student")
    return "student"


@pytest.fixture
def create(student):
    """Words of a command that makes an endpoint."""

    def words(*more, name="triage"):
        return ("endpoints", "create", student, "--name", name, "--staging", "s3://local-bucket/", *more)

    return words


# endpoints


def test_an_endpoint_is_planned_created_watched_and_deleted(run, document, create):
    dry = document(*create("--dry-run"))
    assert dry["kind"] == "endpoint"
    assert document("endpoints", "list") == []
    code, printed, said = run(*create())
    assert (code, printed) == (2, "")
    assert "--yes" in said

    code, printed, said = run(*create("--yes"))
    assert (code, printed) == (0, f"{ENDPOINT}triage\n")
    assert "made  Create the endpoint triage" in said
    assert "triage: InService" in said
    (listed,) = document("endpoints", "list", "--name", "tria")
    assert (listed["EndpointName"], listed["EndpointStatus"]) == ("triage", "InService")
    assert run("endpoints", "list")[1].splitlines()[0].split() == ["endpoint", "status", "created", "arn"]
    assert document("endpoints", "show", "triage")["EndpointArn"] == f"{ENDPOINT}triage"
    assert "InService" in run("endpoints", "show", f"{ENDPOINT}triage")[1]
    settled = {"arn": f"{ENDPOINT}triage", "status": "InService", "reason": ""}
    assert document("endpoints", "wait", "triage") == settled
    (line,) = document("endpoints", "logs", "triage", "--limit", "1")
    assert run("endpoints", "logs", "triage", "--limit", "1")[1] == f"{line}\n"

    gone = document("endpoints", "delete", "triage")
    assert gone["deleted"] == f"{ENDPOINT}triage"
    assert [part.rpartition(" ")[0] for part in gone["parts"]] == [
        "endpoint",
        "endpoint configuration",
        "model",
    ]
    assert document("endpoints", "list") == []


def test_the_same_name_with_other_settings_is_an_update_and_without_does_nothing(run, document, create):
    before = document(*create("--yes", "--concurrency", "2"))
    serves = document("endpoints", "show", "triage")["EndpointConfigName"]
    assert document(*create("--concurrency", "2")) == before  # nothing that costs money is left to do
    assert document("endpoints", "show", "triage")["EndpointConfigName"] == serves
    after = document(*create("--yes", "--concurrency", "4", "--rollout-percent", "50", "--alarm", "errors"))
    assert after == before
    assert document("endpoints", "show", "triage")["EndpointConfigName"] != serves
    assert document("endpoints", "list")[0]["EndpointArn"] == before["arn"]


def test_what_updates_have_left_is_listed_and_deleted_beside_what_serves(run, document, create):
    document(*create("--yes", "--context", "256"))
    former = document("endpoints", "show", "triage")["EndpointConfigName"]
    document(*create("--yes", "--context", "512"))
    items = {(item["kind"], item["status"], item["bills"], item["made_by"]) for item in document("ls")}
    assert items == {
        ("endpoint", "InService", "the hour, used or not", "triage"),
        ("SageMaker endpoint configuration", "unused", "nothing", "triage"),
        ("SageMaker model", "unused", "nothing", "triage"),
    }
    gone = document("endpoints", "delete", "triage", "--unused")
    assert gone["parts"][0] == f"endpoint configuration {former}"
    assert len(gone["parts"]) == 2
    assert [item["kind"] for item in document("ls")] == ["endpoint"]
    assert document("endpoints", "delete", "triage", "--unused") == {"deleted": None, "parts": []}


def test_an_endpoint_answers_by_its_arn_and_by_its_short_name(run, document, create):
    made = document(*create("--yes", "--container", "vllm", "--context", "512", "--set", "MARK=a=b"))
    ask = ("Hello", "--max-tokens", "4", "--temperature", "0")
    whole = document("chat", made["arn"], *ask)
    assert whole["text"]
    code, printed, _ = run("chat", "endpoint/triage", *ask)
    assert (code, printed) == (0, whole["text"] + "\n")


def test_an_endpoint_that_scales_to_zero_is_woken_and_takes_its_scaling_with_it(run, document, create, cloud):
    document(*create("--yes", "--min", "0", "--max", "1", "--requests-each", "3"))
    assert document("chat", "endpoint/triage", "Hello", "--max-tokens", "2")["usage"]["output_tokens"] == 2
    cloud.clock.sleep(900)
    code, _, said = run("chat", "endpoint/triage", "Hello", "--max-tokens", "2")
    assert (code, "scaled to zero and is being woken" in said, "of at most 900" in said) == (0, True, True)
    cloud.faults.add(Fault(code="ValidationError", message=NO_CAPACITY, service="sagemaker-runtime"))
    code, _, said = run("chat", "endpoint/triage", "Hello", "--wake-timeout", "2m")
    assert (code, "of at most 120" in said, "--wake-timeout" in said) == (5, True, True)
    _, printed, _ = run("endpoints", "delete", f"{ENDPOINT}triage")
    assert "Deleted the scaling of inference-component/triage" in printed
    assert "Deleted the inference component triage" in printed
    assert "Deleted the endpoint triage" in printed


def test_options_become_the_fields_of_the_plan(document, create):
    words = create(
        "--dry-run",
        *("--container", "tgi", "--quantize", "eetq", "--instance", "ml.g6.xlarge", "--instances", "2"),
        *("--tensor-parallel", "1", "--dtype", "float16", "--context", "256", "--concurrency", "3"),
        *("--min", "1", "--max", "4", "--async-output", "s3://local-bucket/answers"),
        *("--network-isolation", "--set", "LOG_LEVEL=debug", "--container-version", "3.3.6"),
    )
    steps = {step["kind"]: step["request"] for step in document(*words)["steps"] if "request" in step}
    container = steps["SageMaker model"]["PrimaryContainer"]
    assert "-tgi3.3.6-" in container["Image"]
    expected = {
        "SM_NUM_GPUS": "1",
        "HF_MODEL_QUANTIZE": "eetq",
        "DTYPE": "float16",
        "MAX_TOTAL_TOKENS": "256",
        "LOG_LEVEL": "debug",
    }
    assert container["Environment"].items() >= expected.items()
    assert steps["SageMaker model"]["EnableNetworkIsolation"] is True
    (variant,) = steps["endpoint configuration"]["ProductionVariants"]
    assert (variant["InstanceType"], variant["InitialInstanceCount"]) == ("ml.g6.xlarge", 2)
    later = steps["endpoint configuration"]["AsyncInferenceConfig"]
    assert later["OutputConfig"]["S3OutputPath"] == "s3://local-bucket/answers/"
    assert later["ClientConfig"]["MaxConcurrentInvocationsPerInstance"] == 3


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--set", "COLOUR"), "is not KEY=VALUE"),
        (("--set", "HF_MODEL_ID=gpt2"), "HF_MODEL_ID cannot be set by hand"),
        (("--container", "vllm", "--quantize", "eetq"), "'fp8' or 'bitsandbytes'"),
        (("--container", "triton"), "triton"),
        (("--container-version", "0.1"), "0.1"),
        (("--min", "3"), "minimum 3 is above maximum 2"),
        (("--requests-each", "0"), "requests-each"),
        (("--rollout-percent", "60"), "5<=x<=50"),
        (("--async-output", "s3://local-bucket/", "--alarm", "errors"), "leave rollout out"),
        (("--instances", "0"), "x>=1"),
        (("--role", "host"), "role's own ARN"),
        (("--staging", "s3://no-such-bucket/"), "no-bucket"),
        (("--context", "999999"), "999,999"),
    ],
)
def test_an_endpoint_that_cannot_work_is_refused_before_anything_is_made(run, cloud, create, more, says):
    code, printed, said = run(*create("--yes", *more))
    assert (code, printed) == (2, "")
    assert says in said
    assert not [call for call in cloud.calls if call.operation.startswith(("Create", "Put"))]


def test_a_model_that_is_not_there_or_has_nowhere_to_go_is_refused(run, student):
    code, _, said = run("endpoints", "create", "absent", "--name", "triage")
    assert (code, "no such directory" in said) == (2, True)
    code, _, said = run("endpoints", "create", student, "--name", "triage")
    assert (code, "say where to stage it" in said) == (2, True)
    assert run("endpoints", "create", student, "--staging", "s3://local-bucket/")[0] == 2  # without a name


def test_an_endpoint_that_fails_exits_with_1_says_why_and_its_log_can_be_read(run, document, create):
    failed = document(*create("--yes", "--container", "vllm", "--set", "SM_VLLM_QUANTIZATION=int3"), code=1)
    assert (failed["arn"], failed["status"]) == (f"{ENDPOINT}triage", "Failed")
    assert "health check" in failed["reason"]
    code, _, said = run("endpoints", "wait", "triage")
    assert code == 1
    assert f"bedrock-distill endpoints logs {ENDPOINT}triage" in said
    assert "int3" in run("endpoints", "logs", failed["arn"])[1]
    code, _, said = run(*create("--yes"))
    assert (code, "endpoint-failed" in said) == (2, True)


def test_an_update_that_is_rolled_back_exits_with_1_and_what_served_serves_on(document, create):
    made = document(*create("--yes", "--container", "vllm"))
    serves = document("endpoints", "show", "triage")["EndpointConfigName"]
    broken = create("--yes", "--container", "vllm", "--set", "SM_VLLM_QUANTIZATION=int3")
    failed = document(*broken, code=1)
    assert (failed["arn"], failed["status"]) == (made["arn"], "InService")
    assert "rolled back" in failed["reason"]
    assert document("endpoints", "show", "triage")["EndpointConfigName"] == serves
    assert document("chat", made["arn"], "Hello", "--max-tokens", "2")["text"]


def test_a_wait_for_an_endpoint_that_runs_out_exits_with_4_and_what_aws_refuses_with_5(
    run, document, create, cloud, monkeypatch
):
    cloud.faults.add(Fault(operation="CreateEndpoint", code="ResourceLimitExceeded"))
    code, printed, said = run(*create("--yes"))
    assert (code, printed) == (5, "")
    assert "ResourceLimitExceeded" in said
    cloud.faults.clear()
    described = LiveEndpoint.describe
    monkeypatch.setattr(
        LiveEndpoint, "describe", lambda self: described(self) | {"EndpointStatus": "Creating"}
    )
    late = document(*create("--yes", "--timeout", "5s"), code=4)
    assert late == {"arn": f"{ENDPOINT}triage", "status": "Creating", "reason": ""}
    assert document(*create("--yes", "--no-wait")) == {"arn": f"{ENDPOINT}triage", "status": "Creating"}


def test_a_deletion_that_runs_out_of_time_says_what_has_gone_and_what_is_going(run, document, monkeypatch):
    def too_long(self, *, timeout_s, on_change):
        on_change("scaling of it", "Deleted")
        on_change("endpoint triage", "Updating")
        on_change("endpoint triage", "Deleting")
        raise WaitTimeoutError(f"The endpoint triage is still Deleting after {timeout_s:g} s.")

    monkeypatch.setattr(LiveEndpoint, "delete", too_long)
    late = document("endpoints", "delete", "triage", "--timeout", "9s", code=4)
    assert late == {"deleted": None, "parts": ["scaling of it"], "going": {"endpoint triage": "Deleting"}}
    code, printed, said = run("endpoints", "delete", "triage", "--timeout", "9s")
    assert (code, "after 9 s" in said) == (4, True)
    assert printed.splitlines() == ["Deleted the scaling of it", "Still Deleting: the endpoint triage"]


def test_an_endpoint_that_is_not_there_exits_with_5_and_deleting_it_claims_nothing(run, document):
    for command in ("show", "wait", "logs"):
        code, _, said = run("endpoints", command, "absent")
        assert (code, "endpoints list" in said) == (5, True)
    assert document("endpoints", "delete", "absent") == {"deleted": None, "parts": []}
    assert "nothing was deleted" in run("endpoints", "delete", "absent")[2]
    assert run("chat", "endpoint/absent", "Hello")[0] == 5


def test_an_arn_of_something_else_or_of_elsewhere_exits_with_2(run, model):
    code, _, said = run("endpoints", "show", model)
    assert (code, "a custom model, not an endpoint" in said) == (2, True)
    elsewhere = f"{ENDPOINT}triage".replace("us-east-1", "eu-west-1")
    for words in (("endpoints", "delete", elsewhere), ("chat", elsewhere, "Hello")):
        code, _, said = run(*words)
        assert (code, "--region eu-west-1" in said) == (2, True)
    code, _, said = run("chat", elsewhere.replace("endpoint/", "model/"), "Hello")
    assert (code, "sagemaker model" in said) == (2, True)


# models that are imported


def test_a_model_is_imported_listed_and_deleted(run, document, student):
    words = ("import", student, "--staging", "s3://local-bucket/", "--name", "triage")
    assert document(*words, "--dry-run")["kind"] == "import"
    assert run(*words)[0] == 2  # nobody has agreed to pay
    made = document(*words, "--yes")
    assert made["status"] == "Completed"
    (listed,) = document("import", "list")
    assert listed["modelArn"] == made["model_arn"]
    (job,) = document("import", "jobs", "--name", "triage")
    assert document("import", "show", job["jobName"])["jobArn"] == made["arn"]
    assert document("import", "show", listed["modelName"])["modelArn"] == made["model_arn"]
    assert document("import", "wait", job["jobName"]) == made
    assert run("import", "show", "absent")[0] == 5
    assert run("import", "delete", listed["modelName"])[0] == 2
    assert document("import", "delete", listed["modelName"], "--yes") == {"deleted": made["model_arn"]}
    assert document("import", "delete", listed["modelName"], "--yes") == {"deleted": None}
    assert document("import", "abandon", "s3://local-bucket/") == {"abandoned": 0}


def test_a_model_that_must_be_loaded_first_is_waited_for_and_that_is_said(run, document, cloud, student):
    words = ("import", student, "--staging", "s3://local-bucket/", "--name", "triage", "--yes")
    arn = document(*words)["model_arn"]
    code, printed, said = run("chat", arn, "Hello", "--max-tokens", "4", "--temperature", "0")
    assert code == 0
    assert printed.strip()
    assert "The model is being loaded" in said
    assert "being loaded" not in run("chat", arn, "Hello", "--max-tokens", "4")[2]  # it is by now
    for option, times in (("--no-stream", 1), ("--quiet", 0), ("--verbose", 1)):
        loading = Fault(service="bedrock-runtime", code="ModelNotReadyException", times=1)
        cloud.faults.add(loading)
        code, _, said = run("chat", arn, "Hello", "--max-tokens", "4", option)
        assert (code, said.count("is being loaded (") + said.count("is being loaded, ")) == (0, times)
        assert cloud.faults.struck(loading) == 1


def test_other_failures_are_tried_again_without_a_word(run, document, cloud, student):
    words = ("import", student, "--staging", "s3://local-bucket/", "--name", "triage", "--yes")
    arn = document(*words)["model_arn"]
    run("chat", arn, "Hello", "--max-tokens", "4")
    cloud.faults.add(Fault(service="bedrock-runtime", code="ThrottlingException", times=1))
    code, _, said = run("chat", arn, "Hello", "--max-tokens", "4")
    assert (code, "Throttling" in said) == (0, False)


# provisioned throughput


def test_throughput_is_bought_with_consent_listed_renamed_and_ended(run, document, model):
    words = ("provisioned", model, "--name", "triage", "--accept-hourly-cost")
    assert document(*words, "--dry-run")["kind"] == "provisioned"
    code, _, said = run(*words[:-1], "--yes")
    assert (code, "accept" in said) == (2, True)
    made = document(*words, "--yes")
    assert made == {"arn": made["arn"], "status": "InService", "reason": ""}
    (listed,) = document("provisioned", "list")
    name = listed["provisionedModelName"]
    assert document("provisioned", "show", name)["provisionedModelArn"] == made["arn"]
    assert document("provisioned", "wait", made["arn"]) == made
    assert document("provisioned", "update", name, "--name", "renamed") == made
    assert run("provisioned", "update", "renamed")[0] == 2  # nothing to change
    assert document("provisioned", "delete", "renamed") == {"deleted": made["arn"]}
    assert document("provisioned", "delete", "renamed") == {"deleted": None}
    assert run("provisioned", "show", "renamed")[0] == 5


# copies


def test_a_model_is_copied_to_another_region_and_waited_for(run, document, model):
    words = ("models", "copy", model, "--name", "west", "--region", "us-west-2")
    assert document(*words, "--dry-run")["kind"] == "copy"
    code, _, said = run(*words)
    assert (code, "--yes" in said) == (2, True)
    made = document(*words, "--yes")
    assert (made["status"], ":us-west-2:" in made["model_arn"]) == ("Completed", True)
    assert document("models", "wait-copy", made["arn"], "--region", "us-west-2") == made
    assert document(*words, "--yes") == made
    assert [item["modelArn"] for item in document("models", "list", "--region", "us-west-2")] == [
        made["model_arn"]
    ]
    code, _, said = run("models", "wait-copy", made["arn"])
    assert (code, "--region us-west-2" in said) == (2, True)
    code, _, said = run("models", "wait-copy", model)
    assert (code, "not a model copy job" in said) == (2, True)


def test_a_copy_that_cannot_work_is_refused(run, model):
    code, _, said = run("models", "copy", model, "--yes")
    assert (code, "copy-here" in said) == (2, True)
    code, _, said = run("models", "copy", "my-model", "--region", "us-west-2", "--yes")
    assert (code, "ARN of a custom model" in said) == (2, True)


def test_the_words_of_a_container_that_failed_outlive_its_endpoint(run, create):
    code, _, said = run(
        *create("--yes", "--container", "vllm", "--min", "0", "--set", "SM_VLLM_QUANTIZATION=int3")
    )
    assert (code, "is Failed" in said) == (1, True)
    assert run("endpoints", "show", "triage")[0] == 5  # taken back
    assert "int3" in run("endpoints", "logs", "triage")[1]
