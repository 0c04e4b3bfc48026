"""The plan of a provisioned throughput, with what it costs by the hour said first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bedrock_distill.catalog import read_model_id
from bedrock_distill.errors import AccessDeniedError
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
from bedrock_distill.resources.deployment_plan import elsewhere, look_at_model
from bedrock_distill.resources.provisioned.handle import ProvisionedStatus
from bedrock_distill.resources.spec import plan_tags, short_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from bedrock_distill.aws import Clients
    from bedrock_distill.catalog import Catalog
    from bedrock_distill.resources.provisioned.spec import ProvisionedThroughput

__all__ = ["plan_provisioned", "plan_provisioned_in"]

_HOURS = {"OneMonth": 30 * 24, "SixMonths": 6 * 30 * 24}
"""Hours that a commitment binds for, months counted as 30 days."""


def plan_provisioned_in(spec: ProvisionedThroughput, clients: Clients, catalog: Catalog) -> Plan:
    """Look, plan, and hold the request against the service's model.

    Raises:
        SpecError: If the service's model would refuse the request.
        ServiceError: If AWS cannot be asked what must be known.
    """

    def planned(existing: ProvisionedStatus | None = None, model_status: str | None = None) -> Plan:
        return plan_provisioned(
            spec,
            region=clients.region,
            account_id=clients.account_id,
            today=clients.clock.now().date(),
            catalog=catalog,
            existing=existing,
            model_status=model_status,
        )

    plan = planned()
    clients.check("bedrock", plan.creates.operation, plan.creates.request)
    name = plan.creates.name
    answer = clients.find(
        "bedrock", "get_provisioned_model_throughput", subject=name, provisionedModelId=name
    )
    return planned(ProvisionedStatus.of(answer) if answer else None, _model_status(spec, clients))


def _model_status(spec: ProvisionedThroughput, clients: Clients) -> str | None:
    """The custom model's status; of a foundation model its lifecycle, where AWS says it."""
    if read_model_id(spec.model).kind == "custom-model":
        return look_at_model(clients, spec.model)
    try:
        answer = clients.find(
            "bedrock", "get_foundation_model", subject=spec.model, modelIdentifier=spec.model
        )
    except AccessDeniedError:
        return None
    if answer is None:
        return None
    status: str | None = answer["modelDetails"].get("modelLifecycle", {}).get("status")
    return status


def plan_provisioned(
    spec: ProvisionedThroughput,
    *,
    region: str,
    account_id: str,
    today: date,
    catalog: Catalog,
    existing: ProvisionedStatus | None = None,
    model_status: str | None = None,
) -> Plan:
    """The plan for a provisioned throughput. Pure.

    Args:
        spec: What is wanted.
        region: Where.
        account_id: Whose.
        today: The day, for lifecycles.
        catalog: Facts about models, and prices.
        existing: The throughput of this very plan, or None where there is none.
        model_status: What AWS says of the model, `missing` where there is none, or None where it did not say.
    """
    wanted = spec.model_dump(mode="json", exclude={"accept_hourly_cost"})
    fingerprint = fingerprint_of(
        {"kind": "provisioned", "spec": wanted, "region": region, "account": account_id}
    )
    name = short_name(spec.name, fingerprint)
    request: dict[str, Any] = {
        "provisionedModelName": name,
        "modelId": spec.model,
        "modelUnits": spec.units,
        "clientRequestToken": f"bedrock-distill-{fingerprint}",
        "tags": plan_tags(spec.name, fingerprint, spec.tags),
    }
    if spec.commitment:
        request["commitmentDuration"] = spec.commitment
    create = CreateResource(
        kind="provisioned throughput",
        name=name,
        service="bedrock",
        operation="create_provisioned_model_throughput",
        request=request,
        arn="provisionedModelArn",
        lookup=Lookup(
            operation="get_provisioned_model_throughput",
            parameter="provisionedModelId",
            arn="provisionedModelArn",
            # What it serves may have been updated since; the name carries the plan's fingerprint.
            same={},
        ),
        bills=True,
        done=existing is not None,
    )
    return make_plan(
        kind="provisioned",
        name=spec.name,
        region=region,
        account_id=account_id,
        fingerprint=fingerprint,
        facts={
            "model": spec.model,
            "units": str(spec.units),
            "commitment": _commitment(spec),
            "provisioned": name,
        },
        steps=[create, WaitFor(kind="provisioned throughput", name=name, typical="minutes to an hour")],
        warnings=sorted(
            [
                *_states(name, existing, model_status),
                *elsewhere(spec.model, region, account_id),
                *_base(spec, today, catalog, model_status),
                *_money(spec, existing),
            ],
            key=lambda warning: not warning.blocks,
        ),
        estimate=estimate([_use(spec)], catalog=catalog, region=region),
    )


