from __future__ import annotations

import csv
import gzip
import io
import json
import runpy
import threading
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from bedrock_distill.errors import JobFailedError
from bedrock_distill.local.services.bedrock.training import budget_for
from bedrock_distill.local.students import weights_dir
from bedrock_distill.local.teachers import FunctionTeacher
from bedrock_distill.local.world import TrainingSettings

_stage = runpy.run_path(str(Path(__file__).parent / "bedrock_stage.py"))
open_stage, TEACHER, STUDENT = _stage["open_stage"], _stage["TEACHER"], _stage["STUDENT"]


@pytest.fixture(scope="module")
def shared():
    with open_stage() as stage:
        yield stage


@pytest.fixture
def stage(shared):
    yield shared.empty().ready()
    if shared.trainer.gate is not None:
        shared.trainer.gate.set()
    shared.cloud.clock.mode = "instant"


def phases(job):
    details = job["statusDetails"]
    return tuple(details[f"{name}Details"]["status"] for name in ("validation", "dataProcessing", "training"))


def failure(stage, **changes):
    stage.create(**changes)
    job = stage.finish()
    assert job["status"] == "Failed"
    return job


# The way through -----------------------------------------------------------------------------------------------


def test_a_job_ends_in_a_custom_model_with_its_losses(stage):
    arn = stage.create()
    job = stage.finish(arn)
    assert job["status"] == "Completed"
    assert phases(job) == ("Completed", "Completed", "Completed")
    assert job["trainingMetrics"] == {"trainingLoss": 0.5}
    assert job["validationMetrics"] == [{"validationLoss": 0.75}]
    assert job["creationTime"] <= job["lastModifiedTime"] <= job["endTime"]
    model = stage.bedrock.get_custom_model(modelIdentifier=job["outputModelArn"])
    assert (model["jobArn"], model["modelName"]) == (arn, "triage-model")
    assert (weights_dir(stage.world, job["outputModelArn"]) / "config.json").is_file()


def test_a_job_is_found_by_name_as_well_as_by_arn(stage):
    arn = stage.create()
    assert stage.job("triage")["jobArn"] == stage.job(arn)["jobArn"] == arn


def test_the_answer_repeats_the_request(stage):
    key = stage.cloud.boto3_session().client("kms").create_key()["KeyMetadata"]["Arn"]
    vpc = {"subnetIds": ["subnet-1"], "securityGroupIds": ["sg-1"]}
    asked = stage.request(vpcConfig=vpc, customModelKmsKeyId=key, clientRequestToken="token-1")
    stage.bedrock.create_model_customization_job(**asked)
    job = stage.finish()
    same = (
        "jobName",
        "roleArn",
        "customizationType",
        "trainingDataConfig",
        "outputDataConfig",
        "customizationConfig",
    )
    assert {name: job[name] for name in (*same, "vpcConfig", "clientRequestToken")} == {
        name: asked[name] for name in (*same, "vpcConfig", "clientRequestToken")
    }
    assert job["outputModelKmsKeyArn"] == key
    assert job["validationDataConfig"] == {"validators": []}
    assert stage.bedrock.get_custom_model(modelIdentifier="triage-model")["modelKmsKeyArn"] == key


def test_under_the_polls_clock_each_describe_shows_one_phase(stage):
    stage.cloud.clock.mode = "polls"
    stage.create()
    seen = [(job["status"], phases(job)) for job in (stage.job() for _ in range(4))]
    assert seen == [
        ("InProgress", ("InProgress", "NotStarted", "NotStarted")),
        ("InProgress", ("Completed", "InProgress", "NotStarted")),
        ("InProgress", ("Completed", "Completed", "InProgress")),
        ("Completed", ("Completed", "Completed", "Completed")),
    ]


@pytest.mark.parametrize("clock", ["instant", "real"])
def test_while_the_student_trains_the_job_says_so_and_has_neither_end_nor_model(stage, clock):
    stage.cloud.clock.mode = clock
    stage.hold().create()
    assert stage.trainer.entered.wait(20)
    job = stage.job()
    assert (job["status"], phases(job)) == ("InProgress", ("Completed", "Completed", "InProgress"))
    assert not {"endTime", "outputModelArn", "failureMessage", "trainingMetrics"} & job.keys()
    stage.trainer.gate.set()
    assert stage.finish()["status"] == "Completed"


