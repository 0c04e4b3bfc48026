"""Customization jobs whose data are invocation logs, or completions to fine-tune on."""

from __future__ import annotations

import gzip
import json
import runpy
from pathlib import Path

import pytest

_stage = runpy.run_path(str(Path(__file__).parent / "bedrock_stage.py"))
TEACHER = _stage["TEACHER"]


@pytest.fixture
def stage(shared):
    return shared.empty().ready()


# Invocation logs ------------------------------------------------------------------------------------------------


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
    assert stage.trainer.learned() == [f"Logged {n}" for n in range(100)]


def test_logged_prompts_alone_are_answered_by_the_teacher(stage):
    stage.put("logs/a.json", "\n".join(log_line(n, modelId="amazon.nova-lite-v1:0") for n in range(100)))
    stage.create(trainingDataConfig=from_logs())
    stage.finish()
    assert "Answer to: Question 0?" in stage.trainer.data


def test_logs_of_another_model_are_not_used_and_the_failure_says_so(stage):
    stage.put("logs/a.json", "\n".join(log_line(n, modelId="us.amazon.nova-pro-v1:0") for n in range(100)))
    job = stage.failure(trainingDataConfig=from_logs(usePromptResponse=True))
    assert "100 answered by another model than the teacher" in job["failureMessage"]


# Fine-tuning ----------------------------------------------------------------------------------------------------


def test_fine_tuning_trains_on_completions_and_has_no_data_processing(stage):
    stage.prompts(8, completion="golden")
    hyper = {"epochCount": "2", "learningRate": "0.00001"}
    stage.create(customizationType="FINE_TUNING", customizationConfig=None, hyperParameters=hyper)
    job = stage.finish()
    assert job["status"] == "Completed"
    assert set(job["statusDetails"]) == {"validationDetails", "trainingDetails"}
    assert job["hyperParameters"] == hyper


def test_fine_tuning_without_completions_fails(stage):
    job = stage.failure(customizationType="FINE_TUNING", customizationConfig=None)
    assert "no completion" in job["failureMessage"]
