"""Writing the files of a data set, and its card beside them, so that all appear or none does."""

from __future__ import annotations

import hashlib
import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np

from bedrock_distill.records.curation.card import Card, Part
from bedrock_distill.records.curation.pool import GOLDEN, UNLABELLED
from bedrock_distill.records.writing import RecordWriter

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from bedrock_distill.records.curation.pool import Columns, Pool
    from bedrock_distill.records.splitting import Shares

__all__ = ["CARD_JSON", "CARD_PAGE", "publish", "write_text"]

CARD_JSON, CARD_PAGE = "card.json", "card.md"
"""Names of the card's files."""


def publish(
    folder: Path,
    pool: Pool,
    columns: Columns,
    rows: NDArray[np.int64],
    *,
    split: NDArray[np.int64],
    shares: Shares,
    facts: dict[str, Any],
) -> Card:
    """Write a file for each share, and the card.

    Args:
        folder: Where they go.
        pool: The records.
        columns: Their columns.
        rows: Which records, in the order in which they are written.
        split: The number of the share of each.
        shares: The shares.
        facts: The card's fields, the parts apart.

    Raises:
        DataError: If the disk refuses.
    """
    digests = [hashlib.sha256() for _ in shares.names]
    with ExitStack() as stack:
        writers = [stack.enter_context(RecordWriter(folder / f"{name}.jsonl")) for name in shares.names]
        for line, side in zip(pool.lines(rows.tolist()), split.tolist(), strict=True):
            writers[side].write_line(line)
            digests[side].update(line + b"\n")
        parts = []
        for side, (name, share) in enumerate(zip(shares.names, shares.fractions, strict=True)):
            of_part = rows[split == side]
            parts.append(
                Part(
                    name=name,
                    path=writers[side].path.name,
                    records=len(of_part),
                    labelled=int(np.count_nonzero(columns.ranks[of_part] != UNLABELLED)),
                    golden=int(np.count_nonzero(columns.ranks[of_part] == GOLDEN)),
                    size_bytes=writers[side].size_bytes,
                    sha256=digests[side].hexdigest(),
                    longest_line_bytes=int(columns.sizes[of_part].max(initial=0)),
                    share=share,
                )
            )
        card = Card(parts=tuple(parts), **facts)
        document = json.dumps(card.to_dict(), indent=2, ensure_ascii=False)
        for name, text in ((CARD_JSON, document), (CARD_PAGE, card.to_markdown())):
            stack.enter_context(RecordWriter(folder / name)).write_line(_encoded(text))
    return card


def write_text(path: Path, text: str) -> None:
    """Write a text, which appears whole or not at all.

    Raises:
        DataError: If the disk refuses.
    """
    with RecordWriter(path) as writer:
        writer.write_line(_encoded(text))


def _encoded(text: str) -> bytes:
    """Without the newline at the end: the writer adds one."""
    return text.removesuffix("\n").encode("utf-8", "replace")
