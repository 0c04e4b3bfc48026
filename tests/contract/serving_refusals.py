"""Rows for the table of refusals: imports, imported models, provisioned throughput and copies. Loaded by path."""

from __future__ import annotations

import runpy
from pathlib import Path

_rows = runpy.run_path(str(Path(__file__).parent / "refusal_rows.py"))
INVALID, ABSENT, CONFLICT, DENIED, TOO_MANY = _rows["CODES"]
PATTERN, UNREADABLE, REMOVED, WEST, MICRO, MANY_TAGS, NO_CUSTOM, PAGED, arn, role = (
    _rows[name]
    for name in (
        "PATTERN", "UNREADABLE", "REMOVED", "WEST", "MICRO", "MANY_TAGS", "NO_CUSTOM", "PAGED", "arn",
        "role",
    )
)  # fmt: skip
SOURCE = "modelDataSource.s3DataSource.s3Uri"

CREATE_IMPORT = (
    # missing, type, pattern, length, union
    *[({name: REMOVED}, INVALID, "must not be null") for name in ("jobName", "importedModelName", "roleArn", "modelDataSource", SOURCE)],
    ({"jobName": 7}, INVALID, "must be a string"),
    ({"jobName": "under_score"}, INVALID, PATTERN),
    ({"jobName": "j" * 64}, INVALID, "less than or equal to 63"),
    ({"importedModelName": "two--hyphens"}, INVALID, PATTERN),
    ({"importedModelName": "m" * 64}, INVALID, "less than or equal to 63"),
    ({"roleArn": "importer"}, INVALID, PATTERN),
    ({"modelDataSource": {}}, INVALID, "exactly one of"),
    ({SOURCE: "https://acme/models"}, INVALID, PATTERN),
    ({SOURCE: "s3://acme/step=100/"}, INVALID, PATTERN),
    ({"importedModelKmsKeyId": "not a key"}, INVALID, PATTERN),
    ({"vpcConfig": {"subnetIds": [], "securityGroupIds": ["sg"]}}, INVALID, "greater than or equal to 1"),
    # the place
    ({SOURCE: "s3://no-such-bucket/models/"}, INVALID, f"{UNREADABLE}: no-such-bucket"),
    ({SOURCE: "s3://acme-west/models/"}, INVALID, "must be in the job's region"),
    # the role
    ({"roleArn": role("nobody")}, INVALID, "Could not assume provided IAM role"),
    ({"roleArn": role("untrusting")}, INVALID, "Could not assume provided IAM role"),
    ({"roleArn": role("distiller")}, INVALID, "Could not assume provided IAM role"),
    ({"roleArn": role("mute")}, INVALID, UNREADABLE),
    ({"roleArn": "arn:aws:iam::999999999999:role/importer"}, DENIED, "Cross-account pass role"),
    # names, keys, tags, tokens, regions
    ({"jobName": "bring"}, CONFLICT, "job name is currently in use"),
    ({"importedModelName": "bring-model"}, CONFLICT, "model name is currently in use"),
    ({"clientRequestToken": "known-token"}, CONFLICT, "other parameters"),
    ({"importedModelKmsKeyId": "alias/nothing"}, INVALID, "KMS key alias/nothing is not valid"),
    ({"jobTags": [{"key": "a", "value": "1"}] * 2}, INVALID, "given twice"),
    ({"importedModelTags": [{"key": "aws:mine", "value": "1"}]}, INVALID, "reserved"),
    ({"jobTags": MANY_TAGS}, TOO_MANY, "50 tags"),
    ({"importedModelTags": MANY_TAGS}, TOO_MANY, "50 tags"),
    ({}, INVALID, "not supported in ap-south-1; it is supported in us-east-1", {"region": "ap-south-1"}),
)  # fmt: skip

