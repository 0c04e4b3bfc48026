"""A model of every architecture that Custom Model Import takes is imported, and says what transformers says."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest
from botocore.config import Config

from bedrock_distill.catalog import load_catalog
from bedrock_distill.local.services.bedrock import Bedrock
from bedrock_distill.local.services.runtime import BedrockRuntime
from bedrock_distill.train.generation import Generator

pytest.importorskip("torch")
_here = Path(__file__).parent
_stage, _families = (runpy.run_path(str(_here / name)) for name in ("bedrock_stage.py", "families.py"))
FAMILIES, make_family, greedy = (_families[name] for name in ("FAMILIES", "make_family", "greedy"))

ARCHITECTURES = {row.name: row for row in load_catalog().architectures if row.model_import == "yes"}


def services(world):
    return {"bedrock": Bedrock(world), "bedrock-runtime": BedrockRuntime(world)}


@pytest.fixture(scope="module")
def stage():
    with _stage["open_stage"](services=services) as stage:
        stage.importer()
        once = Config(retries={"total_max_attempts": 1})
        stage.runtime = stage.cloud.boto3_session().client("bedrock-runtime", config=once)
        yield stage


def test_every_architecture_of_the_catalog_is_made_here():
    assert set(FAMILIES) == set(ARCHITECTURES)


@pytest.mark.parametrize("architecture", FAMILIES)
def test_an_imported_model_says_what_transformers_says(stage, tmp_path, architecture):
    for earlier in stage.bedrock.list_imported_models()["modelSummaries"]:  # three fit an account
        stage.bedrock.delete_imported_model(modelIdentifier=earlier["modelArn"])
    model, tokenizer = make_family(architecture, tmp_path / "model")
    for path in (tmp_path / "model").iterdir():
        stage.put(f"{architecture}/{path.name}", path.read_bytes())
    name = architecture.replace("_", "-")
    source = {"s3DataSource": {"s3Uri": f"s3://acme/{architecture}/"}}
    job = stage.bring(name, importedModelName=name, modelDataSource=source)
    assert job["status"] == "Completed", job
    arn = job["importedModelArn"]
    shown = stage.bedrock.get_imported_model(modelIdentifier=arn)
    assert shown["modelArchitecture"] == architecture
    assert shown["instructSupported"] == bool(ARCHITECTURES[architecture].converse)
    body = json.dumps({"prompt": "The sky", "max_gen_len": 6, "temperature": 0})
    with pytest.raises(stage.runtime.exceptions.ModelNotReadyException):
        stage.runtime.invoke_model(modelId=arn, body=body)
    assert stage.cloud.clock.settle(60)
    answer = json.loads(stage.runtime.invoke_model(modelId=arn, body=body)["body"].read())
    assert answer["generation"] == greedy(model, tokenizer, "The sky", 6)


@pytest.mark.parametrize(
    "architecture",
    ["T5ForConditionalGeneration", "Qwen2VLForConditionalGeneration", "MllamaForConditionalGeneration"],
)
def test_answers_side_by_side_are_what_each_is_alone(tmp_path, architecture):
    make_family(architecture, tmp_path / "model")
    prompts, limit = ["The sky", "A much longer prompt", "No"], {"max_tokens": 5}
    with Generator(tmp_path / "model") as generator:
        together = generator.generate(prompts, **limit)
        assert together == [generator.generate([prompt], **limit)[0] for prompt in prompts]
        assert [list(generator.stream(prompt, **limit))[-1] for prompt in prompts] == together
    assert len({answer.text for answer in together}) == len(prompts)
