"""The local cloud: Bedrock's control plane and runtime on this machine, with moto for S3, IAM and STS beside them.

The public names are loaded when they are first used, so that importing the package stays light.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bedrock_distill.local.calls import CallLog, LoggedCall
    from bedrock_distill.local.clock import LocalClock
    from bedrock_distill.local.cloud import Cloud
    from bedrock_distill.local.doors.http import Server
    from bedrock_distill.local.faults import Fault, Faults, SimulatedCrash
    from bedrock_distill.local.gateway.errors import AwsError
    from bedrock_distill.local.teachers import FunctionTeacher, HuggingFaceTeacher, RecordedTeacher, Teacher
    from bedrock_distill.local.world import TrainingSettings

_HOMES = {
    "AwsError": "gateway.errors",
    "CallLog": "calls",
    "Cloud": "cloud",
    "Fault": "faults",
    "Faults": "faults",
    "FunctionTeacher": "teachers",
    "HuggingFaceTeacher": "teachers",
    "LocalClock": "clock",
    "LoggedCall": "calls",
    "RecordedTeacher": "teachers",
    "Server": "doors.http",
    "SimulatedCrash": "faults",
    "Teacher": "teachers",
    "TrainingSettings": "world",
}

__all__ = [
    "AwsError",
    "CallLog",
    "Cloud",
    "Fault",
    "Faults",
    "FunctionTeacher",
    "HuggingFaceTeacher",
    "LocalClock",
    "LoggedCall",
    "RecordedTeacher",
    "Server",
    "SimulatedCrash",
    "Teacher",
    "TrainingSettings",
]


def __getattr__(name: str) -> Any:
    """Load a public name on first use."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names, loaded or not."""
    return sorted([*globals(), *__all__])
