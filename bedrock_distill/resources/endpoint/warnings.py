"""What the reader of an endpoint's plan should know before applying it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from bedrock_distill.plan import PlanWarning
from bedrock_distill.resources.endpoint.scaling import wake_name
from bedrock_distill.resources.model_warnings import access_warnings, bucket_warnings, model_warnings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bedrock_distill.resources.endpoint.choosing import Place
    from bedrock_distill.resources.endpoint.spec import Endpoint
    from bedrock_distill.resources.endpoint.survey import EndpointSurvey

__all__ = ["warnings_for"]

_OWN_DISKS = re.compile(r"ml\.(g4dn|g4ad|g5|g6|g6e|gr6|g7|g7e|p3dn|p4de?|p5|p5en?|p6\S*)\.\S+")
"""Instances with disks of their own, which encrypt by themselves; CreateEndpointConfig refuses KmsKeyId with them (API reference)."""


def warnings_for(
    spec: Endpoint, survey: EndpointSurvey, on: Place, *, target: str, config: str
) -> tuple[PlanWarning, ...]:
    """Every warning, those that stop an apply first.

    Args:
        spec: What is wanted.
        survey: What was found.
        on: Where it is to run.
        target: What inspection calls the container.
        config: Name of the configuration that is to serve.
    """
    found = [
        *model_warnings(survey.model.report, target),
        *bucket_warnings(survey.bucket, survey.place.region),
        *_settings(on),
        *_existing(spec, survey, config),
        *_alarm(spec, survey),
        *_keys(spec, on),
        *access_warnings(role=spec.role, role_hidden=survey.role_hidden, data_kms_key=spec.data_kms_key),
        *_idle(spec),
    ]
    return tuple(sorted(found, key=lambda warning: not warning.blocks))


def _settings(on: Place) -> Iterator[PlanWarning]:
    for problem in on.problems:
        yield PlanWarning(
            code=f"container-{problem.field.replace('_', '-')}",
            text=str(problem),
            blocks=problem.severity == "error",
        )


def _existing(spec: Endpoint, survey: EndpointSurvey, config: str) -> Iterator[PlanWarning]:
    existing = survey.existing
    if existing is None:
        return
    status = existing["EndpointStatus"]
    if survey.tags.get("bedrock-distill") != spec.name:
        yield PlanWarning(
            code="endpoint-not-ours",
            text=f"There is an endpoint {spec.name} that this package did not make; updating it would replace what it serves. "
            "Choose another name.",
            blocks=True,
        )
    elif status in ("Failed", "OutOfService", "UpdateRollbackFailed"):
        reason = existing.get("FailureReason", "")
        yield PlanWarning(
            code="endpoint-failed",
            text=f"The endpoint {spec.name} is there, and {status}{f' ({reason})' if reason else ''}: "
            f"`bedrock-distill endpoints delete {spec.name}`, then plan again.",
            blocks=True,
        )
    elif status == "Deleting":
        yield PlanWarning(
            code="endpoint-going",
            text=f"The endpoint {spec.name} is being deleted: plan again when it is gone "
            f"(`bedrock-distill endpoints delete {spec.name}` waits for that).",
            blocks=True,
        )
    elif status != "InService" and _coming(existing) != config:
        yield PlanWarning(
            code="endpoint-busy",
            text=f"The endpoint {spec.name} is {status}: it takes an update only when it is InService. "
            f"`bedrock-distill endpoints wait {spec.name}`, then plan again.",
            blocks=True,
        )
    if bool(survey.components) != spec.component:
        yield PlanWarning(
            code="endpoint-other-kind",
            text="The endpoint that serves now "
            + ("has" if survey.components else "has no")
            + " inference components, and an update cannot change that (they come with scaling to zero): choose another "
            "name, or delete it first.",
            blocks=True,
        )

    if survey.scaled and spec.scaling is None:
        low, high = survey.scaled
        yield PlanWarning(
            code="scaling-stays",
            text=f"The endpoint is scaled from {low} to {high} instances, and leaving scaling out does not end that. To hold a "
            "number, give it as both minimum and maximum; to be rid of scaling, delete the endpoint first.",
        )


def _alarm(spec: Endpoint, survey: EndpointSurvey) -> Iterator[PlanWarning]:
    if spec.scaling is not None and spec.scaling.minimum == 0 and survey.wake_alarm is False:
        yield PlanWarning(
            code="alarm-not-ours",
            text=f"There is an alarm {wake_name(spec.name)} that watches something else, and the one that wakes the endpoint would "
            "replace it. Choose another name for the endpoint.",
            blocks=True,
        )


def _coming(existing: dict[str, Any]) -> str:
    """The configuration that will serve when what is under way is through."""
    pending = (existing.get("PendingDeploymentSummary") or {}).get("EndpointConfigName")
    return str(pending or existing.get("EndpointConfigName"))


def _keys(spec: Endpoint, on: Place) -> Iterator[PlanWarning]:
    if spec.kms_key and _OWN_DISKS.fullmatch(on.instance):
        yield PlanWarning(
            code="kms-key-refused",
            text=f"kms_key {spec.kms_key}: {on.instance} has disks of its own, which are encrypted anyway, and SageMaker refuses a "
            "key with it. Leave kms_key out (data_kms_key is for the staged files).",
            blocks=True,
        )


def _idle(spec: Endpoint) -> Iterator[PlanWarning]:
    if spec.scaling is None or spec.scaling.minimum > 0:
        yield PlanWarning(
            code="bills-while-idle",
            text="It bills by the hour, used or not, until `bedrock-distill endpoints delete "
            f"{spec.name}`. Scaling(minimum=0) ends that, at the price of minutes for the first request after a pause.",
        )
    elif spec.component:
        yield PlanWarning(
            code="cold-after-idle",
            text="Scaled to zero, requests fail until an instance is back (minutes): callers must try again. Where a region "
            "refuses MinInstanceCount 0, applying says so and takes back what it made.",
        )