CREATE_PROVISIONED = (
    *[({name: REMOVED}, INVALID, "must not be null") for name in ("modelUnits", "provisionedModelName", "modelId")],
    ({"modelUnits": 0}, INVALID, "greater than or equal to 1"),
    ({"modelUnits": "many"}, INVALID, ""),
    ({"provisionedModelName": "two--hyphens"}, INVALID, PATTERN),
    ({"provisionedModelName": "p" * 64}, INVALID, "less than or equal to 63"),
    ({"commitmentDuration": "OneYear"}, INVALID, "enum value set"),
    ({"provisionedModelName": "steady"}, INVALID, "already in use"),
    ({"clientRequestToken": "known-token"}, INVALID, "other parameters"),
    ({"tags": MANY_TAGS}, TOO_MANY, "50 tags"),
    # models
    ({"modelId": arn("imported-model")}, INVALID, PATTERN),
    ({"modelId": "bring-model"}, ABSENT, "bring-model"),
    ({"modelId": NO_CUSTOM}, ABSENT, "abcdefghijkl"),
    ({"modelId": "acme.unknown-v1:0:24k"}, INVALID, "model identifier is invalid"),
    ({"modelId": "us.amazon.nova-micro-v1:0"}, INVALID, "model identifier is invalid"),
    ({"modelId": f"arn:aws:bedrock:us-west-2::foundation-model/{MICRO}"}, INVALID, "model identifier is invalid"),
    ({"modelId": "amazon.nova-micro-v1:0"}, INVALID, "context variant of Nova Micro; there are: amazon"),
    ({"modelId": "amazon.nova-micro-v1:0:300k"}, INVALID, "context variant of Nova Micro"),
    ({"modelId": MICRO}, INVALID, "not supported in us-west-2; supported in us-east-1", WEST),
    ({"modelId": "meta.llama3-1-8b-instruct-v1:0:128k"}, ABSENT, "marked by provider as Legacy", WEST),
    ({"modelId": "anthropic.claude-3-haiku-20240307-v1:0:200k"}, ABSENT, "end of its life"),
    ({}, ABSENT, "custom-model", WEST),
)  # fmt: skip

TABLES = {
    "CreateModelImportJob": CREATE_IMPORT,
    "GetModelImportJob": (
        ({"jobIdentifier": "nothing"}, ABSENT, "nothing"),
        ({"jobIdentifier": arn("model-import-job")}, ABSENT, "abcdefghijkl"),
        ({"jobIdentifier": arn("imported-model")}, INVALID, PATTERN),
        ({"jobIdentifier": "j" * 1012}, INVALID, "less than or equal to 1011"),
        ({}, ABSENT, "bring", WEST),
    ),
    "ListModelImportJobs": (*PAGED, ({"statusEquals": "Stopped"}, INVALID, "enum value set")),
    "GetImportedModel": (
        ({"modelIdentifier": "nothing"}, ABSENT, "nothing"),
        ({"modelIdentifier": arn("imported-model")}, ABSENT, "abcdefghijkl"),
        ({"modelIdentifier": arn("provisioned-model")}, INVALID, PATTERN),
        ({}, ABSENT, "bring-model", WEST),
    ),
    "ListImportedModels": PAGED,
    "DeleteImportedModel": (
        ({"modelIdentifier": "nothing"}, ABSENT, "nothing"),
        ({"modelIdentifier": "two--hyphens"}, INVALID, PATTERN),
        ({"modelIdentifier": arn("imported-model")}, ABSENT, "abcdefghijkl"),
        ({}, ABSENT, "bring-model", WEST),
    ),
    "CreateProvisionedModelThroughput": CREATE_PROVISIONED,
    "GetProvisionedModelThroughput": (
        ({"provisionedModelId": "nothing"}, ABSENT, "nothing"),
        ({"provisionedModelId": arn("provisioned-model")}, ABSENT, "abcdefghijkl"),
        ({"provisionedModelId": arn("imported-model")}, INVALID, PATTERN),
        ({}, ABSENT, "steady", WEST),
    ),
    "ListProvisionedModelThroughputs": (
        *PAGED,
        ({"statusEquals": "Active"}, INVALID, "enum value set"),
        ({"modelArnEquals": "triage-model"}, INVALID, ""),
    ),
    "UpdateProvisionedModelThroughput": (
        ({"provisionedModelId": "nothing"}, ABSENT, "nothing"),
        ({"desiredProvisionedModelName": "two--hyphens"}, INVALID, PATTERN),
        ({"desiredProvisionedModelName": "other"}, INVALID, "already in use"),
        ({"desiredModelId": "nothing"}, INVALID, "cannot take the place of"),
        ({"desiredModelId": "amazon.nova-lite-v1:0:300k"}, INVALID, "cannot take the place of"),
        ({"provisionedModelId": "other", "desiredModelId": "{model}"}, INVALID, "it is a base model"),
        ({}, ABSENT, "steady", WEST),
    ),
    "DeleteProvisionedModelThroughput": (
        ({"provisionedModelId": "nothing"}, ABSENT, "nothing"),
        ({"provisionedModelId": arn("custom-model-deployment")}, INVALID, PATTERN),
        ({}, CONFLICT, "before its commitment ends"),
        ({}, ABSENT, "steady", WEST),
    ),
    "CreateModelCopyJob": (
        ({"sourceModelArn": NO_CUSTOM}, ABSENT, "abcdefghijkl", WEST),
        ({"sourceModelArn": f"arn:aws:bedrock:us-east-1::foundation-model/{MICRO}"}, ABSENT, "foundation", WEST),
        ({"sourceModelArn": REMOVED}, INVALID, "must not be null", WEST),
        ({"sourceModelArn": arn("imported-model")}, INVALID, PATTERN, WEST),
        ({"targetModelName": "two--hyphens"}, INVALID, PATTERN, WEST),
        ({"targetModelName": "copied"}, INVALID, "currently in use", WEST),
        ({"clientRequestToken": "known-token"}, INVALID, "other parameters", WEST),
        ({"modelKmsKeyId": "alias/nothing"}, INVALID, "KMS key alias/nothing is not valid", WEST),
        ({"targetModelTags": MANY_TAGS}, TOO_MANY, "50 tags", WEST),
        ({"sourceModelArn": "{llama}"}, INVALID, r"cannot be copied to ap-south-1 \(supported: eu-central-1", {"region": "ap-south-1"}),
    ),
    "GetModelCopyJob": (
        ({"jobArn": arn("model-copy-job")}, ABSENT, "abcdefghijkl"),
        ({"jobArn": arn("model-import-job")}, INVALID, PATTERN),
        ({}, ABSENT, "model-copy-job"),
    ),
    "ListModelCopyJobs": (
        *[row for row in PAGED if "nameContains" not in row[0]],
        ({"targetModelNameContains": "no spaces"}, INVALID, PATTERN),
        ({"statusEquals": "Stopped"}, INVALID, "enum value set"),
        ({"sourceAccountEquals": "me"}, INVALID, PATTERN),
    ),
}  # fmt: skip


