"""GetCustomModel, ListCustomModels and DeleteCustomModel."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from bedrock_distill.local.gateway.errors import AwsError
from bedrock_distill.local.services.bedrock.arns import short_name
from bedrock_distill.local.services.bedrock.customization_jobs import metrics_of
from bedrock_distill.local.services.bedrock.listing import created_within, page
from bedrock_distill.local.services.bedrock.state import CustomModel, Tables, find_model
from bedrock_distill.local.students import weights_dir

if TYPE_CHECKING:
    from bedrock_distill.local.call import Call
    from bedrock_distill.local.world import World

__all__ = ["CustomModels"]

_FROM_REQUEST = (
    "hyperParameters",
    "trainingDataConfig",
    "validationDataConfig",
    "outputDataConfig",
    "customizationConfig",
)


class CustomModels:
    """Custom models, as jobs made them."""

    def __init__(self, world: World) -> None:
        self._world = world

    def get_custom_model(self, call: Call) -> dict[str, Any]:
        """One model, by ARN or name."""
        model = self._find(call)
        job = model.job
        answer: dict[str, Any] = {
            "modelArn": model.arn,
            "modelName": model.name,
            "jobName": job.name,
            "jobArn": job.arn,
            "baseModelArn": model.parent_arn,
            "customizationType": job.kind,
            "creationTime": model.created,
            "modelStatus": "Active",
            **{name: job.request[name] for name in _FROM_REQUEST if job.request.get(name) is not None},
            **metrics_of(job),
        }
        if model.kms_arn:
            answer["modelKmsKeyArn"] = model.kms_arn
        return answer

    def list_custom_models(self, call: Call) -> dict[str, Any]:
        """The region's custom models, filtered and paged. All are this account's own, and active."""
        wanted = call.params
        models = Tables(self._world, call.region).models.where(
            lambda model: (
                created_within(model, wanted, after="creationTimeAfter", before="creationTimeBefore")
                and wanted.get("nameContains", "") in model.name
                and wanted.get("baseModelArnEquals") in (None, model.parent_arn)
                and wanted.get("foundationModelArnEquals") in (None, model.foundation_arn)
                and wanted.get("isOwned") in (None, True)
                and wanted.get("modelStatus") in (None, "Active")
            )
        )
        return page(models, wanted, member="modelSummaries", summary=_summary)

    def delete_custom_model(self, call: Call) -> dict[str, Any]:
        """Remove a model and its weights, unless a deployment or a provisioned throughput needs it."""
        with self._world.lock:
            model = self._find(call)
            tables = Tables(self._world, call.region)
            if user := _user_of(model, tables):
                raise AwsError(
                    "ConflictException",
                    f"The custom model {model.name} is in use by the {user}. Delete that first.",
                )
            tables.models.delete(model.arn)
            tables.tags.delete(model.arn)
        shutil.rmtree(weights_dir(self._world, model.arn), ignore_errors=True)
        return {}

    def _find(self, call: Call) -> CustomModel:
        identifier = call.params["modelIdentifier"]
        model = find_model(Tables(self._world, call.region), identifier)
        if model is None:
            raise AwsError("ResourceNotFoundException", f"Could not find a custom model for {identifier}.")
        return model


def _user_of(model: CustomModel, tables: Tables) -> str:
    """What serves a model now or soon, in words; an empty string for nothing."""
    deployment = tables.deployments.find(lambda each: model.arn in (each.serves, each.update_to))
    if deployment is not None:
        return f"custom model deployment {deployment.name}"
    throughput = tables.provisioned.find(lambda each: model.arn in (each.serves, each.update_to))
    return f"provisioned model throughput {throughput.name}" if throughput is not None else ""


def _summary(model: CustomModel) -> dict[str, Any]:
    job = model.job
    return {
        "modelArn": model.arn,
        "modelName": model.name,
        "creationTime": model.created,
        "baseModelArn": model.parent_arn,
        "baseModelName": short_name(job.base_id),
        "customizationType": job.kind,
        "ownerAccountId": job.account_id,
        "modelStatus": "Active",
    }
