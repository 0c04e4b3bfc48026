"""Rows for the table of refusals: evaluation jobs. Loaded by path."""

from __future__ import annotations

import runpy
from pathlib import Path

_rows = runpy.run_path(str(Path(__file__).parent / "refusal_rows.py"))
INVALID, ABSENT, CONFLICT, DENIED, TOO_MANY = _rows["CODES"]
PATTERN, UNREADABLE, REMOVED, WEST, MANY_TAGS, PAGED, arn, role = (
    _rows[name]
    for name in ("PATTERN", "UNREADABLE", "REMOVED", "WEST", "MANY_TAGS", "PAGED", "arn", "role")
)  # fmt: skip
_stage = runpy.run_path(str(Path(__file__).parents[1] / "unit" / "local" / "evaluation_stage.py"))
TEACHER, evaluation_request = _stage["TEACHER"], _stage["evaluation_request"]


def asks(model, **more):
    return {"inferenceConfig": {"models": [{"bedrockModel": {"modelIdentifier": model, **more}}]}}


def scores(*metrics, **changes):
    return {"evaluationConfig": evaluation_request(metrics=metrics, **changes)["evaluationConfig"]}


def place(uri):
    found = scores("Builtin.Accuracy")
    found["evaluationConfig"]["automated"]["datasetMetricConfigs"][0]["dataset"] = uri
    return found


def own_metric(*, listed):
    found = scores(*(["mine"] if listed else ["Builtin.Correctness"]), judge=TEACHER)
    judge = {"bedrockEvaluatorModels": [{"modelIdentifier": TEACHER}]}
    source = {"customMetricDefinition": {"name": "mine", "instructions": "{{prediction}}"}}
    found["evaluationConfig"]["automated"]["customMetricConfig"] = {
        "customMetrics": [source],
        "evaluatorModelConfig": judge,
    }
    return found


REQUIRED = (
    "jobName",
    "roleArn",
    "evaluationConfig",
    "inferenceConfig",
    "outputDataConfig",
    "outputDataConfig.s3Uri",
)
RAG = {
    "ragConfigs": [{"precomputedRagSourceConfig": {"retrieveSourceConfig": {"ragSourceIdentifier": "mine"}}}]
}
HUMAN = {
    "human": {
        "datasetMetricConfigs": scores("Builtin.Accuracy")["evaluationConfig"]["automated"][
            "datasetMetricConfigs"
        ]
    }
}
GIVEN = {"precomputedInferenceSource": {"inferenceSourceIdentifier": "mine"}}
CREATE = (
    *[({name: REMOVED}, INVALID, "must not be null") for name in REQUIRED],
    ({"jobName": 7}, INVALID, "must be a string"),
    ({"jobName": "Upper"}, INVALID, PATTERN),
    ({"jobName": "j" * 64}, INVALID, "less than or equal to 63"),
    ({"applicationType": "Other"}, INVALID, "enum value set"),
    ({"evaluationConfig": {}}, INVALID, "exactly one of"),
    ({"inferenceConfig": {"models": []}}, INVALID, "greater than or equal to 1"),
    (scores("Builtin.Accuracy", task="General"), INVALID, "enum value set"),
    (asks(arn("custom-model-deployment")), INVALID, PATTERN),
    # kinds of job
    ({"applicationType": "RagEvaluation"}, INVALID, "no knowledge bases"),
    ({"inferenceConfig": RAG}, INVALID, "no knowledge bases"),
    ({"evaluationConfig": HUMAN}, INVALID, "no people"),
    ({"inferenceConfig": {"models": asks(TEACHER)["inferenceConfig"]["models"] * 2}}, INVALID, "a single model"),
    ({"inferenceConfig": {"models": [GIVEN]}}, INVALID, "with an evaluator model only"),
    (asks(TEACHER, inferenceParams="warm"), INVALID, "must be a JSON object"),
    # metrics
    (scores("Builtin.Correctness"), INVALID, "needs an evaluatorModelConfig"),
    (scores("Builtin.Accuracy", judge=TEACHER), INVALID, "not supported in evaluation jobs with an evaluator"),
    (scores("Builtin.Toxicity", task="Classification"), INVALID, "not supported for the task type Classification"),
    (scores("Builtin.Wit"), INVALID, "not supported for the task type"),
    (scores("Builtin.Robustness"), INVALID, "does not compute Builtin.Robustness"),
    (own_metric(listed=False), INVALID, "not among the metricNames"),
    # models
    (asks("acme.unknown-v1:0"), INVALID, "model identifier is invalid"),
    (asks(arn("imported-model")), INVALID, "model identifier is invalid"),
    (asks("us.amazon.nova-premier-v1:0"), ABSENT, "end of its life"),
    (scores("Builtin.Correctness", judge="acme.unknown-v1:0"), INVALID, "model identifier is invalid"),
    # places
    (place({"name": "Builtin.BoolQ"}), INVALID, "no dataset Builtin.BoolQ"),
    (place({"name": "p", "datasetLocation": {"s3Uri": "s3://acme/absent.jsonl"}}), INVALID, UNREADABLE),
    ({"outputDataConfig.s3Uri": "s3://no-such-bucket/"}, INVALID, r"Amazon S3 perms missing \(PutObject\)"),
    # the role
    ({"roleArn": role("nobody")}, INVALID, "Could not assume provided IAM role"),
    ({"roleArn": role("distiller")}, INVALID, "Could not assume provided IAM role"),
    ({"roleArn": role("mute")}, INVALID, UNREADABLE),
    ({"roleArn": role("reader-only")}, INVALID, "not authorized to perform: bedrock:InvokeModel"),
    ({"roleArn": "arn:aws:iam::999999999999:role/evaluator"}, DENIED, "Cross-account pass role"),
    # names, keys, tags, tokens
    ({"jobName": "measure"}, CONFLICT, "job name is currently in use"),
    ({"clientRequestToken": "known-token"}, CONFLICT, "other parameters"),
    ({"customerEncryptionKeyId": "alias/nothing"}, INVALID, "KMS key alias/nothing is not valid"),
    ({"jobTags": [{"key": "aws:mine", "value": "1"}]}, INVALID, "reserved"),
    ({"jobTags": MANY_TAGS}, INVALID, "50 tags"),
)  # fmt: skip

