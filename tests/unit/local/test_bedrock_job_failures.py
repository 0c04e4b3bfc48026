"""Customization jobs that fail: in which phase, in whose words, and what stays behind."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from bedrock_distill.errors import JobFailedError
from bedrock_distill.local.teachers import FunctionTeacher
from bedrock_distill.local.world import TrainingSettings

_stage = runpy.run_path(str(Path(__file__).parent / "bedrock_stage.py"))
TEACHER, phases = _stage["TEACHER"], _stage["phases"]


@pytest.fixture
def stage(shared):
    return shared.empty().ready()


def test_ninety_nine_prompts_pass_validation_and_fail_in_data_processing(stage):
    stage.prompts(99)
    job = stage.failure()
    assert job["failureMessage"] == "Input data must have at minimum 100 valid prompts"
    assert phases(job) == ("Completed", "Failed", "NotStarted")
    assert stage.csv_rows("manifest.report.csv")[0]["acceptedRecordCount"] == "99"
    assert not stage.trainer.configs
    assert "outputModelArn" not in job


def test_a_file_that_is_not_json_lines_fails_in_validation(stage):
    stage.put("in/prompts.jsonl", "prompt,completion\na,b\n")
    job = stage.failure()
    assert job["failureMessage"].startswith("Unable to parse Amazon S3 file: prompts.jsonl.")
    assert phases(job) == ("Failed", "NotStarted", "NotStarted")


def test_a_teacher_that_fails_ends_the_job_in_data_processing(stage):
    def teach(_prompt):
        raise ValueError("no idea")

    stage.world.teachers = {TEACHER: FunctionTeacher(teach)}
    job = stage.failure()
    assert "could not answer record 1: ValueError: no idea" in job["failureMessage"]
    assert phases(job) == ("Completed", "Failed", "NotStarted")


def test_without_a_teacher_the_job_says_how_to_bring_one(stage):
    stage.world.teachers = {}
    assert "Cloud(teachers=" in stage.failure()["failureMessage"]


def test_without_a_teacher_golden_labels_are_enough(stage):
    stage.world.teachers = {}
    stage.prompts(100, completion="golden")
    stage.create()
    assert stage.finish()["status"] == "Completed"


def test_settings_that_break_the_trainers_rules_fail_the_job_by_name(stage):
    stage.world.training = TrainingSettings(overrides={"loss": "forward_kl"})
    assert "teacher_dir" in stage.failure()["failureMessage"]


@pytest.mark.parametrize("error", [JobFailedError("the trainer ended with 1"), OSError("disk full")])
def test_a_trainer_that_breaks_fails_the_job_in_training(stage, error):
    stage.trainer.error = error
    job = stage.failure()
    assert job["failureMessage"].startswith("Encountered an internal error when processing the request.")
    assert str(error) in job["failureMessage"]
    assert phases(job) == ("Completed", "Completed", "Failed")


def test_training_that_takes_too_long_is_stopped_and_fails(stage):
    stage.world.training = TrainingSettings(timeout_s=0.05)
    assert "longer than 0.05 s" in stage.hold().failure()["failureMessage"]


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
    stage.failure()
    stage.prompts(100)
    with pytest.raises(ClientError, match="job name is currently in use"):
        stage.create("triage")
    stage.create("again", customModelName="triage-model")
    assert stage.finish("again")["status"] == "Completed"
