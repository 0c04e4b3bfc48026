"""From an id or ARN to a target: which dialect the model behind it speaks is looked up where the id does not say it."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bedrock_distill.aws.model_files import S3Folder
from bedrock_distill.catalog import read_model_id
from bedrock_distill.chat.dialects import Converse, endpoint_dialect, imported_dialect
from bedrock_distill.chat.later import AsyncTarget
from bedrock_distill.chat.target import Target
from bedrock_distill.chat.templates import ChatTemplate
from bedrock_distill.errors import AccessDeniedError, DataError, SpecError
from bedrock_distill.resources.attaching import attach_as
from bedrock_distill.resources.endpoint import LiveEndpoint, endpoint_arn
from bedrock_distill.uris import Arn, S3Uri

if TYPE_CHECKING:
    from collections.abc import Callable

    from bedrock_distill.aws import Clients
    from bedrock_distill.aws.retry import Retry
    from bedrock_distill.chat.dialects import Dialect, EndpointSchema, InvokeEndpoint

__all__ = ["async_target_for", "target_for"]

_log = logging.getLogger("bedrock_distill")

_NEW_BODIES = datetime(2025, 11, 11, tzinfo=UTC)
"""Models imported from this day on understand OpenAI's bodies (Bedrock user guide, custom-model-import-advanced-features)."""

_SCHEMAS: dict[str, EndpointSchema] = {
    "djl-inference": "lmi",
    "huggingface-pytorch-tgi-inference": "tgi",
    "huggingface-vllm": "openai",
    "vllm": "openai",
    "huggingface-sglang": "openai",
    "sglang": "openai",
}
"""Repository of the container's image -> how it is asked."""

_SHORT = "endpoint/"
"""What stands before an endpoint's name in place of its whole ARN."""

_MOUNTED = "/opt/ml/model"
"""What vLLM calls a model that was given no name: the path it was loaded from."""


def target_for(
    clients: Clients,
    model_id: str,
    *,
    on_retry: Callable[[Retry], None] | None = None,
    wake_timeout_s: float | None = None,
) -> Target:
    """Something to talk to.

    Args:
        clients: The gate to AWS.
        model_id: A model id, an inference profile, or the ARN of a deployment, a provisioned throughput, an imported model or
            a SageMaker endpoint; `endpoint/NAME` is short for the last.
        on_retry: Told each time before a request is tried again, such as while the model is being loaded.
        wake_timeout_s: Seconds to go on trying while an endpoint is woken from zero instances. Default: 900.

    Raises:
        SpecError: If it is an endpoint of another region, or one whose container speaks no known schema.
        NotFoundError: If there is no such imported model or endpoint.
    """
    if model_id.startswith(_SHORT):
        model_id = endpoint_arn(model_id.removeprefix(_SHORT), clients)
    name, dialect = model_id, None
    if read_model_id(model_id).kind == "imported-model":
        dialect = _imported(clients, model_id)
    elif Arn.looks_like(model_id) and Arn.parse(model_id).service == "sagemaker":
        endpoint = attach_as(LiveEndpoint, model_id, clients)
        name, dialect = endpoint.name, _hosted(clients, endpoint)
    return Target(clients, name, dialect=dialect, on_retry=on_retry, wake_timeout_s=wake_timeout_s)


def async_target_for(clients: Clients, endpoint: LiveEndpoint) -> AsyncTarget:
    """Something to ask that answers later, through S3.

    Raises:
        SpecError: If the endpoint is not asynchronous, or its container speaks no known schema.
    """
    wanted = endpoint.describe().get("AsyncInferenceConfig")
    if not wanted:
        raise SpecError(
            f"The endpoint {endpoint.name} answers at once, not through S3: use session.model({endpoint.arn!r}).",
            field="model_id",
            value=endpoint.arn,
        )
    folder = S3Uri.parse(wanted["OutputConfig"]["S3OutputPath"]) / "requests"
    return AsyncTarget(clients, endpoint.name, dialect=_hosted(clients, endpoint), folder=folder)


def _imported(clients: Clients, arn: str) -> Dialect:
    """Converse where Bedrock says that the model understands it; else the body that suits its age and its chat template."""
    try:
        model = clients.call("bedrock", "get_imported_model", subject=arn, modelIdentifier=arn)
    except AccessDeniedError:
        _log.info("These credentials may not look at %s; it is asked through Converse.", arn)
        return Converse()
    if model.get("instructSupported"):
        return Converse()
    template = _template(clients, model["modelDataSource"]["s3DataSource"]["s3Uri"])
    if template is None:
        # A base model: what it is sent is what it goes on from.
        return imported_dialect("BedrockCompletion")
    if model["creationTime"] >= _NEW_BODIES:
        return imported_dialect("OpenAIChatCompletion")
    return imported_dialect("BedrockCompletion", template=template)


def _template(clients: Clients, source: str) -> ChatTemplate | None:
    try:
        return ChatTemplate.of(S3Folder(clients, S3Uri.parse(source)))
    except DataError:
        return None
    except AccessDeniedError:
        _log.warning("The chat template at %s cannot be read; prompts are sent as they are.", source)
        return None


def _hosted(clients: Clients, endpoint: LiveEndpoint) -> InvokeEndpoint:
    """What the container behind an endpoint understands."""
    component, container = _served(clients, endpoint)
    image = str(container.get("Image", ""))
    repository = image.partition("/")[2].partition("@")[0].partition(":")[0]
    schema = _SCHEMAS.get(repository)
    if schema is None:
        raise SpecError(
            f"The endpoint {endpoint.name} runs the image {image}, and how that is asked is not known. Say it: "
            "Target(session.clients, name, dialect=endpoint_dialect('lmi' or 'openai' or 'tgi')).",
            field="model_id",
            value=endpoint.arn,
        )
    environment = container.get("Environment") or {}
    named = environment.get("SM_VLLM_SERVED_MODEL_NAME") or environment.get("SM_VLLM_MODEL") or _MOUNTED
    return endpoint_dialect(schema, served_name=named if schema == "openai" else "", component=component)


def _served(clients: Clients, endpoint: LiveEndpoint) -> tuple[str, dict[str, Any]]:
    """The inference component to ask (or an empty string), and the container that serves the model."""
    config = endpoint.describe()["EndpointConfigName"]
    described = clients.call(
        "sagemaker", "describe_endpoint_config", subject=config, EndpointConfigName=config
    )
    model, component = described["ProductionVariants"][0].get("ModelName"), ""
    if not model:
        listed = clients.pages(
            "sagemaker", "list_inference_components", "InferenceComponents", EndpointNameEquals=endpoint.name
        )
        component = next((item["InferenceComponentName"] for item in listed), "")
        if not component:
            raise SpecError(
                f"The endpoint {endpoint.name} has no inference component, so there is no model to ask.",
                field="model_id",
                value=endpoint.arn,
            )
        specified = clients.call(
            "sagemaker",
            "describe_inference_component",
            subject=component,
            InferenceComponentName=component,
        )["Specification"]
        model = specified.get("ModelName")
        if not model:
            return component, {
                "Image": (specified.get("Container") or {}).get("DeployedImage", {}).get("SpecifiedImage", "")
            }
    found = clients.call("sagemaker", "describe_model", subject=model, ModelName=model)
    return component, found.get("PrimaryContainer") or (found.get("Containers") or [{}])[0]
