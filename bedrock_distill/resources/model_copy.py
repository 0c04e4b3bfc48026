"""Copying a custom model to the region where it is to serve: the spec, its plan, the handle of the job."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import Field, field_validator

from bedrock_distill.catalog import read_model_id
from bedrock_distill.plan import (
    CreateListed,
    Listing,
    Plan,
    PlanWarning,
    WaitFor,
    estimate,
    fingerprint_of,
    make_plan,
)
from bedrock_distill.plan.estimate import Use
from bedrock_distill.resources import fields
from bedrock_distill.resources.custom_model import CustomModel
from bedrock_distill.resources.spec import Spec, check_name, plan_tags, short_name
from bedrock_distill.resources.waiting import Noun, wait_until_over
from bedrock_distill.uris import Arn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bedrock_distill.aws import Clients
    from bedrock_distill.catalog import Catalog

__all__ = ["CopyStatus", "ModelCopy", "ModelCopyJob", "plan_copy_in"]

_COPY = Noun(
    name="model copy job",
    wait_command="bedrock-distill models wait-copy",
    when_failed="To try again, plan again.",
)


class ModelCopy(Spec):
    """A copy of a custom model in the session's region, made from its ARN in another."""

    model: str
    """ARN of the custom model; a `CustomModel` is taken too."""
    name: str = "student"
    """Yours to choose; the copy is named after it and the plan's fingerprint."""
    kms_key: str | None = None
    """KMS key, in the new region, that encrypts the copy. Default: a key AWS owns."""
    tags: dict[str, str] = Field(default_factory=dict)

    @field_validator("model", mode="before")
    @classmethod
    def _model(cls, value: object) -> object:
        arn = value.arn if isinstance(value, CustomModel) else value
        kind = read_model_id(arn).kind if isinstance(arn, str) else "name"
        if kind == "imported-model":
            raise ValueError(
                "is an imported model, and Bedrock copies custom models only: import its directory once more in the other "
                "region, from a bucket there"
            )
        if kind != "custom-model":
            raise ValueError("must be the ARN of a custom model")
        return arn

    @field_validator("name")
    @classmethod
    def _name(cls, value: str) -> str:
        return check_name(value)

    _key = field_validator("kms_key")(fields.check_key)
    _tags = field_validator("tags")(fields.check_tags)


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyStatus:
    """What a copy job says of itself at one moment."""

    arn: str
    name: str
    """The copy's name."""
    status: str
    """InProgress, Completed or Failed."""
    reason: str
    model_arn: str
    """The copy; it answers when the job has completed."""
    phase: str = ""
    """A copy has no phases."""

    @property
    def over(self) -> bool:
        """Whether nothing will change any more."""
        return self.status in ("Completed", "Failed")

    @property
    def succeeded(self) -> bool:
        """Whether there is a copy."""
        return self.status == "Completed"

    @classmethod
    def of(cls, answer: dict[str, Any]) -> CopyStatus:
        """Read GetModelCopyJob's answer."""
        return cls(
            arn=answer["jobArn"],
            name=answer.get("targetModelName") or "",
            status=answer["status"],
            reason=answer.get("failureMessage") or "",
            model_arn=answer["targetModelArn"],
        )


