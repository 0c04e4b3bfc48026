"""Every answer of every `bedrock` operation, in every state of what it describes, against botocore's model."""

from __future__ import annotations

import re
import runpy
import shutil
from datetime import datetime
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name

from bedrock_distill.catalog import load_catalog
from bedrock_distill.local.services.bedrock import Bedrock, arns
from bedrock_distill.local.services.bedrock.foundation_models import FoundationModels
from bedrock_distill.local.students import weights_dir
from bedrock_distill.local.teachers import FunctionTeacher

_stage = runpy.run_path(str(Path(__file__).parents[1] / "unit" / "local" / "bedrock_stage.py"))
open_stage, StubTrainer, ACCOUNT, TEACHER = (
    _stage[name] for name in ("open_stage", "StubTrainer", "ACCOUNT", "TEACHER")
)
_evaluation = runpy.run_path(str(Path(__file__).parents[1] / "unit" / "local" / "evaluation_stage.py"))
MODEL = botocore.session.get_session().get_service_model("bedrock")
PYTHON = {
    "structure": dict,
    "map": dict,
    "list": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "long": int,
    "float": (int, float),
    "timestamp": datetime,
}


def violations(shape, value, path="$"):
    """All that an answer breaks of its shape: type, required, unknown, enum, pattern, length, range."""
    if not isinstance(value, PYTHON[shape.type_name]):
        yield f"{path}: {value!r} is no {shape.type_name}"
        return
    if shape.type_name == "structure":
        yield from (f"{path}.{name} is missing" for name in shape.required_members if name not in value)
        yield from (f"{path}.{name} is not modelled" for name in value if name not in shape.members)
        for name in value.keys() & shape.members.keys():
            yield from violations(shape.members[name], value[name], f"{path}.{name}")
    elif shape.type_name == "list":
        for number, item in enumerate(value):
            yield from violations(shape.member, item, f"{path}[{number}]")
    elif shape.type_name == "string":
        yield from _text(shape, value, path)
    elif shape.type_name == "timestamp" and value.tzinfo is None:
        yield f"{path}: {value} has no zone"


def _text(shape, value, path):
    facts = shape.metadata
    if facts.get("enum") and value not in facts["enum"]:
        yield f"{path}: {value!r} is none of {facts['enum']}"
    if facts.get("pattern") and not re.fullmatch(facts["pattern"], value):
        yield f"{path}: {value!r} does not match {facts['pattern']}"
    if not facts.get("min", 0) <= len(value) <= facts.get("max", len(value)):
        yield f"{path}: {value!r} is too short or too long"


class Recorder:
    """The service, with every answer kept."""

    def __init__(self, service, kept):
        self._service, self._kept = service, kept

    def __getattr__(self, name):
        operation = getattr(self._service, name)

        def kept(call):
            answer = operation(call)
            self._kept.append((call.operation, answer))
            return answer

        return kept


class Kept(list):
    """Pairs of an operation and its answer, and the HTTP statuses by operation."""

    def __init__(self):
        super().__init__()
        self.statuses = {}

    def note_status(self, http_response, model, **_):
        self.statuses.setdefault(model.name, set()).add(http_response.status_code)


@pytest.fixture(scope="module")
def kept():
    """A tour through every operation and every state."""
    answers, trainer = Kept(), StubTrainer()

    def services(world):
        return {"bedrock": Recorder(Bedrock(world, trainer=trainer), answers)}

    with open_stage(clock="polls", services=services) as stage:
        stage.west = stage.cloud.boto3_session("us-west-2").client("bedrock")
        for client in (stage.bedrock, stage.west):
            client.meta.events.register("after-call.bedrock", answers.note_status)
        tour(stage.ready(), trainer)
    return answers


