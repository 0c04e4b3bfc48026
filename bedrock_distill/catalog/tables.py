"""Loading the catalog's data files, laying a user's file over them, and the questions one may ask."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from bedrock_distill.catalog.architectures import Architecture, ServingTarget
from bedrock_distill.catalog.ids import ModelRef, read_model_id
from bedrock_distill.catalog.rows import Model, Pair, Price, PriceKind, Quota
from bedrock_distill.catalog.serving import Ami, Gpu, Image, Instance, Registry
from bedrock_distill.errors import SpecError

__all__ = ["OVERRIDE_VARIABLE", "Catalog", "load_catalog"]

OVERRIDE_VARIABLE = "BEDROCK_DISTILL_CATALOG"
"""Environment variable that names a user's override file."""

_Row = TypeVar("_Row", bound=msgspec.Struct)

_FILES = (
    "models.toml",
    "pairs.toml",
    "quotas.toml",
    "prices.toml",
    "instances.toml",
    "images.toml",
    "architectures.toml",
)
_TABLES: dict[str, type[Any]] = {
    "model": Model,
    "pair": Pair,
    "quota": Quota,
    "price": Price,
    "instance": Instance,
    "gpu": Gpu,
    "image": Image,
    "registry": Registry,
    "ami": Ami,
    "architecture": Architecture,
    "target": ServingTarget,
}
_KEYS: dict[str, tuple[str, ...]] = {
    "model": ("id",),
    "pair": ("teacher", "student"),
    "quota": ("name",),
    "price": ("model", "kind", "region"),
    "instance": ("name",),
    "gpu": ("name",),
    "image": ("framework", "version"),
    "registry": ("region",),
    "ami": ("cuda",),
    "architecture": ("name",),
    "target": ("name",),
}
_DEFAULT_KEYS = {"region": "*"}
_LABELS = ("id", "name", "teacher", "model", "version", "region", "cuda")
"""Fields that tell a row apart in a message; the first that it has."""


@dataclass(frozen=True, slots=True)
class Catalog:
    """What is known of models, pairs, quotas and prices. A value: build another to change it."""

    models: tuple[Model, ...]
    pairs: tuple[Pair, ...]
    quotas: tuple[Quota, ...]
    prices: tuple[Price, ...]
    instances: tuple[Instance, ...] = ()
    gpus: tuple[Gpu, ...] = ()
    images: tuple[Image, ...] = ()
    registries: tuple[Registry, ...] = ()
    amis: tuple[Ami, ...] = ()
    architectures: tuple[Architecture, ...] = ()
    targets: tuple[ServingTarget, ...] = ()

    def find(self, identifier: str | ModelRef) -> Model | None:
        """The model behind an id, a context variant, an inference profile or an ARN; None where unknown."""
        ref = identifier if isinstance(identifier, ModelRef) else read_model_id(identifier)
        return next((model for model in self.models if model.id == ref.model), None)

    def model(self, identifier: str) -> Model:
        """Like `find`, for a model that must be known.

        Raises:
            SpecError: If the catalog has no such model; the message suggests near ids.
        """
        found = self.find(identifier)
        if found is None:
            near = get_close_matches(identifier, [model.id for model in self.models], n=3, cutoff=0.5)
            hint = f" Did you mean {', '.join(near)}?" if near else ""
            raise SpecError(
                f"The catalog has no model {identifier!r}.{hint} "
                "Add it to an override file if AWS offers it (docs/how-to/catalog.md).",
                field="model",
                value=identifier,
            )
        return found

    def pair(self, teacher: str, student: str) -> Pair | None:
        """The pair of two models, however they are named; None where AWS lists no such pair."""
        wanted = (read_model_id(teacher).model, read_model_id(student).model)
        return next((pair for pair in self.pairs if (pair.teacher, pair.student) == wanted), None)

    def students_of(self, teacher: str) -> tuple[Pair, ...]:
        """Every pair with this teacher that is still offered somewhere."""
        wanted = read_model_id(teacher).model
        return tuple(pair for pair in self.pairs if pair.teacher == wanted and not pair.withdrawn)

    def instance(self, name: str) -> Instance:
        """A GPU instance type, with or without the `ml.` before its name.

        Raises:
            SpecError: If the catalog has no such instance type; the message suggests near ones.
        """
        wanted = name if name.startswith("ml.") else f"ml.{name}"
        found = next((row for row in self.instances if row.name == wanted), None)
        if found is None:
            near = get_close_matches(wanted, [row.name for row in self.instances], n=3)
            hint = f" Did you mean {', '.join(near)}?" if near else ""
            raise SpecError(
                f"The catalog has no GPU instance type {name!r}.{hint} "
                "Add an [[instance]] to an override file if SageMaker offers it (docs/how-to/catalog.md).",
                field="instance",
                value=name,
            )
        return found

    def gpu(self, name: str) -> Gpu:
        """A GPU by its name.

        Raises:
            SpecError: If an instance names a GPU that no row describes.
        """
        for row in self.gpus:
            if row.name == name:
                return row
        known = ", ".join(row.name for row in self.gpus)
        raise SpecError(
            f"The catalog has no GPU {name!r}; it knows {known}. Add a [[gpu]] to your override file.",
            field="gpu",
            value=name,
        )

    def architecture(self, name: str) -> Architecture | None:
        """What is known of a model class, such as `LlamaForCausalLM`; None where nothing is."""
        return next((row for row in self.architectures if row.name == name), None)

    def quota(self, name: str) -> int:
        """A quota's value.

        Raises:
            KeyError: If there is no quota of that name: names are this package's, so it is a slip in code.
        """
        for quota in self.quotas:
            if quota.name == name:
                return quota.value
        raise KeyError(name)

    def price(self, model: str, kind: PriceKind, region: str) -> Price | None:
        """A price in a region, or the one that holds everywhere, or None: unknown, never guessed."""
        wanted = read_model_id(model).model or model
        rows = [price for price in self.prices if price.model == wanted and price.kind == kind]
        return next((row for row in rows if row.region == region), None) or next(
            (row for row in rows if row.region == "*"), None
        )


