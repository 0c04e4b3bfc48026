"""What a batch inference spec refuses by itself, with what to do instead."""

from __future__ import annotations

import pytest

from bedrock_distill.errors import SpecError
from bedrock_distill.resources import BatchInference, CustomModel, Prompts
from bedrock_distill.resources.jobfile import read_job_file

HERE = "arn:aws:bedrock:us-east-1:123456789012:"
CUSTOM = f"{HERE}custom-model/amazon.nova-micro-v1:0:128k/abcdefghijkl"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"model": f"{HERE}imported-model/abcdefghijkl"}, "takes no imported models: ask it call by call"),
        ({"model": f"{HERE}custom-model-deployment/abcdefghijkl"}, "give the custom model's ARN"),
        ({"model": f"{HERE}provisioned-model/abcdefghijkl"}, "takes no provisioned throughput"),
        ({"model": f"{HERE}model-invocation-job/abcdefghijkl"}, "must be a model id, an inference profile"),
        ({"model": "endpoint/triage"}, "must be a model id, an inference profile"),
        ({"model": " "}, "must be a model id"),
        ({"model": 7}, "valid string"),
        ({"name": "two--hyphens"}, "single '-' or '_'"),
        ({"output": "s3://acme/dt=2026-01-01/"}, "no '='"),
        ({"role": "batcher"}, "role's own ARN"),
        ({"timeout_hours": 23}, "greater than or equal to 24"),
        ({"timeout_hours": 169}, "less than or equal to 168"),
        ({"max_tokens": 0}, "greater than or equal to 1"),
        ({"temperature": 1.1}, "less than or equal to 1"),
        ({"temperature": "cold"}, "valid number"),
        ({"invocation": "Chat"}, "'Converse' or 'InvokeModel'"),
        ({"kms_key": "mine"}, "KMS key's ARN"),
        ({"tags": {"aws:x": "1"}}, "reserved"),
        ({"teacher": "x"}, "BatchInference takes: name, model, data"),
    ],
)
def test_a_field_that_breaks_a_rule_is_named_with_its_value_and_the_rule(make_spec, changes, says):
    with pytest.raises(SpecError) as caught:
        make_spec(**changes)
    assert says in caught.value.message
    assert caught.value.field == next(iter(changes))


@pytest.mark.parametrize(
    "model",
    [
        "amazon.nova-pro-v1:0",
        "us.amazon.nova-pro-v1:0",
        CUSTOM,
        f"{HERE}inference-profile/us.amazon.nova-pro-v1:0",
        f"{HERE}application-inference-profile/abcdefghijkl",
        "MyCustomModel",
    ],
)
def test_every_kind_of_id_that_the_service_takes_is_taken(make_spec, model):
    assert make_spec(model=model).model == model


def test_a_custom_models_handle_stands_for_its_arn(make_spec):
    assert make_spec(model=CustomModel(None, CUSTOM)).model == CUSTOM


def test_answers_are_asked_for_as_an_evaluation_asks_unless_told_otherwise(make_spec):
    import inspect

    from bedrock_distill.evaluation import evaluate

    defaults = {name: each.default for name, each in inspect.signature(evaluate).parameters.items()}
    spec = make_spec()
    assert (spec.max_tokens, spec.temperature) == (defaults["max_tokens"], defaults["temperature"])


def test_a_job_file_says_the_same_as_a_spec(tmp_path, prompts):
    (tmp_path / "batch.toml").write_text(
        '[batch]\nname = "triage"\nmodel = "amazon.nova-pro-v1:0"\ndata = "prompts.jsonl"\n'
        'output = "s3://acme/batch"\ntemperature = "none"\ntimeout_hours = 48\ntags = { team = "a" }\n'
        'vpc = { subnet_ids = ["subnet-1"], security_group_ids = ["sg-1"] }\n'
    )
    spec = read_job_file(tmp_path / "batch.toml")
    assert spec == BatchInference(
        name="triage",
        model="amazon.nova-pro-v1:0",
        data=Prompts(prompts),
        output="s3://acme/batch/",
        temperature=None,
        timeout_hours=48,
        tags={"team": "a"},
        vpc={"subnet_ids": ["subnet-1"], "security_group_ids": ["sg-1"]},
    )
