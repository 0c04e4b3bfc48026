"""Provisioned throughput: for which models it can be bought, how it changes, and when it can be given back."""

from __future__ import annotations

import pytest

from bedrock_distill.local.services.bedrock.serving import provisioned_model

MICRO = "amazon.nova-micro-v1:0:128k"


@pytest.fixture
def stage(shared):
    return shared.empty().ready()


def buy(stage, model, name="steady", **more):
    request = {"modelUnits": 2, "provisionedModelName": name, "modelId": model, **more}
    return stage.bedrock.create_provisioned_model_throughput(**request)["provisionedModelArn"]


def shown(stage, identifier="steady"):
    return stage.bedrock.get_provisioned_model_throughput(provisionedModelId=identifier)


def change(stage, identifier="steady", **wanted):
    stage.bedrock.update_provisioned_model_throughput(provisionedModelId=identifier, **wanted)


def delete(stage, identifier="steady"):
    stage.bedrock.delete_provisioned_model_throughput(provisionedModelId=identifier)


def test_a_custom_model_is_provisioned_by_name_or_arn(stage):
    model = stage.model()
    arn = buy(stage, "triage-model")
    row = shown(stage, arn)
    assert row["status"] == "InService"
    assert (row["modelArn"], row["desiredModelArn"]) == (model, model)
    assert row["foundationModelArn"].endswith(f"foundation-model/{MICRO}")
    assert (row["modelUnits"], row["desiredModelUnits"]) == (2, 2)
    assert not {"commitmentDuration", "commitmentExpirationTime"} & row.keys()
    assert provisioned_model(stage.world, "us-east-1", arn) == model
    buy(stage, model, "another")


def test_a_foundation_model_is_provisioned_by_a_context_variant(stage):
    arn = buy(stage, "amazon.nova-lite-v1:0:24k")
    row = shown(stage, arn)
    assert row["modelArn"] == row["foundationModelArn"]
    assert row["modelArn"].endswith("::foundation-model/amazon.nova-lite-v1:0:24k")
    with pytest.raises(stage.bedrock.exceptions.ValidationException, match=r"amazon\.nova-lite-v1:0:300k"):
        buy(stage, "amazon.nova-lite-v1:0", "plain")


def test_a_legacy_base_is_closed_for_its_custom_models_too(stage, monkeypatch):
    import dataclasses

    import msgspec

    model = stage.model()
    catalog = stage.world.catalog
    models = [
        msgspec.structs.replace(each, status="LEGACY") if each.id == "amazon.nova-micro-v1:0" else each
        for each in catalog.models
    ]
    monkeypatch.setattr(stage.world, "catalog", dataclasses.replace(catalog, models=tuple(models)))
    for target in (model, MICRO):
        with pytest.raises(stage.bedrock.exceptions.ResourceNotFoundException, match="Legacy"):
            buy(stage, target)


def test_the_same_token_buys_once(stage):
    model = stage.model()
    assert buy(stage, model, clientRequestToken="t-1") == buy(stage, model, clientRequestToken="t-1")
    with pytest.raises(stage.bedrock.exceptions.ValidationException, match="other parameters"):
        buy(stage, model, "other", clientRequestToken="t-1")


def test_a_commitment_holds_until_its_day(stage):
    buy(stage, stage.model(), commitmentDuration="OneMonth")
    row = shown(stage)
    assert row["commitmentDuration"] == "OneMonth"
    assert (row["commitmentExpirationTime"] - row["creationTime"]).days == 30
    with pytest.raises(stage.bedrock.exceptions.ConflictException, match="before its commitment ends"):
        delete(stage)
    stage.cloud.clock.sleep(31 * 86_400)
    delete(stage)
    with pytest.raises(stage.bedrock.exceptions.ResourceNotFoundException):
        shown(stage)


def test_a_custom_model_gives_way_to_its_sibling_or_to_its_base_and_a_base_model_to_nothing(stage):
    one, two = stage.model("one"), stage.model("two")
    buy(stage, one)
    change(stage, desiredModelId=two, desiredProvisionedModelName="renamed")
    assert shown(stage, "renamed")["modelArn"] == two
    with pytest.raises(stage.bedrock.exceptions.ValidationException, match="cannot take the place"):
        change(stage, "renamed", desiredModelId="amazon.nova-lite-v1:0:300k")
    change(stage, "renamed", desiredModelId=MICRO)
    assert shown(stage, "renamed")["modelArn"].endswith(f"foundation-model/{MICRO}")
    with pytest.raises(stage.bedrock.exceptions.ValidationException, match="it is a base model"):
        change(stage, "renamed", desiredModelId=one)


def test_a_model_that_is_provisioned_cannot_be_deleted(stage):
    model = stage.model()
    buy(stage, model)
    with pytest.raises(stage.bedrock.exceptions.ConflictException, match="model throughput steady"):
        stage.bedrock.delete_custom_model(modelIdentifier=model)
    delete(stage)
    stage.bedrock.delete_custom_model(modelIdentifier=model)


def test_provisioned_throughput_is_listed_by_every_filter(stage):
    one, two = stage.model("one"), stage.model("two")
    buy(stage, one, "alpha")
    stage.cloud.clock.sleep(1)
    buy(stage, two, "beta")
    created = shown(stage, "alpha")["creationTime"]

    def names(**filters):
        found = stage.bedrock.list_provisioned_model_throughputs(**filters)["provisionedModelSummaries"]
        return [each["provisionedModelName"] for each in found]

    assert names() == names(statusEquals="InService") == ["beta", "alpha"]
    assert names(sortOrder="Ascending", sortBy="CreationTime") == ["alpha", "beta"]
    assert names(nameContains="alph") == names(modelArnEquals=one) == ["alpha"]
    assert names(creationTimeAfter=created) == ["beta"]
    assert names(creationTimeBefore=created) == names(statusEquals="Creating") == []


def test_it_is_created_and_updated_describe_by_describe_under_the_polls_clock(shared):
    shared.empty()
    shared.cloud.clock.mode = "polls"
    try:
        _by_polls(shared.ready())
    finally:
        shared.cloud.clock.mode = "instant"


def _by_polls(stage):
    models = []
    for name in ("one", "two"):
        stage.create(name)
        models.append([stage.job(name) for _ in range(4)][-1]["outputModelArn"])
    one, two = models
    arn = buy(stage, one)
    with pytest.raises(Exception, match="not in service yet"):
        provisioned_model(stage.world, "us-east-1", arn)
    with pytest.raises(stage.bedrock.exceptions.ConflictException, match="being created"):
        delete(stage)
    with pytest.raises(stage.bedrock.exceptions.ValidationException, match="being created"):
        change(stage, desiredModelId=two)
    assert [shown(stage)["status"] for _ in range(2)] == ["Creating", "InService"]
    change(stage, desiredModelId=two)
    updating, updated = shown(stage), shown(stage)
    assert (updating["status"], updating["modelArn"], updating["desiredModelArn"]) == ("Updating", one, two)
    assert (updated["status"], updated["modelArn"], updated["desiredModelArn"]) == ("InService", two, two)
