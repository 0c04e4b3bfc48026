"""The session: plan, apply, attach. A page that puts the rooms together, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bedrock_distill.apply.executor import ApplyEvent, Executor
from bedrock_distill.apply.journal import default_state_dir
from bedrock_distill.apply.logging_undo import logging_undo
from bedrock_distill.apply.on_bedrock import EvaluatesOnBedrock
from bedrock_distill.aws import Clients
from bedrock_distill.catalog import Catalog, load_catalog
from bedrock_distill.chat.recorded import Recorded
from bedrock_distill.chat.resolving import async_target_for, target_for
from bedrock_distill.errors import SpecError
from bedrock_distill.plan import Plan
from bedrock_distill.resources import (
    BatchJob,
    Deployment,
    DistillationJob,
    Endpoint,
    HarvestRun,
    ImportedModel,
    LiveEndpoint,
    LogDelivery,
    LoggingOff,
    LoggingRestored,
    ModelCopyJob,
    ModelImportJob,
    OnDemandDeployment,
    Provisioned,
    ProvisionedThroughput,
    Spec,
)
from bedrock_distill.resources.attaching import AnyHandle, attach_as, attach_in
from bedrock_distill.resources.batch import batch_job_named, batch_jobs
from bedrock_distill.resources.custom_model import custom_models
from bedrock_distill.resources.deployment import deployments
from bedrock_distill.resources.emr_application import harvest_applications, harvest_runs
from bedrock_distill.resources.endpoint import endpoint_arn, endpoints
from bedrock_distill.resources.job import customization_jobs
from bedrock_distill.resources.jobfile import read_job_file
from bedrock_distill.resources.model_import import imported_models
from bedrock_distill.resources.model_import.job import import_jobs
from bedrock_distill.resources.planning import plan_in
from bedrock_distill.resources.provisioned import provisioned_throughputs
from bedrock_distill.resources.survey import callable_id
from bedrock_distill.uris import Arn

if TYPE_CHECKING:
    from collections.abc import Callable

    import boto3

    from bedrock_distill.aws.retry import Retry
    from bedrock_distill.chat import AsyncTarget, Target
    from bedrock_distill.clock import Clock

__all__ = ["Session"]


class Session(EvaluatesOnBedrock):
    """An account and a region to work in.

    Args:
        profile: AWS profile. Default: boto3's own choice.
        region: AWS region. Default: boto3's own choice.
        endpoint_url: Send every request there, such as a served local cloud.
        boto_session: A `boto3.Session` of yours to use as it is.
        catalog: A `Catalog`, or a file laid over the shipped one. Default: the shipped one and what
            `BEDROCK_DISTILL_CATALOG` names.
        state_dir: Where journals are kept. Default: the user's state directory.
        clock: Time for retries and waits. Default: the machine's.
    """

    def __init__(
        self,
        *,
        profile: str | None = None,
        region: str | None = None,
        endpoint_url: str | None = None,
        boto_session: boto3.Session | None = None,
        catalog: Catalog | str | os.PathLike[str] | None = None,
        state_dir: str | os.PathLike[str] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.clients = Clients(
            profile=profile, region=region, endpoint_url=endpoint_url, boto_session=boto_session, clock=clock
        )
        self.catalog = catalog if isinstance(catalog, Catalog) else load_catalog(catalog)
        self._state_dir = Path(state_dir) if state_dir else default_state_dir()

    @property
    def state_dir(self) -> Path:
        """Where journals are kept."""
        return self._state_dir

    def plan(self, spec: Spec | str | os.PathLike[str]) -> Plan:
        """Say what a spec would do and cost, in the world as it is. Reads, and writes nothing.

        Args:
            spec: What is wanted, or the path of a job file that says it.

        Raises:
            SpecError: If the spec cannot work as it is written.
            DataError: If the data breaks a rule of this teacher and student.
            ServiceError: If AWS cannot be asked what must be known.
        """
        if isinstance(spec, (str, os.PathLike)):
            spec = read_job_file(Path(spec))
        return plan_in(spec, self.clients, self.catalog)

    def apply(
        self, plan: Plan, *, force: bool = False, on_event: Callable[[ApplyEvent], None] | None = None
    ) -> Any:
        """Do what a plan says, and return the handle of what it makes, without waiting for it.

        Applying twice makes one thing, from any machine; after a crash, apply again.

        Args:
            plan: What `plan` made, or `Plan.from_json` read.
            force: Go on in spite of warnings that block.
            on_event: Told what happens, for progress displays.

        Returns:
            The handle of what the plan's kind makes, such as a `DistillationJob`; a `LogDelivery` for settings of logging.
        """
        if not isinstance(plan, Plan):
            raise SpecError(
                f"There is nothing to apply in a {type(plan).__name__}: make a plan of it first, as in "
                "session.apply(session.plan(spec)).",
                field="plan",
            )
        executor = Executor(self.clients, state_dir=self._state_dir, on_event=on_event)
        arn = executor.apply(plan, force=force)
        if plan.kind == "logging":
            return self.log_delivery()
        if plan.kind == "endpoint":
            # After an update that was rolled back, SageMaker says InService: only who knows what was wanted can tell.
            return LiveEndpoint(self.clients, arn, wanted=plan.facts["configuration"])
        return self.attach(arn)

    def attach(self, arn: str) -> AnyHandle:
        """The handle of something that runs or exists already.

        Raises:
            SpecError: If the ARN is of a kind this version has no handle for, or of another region.
        """
        return attach_in(arn, self.clients)

    def job(self, name_or_arn: str) -> DistillationJob:
        """The handle of a distillation job, by name or ARN.

        Raises:
            NotFoundError: If there is none of that name.
            SpecError: If the ARN is not that of a job, or of another region.
        """
        if Arn.looks_like(name_or_arn):
            return attach_as(DistillationJob, name_or_arn, self.clients)
        answer = self.clients.call(
            "bedrock", "get_model_customization_job", subject=name_or_arn, jobIdentifier=name_or_arn
        )
        return DistillationJob(self.clients, answer["jobArn"])

    def deployment(self, name_or_arn: str) -> Deployment:
        """The handle of an on-demand deployment, by name or ARN.

        Raises:
            NotFoundError: If there is none of that name.
            SpecError: If the ARN is not that of a deployment, or of another region.
        """
        if Arn.looks_like(name_or_arn):
            return attach_as(Deployment, name_or_arn, self.clients)
        return Deployment(self.clients, Deployment(self.clients, name_or_arn).status().arn)

    def deploy(
        self,
        spec: OnDemandDeployment | ProvisionedThroughput | Endpoint,
        *,
        timeout_s: float = 3600,
        on_change: Callable[[Any], None] | None = None,
    ) -> Target:
        """Plan, apply and wait for a deployment, and return what answers.

        Args:
            spec: What to deploy.
            timeout_s: Seconds to wait at most; about 8 minutes are usual on demand, up to an hour for an endpoint.
            on_change: Told each new status.

        Raises:
            JobFailedError: If the deployment failed.
            WaitTimeoutError: If it is not ready in time; it goes on.
        """
        handle = self.apply(self.plan(spec))
        handle.wait(timeout_s=timeout_s, on_change=on_change)
        return target_for(self.clients, handle.arn)

    def model(
        self,
        model_id: str,
        *,
        on_retry: Callable[[Retry], None] | None = None,
        wake_timeout_s: float | None = None,
    ) -> Target | Recorded:
        """Something to talk to.

        Args:
            model_id: A model id, an inference profile, or the ARN of a deployment, a provisioned throughput, an imported
                model or a SageMaker endpoint; `endpoint/NAME` is short for the last. The ARN of a batch inference job that is
                over stands for its answers.
            on_retry: Told each time before a request is tried again, such as while the model is being loaded.
            wake_timeout_s: Seconds to go on trying while an endpoint is woken from zero instances. Default: 900.

        Raises:
            NotFoundError: If there is no such imported model, endpoint or job.
            SpecError: If it is an endpoint or a job of another region, or how to ask it is not known.
            WaitTimeoutError: If it is a batch inference job that is not over.
        """
        if Arn.looks_like(model_id) and Arn.parse(model_id).kind == "model-invocation-job":
            return Recorded.from_job(attach_as(BatchJob, model_id, self.clients))
        identifier = callable_id(model_id, self.catalog, self.clients.region)
        return target_for(self.clients, identifier, on_retry=on_retry, wake_timeout_s=wake_timeout_s)

    def async_model(self, endpoint: str) -> AsyncTarget:
        """An asynchronous SageMaker endpoint to talk to, by its name or ARN: answers come later, through S3.

        Raises:
            NotFoundError: If there is no such endpoint.
            SpecError: If it is not asynchronous.
        """
        return async_target_for(self.clients, self.endpoint(endpoint))

    def log_delivery(self) -> LogDelivery:
        """The handle of model invocation logging: what is logged, and where logs go."""
        return LogDelivery(self.clients)

    def logging_undo(
        self, *, restore: bool = False, remove_policy: bool = False
    ) -> LoggingOff | LoggingRestored:
        """The spec that takes back what was last switched on from this machine, by the journal.

        Args:
            restore: The whole configuration as it was before, not only the destination.
            remove_policy: For a destination: the bucket policy's statement, too.

        Raises:
            PlanError: If the journal knows of nothing, or another configuration is in force since.
        """
        return logging_undo(self.clients, self._state_dir, restore=restore, remove_policy=remove_policy)

    def jobs(self, *, status: str | None = None, name_contains: str | None = None) -> list[dict[str, Any]]:
        """Every customization job of the account in the region, newest first."""
        return customization_jobs(self.clients, status=status, name_contains=name_contains)

    def models(self, *, name_contains: str | None = None) -> list[dict[str, Any]]:
        """Every custom model of the account in the region, newest first."""
        return custom_models(self.clients, name_contains=name_contains)

    def deployments(self, *, name_contains: str | None = None) -> list[dict[str, Any]]:
        """Every custom model deployment of the account in the region, newest first."""
        return deployments(self.clients, name_contains=name_contains)

    def import_job(self, name_or_arn: str) -> ModelImportJob:
        """The handle of a model import job, by name or ARN.

        Raises:
            NotFoundError: If there is none of that name.
            SpecError: If the ARN is not that of such a job, or of another region.
        """
        if Arn.looks_like(name_or_arn):
            return attach_as(ModelImportJob, name_or_arn, self.clients)
        return ModelImportJob(self.clients, ModelImportJob(self.clients, name_or_arn).status().arn)

    def imported_model(self, name_or_arn: str) -> ImportedModel:
        """The handle of an imported model, by name or ARN.

        Raises:
            NotFoundError: If there is none of that name.
            SpecError: If the ARN is not that of an imported model, or of another region.
        """
        if Arn.looks_like(name_or_arn):
            return attach_as(ImportedModel, name_or_arn, self.clients)
        return ImportedModel(self.clients, ImportedModel(self.clients, name_or_arn).describe()["modelArn"])

    def provisioned(self, name_or_arn: str) -> Provisioned:
        """The handle of a provisioned throughput, by name or ARN.

        Raises:
            NotFoundError: If there is none of that name.
            SpecError: If the ARN is not that of a provisioned throughput, or of another region.
        """
        if Arn.looks_like(name_or_arn):
            return attach_as(Provisioned, name_or_arn, self.clients)
        return Provisioned(self.clients, Provisioned(self.clients, name_or_arn).status().arn)

    def batch(self, name_or_arn: str) -> BatchJob:
        """The handle of a batch inference job, by its name, its ARN or the last part of that.

        Raises:
            NotFoundError: If there is no such job.
            SpecError: If the ARN is not that of such a job, or of another region.
        """
        if Arn.looks_like(name_or_arn):
            return attach_as(BatchJob, name_or_arn, self.clients)
        return batch_job_named(self.clients, name_or_arn)

    def batches(self, *, status: str | None = None, name_contains: str | None = None) -> list[dict[str, Any]]:
        """Every batch inference job of the account in the region, newest first."""
        return batch_jobs(self.clients, status=status, name_contains=name_contains)

    def copy_job(self, arn: str) -> ModelCopyJob:
        """The handle of a model copy job, by its ARN; it is in the region that is copied to.

        Raises:
            SpecError: If the ARN is not that of such a job, or of another region.
        """
        return attach_as(ModelCopyJob, arn, self.clients)

    def endpoint(self, name_or_arn: str) -> LiveEndpoint:
        """The handle of a SageMaker endpoint, by name or ARN.

        Raises:
            NotFoundError: If there is none of that name.
            SpecError: If the ARN is not that of an endpoint, or of another region.
        """
        if Arn.looks_like(name_or_arn):
            return attach_as(LiveEndpoint, name_or_arn, self.clients)
        found = LiveEndpoint(self.clients, endpoint_arn(name_or_arn, self.clients))
        return LiveEndpoint(self.clients, found.describe()["EndpointArn"])

    def endpoints(self, *, name_contains: str | None = None) -> list[dict[str, Any]]:
        """Every SageMaker endpoint of the account in the region, newest first."""
        return endpoints(self.clients, name_contains=name_contains)

    def import_jobs(self, *, name_contains: str | None = None) -> list[dict[str, Any]]:
        """Every model import job of the account in the region, newest first."""
        return import_jobs(self.clients, name_contains=name_contains)

    def imported_models(self, *, name_contains: str | None = None) -> list[dict[str, Any]]:
        """Every imported model of the account in the region, newest first."""
        return imported_models(self.clients, name_contains=name_contains)

    def provisioned_throughputs(self, *, name_contains: str | None = None) -> list[dict[str, Any]]:
        """Every provisioned throughput of the account in the region, newest first."""
        return provisioned_throughputs(self.clients, name_contains=name_contains)

    def harvest(self, arn: str) -> HarvestRun:
        """The handle of a harvest's run on EMR Serverless, by its ARN.

        Raises:
            SpecError: If the ARN is not that of a run, or of another region.
        """
        return attach_as(HarvestRun, arn, self.clients)

    def harvests(self) -> list[dict[str, Any]]:
        """Every run in the EMR Serverless applications that this package made, newest first."""
        return harvest_runs(self.clients)

    def harvest_applications(self) -> list[dict[str, Any]]:
        """Every EMR Serverless application that this package made in the region and that is not deleted."""
        return harvest_applications(self.clients)

    def __repr__(self) -> str:
        return f"Session({self.clients!r})"
