from __future__ import annotations

import pytest

from bedrock_distill.local.services.bedrock.state import deployed_model
from bedrock_distill.local.students import weights_dir


@pytest.fixture
def stage(shared):
    return shared.empty().ready()


def deploy(stage, model, name="live", **more):
    return stage.bedrock.create_custom_model_deployment(modelDeploymentName=name, modelArn=model, **more)[
        "customModelDeploymentArn"
    ]


def deployment(stage, identifier="live"):
    return stage.bedrock.get_custom_model_deployment(customModelDeploymentIdentifier=identifier)


# Custom models --------------------------------------------------------------------------------------------------


def test_a_model_tells_where_it_comes_from(stage):
    arn = stage.model()
    model = stage.bedrock.get_custom_model(modelIdentifier="triage-model")
    assert model == {
        **stage.bedrock.get_custom_model(modelIdentifier=arn),
        "ResponseMetadata": model["ResponseMetadata"],
    }
    assert (model["modelArn"], model["jobName"], model["modelStatus"]) == (arn, "triage", "Active")
    assert model["baseModelArn"].endswith("::foundation-model/amazon.nova-micro-v1:0:128k")
    assert model["trainingMetrics"] == {"trainingLoss": 0.5}
    assert model["customizationConfig"]["distillationConfig"]


def listed(stage, **filters):
    return [model["modelName"] for model in stage.bedrock.list_custom_models(**filters)["modelSummaries"]]


def test_models_are_listed_by_every_filter(stage):
    first = stage.model("one")
    stage.create("two", baseModelIdentifier=first)
    stage.finish("two")
    foundation = "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-micro-v1:0:128k"
    assert listed(stage) == ["two-model", "one-model"]
    assert listed(stage, sortOrder="Ascending", sortBy="CreationTime") == ["one-model", "two-model"]
    assert listed(stage, nameContains="two") == ["two-model"]
    assert listed(stage, baseModelArnEquals=first) == ["two-model"]
    assert listed(stage, foundationModelArnEquals=foundation) == ["two-model", "one-model"]
    assert listed(stage, baseModelArnEquals=foundation) == ["one-model"]
    assert listed(stage, isOwned=True) == ["two-model", "one-model"]
    assert listed(stage, isOwned=False) == listed(stage, modelStatus="Failed") == []
    created = stage.bedrock.get_custom_model(modelIdentifier=first)["creationTime"]
    assert listed(stage, creationTimeAfter=created) == ["two-model"]
    assert listed(stage, creationTimeBefore=created) == []
    summary = stage.bedrock.list_custom_models()["modelSummaries"][0]
    assert (summary["baseModelName"], summary["ownerAccountId"]) == ("amazon.nova-micro-v1", "123456789012")


def test_a_deleted_model_is_gone_with_its_weights_and_its_name_is_free(stage):
    arn = stage.model()
    stage.bedrock.delete_custom_model(modelIdentifier="triage-model")
    assert listed(stage) == []
    assert not weights_dir(stage.world, arn).exists()
    stage.create("again", customModelName="triage-model")
    assert stage.finish("again")["status"] == "Completed"


def test_a_model_that_is_deployed_cannot_be_deleted(stage):
    arn = stage.model()
    deploy(stage, arn)
    with pytest.raises(stage.bedrock.exceptions.ConflictException, match="deployment live"):
        stage.bedrock.delete_custom_model(modelIdentifier=arn)
    stage.bedrock.delete_custom_model_deployment(customModelDeploymentIdentifier="live")
    stage.bedrock.delete_custom_model(modelIdentifier=arn)


# Deployments ----------------------------------------------------------------------------------------------------


def test_a_deployment_answers_with_its_model(stage):
    model = stage.model()
    arn = deploy(stage, model, description="For triage")
    shown = deployment(stage, arn)
    assert shown["status"] == "Active"
    assert (shown["modelDeploymentName"], shown["modelArn"], shown["description"]) == (
        "live",
        model,
        "For triage",
    )
    assert "updateDetails" not in shown
    assert shown["createdAt"] <= shown["lastUpdatedAt"]
    assert deployment(stage, "live")["customModelDeploymentArn"] == arn
    assert deployed_model(stage.world, "us-east-1", arn) == model


