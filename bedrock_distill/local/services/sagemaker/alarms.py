"""CloudWatch alarms of the local cloud, as deployments and scaling policies use them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bedrock_distill.local.world import World

__all__ = ["first_in_alarm"]


def first_in_alarm(world: World, region: str, deployment: Mapping[str, Any] | None) -> str | None:
    """Name of the first of a deployment's rollback alarms whose state is ALARM; None where none is."""
    configured = ((deployment or {}).get("AutoRollbackConfiguration") or {}).get("Alarms") or ()
    names = [alarm["AlarmName"] for alarm in configured if alarm.get("AlarmName")]
    if not names:
        return None
    found = world.client("cloudwatch", region).describe_alarms(AlarmNames=names)
    states = {alarm["AlarmName"]: alarm["StateValue"] for alarm in found["MetricAlarms"]}
    return next((name for name in names if states.get(name) == "ALARM"), None)
