"""Create, Get, List, Stop and BatchDeleteEvaluationJob(s): a model's answers to a dataset, scored, come to S3."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from bedrock_distill.local.gateway.errors import AwsError
from bedrock_distill.local.services.bedrock.arns import evaluation_job_arn
from bedrock_distill.local.services.bedrock.client_tokens import answered_before, remember
from bedrock_distill.local.services.bedrock.evaluation_checks import (
    check_access,
    check_configuration,
    check_models,
    judges_of,
)
from bedrock_distill.local.services.bedrock.evaluation_run import EvaluationRun
from bedrock_distill.local.services.bedrock.evaluation_state import EvaluationJob
from bedrock_distill.local.services.bedrock.job_runner import failure_message
from bedrock_distill.local.services.bedrock.listing import created_within, page
from bedrock_distill.local.services.bedrock.state import Tables, moment
from bedrock_distill.local.services.bedrock.tags import read_tags

if TYPE_CHECKING:
    from bedrock_distill.local.call import Call
    from bedrock_distill.local.world import World

__all__ = ["EvaluationJobs"]

_PAGE = 5
"""Summaries of a page at most (botocore's model, EvaluationSummaries)."""

_ECHOED = (
    "jobDescription",
    "roleArn",
    "customerEncryptionKeyId",
    "applicationType",
    "evaluationConfig",
    "inferenceConfig",
    "outputDataConfig",
)
"""Members of the request that the answer repeats."""


class EvaluationJobs:
    """Evaluation jobs of models, without people."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._ids = world.ids.spawn("bedrock/evaluation-jobs")

    def create_evaluation_job(self, call: Call) -> dict[str, Any]:
        """Check the metrics, the models, the role and its places, then start the job. The dataset is read later."""
        tables = Tables(self._world, call.region)
        if arn := answered_before(tables, call, conflict="ConflictException"):
            return {"jobArn": arn}
        _tags(call)
        check_configuration(call.params)
        check_models(self._world, call)
        _name_free(tables, call)
        check_access(self._world, call)
        run = EvaluationRun(self._world)
        with self._world.lock:
            if arn := answered_before(tables, call, conflict="ConflictException"):
                return {"jobArn": arn}  # the same request overtook this one
            _name_free(tables, call)
            job = self._new_job(tables, call, run)
        run.start(job)
        return {"jobArn": job.arn}

    def get_evaluation_job(self, call: Call) -> dict[str, Any]:
        """One job, by ARN: the API takes no names."""
        job = self._find(call, call.params["jobIdentifier"])
        job.phases.observe()
        answer: dict[str, Any] = {
            "jobArn": job.arn,
            "jobName": job.name,
            "status": job.status,
            "jobType": "Automated",
            "creationTime": job.created,
            "lastModifiedTime": job.modified,
            **{name: job.request[name] for name in _ECHOED if job.request.get(name) is not None},
        }
        if message := failure_message(job.phases):
            answer["failureMessages"] = [message]
        return answer

    def list_evaluation_jobs(self, call: Call) -> dict[str, Any]:
        """The region's jobs, filtered and paged by five. Where there is none, the member is left out, as its model demands."""
        wanted = call.params
        jobs = Tables(self._world, call.region).evaluation_jobs.where(
            lambda job: (
                created_within(job, wanted, after="creationTimeAfter", before="creationTimeBefore")
                and wanted.get("statusEquals") in (None, job.status)
                and wanted.get("applicationTypeEquals") in (None, "ModelEvaluation")
                and wanted.get("nameContains", "") in job.name
            )
        )
        size = min(wanted.get("maxResults") or _PAGE, _PAGE)
        answer = page(jobs, {**wanted, "maxResults": size}, member="jobSummaries", summary=_summary)
        return answer if answer["jobSummaries"] else {}

    def stop_evaluation_job(self, call: Call) -> dict[str, Any]:
        """Ask a job to stop; one that is stopping already is left to it."""
        job = self._find(call, call.params["jobIdentifier"])
        if job.phases.outcome != "running":
            raise AwsError(
                "ConflictException", f"The job {job.name} cannot be stopped: its status is {job.status}."
            )
        job.phases.stop()
        return {}

    def batch_delete_evaluation_job(self, call: Call) -> dict[str, Any]:
        """Delete jobs that are over, each for itself; what they wrote stays. They are gone at once."""
        tables = Tables(self._world, call.region)
        deleted, errors = [], []
        for arn in call.params["jobIdentifiers"]:
            with self._world.lock:
                job = tables.evaluation_jobs.get(arn)
                if job is None or job.phases.outcome == "running":
                    errors.append(_not_deleted(arn, job))
                    continue
                tables.evaluation_jobs.delete(arn)
                tables.tags.delete(arn)
                token = f"CreateEvaluationJob:{job.request.get('clientRequestToken')}"
                tables.tokens.delete(token)  # so that the same request makes a job again
            deleted.append({"jobIdentifier": arn, "jobStatus": "Deleting"})
        return {"errors": errors, "evaluationJobs": deleted}

    def _find(self, call: Call, arn: str) -> EvaluationJob:
        job = Tables(self._world, call.region).evaluation_jobs.get(arn)
        if job is None:
            raise AwsError("ResourceNotFoundException", f"Could not find an evaluation job for {arn}.")
        return job

    def _new_job(self, tables: Tables, call: Call, run: EvaluationRun) -> EvaluationJob:
        """Make the job's row, its tags and its token. Holds the world's lock."""
        arn = evaluation_job_arn(call.region, call.account_id, self._ids.token())
        job = EvaluationJob(
            arn=arn,
            name=call.params["jobName"],
            serial=tables.next_serial(),
            region=call.region,
            account_id=call.account_id,
            request=copy.deepcopy(dict(call.params)),
            created=moment(self._world),
            phases=run.phases,
        )
        tables.evaluation_jobs.put(arn, job)
        tables.tags.put(arn, _tags(call))
        remember(tables, call, arn)
        return job


def _name_free(tables: Tables, call: Call) -> None:
    if tables.evaluation_jobs.find(lambda job: job.name == call.params["jobName"]):
        raise AwsError("ConflictException", "The provided job name is currently in use.")


def _tags(call: Call) -> dict[str, str]:
    """The job's tags. The operation models no error of its own for too many of them."""
    try:
        return read_tags(call.params.get("jobTags"), resource=call.params["jobName"])
    except AwsError as error:
        raise AwsError("ValidationException", error.message) from error


def _not_deleted(arn: str, job: EvaluationJob | None) -> dict[str, str]:
    if job is None:
        message = f"Could not find an evaluation job for {arn}."
        return {"jobIdentifier": arn, "code": "ResourceNotFoundException", "message": message}
    message = f"The job {job.name} cannot be deleted: its status is {job.status}."
    return {"jobIdentifier": arn, "code": "ConflictException", "message": message}


def _summary(job: EvaluationJob) -> dict[str, Any]:
    automated, model = job.automated, job.model
    builtin, own = judges_of(automated)
    summary: dict[str, Any] = {
        "jobArn": job.arn,
        "jobName": job.name,
        "status": job.status,
        "creationTime": job.created,
        "jobType": "Automated",
        "applicationType": "ModelEvaluation",
        "evaluationTaskTypes": list(
            dict.fromkeys(each["taskType"] for each in automated["datasetMetricConfigs"])
        ),
    }
    if "bedrockModel" in model:
        summary["modelIdentifiers"] = [model["bedrockModel"]["modelIdentifier"]]
    for name, judge in (
        ("evaluatorModelIdentifiers", builtin),
        ("customMetricsEvaluatorModelIdentifiers", own),
    ):
        if judge:
            summary[name] = [judge]
    return summary