def tour(stage, trainer):
    bedrock = stage.bedrock
    key = stage.cloud.boto3_session().client("kms").create_key()["KeyMetadata"]["Arn"]
    tags = [{"key": "team", "value": "a"}]
    bedrock.list_foundation_models()
    bedrock.get_foundation_model(modelIdentifier="amazon.nova-micro-v1:0:128k")
    vpc = {"subnetIds": ["subnet-1"], "securityGroupIds": ["sg-1"]}
    validation = {"validators": [{"s3Uri": "s3://acme/in/prompts.jsonl"}]}
    job = stage.create(
        "full",
        jobTags=tags,
        customModelTags=tags,
        customModelKmsKeyId=key,
        vpcConfig=vpc,
        validationDataConfig=validation,
    )
    walk_job(stage, "full")
    stage.prompts(9, completion="golden")
    stage.create(
        "tuned",
        customizationType="FINE_TUNING",
        customizationConfig=None,
        hyperParameters={"epochCount": "1"},
    )
    walk_job(stage, "tuned")
    stage.create("failed")
    walk_job(stage, "failed")
    stage.prompts(100)
    stage.create("stopped")
    bedrock.stop_model_customization_job(jobIdentifier="stopped")
    walk_job(stage, "stopped")
    trainer.error = OSError("x" * 5000)
    stage.create("broken")
    walk_job(stage, "broken")
    bedrock.list_model_customization_jobs(maxResults=2)

    model = bedrock.get_custom_model(modelIdentifier="full-model")["modelArn"]
    bedrock.get_custom_model(modelIdentifier="tuned-model")
    bedrock.list_custom_models(maxResults=1)
    deployment = bedrock.create_custom_model_deployment(
        modelDeploymentName="live", modelArn=model, description="For triage", tags=tags
    )["customModelDeploymentArn"]
    walk_deployment(stage)
    tuned = bedrock.get_custom_model(modelIdentifier="tuned-model")["modelArn"]
    bedrock.update_custom_model_deployment(customModelDeploymentIdentifier="live", modelArn=tuned)
    walk_deployment(stage)

    for arn in (job, model, deployment):
        bedrock.tag_resource(resourceARN=arn, tags=tags)
        bedrock.list_tags_for_resource(resourceARN=arn)
        bedrock.untag_resource(resourceARN=arn, tagKeys=["team"])
    walk_logging(stage)
    walk_provisioned(stage, model, tuned, tags)
    walk_copies(stage, model, tags)
    walk_imports(stage, key, tags)
    walk_batches(stage, key, tags)
    walk_evaluations(stage, key, tags)
    bedrock.delete_custom_model_deployment(customModelDeploymentIdentifier="live")
    bedrock.delete_custom_model(modelIdentifier="full-model")


def walk_job(stage, name):
    while True:
        stage.bedrock.list_model_customization_jobs()
        if stage.job(name)["status"] not in ("InProgress", "Stopping"):
            stage.bedrock.list_model_customization_jobs()
            return


def walk_deployment(stage):
    for _ in range(3):
        stage.bedrock.list_custom_model_deployments()
        stage.bedrock.get_custom_model_deployment(customModelDeploymentIdentifier="live")


def walk_provisioned(stage, model, other, tags):
    bedrock, name = stage.bedrock, {"provisionedModelId": "steady"}
    arn = bedrock.create_provisioned_model_throughput(
        modelUnits=1, provisionedModelName="steady", modelId=model, commitmentDuration="OneMonth", tags=tags
    )["provisionedModelArn"]
    for _ in range(2):
        bedrock.list_provisioned_model_throughputs()
        bedrock.get_provisioned_model_throughput(**name)
    bedrock.update_provisioned_model_throughput(**name, desiredModelId=other)
    for _ in range(2):
        bedrock.list_provisioned_model_throughputs(maxResults=1)
        bedrock.get_provisioned_model_throughput(**name)
    bedrock.list_tags_for_resource(resourceARN=arn)
    stage.cloud.clock.sleep(31 * 86_400)
    bedrock.delete_provisioned_model_throughput(**name)


def walk_copies(stage, model, tags):
    bedrock = stage.west
    key = stage.cloud.boto3_session("us-west-2").client("kms").create_key()["KeyMetadata"]["Arn"]
    job = {
        "jobArn": bedrock.create_model_copy_job(
            sourceModelArn=model, targetModelName="copied", targetModelTags=tags, modelKmsKeyId=key
        )["jobArn"]
    }
    for _ in range(2):
        bedrock.list_model_copy_jobs()
        bedrock.get_model_copy_job(**job)
    bedrock.get_custom_model(modelIdentifier="copied")
    shutil.rmtree(weights_dir(stage.world, model))
    failed = bedrock.create_model_copy_job(sourceModelArn=model, targetModelName="never")["jobArn"]
    for _ in range(2):
        bedrock.get_model_copy_job(jobArn=failed)
    bedrock.list_model_copy_jobs(maxResults=1)


def walk_imports(stage, key, tags):
    bedrock, vpc = stage.bedrock, {"subnetIds": ["subnet-1"], "securityGroupIds": ["sg-1"]}
    stage.importer()
    stage.model_directory()
    for name in ("brought", "broken"):
        request = stage.import_request(
            name, importedModelKmsKeyId=key, vpcConfig=vpc, jobTags=tags, importedModelTags=tags
        )
        bedrock.create_model_import_job(**request)
        for _ in range(2):
            bedrock.list_model_import_jobs()
            bedrock.get_model_import_job(jobIdentifier=name)
        stage.s3.delete_object(Bucket="acme", Key="models/tiny/config.json")
    bedrock.get_imported_model(modelIdentifier="brought-model")
    bedrock.list_imported_models()
    bedrock.delete_imported_model(modelIdentifier="brought-model")


