"""Custom Model Import: a Hugging Face directory becomes an imported model that Bedrock serves and scales to zero.

`spec` is what is wanted, `survey` what is there, `plan` what would be done; `job` and `model` are the handles.
"""

from bedrock_distill.resources.model_import.job import ImportStatus, ModelImportJob
from bedrock_distill.resources.model_import.model import ImportedModel, imported_models
from bedrock_distill.resources.model_import.plan import plan_import, plan_import_in
from bedrock_distill.resources.model_import.spec import ModelImport

__all__ = [
    "ImportStatus",
    "ImportedModel",
    "ModelImport",
    "ModelImportJob",
    "imported_models",
    "plan_import",
    "plan_import_in",
]
