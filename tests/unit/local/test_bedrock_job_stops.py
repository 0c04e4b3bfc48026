"""Customization jobs that are stopped: while they train, while they wait, and when the model is nearly there."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

_stage = runpy.run_path(str(Path(__file__).parent / "bedrock_stage.py"))
phases = _stage["phases"]


@pytest.fixture
def stage(shared):
    return shared.empty().ready()


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
