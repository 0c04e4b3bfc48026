"""SageMaker's endpoints in the local cloud: their states, their failures for AWS's reasons, updates and rollbacks."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path

import pytest
from botocore.exceptions import ClientError, WaiterError

_stage = runpy.run_path(str(Path(__file__).with_name("sagemaker_stage.py")))
open_stage, LMI, TGI, VLLM, CUDA_13 = (
    _stage[name] for name in ("open_stage", "LMI", "TGI", "VLLM", "CUDA_13")
)
UNHEALTHY = (
    "The primary container for production variant AllTraffic did not pass the ping health check. "
    "Please check CloudWatch logs for this endpoint."
)


@pytest.fixture
def stage(student_dir):
    with open_stage(student_dir) as opened:
        yield opened


@pytest.fixture
def watched(student_dir):
    """A stage on which each describe sees one phase."""
    with open_stage(student_dir, clock="polls") as opened:
        opened.model()
        opened.config("one", opened.variant())
        opened.sm.create_endpoint(EndpointName="student", EndpointConfigName="one")
        yield opened


def states(stage, count):
    found = [stage.sm.describe_endpoint(EndpointName="student") for _ in range(count)]
    return [(each["EndpointStatus"], each["EndpointConfigName"]) for each in found]


def test_an_endpoint_is_created_updated_and_deleted_look_by_look(watched):
    assert states(watched, 3) == [("Creating", "one"), ("InService", "one"), ("InService", "one")]
    watched.config("two", watched.variant())
    watched.sm.update_endpoint(EndpointName="student", EndpointConfigName="two")
    during = watched.sm.describe_endpoint(EndpointName="student")
    assert during["PendingDeploymentSummary"]["EndpointConfigName"] == "two"
    assert during["EndpointConfigName"] == "one"
    assert states(watched, 2) == [("Updating", "one"), ("InService", "two")]
    watched.sm.delete_endpoint(EndpointName="student")
    assert states(watched, 1) == [("Deleting", "two")]
    with pytest.raises(ClientError, match='Could not find endpoint "student"'):
        watched.sm.describe_endpoint(EndpointName="student")


def test_boto3s_waiters_end_as_they_do_on_aws(stage):
    stage.endpoint()
    stage.sm.get_waiter("endpoint_in_service").wait(EndpointName="student")
    stage.sm.delete_endpoint(EndpointName="student")
    stage.sm.get_waiter("endpoint_deleted").wait(EndpointName="student")
    stage.endpoint("broken", environment={"OPTION_MAX_NUM_SEQS": "8"})
    with pytest.raises(WaiterError, match="terminal failure state"):
        stage.sm.get_waiter("endpoint_in_service").wait(EndpointName="broken")


def test_an_endpoint_tells_what_it_runs(stage):
    described = stage.endpoint(InitialVariantWeight=0.5, InitialInstanceCount=2)
    [variant] = described["ProductionVariants"]
    assert described["EndpointStatus"] == "InService"
    assert "FailureReason" not in described
    assert (variant["CurrentWeight"], variant["DesiredInstanceCount"]) == (0.5, 2)
    assert variant["DeployedImages"][0]["SpecifiedImage"] == LMI
    assert stage.log_of() == ["Model /opt/ml/model is loaded; ready to serve."]


@pytest.mark.parametrize("call", ["delete_endpoint", "update_endpoint"])
def test_an_endpoint_in_the_making_can_be_neither_deleted_nor_updated(watched, call):
    more = {"EndpointConfigName": "one"} if call == "update_endpoint" else {}
    with pytest.raises(ClientError, match="Cannot update in-progress endpoint"):
        getattr(watched.sm, call)(EndpointName="student", **more)


CRASHES = [
    # what is wrong, the image, its environment or the variant, and the container's last words
    ("native names", LMI, {"OPTION_MAX_NUM_SEQS": "8"}, {}, "conflicting values"),
    ("native tensor parallel name", LMI, {"OPTION_TENSOR_PARALLEL_SIZE": "1"}, {}, "tensor_parallel_size"),
    ("hub id", LMI, {"HF_MODEL_ID": "acme/student"}, {}, "couldn't connect to 'https://huggingface.co'"),
    ("no model id", TGI, {}, {}, "HF_MODEL_ID must be set"),
    ("s3 for TGI", TGI, {"HF_MODEL_ID": "s3://models/student/"}, {}, "HFValidationError"),
    ("quantization", VLLM, {"SM_VLLM_QUANTIZATION": "int3"}, {}, "Unknown quantization method: int3"),
    ("quantization", TGI, {"HF_MODEL_ID": "/opt/ml/model", "HF_MODEL_QUANTIZE": "int3"}, {}, "possible values"),
    ("too many GPUs", VLLM, {"SM_VLLM_TENSOR_PARALLEL_SIZE": "4"}, {}, "larger than the number of available GPUs"),
    ("heads", VLLM, {"SM_VLLM_TENSOR_PARALLEL_SIZE": "8"}, {"InstanceType": "ml.g6.48xlarge"},
     r"attention heads \(4\) must be divisible by tensor parallel size \(8\)"),
    ("LMI takes all GPUs", LMI, {}, {"InstanceType": "ml.g6.48xlarge"}, "must be divisible by tensor parallel size"),
    ("longer than the model", VLLM, {"SM_VLLM_MAX_MODEL_LEN": "9999"}, {}, "greater than the derived max_model_len"),
    ("TGI's bounds", TGI, {"HF_MODEL_ID": "/opt/ml/model", "MAX_INPUT_TOKENS": "64", "MAX_TOTAL_TOKENS": "64"}, {},
     "max_input_tokens must be <"),
    ("pipeline", LMI, {"OPTION_PIPELINE_PARALLEL_DEGREE": "2"}, {}, "pipeline_parallel_degree"),
    ("no number", LMI, {"OPTION_MAX_MODEL_LEN": "much"}, {}, "invalid positive int value: 'much'"),
    ("no GPU", LMI, {}, {"InstanceType": "ml.m5.xlarge"}, "no CUDA GPUs are available"),
    ("start too short", LMI, {}, {"ContainerStartupHealthCheckTimeoutInSeconds": 60}, "Loading safetensors"),
    ("another image", f"{_stage['REGISTRY']}/pytorch-inference:2.6.0-gpu", {}, {}, "cannot stand in for the image"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("image", "environment", "variant", "words"),
    [row[1:] for row in CRASHES],
    ids=[f"{row[0]}-{number}" for number, row in enumerate(CRASHES)],
)
def test_a_container_that_would_crash_on_aws_fails_the_endpoint_and_says_why_in_its_log(
    stage, image, environment, variant, words
):
    described = stage.endpoint(image=image, environment=environment, **variant)
    assert (described["EndpointStatus"], described["FailureReason"]) == ("Failed", UNHEALTHY)
    assert "ProductionVariants" not in described
    assert re.search(words, "\n".join(stage.log_of()))
    stage.sm.delete_endpoint(EndpointName="student")


@pytest.mark.parametrize(
    ("image", "version"),
    [(LMI, None), (LMI, "al2-ami-sagemaker-inference-gpu-3-1"), (TGI, CUDA_13)],
    ids=["cuda 13 on the default host", "cuda 13 on a cuda 12 host", "cuda 12 on the cuda 13 host"],
)
def test_a_container_on_the_wrong_host_fails_without_a_word(stage, image, version):
    described = stage.endpoint(image=image, InferenceAmiVersion=version)
    assert (described["EndpointStatus"], described["FailureReason"]) == ("Failed", UNHEALTHY)
    assert stage.log_of() == []


BROKEN = [
    ({"without": ["config.json"]}, "does not appear to have a file named config.json"),
    ({"without": ["model.safetensors"]}, "Cannot find any model weights"),
    ({"without": ["tokenizer.json"]}, "Can't load tokenizer"),
    ({"model_safetensors": b"\x10" * 40}, "SafetensorError"),
    ({"config_json": b"{"}, "config.json"),
    ({"config_json": json.dumps({"architectures": ["LlamaForCausalLM"]}).encode()}, "num_hidden_layers"),
]


@pytest.mark.parametrize(("change", "words"), BROKEN, ids=[row[1] for row in BROKEN])
def test_a_directory_that_lacks_something_fails_the_endpoint(stage, student_dir, change, words):
    uri = stage.upload(student_dir, "broken/", **change)
    described = stage.endpoint(uri=uri)
    assert described["EndpointStatus"] == "Failed"
    assert words in "\n".join(stage.log_of())


def test_files_that_are_gone_or_forbidden_by_then_fail_the_download(stage):
    stage.model()
    stage.config("student", stage.variant())
    stage.iam.delete_role_policy(RoleName="host", PolicyName="p")
    stage.sm.create_endpoint(EndpointName="student", EndpointConfigName="student")
    described = stage.settled()
    assert described["EndpointStatus"] == "Failed"
    assert described["FailureReason"].startswith(
        'Failed to download model data for container "container_1" from URL: "s3://models/student/"'
    )


def test_an_update_that_fails_rolls_back_and_the_old_configuration_serves_on(watched):
    states(watched, 2)
    watched.model("bad", environment={"OPTION_MAX_NUM_SEQS": "8"})
    watched.config("two", watched.variant("bad"))
    watched.sm.update_endpoint(EndpointName="student", EndpointConfigName="two")
    assert [status for status, _ in states(watched, 4)] == [
        "Updating",
        "RollingBack",
        "RollingBack",
        "InService",
    ]
    described = watched.sm.describe_endpoint(EndpointName="student")
    assert (described["EndpointConfigName"], described["FailureReason"]) == ("one", UNHEALTHY)
    assert (
        watched.ask({"inputs": "Hi", "parameters": {"do_sample": False}})["ContentType"] == "application/json"
    )


def alarm(stage, state):
    stage.cloudwatch.put_metric_alarm(
        AlarmName="errors", MetricName="Invocation5XXErrors", Namespace="AWS/SageMaker", Period=60,
        EvaluationPeriods=1, Threshold=1.0, ComparisonOperator="GreaterThanThreshold", Statistic="Sum",
    )  # fmt: skip
    stage.cloudwatch.set_alarm_state(AlarmName="errors", StateValue=state, StateReason="a test says so")


ROLLING = {
    "RollingUpdatePolicy": {
        "MaximumBatchSize": {"Type": "INSTANCE_COUNT", "Value": 1},
        "WaitIntervalInSeconds": 60,
    },
    "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "errors"}]},
}


def test_an_alarm_during_an_update_rolls_it_back(watched):
    states(watched, 2)
    alarm(watched, "OK")
    watched.config("two", watched.variant())
    watched.sm.update_endpoint(EndpointName="student", EndpointConfigName="two", DeploymentConfig=ROLLING)
    assert states(watched, 2) == [("Updating", "one"), ("Updating", "one")]
    alarm(watched, "ALARM")
    assert states(watched, 3) == [("RollingBack", "one"), ("RollingBack", "one"), ("InService", "one")]
    described = watched.sm.describe_endpoint(EndpointName="student")
    assert "errors" in described["FailureReason"]
    assert described["LastDeploymentConfig"] == ROLLING
    alarm(watched, "OK")
    watched.sm.update_endpoint(EndpointName="student", EndpointConfigName="two", DeploymentConfig=ROLLING)
    assert states(watched, 3)[-1] == ("InService", "two")


def test_a_rolling_update_whose_old_container_no_longer_starts_ends_in_a_failed_rollback(watched):
    states(watched, 2)
    watched.model("bad", environment={"OPTION_MAX_NUM_SEQS": "8"})
    watched.config("two", watched.variant("bad"))
    alarm(watched, "OK")
    watched.sm.update_endpoint(EndpointName="student", EndpointConfigName="two", DeploymentConfig=ROLLING)
    watched.sm.delete_model(ModelName="student")
    assert [status for status, _ in states(watched, 4)][-1] == "UpdateRollbackFailed"
    described = watched.sm.describe_endpoint(EndpointName="student")
    assert 'The rollback failed: Could not find model "student"' in described["FailureReason"]
    assert watched.ask({"inputs": "Hi", "parameters": {"do_sample": False}})["Body"].read()
    with pytest.raises(ClientError, match="Cannot update in-progress endpoint"):
        watched.sm.update_endpoint(EndpointName="student", EndpointConfigName="one")
    watched.sm.delete_endpoint(EndpointName="student")


def test_a_model_that_nobody_serves_any_more_is_unloaded(stage):
    stage.endpoint("one")
    stage.endpoint("two")
    engines = stage.cloud._running["sagemaker-runtime"]._hosting.engines
    assert len(engines._loaded) == 1
    stage.sm.delete_endpoint(EndpointName="one")
    assert len(engines._loaded) == 1
    stage.sm.delete_endpoint(EndpointName="two")
    assert len(engines._loaded) == 0


@pytest.mark.parametrize(
    ("excluded", "weight", "instances"),
    [([], 3.0, 2), (["DesiredWeight"], 1.0, 2), (["DesiredInstanceCount", "DesiredWeight"], 1.0, 1)],
)
def test_variant_properties_are_retained_where_an_update_asks_for_it(stage, excluded, weight, instances):
    stage.endpoint()
    stage.sm.update_endpoint_weights_and_capacities(
        EndpointName="student",
        DesiredWeightsAndCapacities=[
            {"VariantName": "AllTraffic", "DesiredWeight": 3.0, "DesiredInstanceCount": 2}
        ],
    )
    stage.config("two", stage.variant())
    stage.sm.update_endpoint(
        EndpointName="student",
        EndpointConfigName="two",
        RetainAllVariantProperties=True,
        ExcludeRetainedVariantProperties=[{"VariantPropertyType": each} for each in excluded],
    )
    [variant] = stage.settled()["ProductionVariants"]
    assert (variant["CurrentWeight"], variant["CurrentInstanceCount"]) == (weight, instances)


def test_a_model_can_be_deleted_while_it_serves(stage):
    stage.endpoint()
    stage.sm.delete_model(ModelName="student")
    assert (
        stage.ask({"inputs": "Hi", "parameters": {"do_sample": False}})["InvokedProductionVariant"]
        == "AllTraffic"
    )


def test_a_configuration_in_use_stays(stage):
    stage.endpoint()
    with pytest.raises(ClientError, match="uses it"):
        stage.sm.delete_endpoint_config(EndpointConfigName="student")
    stage.sm.delete_endpoint(EndpointName="student")
    stage.cloud.clock.settle()
    stage.sm.delete_endpoint_config(EndpointConfigName="student")
    assert stage.sm.list_endpoint_configs()["EndpointConfigs"] == []


def test_lists_are_filtered_sorted_and_paged(stage):
    for name in ("beta", "alpha", "gamma"):
        stage.endpoint(name, **({"InferenceAmiVersion": None} if name == "gamma" else {}))
    names = [each["EndpointName"] for each in stage.sm.list_endpoints()["Endpoints"]]
    assert names == ["gamma", "alpha", "beta"]
    by_name = stage.sm.list_endpoints(SortBy="Name", SortOrder="Ascending", MaxResults=2)
    assert [each["EndpointName"] for each in by_name["Endpoints"]] == ["alpha", "beta"]
    rest = stage.sm.list_endpoints(
        SortBy="Name", SortOrder="Ascending", MaxResults=2, NextToken=by_name["NextToken"]
    )
    assert [each["EndpointName"] for each in rest["Endpoints"]] == ["gamma"]
    failed = stage.sm.list_endpoints(StatusEquals="Failed")["Endpoints"]
    assert [each["EndpointName"] for each in failed] == ["gamma"]
    assert [each["ModelName"] for each in stage.sm.list_models(NameContains="LPH")["Models"]] == ["alpha"]


def test_tags_are_added_listed_and_removed(stage):
    arn = stage.model()
    stage.sm.add_tags(ResourceArn=arn, Tags=[{"Key": "team", "Value": "a"}, {"Key": "cost", "Value": "1"}])
    stage.sm.add_tags(ResourceArn=arn, Tags=[{"Key": "team", "Value": "b"}])
    stage.sm.delete_tags(ResourceArn=arn, TagKeys=["cost", "nothing"])
    assert stage.sm.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "team", "Value": "b"}]
    with pytest.raises(ClientError, match="Could not find resource"):
        stage.sm.list_tags(ResourceArn=arn + "-gone")


def test_the_same_files_are_brought_once_and_new_ones_again(stage, student_dir):
    stage.endpoint("one")
    stage.endpoint("two")
    downloads = stage.cloud.world.workdir / "sagemaker"
    assert len(list(downloads.iterdir())) == 1
    stage.upload(student_dir, README_md=b"")
    stage.s3.put_object(Bucket="models", Key="student/README.md", Body=b"new")
    stage.endpoint("three")
    assert len(list(downloads.iterdir())) == 2


def test_a_packed_model_is_unpacked(stage, student_dir, tmp_path):
    import tarfile

    with tarfile.open(tmp_path / "model.tar.gz", "w:gz") as archive:
        for path in student_dir.iterdir():
            archive.add(path, path.name)
    stage.s3.upload_file(str(tmp_path / "model.tar.gz"), "models", "model.tar.gz")
    container = stage.container(uri=None) | {"ModelDataUrl": "s3://models/model.tar.gz"}
    stage.sm.create_model(ModelName="packed", ExecutionRoleArn=stage.role, PrimaryContainer=container)
    stage.config("packed", stage.variant("packed"))
    stage.sm.create_endpoint(EndpointName="packed", EndpointConfigName="packed")
    assert stage.settled("packed")["EndpointStatus"] == "InService"


def test_lmis_own_file_beside_the_weights_wins_over_the_environment(stage):
    stage.s3.put_object(
        Bucket="models", Key="student/serving.properties", Body=b"engine=Python\noption.max_model_len=9999\n"
    )
    assert stage.endpoint()["EndpointStatus"] == "Failed"
    assert "User-specified max_model_len (9999)" in "\n".join(stage.log_of())
