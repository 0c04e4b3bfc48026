"""Model copy jobs: a custom model comes to another region with its weights, under a name and a key of that region."""

from __future__ import annotations

import shutil

import pytest

from bedrock_distill.local.students import weights_dir


@pytest.fixture(scope="module")
def shared(shared):
    shared.west = shared.cloud.boto3_session("us-west-2").client("bedrock")
    return shared


@pytest.fixture
def stage(shared):
    return shared.empty().ready()


def copy(stage, source, name="copied", **more):
    request = {"sourceModelArn": source, "targetModelName": name, **more}
    arn = stage.west.create_model_copy_job(**request)["jobArn"]
    assert stage.cloud.clock.settle(20)
    return stage.west.get_model_copy_job(jobArn=arn)


def test_a_copy_is_a_model_of_its_own_in_the_other_region(stage):
    source = stage.model()
    key = stage.cloud.boto3_session("us-west-2").client("kms").create_key()["KeyMetadata"]["Arn"]
    tags = [{"key": "team", "value": "a"}]
    job = copy(stage, source, modelKmsKeyId=key, targetModelTags=tags)
    assert job["status"] == "Completed", job
    assert (job["sourceModelArn"], job["sourceModelName"]) == (source, "triage-model")
    assert (job["targetModelTags"], job["targetModelKmsKeyArn"]) == (tags, key)
    model = stage.west.get_custom_model(modelIdentifier="copied")
    assert model["modelArn"] == job["targetModelArn"] != source
    assert ":us-west-2:" in model["modelArn"]
    assert model["baseModelArn"] == "arn:aws:bedrock:us-west-2::foundation-model/amazon.nova-micro-v1:0:128k"
    assert model["modelKmsKeyArn"] == key
    assert stage.west.list_tags_for_resource(resourceARN=model["modelArn"])["tags"] == tags
    stage.bedrock.delete_custom_model(modelIdentifier=source)
    assert (weights_dir(stage.world, model["modelArn"]) / "config.json").is_file()


def test_the_source_stays_as_it_is(stage):
    source = stage.model()
    before = stage.bedrock.get_custom_model(modelIdentifier=source)
    copy(stage, source)
    after = stage.bedrock.get_custom_model(modelIdentifier=source)
    assert {**after, "ResponseMetadata": None} == {**before, "ResponseMetadata": None}


def test_under_the_polls_clock_a_copy_completes_describe_by_describe(shared):
    shared.empty()
    shared.cloud.clock.mode = "polls"
    try:
        stage = shared.ready()
        stage.create()
        source = [stage.job() for _ in range(4)][-1]["outputModelArn"]
        arn = stage.west.create_model_copy_job(sourceModelArn=source, targetModelName="copied")["jobArn"]
        assert stage.west.list_custom_models()["modelSummaries"] == []
        jobs = [stage.west.get_model_copy_job(jobArn=arn) for _ in range(2)]
        assert [job["status"] for job in jobs] == ["InProgress", "Completed"]
        assert [model["modelName"] for model in stage.west.list_custom_models()["modelSummaries"]] == [
            "copied"
        ]
    finally:
        shared.cloud.clock.mode = "instant"


def test_a_source_that_is_gone_when_it_is_read_fails_the_job(stage):
    source = stage.model()
    shutil.rmtree(weights_dir(stage.world, source))
    job = copy(stage, source)
    assert job["status"] == "Failed"
    assert source in job["failureMessage"]
    assert stage.west.list_custom_models()["modelSummaries"] == []


def test_a_taken_name_and_a_region_that_the_base_is_not_copied_to_are_refused(stage):
    source = stage.model()
    copy(stage, source)
    with pytest.raises(stage.west.exceptions.ClientError, match="currently in use"):
        copy(stage, source)
    far = stage.cloud.boto3_session("sa-east-1").client("bedrock")
    with pytest.raises(far.exceptions.ClientError, match="cannot be copied to sa-east-1"):
        far.create_model_copy_job(sourceModelArn=source, targetModelName="copied")
    with pytest.raises(stage.west.exceptions.ResourceNotFoundException):
        copy(stage, source.replace(source[-12:], "0" * 12), "other")


def test_the_same_token_makes_one_copy(stage):
    source = stage.model()
    first = copy(stage, source, clientRequestToken="t-1")
    assert copy(stage, source, clientRequestToken="t-1")["jobArn"] == first["jobArn"]
    assert len(stage.west.list_custom_models()["modelSummaries"]) == 1


def test_jobs_are_listed_by_every_filter_in_the_region_they_copy_to(stage):
    one, two = stage.model("one"), stage.model("two")
    first = copy(stage, one, "alpha")
    stage.cloud.clock.sleep(1)
    copy(stage, two, "beta")

    def names(**filters):
        found = stage.west.list_model_copy_jobs(**filters)["modelCopyJobSummaries"]
        return [job["targetModelName"] for job in found]

    assert names() == names(statusEquals="Completed") == names(sourceAccountEquals="123456789012")
    assert names() == ["beta", "alpha"]
    assert names(sortOrder="Ascending", sortBy="CreationTime") == ["alpha", "beta"]
    assert names(targetModelNameContains="alph") == names(sourceModelArnEquals=one) == ["alpha"]
    assert names(creationTimeAfter=first["creationTime"]) == ["beta"]
    assert names(statusEquals="Failed") == names(sourceAccountEquals="999999999999") == []
    assert stage.bedrock.list_model_copy_jobs()["modelCopyJobSummaries"] == []
