"""An on-demand custom model deployment: its spec, its planner, its handle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import Field, field_validator

from bedrock_distill.catalog import Catalog, read_model_id
from bedrock_distill.errors import AccessDeniedError, NotFoundError, ServiceError, SpecError
from bedrock_distill.plan import (
    CreateResource,
    Lookup,
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
    from datetime import date, datetime

    from bedrock_distill.aws import Clients

__all__ = [
    "DEPLOYMENT_STATUSES",
    "Deployment",
    "DeploymentStatus",
    "OnDemandDeployment",
    "deployments",
    "plan_deployment",
]

DEPLOYMENT_STATUSES: dict[str, tuple[bool, bool]] = {
    "Creating": (False, False),
    "Active": (True, True),
    "Failed": (True, False),
}
"""Every status of the service's model -> whether it is settled, and whether the model answers."""


_DEPLOYMENT = Noun(
    name="deployment",
    wait_command="bedrock-distill deploy wait",
    when_failed="To try again, `bedrock-distill deploy delete {arn}` and deploy again.",
)


class OnDemandDeployment(Spec):
    """Serve a custom model on demand: no idle cost, billed by the token."""

    model: str
    """ARN of the custom model; a `CustomModel` is taken too."""
    name: str = "student"
    """Yours to choose; the deployment is named after it and the plan's fingerprint."""
    description: str | None = Field(default=None, min_length=1, max_length=2048)
    tags: dict[str, str] = Field(default_factory=dict)

    @field_validator("model", mode="before")
    @classmethod
    def _model(cls, value: object) -> object:
        arn = value.arn if isinstance(value, CustomModel) else value
        if isinstance(arn, str) and read_model_id(arn).kind != "custom-model":
            raise ValueError(
                "must be the ARN of a custom model; names and imported models cannot be deployed on demand"
            )
        return arn

    @field_validator("name")
    @classmethod
    def _name(cls, value: str) -> str:
        return check_name(value)

    _tags = field_validator("tags")(fields.check_tags)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentStatus:
    """What a deployment says of itself at one moment."""

    arn: str
    name: str
    status: str
    """Creating, Active or Failed."""
    phase: str
    """State of an update: Updating, UpdateCompleted, UpdateFailed, or an empty string."""
    model_arn: str
    reason: str
    created: datetime

    @property
    def over(self) -> bool:
        """Whether nothing will change by itself any more."""
        return DEPLOYMENT_STATUSES.get(self.status, (False, False))[0] and self.phase != "Updating"

    @property
    def succeeded(self) -> bool:
        """Whether the model that was asked for answers."""
        return DEPLOYMENT_STATUSES.get(self.status, (False, False))[1] and self.phase != "UpdateFailed"

    @classmethod
    def of(cls, answer: dict[str, Any]) -> DeploymentStatus:
        """Read GetCustomModelDeployment's answer."""
        return cls(
            arn=answer["customModelDeploymentArn"],
            name=answer["modelDeploymentName"],
            status=answer["status"],
            phase=(answer.get("updateDetails") or {}).get("updateStatus", ""),
            model_arn=answer["modelArn"],
            reason=answer.get("failureMessage") or "",
            created=answer["createdAt"],
        )


@dataclass(frozen=True, slots=True)
class Deployment:
    """Handle of an on-demand deployment."""

    clients: Clients
    arn: str

    def describe(self) -> dict[str, Any]:
        """What GetCustomModelDeployment answers, without its metadata."""
        answer = self.clients.call(
            "bedrock",
            "get_custom_model_deployment",
            subject=self.arn,
            customModelDeploymentIdentifier=self.arn,
        )
        return {key: value for key, value in answer.items() if key != "ResponseMetadata"}

    def status(self) -> DeploymentStatus:
        """The deployment's status now."""
        return DeploymentStatus.of(self.describe())

    def wait(
        self, *, timeout_s: float | None = 3600, on_change: Callable[[DeploymentStatus], None] | None = None
    ) -> DeploymentStatus:
        """Wait until the deployment answers, or an update has taken effect.

        Args:
            timeout_s: Seconds to wait at most. About 8 minutes are usual (Bedrock user guide).
            on_change: Told each new status.

        Raises:
            JobFailedError: If it failed. A failed deployment costs nothing; delete it with `delete`.
            WaitTimeoutError: If it is not settled when the time is up.
        """
        return wait_until_over(
            self.status, what=_DEPLOYMENT, clock=self.clients.clock, timeout_s=timeout_s, on_change=on_change
        )

    def update(self, model: CustomModel | str) -> None:
        """Serve another custom model under the same ARN; `wait` tells when it does."""
        arn = model.arn if isinstance(model, CustomModel) else model
        self.clients.call(
            "bedrock",
            "update_custom_model_deployment",
            subject=self.arn,
            customModelDeploymentIdentifier=self.arn,
            modelArn=arn,
        )

    def delete(self) -> None:
        """Delete the deployment; nothing happens where it is gone already."""
        try:
            self.clients.call(
                "bedrock",
                "delete_custom_model_deployment",
                subject=self.arn,
                customModelDeploymentIdentifier=self.arn,
            )
        except NotFoundError:
            return

    def __repr__(self) -> str:
        return f"Deployment({self.arn!r})"