NAMED = (
    ({"jobIdentifier": arn("evaluation-job")}, ABSENT, "abcdefghijkl"),
    ({"jobIdentifier": "measure"}, INVALID, PATTERN),
    ({}, ABSENT, "evaluation-job", WEST),
)
TABLES = {
    "CreateEvaluationJob": CREATE,
    "GetEvaluationJob": NAMED,
    "ListEvaluationJobs": (
        *(row for row in PAGED if "sortBy" not in row[0]),
        ({"statusEquals": "Done"}, INVALID, "enum value set"),
    ),
    "StopEvaluationJob": (*NAMED, ({}, CONFLICT, "its status is Completed")),
    "BatchDeleteEvaluationJob": (
        ({"jobIdentifiers": REMOVED}, INVALID, "must not be null"),
        ({"jobIdentifiers": []}, INVALID, "greater than or equal to 1"),
        ({"jobIdentifiers": ["measure"]}, INVALID, PATTERN),
        ({"jobIdentifiers": [arn("evaluation-job")] * 26}, INVALID, "less than or equal to 25"),
    ),
}


def working(stage):
    """Parameters that each operation takes."""
    job = {"jobIdentifier": stage.names["evaluation"]}
    return {
        "CreateEvaluationJob": evaluation_request("another"),
        "GetEvaluationJob": job,
        "StopEvaluationJob": job,
        "BatchDeleteEvaluationJob": {"jobIdentifiers": [stage.names["evaluation"]]},
    }


def prepare(stage):
    """A job that has completed, and a role that may ask no model."""
    _stage["evaluator"](stage)
    _stage["evaluator"](stage, "reader-only", statements=stage.statements())
    _stage["put_dataset"](stage)
    job = _stage["evaluate"](stage, clientRequestToken="known-token")
    assert job["status"] == "Completed", job
    stage.names["evaluation"] = job["jobArn"]
