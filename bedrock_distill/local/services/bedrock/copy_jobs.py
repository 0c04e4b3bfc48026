"""Create, Get and ListModelCopyJob(s): a custom model of another region comes to this one, weights and all.

The API's model lets only custom models be copied; an imported model is imported again in the other region.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from bedrock_distill.local.clock import Phase, Phases
from bedrock_distill.local.gateway.errors import AwsError
from bedrock_distill.local.services.bedrock.arns import (
    copy_job_arn,
    custom_model_arn,
    foundation_model_arn,
)
from bedrock_distill.local.services.bedrock.client_tokens import answered_before, remember
from bedrock_distill.local.services.bedrock.job_access import Access
from bedrock_distill.local.services.bedrock.job_data import JobFailure
from bedrock_distill.local.services.bedrock.job_runner import failure_message
from bedrock_distill.local.services.bedrock.listing import created_within, page
from bedrock_distill.local.services.bedrock.serving import CopyJob
from bedrock_distill.local.services.bedrock.state import CustomModel, Tables, find_model, moment
from bedrock_distill.local.services.bedrock.tags import read_tags
from bedrock_distill.local.students import weights_dir
from bedrock_distill.uris import Arn

if TYPE_CHECKING:
    from bedrock_distill.local.call import Call
    from bedrock_distill.local.world import World

__all__ = ["CopyJobs"]


class CopyJobs:
    """Model copy jobs, in the region that models are copied to."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._ids = world.ids.spawn("bedrock/copy-jobs")

    def create_model_copy_job(self, call: Call) -> dict[str, Any]:
        """Start to copy a custom model into the region that is asked."""
        tables = Tables(self._world, call.region)
        # The model of this operation has no error for a bad input; ValidationException is every operation's.
        if arn := answered_before(tables, call, conflict="ValidationException"):
            return {"jobArn": arn}
        source = self._source(call)
        kms_arn = Access(self._world, call.region, call.account_id).key_arn(call.params.get("modelKmsKeyId"))
        run = _CopyRun(self._world, call.region, source)
        with self._world.lock:
            if arn := answered_before(tables, call, conflict="ValidationException"):
                return {"jobArn": arn}  # the same request overtook this one
            self._name_free(tables, call.params["targetModelName"])
            job = self._new_job(tables, call, source, run.phases, kms_arn)
        run.start(job)
        return {"jobArn": job.arn}

    def get_model_copy_job(self, call: Call) -> dict[str, Any]:
        """One job, by ARN."""
        arn = call.params["jobArn"]
        job = Tables(self._world, call.region).copy_jobs.get(arn)
        if job is None:
            raise AwsError("ResourceNotFoundException", f"Could not find a model copy job for {arn}.")
        job.phases.observe()
        return _summary(job)

    def list_model_copy_jobs(self, call: Call) -> dict[str, Any]:
        """The jobs that copy into this region, filtered and paged."""
        wanted = call.params
        jobs = Tables(self._world, call.region).copy_jobs.where(
            lambda job: (
                created_within(job, wanted, after="creationTimeAfter", before="creationTimeBefore")
                and wanted.get("statusEquals") in (None, job.status)
                and wanted.get("sourceAccountEquals") in (None, job.source_account)
                and wanted.get("sourceModelArnEquals") in (None, job.source_arn)
                and wanted.get("targetModelNameContains", "") in job.target_name
            )
        )
        return page(jobs, wanted, member="modelCopyJobSummaries", summary=_summary)

    def _source(self, call: Call) -> CustomModel:
        """The model to be copied, if it is there and may come here."""
        arn = Arn.parse(call.params["sourceModelArn"])
        found = Tables(self._world, arn.region).models.get(str(arn)) if arn.account else None
        if found is None:
            raise AwsError("ResourceNotFoundException", f"Could not find a custom model for {arn}.")
        base = self._world.catalog.model(found.job.base_id)
        if call.region not in base.copy_regions:
            where = ", ".join(base.copy_regions) or "no region"
            raise AwsError(
                "ValidationException",
                f"Custom models based on {base.name} cannot be copied to {call.region} (supported: {where}).",
            )
        return found

    def _name_free(self, tables: Tables, name: str) -> None:
        """A name is taken by a model, by a customization job on its way to one, and by another copy."""
        promised = (
            find_model(tables, name),
            tables.jobs.find(lambda job: job.model_name == name and job.phases.outcome == "running"),
            tables.copy_jobs.find(lambda job: job.target_name == name and job.status == "InProgress"),
        )
        if any(promised):
            raise AwsError("ValidationException", "The provided custom model name is currently in use.")

    def _new_job(
        self, tables: Tables, call: Call, source: CustomModel, phases: Phases, kms_arn: str
    ) -> CopyJob:
        """Make the job's row and its token. Holds the world's lock."""
        token = self._ids.token()
        arn = copy_job_arn(call.region, call.account_id, token)
        model_token = self._world.ids.spawn(f"copied-model/{token}").token()
        target = custom_model_arn(call.region, call.account_id, source.job.base_id, model_token)
        job = CopyJob(
            arn=arn,
            serial=tables.next_serial(),
            source_arn=source.arn,
            source_name=source.name,
            source_account=source.job.account_id,
            target_arn=target,
            target_name=call.params["targetModelName"],
            kms_arn=kms_arn,
            tags=read_tags(call.params.get("targetModelTags"), resource=target),
            created=moment(self._world),
            phases=phases,
        )
        tables.copy_jobs.put(arn, job)
        remember(tables, call, arn)
        return job


class _CopyRun:
    """One job on its way. Make it, take its `phases`, give it its job; the clock does the rest."""

    def __init__(self, world: World, region: str, source: CustomModel) -> None:
        self._world, self._region, self._source = world, region, source
        self._job: CopyJob | None = None
        self.phases = world.clock.phases([Phase("InProgress", self._copy)])

    def start(self, job: CopyJob) -> None:
        """Begin; `job` must be in its table."""
        self._job = job
        self.phases.start()

    def _copy(self) -> None:
        job, source = self._job, self._source
        assert job is not None  # noqa: S101 - start() came first
        home = weights_dir(self._world, job.target_arn)
        try:
            shutil.copytree(weights_dir(self._world, source.arn), home)
        except OSError as error:
            shutil.rmtree(home, ignore_errors=True)
            raise JobFailure(f"The source model {source.arn} could not be read: it was deleted.") from error
        tables = Tables(self._world, self._region)
        with self._world.lock:
            model = CustomModel(
                arn=job.target_arn,
                name=job.target_name,
                serial=tables.next_serial(),
                job=source.job,
                created=moment(self._world),
                base_arn=foundation_model_arn(self._region, source.job.base_id),
                copy_kms_arn=job.kms_arn,
            )
            tables.models.put(model.arn, model)
            tables.tags.put(model.arn, dict(job.tags))


def _summary(job: CopyJob) -> dict[str, Any]:
    """The job as Get and List both give it."""
    summary: dict[str, Any] = {
        "jobArn": job.arn,
        "status": job.status,
        "creationTime": job.created,
        "targetModelArn": job.target_arn,
        "targetModelName": job.target_name,
        "sourceAccountId": job.source_account,
        "sourceModelArn": job.source_arn,
        "sourceModelName": job.source_name,
    }
    if job.kms_arn:
        summary["targetModelKmsKeyArn"] = job.kms_arn
    if job.tags:
        summary["targetModelTags"] = [{"key": key, "value": value} for key, value in job.tags.items()]
    if message := failure_message(job.phases):
        summary["failureMessage"] = message
    return summary
