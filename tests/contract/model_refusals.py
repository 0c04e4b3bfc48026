"""Rows for the table of refusals: foundation models, custom models and their deployments. Loaded by path."""

from __future__ import annotations

import runpy
from pathlib import Path

_rows = runpy.run_path(str(Path(__file__).parent / "refusal_rows.py"))
INVALID, ABSENT, CONFLICT, DENIED, TOO_MANY = _rows["CODES"]
TEACHER, PATTERN, REMOVED, WEST, MANY_TAGS, NO_CUSTOM, NO_JOB, PAGED, arn = (
    _rows[name]
    for name in (
        "TEACHER", "PATTERN", "REMOVED", "WEST", "MANY_TAGS", "NO_CUSTOM", "NO_JOB", "PAGED", "arn",
    )
)  # fmt: skip
NO_DEPLOYMENT = arn("custom-model-deployment")

TABLES = {
    "GetFoundationModel": (
        ({"modelIdentifier": "acme.unknown-v1:0"}, INVALID, "model identifier is invalid"),
        ({"modelIdentifier": "NovaMicro"}, INVALID, PATTERN),
        ({"modelIdentifier": "a." + "b" * 2048}, INVALID, "less than or equal to 2048"),
        ({"modelIdentifier": "arn:aws:bedrock:us-east-1::foundation-model/acme.unknown-v1:0"}, ABSENT, "unknown"),
        ({"modelIdentifier": f"arn:aws:bedrock:us-west-2::foundation-model/{TEACHER}"}, ABSENT, "us-west-2"),
    ),
    "ListFoundationModels": (
        ({"byCustomizationType": "DISTILL"}, INVALID, "enum value set"),
        ({"byInferenceType": "SERVERLESS"}, INVALID, "enum value set"),
        ({"byOutputModality": "AUDIO"}, INVALID, "enum value set"),
        ({"byProvider": "Ama/zon"}, INVALID, PATTERN),
        ({"byProvider": "a" * 64}, INVALID, PATTERN),
    ),
    "GetCustomModel": (
        ({"modelIdentifier": "nothing"}, ABSENT, "nothing"),
        ({"modelIdentifier": NO_CUSTOM}, ABSENT, "abcdefghijkl"),
        ({"modelIdentifier": TEACHER}, ABSENT, "nova-pro"),
        ({"modelIdentifier": NO_JOB}, INVALID, PATTERN),
        ({"modelIdentifier": "m" * 2049}, INVALID, "less than or equal to 2048"),
        ({"modelIdentifier": "triage-model"}, ABSENT, "", WEST),
    ),
    "ListCustomModels": (
        *PAGED,
        ({"baseModelArnEquals": TEACHER}, INVALID, PATTERN),
        ({"foundationModelArnEquals": NO_CUSTOM}, INVALID, PATTERN),
        ({"modelStatus": "Ready"}, INVALID, "enum value set"),
        ({"isOwned": "perhaps"}, INVALID, ""),
    ),
    "DeleteCustomModel": (
        ({"modelIdentifier": "nothing"}, ABSENT, "nothing"),
        ({"modelIdentifier": NO_CUSTOM}, ABSENT, "abcdefghijkl"),
        ({"modelIdentifier": "two--hyphens"}, INVALID, PATTERN),
        ({"modelIdentifier": "{model}"}, CONFLICT, "in use by the custom model deployment live"),
        ({"modelIdentifier": "triage-model"}, ABSENT, "", WEST),
    ),
    "CreateCustomModelDeployment": (
        ({"modelDeploymentName": REMOVED}, INVALID, "must not be null"),
        ({"modelArn": REMOVED}, INVALID, "must not be null"),
        ({"modelDeploymentName": ["a"]}, INVALID, "must be a string"),
        ({"modelDeploymentName": "two--hyphens"}, INVALID, PATTERN),
        ({"modelDeploymentName": "d" * 64}, INVALID, "less than or equal to 63"),
        ({"modelArn": "triage-model"}, INVALID, ""),
        ({"modelArn": arn("imported-model")}, INVALID, "pattern"),
        ({"description": ""}, INVALID, "greater than or equal to 1"),
        ({"description": "d" * 2049}, INVALID, "less than or equal to 2048"),
        ({"modelArn": NO_CUSTOM}, ABSENT, "abcdefghijkl"),
        ({"modelDeploymentName": "live"}, INVALID, "already in use"),
        ({"modelArn": "{llama}"}, INVALID, "cannot be deployed for on-demand inference in us-west-2", WEST),
        ({}, ABSENT, "custom-model", WEST),
        ({"clientRequestToken": "known-token"}, INVALID, "other parameters"),
        ({"tags": MANY_TAGS}, TOO_MANY, "50 tags"),
        ({"tags": [{"key": "aws:mine", "value": ""}]}, INVALID, "reserved"),
    ),
    "GetCustomModelDeployment": (
        ({"customModelDeploymentIdentifier": "nothing"}, ABSENT, "nothing"),
        ({"customModelDeploymentIdentifier": NO_DEPLOYMENT}, ABSENT, "abcdefghijkl"),
        ({"customModelDeploymentIdentifier": "two--hyphens"}, INVALID, PATTERN),
        ({"customModelDeploymentIdentifier": "d" * 94}, INVALID, "less than or equal to 93"),
        ({"customModelDeploymentIdentifier": "live"}, ABSENT, "", WEST),
    ),
    "ListCustomModelDeployments": (
        *PAGED,
        ({"statusEquals": "ACTIVE"}, INVALID, "enum value set"),
        ({"modelArnEquals": "triage-model"}, INVALID, ""),
    ),
    "UpdateCustomModelDeployment": (
        ({"modelArn": REMOVED}, INVALID, "must not be null"),
        ({"modelArn": NO_CUSTOM}, ABSENT, "abcdefghijkl"),
        ({"modelArn": "triage-model"}, INVALID, ""),
        ({"customModelDeploymentIdentifier": "nothing"}, ABSENT, "nothing"),
        ({"customModelDeploymentIdentifier": "two--hyphens"}, INVALID, PATTERN),
        ({"modelArn": "{llama}"}, ABSENT, "custom-model"),
        ({}, ABSENT, "live", WEST),
    ),
    "DeleteCustomModelDeployment": (
        ({"customModelDeploymentIdentifier": "nothing"}, ABSENT, "nothing"),
        ({"customModelDeploymentIdentifier": NO_DEPLOYMENT}, ABSENT, "abcdefghijkl"),
        ({"customModelDeploymentIdentifier": "two--hyphens"}, INVALID, PATTERN),
        ({}, ABSENT, "live", WEST),
    ),
}  # fmt: skip


def working(stage):
    """Parameters that each operation takes."""
    model, deployment = {"modelIdentifier": "triage-model"}, {"customModelDeploymentIdentifier": "live"}
    deployed = {"modelArn": stage.names["model"]}
    return {
        "GetFoundationModel": {"modelIdentifier": TEACHER},
        "GetCustomModel": model,
        "DeleteCustomModel": model,
        "CreateCustomModelDeployment": {"modelDeploymentName": "second", **deployed},
        "GetCustomModelDeployment": deployment,
        "UpdateCustomModelDeployment": {**deployment, **deployed},
        "DeleteCustomModelDeployment": deployment,
    }


def prepare(stage):
    """A deployment of the job's model."""
    stage.bedrock.create_custom_model_deployment(
        modelDeploymentName="live", modelArn=stage.names["model"], clientRequestToken="known-token"
    )
