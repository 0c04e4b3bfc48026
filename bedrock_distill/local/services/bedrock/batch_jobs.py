"""Create, Get, List and StopModelInvocationJob: many prompts from S3 are answered to S3."""

from __future__ import annotations

import copy
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from bedrock_distill.catalog import read_model_id
from bedrock_distill.local.gateway.errors import AwsError
from bedrock_distill.local.services.bedrock.arns import batch_job_arn
from bedrock_distill.local.services.bedrock.batch_run import BatchRun, input_of, output_of
from bedrock_distill.local.services.bedrock.batch_state import BatchJob, BatchTally
from bedrock_distill.local.services.bedrock.client_tokens import answered_before, remember
from bedrock_distill.local.services.bedrock.job_access import Access
from bedrock_distill.local.services.bedrock.job_runner import failure_message
from bedrock_distill.local.services.bedrock.listing import created_within, page
from bedrock_distill.local.services.bedrock.state import Tables, moment
from bedrock_distill.local.services.bedrock.tags import read_tags

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bedrock_distill.local.call import Call
    from bedrock_distill.local.world import World

__all__ = ["BatchJobs"]

_HOURS = 24
"""Hours that a job is given where its request does not say; AWS's own number is in no source of ours."""

_ECHOED = (
    "clientRequestToken",
    "modelId",
    "roleArn",
    "inputDataConfig",
    "outputDataConfig",
    "vpcConfig",
)
"""Members of the request that the answer repeats."""


class BatchJobs:
    """Batch inference jobs."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._ids = world.ids.spawn("bedrock/batch-jobs")

    def create_model_invocation_job(self, call: Call) -> dict[str, Any]:
        """Check the model, the role and its places, then start the job. What lies in the input is looked at later."""
        tables = Tables(self._world, call.region)
        if arn := answered_before(tables, call, conflict="ConflictException"):
            return {"jobArn": arn}
        _tags(call)
        self._check_model(call)
        self._name_free(tables, call.params)
        kms_arn = self._check_access(call)
        run = BatchRun(self._world)
        with self._world.lock:
            if arn := answered_before(tables, call, conflict="ConflictException"):
                return {"jobArn": arn}  # the same request overtook this one
            self._name_free(tables, call.params)
            job = self._new_job(tables, call, run, kms_arn)
        run.start(job)
        return {"jobArn": job.arn}

    def get_model_invocation_job(self, call: Call) -> dict[str, Any]:
        """One job, by ARN or by the last part of it. A name finds none."""
        job = self._find(call)
        job.phases.observe()
        return _description(job)

    def list_model_invocation_jobs(self, call: Call) -> dict[str, Any]:
        """The region's jobs, filtered and paged."""
        wanted = call.params
        jobs = Tables(self._world, call.region).batch_jobs.where(
            lambda job: (
                created_within(job, wanted, after="submitTimeAfter", before="submitTimeBefore")
                and wanted.get("statusEquals") in (None, job.status)
                and wanted.get("nameContains", "") in job.name
            )
        )
        return page(jobs, wanted, member="invocationJobSummaries", summary=_description)

    def stop_model_invocation_job(self, call: Call) -> dict[str, Any]:
        """Ask a job to stop; one that is stopping already is left to it."""
        job = self._find(call)
        if job.phases.outcome != "running":
            raise AwsError(
                "ConflictException", f"The job {job.name} cannot be stopped: its status is {job.status}."
            )
        job.phases.stop()
        return {}

    def _find(self, call: Call) -> BatchJob:
        identifier = call.params["jobIdentifier"]
        token = identifier.rpartition("/")[2]
        job = Tables(self._world, call.region).batch_jobs.find(
            lambda job: identifier in (job.arn, token) and job.token == token
        )
        if job is None:
            raise AwsError(
                "ResourceNotFoundException", f"Could not find a model invocation job for {identifier}."
            )
        return job

    def _check_model(self, call: Call) -> None:
        from bedrock_distill.local.services.runtime.resolution import resolve_batch  # noqa: PLC0415 - the runtime imports this package

        resolve_batch(self._world, call.params["modelId"], call.region)

    def _check_access(self, call: Call) -> str:
        """Everything that needs IAM, S3 and KMS; returns the key's ARN, or an empty string."""
        params = call.params
        access = Access(self._world, call.region, call.account_id)
        source_arn = batch_job_arn(call.region, call.account_id, "0" * 12)
        role = access.role(params["roleArn"], source_arn=source_arn)
        source = input_of(params)
        if source.key and not source.key.endswith("/"):
            access.readable(role, source)
        else:
            access.listable(role, source)
        access.writable(role, output_of(params))
        access.invocable(role, read_model_id(params["modelId"]))
        return access.key_arn(params["outputDataConfig"]["s3OutputDataConfig"].get("s3EncryptionKeyId"))

    def _name_free(self, tables: Tables, params: Mapping[str, Any]) -> None:
        if tables.batch_jobs.find(lambda job: job.name == params["jobName"]):
            raise AwsError("ConflictException", "The provided job name is currently in use.")

    def _new_job(self, tables: Tables, call: Call, run: BatchRun, kms_arn: str) -> BatchJob:
        """Make the job's row, its tags and its token. Holds the world's lock."""
        arn = batch_job_arn(call.region, call.account_id, self._ids.token())
        now = moment(self._world)
        hours = call.params.get("timeoutDurationInHours") or _HOURS
        job = BatchJob(
            arn=arn,
            name=call.params["jobName"],
            serial=tables.next_serial(),
            region=call.region,
            account_id=call.account_id,
            request=copy.deepcopy(dict(call.params)),
            kms_arn=kms_arn,
            created=now,
            hours=hours,
            expires=now + timedelta(hours=hours),
            tally=BatchTally(modified=now),
            phases=run.phases,
        )
        tables.batch_jobs.put(arn, job)
        tables.tags.put(arn, _tags(call))
        remember(tables, call, arn)
        return job


def _tags(call: Call) -> dict[str, str]:
    """The job's tags. The operation models no error of its own for too many of them."""
    try:
        return read_tags(call.params.get("tags"), resource=call.params["jobName"])
    except AwsError as error:
        raise AwsError("ValidationException", error.message) from error


def _description(job: BatchJob) -> dict[str, Any]:
    """What both Get and List say of a job."""
    answer: dict[str, Any] = {
        "jobArn": job.arn,
        "jobName": job.name,
        "status": job.status,
        "submitTime": job.created,
        "lastModifiedTime": job.tally.modified,
        "timeoutDurationInHours": job.hours,
        "jobExpirationTime": job.expires,
        "modelInvocationType": "Converse" if job.converse else "InvokeModel",
        **{name: job.request[name] for name in _ECHOED if job.request.get(name) is not None},
        **job.tally.counts,
    }
    if job.phases.ended_at is not None:
        answer["endTime"] = job.phases.ended_at
    if message := failure_message(job.phases):
        answer["message"] = message
    return answer
