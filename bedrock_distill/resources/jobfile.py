"""Job files: a spec as TOML, for the command line and for review in a repository.

A file holds one table, `[distillation]` or `[deployment]`, with the fields of the spec of that name. Paths in it are
read from the file's own folder.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bedrock_distill.errors import SpecError
from bedrock_distill.resources.data import Prompts
from bedrock_distill.resources.deployment import OnDemandDeployment
from bedrock_distill.resources.distillation import Distillation, Vpc

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["read_job_file"]


def read_job_file(path: str | Path) -> Distillation | OnDemandDeployment:
    """Read a spec.

    Raises:
        SpecError: If the file cannot be read, does not hold exactly one known table, or a field is wrong.
    """
    path = Path(path)
    try:
        document = tomllib.loads(path.read_text("utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SpecError(f"Could not read the job file {str(path)!r}: {error}", value=str(path)) from error
    if (
        len(document) != 1
        or not isinstance(next(iter(document.values())), dict)
        or not set(document) <= set(_READERS)
    ):
        raise SpecError(
            f"{path} must hold exactly one table, [distillation] or [deployment]; it holds: "
            f"{', '.join(document) or 'nothing'}.",
            value=str(path),
        )
    table, fields = next(iter(document.items()))
    try:
        return _READERS[table](fields, path.parent)
    except SpecError as error:
        raise SpecError(f"{path}: {error.message}", field=error.field, value=error.value) from error


def _distillation(fields: dict[str, Any], folder: Path) -> Distillation:
    fields = dict(fields)
    if "data" in fields:
        fields["data"] = _prompts(fields["data"], folder)
    if isinstance(fields.get("vpc"), dict):
        fields["vpc"] = Vpc(**fields["vpc"])
    return Distillation(**fields)


def _prompts(data: object, folder: Path) -> Prompts:
    rest = dict(data) if isinstance(data, dict) else {"path": data}
    path = rest.pop("path", None)
    if not isinstance(path, str):
        raise SpecError(
            f'data must be the path of a JSONL file, as in data = "prompts.jsonl" (got {data!r}).',
            field="data",
            value=data,
        )
    return Prompts(folder / Path(path).expanduser(), **rest)


def _deployment(fields: dict[str, Any], _: Path) -> OnDemandDeployment:
    return OnDemandDeployment(**fields)


_READERS: dict[str, Callable[[dict[str, Any], Path], Distillation | OnDemandDeployment]] = {
    "distillation": _distillation,
    "deployment": _deployment,
}
