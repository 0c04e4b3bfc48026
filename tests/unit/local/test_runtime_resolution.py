"""Which model ids answer, where lifecycles, regions and teachers decide."""

from __future__ import annotations

import dataclasses
import datetime as dt

import msgspec
import pytest

from bedrock_distill.catalog import load_catalog
from bedrock_distill.local.cloud import Cloud
from bedrock_distill.local.gateway.errors import AwsError
from bedrock_distill.local.services.bedrock.state import CustomModel, Tables
from bedrock_distill.local.services.runtime.resolution import resolve
from bedrock_distill.local.world import TrainingSettings

PRO, MICRO = "amazon.nova-pro-v1:0", "amazon.nova-micro-v1:0"
LLAMA_8B = "meta.llama3-1-8b-instruct-v1:0"


def yes(_prompt):
    return "yes"


def refusal(world, model_id, region="us-east-1"):
    with pytest.raises(AwsError) as caught:
        resolve(world, model_id, region)
    return caught.value


def test_a_model_that_nobody_stands_for_is_denied_with_what_to_pass():
    with Cloud() as cloud:
        error = refusal(cloud.world, PRO)
    assert error.code == "AccessDeniedException"
    assert error.message.startswith("You don't have access to the model with the specified model ID.")
    assert f"Cloud(teachers={{'{PRO}'" in error.message


def test_a_teacher_for_a_student_model_answers_in_the_students_place():
    with Cloud(teachers={MICRO: yes}) as cloud:
        assert resolve(cloud.world, MICRO, "us-east-1").voice.answer(None) == "yes"


def test_the_profile_of_the_callers_own_geography_answers():
    with Cloud(teachers={PRO: yes}) as cloud:
        assert resolve(cloud.world, f"eu.{PRO}", "eu-west-1").inference_region == "eu-west-1"
        assert resolve(cloud.world, f"apac.{PRO}", "ap-south-1").model_id == PRO
        assert refusal(cloud.world, f"us.{PRO}", "eu-west-1").code == "ValidationException"


def test_a_global_profile_answers_everywhere_where_the_model_has_one():
    catalog = load_catalog()
    pro = msgspec.structs.replace(catalog.model(PRO), profiles=(f"us.{PRO}", f"global.{PRO}"))
    catalog = dataclasses.replace(catalog, models=(pro,))
    with Cloud(teachers={PRO: yes}, catalog=catalog) as cloud:
        assert resolve(cloud.world, f"global.{PRO}", "eu-west-1").model_id == PRO


def test_a_legacy_model_answers_an_account_that_names_a_teacher_for_it():
    with Cloud() as cloud:
        error = refusal(cloud.world, f"us.{LLAMA_8B}", "us-west-2")
    assert error.code == "ResourceNotFoundException"
    assert "marked by provider as Legacy" in error.message
    with Cloud(teachers={LLAMA_8B: yes}) as cloud:
        assert resolve(cloud.world, f"us.{LLAMA_8B}", "us-west-2").model_id == LLAMA_8B


def test_a_legacy_model_answers_an_account_that_has_customized_it():
    with Cloud(training=TrainingSettings(size="tiny")) as cloud:
        arn = f"arn:aws:bedrock:us-west-2:123456789012:custom-model/{LLAMA_8B}:128k/abcdefghijkl"
        row = CustomModel(arn=arn, name="mine", serial=1, job=None, created=cloud.clock.now())
        Tables(cloud.world, "us-west-2").models.put(arn, row)
        assert resolve(cloud.world, f"us.{LLAMA_8B}", "us-west-2").voice.is_dir()


def test_a_model_ends_on_its_day_by_the_clouds_clock_whoever_teaches():
    catalog = load_catalog()
    with Cloud() as cloud:
        today = cloud.clock.now().date()
    for eol_on, ended in [(today, True), (today + dt.timedelta(days=30), False)]:
        pro = msgspec.structs.replace(catalog.model(PRO), eol_on=eol_on)
        with Cloud(teachers={PRO: yes}, catalog=dataclasses.replace(catalog, models=(pro,))) as cloud:
            if ended:
                assert "reached the end of its life" in refusal(cloud.world, PRO).message
            else:
                assert resolve(cloud.world, PRO, "us-east-1").model_id == PRO
