"""GetImportedModel, ListImportedModels and DeleteImportedModel."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from bedrock_distill.local.gateway.errors import AwsError
from bedrock_distill.local.services.bedrock.import_checks import UNITS_VERSION
from bedrock_distill.local.services.bedrock.listing import created_within, page
from bedrock_distill.local.services.bedrock.state import Tables
from bedrock_distill.local.students import imported_dir

if TYPE_CHECKING:
    from bedrock_distill.local.call import Call
    from bedrock_distill.local.services.bedrock.serving import ImportedModel
    from bedrock_distill.local.world import World

__all__ = ["ImportedModels"]


class ImportedModels:
    """Imported models, as import jobs made them."""

    def __init__(self, world: World) -> None:
        self._world = world

    def get_imported_model(self, call: Call) -> dict[str, Any]:
        """One model, by ARN or name."""
        model = self._find(call)
        job = model.job
        answer: dict[str, Any] = {
            **_summary(model),
            "jobName": job.name,
            "jobArn": job.arn,
            "modelDataSource": job.request["modelDataSource"],
            "customModelUnits": {
                "customModelUnitsPerModelCopy": model.units,
                "customModelUnitsVersion": UNITS_VERSION,
            },
        }
        if job.kms_arn:
            answer["modelKmsKeyArn"] = job.kms_arn
        return answer

    def list_imported_models(self, call: Call) -> dict[str, Any]:
        """The region's imported models, filtered and paged."""
        wanted = call.params
        models = Tables(self._world, call.region).imported.where(
            lambda model: (
                created_within(model, wanted, after="creationTimeAfter", before="creationTimeBefore")
                and wanted.get("nameContains", "") in model.name
            )
        )
        return page(models, wanted, member="modelSummaries", summary=_summary)

    def delete_imported_model(self, call: Call) -> dict[str, Any]:
        """Remove a model and its files; the directory in S3 stays."""
        tables = Tables(self._world, call.region)
        with self._world.lock:
            model = self._find(call)
            tables.imported.delete(model.arn)
            tables.tags.delete(model.arn)
        shutil.rmtree(imported_dir(self._world, model.arn), ignore_errors=True)
        return {}

    def _find(self, call: Call) -> ImportedModel:
        identifier = call.params["modelIdentifier"]
        models = Tables(self._world, call.region).imported
        model = models.get(identifier) or models.find(lambda model: model.name == identifier)
        if model is None:
            raise AwsError("ResourceNotFoundException", f"Could not find an imported model for {identifier}.")
        return model


def _summary(model: ImportedModel) -> dict[str, Any]:
    return {
        "modelArn": model.arn,
        "modelName": model.name,
        "creationTime": model.created,
        "instructSupported": model.instruct,
        "modelArchitecture": model.architecture,
    }