@dataclass(frozen=True, slots=True)
class ModelCopyJob:
    """Handle of a copy job, in the region that is copied to."""

    clients: Clients
    arn: str

    def describe(self) -> dict[str, Any]:
        """What GetModelCopyJob answers, without its metadata."""
        answer = self.clients.call("bedrock", "get_model_copy_job", subject=self.arn, jobArn=self.arn)
        return {key: value for key, value in answer.items() if key != "ResponseMetadata"}

    def status(self) -> CopyStatus:
        """The job's status now."""
        return CopyStatus.of(self.describe())

    def wait(
        self, *, timeout_s: float | None = 4 * 3600, on_change: Callable[[CopyStatus], None] | None = None
    ) -> CopyStatus:
        """Wait until the model is copied.

        Args:
            timeout_s: Seconds to wait at most.
            on_change: Told each new status.

        Raises:
            JobFailedError: If it failed.
            WaitTimeoutError: If it is still running when the time is up.
        """
        return wait_until_over(
            self.status, what=_COPY, clock=self.clients.clock, timeout_s=timeout_s, on_change=on_change
        )

    def result(
        self, *, timeout_s: float | None = 4 * 3600, on_change: Callable[[CopyStatus], None] | None = None
    ) -> CustomModel:
        """Wait as `wait` does, and return the copy."""
        done = self.wait(timeout_s=timeout_s, on_change=on_change)
        return CustomModel(self.clients, done.model_arn)

    def __repr__(self) -> str:
        return f"ModelCopyJob({self.arn!r})"


def plan_copy_in(spec: ModelCopy, clients: Clients, catalog: Catalog) -> Plan:
    """Look, plan, and hold the request against the service's model.

    Raises:
        SpecError: If the service's model would refuse the request.
        ServiceError: If AWS cannot be asked what must be known.
    """
    region, account = clients.region, clients.account_id
    wanted = spec.model_dump(mode="json")
    fingerprint = fingerprint_of({"kind": "copy", "spec": wanted, "region": region, "account": account})
    name = short_name(spec.name, fingerprint)
    tries = [
        job
        for job in clients.pages("bedrock", "list_model_copy_jobs", "modelCopyJobSummaries")
        if job.get("targetModelName") == name
    ]
    failed = sum(job["status"] == "Failed" for job in tries)
    request: dict[str, Any] = {
        "sourceModelArn": spec.model,
        "targetModelName": name,
        "targetModelTags": plan_tags(spec.name, fingerprint, spec.tags),
        "clientRequestToken": f"bedrock-distill-{fingerprint}-{failed + 1}",
    }
    if spec.kms_key:
        request["modelKmsKeyId"] = spec.kms_key
    create = CreateListed(
        kind="model copy job",
        name=name,
        service="bedrock",
        operation="create_model_copy_job",
        request=request,
        arn="jobArn",
        listing=Listing(
            operation="list_model_copy_jobs",
            items="modelCopyJobSummaries",
            name="targetModelName",
            arn="jobArn",
            state="status",
            gone=("Failed",),
        ),
        bills=True,
        done=len(tries) > failed,
    )
    clients.check("bedrock", create.operation, create.request)
    return make_plan(
        kind="copy",
        name=spec.name,
        region=region,
        account_id=account,
        fingerprint=fingerprint,
        facts={"model": spec.model, "copy": name, "to": region},
        steps=[create, WaitFor(kind="model copy job", name=name, typical="minutes to hours")],
        warnings=list(_warnings(spec, region, account, catalog)),
        estimate=estimate([_use(spec)], catalog=catalog, region=region),
    )


def _use(spec: ModelCopy) -> Use:
    return Use(
        what="custom model storage, a month",
        model=spec.model,
        kind="storage_month",
        quantity=1,
        unit="model",
    )


def _warnings(spec: ModelCopy, region: str, account: str, catalog: Catalog) -> Iterator[PlanWarning]:
    arn, base = Arn.parse(spec.model), catalog.find(spec.model)
    if arn.region == region:
        yield PlanWarning(
            code="copy-here",
            text=f"The model lies in {region} already: say where it is to go with Session(region=…), or --region.",
            blocks=True,
        )
    if arn.account != account:
        yield PlanWarning(
            code="copy-from-account",
            text=f"The model belongs to account {arn.account}: its owner must have shared it with {account}.",
        )
    if base is not None and base.copy_regions and region not in base.copy_regions:
        yield PlanWarning(
            code="copy-not-there",
            text=f"Models customized from {base.name} can be copied to {', '.join(base.copy_regions)}, not to {region}.",
            blocks=True,
        )