def test_the_same_token_makes_one_deployment(stage):
    model = stage.model()
    assert deploy(stage, model, clientRequestToken="t-1") == deploy(stage, model, clientRequestToken="t-1")
    with pytest.raises(stage.bedrock.exceptions.ValidationException, match="other parameters"):
        deploy(stage, model, "other", clientRequestToken="t-1")


def test_no_more_deployments_than_the_quota(stage):
    model = stage.model()
    for number in range(stage.world.catalog.quota("custom_model_deployments")):
        deploy(stage, model, f"live-{number}")
    with pytest.raises(
        stage.bedrock.exceptions.ServiceQuotaExceededException, match="custom model deployments"
    ):
        deploy(stage, model, "one-more")
    stage.bedrock.delete_custom_model_deployment(customModelDeploymentIdentifier="live-0")
    deploy(stage, model, "one-more")


def test_deployments_are_listed_by_every_filter(stage):
    one, two = stage.model("one"), stage.model("two")
    deploy(stage, one, "alpha")
    # By the cloud's clock: what was made within one millisecond cannot be told apart.
    stage.cloud.clock.sleep(1)
    deploy(stage, two, "beta")

    def names(**filters):
        found = stage.bedrock.list_custom_model_deployments(**filters)["modelDeploymentSummaries"]
        return [each["customModelDeploymentName"] for each in found]

    assert names() == ["beta", "alpha"]
    assert names(sortOrder="Ascending") == ["alpha", "beta"]
    assert names(nameContains="alph") == ["alpha"]
    assert names(modelArnEquals=two) == ["beta"]
    assert names(statusEquals="Active") == ["beta", "alpha"]
    assert names(statusEquals="Creating") == []
    assert names(createdAfter=deployment(stage, "alpha")["createdAt"]) == ["beta"]
    assert names(createdBefore=deployment(stage, "alpha")["createdAt"]) == []


def test_an_update_brings_another_model(stage):
    one, two = stage.model("one"), stage.model("two")
    arn = deploy(stage, one)
    answer = stage.bedrock.update_custom_model_deployment(
        customModelDeploymentIdentifier="live", modelArn=two
    )
    assert answer["customModelDeploymentArn"] == arn
    shown = deployment(stage)
    assert shown["modelArn"] == two
    assert shown["updateDetails"] == {"modelArn": two, "updateStatus": "UpdateCompleted"}


def test_a_deleted_deployment_is_gone(stage):
    arn = deploy(stage, stage.model())
    stage.bedrock.delete_custom_model_deployment(customModelDeploymentIdentifier=arn)
    assert stage.bedrock.list_custom_model_deployments()["modelDeploymentSummaries"] == []
    with pytest.raises(stage.bedrock.exceptions.ResourceNotFoundException):
        deployment(stage, arn)


def test_a_deployment_is_created_and_updated_describe_by_describe_under_the_polls_clock(shared):
    shared.empty()
    clock = shared.cloud.clock
    clock.mode = "polls"
    try:
        _created_and_updated_by_polls(shared.ready())
    finally:
        clock.mode = "instant"


def _created_and_updated_by_polls(stage):
    models = []
    for name in ("one", "two"):
        stage.create(name)
        models.append([stage.job(name) for _ in range(4)][-1]["outputModelArn"])
    one, two = models
    arn = deploy(stage, one)
    with pytest.raises(Exception, match="not active yet"):
        deployed_model(stage.world, "us-east-1", arn)
    deploy(stage, one, "second")
    with pytest.raises(stage.bedrock.exceptions.ServiceQuotaExceededException, match="in progress"):
        deploy(stage, one, "third")
    with pytest.raises(stage.bedrock.exceptions.ConflictException, match="being created"):
        stage.bedrock.delete_custom_model_deployment(customModelDeploymentIdentifier=arn)
    assert [deployment(stage)["status"] for _ in range(2)] == ["Creating", "Active"]
    stage.bedrock.update_custom_model_deployment(customModelDeploymentIdentifier=arn, modelArn=two)
    with pytest.raises(stage.bedrock.exceptions.ValidationException, match="created or updated"):
        stage.bedrock.update_custom_model_deployment(customModelDeploymentIdentifier=arn, modelArn=one)
    updating, updated = deployment(stage), deployment(stage)
    assert (updating["updateDetails"]["updateStatus"], updating["modelArn"]) == ("Updating", one)
    assert (updated["updateDetails"]["updateStatus"], updated["modelArn"]) == ("UpdateCompleted", two)