def test_jobs_train_one_after_another(stage):
    stage.hold().create("one")
    assert stage.trainer.entered.wait(20)
    stage.create("two")
    assert len(stage.trainer.configs) == 1
    stage.trainer.gate.set()
    assert {stage.finish("one")["status"], stage.finish("two")["status"]} == {"Completed"}
    assert len(stage.trainer.configs) == 2


# Data and artefacts ---------------------------------------------------------------------------------------------


def test_the_student_learns_what_the_teacher_answered_and_the_golden_labels(stage):
    stage.prompts(100, completion="golden", key="in/labelled.jsonl")
    both = stage.read("in/prompts.jsonl") + stage.read("in/labelled.jsonl")
    stage.put("in/both.jsonl", both)
    stage.create(trainingDataConfig={"s3Uri": "s3://acme/in/both.jsonl"})
    stage.finish()
    lines = [json.loads(line) for line in stage.trainer.data.splitlines()]
    completions = [line["messages"][-1]["content"][0]["text"] for line in lines]
    assert completions == [*(f"Answer to: Question {n}?" for n in range(100)), *["golden"] * 100]


def test_the_longest_response_is_kept_to(stage):
    limited = {"teacherModelConfig": {"teacherModelIdentifier": TEACHER, "maxResponseLengthForInference": 2}}
    stage.create(customizationConfig={"distillationConfig": limited})
    stage.finish()
    assert '"Answer t"' in stage.trainer.data


def test_the_artefacts_lie_where_aws_puts_them(stage):
    token = stage.create().rpartition("/")[2]
    stage.finish()
    root = f"out/model-customization-job-{token}"
    assert set(stage.objects("out/")) == {
        "out/.write_access_check_file.temp",
        f"{root}/input_data_report/manifest.report.csv",
        f"{root}/training_artifacts/step_wise_training_metrics.csv",
        f"{root}/validated_data/prompts.jsonl/validated_prompts.jsonl",
        f"{root}/validation_artifacts/post_fine_tuning_validation/validation_metrics.csv",
    }
    assert stage.read(f"{root}/validated_data/prompts.jsonl/validated_prompts.jsonl") == stage.read(
        "in/prompts.jsonl"
    )


def rows(stage, suffix):
    (key,) = [key for key in stage.objects("out/") if key.endswith(suffix)]
    return list(csv.DictReader(io.StringIO(stage.read(key).decode())))


def test_the_metrics_have_awss_columns(stage):
    stage.create()
    stage.finish()
    first, second = rows(stage, "step_wise_training_metrics.csv")
    assert list(first) == ["step_number", "epoch_number", "training_loss", "perplexity"]
    assert (second["step_number"], second["training_loss"]) == ("2", "0.5")
    assert float(first["perplexity"]) == pytest.approx(2.71828, abs=1e-4)
    (validation,) = rows(stage, "validation_metrics.csv")
    assert list(validation) == ["step_number", "epoch_number", "validation_loss", "perplexity"]


def test_the_manifest_counts_what_was_rejected_and_the_insights_say_why(stage):
    stage.put(
        "in/mixed.jsonl", stage.read("in/prompts.jsonl") + b'{"schemaVersion": "bedrock-conversation-2024"}\n'
    )
    stage.create(trainingDataConfig={"s3Uri": "s3://acme/in/mixed.jsonl"})
    assert stage.finish()["status"] == "Completed"
    assert rows(stage, "manifest.report.csv") == [
        {
            "fileName": "mixed.jsonl",
            "totalProcessedRecordCount": "101",
            "acceptedRecordCount": "100",
            "partiallyAcceptedRecordCount": "0",
            "rejectedRecordCount": "1",
        }
    ]
    (insights,) = [key for key in stage.objects("out/") if key.endswith("prompt_insights.jsonl")]
    assert json.loads(stage.read(insights).splitlines()[0])["recordNumber"] == 101


def test_the_trainer_gets_the_models_size_the_clouds_seed_and_steps_within_bounds(stage):
    stage.create()
    stage.finish()
    (config,) = stage.trainer.configs
    assert (config.size, config.seed, config.loss, config.steps) == ("tiny", 0, "text", 300)


