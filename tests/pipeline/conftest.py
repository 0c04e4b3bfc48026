"""A cloud whose trainer writes an empty model at once: these tests are about calls, not about learning."""

from __future__ import annotations

from pathlib import Path

import pytest

import bedrock_distill as bd
from bedrock_distill.local import Cloud
from bedrock_distill.local.services.bedrock import Bedrock
from bedrock_distill.records import Record, encode_record
from bedrock_distill.train.events import StepMetric, TrainResult

TEACHER, STUDENT = "amazon.nova-pro-v1:0", "amazon.nova-micro-v1:0"


def train_nothing(config, *, on_event=None, stop=None):
    model = Path(config.output_dir) / "model"
    model.mkdir(parents=True)
    (model / "config.json").write_text("{}")
    return TrainResult(
        model_dir=model,
        steps=1,
        training_loss=0.5,
        validation_loss=0.7,
        tokens=10,
        seconds=0.1,
        step_metrics=[StepMetric(step=1, epoch=1.0, training_loss=0.5, validation_loss=0.7)],
        stopped=False,
    )


@pytest.fixture
def cloud(tmp_path):
    with Cloud(
        teachers={TEACHER: lambda record: f"Answer to {record.prompt_text}"},
        services=lambda world: {"bedrock": Bedrock(world, trainer=train_nothing)},
        workdir=tmp_path / "cloud",
    ) as cloud:
        cloud.bucket("acme-ml")
        yield cloud


@pytest.fixture
def prompts(tmp_path):
    path = tmp_path / "prompts.jsonl"
    path.write_bytes(b"".join(encode_record(Record.of(f"Question {i}?")) + b"\n" for i in range(120)))
    return path


@pytest.fixture
def spec(prompts):
    return bd.Distillation(
        name="triage",
        teacher=TEACHER,
        student=STUDENT,
        data=bd.Prompts(prompts),
        output="s3://acme-ml/distill/",
    )


@pytest.fixture
def trainer():
    """A trainer that trains nothing."""
    return train_nothing
