"""Create, Get and ListModelImportJob(s): a Hugging Face directory in S3 becomes an imported model."""

from __future__ import annotations

import copy
import shutil
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from bedrock_distill.errors import BedrockDistillError
from bedrock_distill.local.clock import Phase, Phases
from bedrock_distill.local.gateway.errors import AwsError
from bedrock_distill.local.model_prefix import ModelPrefix
from bedrock_distill.local.services.bedrock.arns import import_job_arn, imported_model_arn
from bedrock_distill.local.services.bedrock.client_tokens import answered_before, remember
from bedrock_distill.local.services.bedrock.import_checks import (
    Checked,
    check_model,
    import_regions,
    read_as_bedrock_does,
)
from bedrock_distill.local.services.bedrock.job_access import Access, cannot_read
from bedrock_distill.local.services.bedrock.job_data import JobFailure
from bedrock_distill.local.services.bedrock.job_runner import failure_message
from bedrock_distill.local.services.bedrock.listing import created_within, page
from bedrock_distill.local.services.bedrock.serving import ImportedModel, ImportJob
from bedrock_distill.local.services.bedrock.state import Tables, moment
from bedrock_distill.local.services.bedrock.tags import read_tags
from bedrock_distill.local.students import imported_dir
from bedrock_distill.uris import S3Uri

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bedrock_distill.local.call import Call
    from bedrock_distill.local.world import World

__all__ = ["ImportJobs"]

_ECHOED = ("roleArn", "modelDataSource", "vpcConfig")
"""Members of the request that the answer repeats."""


class ImportJobs:
    """Model import jobs."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._ids = world.ids.spawn("bedrock/import-jobs")

    def create_model_import_job(self, call: Call) -> dict[str, Any]:
        """Check the request, its role and its place, then start the job. What lies there is looked at later."""
        tables = Tables(self._world, call.region)
        if arn := answered_before(tables, call, conflict="ConflictException"):
            return {"jobArn": arn}
        regions = import_regions(self._world.catalog)
        if call.region not in regions:
            raise AwsError(
                "ValidationException",
                f"Custom Model Import is not supported in {call.region}; it is supported in {', '.join(regions)}.",
            )
        read_tags(call.params.get("importedModelTags"), resource=call.params["importedModelName"])
        self._names_free(tables, call.params)
        kms_arn = self._check_access(call)
        run = _ImportRun(self._world)
        with self._world.lock:
            if arn := answered_before(tables, call, conflict="ConflictException"):
                return {"jobArn": arn}  # the same request overtook this one
            self._names_free(tables, call.params)
            self._within_quotas(tables)
            job = self._new_job(tables, call, run.phases, kms_arn)
        run.start(job)
        return {"jobArn": job.arn}

    def get_model_import_job(self, call: Call) -> dict[str, Any]:
        """One job, by ARN or name."""
        job = self._find(call)
        job.phases.observe()
        answer: dict[str, Any] = {
            **_summary(job),
            **{name: job.request[name] for name in _ECHOED if job.request.get(name) is not None},
        }
        if job.kms_arn:
            answer["importedModelKmsKeyArn"] = job.kms_arn
        if message := failure_message(job.phases):
            answer["failureMessage"] = message
        return answer

    def list_model_import_jobs(self, call: Call) -> dict[str, Any]:
        """The region's jobs, filtered and paged."""
        wanted = call.params
        jobs = Tables(self._world, call.region).import_jobs.where(
            lambda job: (
                created_within(job, wanted, after="creationTimeAfter", before="creationTimeBefore")
                and wanted.get("statusEquals") in (None, job.status)
                and wanted.get("nameContains", "") in job.name
            )
        )
        return page(jobs, wanted, member="modelImportJobSummaries", summary=_summary)

    def _find(self, call: Call) -> ImportJob:
        identifier = call.params["jobIdentifier"]
        jobs = Tables(self._world, call.region).import_jobs
        job = jobs.get(identifier) or jobs.find(lambda job: job.name == identifier)
        if job is None:
            raise AwsError(
                "ResourceNotFoundException", f"Could not find a model import job for {identifier}."
            )
        return job

    def _check_access(self, call: Call) -> str:
        """Everything that needs IAM, S3 and KMS; returns the key's ARN, or an empty string."""
        access = Access(self._world, call.region, call.account_id)
        source_arn = import_job_arn(call.region, call.account_id, "0" * 12)
        role = access.role(call.params["roleArn"], source_arn=source_arn)
        access.listable(role, _source(call.params))
        return access.key_arn(call.params.get("importedModelKmsKeyId"))

    def _names_free(self, tables: Tables, params: Mapping[str, Any]) -> None:
        """A job's name is taken for good; a model's while there is the model, or a job on its way to it."""
        if tables.import_jobs.find(lambda job: job.name == params["jobName"]):
            raise AwsError("ConflictException", "The provided job name is currently in use.")
        name = params["importedModelName"]
        promised = tables.import_jobs.find(lambda job: job.model_name == name and job.status == "InProgress")
        if promised or tables.imported.find(lambda model: model.name == name):
            raise AwsError("ConflictException", "The provided model name is currently in use.")

    def _within_quotas(self, tables: Tables) -> None:
        running = len(tables.import_jobs.where(lambda job: job.status == "InProgress"))
        quota = self._world.catalog.quota
        for name, used in (
            ("concurrent_import_jobs", running),
            ("imported_models", len(tables.imported) + running),
        ):
            if used >= quota(name):
                raise AwsError(
                    "ServiceQuotaExceededException",
                    f"The quota of {quota(name)} {name.replace('_', ' ')} is used up.",
                )

    def _new_job(self, tables: Tables, call: Call, phases: Phases, kms_arn: str) -> ImportJob:
        """Make the job's row, its tags and its token. Holds the world's lock."""
        token = self._ids.token()
        arn = import_job_arn(call.region, call.account_id, token)
        tags = read_tags(call.params.get("jobTags"), resource=arn)
        model_token = self._world.ids.spawn(f"imported-model/{token}").token()
        job = ImportJob(
            arn=arn,
            name=call.params["jobName"],
            serial=tables.next_serial(),
            region=call.region,
            account_id=call.account_id,
            request=copy.deepcopy(dict(call.params)),
            model_name=call.params["importedModelName"],
            model_arn=imported_model_arn(call.region, call.account_id, model_token),
            kms_arn=kms_arn,
            created=moment(self._world),
            phases=phases,
        )
        tables.import_jobs.put(arn, job)
        tables.tags.put(arn, tags)
        remember(tables, call, arn)
        return job


