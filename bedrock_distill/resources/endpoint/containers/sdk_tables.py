"""The image tables of an installed sagemaker-core, read without importing it.

Importing the SDK costs seconds and much memory; its tables are JSON files beside it. They are newer than ours whenever
the SDK is, so they win over the shipped rows.
"""

from __future__ import annotations

import json
import re
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bedrock_distill.resources.endpoint.containers.published import Published

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["sdk_images"]

_FOLDER = "sagemaker/core/image_uri_config"
_CUDA = re.compile(r"cu(\d+)(\d)(?!\d)")


@cache
def sdk_images(framework: str, *, fallback_cuda: str = "") -> Mapping[str, Published]:
    """What the installed SDK knows of a framework: version -> image. Empty where it is not installed.

    Args:
        framework: The SDK's name, such as `djl-lmi`.
        fallback_cuda: CUDA version of images whose tag does not tell.
    """
    try:
        file = metadata.distribution("sagemaker-core").locate_file(f"{_FOLDER}/{framework}.json")
    except metadata.PackageNotFoundError:
        return {}
    path = Path(str(file))
    if not path.is_file():
        return {}
    table = json.loads(path.read_text("utf-8"))
    return read_sdk_table(table, fallback_cuda=fallback_cuda)


def read_sdk_table(table: Mapping[str, Any], *, fallback_cuda: str = "") -> dict[str, Published]:
    """Read one of the SDK's tables: version -> image."""
    scoped = table.get("inference", table)
    aliases = scoped.get("version_aliases", {})
    found = {}
    for version, entry in scoped["versions"].items():
        tag = _tag(entry, scoped)
        cuda = _CUDA.search(tag)
        found[version] = Published(
            version=version,
            repository=entry["repository"],
            tag=tag,
            cuda=f"{cuda[1]}.{cuda[2]}" if cuda else fallback_cuda,
            aliases=tuple(alias for alias, target in aliases.items() if target == version),
            accounts=dict(entry["registries"]),
        )
    return found


def _tag(entry: Mapping[str, Any], scoped: Mapping[str, Any]) -> str:
    processors = entry.get("processors") or scoped.get("processors") or ()
    in_tag = processors[:1] if entry.get("processor_in_tag", True) else []
    built = [value] if (value := entry.get("container_version", {}).get("gpu")) else []
    return "-".join([entry["tag_prefix"], *in_tag, *entry.get("py_versions", ())[:1], *built])
