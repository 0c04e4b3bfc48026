"""Create, Get, List, Update and DeleteCustomModelDeployment."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bedrock_distill.local.clock import Phase
from bedrock_distill.local.gateway.errors import AwsError
from bedrock_distill.local.services.bedrock.arns import deployment_arn
from bedrock_distill.local.services.bedrock.client_tokens import answered_before, remember
from bedrock_distill.local.services.bedrock.listing import created_within, page
from bedrock_distill.local.services.bedrock.state import Deployment, Tables, moment
from bedrock_distill.local.services.bedrock.tags import read_tags

if TYPE_CHECKING:
    from datetime import datetime

    from bedrock_distill.local.call import Call
    from bedrock_distill.local.world import World

__all__ = ["CREATING_S", "Deployments"]

CREATING_S = 30.0
"""Seconds that a deployment takes under the `real` clock. On AWS about eight minutes were seen."""


class Deployments:
    """On-demand deployments of custom models."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._ids = world.ids.spawn("bedrock/deployments")

    def create_custom_model_deployment(self, call: Call) -> dict[str, Any]:
        """Deploy a model under a name that is free."""
        tables = Tables(self._world, call.region)
        name = call.params["modelDeploymentName"]
        with self._world.lock:
            # The model of this operation has no ConflictException, so what conflicts is invalid here.
            if arn := answered_before(tables, call, conflict="ValidationException"):
                return {"customModelDeploymentArn": arn}
            self._deployable(call, call.params["modelArn"])
            if tables.deployments.find(lambda each: each.name == name):
                raise AwsError(
                    "ValidationException", f"The custom model deployment name {name} is already in use."
                )
            self._within_quotas(tables)
            deployment = self._new(tables, call)
        deployment.phases.start()
        return {"customModelDeploymentArn": deployment.arn}

    def get_custom_model_deployment(self, call: Call) -> dict[str, Any]:
        """One deployment, by ARN or name."""
        deployment = self._find(call)
        deployment.phases.observe()
        if deployment.update is not None:
            deployment.update.observe()
        answer: dict[str, Any] = {
            "customModelDeploymentArn": deployment.arn,
            "modelDeploymentName": deployment.name,
            "modelArn": deployment.serves,
            "createdAt": deployment.created,
            "status": _status(deployment),
            "lastUpdatedAt": _updated(deployment),
        }
        if deployment.description:
            answer["description"] = deployment.description
        if deployment.update is not None:
            status = "Updating" if deployment.updating else "UpdateCompleted"
            answer["updateDetails"] = {"modelArn": deployment.update_to, "updateStatus": status}
        return answer

    def list_custom_model_deployments(self, call: Call) -> dict[str, Any]:
        """The region's deployments, filtered and paged."""
        wanted = call.params
        deployments = Tables(self._world, call.region).deployments.where(
            lambda each: (
                created_within(each, wanted, after="createdAfter", before="createdBefore")
                and wanted.get("nameContains", "") in each.name
                and wanted.get("statusEquals") in (None, _status(each))
                and wanted.get("modelArnEquals") in (None, each.serves)
            )
        )
        return page(deployments, wanted, member="modelDeploymentSummaries", summary=_summary)

    def update_custom_model_deployment(self, call: Call) -> dict[str, Any]:
        """Put another model behind a deployment; the old one answers until the new one is ready."""
        tables = Tables(self._world, call.region)
        target = call.params["modelArn"]
        with self._world.lock:
            deployment = self._find(call)
            self._deployable(call, target)
            if not deployment.active or deployment.updating:
                raise AwsError(
                    "ValidationException",
                    f"The custom model deployment {deployment.name} is being created or updated. Wait until it is done.",
                )
            update = self._world.clock.phases([Phase("Updating", lasts_s=CREATING_S)])
            changed = replace(deployment, model_arn=deployment.serves, update_to=target, update=update)
            tables.deployments.put(deployment.arn, changed)
        update.start()
        return {"customModelDeploymentArn": deployment.arn}

    def delete_custom_model_deployment(self, call: Call) -> dict[str, Any]:
        """Remove a deployment that is not in the middle of something."""
        tables = Tables(self._world, call.region)
        with self._world.lock:
            deployment = self._find(call)
            if not deployment.active or deployment.updating:
                raise AwsError(
                    "ConflictException",
                    f"The custom model deployment {deployment.name} is being created or updated. Wait until it is done.",
                )
            tables.deployments.delete(deployment.arn)
            tables.tags.delete(deployment.arn)
        return {}

    def _find(self, call: Call) -> Deployment:
        identifier = call.params["customModelDeploymentIdentifier"]
        deployments = Tables(self._world, call.region).deployments
        found = deployments.get(identifier) or deployments.find(lambda each: each.name == identifier)
        if found is None:
            raise AwsError(
                "ResourceNotFoundException", f"Could not find a custom model deployment for {identifier}."
            )
        return found

    def _deployable(self, call: Call, arn: str) -> None:
        """Whether there is such a model, and its base can be deployed on demand in this region."""
        model = Tables(self._world, call.region).models.get(arn)
        if model is None:
            raise AwsError("ResourceNotFoundException", f"Could not find a custom model for {arn}.")
        base = self._world.catalog.model(model.job.base_id)
        if call.region not in base.on_demand_deployment_regions:
            where = ", ".join(base.on_demand_deployment_regions) or "no region"
            raise AwsError(
                "ValidationException",
                f"Custom models based on {base.name} cannot be deployed for on-demand inference in {call.region} "
                f"(supported in {where}). Use Provisioned Throughput.",
            )

    def _within_quotas(self, tables: Tables) -> None:
        busy = len(tables.deployments.where(lambda each: not each.active or each.updating))
        quota = self._world.catalog.quota
        for name, used in (
            ("custom_model_deployments", len(tables.deployments)),
            ("custom_model_deployments_in_progress", busy),
        ):
            if used >= quota(name):
                raise AwsError(
                    "ServiceQuotaExceededException",
                    f"The quota of {quota(name)} {name.replace('_', ' ')} is used up.",
                )

    def _new(self, tables: Tables, call: Call) -> Deployment:
        """Make the deployment's row, its tags and its token. Holds the world's lock."""
        arn = deployment_arn(call.region, call.account_id, self._ids.token())
        tags = read_tags(call.params.get("tags"), resource=arn)
        deployment = Deployment(
            arn=arn,
            name=call.params["modelDeploymentName"],
            serial=tables.next_serial(),
            model_arn=call.params["modelArn"],
            created=moment(self._world),
            description=call.params.get("description", ""),
            phases=self._world.clock.phases([Phase("Creating", lasts_s=CREATING_S)]),
        )
        tables.deployments.put(arn, deployment)
        tables.tags.put(arn, tags)
        remember(tables, call, arn)
        return deployment


def _status(deployment: Deployment) -> str:
    return "Active" if deployment.active else "Creating"


def _updated(deployment: Deployment) -> datetime:
    """When it last changed."""
    moments = [deployment.created]
    for phases in (deployment.phases, deployment.update):
        if phases is not None:
            moments += [*phases.entered.values(), *phases.left.values()]
    return max(moments)


def _summary(deployment: Deployment) -> dict[str, Any]:
    return {
        "customModelDeploymentArn": deployment.arn,
        "customModelDeploymentName": deployment.name,
        "modelArn": deployment.serves,
        "createdAt": deployment.created,
        "status": _status(deployment),
        "lastUpdatedAt": _updated(deployment),
    }
