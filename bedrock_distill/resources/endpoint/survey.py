"""Looking before planning an endpoint: the model, its bucket, the role, and what serves under the name now."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bedrock_distill.aws import BucketState, ObjectStore, RoleState
from bedrock_distill.errors import AccessDeniedError
from bedrock_distill.resources import fields
from bedrock_distill.resources.endpoint.policies import endpoint_policy, endpoint_trust
from bedrock_distill.resources.endpoint.requests import VARIANT
from bedrock_distill.resources.endpoint.scaling import is_wake_alarm, scaled_thing, wake_name
from bedrock_distill.resources.made_role import find_role
from bedrock_distill.resources.model_folder import find_model
from bedrock_distill.resources.survey import Place
from bedrock_distill.uris import S3Uri

if TYPE_CHECKING:
    from bedrock_distill.aws import Clients
    from bedrock_distill.catalog import Catalog
    from bedrock_distill.resources.endpoint.spec import Endpoint
    from bedrock_distill.resources.model_folder import FoundModel

__all__ = ["EndpointSurvey", "role_documents", "survey_endpoint"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSurvey:
    """What was found."""

    place: Place
    model: FoundModel
    bucket: BucketState
    """The model's."""
    image: str
    """URI of the container's image."""
    ami: str | None
    """The host's image, or None where it is SageMaker's own choice."""
    role: RoleState | None = None
    """The role that would be made, if it is there; None also where the caller brings one."""
    role_hidden: bool = False
    """Whether these credentials may not look at roles."""
    existing: dict[str, Any] | None = None
    """What DescribeEndpoint says of the name, or None where it is free."""
    tags: dict[str, str] = field(default_factory=dict)
    """The existing endpoint's."""
    components: tuple[str, ...] = ()
    """Inference components that the existing endpoint has."""
    scaled: tuple[int, int] | None = None
    """Fewest and most instances that the existing endpoint is scaled between, or None where it is not, or may not be seen."""
    wake_policy: bool = False
    """Whether the existing endpoint has a policy that wakes it from zero, as far as may be seen."""
    wake_alarm: bool | None = None
    """Whether the alarm with the name of the one that wakes it is this endpoint's; None where there is none to be seen."""


def survey_endpoint(spec: Endpoint, clients: Clients, catalog: Catalog) -> EndpointSurvey:
    """Read what an endpoint's plan depends on.

    Raises:
        DataError: If the directory cannot be read, or holds no model.
        SpecError: If the container's version is unknown, or not in this region.
        StalePlanError: If the directory changes while it is read.
        ServiceError: If AWS cannot be asked what must be known.
    """
    place = Place(region=clients.region, account_id=clients.account_id, partition=clients.partition)
    image = spec.container.image(place.region, catalog).uri
    model = find_model(
        spec.model,
        clients,
        catalog,
        staging=spec.staging_uri,
        kms_key_id=spec.data_kms_key,
        with_code=spec.container.trust_remote_code,
    )
    role, hidden = None, False
    if spec.role is None:
        role, hidden = find_role(spec, role_documents(spec, place, model.uri, image), clients)
    existing = clients.find("sagemaker", "describe_endpoint", subject=spec.name, EndpointName=spec.name)
    return EndpointSurvey(
        place=place,
        model=model,
        bucket=ObjectStore(clients).bucket(model.uri.bucket),
        image=image,
        ami=spec.host_image or spec.container.ami(catalog),
        role=role,
        role_hidden=hidden,
        existing=existing,
        tags=_tags(clients, existing["EndpointArn"]) if existing else {},
        components=_components(clients, spec.name) if existing else (),
        scaled=_scaled(clients, spec.name) if existing and spec.scaling is None else None,
        wake_policy=existing is not None and spec.scaling is not None and _has_wake_policy(spec, clients),
        wake_alarm=_wake_alarm(clients, spec.name) if spec.scaling else None,
    )


def role_documents(
    spec: Endpoint, place: Place, model: S3Uri, image: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Trust and permissions of the role that is made for an endpoint."""
    # The whole of what is staged, and not the one directory: so the next model is served by the same role.
    readable = model if spec.staging_uri is None else (spec.staging_uri / "models").as_prefix
    later = spec.asynchronous
    folders = [uri for uri in (later.output, later.failures) if uri] if later else []
    topics = [arn for arn in (later.success_topic, later.error_topic) if arn] if later else []
    policy = endpoint_policy(
        partition=place.partition,
        region=place.region,
        account_id=place.account_id,
        model=readable,
        image=image,
        kms_key_arns=[key for key in (spec.data_kms_key,) if key and fields.is_key_arn(key)],
        answers=[S3Uri.parse(folder) for folder in folders],
        topics=topics,
        vpc=spec.vpc is not None,
    )
    return endpoint_trust(account_id=place.account_id), policy


def _tags(clients: Clients, arn: str) -> dict[str, str]:
    found = clients.pages("sagemaker", "list_tags", "Tags", ResourceArn=arn)
    return {tag["Key"]: tag["Value"] for tag in found}


def _scaled(clients: Clients, endpoint: str) -> tuple[int, int] | None:
    resource = f"endpoint/{endpoint}/variant/{VARIANT}"
    try:
        answer = clients.call(
            "application-autoscaling",
            "describe_scalable_targets",
            subject=resource,
            ServiceNamespace="sagemaker",
            ResourceIds=[resource],
        )
    except AccessDeniedError:
        return None
    return next(((item["MinCapacity"], item["MaxCapacity"]) for item in answer["ScalableTargets"]), None)


def _has_wake_policy(spec: Endpoint, clients: Clients) -> bool:
    target = scaled_thing(spec).target
    try:
        answer = clients.call(
            "application-autoscaling",
            "describe_scaling_policies",
            subject=target["ResourceId"],
            PolicyNames=[wake_name(spec.name)],
            **target,
        )
    except AccessDeniedError:
        return False
    return bool(answer["ScalingPolicies"])


def _wake_alarm(clients: Clients, endpoint: str) -> bool | None:
    name = wake_name(endpoint)
    try:
        answer = clients.call("cloudwatch", "describe_alarms", subject=name, AlarmNames=[name])
    except AccessDeniedError:
        return None
    return next((is_wake_alarm(alarm, endpoint) for alarm in answer.get("MetricAlarms", ())), None)


def _components(clients: Clients, endpoint: str) -> tuple[str, ...]:
    found = clients.pages(
        "sagemaker", "list_inference_components", "InferenceComponents", EndpointNameEquals=endpoint
    )
    return tuple(item["InferenceComponentName"] for item in found)