def walk_batches(stage, key, tags):
    """A job in each of its states: whole, too short, stopped, never begun, and cut off by the clock in the middle."""
    bedrock, vpc = stage.bedrock, {"subnetIds": ["subnet-1"], "securityGroupIds": ["sg-1"]}
    stage.batcher()
    stage.batch_input()
    output = {"s3OutputDataConfig": {"s3Uri": "s3://acme/answers/", "s3EncryptionKeyId": key}}
    full = {"outputDataConfig": output, "vpcConfig": vpc, "tags": tags, "clientRequestToken": "token"}
    walk_batch(stage, stage.start_batch(**full))
    walk_batch(stage, stage.start_batch("late"), at_scheduled=lambda: stage.cloud.clock.sleep(25 * 3600))
    stopped = stage.start_batch("stopped")
    bedrock.stop_model_invocation_job(jobIdentifier=stopped)
    walk_batch(stage, stopped)
    quick = stage.world.teachers
    slow = FunctionTeacher(lambda _: stage.cloud.clock.sleep(13 * 3600) or "late")
    stage.world.teachers = {TEACHER: slow}
    walk_batch(stage, stage.start_batch("slow"))
    stage.world.teachers = quick
    stage.batch_input(99)
    walk_batch(stage, stage.start_batch("few"))
    bedrock.list_model_invocation_jobs(maxResults=2)


def walk_batch(stage, arn, *, at_scheduled=lambda: None):
    while True:
        stage.bedrock.list_model_invocation_jobs()
        job = stage.bedrock.get_model_invocation_job(jobIdentifier=arn)
        if job["status"] == "Scheduled":
            at_scheduled()
        if "endTime" in job:
            stage.bedrock.list_model_invocation_jobs()
            return


def walk_evaluations(stage, key, tags):
    """A job in each of its states, with a judge and without; a list of none; and what is deleted."""
    bedrock = stage.bedrock
    bedrock.list_evaluation_jobs()
    _evaluation["evaluator"](stage)
    _evaluation["put_dataset"](stage)
    start = _evaluation["start"]
    judged = {"metrics": ["Builtin.Correctness"], "task": "Generation", "judge": TEACHER, "jobTags": tags}
    full = start(stage, "judged", customerEncryptionKeyId=key, jobDescription="For triage", **judged)
    for _ in range(2):
        bedrock.get_evaluation_job(jobIdentifier=full)
    stopped = start(stage, "stopped")
    bedrock.stop_evaluation_job(jobIdentifier=stopped)
    _evaluation["put_dataset"](stage, ["no JSON"])
    arns = [full, stopped, start(stage, "broken")]
    for _ in range(2):
        for arn in arns:
            bedrock.get_evaluation_job(jobIdentifier=arn)
        bedrock.list_evaluation_jobs(maxResults=2)
    for arn in arns:
        bedrock.get_evaluation_job(jobIdentifier=arn)
    running = start(stage, "running")
    bedrock.batch_delete_evaluation_job(jobIdentifiers=[full, running])


def walk_logging(stage):
    policy = (
        '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "bedrock.amazonaws.com"},'
        ' "Action": "s3:PutObject", "Resource": "arn:aws:s3:::acme/*"}]}'
    )
    stage.s3.put_bucket_policy(Bucket="acme", Policy=policy)
    stage.bedrock.get_model_invocation_logging_configuration()
    stage.bedrock.put_model_invocation_logging_configuration(
        loggingConfig={
            "s3Config": {"bucketName": "acme", "keyPrefix": "logs"},
            "videoDataDeliveryEnabled": True,
        }
    )
    stage.bedrock.get_model_invocation_logging_configuration()
    stage.bedrock.delete_model_invocation_logging_configuration()


def test_every_answer_holds_to_the_model(kept):
    broken = []
    for operation, answer in kept:
        shape = MODEL.operation_model(operation).output_shape
        broken += [f"{operation} {found}" for found in violations(shape, answer)]
    assert not broken


