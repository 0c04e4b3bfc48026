from __future__ import annotations

from datetime import date
from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from bedrock_distill.catalog import load_catalog
from bedrock_distill.local.call import Call
from bedrock_distill.local.clock import LocalClock
from bedrock_distill.local.gateway.errors import AwsError
from bedrock_distill.local.services.bedrock.foundation_models import FoundationModels

MICRO, MICRO_128K = "amazon.nova-micro-v1:0", "amazon.nova-micro-v1:0:128k"


def service(catalog=None):
    return FoundationModels(SimpleNamespace(catalog=catalog or load_catalog(), clock=LocalClock()))


def call(region="us-east-1", **params):
    return Call(
        service="bedrock",
        operation="",
        params=params,
        region=region,
        account_id="123456789012",
        request_id="1",
        caller_arn="arn:aws:iam::123456789012:user/me",
    )


def ids(region="us-east-1", **filters):
    return [
        summary["modelId"]
        for summary in service().list_foundation_models(call(region, **filters))["modelSummaries"]
    ]


def test_plain_ids_answer_on_demand_and_context_variants_are_provisioned():
    assert MICRO in ids(byInferenceType="ON_DEMAND")
    assert MICRO not in ids(byInferenceType="PROVISIONED")
    assert MICRO_128K in ids(byInferenceType="PROVISIONED")


def test_what_can_be_distilled_into_is_the_variant_that_a_pair_sends_in_that_region():
    distillable = ids(byCustomizationType="DISTILLATION")
    assert {MICRO_128K, "amazon.nova-lite-v1:0:300k"} <= set(distillable)
    assert MICRO not in distillable
    assert MICRO_128K not in ids("us-west-2", byCustomizationType="DISTILLATION")
    assert "meta.llama3-2-1b-instruct-v1:0:128k" in ids("us-west-2", byCustomizationType="DISTILLATION")


def test_continued_pretraining_is_offered_by_no_model():
    assert ids(byCustomizationType="CONTINUED_PRE_TRAINING") == []


def test_providers_are_told_apart_in_any_case():
    assert set(ids(byProvider="amazon")) == {each for each in ids() if each.startswith("amazon.")}
    assert ids(byProvider="Nobody") == []


def test_all_models_write_text():
    assert ids(byOutputModality="TEXT") == ids()
    assert ids(byOutputModality="EMBEDDING") == []


def test_a_model_that_only_a_profile_can_call_supports_neither_kind_of_inference():
    details = service().get_foundation_model(call(modelIdentifier="meta.llama3-2-1b-instruct-v1:0"))[
        "modelDetails"
    ]
    assert details["inferenceTypesSupported"] == []


@pytest.mark.parametrize(
    "identifier", [MICRO_128K, f"arn:aws:bedrock:us-east-1::foundation-model/{MICRO_128K}"]
)
def test_a_model_is_found_by_id_and_by_arn(identifier):
    details = service().get_foundation_model(call(modelIdentifier=identifier))["modelDetails"]
    assert details["modelId"] == MICRO_128K
    assert details["modelArn"] == f"arn:aws:bedrock:us-east-1::foundation-model/{MICRO_128K}"
    assert details["customizationsSupported"] == ["FINE_TUNING", "DISTILLATION"]


@pytest.mark.parametrize(
    ("identifier", "code"),
    [
        ("acme.unknown-v1:0", "ValidationException"),
        (f"{MICRO}:7k", "ValidationException"),
        (f"us.{MICRO}", "ValidationException"),
        (f"arn:aws:bedrock:eu-west-1::foundation-model/{MICRO}", "ResourceNotFoundException"),
        ("arn:aws:bedrock:us-east-1::foundation-model/acme.unknown-v1:0", "ResourceNotFoundException"),
    ],
)
def test_what_is_no_model_here_is_refused(identifier, code):
    with pytest.raises(AwsError) as caught:
        service().get_foundation_model(call(modelIdentifier=identifier))
    assert caught.value.code == code


def lifecycle(**dates):
    shipped = load_catalog()
    models = tuple(replace(model, **dates) if model.id == MICRO else model for model in shipped.models)
    changed = service(type(shipped)(models, shipped.pairs, shipped.quotas, shipped.prices))
    listed = [each["modelId"] for each in changed.list_foundation_models(call())["modelSummaries"]]
    shown = changed.get_foundation_model(call(modelIdentifier=MICRO))["modelDetails"]["modelLifecycle"]
    return shown, MICRO in listed


def test_the_lifecycle_follows_the_dates_of_the_catalog():
    assert lifecycle(status="ACTIVE")[0] == {"status": "ACTIVE"}
    shown, listed = lifecycle(legacy_on=date(2020, 1, 1), eol_on=date(2999, 1, 1))
    assert (shown["status"], shown["legacyTime"].year, shown["endOfLifeTime"].year) == ("LEGACY", 2020, 2999)
    assert listed
    assert lifecycle(legacy_on=date(2999, 1, 1))[0]["status"] == "ACTIVE"


def test_a_model_past_its_end_is_no_longer_listed_and_shows_as_legacy():
    shown, listed = lifecycle(eol_on=date(2020, 1, 1))
    assert shown["status"] == "LEGACY"
    assert not listed
