"""Which instance an endpoint runs on, and how many GPUs share a copy of the model there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bedrock_distill.errors import SpecError
from bedrock_distill.resources.endpoint.containers import Problem, choose_instance

if TYPE_CHECKING:
    from bedrock_distill.catalog import Catalog
    from bedrock_distill.models import ModelReport
    from bedrock_distill.resources.endpoint.spec import Endpoint

__all__ = ["Place", "place_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
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


def place_of(spec: Endpoint, report: ModelReport, catalog: Catalog, region: str) -> Place:
    """The instance that the spec names, or the first that holds the model and that nothing speaks against.

    Raises:
        SpecError: If none of the catalog's instances holds it, or `auto` has nothing to go by.
    """
    container, name, why, shape = spec.container, spec.instance, "", report.shape
    if name == "auto":
        if shape is None:
            reasons = "; ".join(finding.text for finding in report.findings if finding.severity == "error")
            raise SpecError(
                f"instance 'auto' needs the model's config and weights to go by, and those of {spec.model} cannot be read"
                f"{f' ({reasons})' if reasons else ''}: repair the model, or name an instance type.",
                field="instance",
                value="auto",
            )
        choice = choose_instance(container, shape, catalog=catalog, region=region)
        first = "the cheapest" if choice.row.usd_per_hour is not None else "the smallest"
        name = choice.instance
        why = (
            f"{first} for {container.concurrency} requests of {container.context_for(shape):,} tokens at once"
        )
    problems = tuple(container.check(shape, name, catalog=catalog, region=region))
    row = next((each for each in catalog.instances if each.name == name), None)
    degree = container.tensor_parallel
    if degree is None and shape is not None and row is not None:
        try:
            degree = container.degree(shape, row, catalog)
        except SpecError as error:
            problems = (*problems, Problem("tensor_parallel", None, error.message))
    return Place(
        instance=name,
        tensor_parallel=degree or 1,
        gpus=row.gpus if row else 0,
        host_mib=row.memory_mib if row else 0,
        problems=problems,
        why=why,
    )