def test_the_tour_calls_every_operation_and_sees_every_state(kept):
    from types import SimpleNamespace

    from bedrock_distill.local.ids import Ids

    service = Bedrock(SimpleNamespace(ids=Ids()))
    called = {operation for operation, _ in kept}
    assert called == {name for name in MODEL.operation_names if hasattr(service, xform_name(name))}
    jobs = [answer for operation, answer in kept if operation == "GetModelCustomizationJob"]
    assert {job["status"] for job in jobs} == set(MODEL.shape_for("ModelCustomizationJobStatus").enum)
    phases = {phase["status"] for job in jobs for phase in job["statusDetails"].values()}
    assert phases == set(MODEL.shape_for("JobStatusDetails").enum)
    deployments = [answer for operation, answer in kept if operation == "GetCustomModelDeployment"]
    assert {each["status"] for each in deployments} == {"Creating", "Active"}
    updates = {each["updateDetails"]["updateStatus"] for each in deployments if "updateDetails" in each}
    assert updates == {"Updating", "UpdateCompleted"}
    for name, never in (
        ("GetProvisionedModelThroughput", {"Failed"}),
        ("GetModelImportJob", set()),
        ("GetModelCopyJob", set()),
        ("GetModelInvocationJob", set()),
        # What is deleted is gone at once.
        ("GetEvaluationJob", {"Deleting"}),
    ):
        modelled = set(MODEL.operation_model(name).output_shape.members["status"].enum)
        assert {answer["status"] for operation, answer in kept if operation == name} == modelled - never


def test_each_operation_answers_with_its_own_http_status(kept):
    assert kept.statuses == {
        operation: {MODEL.operation_model(operation).http["responseCode"]} for operation, _ in kept
    }


CATALOG = load_catalog()
BASES = sorted({pair.send for pair in CATALOG.pairs} | {model.id for model in CATALOG.models})


@pytest.mark.parametrize("region", ["us-east-1", "us-gov-west-1", "cn-north-1"])
@pytest.mark.parametrize("base", BASES)
def test_every_arn_fits_every_shape_that_carries_it(base, region):
    job = arns.job_arn(region, ACCOUNT, base, "0123456789ab")
    model = arns.custom_model_arn(region, ACCOUNT, base, "0123456789ab")
    foundation = arns.foundation_model_arn(region, base)
    deployment = arns.deployment_arn(region, ACCOUNT, "0123456789ab")
    imported = arns.imported_model_arn(region, ACCOUNT, "0123456789ab")
    import_job = arns.import_job_arn(region, ACCOUNT, "0123456789ab")
    provisioned = arns.provisioned_model_arn(region, ACCOUNT, "0123456789ab")
    batch = arns.batch_job_arn(region, ACCOUNT, "0123456789ab")
    evaluation = arns.evaluation_job_arn(region, ACCOUNT, "0123456789ab")
    carried = {
        "ModelCustomizationJobArn": job,
        "ModelCustomizationJobIdentifier": job,
        "CustomModelArn": model,
        "ModelIdentifier": model,
        "FoundationModelArn": foundation,
        "GetFoundationModelIdentifier": foundation,
        "BaseModelIdentifier": foundation,
        "CustomModelDeploymentArn": deployment,
        "CustomModelDeploymentIdentifier": deployment,
        "ImportedModelArn": imported,
        "ImportedModelIdentifier": imported,
        "ModelImportJobArn": import_job,
        "ModelImportJobIdentifier": import_job,
        "ModelInvocationJobArn": batch,
        "EvaluationJobArn": evaluation,
        "EvaluationJobIdentifier": evaluation,
        "ModelInvocationJobIdentifier": batch,
        "ProvisionedModelArn": provisioned,
        "ProvisionedModelId": provisioned,
        "ModelCopyJobArn": arns.copy_job_arn(region, ACCOUNT, "0123456789ab"),
        "BedrockModelId": base,
        "ModelName": arns.short_name(base),
    }
    broken = [
        found for name, value in carried.items() for found in violations(MODEL.shape_for(name), value, name)
    ]
    for name, value in [("ModelArn", model), ("ModelArn", foundation)] + [
        ("TaggableResourcesArn", arn)
        for arn in (job, model, deployment, imported, import_job, provisioned, batch, evaluation)
    ]:
        broken += violations(MODEL.shape_for(name), value, name)
    assert not broken


def test_the_foundation_models_of_every_region_hold_to_the_model():
    from types import SimpleNamespace

    from bedrock_distill.local.clock import LocalClock

    service = FoundationModels(SimpleNamespace(catalog=CATALOG, clock=LocalClock()))
    shape = MODEL.operation_model("ListFoundationModels").output_shape
    for region in ("us-east-1", "us-west-2", "eu-central-1"):
        answer = service.list_foundation_models(SimpleNamespace(params={}, region=region))
        assert not list(violations(shape, answer))
