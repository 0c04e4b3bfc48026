"""What SageMaker refuses for reasons of its own, each with AWS's error and, where they are known, AWS's words."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

_stage = runpy.run_path(str(Path(__file__).parents[1] / "unit" / "local" / "sagemaker_stage.py"))
open_stage, LMI, ACCOUNT = (_stage[name] for name in ("open_stage", "LMI", "ACCOUNT"))
ARN = f"arn:aws:sagemaker:us-east-1:{ACCOUNT}"
ROLE = f"arn:aws:iam::{ACCOUNT}:role"


@pytest.fixture(scope="module")
def stage(student_dir):
    """A stage with an endpoint on it, and roles that lack one thing each."""
    with open_stage(student_dir) as opened:
        opened.endpoint()
        opened.new_role("untrusting", trust={**_stage["TRUST"], "Statement": []})
        opened.new_role("blind", policy=None)
        get_only = json.loads(json.dumps(_stage["READS"]))
        get_only["Statement"][0]["Action"] = ["s3:GetObject"]
        opened.new_role("cannot-list", policy=get_only)
        yield opened


def refusal(call):
    with pytest.raises(ClientError) as caught:
        call()
    error = caught.value.response
    assert (error["Error"]["Code"], error["ResponseMetadata"]["HTTPStatusCode"]) == (
        "ValidationException",
        400,
    )
    return error["Error"]["Message"]


def data(uri="s3://models/student/", kind="S3Prefix", compression="None"):
    source = {"S3Uri": uri, "S3DataType": kind, "CompressionType": compression}
    return {"ModelDataSource": {"S3DataSource": source}}


MODELS = [
    # what is changed in a request that works, and AWS's words
    ({"ModelName": "student"}, f'Cannot create already existing model "{ARN}:model/student".'),
    ({"ExecutionRoleArn": f"{ROLE}/nobody"}, f"Could not assume role {ROLE}/nobody."),
    ({"ExecutionRoleArn": f"{ROLE}/untrusting"}, f"Could not assume role {ROLE}/untrusting."),
    ({"ExecutionRoleArn": "arn:aws:iam::999999999999:role/host"}, "Cross-account pass role is not allowed."),
    ({"ExecutionRoleArn": f"{ROLE}/blind"}, "Could not access model data at s3://models/student/."),
    ({"ExecutionRoleArn": f"{ROLE}/cannot-list"}, 'please ensure that the role has "s3:ListBucket" permission.'),
    ({"ExecutionRoleArn": None}, "ExecutionRoleArn is required"),
    ({"PrimaryContainer": None}, "Exactly one of PrimaryContainer and Containers"),
    ({"PrimaryContainer": {}}, "Exactly one of PrimaryContainer and Containers"),
    ({"PrimaryContainer": data()}, "Image is required"),
    ({"PrimaryContainer": {"Image": "vllm/vllm-openai:latest", **data()}}, 'Using non-ECR image "vllm/vllm-openai:latest"'),
    ({"PrimaryContainer": {"Image": LMI, **data("s3://models/nothing/")}}, "Could not find model data at s3://models/nothing/."),
    ({"PrimaryContainer": {"Image": LMI, **data("s3://no-such-bucket/x/")}}, "Could not find model data at"),
    ({"PrimaryContainer": {"Image": LMI, **data("s3://models/student")}}, "must end with a forward slash"),
    ({"PrimaryContainer": {"Image": LMI, **data("https://acme/x/")}}, "is not an S3 URI"),
    ({"PrimaryContainer": {"Image": LMI, **data(), "ModelDataUrl": "s3://models/m.tar.gz"}}, "cannot be given together"),
    ({"Tags": [{"Key": "aws:x", "Value": ""}]}, "Tag keys cannot start with aws:"),
    ({"Tags": [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]}, "Duplicate tag key a."),
]  # fmt: skip


@pytest.mark.parametrize(("change", "words"), MODELS)
def test_a_model_is_refused(stage, change, words):
    request = {
        "ModelName": "new",
        "ExecutionRoleArn": stage.role,
        "PrimaryContainer": stage.container(),
        **change,
    }
    request = {name: value for name, value in request.items() if value is not None}
    assert words in refusal(lambda: stage.sm.create_model(**request))


CONFIGS = [
    ([{"ModelName": "nothing"}], {}, f'Could not find model "{ARN}:model/nothing".'),
    ([{}, {}], {}, "Production variant names must be unique"),
    ([{"InstanceType": None}], {}, "exactly one of InstanceType and InstancePools"),
    ([{"InitialInstanceCount": None}], {}, "InitialInstanceCount of at least 1"),
    ([{"ModelName": None}], {}, "ExecutionRoleArn is required"),
    ([{"ModelName": None}], {"ExecutionRoleArn": f"{ROLE}/nobody"}, "Could not assume role"),
    ([{}], {"ExecutionRoleArn": f"{ROLE}/host"}, "only for production variants without a ModelName"),
    ([{"ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 1}}], {}, "no serverless variants"),
    ([{"ManagedInstanceScaling": {"Status": "ENABLED"}}], {}, "only for variants without a ModelName"),
    ([{"ModelName": None, "ManagedInstanceScaling": {"MinInstanceCount": 3, "MaxInstanceCount": 2}}],
     {"ExecutionRoleArn": f"{ROLE}/host"}, "is above its MaxInstanceCount"),
]  # fmt: skip


@pytest.mark.parametrize(("variants", "more", "words"), CONFIGS)
def test_an_endpoint_configuration_is_refused(stage, variants, more, words):
    made = [
        {name: value for name, value in {**stage.variant(), **change}.items() if value is not None}
        for change in variants
    ]
    assert words in refusal(lambda: stage.config("new", *made, **more))


def test_names_that_are_taken_or_unknown_are_refused_in_aws_s_words(stage):
    sm = stage.sm
    wanted = {
        f'Cannot create already existing endpoint configuration "{ARN}:endpoint-config/student".': lambda: (
            stage.config("student", stage.variant())
        ),
        f'Cannot create already existing endpoint "{ARN}:endpoint/student".': lambda: sm.create_endpoint(
            EndpointName="student", EndpointConfigName="student"
        ),
        'Could not find endpoint configuration "gone".': lambda: sm.create_endpoint(
            EndpointName="new", EndpointConfigName="gone"
        ),
        'Could not find endpoint "gone".': lambda: sm.describe_endpoint(EndpointName="gone"),
        f'Could not find model "{ARN}:model/gone".': lambda: sm.describe_model(ModelName="gone"),
        f'Could not find inference component "{ARN}:inference-component/gone".': lambda: (
            sm.describe_inference_component(InferenceComponentName="gone")
        ),
    }
    for words, call in wanted.items():
        assert refusal(call) == words
    others = [
        lambda: sm.delete_endpoint(EndpointName="gone"),
        lambda: sm.update_endpoint(EndpointName="gone", EndpointConfigName="student"),
        lambda: sm.update_endpoint(EndpointName="student", EndpointConfigName="gone"),
        lambda: sm.delete_endpoint_config(EndpointConfigName="gone"),
        lambda: sm.delete_model(ModelName="gone"),
        lambda: sm.delete_inference_component(InferenceComponentName="gone"),
    ]
    assert all(refusal(call).startswith("Could not find") for call in others)


def test_a_variant_that_is_not_there_cannot_be_resized(stage):
    wanted = [{"VariantName": "Other", "DesiredWeight": 1.0}]
    assert "Could not find production variant" in refusal(
        lambda: stage.sm.update_endpoint_weights_and_capacities(
            EndpointName="student", DesiredWeightsAndCapacities=wanted
        )
    )


SCALING = [
    ({"ServiceNamespace": "ecs"}, "scales sagemaker only"),
    ({"ResourceId": "endpoint/nowhere/variant/AllTraffic"}, "No scalable resource found"),
    ({"ResourceId": "inference-component/part"}, "Unsupported service namespace"),
    ({"MinCapacity": 5}, "Maximum capacity cannot be less than minimum capacity"),
    ({"MaxCapacity": None}, "MinCapacity and MaxCapacity are required"),
    ({"MinCapacity": 0}, "cannot be 0"),
]


@pytest.mark.parametrize(("change", "words"), SCALING)
def test_a_scalable_target_is_refused(stage, change, words):
    request = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": "endpoint/student/variant/AllTraffic",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
        "MinCapacity": 1,
        "MaxCapacity": 2,
        **change,
    }
    request = {name: value for name, value in request.items() if value is not None}
    assert words in refusal(lambda: stage.scaling.register_scalable_target(**request))
