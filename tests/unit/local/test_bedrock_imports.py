"""Model import jobs: what is asked of the role and the directory, what comes out of them, and imported models."""

from __future__ import annotations

import dataclasses
import json
import runpy
import threading
from pathlib import Path

import msgspec
import pytest

from bedrock_distill.local.model_prefix import ModelPrefix
from bedrock_distill.local.services.bedrock.import_checks import check_model
from bedrock_distill.local.students import imported_dir
from bedrock_distill.uris import S3Uri

_stage = runpy.run_path(str(Path(__file__).parent / "bedrock_stage.py"))
ACCOUNT, model_files = _stage["ACCOUNT"], _stage["model_files"]


@pytest.fixture
def stage(shared):
    shared.empty().model_directory().importer()
    return shared


def config_with(**changes):
    config = json.loads(model_files()["config.json"])
    return json.dumps({**config, **changes}).encode()


def tokenizer_of(name):
    return json.dumps(
        {**json.loads(model_files()["tokenizer_config.json"]), "tokenizer_class": name}
    ).encode()


def imported(stage, identifier="bring-model"):
    return stage.bedrock.get_imported_model(modelIdentifier=identifier)


# Jobs -----------------------------------------------------------------------------------------------------------


def test_a_directory_becomes_a_model_that_says_where_it_comes_from(stage):
    job = stage.bring(importedModelTags=[{"key": "team", "value": "a"}])
    assert job["status"] == "Completed", job
    assert job["endTime"] == job["lastModifiedTime"] >= job["creationTime"]
    model = imported(stage)
    assert model["modelArn"] == job["importedModelArn"]
    assert (model["jobName"], model["jobArn"]) == ("bring", job["jobArn"])
    assert (model["modelArchitecture"], model["instructSupported"]) == ("LlamaForCausalLM", True)
    assert model["modelDataSource"] == {"s3DataSource": {"s3Uri": "s3://acme/models/tiny/"}}
    assert model["customModelUnits"]["customModelUnitsPerModelCopy"] == 1
    tags = stage.bedrock.list_tags_for_resource(resourceARN=model["modelArn"])["tags"]
    assert tags == [{"key": "team", "value": "a"}]
    home = imported_dir(stage.world, model["modelArn"])
    assert (home / "model.safetensors").read_bytes() == model_files()["model.safetensors"]


def test_under_the_polls_clock_a_job_completes_describe_by_describe(shared):
    shared.empty()
    shared.cloud.clock.mode = "polls"
    try:
        shared.model_directory().importer()
        shared.bedrock.create_model_import_job(**shared.import_request())
        jobs = [shared.bedrock.get_model_import_job(jobIdentifier="bring") for _ in range(2)]
        assert [job["status"] for job in jobs] == ["InProgress", "Completed"]
        assert not {"importedModelArn", "endTime"} & jobs[0].keys()
    finally:
        shared.cloud.clock.mode = "instant"


def without_bucket(stage):
    for key in stage.objects():
        stage.s3.delete_object(Bucket="acme", Key=key)
    stage.s3.delete_bucket(Bucket="acme")


def without_role(stage):
    stage.iam.delete_role_policy(RoleName="importer", PolicyName="inline")
    stage.iam.delete_role(RoleName="importer")


@pytest.mark.parametrize(
    ("remove", "words"),
    [(without_bucket, "Could not validate GetObject"), (without_role, "Could not assume provided IAM role")],
)
def test_what_is_taken_away_while_a_job_waits_fails_it(shared, remove, words):
    shared.empty()
    shared.cloud.clock.mode = "polls"
    try:
        shared.model_directory().importer()
        shared.bedrock.create_model_import_job(**shared.import_request())
        remove(shared)
        jobs = [shared.bedrock.get_model_import_job(jobIdentifier="bring") for _ in range(2)]
        assert jobs[-1]["status"] == "Failed"
        assert jobs[-1]["failureMessage"].startswith(words)
    finally:
        shared.cloud.clock.mode = "instant"
        shared.cloud.bucket("acme")


def weights(data):
    return {"model__safetensors": data}


