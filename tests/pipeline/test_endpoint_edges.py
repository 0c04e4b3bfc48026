"""Endpoints in the ways of the world: in between, twice at once, half refused, scaled by traffic, and gone again."""

from __future__ import annotations

import logging
import shutil
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import bedrock_distill as bd
from bedrock_distill.errors import (
    AccessDeniedError,
    ConflictError,
    JobFailedError,
    SpecError,
    WaitTimeoutError,
)
from bedrock_distill.local import Cloud, Fault
from bedrock_distill.resources import LiveEndpoint


@pytest.fixture
def cloud():
    with Cloud() as cloud:
        cloud.bucket("acme-ml")
        yield cloud


@pytest.fixture
def slow():
    with Cloud(clock="polls", polls=2) as cloud:
        cloud.bucket("acme-ml")
        yield cloud


@pytest.fixture
def session(cloud):
    return cloud.session()


@pytest.fixture
def sagemaker(cloud):
    return cloud.boto3_session().client("sagemaker")


@pytest.fixture
def wanted(student_dir):
    def spec(**changes):
        return bd.Endpoint(
            **{"name": "triage", "model": str(student_dir), "staging": "s3://acme-ml/", **changes}
        )

    return spec


OTHER = {"container": bd.LMI(context=256)}
ZERO = {"scaling": bd.Scaling(minimum=0)}
BROKEN = {"container": bd.VLLM(extra={"SM_VLLM_QUANTIZATION": "int3"})}


def _codes(plan):
    return {warning.code for warning in plan.warnings}


def _left(sagemaker):
    listed = (
        sagemaker.list_models()["Models"],
        sagemaker.list_endpoint_configs()["EndpointConfigs"],
        sagemaker.list_inference_components()["InferenceComponents"],
        sagemaker.list_endpoints()["Endpoints"],
    )
    return tuple(map(len, listed))


def test_an_endpoint_that_is_being_created_is_deleted_as_soon_as_aws_lets_it(slow, wanted, caplog):
    session = slow.session()
    endpoint = session.apply(session.plan(wanted()))
    with caplog.at_level(logging.WARNING, "bedrock_distill"):
        assert "endpoint triage" in endpoint.delete()
    assert "is Creating, and AWS deletes it only afterwards" in caplog.text
    assert _left(slow.boto3_session().client("sagemaker")) == (0, 0, 0, 0)


def test_an_endpoint_that_is_being_updated_is_deleted_as_soon_as_aws_lets_it(session, sagemaker, wanted):
    session.apply(session.plan(wanted())).wait()
    session.apply(session.plan(wanted(**OTHER))).delete()
    assert _left(sagemaker) == (0, 0, 0, 0)


def test_a_deletion_tells_of_each_part_what_becomes_of_it(slow, wanted):
    session, told = slow.session(), []
    endpoint = session.apply(session.plan(wanted()))
    with pytest.raises(WaitTimeoutError, match="still Creating after 0 s"):
        endpoint.delete(timeout_s=0, on_change=lambda *change: told.append(change))
    assert told == [("endpoint triage", "Creating")]
    parts = endpoint.delete(on_change=lambda *change: told.append(change))
    assert told[-4:] == [("endpoint triage", "Deleting"), *((part, "Deleted") for part in parts)]


@pytest.fixture
def pager(cloud):
    """An alarm of somebody else's, under the name that the one of `triage` would have."""
    cloudwatch = cloud.boto3_session().client("cloudwatch")
    watched = {"Namespace": "Pager", "MetricName": "Calls", "Statistic": "Sum", "Period": 60}
    when = {"EvaluationPeriods": 1, "Threshold": 1.0, "ComparisonOperator": "GreaterThanThreshold"}
    cloudwatch.put_metric_alarm(AlarmName="triage-wake", **watched, **when)
    return lambda: len(cloudwatch.describe_alarms(AlarmNames=["triage-wake"])["MetricAlarms"])


