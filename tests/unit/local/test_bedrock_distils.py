"""The one test here that really trains: from prompts to weights that answer, and a stop that ends the trainer."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
from botocore.config import Config

from bedrock_distill.local.cloud import Cloud
from bedrock_distill.local.students import weights_dir
from bedrock_distill.local.world import TrainingSettings

pytest.importorskip("torch")
_stage = runpy.run_path(str(Path(__file__).parent / "bedrock_stage.py"))
Stage, TEACHER = _stage["Stage"], _stage["TEACHER"]
pytestmark = pytest.mark.slow


def colour(prompt):
    """A rule that a tiny student learns in seconds."""
    return "red" if "7" in prompt.prompt_text else "blue"


def test_a_student_is_trained_deployed_and_answers_from_its_own_weights_and_so_it_does_imported_unchanged():
    training = TrainingSettings(size="tiny", overrides={"steps": 60})
    with Cloud(teachers={TEACHER: colour}, training=training) as cloud:
        stage = Stage(cloud, None, "us-east-1")
        stage.ready(200).create()
        assert cloud.clock.settle(300)
        job = stage.job()
        assert job["status"] == "Completed", job
        assert job["trainingMetrics"]["trainingLoss"] < 0.5
        home = weights_dir(stage.world, job["outputModelArn"])
        assert {"config.json", "tokenizer.json", "model.safetensors"} <= {
            path.name for path in home.iterdir()
        }
        arn = stage.bedrock.create_custom_model_deployment(
            modelDeploymentName="live", modelArn=job["outputModelArn"]
        )
        once = Config(retries={"total_max_attempts": 1})
        runtime = cloud.boto3_session().client("bedrock-runtime", config=once)

        def said_by(model):
            answer = runtime.converse(
                modelId=model,
                messages=[{"role": "user", "content": [{"text": "Question 203?"}]}],
                inferenceConfig={"temperature": 0, "maxTokens": 8},
            )
            return answer["output"]["message"]["content"][0]["text"]

        deployed = said_by(arn["customModelDeploymentArn"])
        assert deployed in ("red", "blue")
        stage.importer()
        for path in home.iterdir():
            stage.put(f"models/tiny/{path.name}", path.read_bytes())
        imported = stage.bring()["importedModelArn"]
        with pytest.raises(runtime.exceptions.ModelNotReadyException):
            said_by(imported)
        assert cloud.clock.settle(60)
        assert said_by(imported) == deployed


def test_a_stop_ends_the_real_trainer():
    training = TrainingSettings(size="tiny", overrides={"steps": 100_000})
    with Cloud(teachers={TEACHER: colour}, training=training) as cloud:
        stage = Stage(cloud, None, "us-east-1")
        stage.ready(200).create()
        while stage.job()["statusDetails"]["trainingDetails"]["status"] != "InProgress":
            cloud.clock.sleep(30)
        stage.bedrock.stop_model_customization_job(jobIdentifier="triage")
        assert stage.job()["status"] in ("Stopping", "Stopped")
        assert cloud.clock.settle(120)
        assert stage.job()["status"] == "Stopped"