@pytest.mark.parametrize(
    ("records", "bytes_each", "steps", "batch"),
    [
        (100, 300, 300, 16),
        (400, 400, 300, 16),
        (10_000, 600, 390, 16),
        (15_000, 100, 800, 16),
        (200, 6_000, 62, 4),
        (1, 16_000, 11, 4),
    ],
)
def test_training_is_long_enough_to_teach_and_ends_within_minutes(records, bytes_each, steps, batch):
    assert budget_for(records, records * bytes_each) == (steps, batch)


def test_the_clouds_training_settings_have_the_last_word(stage):
    overrides = {"epochs": 2, "learning_rate": 0.01}
    stage.world.training = TrainingSettings(size="tiny", seed=3, overrides=overrides)
    stage.create()
    stage.finish()
    (config,) = stage.trainer.configs
    assert (config.size, config.seed, config.epochs, config.steps, config.learning_rate) == (
        "tiny",
        3,
        2,
        None,
        0.01,
    )


def test_settings_that_break_the_trainers_rules_fail_the_job_by_name(stage):
    stage.world.training = TrainingSettings(overrides={"loss": "forward_kl"})
    assert "teacher_dir" in failure(stage)["failureMessage"]


def test_a_custom_model_can_be_distilled_further(stage):
    first = stage.model()
    stage.create("second", baseModelIdentifier=first)
    job = stage.finish("second")
    assert job["status"] == "Completed"
    assert job["baseModelArn"].endswith(f"foundation-model/{STUDENT}")
    assert stage.trainer.configs[1].init_dir == weights_dir(stage.world, first)
    assert stage.bedrock.get_custom_model(modelIdentifier="second-model")["baseModelArn"] == first


# Failures -------------------------------------------------------------------------------------------------------


def test_ninety_nine_prompts_pass_validation_and_fail_in_data_processing(stage):
    stage.prompts(99)
    job = failure(stage)
    assert job["failureMessage"] == "Input data must have at minimum 100 valid prompts"
    assert phases(job) == ("Completed", "Failed", "NotStarted")
    assert rows(stage, "manifest.report.csv")[0]["acceptedRecordCount"] == "99"
    assert not stage.trainer.configs
    assert "outputModelArn" not in job


def test_a_file_that_is_not_json_lines_fails_in_validation(stage):
    stage.put("in/prompts.jsonl", "prompt,completion\na,b\n")
    job = failure(stage)
    assert job["failureMessage"].startswith("Unable to parse Amazon S3 file: prompts.jsonl.")
    assert phases(job) == ("Failed", "NotStarted", "NotStarted")


def test_a_teacher_that_fails_ends_the_job_in_data_processing(stage):
    def teach(_prompt):
        raise ValueError("no idea")

    stage.world.teachers = {TEACHER: FunctionTeacher(teach)}
    job = failure(stage)
    assert "could not answer record 1: ValueError: no idea" in job["failureMessage"]
    assert phases(job) == ("Completed", "Failed", "NotStarted")


def test_without_a_teacher_the_job_says_how_to_bring_one(stage):
    stage.world.teachers = {}
    assert "Cloud(teachers=" in failure(stage)["failureMessage"]


def test_without_a_teacher_golden_labels_are_enough(stage):
    stage.world.teachers = {}
    stage.prompts(100, completion="golden")
    stage.create()
    assert stage.finish()["status"] == "Completed"


@pytest.mark.parametrize("error", [JobFailedError("the trainer ended with 1"), OSError("disk full")])
def test_a_trainer_that_breaks_fails_the_job_in_training(stage, error):
    stage.trainer.error = error
    job = failure(stage)
    assert job["failureMessage"].startswith("Encountered an internal error when processing the request.")
    assert str(error) in job["failureMessage"]
    assert phases(job) == ("Completed", "Completed", "Failed")


def test_training_that_takes_too_long_is_stopped_and_fails(stage):
    stage.world.training = TrainingSettings(timeout_s=0.05)
    assert "longer than 0.05 s" in failure(stage.hold())["failureMessage"]


def test_data_that_disappears_before_the_job_reads_it_fails_the_job(stage):
    stage.cloud.clock.mode = "polls"
    stage.create()
    stage.s3.delete_object(Bucket="acme", Key="in/prompts.jsonl")
    stage.job()
    job = stage.job()
    assert job["status"] == "Failed"
    assert job["failureMessage"] == (
        "Could not validate GetObject permissions to access Amazon S3 bucket: acme at key in/prompts.jsonl"
    )


