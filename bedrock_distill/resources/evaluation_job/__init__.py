"""Bedrock's own evaluation jobs: the service asks a model the prompts, scores the answers, and writes both to S3.

`metrics` is what it can score by, `spec` what is wanted, `dataset` what is asked, `survey` what is there, `requests` and
`policies` what is sent, `plan` what would be done with `warnings`; `job` is the handle, and `results` what it reads.
"""

from bedrock_distill.resources.evaluation_job.job import (
    EvaluationJob,
    EvaluationStatus,
    evaluation_job_named,
    evaluation_jobs,
)
from bedrock_distill.resources.evaluation_job.plan import plan_evaluation, plan_evaluation_in
from bedrock_distill.resources.evaluation_job.results import EvaluationResult
from bedrock_distill.resources.evaluation_job.spec import BedrockEvaluation, CustomMetric

__all__ = [
    "BedrockEvaluation",
    "CustomMetric",
    "EvaluationJob",
    "EvaluationResult",
    "EvaluationStatus",
    "evaluation_job_named",
    "evaluation_jobs",
    "plan_evaluation",
    "plan_evaluation_in",
]
