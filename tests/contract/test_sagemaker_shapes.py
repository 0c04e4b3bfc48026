"""Answers of SageMaker, its runtime and auto scaling, in the states that endpoints pass through, against botocore's models."""

from __future__ import annotations

import runpy
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name

from bedrock_distill.local.gateway.patterns import matches

HERE = Path(__file__).parent
_stage = runpy.run_path(str(HERE.parents[0] / "unit" / "local" / "sagemaker_stage.py"))
open_stage, LMI = _stage["open_stage"], _stage["LMI"]
ASK = {"inputs": "Hi", "parameters": {"max_new_tokens": 2, "do_sample": False}}
SCALED = {
    "ServiceNamespace": "sagemaker",
    "ResourceId": "inference-component/part",
    "ScalableDimension": "sagemaker:inference-component:DesiredCopyCount",
}
METRIC = {"PredefinedMetricType": "SageMakerInferenceComponentConcurrentRequestsPerCopyHighResolution"}
STATUSES = {"Creating", "InService", "Updating", "RollingBack", "Failed", "Deleting"}


def violations(shape, value, path):
    """What an answer breaks of its shape: required, unknown, enum, pattern, length, range."""
    if shape.type_name == "structure":
        yield from (f"{path}.{name} is missing" for name in shape.required_members if name not in value)
        yield from (f"{path}.{name} is not modelled" for name in value if name not in shape.members)
        for name in value.keys() & shape.members.keys():
            yield from violations(shape.members[name], value[name], f"{path}.{name}")
    elif shape.type_name == "list":
        for number, item in enumerate(value):
            yield from violations(shape.member, item, f"{path}[{number}]")
    elif shape.type_name == "string":
        facts = shape.metadata
        if shape.enum and value not in shape.enum:
            yield f"{path}: {value!r} is none of {shape.enum}"
        if facts.get("pattern") and not matches(facts["pattern"], value):
            yield f"{path}: {value!r} does not match {facts['pattern']}"
        if not facts.get("min", 0) <= len(value) <= facts.get("max", len(value)):
            yield f"{path}: {value!r} is too short or too long"
    elif shape.type_name in ("integer", "float", "double", "long"):
        low, high = shape.metadata.get("min", value), shape.metadata.get("max", value)
        if not low <= value <= high:
            yield f"{path}: {value} is not within {low} and {high}"


class Kept(list):
    """Every parsed answer, by service and operation; it stands in for a client."""

    def __init__(self, client):
        super().__init__()
        self._client = client

    def __getattr__(self, name):
        def call(**params):
            answer = getattr(self._client, name)(**params)
            self.append((self._client.meta.method_to_api_mapping[name], answer))
            return answer

        return call


@pytest.fixture(scope="module")
def kept(student_dir):
    """A tour through every operation."""
    with open_stage(student_dir, clock="polls") as stage:
        for name in ("sm", "scaling"):
            setattr(stage, name, Kept(getattr(stage, name)))
        _endpoints(stage)
        _components(stage)
        yield stage


def _look(stage, name, looks=3):
    return [stage.sm.describe_endpoint(EndpointName=name)["EndpointStatus"] for _ in range(looks)]


def _endpoints(stage):
    sm = stage.sm
    arn = stage.model()
    sm.describe_model(ModelName="student")
    sm.add_tags(ResourceArn=arn, Tags=[{"Key": "a", "Value": "1"}])
    sm.list_tags(ResourceArn=arn)
    sm.delete_tags(ResourceArn=arn, TagKeys=["a"])
    stage.model("bad", environment={"OPTION_MAX_NUM_SEQS": "1"})
    for name, model in (("good", "student"), ("broken", "bad"), ("next", "student")):
        stage.config(name, stage.variant(model))
    sm.describe_endpoint_config(EndpointConfigName="good")
    for name in ("good", "broken"):
        sm.create_endpoint(EndpointName=name, EndpointConfigName=name)
        _look(stage, name)
    for config in ("broken", "next"):
        sm.update_endpoint(EndpointName="good", EndpointConfigName=config)
        _look(stage, "good", 5)
    sm.update_endpoint_weights_and_capacities(
        EndpointName="good", DesiredWeightsAndCapacities=[{"VariantName": "AllTraffic", "DesiredWeight": 2.0}]
    )
    _look(stage, "good")
    for operation in ("list_models", "list_endpoint_configs", "list_endpoints"):
        getattr(sm, operation)(MaxResults=1)
    sm.delete_endpoint(EndpointName="good")
    _look(stage, "good", 1)
    sm.delete_endpoint_config(EndpointConfigName="good")
    sm.delete_model(ModelName="bad")


def _components(stage):
    sm, scaling = stage.sm, stage.scaling
    variant = stage.variant(
        None, ManagedInstanceScaling={"Status": "ENABLED", "MinInstanceCount": 0, "MaxInstanceCount": 2}
    )
    stage.config("shared", variant, ExecutionRoleArn=stage.role)
    sm.create_endpoint(EndpointName="shared", EndpointConfigName="shared")
    _look(stage, "shared")
    stage.component()
    for _ in range(2):
        stage.settled_component()
    scaling.register_scalable_target(**SCALED, MinCapacity=0, MaxCapacity=2)
    settings = {"TargetValue": 1.0, "PredefinedMetricSpecification": METRIC}
    scaling.put_scaling_policy(
        **SCALED,
        PolicyName="p",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration=settings,
    )
    scaling.describe_scalable_targets(ServiceNamespace="sagemaker")
    scaling.describe_scaling_policies(ServiceNamespace="sagemaker")
    stage.cloud.clock.sleep(400)
    for _ in range(3):
        stage.settled_component()
    scaling.describe_scaling_activities(ServiceNamespace="sagemaker")
    needs = {"NumberOfAcceleratorDevicesRequired": 1, "MinMemoryRequiredInMb": 128}
    sm.update_inference_component(
        InferenceComponentName="part",
        Specification={"ModelName": "student", "ComputeResourceRequirements": needs},
        RuntimeConfig={"CopyCount": 1},
    )
    for _ in range(3):
        stage.settled_component()
    sm.update_inference_component_runtime_config(
        InferenceComponentName="part", DesiredRuntimeConfig={"CopyCount": 2}
    )
    for _ in range(3):
        stage.settled_component()
    sm.list_inference_components()
    scaling.delete_scaling_policy(PolicyName="p", **SCALED)
    scaling.deregister_scalable_target(**SCALED)
    sm.delete_inference_component(InferenceComponentName="part")
    stage.settled_component()


@pytest.mark.parametrize(("service", "client"), [("sagemaker", "sm"), ("application-autoscaling", "scaling")])
def test_every_answer_is_as_its_model_says(kept, service, client):
    model = botocore.session.get_session().get_service_model(service)
    answers = getattr(kept, client)
    broken = [
        problem
        for operation, answer in answers
        if model.operation_model(operation).output_shape is not None
        for problem in violations(
            model.operation_model(operation).output_shape,
            {name: value for name, value in answer.items() if name != "ResponseMetadata"},
            operation,
        )
    ]
    assert broken == []


def test_the_tour_has_seen_every_operation_and_state(kept):
    service = kept.cloud._running["sagemaker"]
    seen = {xform_name(operation) for operation, _ in kept.sm}
    assert set(service._operations) - seen == set()
    statuses = {answer["EndpointStatus"] for operation, answer in kept.sm if operation == "DescribeEndpoint"}
    assert statuses >= STATUSES