def _commitment(spec: ProvisionedThroughput) -> str:
    if spec.commitment is None:
        return "none: it can be deleted at any time"
    return f"{spec.commitment}: it cannot be deleted before"


def _use(spec: ProvisionedThroughput) -> Use:
    """What is bound: the whole commitment, or one hour."""
    hours = _HOURS.get(spec.commitment or "", 1)
    bound = f"the whole commitment, {hours:,} hours" if spec.commitment else "each hour"
    return Use(
        what=f"model units, {bound}",
        model=spec.model,
        kind="model_unit_hour",
        quantity=spec.units * hours,
        unit="unit hours",
    )


def _states(name: str, existing: ProvisionedStatus | None, model_status: str | None) -> Iterator[PlanWarning]:
    if model_status == "missing":
        yield PlanWarning(
            code="no-model",
            text="There is no such custom model: see `bedrock-distill models list`.",
            blocks=True,
        )
    elif model_status not in (None, "Active", "ACTIVE", "LEGACY"):
        yield PlanWarning(
            code="model-not-ready",
            text=f"The custom model is {model_status}, and only an Active one can be provisioned.",
            blocks=True,
        )
    if existing is not None and existing.status == "Failed":
        yield PlanWarning(
            code="provisioned-failed",
            text=f"The provisioned throughput {name} is there, and has failed: "
            f"`bedrock-distill provisioned delete {name}`, then plan again.",
            blocks=True,
        )


def _base(
    spec: ProvisionedThroughput, today: date, catalog: Catalog, live: str | None
) -> Iterator[PlanWarning]:
    base, ref = catalog.find(spec.model), read_model_id(spec.model)
    if base is None:
        return
    state = base.lifecycle(today)
    if state != "ACTIVE" or live == "LEGACY":
        ends = f", end of life {base.eol_on}" if base.eol_on else ""
        yield PlanWarning(
            code="base-legacy",
            text=f"{base.name} is {'past its end of life' if state == 'EOL' else 'Legacy'}{ends}, and provisioned throughput "
            "is closed for such models: distil into a student that lives, or import it elsewhere.",
            blocks=True,
        )
    if ref.kind == "foundation" and not ref.suffix and base.suffixes:
        variants = ", ".join(f"{base.id}:{suffix}" for suffix in base.suffixes)
        yield PlanWarning(
            code="no-variant",
            text=f"Provisioned throughput of a foundation model takes a context variant: {variants}.",
            blocks=True,
        )


def _money(spec: ProvisionedThroughput, existing: ProvisionedStatus | None) -> Iterator[PlanWarning]:
    if existing is None and not spec.accept_hourly_cost:
        yield PlanWarning(
            code="cost-not-accepted",
            text=f"{spec.units} model units bill by the hour from the start, used or not, until they are deleted"
            + (f", and cannot be deleted before {spec.commitment} is over" if spec.commitment else "")
            + ": say accept_hourly_cost=True (on the command line --accept-hourly-cost) if that is wanted.",
            blocks=True,
        )
