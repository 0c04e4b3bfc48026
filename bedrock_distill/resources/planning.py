"""From any spec to its plan: one planner for each kind of spec."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bedrock_distill.errors import SpecError
from bedrock_distill.resources.batch import BatchInference, plan_batch_in
from bedrock_distill.resources.deployment import OnDemandDeployment
from bedrock_distill.resources.deployment_plan import plan_deployment_in
from bedrock_distill.resources.distillation import Distillation, plan_distillation
from bedrock_distill.resources.emr_harvest import ServerlessHarvest
from bedrock_distill.resources.emr_plan import plan_harvest_in
from bedrock_distill.resources.endpoint import Endpoint, plan_endpoint_in
from bedrock_distill.resources.evaluation_job import BedrockEvaluation, plan_evaluation_in
from bedrock_distill.resources.invocation_logging import InvocationLogging, LoggingOff, LoggingRestored
from bedrock_distill.resources.log_delivery import LogDelivery
from bedrock_distill.resources.model_copy import ModelCopy, plan_copy_in
from bedrock_distill.resources.model_import import ModelImport, plan_import_in
from bedrock_distill.resources.provisioned import ProvisionedThroughput, plan_provisioned_in
from bedrock_distill.resources.survey import survey

if TYPE_CHECKING:
    from collections.abc import Callable

    from bedrock_distill.aws import Clients
    from bedrock_distill.catalog import Catalog
    from bedrock_distill.plan import Plan
    from bedrock_distill.resources.logging_survey import LoggingSpec
    from bedrock_distill.resources.spec import Spec

__all__ = ["plan_in"]


def plan_in(spec: Spec, clients: Clients, catalog: Catalog) -> Plan:
    """Say what a spec would do and cost in the world as it is.

    Args:
        spec: What is wanted.
        clients: The gate to AWS; only read through.
        catalog: Facts and prices.

    Raises:
        SpecError: If the spec cannot work as it is written, or is of a kind that has no planner.
        DataError: If its data breaks a rule.
        ServiceError: If AWS cannot be asked what must be known.
    """
    planner = _PLANNERS.get(type(spec))
    if planner is None:
        raise SpecError(
            f"There is nothing to plan in a {type(spec).__name__}; there is a plan for: "
            f"{', '.join(each.__name__ for each in _PLANNERS)}.",
            field="spec",
        )
    return planner(spec, clients, catalog)


def _distillation(spec: Distillation, clients: Clients, catalog: Catalog) -> Plan:
    plan = plan_distillation(spec, survey(spec, clients, catalog), catalog)
    clients.check("bedrock", plan.creates.operation, plan.creates.request)
    return plan


def _logging(spec: LoggingSpec, clients: Clients, _: Catalog) -> Plan:
    return LogDelivery(clients).plan(spec)


_PLANNERS: dict[type[Spec], Callable[[Any, Clients, Catalog], Plan]] = {
    Distillation: _distillation,
    OnDemandDeployment: plan_deployment_in,
    ProvisionedThroughput: plan_provisioned_in,
    ModelImport: plan_import_in,
    ModelCopy: plan_copy_in,
    Endpoint: plan_endpoint_in,
    ServerlessHarvest: plan_harvest_in,
    BedrockEvaluation: plan_evaluation_in,
    BatchInference: plan_batch_in,
    InvocationLogging: _logging,
    LoggingOff: _logging,
    LoggingRestored: _logging,
}
