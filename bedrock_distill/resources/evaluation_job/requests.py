"""The request to CreateEvaluationJob."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bedrock_distill.resources.evaluation_job.metrics import SENT_AS
from bedrock_distill.resources.evaluation_job.survey import job_name
from bedrock_distill.resources.spec import plan_tags

if TYPE_CHECKING:
    from bedrock_distill.catalog import Catalog
    from bedrock_distill.resources.evaluation_job.spec import BedrockEvaluation
    from bedrock_distill.resources.evaluation_job.survey import EvaluationSurvey

__all__ = ["DATASET", "evaluation_request", "inference_params"]

DATASET = "prompts"
"""The dataset's name in the request, and in the folders of the results."""

_NAMES: dict[str, str] = {
    "llama": "max_gen_len",
    "anthropic": "max_tokens",
    "mistral": "max_tokens",
    "cohere": "max_tokens",
    "titan": "maxTokenCount",
    "deepseek": "max_tokens",
    "qwen": "max_tokens",
    "openai": "max_completion_tokens",
}
"""Model family -> what its own body calls the longest answer. AWS says that each model takes its own parameters; all but Nova's
are not verified for evaluation jobs."""


def inference_params(spec: BedrockEvaluation, catalog: Catalog) -> str:
    """The text of `inferenceParams`: what the user wrote, or the longest answer and the temperature in the family's names."""
    if spec.inference_params is not None:
        return json.dumps(spec.inference_params)
    model = catalog.find(spec.model)
    name = _NAMES.get(model.body) if model is not None else None
    given: dict[str, Any] = {name or "maxTokens": spec.max_tokens}
    if spec.temperature is not None:
        given["temperature"] = spec.temperature
    return json.dumps(given if name else {"inferenceConfig": given})


def evaluation_request(
    spec: BedrockEvaluation, survey: EvaluationSurvey, catalog: Catalog, role: str
) -> dict[str, Any]:
    """The request as boto3 takes it."""
    judge = {"bedrockEvaluatorModels": [{"modelIdentifier": survey.judge_id}]}
    automated: dict[str, Any] = {
        "datasetMetricConfigs": [
            {
                "taskType": SENT_AS[spec.task_type],
                "dataset": {"name": DATASET, "datasetLocation": {"s3Uri": str(survey.uri)}},
                "metricNames": list(spec.metric_names),
            }
        ]
    }
    if spec.judge is not None and any(name.startswith("Builtin.") for name in spec.metric_names):
        automated["evaluatorModelConfig"] = judge
    if spec.custom_metrics:
        automated["customMetricConfig"] = {
            "customMetrics": [
                {
                    "customMetricDefinition": {
                        "name": metric.name,
                        "instructions": metric.instructions,
                        "ratingScale": [
                            {"definition": definition, "value": {"floatValue": value}}
                            for definition, value in metric.scale.items()
                        ],
                    }
                }
                for metric in spec.custom_metrics
            ],
            "evaluatorModelConfig": judge,
        }
    model: dict[str, Any] = (
        {"precomputedInferenceSource": {"inferenceSourceIdentifier": spec.label}}
        if spec.answers is not None
        else {
            "bedrockModel": {
                "modelIdentifier": survey.model_id,
                "inferenceParams": inference_params(spec, catalog),
            }
        }
    )
    request: dict[str, Any] = {
        "jobName": job_name(spec.name, survey.fingerprint, survey.attempt),
        "clientRequestToken": f"bedrock-distill-{survey.fingerprint}-{survey.attempt}",
        "roleArn": role,
        "applicationType": "ModelEvaluation",
        "evaluationConfig": {"automated": automated},
        "inferenceConfig": {"models": [model]},
        "outputDataConfig": {"s3Uri": spec.output},
        "jobTags": plan_tags(spec.name, survey.fingerprint, spec.tags),
    }
    if spec.kms_key:
        request["customerEncryptionKeyId"] = spec.kms_key
    return request