def load_catalog(override: str | os.PathLike[str] | None = None) -> Catalog:
    """The shipped catalog with a user's file laid over it.

    Args:
        override: A TOML file with any of the catalog's tables (`model`, `pair`, `quota`, `price`, …). A row with the key of a
            shipped row changes the fields it names; any other row is added. Default: the file that the environment
            variable `BEDROCK_DISTILL_CATALOG` names, if it is set.

    Raises:
        SpecError: If the file cannot be read, or a row has an unknown, missing or mistyped field.
    """
    path = override if override is not None else os.environ.get(OVERRIDE_VARIABLE)
    if not path:
        return _shipped_catalog()
    tables = {table: [dict(row) for row in rows] for table, rows in _shipped().items()}
    _lay_over(tables, Path(path))
    return _catalog(tables, str(path))


@cache
def _shipped_catalog() -> Catalog:
    return _catalog(_shipped(), "the shipped catalog")


def _catalog(tables: dict[str, list[dict[str, Any]]], where: str) -> Catalog:
    return Catalog(
        models=tuple(_row(Model, row, where) for row in tables["model"]),
        pairs=tuple(_row(Pair, row, where) for row in tables["pair"]),
        quotas=tuple(_row(Quota, row, where) for row in tables["quota"]),
        prices=tuple(_row(Price, row, where) for row in tables["price"]),
        instances=tuple(_row(Instance, row, where) for row in tables["instance"]),
        gpus=tuple(_row(Gpu, row, where) for row in tables["gpu"]),
        images=tuple(_row(Image, row, where) for row in tables["image"]),
        registries=tuple(_row(Registry, row, where) for row in tables["registry"]),
        amis=tuple(_row(Ami, row, where) for row in tables["ami"]),
        architectures=tuple(_row(Architecture, row, where) for row in tables["architecture"]),
        targets=tuple(_row(ServingTarget, row, where) for row in tables["target"]),
    )


@cache
def _shipped() -> dict[str, list[dict[str, Any]]]:
    folder = resources.files("bedrock_distill.catalog") / "data"
    tables: dict[str, list[dict[str, Any]]] = {table: [] for table in _TABLES}
    for name in _FILES:
        for table, rows in tomllib.loads((folder / name).read_text("utf-8")).items():
            tables[table].extend(rows)
    return tables


def _lay_over(tables: dict[str, list[dict[str, Any]]], path: Path) -> None:
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SpecError(
            f"Could not read the catalog override {str(path)!r}: {error}", value=str(path)
        ) from error
    for table, rows in document.items():
        rows_are_tables = isinstance(rows, list) and all(isinstance(row, dict) for row in rows)
        if table not in _TABLES or not rows_are_tables:
            raise SpecError(
                f"{path}: unknown table {table!r}; a catalog override holds "
                f"{', '.join(f'[[{known}]]' for known in _TABLES)}.",
                field=table,
            )
        index = {_key(table, row): row for row in tables[table]}
        for row in rows:
            known = index.get(_key(table, row))
            if known is None:
                index[_key(table, row)] = added = dict(row)
                tables[table].append(added)
            else:
                known.update(row)


def _key(table: str, row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row.get(name, _DEFAULT_KEYS.get(name)) for name in _KEYS[table])


def _row(cls: type[_Row], row: dict[str, Any], where: str) -> _Row:
    try:
        return msgspec.convert(row, cls)
    except msgspec.ValidationError as error:
        label = next((row[name] for name in _LABELS if row.get(name)), "?")
        known = ", ".join(cls.__struct_fields__)
        raise SpecError(
            f"{where}: {cls.__name__.lower()} {label!r}: {error}. Fields are: {known}."
        ) from error
