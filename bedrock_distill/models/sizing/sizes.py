"""Which instances a model fits, how well, and what quantizing it would change."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from bedrock_distill.errors import SpecError
from bedrock_distill.models.sizing.fitting import Need
from bedrock_distill.models.sizing.formats import ALTERNATIVES, FORMATS, format_of
from bedrock_distill.models.sizing.memory import Assumptions, KvDtype, kv_bytes_per_token
from bedrock_distill.models.sizing.ranking import Place, SizeRow, places, rank
from bedrock_distill.models.sizing.rendering import render

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bedrock_distill.catalog import Catalog
    from bedrock_distill.models.shape import ModelShape
    from bedrock_distill.models.sizing.formats import WeightFormat

__all__ = ["Alternative", "SizeTable", "size"]

_DEFAULT_CONTEXT = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """Another format for the weights, and the first instance that fits them."""

    format: str
    made: str
    """How a 16-bit checkpoint comes to it."""
    weight_bytes: int
    """An estimate, by the format's bits."""
    best: SizeRow | None
    fitting: int
    """How many of the instances fit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeTable:
    """Instances for a model, those that fit first, the smallest of them first."""

    shape: ModelShape
    format: str
    weight_bytes: int
    estimated: bool
    """Whether the weights' bytes are an estimate; as stored they are counted from the headers."""
    kv_bytes_per_token: int
    """Bytes of cache for one token, over all GPUs of a copy (without replication)."""
    context: int
    concurrency: int
    rows: tuple[SizeRow, ...]
    alternatives: tuple[Alternative, ...]
    assumptions: tuple[str, ...]

    @property
    def fitting(self) -> tuple[SizeRow, ...]:
        """The rows that fit."""
        return tuple(row for row in self.rows if row.fits)

    @property
    def best(self) -> SizeRow | None:
        """The first row that fits: the cheapest where prices are known, otherwise the smallest."""
        return next(iter(self.fitting), None)

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)

    def __str__(self) -> str:
        return render(self)


def size(
    shape: ModelShape,
    instances: Sequence[str] | None = None,
    *,
    catalog: Catalog,
    context: int | None = None,
    concurrency: int = 8,
    quantize: str | None = None,
    kv_dtype: KvDtype = "auto",
    copies: bool = True,
    latency_s: float | None = None,
    output_tokens: int = 256,
    region: str = "*",
    assumptions: Assumptions | None = None,
) -> SizeTable:
    """Say which instances a model fits. Nothing is measured and nothing is asked of AWS.

    Args:
        shape: The model, as its config and headers describe it.
        instances: Instance types to consider. Default: every one in the catalog.
        catalog: Where instances, GPUs and prices stand.
        context: Tokens of a request with its answer. Default: the model's own, but at most 8,192.
        concurrency: Requests of that length to hold at once.
        quantize: Hold the weights as `fp8`, `int8`, `4-bit` or `bitsandbytes` instead of as they are stored.
        kv_dtype: `fp8` halves the cache.
        copies: Whether GPUs that one copy of the model leaves over hold more copies (LMI), or stay idle.
        latency_s: Rule out instances whose memory is too slow to write an answer of `output_tokens` in this time. That is
            a bound from below: what remains may still be slower.
        output_tokens: Tokens of an answer, for `latency_s`.
        region: Region of the prices.
        assumptions: What is assumed about memory. Default: `Assumptions()`.

    Raises:
        SpecError: If a value is out of its range, or an instance type is unknown.
    """
    wanted = _context(shape, context)
    for name, value in (("concurrency", concurrency), ("output_tokens", output_tokens)):
        if value < 1:
            raise SpecError(f"{name} {value}: at least 1", field=name, value=value)
    if latency_s is not None and latency_s <= 0:
        raise SpecError(f"latency_s {latency_s}: more than 0 seconds", field="latency_s", value=latency_s)
    need = Need(
        shape=shape,
        held=_format(shape, quantize),
        context=wanted,
        concurrency=concurrency,
        kv_dtype=kv_dtype,
        copies=copies,
        assumptions=assumptions or Assumptions(),
    )
    most_ms = None if latency_s is None else latency_s * 1e3 / output_tokens
    among = places(catalog, instances, region)
    stored = format_of(shape)
    others = [
        FORMATS[name] for name in ALTERNATIVES if shape.quantization is None and FORMATS[name] != need.held
    ]
    return SizeTable(
        shape=shape,
        format=need.held.name,
        weight_bytes=need.weight_bytes,
        estimated=need.held != stored,
        kv_bytes_per_token=kv_bytes_per_token(shape, kv_dtype=kv_dtype),
        context=wanted,
        concurrency=concurrency,
        rows=rank(need, among, most_ms=most_ms),
        alternatives=tuple(_alternative(replace(need, held=other), among, most_ms) for other in others),
        assumptions=_stated(need),
    )


def _context(shape: ModelShape, context: int | None) -> int:
    if context is None:
        return min(shape.context, _DEFAULT_CONTEXT)
    if not 1 <= context <= shape.context:
        raise SpecError(
            f"context {context:,}: this model takes 1 to {shape.context:,} tokens (max_position_embeddings)",
            field="context",
            value=context,
        )
    return context


def _format(shape: ModelShape, quantize: str | None) -> WeightFormat:
    if quantize is None:
        return format_of(shape)
    if quantize not in ALTERNATIVES:
        raise SpecError(
            f"quantize {quantize!r}: one of {', '.join(ALTERNATIVES)}", field="quantize", value=quantize
        )
    if shape.quantization is not None:
        raise SpecError(
            f"quantize {quantize!r}: the weights are quantized already ({shape.quantization.method}); leave it out",
            field="quantize",
            value=quantize,
        )
    return FORMATS[quantize]


def _alternative(need: Need, among: Iterable[Place], most_ms: float | None) -> Alternative:
    fitting = [row for row in rank(need, among, most_ms=most_ms) if row.fits]
    return Alternative(
        format=need.held.name,
        made=need.held.made,
        weight_bytes=need.weight_bytes,
        best=fitting[0] if fitting else None,
        fitting=len(fitting),
    )


def _stated(need: Need) -> tuple[str, ...]:
    given, shape = need.assumptions, need.shape
    said = [
        f"A server may use {given.memory_utilization:.0%} of a GPU's memory.",
        f"Activations and CUDA take {given.overhead_share:.0%} of it, but at least {given.overhead_floor_gib} GiB.",
        f"CUDA graphs take {given.graphs_gib} GiB and {given.graphs_gib_per_sequence * 1024:.1f} MiB a request.",
        "Quantized weights are estimated: the format's bits for linear layers, 16 for embeddings.",
        "ms/token is a bound from below: weights read once a token at the nominal memory bandwidth.",
    ]
    if shape.sliding_window is not None and shape.full_layers != 0:
        said.append("Windowed layers are counted with a full-length cache; servers may keep less.")
    if shape.experts:
        said.append("All experts are in memory, whichever are used.")
    return tuple(said)
