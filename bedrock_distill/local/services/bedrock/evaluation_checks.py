"""What CreateEvaluationJob refuses: other kinds of job, metrics that do not go with the task, models and roles that cannot be used."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bedrock_distill.catalog import read_model_id
from bedrock_distill.local.gateway.errors import AwsError
from bedrock_distill.local.services.bedrock.arns import evaluation_job_arn
from bedrock_distill.local.services.bedrock.evaluation_scores import ACCURACY, JUDGED
from bedrock_distill.local.services.bedrock.job_access import Access
from bedrock_distill.uris import Arn, S3Uri, partition_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bedrock_distill.local.call import Call
    from bedrock_distill.local.services.bedrock.roles import Role
    from bedrock_distill.local.world import World

__all__ = ["check_access", "check_configuration", "check_models", "judges_of"]

_AUTOMATIC = {
    "Builtin.Accuracy": ("QuestionAndAnswer", "Summarization", "Classification", "Generation"),
    "Builtin.Robustness": ("QuestionAndAnswer", "Summarization", "Classification", "Generation"),
    "Builtin.Toxicity": ("QuestionAndAnswer", "Summarization", "Generation"),
}
"""A metric that needs no judge -> the tasks it is offered for."""

_ABSENT = ("Builtin.Robustness", "Builtin.Toxicity")
"""Metrics that AWS computes and the local cloud does not."""

_OF_THIS_OPERATION = frozenset({"ResourceNotFoundException", "AccessDeniedException", "ValidationException"})


def judges_of(automated: Mapping[str, Any]) -> tuple[str, str]:
    """The judge of the service's own metrics, and that of the user's; empty where there is none."""
    return _judge(automated), _judge(automated.get("customMetricConfig") or {})


def _judge(config: Mapping[str, Any]) -> str:
    judges = (config.get("evaluatorModelConfig") or {}).get("bedrockEvaluatorModels") or ()
    return str(judges[0]["modelIdentifier"]) if judges else ""


def check_configuration(params: Mapping[str, Any]) -> None:
    """Refuse what cannot be scored.

    Raises:
        AwsError: ValidationException.
    """
    automated = params["evaluationConfig"].get("automated")
    models = params["inferenceConfig"].get("models")
    if params.get("applicationType") == "RagEvaluation" or models is None:
        raise _refused("The local cloud has no knowledge bases to evaluate.")
    if automated is None:
        raise _refused("The local cloud has no people who could evaluate.")
    if len(models) != 1:
        raise _refused("Automated evaluation jobs support a single model.")
    builtin, own = judges_of(automated)
    if not _is_object((models[0].get("bedrockModel") or {}).get("inferenceParams", "{}")):
        raise _refused("The inferenceParams are not valid: they must be a JSON object.")
    if "precomputedInferenceSource" in models[0] and not (builtin or own):
        raise _refused(
            "Inference responses of your own can be evaluated by jobs with an evaluator model only."
        )
    names = {
        each["customMetricDefinition"]["name"]
        for each in (automated.get("customMetricConfig") or {}).get("customMetrics") or ()
    }
    for config in automated["datasetMetricConfigs"]:
        if "datasetLocation" not in config["dataset"]:
            raise _refused(f"The local cloud has no dataset {config['dataset']['name']}: name one in S3.")
        for metric in config["metricNames"]:
            if metric not in names:
                _check_metric(metric, config["taskType"], judged=bool(builtin))
    if unused := names - {
        metric for each in automated["datasetMetricConfigs"] for metric in each["metricNames"]
    }:
        raise _refused(f"The custom metric {min(unused)} is not among the metricNames.")


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def _check_metric(metric: str, task: str, *, judged: bool) -> None:
    if judged:
        if metric not in JUDGED:
            raise _refused(
                f"The metric {metric} is not supported in evaluation jobs with an evaluator model."
            )
        return
    if metric in JUDGED:
        raise _refused(f"The metric {metric} needs an evaluatorModelConfig.")
    if task not in _AUTOMATIC.get(metric, ()) or task not in ACCURACY:
        raise _refused(f"The metric {metric} is not supported for the task type {task}.")
    if metric in _ABSENT:
        raise _refused(
            f"The local cloud does not compute {metric}; it has Builtin.Accuracy, and judges' metrics."
        )


def check_models(world: World, call: Call) -> None:
    """Make sure that somebody answers for the model and the judges.

    Raises:
        AwsError: As the runtime refuses them.
    """
    from bedrock_distill.local.services.runtime.resolution import resolve  # noqa: PLC0415 - the runtime imports this package

    for model in _asked(call.params):
        try:
            resolve(world, model, call.region)
        except AwsError as error:
            if error.code in _OF_THIS_OPERATION:
                raise
            raise _refused(error.message) from error


def check_access(world: World, call: Call) -> None:
    """Everything that needs IAM, S3 and KMS.

    Raises:
        AwsError: ValidationException, naming what is missing; AccessDeniedException for another account's role.
    """
    params = call.params
    access = Access(world, call.region, call.account_id)
    role = access.role(
        params["roleArn"], source_arn=evaluation_job_arn(call.region, call.account_id, "0" * 12)
    )
    for config in params["evaluationConfig"]["automated"]["datasetMetricConfigs"]:
        access.readable(role, S3Uri.parse(config["dataset"]["datasetLocation"]["s3Uri"]))
    access.writable(role, S3Uri.parse(params["outputDataConfig"]["s3Uri"]))
    for model in _asked(params):
        _check_invocable(role, model, call)
    access.key_arn(params.get("customerEncryptionKeyId"))


def _asked(params: Mapping[str, Any]) -> Iterator[str]:
    """What the job will ask."""
    for model in params["inferenceConfig"]["models"]:
        if "bedrockModel" in model:
            yield model["bedrockModel"]["modelIdentifier"]
    yield from filter(None, dict.fromkeys(judges_of(params["evaluationConfig"]["automated"])))


def _check_invocable(role: Role, model: str, call: Call) -> None:
    for resource in _resources(model, call):
        if not role.may("bedrock:InvokeModel", resource, context={"aws:requestedregion": call.region}):
            raise _refused(
                f"The role {role.arn} is not authorized to perform: bedrock:InvokeModel on resource: {resource}."
            )


def _resources(model: str, call: Call) -> Iterator[str]:
    partition, ref = partition_of(call.region), read_model_id(model)
    if ref.kind not in ("foundation", "profile"):
        yield model
        return
    yield f"arn:{partition}:bedrock:{call.region}::foundation-model/{ref.model}"
    if ref.kind == "profile":
        profile = Arn.parse(model).resource_id if Arn.looks_like(model) else model
        yield f"arn:{partition}:bedrock:{call.region}:{call.account_id}:inference-profile/{profile}"


def _refused(words: str) -> AwsError:
    return AwsError("ValidationException", words)
