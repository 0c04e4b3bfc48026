"""Which instance an endpoint runs on, and how many GPUs share a copy of the model there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bedrock_distill.errors import SpecError
from bedrock_distill.models.sizing import size
from bedrock_distill.resources.endpoint.containers import Problem

if TYPE_CHECKING:
    from bedrock_distill.catalog import Catalog
    from bedrock_distill.models import ModelShape
    from bedrock_distill.resources.endpoint.spec import Endpoint

__all__ = ["Choice", "choose"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """An instance type, and how the model lies on it."""

    instance: str
    tensor_parallel: int
    gpus: int
    """GPUs of the instance; 0 where the catalog does not know it."""
    host_mib: int
    """Memory of the host in MiB; 0 where the catalog does not know it."""
    problems: tuple[Problem, ...] = ()
    """What cannot work there, or may not."""
    why: str = ""
    """How it was chosen, in words; empty where the spec names it."""


def choose(spec: Endpoint, shape: ModelShape | None, catalog: Catalog, region: str) -> Choice:
    """The instance that the spec names, or the first that holds the model.

    Raises:
        SpecError: If none of the catalog's instances holds it, or `auto` has nothing to go by.
    """
    if spec.instance != "auto":
        return _named(spec, spec.instance, shape, catalog, region)
    if shape is None:
        raise SpecError(
            "instance 'auto' needs the model's config and weights to go by, and they cannot be read: name an instance type.",
            field="instance",
            value="auto",
        )
    table = size(
        shape,
        catalog=catalog,
        context=min(spec.container.context_for(shape), shape.context),
        concurrency=spec.container.concurrency,
        copies=spec.container.copies,
        region=region,
    )
    tried = []
    for row in table.fitting:
        choice = _named(spec, row.instance, shape, catalog, region)
        errors = [problem for problem in choice.problems if problem.severity == "error"]
        if not errors:
            priced = "the cheapest" if row.usd_per_hour is not None else "the smallest"
            return Choice(
                instance=choice.instance,
                tensor_parallel=choice.tensor_parallel,
                gpus=choice.gpus,
                host_mib=choice.host_mib,
                problems=choice.problems,
                why=f"{priced} of {len(table.fitting)} that hold {table.concurrency} requests of {table.context:,} tokens",
            )
        tried.append(f"{row.instance}: {errors[0].text}")
    why = "; ".join(tried[:3]) or "; ".join(f"{row.instance}: {row.why_not}" for row in table.rows[:3])
    raise SpecError(
        f"No instance of the catalog serves this model with these settings ({why}). Lower the container's concurrency or "
        "context, quantize it, or see `bedrock-distill endpoints size`.",
        field="instance",
        value="auto",
    )


def _named(spec: Endpoint, name: str, shape: ModelShape | None, catalog: Catalog, region: str) -> Choice:
    problems = tuple(spec.container.check(shape, name, catalog=catalog, region=region))
    row = next((each for each in catalog.instances if each.name == name), None)
    degree = spec.container.tensor_parallel
    if degree is None and shape is not None and row is not None:
        try:
            degree = spec.container.degree(shape, row, catalog)
        except SpecError as error:
            problems = (*problems, Problem("tensor_parallel", None, error.message))
    return Choice(
        instance=name,
        tensor_parallel=degree or 1,
        gpus=row.gpus if row else 0,
        host_mib=row.memory_mib if row else 0,
        problems=problems,
    )