BROKEN = {
    "nothing under the prefix": (lambda: {"without": tuple(model_files())}, "s3://acme/models/tiny/"),
    "no config": (lambda: {"without": ("config.json",)}, "config.json"),
    "a config that is no JSON": (lambda: {"config__json": b"{"}, "config.json"),
    "no weights": (lambda: {"without": ("model.safetensors",)}, "safetensors"),
    "weights that are cut off": (
        lambda: weights(model_files()["model.safetensors"][:-5]),
        "model.safetensors",
    ),
    "weights without a header": (lambda: weights(b"\xff" * 64), "model.safetensors"),
    "no tokenizer": (lambda: {"without": ("tokenizer.json", "tokenizer_config.json")}, "tokenizer"),
    "a tokenizer that is not on the list": (
        lambda: {"tokenizer_config__json": tokenizer_of("GemmaTokenizer")},
        "GemmaTokenizer",
    ),
    "an architecture that is not on the list": (
        lambda: {"config__json": config_with(architectures=["Gemma2ForCausalLM"])},
        "Gemma2ForCausalLM",
    ),
    "a context that is too long": (
        lambda: {"config__json": config_with(max_position_embeddings=1 << 20)},
        "1,048,576",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_directory_that_bedrock_does_not_take_fails_its_job_with_the_reason(stage, case):
    changes, words = BROKEN[case]
    for key in stage.objects("models/"):
        stage.s3.delete_object(Bucket="acme", Key=key)
    stage.model_directory(**changes())
    job = stage.bring()
    assert job["status"] == "Failed"
    assert words in job["failureMessage"]
    assert "importedModelArn" not in job
    assert stage.bedrock.list_imported_models()["modelSummaries"] == []
    assert not list((stage.world.workdir / "imported-models").glob("*"))


def test_weights_beyond_the_limit_are_not_even_downloaded(stage, monkeypatch):
    catalog = stage.world.catalog
    targets = [
        msgspec.structs.replace(target, max_text_bytes=1000) if target.name == "model-import" else target
        for target in catalog.targets
    ]
    monkeypatch.setattr(stage.world, "catalog", dataclasses.replace(catalog, targets=tuple(targets)))
    monkeypatch.setattr(
        "bedrock_distill.local.model_prefix.ModelPrefix.download", lambda *_, **__: pytest.fail("downloaded")
    )
    job = stage.bring()
    assert job["status"] == "Failed"
    assert "1,000" in job["failureMessage"] or "1000" in job["failureMessage"], job["failureMessage"]


def test_a_failed_jobs_name_stays_taken_and_its_models_name_is_free(stage):
    stage.s3.delete_object(Bucket="acme", Key="models/tiny/config.json")
    assert stage.bring()["status"] == "Failed"
    stage.model_directory()
    with pytest.raises(stage.bedrock.exceptions.ConflictException, match="job name"):
        stage.bring()
    assert stage.bring("again", importedModelName="bring-model")["status"] == "Completed"


def test_a_file_that_the_role_may_not_read_fails_the_job_in_awss_words(stage):
    deny = {
        "Effect": "Deny",
        "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::acme/models/tiny/config.json",
    }
    stage.iam.put_role_policy(
        RoleName="importer",
        PolicyName="deny",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [deny]}),
    )
    job = stage.bring()
    assert job["status"] == "Failed"
    assert job["failureMessage"].startswith(
        "Could not validate GetObject permissions to access Amazon S3 bucket: acme at key models/tiny/config.json"
    )


def test_a_role_that_only_customization_jobs_may_assume_is_refused(stage):
    stage.role("distiller")
    with pytest.raises(stage.bedrock.exceptions.ValidationException, match="Could not assume"):
        stage.bring(roleArn=f"arn:aws:iam::{ACCOUNT}:role/distiller")


def test_a_region_without_custom_model_import_says_where_it_is(stage):
    west = stage.cloud.boto3_session("eu-west-1").client("bedrock")
    with pytest.raises(west.exceptions.ValidationException, match="us-east-1, us-east-2, us-west-2"):
        west.create_model_import_job(**stage.import_request())


def test_one_job_runs_at_a_time_and_three_models_fit_the_account(stage, monkeypatch):
    gate = threading.Event()
    monkeypatch.setattr(
        "bedrock_distill.local.services.bedrock.import_jobs.read_as_bedrock_does", lambda *_: gate.wait(20)
    )
    stage.bedrock.create_model_import_job(**stage.import_request())
    exceeded = stage.bedrock.exceptions.ServiceQuotaExceededException
    try:
        with pytest.raises(exceeded, match="1 concurrent import jobs"):
            stage.bedrock.create_model_import_job(**stage.import_request("second"))
    finally:
        gate.set()
    assert stage.cloud.clock.settle(20)
    for name in ("second", "third"):
        assert stage.bring(name)["status"] == "Completed"
    with pytest.raises(exceeded, match="3 imported models"):
        stage.bring("fourth")