class _ImportRun:
    """One job on its way. Make it, take its `phases`, give it its job; the clock does the rest."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._job: ImportJob | None = None
        self.phases = world.clock.phases([Phase("InProgress", self._import)], on_change=self._changed)

    def start(self, job: ImportJob) -> None:
        """Begin; `job` must be in its table."""
        self._job = job
        self.phases.start()

    def _import(self) -> None:
        job = self._job
        assert job is not None  # noqa: S101 - start() came first
        source = _source(job.request)
        files = ModelPrefix(self._world.client("s3", job.region), source)
        try:
            self._readable(job, files)
            checked = check_model(files, self._world.catalog, job.region)
            home = self._home(job)
            files.download(home, stopping=self.phases.stopping.is_set)
            if self.phases.stopping.is_set():
                return
            read_as_bedrock_does(home, checked)
        except ClientError as error:
            raise JobFailure(cannot_read(source)) from error
        except AwsError as error:
            raise JobFailure(error.message) from error
        except BedrockDistillError as error:
            raise JobFailure(str(error)) from error
        self._register(job, checked)

    def _readable(self, job: ImportJob, files: ModelPrefix) -> None:
        """Whether the role may read every file, with the key that each is encrypted with."""
        access = Access(self._world, job.region, job.account_id)
        role = access.role(job.request["roleArn"], source_arn=job.arn)
        for name in files.sizes():
            access.readable(role, files.uri(name))

    def _register(self, job: ImportJob, checked: Checked) -> None:
        """Make the imported model."""
        tables = Tables(self._world, job.region)
        with self._world.lock:
            model = ImportedModel(
                arn=job.model_arn,
                name=job.model_name,
                serial=tables.next_serial(),
                job=job,
                architecture=checked.architecture,
                instruct=checked.instruct,
                chat_template=bool(checked.chat_template),
                units=checked.units,
                created=moment(self._world),
            )
            tables.imported.put(model.arn, model)
            tags = job.request.get("importedModelTags") or ()
            tables.tags.put(model.arn, {tag["key"]: tag["value"] for tag in tags})

    def _changed(self, phases: Phases) -> None:
        """Called by the clock at every change."""
        if self._job is not None and phases.outcome in ("failed", "stopped"):
            shutil.rmtree(self._home(self._job), ignore_errors=True)

    def _home(self, job: ImportJob) -> Path:
        return imported_dir(self._world, job.model_arn)


def _source(request: Mapping[str, Any]) -> S3Uri:
    return S3Uri.parse(request["modelDataSource"]["s3DataSource"]["s3Uri"])


def _summary(job: ImportJob) -> dict[str, Any]:
    summary: dict[str, Any] = {
        "jobArn": job.arn,
        "jobName": job.name,
        "status": job.status,
        "lastModifiedTime": job.modified,
        "creationTime": job.created,
        "importedModelName": job.model_name,
    }
    if job.phases.ended_at is not None:
        summary["endTime"] = job.phases.ended_at
    if job.status == "Completed":
        summary["importedModelArn"] = job.model_arn
    return summary
