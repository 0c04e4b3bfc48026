"""Instances in the order in which to consider them for a model, each with what it holds of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bedrock_distill.models.sizing.fitting import Need, Split, least_ms_per_token, splits, why_not
from bedrock_distill.models.sizing.memory import MIB

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bedrock_distill.catalog import Catalog, Gpu, Instance

__all__ = ["Place", "SizeRow", "places", "rank"]


@dataclass(frozen=True, slots=True)
class Place:
    """An instance type, its GPU, and its price where it is known."""

    instance: Instance
    gpu: Gpu
    usd_per_hour: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeRow:
    """One instance type, and what it holds of the model."""

    instance: str
    gpu: str
    gpus: int
    gpu_mib: int
    fits: bool
    why_not: str
    """Why it does not fit, or an empty string."""
    notes: tuple[str, ...]
    """What to know even where it fits."""
    split: Split | None
    """How the model lies on the GPUs; None where no degree of tensor parallelism is allowed."""
    least_ms_per_token: float | None
    """Bound from below by memory bandwidth, or None where unknown."""
    usd_per_hour: float | None
    """Price of the instance where the catalog has one, or None where it is unknown."""


def places(catalog: Catalog, instances: Sequence[str] | None = None, region: str = "*") -> list[Place]:
    """Instance types by name; every one in the catalog where none is named.

    Raises:
        SpecError: If one is unknown.
    """
    rows = [catalog.instance(name) for name in instances] if instances else catalog.instances
    prices = {row.name: catalog.price(row.name, "instance_hour", region) for row in rows}
    return [
        Place(row, catalog.gpu(row.gpu), price.usd if (price := prices[row.name]) else None) for row in rows
    ]


def rank(need: Need, among: Iterable[Place], *, most_ms: float | None = None) -> tuple[SizeRow, ...]:
    """What each instance holds: those that fit first, of them the cheapest, and where prices are unknown the smallest.

    Args:
        need: What is to be served.
        among: The instances.
        most_ms: Milliseconds that a token of an answer may take; None for any.
    """
    ranked = [(_row(need, place, most_ms), place) for place in among]
    return tuple(row for row, _ in sorted(ranked, key=lambda pair: _order(*pair)))


def _order(row: SizeRow, place: Place) -> tuple[object, ...]:
    usd, instance = row.usd_per_hour, place.instance
    host = (instance.gpus * instance.gpu_mib, instance.vcpus, instance.memory_mib, instance.name)
    return (not row.fits, usd is None, usd or 0.0, *host)


def _row(need: Need, place: Place, most_ms: float | None) -> SizeRow:
    instance, gpu = place.instance, place.gpu
    best = next(iter(splits(need, instance)), None)
    least = least_ms_per_token(need, gpu, best.tensor_parallel) if best else None
    reason = why_not(need, instance, gpu, best)
    if not reason and most_ms is not None and least is not None and least > most_ms:
        reason = f"an answer's token takes at least {least:.1f} ms, {most_ms:.1f} ms are wanted"
    return SizeRow(
        instance=instance.name,
        gpu=gpu.name,
        gpus=instance.gpus,
        gpu_mib=instance.gpu_mib,
        fits=not reason,
        why_not=reason,
        notes=tuple(_notes(need, instance, gpu, best)),
        split=best,
        least_ms_per_token=least,
        usd_per_hour=place.usd_per_hour,
    )


def _notes(need: Need, instance: Instance, gpu: Gpu, split: Split | None) -> Iterator[str]:
    if need.held.fast_with is not None and not getattr(gpu, need.held.fast_with):
        yield need.held.slow
    if need.shape.dtype == "bfloat16" and not gpu.bf16:
        yield f'the {gpu.name} has no bfloat16: set dtype="float16", and check the answers'
    if need.kv_dtype == "fp8" and not gpu.fp8:
        yield "an fp8 cache is converted in software"
    if split is not None and (idle := instance.gpus - split.copies * split.tensor_parallel):
        yield f"{idle} GPUs stay idle"
    if instance.memory_mib * MIB < need.weight_bytes:
        yield "the host has less memory than the weights: loading them may be slow or fail"