def test_a_failed_jobs_name_stays_taken_and_its_models_name_is_free(stage):
    stage.prompts(99)
    failure(stage)
    stage.prompts(100)
    with pytest.raises(ClientError, match="job name is currently in use"):
        stage.create("triage")
    stage.create("again", customModelName="triage-model")
    assert stage.finish("again")["status"] == "Completed"


# Waiting and stopping -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("clock", ["instant", "real"])
def test_a_stop_ends_the_trainer_and_leaves_no_model(stage, clock):
    stage.cloud.clock.mode = clock
    stage.hold().create()
    assert stage.trainer.entered.wait(20)
    stage.bedrock.stop_model_customization_job(jobIdentifier="triage")
    job = stage.finish()
    assert job["status"] == "Stopped"
    assert phases(job) == ("Completed", "Completed", "Stopped")
    assert job["endTime"]
    assert not {"failureMessage", "outputModelArn"} & job.keys()
    assert stage.bedrock.list_custom_models()["modelSummaries"] == []


def test_a_stop_is_seen_as_stopping_first(stage):
    stage.cloud.clock.mode = "polls"
    stage.create()
    stage.job()
    stage.bedrock.stop_model_customization_job(jobIdentifier="triage")
    stage.bedrock.stop_model_customization_job(jobIdentifier="triage")  # once more changes nothing
    stopping, stopped = stage.job(), stage.job()
    assert (stopping["status"], phases(stopping)) == ("Stopping", ("Stopping", "NotStarted", "NotStarted"))
    assert (stopped["status"], phases(stopped)) == ("Stopped", ("Stopped", "NotStarted", "NotStarted"))


def test_a_stop_that_comes_when_the_model_is_being_made_takes_it_back(stage):
    stage.trainer.when_moved = lambda: stage.bedrock.stop_model_customization_job(jobIdentifier="triage")
    stage.create()
    assert stage.finish()["status"] == "Stopped"
    assert stage.bedrock.list_custom_models()["modelSummaries"] == []
    assert not list((stage.world.workdir / "custom-models").iterdir())


def test_a_job_that_waits_for_its_turn_can_be_stopped(stage):
    stage.hold().create("one")
    assert stage.trainer.entered.wait(20)
    stage.create("two")
    stage.bedrock.stop_model_customization_job(jobIdentifier="two")
    stage.bedrock.stop_model_customization_job(jobIdentifier="one")
    assert stage.finish("two")["status"] == "Stopped"
    assert len(stage.trainer.configs) == 1


# Idempotency, quotas, lists -------------------------------------------------------------------------------------


def test_the_same_token_and_request_give_the_same_job(stage):
    asked = stage.request(clientRequestToken="token-1")
    first = stage.bedrock.create_model_customization_job(**asked)["jobArn"]
    stage.finish()
    assert stage.bedrock.create_model_customization_job(**asked)["jobArn"] == first
    assert len(stage.bedrock.list_model_customization_jobs()["modelCustomizationJobSummaries"]) == 1


def test_the_same_token_with_another_request_is_a_conflict(stage):
    stage.create(clientRequestToken="token-1")
    with pytest.raises(stage.bedrock.exceptions.ConflictException, match="other parameters"):
        stage.create("other", clientRequestToken="token-1")


