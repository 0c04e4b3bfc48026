"""Job files: a spec as TOML, for the command line and for review in a repository.

A file holds one of the tables in `TABLES`, with the fields of the spec that the table names; a spec inside a spec is a table
inside the table. Paths in a file are read from the file's own folder.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from bedrock_distill.errors import SpecError
from bedrock_distill.resources.batch import BatchInference
from bedrock_distill.resources.data import InvocationLogs, Prompts
from bedrock_distill.resources.deployment import OnDemandDeployment
from bedrock_distill.resources.distillation import Distillation
from bedrock_distill.resources.emr_harvest import ServerlessHarvest
from bedrock_distill.resources.endpoint import CONTAINERS, Endpoint
from bedrock_distill.resources.evaluation_job import BedrockEvaluation, CustomMetric
from bedrock_distill.resources.model_copy import ModelCopy
from bedrock_distill.resources.model_import import ModelImport
from bedrock_distill.resources.provisioned import ProvisionedThroughput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from bedrock_distill.resources.spec import Spec

__all__ = ["TABLES", "naming", "one_table", "read_job_file", "read_logs"]

_Read = TypeVar("_Read")


def read_job_file(path: str | Path) -> Spec:
    """Read a spec.

    Raises:
        SpecError: If the file cannot be read, does not hold exactly one known table, or a field is wrong.
    """
    path = Path(path)
    name, fields = one_table(path, TABLES, what="the job file ")
    return naming(path, lambda: TABLES[name].read(fields, path.parent))


def one_table(path: Path, known: Iterable[str], *, what: str = "") -> tuple[str, dict[str, Any]]:
    """The name and the fields of the only table of a TOML file.

    Args:
        path: The file.
        known: Names that the table may have.
        what: What the file is, in words, for where it cannot be read.

    Raises:
        SpecError: If it cannot be read, or does not hold exactly one table of these names.
    """
    try:
        document = tomllib.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise SpecError(
            f"Could not read {what}{str(path)!r}: {error.strerror or error}.", value=str(path)
        ) from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SpecError(
            f"Could not read {what}{str(path)!r}: it is not TOML ({error}).", value=str(path)
        ) from error
    names = tuple(known)
    name, fields = next(iter(document.items()), ("", None))
    if len(document) != 1 or name not in names or not isinstance(fields, dict):
        wanted = ("one of " if len(names) > 1 else "") + ", ".join(f"[{each}]" for each in names)
        raise SpecError(
            f"{path} must hold exactly one table, {wanted}; it holds: {', '.join(document) or 'nothing'}.",
            value=str(path),
        )
    return name, fields


def naming(path: Path, read: Callable[[], _Read]) -> _Read:
    """What a file's fields are read as; an error names the file.

    Raises:
        SpecError: If a field is wrong.
    """
    try:
        return read()
    except SpecError as error:
        raise SpecError(f"{path}: {error.message}", field=error.field, value=error.value) from error


@dataclass(frozen=True, slots=True)
class _Table:
    """A table of job files."""

    spec: type[Spec]
    """What it describes."""
    readers: Mapping[str, Callable[[Any, Path], Any]] = field(default_factory=dict)
    """Field -> how its value and the file's folder become the spec's; all other fields are taken as they are."""

    def read(self, fields: Mapping[str, Any], folder: Path) -> Spec:
        """The spec that these fields make."""
        read = {name: of(fields[name], folder) for name, of in self.readers.items() if name in fields}
        return self.spec(**{**fields, **read})


def _data(value: object, folder: Path) -> Prompts | InvocationLogs:
    """A file of prompts by its path, or a table that names prompts or logs."""
    if isinstance(value, dict) and "source" in value:
        return read_logs(value)
    return _prompts(value, folder)


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


def read_logs(data: dict[str, Any]) -> InvocationLogs:
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


def _model(value: object, folder: Path) -> object:
    """A model's directory, or the S3 prefix that holds one."""
    if not isinstance(value, str) or value.startswith("s3:/"):
        return value
    return str(folder / Path(value).expanduser())


def _container(value: object, _: Path) -> object:
    """A container by its `kind`, with its own settings."""
    if not isinstance(value, dict):
        raise SpecError(
            f'container must be a table, as in [endpoint.container] with kind = "vllm" (got {value!r}).',
            field="container",
            value=value,
        )
    settings = dict(value)
    kind = settings.pop("kind", None)
    if not isinstance(kind, str) or kind not in CONTAINERS:
        raise SpecError(
            f"container.kind must be one of {', '.join(CONTAINERS)} (got {kind!r}).",
            field="container.kind",
            value=kind,
        )
    return CONTAINERS[kind](**settings)


def _custom_metrics(value: object, _: Path) -> object:
    """Metrics of one's own, each a table."""
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise SpecError(
            f"custom_metrics must be tables, as in [[evaluation.custom_metrics]] (got {value!r}).",
            field="custom_metrics",
            value=value,
        )
    return tuple(CustomMetric(**each) for each in value)


TABLES: Mapping[str, _Table] = {
    "distillation": _Table(Distillation, {"data": _data}),
    "deployment": _Table(OnDemandDeployment),
    "provisioned": _Table(ProvisionedThroughput),
    "import": _Table(ModelImport, {"model": _model}),
    "copy": _Table(ModelCopy),
    "endpoint": _Table(Endpoint, {"model": _model, "container": _container}),
    "batch": _Table(BatchInference, {"data": _prompts}),
    "harvest": _Table(ServerlessHarvest),
    "evaluation": _Table(BedrockEvaluation, {"data": _prompts, "custom_metrics": _custom_metrics}),
}
"""Name of a table -> what it describes."""