def test_the_same_token_makes_one_job(stage):
    first = stage.bring(clientRequestToken="t-1")["jobArn"]
    again = stage.bedrock.create_model_import_job(**stage.import_request(clientRequestToken="t-1"))
    assert again["jobArn"] == first
    with pytest.raises(stage.bedrock.exceptions.ConflictException, match="other parameters"):
        stage.bring("other", clientRequestToken="t-1")


def test_the_models_key_is_told_by_its_arn(stage):
    key = stage.cloud.boto3_session().client("kms").create_key()["KeyMetadata"]
    job = stage.bring(importedModelKmsKeyId=key["KeyId"])
    assert job["importedModelKmsKeyArn"] == imported(stage)["modelKmsKeyArn"] == key["Arn"]


# Imported models ------------------------------------------------------------------------------------------------


def test_jobs_and_models_are_listed_by_every_filter(stage):
    stage.bring("one")
    stage.cloud.clock.sleep(1)
    stage.bring("two")
    created = imported(stage, "one-model")["creationTime"]

    def models(**filters):
        found = stage.bedrock.list_imported_models(**filters)["modelSummaries"]
        return [model["modelName"] for model in found]

    def jobs(**filters):
        found = stage.bedrock.list_model_import_jobs(**filters)["modelImportJobSummaries"]
        return [job["jobName"] for job in found]

    assert models() == ["two-model", "one-model"]
    assert models(sortOrder="Ascending", sortBy="CreationTime") == ["one-model", "two-model"]
    assert models(nameContains="two") == models(creationTimeAfter=created) == ["two-model"]
    assert models(creationTimeBefore=created) == []
    assert jobs(statusEquals="Completed") == ["two", "one"]
    assert jobs(statusEquals="Failed") == []
    assert jobs(nameContains="on") == ["one"]


def test_a_deleted_model_is_gone_and_its_directory_in_s3_is_not(stage):
    arn = stage.bring()["importedModelArn"]
    stage.bedrock.delete_imported_model(modelIdentifier="bring-model")
    with pytest.raises(stage.bedrock.exceptions.ResourceNotFoundException):
        imported(stage, arn)
    assert not imported_dir(stage.world, arn).exists()
    assert stage.objects("models/tiny/")
    assert stage.bring("again", importedModelName="bring-model")["status"] == "Completed"


def tokenizer_without_template():
    settings = json.loads(model_files()["tokenizer_config.json"])
    return json.dumps({name: value for name, value in settings.items() if name != "chat_template"}).encode()


@pytest.mark.parametrize(
    "changes",
    [
        lambda: {"without": ("chat_template.jinja",), "tokenizer_config__json": tokenizer_without_template()},
        lambda: {"config__json": config_with(architectures=["Qwen2ForCausalLM"], model_type="qwen2")},
        lambda: {"config__json": config_with(architectures=["Qwen3ForCausalLM"], model_type="qwen3")},
    ],
    ids=["no chat template", "Qwen2", "Qwen3"],
)
def test_converse_is_only_for_models_that_aws_lists_with_a_chat_template(stage, changes):
    def checked(prefix, **changes):
        stage.model_directory(prefix, **changes)
        files = ModelPrefix(stage.s3, S3Uri.parse(f"s3://acme/{prefix}"))
        return check_model(files, stage.world.catalog, "us-east-1")

    assert checked("models/as-it-is/").instruct
    assert not checked("models/changed/", **changes()).instruct


def test_the_template_in_its_own_json_file_is_the_one_that_is_served(stage):
    template = json.dumps({"chat_template": "{{ messages[0].content }}"}).encode()
    stage.s3.delete_object(Bucket="acme", Key="models/tiny/chat_template.jinja")
    stage.model_directory(without=("chat_template.jinja",), chat_template__json=template)
    home = imported_dir(stage.world, stage.bring()["importedModelArn"])
    assert (home / "chat_template.jinja").read_text() == "{{ messages[0].content }}"


def test_llama_3s_rope_scaling_is_bedrocks_own(stage):
    scaling = {
        "rope_type": "llama3",
        "factor": 32.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 4096,
    }
    stage.model_directory(config__json=config_with(rope_scaling=scaling, rope_parameters=None))
    home = imported_dir(stage.world, stage.bring()["importedModelArn"])
    served = json.loads((home / "config.json").read_text())["rope_scaling"]
    assert (served["factor"], served["original_max_position_embeddings"]) == (8.0, 8192)