def test_requests_with_one_token_at_the_same_time_make_one_job(stage):
    arns = []
    threads = [
        threading.Thread(target=lambda: arns.append(stage.create(clientRequestToken="token-1")))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(arns) == 6
    assert len(set(arns)) == 1


def test_more_jobs_than_the_quota_are_refused_until_one_ends(stage):
    stage.hold()
    for number in range(stage.world.catalog.quota("scheduled_customization_jobs")):
        stage.create(f"job-{number}")
    with pytest.raises(
        stage.bedrock.exceptions.ServiceQuotaExceededException, match="scheduled customization jobs"
    ):
        stage.create("one-more")
    stage.trainer.gate.set()
    stage.cloud.clock.settle(20)
    stage.create("one-more")


def listed(stage, **filters):
    pages = stage.bedrock.get_paginator("list_model_customization_jobs").paginate(
        **filters, PaginationConfig={"PageSize": 2}
    )
    return [job["jobName"] for shown in pages for job in shown["modelCustomizationJobSummaries"]]


def test_jobs_are_listed_by_page_filter_and_order(stage):
    stage.prompts(99)
    stage.create("alpha-1")
    failed = stage.finish("alpha-1")
    stage.prompts(100)
    for name in ("alpha-2", "beta-1", "beta-2"):
        stage.create(name)
        stage.finish(name)
    assert listed(stage) == ["beta-2", "beta-1", "alpha-2", "alpha-1"]
    assert listed(stage, sortOrder="Ascending")[0] == "alpha-1"
    assert listed(stage, statusEquals="Failed") == ["alpha-1"]
    assert listed(stage, nameContains="alpha") == ["alpha-2", "alpha-1"]
    assert listed(stage, creationTimeAfter=failed["creationTime"])[-1] == "alpha-2"
    assert "alpha-1" not in listed(stage, creationTimeBefore=failed["creationTime"])
    (summary,) = stage.bedrock.list_model_customization_jobs(maxResults=1)["modelCustomizationJobSummaries"]
    assert summary["customModelArn"] == stage.job("beta-2")["outputModelArn"]


def test_regions_keep_their_own_jobs(stage):
    stage.create()
    west = stage.cloud.boto3_session("us-west-2").client("bedrock")
    assert west.list_model_customization_jobs()["modelCustomizationJobSummaries"] == []
    with pytest.raises(west.exceptions.ResourceNotFoundException):
        west.get_model_customization_job(jobIdentifier="triage")


# Fine-tuning and logs -------------------------------------------------------------------------------------------


def test_fine_tuning_trains_on_completions_and_has_no_data_processing(stage):
    stage.prompts(8, completion="golden")
    hyper = {"epochCount": "2", "learningRate": "0.00001"}
    stage.create(customizationType="FINE_TUNING", customizationConfig=None, hyperParameters=hyper)
    job = stage.finish()
    assert job["status"] == "Completed"
    assert set(job["statusDetails"]) == {"validationDetails", "trainingDetails"}
    assert job["hyperParameters"] == hyper


def test_fine_tuning_without_completions_fails(stage):
    job = failure(stage, customizationType="FINE_TUNING", customizationConfig=None)
    assert "no completion" in job["failureMessage"]


def log_line(number, **changes):
    prompt = {"messages": [{"role": "user", "content": [{"text": f"Question {number}?"}]}]}
    answer = {"output": {"message": {"role": "assistant", "content": [{"text": f"Logged {number}"}]}}}
    entry = {
        "schemaType": "ModelInvocationLog",
        "operation": "Converse",
        "modelId": TEACHER,
        "requestMetadata": {"project": "triage"},
        "input": {"inputBodyJson": prompt},
        "output": {"outputBodyJson": answer},
    }
    return json.dumps(entry | changes)


def from_logs(**more):
    return {"invocationLogsConfig": {"invocationLogSource": {"s3Uri": "s3://acme/logs/"}, **more}}


def test_logged_pairs_are_learned_as_they_were_answered(stage):
    lines = [log_line(n) for n in range(100)] + [log_line(n, requestMetadata={}) for n in range(100, 120)]
    stage.put("logs/a.json.gz", gzip.compress("\n".join(lines).encode()))
    wanted = {"equals": {"project": "triage"}}
    stage.create(trainingDataConfig=from_logs(usePromptResponse=True, requestMetadataFilters=wanted))
    assert stage.finish()["status"] == "Completed"
    learned = [
        json.loads(line)["messages"][-1]["content"][0]["text"] for line in stage.trainer.data.splitlines()
    ]
    assert learned == [f"Logged {n}" for n in range(100)]


def test_logged_prompts_alone_are_answered_by_the_teacher(stage):
    stage.put("logs/a.json", "\n".join(log_line(n, modelId="amazon.nova-lite-v1:0") for n in range(100)))
    stage.create(trainingDataConfig=from_logs())
    stage.finish()
    assert "Answer to: Question 0?" in stage.trainer.data


def test_logs_of_another_model_are_not_used_and_the_failure_says_so(stage):
    stage.put("logs/a.json", "\n".join(log_line(n, modelId="us.amazon.nova-pro-v1:0") for n in range(100)))
    job = failure(stage, trainingDataConfig=from_logs(usePromptResponse=True))
    assert "100 answered by another model than the teacher" in job["failureMessage"]
