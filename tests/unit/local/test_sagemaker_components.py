"""Inference components and their scaling: copies on shared instances, to zero when nobody asks, and awake again."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

_stage = runpy.run_path(str(Path(__file__).with_name("sagemaker_stage.py")))
open_stage, LMI = _stage["open_stage"], _stage["LMI"]
ASK = {"inputs": "Hi", "parameters": {"max_new_tokens": 4, "do_sample": False}}
DIMENSION = {
    "ServiceNamespace": "sagemaker",
    "ScalableDimension": "sagemaker:inference-component:DesiredCopyCount",
    "ResourceId": "inference-component/part",
}
NO_CAPACITY = "Inference Component has no capacity to process this request"


@pytest.fixture
def stage(student_dir):
    with open_stage(student_dir) as opened:
        opened.model()
        yield opened


def copies(described):
    runtime = described["RuntimeConfig"]
    return described["InferenceComponentStatus"], runtime["DesiredCopyCount"], runtime["CurrentCopyCount"]


def instances(stage):
    return stage.settled("shared")["ProductionVariants"][0]["CurrentInstanceCount"]


def target(stage, least=0, most=2):
    return stage.scaling.register_scalable_target(**DIMENSION, MinCapacity=least, MaxCapacity=most)


def follow(stage, value=1.0, **more):
    metric = {"PredefinedMetricType": "SageMakerInferenceComponentConcurrentRequestsPerCopyHighResolution"}
    settings = {"TargetValue": value, "PredefinedMetricSpecification": metric, **more}
    return stage.scaling.put_scaling_policy(
        **DIMENSION,
        PolicyName="follow",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration=settings,
    )["PolicyARN"]


def wake(stage, metric="NoCapacityInvocationFailures"):
    """The alarm and the step policy that bring a component back from zero."""
    steps = [{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 1}]
    arn = stage.scaling.put_scaling_policy(
        **DIMENSION,
        PolicyName="wake",
        PolicyType="StepScaling",
        StepScalingPolicyConfiguration={
            "AdjustmentType": "ChangeInCapacity",
            "StepAdjustments": steps,
            "Cooldown": 60,
        },
    )["PolicyARN"]
    stage.cloudwatch.put_metric_alarm(
        AlarmName="wake", Namespace="AWS/SageMaker", MetricName=metric, Statistic="Maximum", Period=30,
        Dimensions=[{"Name": "InferenceComponentName", "Value": "part"}], EvaluationPeriods=1, Threshold=1.0,
        ComparisonOperator="GreaterThanOrEqualToThreshold", AlarmActions=[arn],
    )  # fmt: skip


def test_a_component_is_placed_asked_scaled_and_removed(stage):
    stage.shared()
    assert copies(stage.component()) == ("InService", 1, 1)
    answer = stage.ask(ASK, "shared", InferenceComponentName="part")
    assert answer["InvokedProductionVariant"] == "AllTraffic"
    with pytest.raises(ClientError, match="Inference Component Name header is required"):
        stage.ask(ASK, "shared")
    with pytest.raises(ClientError, match="Inference Component other not found"):
        stage.ask(ASK, "shared", InferenceComponentName="other")
    stage.sm.update_inference_component_runtime_config(
        InferenceComponentName="part", DesiredRuntimeConfig={"CopyCount": 0}
    )
    assert copies(stage.settled_component()) == ("InService", 0, 0)
    with pytest.raises(ClientError, match=NO_CAPACITY):
        stage.ask(ASK, "shared", InferenceComponentName="part")
    with pytest.raises(ClientError, match="with inference components: part"):
        stage.sm.delete_endpoint(EndpointName="shared")
    stage.sm.delete_inference_component(InferenceComponentName="part")
    stage.cloud.clock.settle()
    with pytest.raises(ClientError, match="Could not find inference component"):
        stage.sm.describe_inference_component(InferenceComponentName="part")
    stage.sm.delete_endpoint(EndpointName="shared")


def test_a_component_with_a_container_of_its_own_serves(stage):
    stage.shared()
    container = {
        "Image": LMI,
        "Environment": {"OPTION_MAX_MODEL_LEN": "2048"},
        "ArtifactUrl": "s3://models/student/",
    }
    described = stage.component(model=None, Container=container)
    assert described["InferenceComponentStatus"] == "InService"
    assert described["Specification"]["Container"]["DeployedImage"]["SpecifiedImage"] == LMI
    assert stage.ask(ASK, "shared", InferenceComponentName="part")["Body"].read()


def test_instances_follow_the_copies_where_scaling_is_managed(stage):
    stage.shared(least=0, most=3)
    assert instances(stage) == 1
    stage.component(copies=2)
    assert instances(stage) == 2
    stage.sm.update_inference_component_runtime_config(
        InferenceComponentName="part", DesiredRuntimeConfig={"CopyCount": 0}
    )
    stage.cloud.clock.settle()
    assert instances(stage) == 0


def test_components_are_listed_by_their_endpoint(stage):
    stage.shared(most=3)
    for name in ("one", "two"):
        stage.component(name)
    rows = stage.sm.list_inference_components(
        EndpointNameEquals="shared", SortBy="Name", SortOrder="Ascending"
    )
    assert [each["InferenceComponentName"] for each in rows["InferenceComponents"]] == ["one", "two"]
    assert stage.sm.list_inference_components(EndpointNameEquals="other")["InferenceComponents"] == []
    assert stage.sm.list_inference_components(StatusEquals="Failed")["InferenceComponents"] == []


def test_more_copies_than_the_instances_hold_fail_and_say_so(stage):
    stage.shared(most=2)
    described = stage.component(copies=3)
    assert described["InferenceComponentStatus"] == "Failed"
    assert "not enough hardware resources" in described["FailureReason"]


def test_a_component_whose_container_crashes_fails(stage):
    stage.shared()
    stage.model("bad", environment={"OPTION_MAX_NUM_SEQS": "8"})
    described = stage.component(model="bad")
    assert described["InferenceComponentStatus"] == "Failed"
    assert "did not pass the ping health check" in described["FailureReason"]
    assert "conflicting values" in "\n".join(stage.log_of("shared"))


def test_an_update_that_crashes_leaves_the_component_as_it_was(stage):
    stage.shared()
    stage.component()
    stage.model("bad", environment={"OPTION_MAX_NUM_SEQS": "8"})
    needs = {"NumberOfAcceleratorDevicesRequired": 1, "MinMemoryRequiredInMb": 1024}
    stage.sm.update_inference_component(
        InferenceComponentName="part",
        Specification={"ModelName": "bad", "ComputeResourceRequirements": needs},
    )
    described = stage.settled_component()
    assert copies(described) == ("InService", 1, 1)
    assert described["Specification"]["ModelName"] == "student"
    assert "health check" in described["FailureReason"]


def test_an_idle_component_goes_to_zero_and_a_request_wakes_it(stage):
    stage.shared(least=0)
    stage.component()
    target(stage)
    follow(stage, ScaleInCooldown=120)
    wake(stage)
    stage.ask(ASK, "shared", InferenceComponentName="part")
    assert copies(stage.settled_component()) == ("InService", 1, 1)
    stage.cloud.clock.sleep(121)
    stage.settled_component()
    assert copies(stage.settled_component()) == ("InService", 0, 0)
    assert instances(stage) == 0
    with pytest.raises(ClientError, match=NO_CAPACITY) as caught:
        stage.ask(ASK, "shared", InferenceComponentName="part")
    assert caught.value.response["Error"]["Code"] == "ValidationError"
    assert stage.cloudwatch.describe_alarms(AlarmNames=["wake"])["MetricAlarms"][0]["StateValue"] == "ALARM"
    assert copies(stage.settled_component()) == ("InService", 1, 1)
    assert instances(stage) == 1
    assert stage.ask(ASK, "shared", InferenceComponentName="part")["Body"].read()
    assert stage.cloudwatch.describe_alarms(AlarmNames=["wake"])["MetricAlarms"][0]["StateValue"] == "OK"
    done = stage.scaling.describe_scaling_activities(ServiceNamespace="sagemaker")["ScalingActivities"]
    assert [each["Description"] for each in done] == [
        "Setting desired copy count to 1.",
        "Setting desired copy count to 0.",
    ]


def test_without_the_alarm_nothing_wakes_it(stage):
    stage.shared(least=0)
    stage.component()
    target(stage)
    follow(stage, ScaleInCooldown=60)
    stage.cloud.clock.sleep(61)
    stage.settled_component()
    for _ in range(2):
        with pytest.raises(ClientError, match=NO_CAPACITY):
            stage.ask(ASK, "shared", InferenceComponentName="part")
    assert copies(stage.settled_component()) == ("InService", 0, 0)


def test_requests_under_way_above_the_target_bring_more_copies(stage):
    stage.shared(most=3)
    stage.component()
    target(stage, least=1, most=3)
    follow(stage, value=1.0)
    body = {
        "messages": [{"role": "user", "content": "Go on"}],
        "temperature": 0,
        "stream": True,
        "max_tokens": 1500,
    }
    streams = [stage.ask_stream(body, "shared", InferenceComponentName="part") for _ in range(2)]
    firsts = [next(iter(stream["Body"])) for stream in streams]
    assert len(firsts) == 2
    third = stage.ask_stream(body, "shared", InferenceComponentName="part")
    for stream in [*streams, third]:
        stream["Body"].close()
    assert stage.settled_component()["RuntimeConfig"]["DesiredCopyCount"] == 3


def test_scale_in_can_be_switched_off_and_bounds_are_kept(stage):
    stage.shared(most=3)
    stage.component()
    target(stage, least=2, most=3)
    stage.settled_component()
    assert copies(stage.settled_component()) == ("InService", 2, 2)
    follow(stage, DisableScaleIn=True, ScaleInCooldown=10)
    target(stage, least=0, most=3)
    stage.cloud.clock.sleep(1000)
    stage.settled_component()
    assert copies(stage.settled_component()) == ("InService", 2, 2)


def test_targets_and_policies_are_described_changed_and_removed(stage):
    stage.shared()
    stage.component()
    arn = target(stage)["ScalableTargetARN"]
    assert target(stage, least=1)["ScalableTargetARN"] == arn
    policy = follow(stage, value=2.0)
    assert follow(stage, value=3.0) == policy
    [found] = stage.scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
    assert (found["MinCapacity"], found["MaxCapacity"]) == (1, 2)
    [found] = stage.scaling.describe_scaling_policies(ServiceNamespace="sagemaker", PolicyNames=["follow"])[
        "ScalingPolicies"
    ]
    assert found["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] == 3.0
    stage.scaling.delete_scaling_policy(PolicyName="follow", **DIMENSION)
    stage.scaling.deregister_scalable_target(**DIMENSION)
    assert stage.scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"] == []
    with pytest.raises(ClientError, match="ObjectNotFoundException"):
        stage.scaling.deregister_scalable_target(**DIMENSION)


def test_a_variants_instances_are_scaled_by_requests_under_way(stage):
    stage.endpoint("plain", uri="s3://models/student/")
    resource = {
        "ServiceNamespace": "sagemaker",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
        "ResourceId": "endpoint/plain/variant/AllTraffic",
    }
    with pytest.raises(ClientError, match="cannot be 0"):
        stage.scaling.register_scalable_target(**resource, MinCapacity=0, MaxCapacity=3)
    stage.scaling.register_scalable_target(**resource, MinCapacity=1, MaxCapacity=3)
    stage.scaling.put_scaling_policy(
        **resource,
        PolicyName="follow",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": 0.5,
            "PredefinedMetricSpecification": {
                "PredefinedMetricType": "SageMakerVariantConcurrentRequestsPerModelHighResolution"
            },
        },
    )
    stage.ask(ASK, "plain")
    assert stage.settled("plain")["ProductionVariants"][0]["DesiredInstanceCount"] == 2


REFUSED = [
    ({"copies": 0}, "CopyCount must be at least 1"),
    ({"endpoint": "nowhere"}, 'Could not find endpoint "nowhere"'),
    ({"model": "nothing"}, "Could not find model"),
    ({"model": None}, "exactly one of ModelName, Container"),
    ({"accelerators": 2}, "needs 2 accelerator devices, and ml.g6.xlarge has 1"),
    ({"ComputeResourceRequirements": {"MinMemoryRequiredInMb": 999_999}}, "999999 MB of memory"),
    ({"ComputeResourceRequirements": None}, "ComputeResourceRequirements is required"),
]


@pytest.mark.parametrize(("change", "words"), REFUSED)
def test_a_component_that_cannot_be_is_refused(stage, change, words):
    stage.shared()
    with pytest.raises(ClientError, match=words):
        stage.component(**change)


def test_an_endpoint_with_models_of_its_own_takes_no_components(stage):
    stage.endpoint("plain")
    with pytest.raises(ClientError, match="has a model of its own"):
        stage.component(endpoint="plain")


def test_an_asynchronous_variant_without_instances_is_woken_by_its_backlog(stage):
    output = {"OutputConfig": {"S3OutputPath": "s3://models/out/"}}
    stage.config("later", stage.variant(), AsyncInferenceConfig=output)
    stage.sm.create_endpoint(EndpointName="later", EndpointConfigName="later")
    stage.settled("later")
    resource = {
        "ServiceNamespace": "sagemaker",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
        "ResourceId": "endpoint/later/variant/AllTraffic",
    }
    stage.scaling.register_scalable_target(**resource, MinCapacity=0, MaxCapacity=1)
    stage.scaling.put_scaling_policy(
        **resource,
        PolicyName="follow",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": 5.0,
            "CustomizedMetricSpecification": {
                "MetricName": "ApproximateBacklogSizePerInstance",
                "Namespace": "AWS/SageMaker",
                "Dimensions": [{"Name": "EndpointName", "Value": "later"}],
                "Statistic": "Average",
            },
        },
    )
    steps = [{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 1}]
    wakes = stage.scaling.put_scaling_policy(
        **resource,
        PolicyName="wake",
        PolicyType="StepScaling",
        StepScalingPolicyConfiguration={"AdjustmentType": "ChangeInCapacity", "StepAdjustments": steps},
    )["PolicyARN"]
    stage.cloudwatch.put_metric_alarm(
        AlarmName="backlog", Namespace="AWS/SageMaker", MetricName="HasBacklogWithoutCapacity", Statistic="Average",
        Period=60, Dimensions=[{"Name": "EndpointName", "Value": "later"}], EvaluationPeriods=1, Threshold=1.0,
        ComparisonOperator="GreaterThanOrEqualToThreshold", AlarmActions=[wakes],
    )  # fmt: skip

    def count():
        return stage.settled("later")["ProductionVariants"][0]["CurrentInstanceCount"]

    stage.cloud.clock.sleep(301)
    count()
    assert count() == 0
    stage.runtime.invoke_endpoint_async(EndpointName="later", Body=b'{"inputs": "Hi"}')
    assert count() == 1