def working(stage):
    """Parameters that each operation takes."""
    names = stage.names
    throughput = {"provisionedModelId": "steady"}
    return {
        "CreateModelImportJob": stage.import_request("another"),
        "GetModelImportJob": {"jobIdentifier": "bring"},
        "GetImportedModel": {"modelIdentifier": "bring-model"},
        "DeleteImportedModel": {"modelIdentifier": "bring-model"},
        "CreateProvisionedModelThroughput": {
            "modelUnits": 1,
            "provisionedModelName": "second",
            "modelId": names["model"],
        },
        "GetProvisionedModelThroughput": throughput,
        "UpdateProvisionedModelThroughput": throughput,
        "DeleteProvisionedModelThroughput": throughput,
        "CreateModelCopyJob": {"sourceModelArn": names["model"], "targetModelName": "second"},
        "GetModelCopyJob": {"jobArn": names["copy"]},
    }


def prepare(stage):
    """One of everything: an import job and its model, throughput with and without commitment, and a copy."""
    stage.model_directory().importer()
    stage.bring(clientRequestToken="known-token")
    for name, model, more in (
        (
            "steady",
            stage.names["model"],
            {"commitmentDuration": "SixMonths", "clientRequestToken": "known-token"},
        ),
        ("other", MICRO, {}),
    ):
        stage.bedrock.create_provisioned_model_throughput(
            modelUnits=1, provisionedModelName=name, modelId=model, **more
        )
    west = stage.cloud.boto3_session("us-west-2").client("bedrock")
    stage.names["copy"] = west.create_model_copy_job(
        sourceModelArn=stage.names["model"], targetModelName="copied", clientRequestToken="known-token"
    )["jobArn"]
    assert stage.cloud.clock.settle(20)
