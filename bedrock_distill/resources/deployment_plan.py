"""The plan of an on-demand deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bedrock_distill.errors import AccessDeniedError, NotFoundError, SpecError
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
from bedrock_distill.resources.spec import plan_tags, short_name
from bedrock_distill.uris import Arn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from bedrock_distill.aws import Clients
    from bedrock_distill.catalog import Catalog
    from bedrock_distill.resources.deployment import OnDemandDeployment

__all__ = ["elsewhere", "look_at_model", "plan_deployment", "plan_deployment_in"]


def plan_deployment_in(spec: OnDemandDeployment, clients: Clients, catalog: Catalog) -> Plan:
    """Look, plan, and hold the request against the service's model.

    Raises:
        SpecError: If the service's model would refuse the request, or the name is another deployment's.
        ServiceError: If AWS cannot be asked what must be known.
    """

    def planned(existing: str | None = None, model_status: str | None = None) -> Plan:
        return plan_deployment(
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
    if plan.blockers:
        # Asking about it here would only bring a second, less clear reason.
        return plan
    found = _find_deployment(clients, plan.creates.name, spec.model)
    return planned(found, look_at_model(clients, spec.model))


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
            *elsewhere(spec.model, region, account_id),
            *_states(spec, name, existing, model_status),
            *_warnings(spec, region, today, catalog),
        ],
        estimate=estimate(uses, catalog=catalog, region=region),
    )


def elsewhere(model: str, region: str, account_id: str) -> Iterator[PlanWarning]:
    """Whether a custom model's ARN is of another region or account than the one where it is to serve."""
    if not Arn.looks_like(model) or not (arn := Arn.parse(model)).account:
        return
    if (arn.region, arn.account) != (region, account_id):
        yield PlanWarning(
            code="model-elsewhere",
            text=f"The model lies in {arn.region}, account {arn.account}, and would be served in {region}, account "
            f"{account_id}: serve it where it lies (--region {arn.region}), or copy it first "
            f"(`bedrock-distill models copy {model} --region {region}`).",
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


def _find_deployment(clients: Clients, name: str, model_arn: str) -> str | None:
    """The status of the deployment of this name, if it is there and serves this model.

    Raises:
        SpecError: If the name is taken by a deployment of another model.
    """
    answer = clients.find(
        "bedrock", "get_custom_model_deployment", subject=name, customModelDeploymentIdentifier=name
    )
    if answer is None:
        return None
    if answer["modelArn"] != model_arn:
        raise SpecError(
            f"The deployment {name!r} serves {answer['modelArn']}, not {model_arn}: choose another name, "
            "or update it with Deployment.update.",
            field="name",
            value=name,
        )
    return str(answer["status"])