def test_a_deletion_leaves_scaling_policies_and_alarms_of_others(cloud, session, wanted, pager, caplog):
    endpoint = session.apply(session.plan(wanted(scaling=bd.Scaling(maximum=2))))
    endpoint.wait()
    scaling = cloud.boto3_session().client("application-autoscaling")
    [target] = scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
    there = {name: target[name] for name in ("ServiceNamespace", "ResourceId", "ScalableDimension")}
    step = {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": [{"ScalingAdjustment": 1}]}
    scaling.put_scaling_policy(
        **there, PolicyName="theirs", PolicyType="StepScaling", StepScalingPolicyConfiguration=step
    )
    assert endpoint.delete()[:2] == ["scaling policy triage-follow", "endpoint triage"]
    [policy] = scaling.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"]
    assert policy["PolicyName"] == "theirs"
    assert pager() == 1
    assert "The scaling of endpoint/triage/variant/AllTraffic stays" in caplog.text
    assert "The alarm triage-wake stays" in caplog.text


def test_an_alarm_of_somebody_else_is_not_replaced(session, wanted, pager):
    plan = session.plan(wanted(**ZERO))
    assert "alarm-not-ours" in {warning.code for warning in plan.blockers}
    assert "alarm-not-ours" not in _codes(session.plan(wanted(scaling=bd.Scaling(maximum=2))))


def test_an_endpoint_that_no_longer_goes_to_zero_loses_what_woke_it(cloud, session, wanted):
    later = {"asynchronous": bd.AsyncInference(output="s3://acme-ml/answers/")}
    session.apply(session.plan(wanted(**later, **ZERO))).wait()
    spec = wanted(**later, scaling=bd.Scaling(minimum=1))
    plan = session.plan(spec)
    removals = ["Remove the alarm triage-wake", "Remove the scaling policy triage-wake"]
    assert [step.says for step in plan.steps if "wake" in step.says] == removals
    for _ in range(2):  # the second time, all has gone already
        session.apply(plan)
        boto3 = cloud.boto3_session()
        scaling = boto3.client("application-autoscaling")
        [policy] = scaling.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"]
        assert policy["PolicyName"] == "triage-follow"
        assert boto3.client("cloudwatch").describe_alarms()["MetricAlarms"] == []
    assert not [step for step in session.plan(spec).steps if "wake" in step.says]


def test_an_update_keeps_the_instances_that_traffic_has_called(session, sagemaker, wanted):
    scaling = bd.Scaling(maximum=4)
    session.apply(session.plan(wanted(scaling=scaling))).wait()
    sagemaker.update_endpoint_weights_and_capacities(
        EndpointName="triage",
        DesiredWeightsAndCapacities=[{"VariantName": "AllTraffic", "DesiredInstanceCount": 3}],
    )
    session.endpoint("triage").wait()
    assert session.apply(session.plan(wanted(scaling=scaling, **OTHER))).wait().instances == 3


def test_what_a_component_serves_with_is_in_use_and_what_it_served_with_is_not(session, wanted):
    endpoint = session.apply(session.plan(wanted(**ZERO)))
    assert endpoint.delete_unused() == []
    session.apply(session.plan(wanted(**ZERO, **OTHER))).wait()
    [left] = endpoint.delete_unused()  # the configuration of a component's endpoint names no model
    assert left.startswith("model triage-")
    assert session.model("endpoint/triage").chat("Hello", max_tokens=1).text is not None


def test_a_plan_without_scaling_says_that_the_scaling_there_is_stays(session, wanted):
    session.apply(session.plan(wanted(scaling=bd.Scaling(maximum=4)))).wait()
    plan = session.plan(wanted())
    [text] = [warning.text for warning in plan.warnings if warning.code == "scaling-stays"]
    assert "from 1 to 4 instances" in text
    assert "scaling-stays" not in _codes(session.plan(wanted(scaling=bd.Scaling(maximum=2))))


def test_a_plan_whose_endpoint_was_made_meanwhile_with_other_settings_is_refused(session, wanted):
    plan = session.plan(wanted())
    session.apply(session.plan(wanted(**OTHER))).wait()
    with pytest.raises(ConflictError, match="another endpoint named triage"):
        session.apply(plan)


def test_going_back_while_an_update_is_under_way_must_wait_for_it(wanted):
    with Cloud(clock="polls") as slow:
        slow.bucket("acme-ml")
        session = slow.session()
        session.apply(session.plan(wanted())).wait()
        session.apply(session.plan(wanted(**OTHER)))
        assert "endpoint-busy" in _codes(session.plan(wanted()))


def test_an_endpoint_on_its_way_out_is_not_taken_for_the_one_that_is_wanted(wanted):
    with Cloud(clock="polls") as slow:
        slow.bucket("acme-ml")
        session = slow.session()
        session.apply(session.plan(wanted())).wait()
        slow.boto3_session().client("sagemaker").delete_endpoint(EndpointName="triage")
        plan = session.plan(wanted())
        assert "endpoint-going" in {warning.code for warning in plan.blockers}


def test_many_applies_of_one_plan_at_once_make_one_of_everything(cloud, session, sagemaker, wanted):
    plan = session.plan(wanted(scaling=bd.Scaling(minimum=0)))
    sessions = [cloud.session() for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        made = list(pool.map(lambda each: each.apply(plan).arn, sessions))
    assert len(set(made)) == 1
    assert _left(sagemaker) == (1, 1, 1, 1)


@pytest.mark.parametrize("operation", ["CreateModel", "CreateEndpointConfig", "CreateEndpoint"])
def test_a_creation_whose_answer_got_lost_counts(cloud, session, sagemaker, wanted, operation):
    plan = session.plan(wanted())
    cloud.faults.add(Fault(operation=operation, disconnect=True, when="after", times=1))
    session.apply(plan).wait()
    assert _left(sagemaker) == (1, 1, 0, 1)


def test_where_scaling_is_refused_the_error_says_what_bills_already(cloud, session, wanted):
    plan = session.plan(wanted(scaling=bd.Scaling(minimum=0)))
    cloud.faults.add(Fault(operation="PutScalingPolicy", code="AccessDeniedException", status=400))
    with pytest.raises(
        AccessDeniedError, match="endpoint triage and the inference component triage, made just now"
    ):
        session.apply(plan)
    cloud.faults.clear()
    session.apply(plan).wait()


def test_a_component_that_fails_leaves_its_words_and_nothing_else(session, sagemaker, wanted):
    with pytest.raises(JobFailedError, match=r"for this endpoint\. What comes after it was not done"):
        session.apply(session.plan(wanted(scaling=bd.Scaling(minimum=0), **BROKEN)))
    assert _left(sagemaker) == (0, 0, 0, 0)


def test_auto_says_why_the_model_cannot_be_read(session, wanted, student_dir, tmp_path):
    model = shutil.copytree(student_dir, tmp_path / "model")
    (model / "config.json").unlink()
    with pytest.raises(SpecError, match=r"config\.json is missing.*repair the model"):
        session.plan(wanted(model=str(model)))


def test_a_key_for_disks_that_take_none_stops_the_plan(session, wanted):
    plan = session.plan(wanted(instance="ml.g6.xlarge", kms_key="alias/mine"))
    assert "kms-key-refused" in {warning.code for warning in plan.blockers}


def test_an_update_of_a_component_has_happened_when_apply_returns(slow, wanted):
    session, sagemaker = slow.session(), slow.boto3_session().client("sagemaker")
    session.apply(session.plan(wanted(**ZERO))).wait()
    plan = session.plan(wanted(instance="ml.g5.xlarge", **ZERO, **OTHER))
    session.apply(plan).wait()
    component = sagemaker.describe_inference_component(InferenceComponentName="triage")
    assert component["InferenceComponentStatus"] == "InService"
    [model] = [step.name for step in plan.steps if step.id.startswith("create:SageMaker model")]
    assert component["Specification"]["ModelName"] == model


def test_an_update_of_a_component_that_is_rolled_back_is_no_success(slow, wanted):
    session = slow.session()
    session.apply(session.plan(wanted(container=bd.VLLM(), **ZERO))).wait()
    with pytest.raises(JobFailedError, match=r"rolled back: .*health check"):
        session.apply(session.plan(wanted(**BROKEN, **ZERO)))


def test_components_are_seen_to_go_however_slowly(slow, wanted):
    session = slow.session()
    endpoint = session.apply(session.plan(wanted(**ZERO)))
    assert "inference component triage" in endpoint.delete()
    assert _left(slow.boto3_session().client("sagemaker")) == (0, 0, 0, 0)


def test_the_words_of_a_component_s_container_are_found_where_sagemaker_puts_them(cloud, session):
    logs, group = cloud.boto3_session().client("logs"), "/aws/sagemaker/InferenceComponents/triage"
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="AllTraffic/i-1")
    now = int(time.time() * 1000)
    events = [{"timestamp": now + at, "message": f"line {at}\n"} for at in range(5)]
    logs.put_log_events(logGroupName=group, logStreamName="AllTraffic/i-1", logEvents=events)
    arn = "arn:aws:sagemaker:us-east-1:123456789012:endpoint/triage"
    assert LiveEndpoint(session.clients, arn).logs(limit=2) == ["line 3", "line 4"]


def test_who_stops_an_apply_is_told_what_bills_already(session, wanted, monkeypatch, caplog):
    def stopped(step, _):
        if step.kind == "endpoint":
            raise KeyboardInterrupt

    monkeypatch.setattr("bedrock_distill.apply.executor.wait_until_ready", stopped)
    with pytest.raises(KeyboardInterrupt):
        session.apply(session.plan(wanted(**ZERO)))
    assert "The endpoint triage stays, and can bill already" in caplog.text


@pytest.mark.parametrize("operation", ["DeleteEndpoint", "DeleteEndpointConfig", "DeleteModel"])
def test_two_deletions_side_by_side_both_succeed(cloud, session, sagemaker, wanted, operation):
    endpoint = session.apply(session.plan(wanted()))
    endpoint.wait()
    # As if the other one had been faster: it is gone, and then asked for once more.
    cloud.faults.add(Fault(operation=operation, disconnect=True, when="after", times=1))
    assert len(endpoint.delete()) == 3
    assert _left(sagemaker) == (0, 0, 0, 0)
