"""Job files: a spec as TOML, for the command line and for review in a repository.

A file holds one table, `[distillation]`, `[deployment]` or `[harvest]`, with the fields of the spec of that name. Paths in it are
read from the file's own folder.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bedrock_distill.errors import SpecError
from bedrock_distill.resources.data import InvocationLogs, Prompts
from bedrock_distill.resources.deployment import OnDemandDeployment
from bedrock_distill.resources.distillation import Distillation
from bedrock_distill.resources.emr_harvest import ServerlessHarvest
from bedrock_distill.resources.vpc import Vpc

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["read_job_file"]


def read_job_file(path: str | Path) -> Distillation | OnDemandDeployment | ServerlessHarvest:
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
            f"{path} must hold exactly one table, [distillation], [deployment] or [harvest]; it holds: "
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
        data = fields["data"]
        logs = isinstance(data, dict) and "source" in data
        fields["data"] = _logs(data) if logs else _prompts(data, folder)
    if isinstance(fields.get("vpc"), dict):
        fields["vpc"] = Vpc(**fields["vpc"])
    return Distillation(**fields)


def _prompts(data: object, folder: Path) -> Prompts:
    rest = dict(data) if isinstance(data, dict) else {"path": data}
    path = rest.pop("path", None)
    if not isinstance(path, str):
        raise SpecError(
            'data must be the path of a JSONL file, as in data = "prompts.jsonl", or a table that names logs, as in '
            f'data = {{ source = "s3://acme-logs/bedrock" }} (got {data!r}).',
            field="data",
            value=data,
        )
    return Prompts(folder / Path(path).expanduser(), **rest)


def _logs(data: dict[str, Any]) -> InvocationLogs:
    """Logs, with the filter as the request has it, or as tables `where` and `where_not`, joined by `any = true`."""
    from bedrock_distill.resources.log_filters import is_request, joined  # noqa: PLC0415 - it brings what reads logs with it

    rest = dict(data)
    where, where_not, any_of = (rest.pop(name, None) for name in ("where", "where_not", "any"))
    for name, value, kind in (("where", where, dict), ("where_not", where_not, dict), ("any", any_of, bool)):
        if value is not None and not isinstance(value, kind):
            form = "true or false" if kind is bool else 'a table, as in { project = "triage" }'
            raise SpecError(f"data.{name} must be {form} (got {value!r}).", field=f"data.{name}", value=value)
    if where is not None and is_request(where):
        if where_not is not None or any_of is not None:
            raise SpecError(
                "data.where is a whole filter as AWS's request has it, so there can be no data.where_not and no data.any "
                "beside it.",
                field="data.where",
                value=where,
            )
    elif where is not None or where_not is not None:
        where = joined(where or {}, where_not or {}, any_of=bool(any_of))
    elif any_of is not None:
        raise SpecError("data.any joins data.where and data.where_not; neither is there.", field="data.any")
    return InvocationLogs(**rest, where=where)


def _deployment(fields: dict[str, Any], _: Path) -> OnDemandDeployment:
    return OnDemandDeployment(**fields)


def _harvest(fields: dict[str, Any], _: Path) -> ServerlessHarvest:
    return ServerlessHarvest(**fields)


_READERS: dict[
    str, Callable[[dict[str, Any], Path], Distillation | OnDemandDeployment | ServerlessHarvest]
] = {
    "distillation": _distillation,
    "deployment": _deployment,
    "harvest": _harvest,
}
