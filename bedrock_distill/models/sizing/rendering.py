"""The size table as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bedrock_distill.models.sizing.memory import GIB, MIB

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from bedrock_distill.models.sizing.ranking import SizeRow
    from bedrock_distill.models.sizing.sizes import SizeTable

__all__ = ["render"]

_HEADER = (
    "instance",
    "GPUs",
    "split",
    "free GiB/GPU",
    "tokens in cache",
    "requests",
    "ms/token",
    "USD/hour",
    "remarks",
)
_NUMBERS = range(3, 8)
"""Columns of numbers."""


def render(table: SizeTable) -> str:
    """The table for people: the model, the instances that fit, those that do not and why, alternatives, assumptions."""
    return "\n".join(_parts(table))


def _parts(table: SizeTable) -> Iterator[str]:
    about = "estimated" if table.estimated else "from the headers"
    yield (
        f"{table.shape.architecture}, {_parameters(table.shape.parameters)}: {table.format} weights of "
        f"{_bytes(table.weight_bytes)} ({about}), {table.kv_bytes_per_token:,} bytes of cache a token"
    )
    yield f"For {table.concurrency} requests of {table.context:,} tokens at once:\n"
    yield from _columns([_HEADER, *map(_cells, _alike(table.fitting))], numbers=_NUMBERS)
    if not table.fitting:
        yield "(no instance fits)"
    others = _alike([row for row in table.rows if not row.fits])
    if others:
        yield "\nDo not fit:"
        yield from _columns([(f"  {_names(rows)}", rows[0].why_not) for rows in others])
    if table.alternatives:
        yield "\nWeights in another format (estimated):"
        yield from _columns(
            [
                (
                    f"  {other.format}",
                    _bytes(other.weight_bytes),
                    f"{other.fitting} fit, first {other.best.instance}" if other.best else "none fits",
                    other.made,
                )
                for other in table.alternatives
            ]
        )
    yield "\nAssumed:"
    yield from (f"  {text}" for text in table.assumptions)


def _parameters(count: int) -> str:
    return f"{count / 1e9:.2f}B parameters" if count >= 1e8 else f"{count:,} parameters"


def _bytes(count: int) -> str:
    return f"{count / GIB:.2f} GiB" if count >= GIB / 10 else f"{count / MIB:.2f} MiB"


def _alike(rows: Sequence[SizeRow]) -> list[list[SizeRow]]:
    """Rows of one family with the same GPUs, which differ in the host only: one line for people."""
    groups: dict[tuple[object, ...], list[SizeRow]] = {}
    for row in rows:
        family = row.instance.rpartition(".")[0]
        groups.setdefault((family, row.gpus, row.usd_per_hour, row.why_not), []).append(row)
    return list(groups.values())


def _names(rows: Sequence[SizeRow]) -> str:
    return ", ".join([rows[0].instance, *(row.instance.rpartition(".")[2] for row in rows[1:])])


def _cells(rows: Sequence[SizeRow]) -> tuple[str, ...]:
    row, split = rows[0], rows[0].split
    if split is None:
        return (_names(rows), f"{row.gpus} x {row.gpu}", *[""] * 7)
    copies = f", {split.copies} copies" if split.copies > 1 else ""
    return (
        _names(rows),
        f"{row.gpus} x {row.gpu}",
        f"over {split.tensor_parallel}{copies}",
        f"{split.headroom_per_gpu / GIB:.1f}",
        f"{split.tokens:,}",
        f"{split.requests:,}",
        "unknown" if row.least_ms_per_token is None else f">= {row.least_ms_per_token:.2g}",
        "unknown" if row.usd_per_hour is None else f"{row.usd_per_hour:.3f}",
        "; ".join(row.notes),
    )


def _columns(rows: list[tuple[str, ...]], *, numbers: Collection[int] = ()) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (
            cell.rjust(width) if index in numbers else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "  ".join(cells).rstrip()
