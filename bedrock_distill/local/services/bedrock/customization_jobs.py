"""Create, Get, List and StopModelCustomizationJob."""

from __future__ import annotations

import copy
import threading
from typing import TYPE_CHECKING, Any

from bedrock_distill.local.gateway.errors import AwsError
from bedrock_distill.local.services.bedrock.arns import foundation_model_arn, job_arn
from bedrock_distill.local.services.bedrock.client_tokens import answered_before, remember
from bedrock_distill.local.services.bedrock.job_access import Access
from bedrock_distill.local.services.bedrock.job_models import JobModels, check_models
from bedrock_distill.local.services.bedrock.job_runner import PHASES, JobRun, Trainer, failure_message
from bedrock_distill.local.services.bedrock.listing import created_within, page
from bedrock_distill.local.services.bedrock.state import RUNNING, Job, Outcome, Tables, find_model, moment
from bedrock_distill.local.services.bedrock.tags import read_tags
from bedrock_distill.uris import S3Uri

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bedrock_distill.local.call import Call
    from bedrock_distill.local.world import World

__all__ = ["CustomizationJobs"]

_NAME_IN_USE = "The provided job name is currently in use."
_MODEL_NAME_IN_USE = "The provided custom model name is currently in use."

_ECHOED = (
    "clientRequestToken",
    "roleArn",
    "hyperParameters",
    "trainingDataConfig",
    "outputDataConfig",
    "vpcConfig",
    "customizationConfig",
)
"""Members of the request that the answer repeats."""

_DETAILS = dict(zip(PHASES, ("validationDetails", "dataProcessingDetails", "trainingDetails"), strict=True))


class CustomizationJobs:
    """Model customization jobs.

    Args:
        world: The cloud.
        trainer: Who trains the students.
    """

    def __init__(self, world: World, *, trainer: Trainer) -> None:
        self._world = world
        self._trainer = trainer
        self._slot = threading.Semaphore(1)
        self._ids = world.ids.spawn("bedrock/jobs")

    def create_model_customization_job(self, call: Call) -> dict[str, Any]:
        """Check the request as AWS does before it answers, then start the job."""
        tables = Tables(self._world, call.region)
        if arn := answered_before(tables, call, conflict="ConflictException"):
            return {"jobArn": arn}
        models = check_models(self._world, call.region, call.params)
        read_tags(call.params.get("customModelTags"), resource=call.params["customModelName"])
        self._names_free(tables, call.params)
        kms_arn = self._check_access(call, models)
        run = JobRun(
            self._world, trainer=self._trainer, slot=self._slot, kind=models.kind, teacher=models.teacher
        )
        with self._world.lock:
            if arn := answered_before(tables, call, conflict="ConflictException"):
                return {"jobArn": arn}  # the same request overtook this one
            self._names_free(tables, call.params)
            self._within_quotas(tables)
            job = self._new_job(tables, call, models, run, kms_arn)
        run.start(job)
        return {"jobArn": job.arn}

    def get_model_customization_job(self, call: Call) -> dict[str, Any]:
        """One job, by ARN or name."""
        job = self._find(call)
        job.phases.observe()
        status = job.status
        answer: dict[str, Any] = {
            "jobArn": job.arn,
            "jobName": job.name,
            "outputModelName": job.model_name,
            "status": status,
            "statusDetails": _status_details(job),
            "creationTime": job.created,
            "lastModifiedTime": job.outcome.modified,
            "baseModelArn": job.base_arn,
            "customizationType": job.kind,
            "validationDataConfig": job.request.get("validationDataConfig") or {"validators": []},
            **{name: job.request[name] for name in _ECHOED if job.request.get(name) is not None},
        }
        if job.kms_arn:
            answer["outputModelKmsKeyArn"] = job.kms_arn
        if status not in RUNNING:
            answer["endTime"] = job.phases.ended_at
        if message := failure_message(job.phases):
            answer["failureMessage"] = message
        if status == "Completed":
            answer |= {"outputModelArn": job.outcome.model_arn, **metrics_of(job)}
        return answer

    def list_model_customization_jobs(self, call: Call) -> dict[str, Any]:
        """The region's jobs, filtered and paged."""
        wanted = call.params
        jobs = Tables(self._world, call.region).jobs.where(
            lambda job: (
                created_within(job, wanted, after="creationTimeAfter", before="creationTimeBefore")
                and wanted.get("statusEquals") in (None, job.status)
                and wanted.get("nameContains", "") in job.name
            )
        )
        return page(jobs, wanted, member="modelCustomizationJobSummaries", summary=_summary)

    def stop_model_customization_job(self, call: Call) -> dict[str, Any]:
        """Ask a job to stop; one that is stopping already is left to it."""
        job = self._find(call)
        if job.status not in RUNNING:
            raise AwsError(
                "ConflictException", f"The job {job.name} cannot be stopped: its status is {job.status}."
            )
        job.phases.stop()
        return {}

    def _find(self, call: Call) -> Job:
        identifier = call.params["jobIdentifier"]
        jobs = Tables(self._world, call.region).jobs
        job = jobs.get(identifier) or jobs.find(lambda job: job.name == identifier)
        if job is None:
            raise AwsError(
                "ResourceNotFoundException", f"Could not find a model customization job for {identifier}."
            )
        return job

    def _check_access(self, call: Call, models: JobModels) -> str:
        """Everything that needs IAM, S3 and KMS; returns the key's ARN, or an empty string."""
        params = call.params
        access = Access(self._world, call.region, call.account_id)
        training = _training_source(params["trainingDataConfig"], models)
        # The ARN is not known before the job is made; a trust policy can only name it by a wildcard.
        source_arn = job_arn(call.region, call.account_id, models.base_id, "0" * 12)
        role = access.role(params["roleArn"], source_arn=source_arn)
        if "s3Uri" in params["trainingDataConfig"]:
            access.readable(role, training)
        else:
            access.listable(role, training)
        for validator in (params.get("validationDataConfig") or {}).get("validators", ()):
            access.readable(role, S3Uri.parse(validator["s3Uri"]))
        access.writable(role, S3Uri.parse(params["outputDataConfig"]["s3Uri"]))
        if models.teacher is not None:
            access.invocable(role, models.teacher)
        return access.key_arn(params.get("customModelKmsKeyId"))

    def _names_free(self, tables: Tables, params: Mapping[str, Any]) -> None:
        """A job's name is taken for good; a model's while there is the model, or a job on its way to it."""
        if tables.jobs.find(lambda job: job.name == params["jobName"]):
            raise AwsError("ConflictException", _NAME_IN_USE)
        model_name = params["customModelName"]
        promised = tables.jobs.find(
            lambda job: job.model_name == model_name and job.status in RUNNING
        ) or tables.copy_jobs.find(lambda job: job.target_name == model_name and job.status == "InProgress")
        if promised or find_model(tables, model_name):
            raise AwsError("ConflictException", _MODEL_NAME_IN_USE)

    def _within_quotas(self, tables: Tables) -> None:
        running = len(tables.jobs.where(lambda job: job.status in RUNNING))
        quota = self._world.catalog.quota
        for name, used in (
            ("scheduled_customization_jobs", running),
            ("custom_models", len(tables.models) + running),
        ):
            if used >= quota(name):
                raise AwsError(
                    "ServiceQuotaExceededException",
                    f"The quota of {quota(name)} {name.replace('_', ' ')} is used up.",
                )

    def _new_job(self, tables: Tables, call: Call, models: JobModels, run: JobRun, kms_arn: str) -> Job:
        """Make the job's row, its tags and its token. Holds the world's lock."""
        arn = job_arn(call.region, call.account_id, models.base_id, self._ids.token())
        tags = read_tags(call.params.get("jobTags"), resource=arn)
        now = moment(self._world)
        job = Job(
            arn=arn,
            name=call.params["jobName"],
            serial=tables.next_serial(),
            region=call.region,
            account_id=call.account_id,
            request=copy.deepcopy(dict(call.params)),
            kind=models.kind,
            base_id=models.base_id,
            base_arn=foundation_model_arn(call.region, models.base_id),
            start_arn=models.start_arn,
            model_name=call.params["customModelName"],
            kms_arn=kms_arn,
            created=now,
            outcome=Outcome(modified=now),
            phases=run.phases,
        )
        tables.jobs.put(arn, job)
        tables.tags.put(arn, tags)
        remember(tables, call, arn)
        return job


