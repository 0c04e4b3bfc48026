"""Environment variables of a container: how values are written, and what SageMaker takes."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from bedrock_distill.resources.endpoint.containers.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["MAX_CHARACTERS", "MAX_KEYS", "environment_problems", "written"]

MAX_KEYS, MAX_CHARACTERS = 100, 1024
"""Limits of ContainerDefinition.Environment in SageMaker's model; botocore does not enforce them."""

_KEY = re.compile(r"[a-zA-Z_]\w*", re.ASCII)


def written(values: Mapping[str, object]) -> dict[str, str]:
    """Values as a container reads them: true and false in small letters, objects as JSON, None left out."""
    return {name: _text(value) for name, value in values.items() if value is not None}


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (dict, list, tuple)):
        return json.dumps(value, separators=(",", ":"))
    return str(value)


def environment_problems(environment: Mapping[str, str]) -> Iterator[Problem]:
    """What SageMaker would refuse of an environment."""
    if len(environment) > MAX_KEYS:
        yield Problem(
            "environment",
            len(environment),
            f"{len(environment)} variables: SageMaker takes {MAX_KEYS}; give fewer",
        )
    for name, value in environment.items():
        if not _KEY.fullmatch(name) or len(name) > MAX_CHARACTERS:
            yield Problem(
                "environment",
                name,
                f"{name!r} is not a variable's name: letters, digits and _ only, no digit first; rename it",
            )
        if len(value) > MAX_CHARACTERS:
            yield Problem(
                "environment",
                name,
                f"{name} has {len(value):,} characters: SageMaker takes {MAX_CHARACTERS:,}; put a file with it into the "
                "model directory and give its path under /opt/ml/model",
            )
