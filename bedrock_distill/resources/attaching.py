"""From any ARN to its handle: one handle for each kind of resource."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from bedrock_distill.errors import SpecError
from bedrock_distill.resources.batch import BatchJob
from bedrock_distill.resources.custom_model import CustomModel
from bedrock_distill.resources.deployment import Deployment
from bedrock_distill.resources.emr_application import HarvestApplication
from bedrock_distill.resources.emr_run import HarvestRun
from bedrock_distill.resources.endpoint import LiveEndpoint
from bedrock_distill.resources.evaluation_job import EvaluationJob
from bedrock_distill.resources.job import DistillationJob
from bedrock_distill.resources.model_copy import ModelCopyJob
from bedrock_distill.resources.model_import import ImportedModel, ModelImportJob
from bedrock_distill.resources.provisioned import Provisioned
from bedrock_distill.uris import Arn

if TYPE_CHECKING:
    from bedrock_distill.aws import Clients

__all__ = ["AnyHandle", "attach_as", "attach_in"]

AnyHandle = (
    DistillationJob
    | Deployment
    | CustomModel
    | Provisioned
    | ModelImportJob
    | ImportedModel
    | ModelCopyJob
    | LiveEndpoint
    | HarvestRun
    | HarvestApplication
    | EvaluationJob
    | BatchJob
)
"""What has an ARN and can be attached to."""

_Handle = TypeVar("_Handle", bound=AnyHandle)


def attach_in(arn: str, clients: Clients) -> AnyHandle:
    """The handle of something that runs or exists already.

    Raises:
        SpecError: If the ARN is of a kind this version has no handle for, or of another region.
    """
    parsed = Arn.parse(arn)
    kind = _kind(parsed)
    handle = _HANDLES.get(kind)
    if handle is not None and parsed.region != clients.region:
        raise SpecError(
            f"{arn!r} lies in {parsed.region}, and this session is for {clients.region}: "
            f"use Session(region={parsed.region!r}), or --region {parsed.region}.",
            field="arn",
            value=arn,
        )
    if handle is None:
        raise SpecError(
            f"There is no handle for {kind!r} in {arn!r}; there is one for: {', '.join(_HANDLES)}.",
            field="arn",
            value=arn,
        )
    return handle(clients, arn)


def attach_as(wanted: type[_Handle], arn: str, clients: Clients) -> _Handle:
    """The handle of something of this kind.

    Raises:
        SpecError: If the ARN is of another kind, or of another region.
    """
    handle = attach_in(arn, clients)
    if not isinstance(handle, wanted):
        raise SpecError(
            f"{arn!r} is the ARN of {_NOUNS[type(handle)]}, not {_NOUNS[wanted]}.",
            field="arn",
            value=arn,
        )
    return handle


def _kind(arn: Arn) -> str:
    """What an ARN names, as `_HANDLES` has it."""
    if arn.service == "bedrock":
        return arn.kind
    if arn.service == "emr-serverless":
        # /applications/ID, or /applications/ID/jobruns/ID.
        parts = arn.resource.strip("/").split("/")
        return f"{arn.service} {parts[-2] if len(parts) > 1 else arn.resource}"
    return f"{arn.service} {arn.kind}"


_NOUNS: dict[type, str] = {
    DistillationJob: "a distillation job",
    Deployment: "a deployment",
    CustomModel: "a custom model",
    Provisioned: "a provisioned throughput",
    ModelImportJob: "a model import job",
    ImportedModel: "an imported model",
    ModelCopyJob: "a model copy job",
    LiveEndpoint: "an endpoint",
    HarvestRun: "a harvest run",
    HarvestApplication: "an EMR Serverless application",
    EvaluationJob: "an evaluation job",
    BatchJob: "a batch inference job",
}
"""Handle -> what it is, in words, with its article."""

_HANDLES: dict[str, type[AnyHandle]] = {
    "model-customization-job": DistillationJob,
    "custom-model-deployment": Deployment,
    "custom-model": CustomModel,
    "provisioned-model": Provisioned,
    "model-import-job": ModelImportJob,
    "imported-model": ImportedModel,
    "model-copy-job": ModelCopyJob,
    "evaluation-job": EvaluationJob,
    "model-invocation-job": BatchJob,
    "sagemaker endpoint": LiveEndpoint,
    "emr-serverless jobruns": HarvestRun,
    "emr-serverless applications": HarvestApplication,
}
"""ARN's resource type -> handle."""