def metrics_of(job: Job) -> dict[str, Any]:
    """The losses of a completed job: one for training, one for each validator of the request (or for our own split)."""
    outcome = job.outcome
    answer: dict[str, Any] = {}
    if outcome.training_loss is not None:
        answer["trainingMetrics"] = {"trainingLoss": outcome.training_loss}
    validators = (job.request.get("validationDataConfig") or {}).get("validators") or [None]
    if outcome.validation_loss is not None:
        answer["validationMetrics"] = [{"validationLoss": outcome.validation_loss} for _ in validators]
    return answer


def _training_source(config: Mapping[str, Any], models: JobModels) -> S3Uri:
    """The one place that the training data comes from."""
    logs = config.get("invocationLogsConfig")
    if (logs is None) == (config.get("s3Uri") is None):
        raise AwsError(
            "ValidationException",
            "trainingDataConfig must have exactly one of s3Uri and invocationLogsConfig.",
        )
    if logs is None:
        return S3Uri.parse(config["s3Uri"])
    if models.kind != "DISTILLATION":
        raise AwsError(
            "ValidationException", "invocationLogsConfig goes only with the customization type DISTILLATION."
        )
    source = logs["invocationLogSource"].get("s3Uri")
    if source is None:
        raise AwsError("ValidationException", "invocationLogSource must have an s3Uri.")
    filters = logs.get("requestMetadataFilters")
    if filters is not None and len(filters) != 1:
        raise AwsError("ValidationException", "requestMetadataFilters must have exactly one kind of filter.")
    return S3Uri.parse(source)


def _status_details(job: Job) -> dict[str, Any]:
    details = {}
    for phase, member in _DETAILS.items():
        shown: dict[str, Any] = {"status": job.phase_status(phase)}
        if phase in job.phases.entered:
            shown["creationTime"] = job.phases.entered[phase]
            shown["lastModifiedTime"] = job.phases.left.get(phase, job.outcome.modified)
        details[member] = shown
    if job.kind == "FINE_TUNING":
        del details["dataProcessingDetails"]
    return details


def _summary(job: Job) -> dict[str, Any]:
    status = job.status
    summary: dict[str, Any] = {
        "jobArn": job.arn,
        "baseModelArn": job.base_arn,
        "jobName": job.name,
        "status": status,
        "statusDetails": _status_details(job),
        "lastModifiedTime": job.outcome.modified,
        "creationTime": job.created,
        "customModelName": job.model_name,
        "customizationType": job.kind,
    }
    if status not in RUNNING:
        summary["endTime"] = job.phases.ended_at
    if status == "Completed":
        summary["customModelArn"] = job.outcome.model_arn
    return summary