def plan_deployment(
    spec: OnDemandDeployment,
    *,
    region: str,
    account_id: str,
    today: date,
    catalog: Catalog,
    existing: str | None = None,
    model_status: str | None = None,
) -> Plan:
    """The plan for a deployment. Pure.

    Args:
        spec: What is wanted.
        region: Where.
        account_id: Whose.
        today: The day, for lifecycles.
        catalog: Facts about models.
        existing: Status of the deployment of this very plan, or None where there is none.
        model_status: Status of the custom model, `missing` where there is none, or None where AWS did not say.
    """
    intent = {
        "kind": "deployment",
        "spec": spec.model_dump(mode="json"),
        "region": region,
        "account": account_id,
    }
    fingerprint = fingerprint_of(intent)
    name = short_name(spec.name, fingerprint)
    request: dict[str, Any] = {
        "modelDeploymentName": name,
        "modelArn": spec.model,
        "clientRequestToken": f"bedrock-distill-{fingerprint}",
        "tags": plan_tags(spec.name, fingerprint, spec.tags),
    }
    if spec.description:
        request["description"] = spec.description
    create = CreateResource(
        kind="on-demand deployment",
        name=name,
        service="bedrock",
        operation="create_custom_model_deployment",
        request=request,
        arn="customModelDeploymentArn",
        lookup=Lookup(
            operation="get_custom_model_deployment",
            parameter="customModelDeploymentIdentifier",
            arn="customModelDeploymentArn",
            same={"modelArn": spec.model},
        ),
        # There is no charge for the deployment itself, only for what is asked of it.
        bills=False,
        done=existing is not None,
    )
    wait = WaitFor(kind="on-demand deployment", name=name, typical="about 8 minutes")
    uses = [
        Use(
            what="input, each 1k tokens",
            model=spec.model,
            kind="input_1k_tokens",
            quantity=1,
            unit="1k tokens",
        ),
        Use(
            what="output, each 1k tokens",
            model=spec.model,
            kind="output_1k_tokens",
            quantity=1,
            unit="1k tokens",
        ),
    ]
    return make_plan(
        kind="deployment",
        name=spec.name,
        region=region,
        account_id=account_id,
        fingerprint=fingerprint,
        facts={"model": spec.model, "deployment": name},
        steps=[create, wait],
        warnings=[
            *_elsewhere(spec, region, account_id),
            *_states(spec, name, existing, model_status),
            *_warnings(spec, region, today, catalog),
        ],
        estimate=estimate(uses, catalog=catalog, region=region),
    )


def _elsewhere(spec: OnDemandDeployment, region: str, account_id: str) -> Iterator[PlanWarning]:
    arn = Arn.parse(spec.model)
    if (arn.region, arn.account) != (region, account_id):
        yield PlanWarning(
            code="model-elsewhere",
            text=f"The model lies in {arn.region}, account {arn.account}, and the deployment would be in {region}, account "
            f"{account_id}: deploy it where it lies (--region {arn.region}), or copy it first.",
            blocks=True,
        )


def _states(
    spec: OnDemandDeployment, name: str, existing: str | None, model_status: str | None
) -> Iterator[PlanWarning]:
    if model_status == "missing":
        yield PlanWarning(
            code="no-model",
            text=f"There is no custom model {spec.model}: see `bedrock-distill models list`.",
            blocks=True,
        )
    elif model_status not in (None, "Active"):
        yield PlanWarning(
            code="model-not-ready",
            text=f"The custom model is {model_status}, and only an Active one can be deployed.",
            blocks=True,
        )
    if existing == "Failed":
        yield PlanWarning(
            code="deployment-failed",
            text=f"The deployment {name} is there, and has failed: `bedrock-distill deploy delete {name}`, then deploy again.",
            blocks=True,
        )


def _warnings(spec: OnDemandDeployment, region: str, today: date, catalog: Catalog) -> list[PlanWarning]:
    base = catalog.find(spec.model)
    if base is None:
        return []
    found = []
    if region not in base.on_demand_deployment_regions:
        where = ", ".join(base.on_demand_deployment_regions) or "no region"
        found.append(
            PlanWarning(
                code="not-on-demand",
                text=f"Models customized from {base.name} are deployed on demand in {where}, not in {region}: "
                "use provisioned throughput.",
                blocks=True,
            )
        )
    if base.lifecycle(today) != "ACTIVE":
        found.append(PlanWarning(code="base-legacy", text=f"{base.name} is Legacy: plan where to go next."))
    return found


def look_at_model(clients: Clients, arn: str) -> str | None:
    """A custom model's status, `missing` where there is none, None where these credentials may not ask."""
    try:
        answer = clients.call("bedrock", "get_custom_model", subject=arn, modelIdentifier=arn)
    except NotFoundError:
        return "missing"
    except AccessDeniedError:
        return None
    status: str | None = answer.get("modelStatus")
    return status


def find_deployment(clients: Clients, name: str, model_arn: str) -> str | None:
    """The status of the deployment of this name, if it is there and serves this model.

    Raises:
        SpecError: If the name is taken by a deployment of another model.
    """
    try:
        answer = clients.call(
            "bedrock", "get_custom_model_deployment", subject=name, customModelDeploymentIdentifier=name
        )
    except NotFoundError:
        return None
    except ServiceError as error:
        # For a name that it does not know, the service may also answer with a ValidationException.
        if error.code != "ValidationException":
            raise
        return None
    if answer["modelArn"] != model_arn:
        raise SpecError(
            f"The deployment {name!r} serves {answer['modelArn']}, not {model_arn}: choose another name, "
            "or update it with Deployment.update.",
            field="name",
            value=name,
        )
    return str(answer["status"])


def deployments(clients: Clients, *, name_contains: str | None = None) -> list[dict[str, Any]]:
    """Every custom model deployment of the account in the region, newest first."""
    filters = {"nameContains": name_contains} if name_contains else {}
    pages = clients.pages(
        "bedrock",
        "list_custom_model_deployments",
        "modelDeploymentSummaries",
        sortBy="CreationTime",
        sortOrder="Descending",
        **filters,
    )
    return list(pages)
