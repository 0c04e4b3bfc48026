"""Customization jobs: the way through, what the student learns from, and the artefacts that are left."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

from bedrock_distill.local.services.bedrock.training import budget_for
from bedrock_distill.local.students import weights_dir
from bedrock_distill.local.world import TrainingSettings

_stage = runpy.run_path(str(Path(__file__).parent / "bedrock_stage.py"))
STUDENT, TEACHER, phases = _stage["STUDENT"], _stage["TEACHER"], _stage["phases"]


@pytest.fixture
def stage(shared):
    return shared.empty().ready()


# The way through ------------------------------------------------------------------------------------------------


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
    assert stage.trainer.learned() == [*(f"Answer to: Question {n}?" for n in range(100)), *["golden"] * 100]


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


def test_the_metrics_have_awss_columns(stage):
    stage.create()
    stage.finish()
    first, second = stage.csv_rows("step_wise_training_metrics.csv")
    assert list(first) == ["step_number", "epoch_number", "training_loss", "perplexity"]
    assert (second["step_number"], second["training_loss"]) == ("2", "0.5")
    assert float(first["perplexity"]) == pytest.approx(2.71828, abs=1e-4)
    (validation,) = stage.csv_rows("validation_metrics.csv")
    assert list(validation) == ["step_number", "epoch_number", "validation_loss", "perplexity"]


def test_the_manifest_counts_what_was_rejected_and_the_insights_say_why(stage):
    stage.put(
        "in/mixed.jsonl", stage.read("in/prompts.jsonl") + b'{"schemaVersion": "bedrock-conversation-2024"}\n'
    )
    stage.create(trainingDataConfig={"s3Uri": "s3://acme/in/mixed.jsonl"})
    assert stage.finish()["status"] == "Completed"
    assert stage.csv_rows("manifest.report.csv") == [
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


def test_a_custom_model_can_be_distilled_further(stage):
    first = stage.model()
    stage.create("second", baseModelIdentifier=first)
    job = stage.finish("second")
    assert job["status"] == "Completed"
    assert job["baseModelArn"].endswith(f"foundation-model/{STUDENT}")
    assert stage.trainer.configs[1].init_dir == weights_dir(stage.world, first)
    assert stage.bedrock.get_custom_model(modelIdentifier="second-model")["baseModelArn"] == first
