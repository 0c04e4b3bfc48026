"""Batch inference: many prompts answered by one job of Bedrock's, from S3 to S3.

`spec` is what is wanted, `plan` what would be done in the world that `survey` found, `job` what runs, `answers` what comes
of it. `lines` makes requests of prompts and `bodies` their InvokeModel form; `reading` reads both sides back.
"""

from bedrock_distill.resources.batch.answers import BatchAnswer
from bedrock_distill.resources.batch.job import BatchJob, BatchStatus, batch_job_named, batch_jobs
from bedrock_distill.resources.batch.plan import plan_batch, plan_batch_in
from bedrock_distill.resources.batch.spec import BatchInference

__all__ = [
    "BatchAnswer",
    "BatchInference",
    "BatchJob",
    "BatchStatus",
    "batch_job_named",
    "batch_jobs",
    "plan_batch",
    "plan_batch_in",
]
