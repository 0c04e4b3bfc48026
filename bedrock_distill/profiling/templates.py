"""Which prompts share their fixed text: learned from a sample, then told of any prompt.

A prompt is looked at as windows (`records.curation.windows`): 16 bytes from the beginning of each word, without digits. The
windows of one fixed text stand in exactly the same prompts of the sample, which is how they are found: windows with the
same set of prompts are one *block*. A slot makes no block: of a value that comes again and again, be it a date or a name,
only the few windows around it share their prompts. (A slot among the first words of a text does: it looks like an order.)

Blocks then divide the sample, the most frequent first. One of the system prompt makes a group of its own from
`TEMPLATE_SHARE` of the sample on. In the user's text it must be a noticeable share of the group that it divides, and a larger
one in its midst than where a prompt begins: a greeting, or a document that comes again, is no template.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import xxhash

from bedrock_distill.records.curation.sketches import TEMPLATE_COUNT, TEMPLATE_SHARE
from bedrock_distill.records.curation.windows import windows_of
from bedrock_distill.records.tokens import SEPARATOR

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

__all__ = ["NO_TEMPLATE", "Asked", "Templates", "asked_of", "learn_templates"]

Asked = tuple[bytes, bytes]
"""System prompt and the user's text, as `asked_of` gives them."""

NO_TEMPLATE: Final = 0
"""The template of prompts without a fixed text that is known."""

HEAD_BYTES: Final = 4096
TAIL_BYTES: Final = 2048
"""What is looked at of a long text: fixed text stands at its ends."""

_MOST_BLOCKS: Final = 1024
_SHORT, _LONG = 2, 8
"""Fewest windows of a block: of one that a text begins with, and of any other. A slot's value makes three to six."""
_SHARES: Final = {"system": 0.0, "opening": 0.02, "inside": 0.1}
"""Where a block stands -> its least share of the group that it divides."""
_PROOFS: Final = 3
"""Windows that a block is told by: most of them must be there."""
_BATCH: Final = 512
"""Prompts whose windows are found at once."""

_DIGITS: Final = b"0123456789"


@dataclass(frozen=True, slots=True)
class _Windows:
    """Which window stands in which prompt, each pair once, by window and then by prompt."""

    hashes: NDArray[np.uint64]
    owners: NDArray[np.int64]
    system: NDArray[np.bool_]
    """Whether the window stands in the system prompt there."""
    first: NDArray[np.bool_]
    """Whether the prompt begins with it: the system prompt, or the user's text where there is no other."""


@dataclass(frozen=True, slots=True)
class _Block:
    """Windows that stand in the same prompts."""

    hashes: NDArray[np.uint64]
    members: NDArray[np.int64]
    least_share: float
    """Of the group that it divides."""


@dataclass(frozen=True, slots=True)
class Templates:
    """What was learned: the blocks by their windows, and how they divide prompts."""

    proofs: NDArray[np.uint64]
    """Windows by which blocks are told, sorted."""
    owners: NDArray[np.int64]
    """The block of each."""
    needed: NDArray[np.int64]
    """How many of its windows each block needs."""
    branches: dict[tuple[int, int], int]
    """Template so far, and block -> template with it. Blocks are asked in their order."""
    names: tuple[str, ...]
    """A name for each template that follows from its windows, the same whenever they are."""

    def of(self, asked: Sequence[Asked]) -> list[int]:
        """The template of each prompt."""
        found = [NO_TEMPLATE] * len(asked)
        if not len(self.proofs):
            return found
        for start, windows in _batches(asked):
            places = np.searchsorted(self.proofs, windows.hashes)
            places[places == len(self.proofs)] = 0
            hits = self.proofs[places] == windows.hashes
            blocks = self.owners[places[hits]]
            pairs, counts = np.unique(
                np.stack((windows.owners[hits], blocks), axis=1), axis=0, return_counts=True
            )
            there = pairs[counts >= self.needed[pairs[:, 1]]]
            for owner, block in there.tolist():  # sorted: prompt by prompt, and its blocks in their order
                found[start + owner] = self.branches.get((found[start + owner], block), found[start + owner])
        return found


def asked_of(system: str, prompt: str) -> Asked:
    """What is looked at of a prompt: both texts in UTF-8, long ones without their middle."""
    return _clipped(system), _clipped(prompt)


def _clipped(text: str) -> bytes:
    data = text.encode("utf-8", "surrogatepass")
    if len(data) <= HEAD_BYTES + TAIL_BYTES:
        return data
    return data[:HEAD_BYTES] + SEPARATOR + data[-TAIL_BYTES:]


def learn_templates(asked: Sequence[Asked]) -> Templates:
    """Find the fixed texts of a sample.

    Args:
        asked: Prompts. One that is there many times counts once: it would look like a template with nothing in it.
    """
    distinct = sorted(set(asked))
    least = max(TEMPLATE_COUNT, math.ceil(TEMPLATE_SHARE * len(distinct)))
    blocks = _blocks(_common(distinct, least), distinct)
    branches, names, used = _divided(blocks, len(distinct), least)
    proofs = [
        (hash_, number) for number in used for hash_ in np.sort(blocks[number].hashes)[:_PROOFS].tolist()
    ]
    proofs.sort()
    counts = np.bincount(np.array([number for _, number in proofs], np.int64), minlength=len(blocks))
    return Templates(
        proofs=np.array([hash_ for hash_, _ in proofs], np.uint64),
        owners=np.array([number for _, number in proofs], np.int64),
        needed=counts // 2 + 1,
        branches=branches,
        names=names,
    )


def _batches(asked: Sequence[Asked]) -> Iterator[tuple[int, _Windows]]:
    for start in range(0, len(asked), _BATCH):
        yield start, _windows(asked[start : start + _BATCH])


def _windows(asked: Sequence[Asked]) -> _Windows:
    """The windows of prompts. System prompt and text are looked at apart, so that none reaches over the border."""
    windows = windows_of([text.translate(None, _DIGITS) for pair in asked for text in pair])
    parts = windows.each(np.arange(2 * len(asked)))
    system, owners = parts % 2 == 0, parts // 2
    first = np.append(True, owners[1:] != owners[:-1])[: len(owners)]
    order = np.lexsort((~first, ~system, owners, windows.hashes))
    hashes, owners = windows.hashes[order], owners[order]
    new = np.ones(len(order), np.bool_)
    new[1:] = (hashes[1:] != hashes[:-1]) | (owners[1:] != owners[:-1])
    kept = order[new]
    return _Windows(hashes[new], owners[new], system[kept], first[kept])


def _common(asked: Sequence[Asked], least: int) -> _Windows:
    """The windows that stand in at least so many prompts. What is rare is dropped in between, so that memory stays small."""
    counts = np.zeros(1 << 20, np.uint32)
    for _, windows in _batches(asked):
        np.add.at(counts, (windows.hashes >> np.uint64(44)).view(np.int64), np.uint32(1))
    found = []
    for start, windows in _batches(asked):
        kept = counts[(windows.hashes >> np.uint64(44)).view(np.int64)] >= least
        found.append(
            (windows.hashes[kept], windows.owners[kept] + start, windows.system[kept], windows.first[kept])
        )
    if not found:
        none = np.empty(0, np.bool_)
        return _Windows(np.empty(0, np.uint64), np.empty(0, np.int64), none, none)
    columns = [np.concatenate(column) for column in zip(*found, strict=True)]
    order = np.lexsort((columns[1], columns[0]))
    hashes, owners, system, first = (column[order] for column in columns)
    runs = _runs(hashes)
    sizes = np.diff(np.append(runs, len(hashes)))
    kept = np.repeat(sizes >= least, sizes)
    return _Windows(hashes[kept], owners[kept], system[kept], first[kept])


def _runs(values: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Where runs of equal values begin."""
    if not len(values):
        return np.empty(0, np.int64)
    return np.flatnonzero(np.append(True, values[1:] != values[:-1]))


def _blocks(windows: _Windows, asked: Sequence[Asked]) -> list[_Block]:
    """Windows with the same prompts, put together; the most frequent first."""
    begins = _runs(windows.hashes)
    if not len(begins):
        return []
    # A set of prompts as the sum of a random number of each: equal sums mean equal sets, whatever the order.
    texts = map(SEPARATOR.join, asked)
    numbers = np.fromiter(map(xxhash.xxh3_64_intdigest, texts), np.uint64, len(asked))
    sets = np.add.reduceat(numbers[windows.owners], begins)
    supports = np.diff(np.append(begins, len(windows.hashes)))
    system, first = (
        2 * np.add.reduceat(marks.astype(np.int64), begins) >= supports
        for marks in (windows.system, windows.first)
    )
    order = np.lexsort((windows.hashes[begins], sets, -supports))
    edges = _runs(sets[order])
    blocks = []
    for begin, end in zip(edges, np.append(edges[1:], len(order)), strict=True):
        inside = order[begin:end]
        opening = bool(first[inside].any())
        if len(inside) < (_SHORT if opening else _LONG):
            continue
        place = "system" if system[inside].any() else "opening" if opening else "inside"
        start = begins[inside[0]]
        blocks.append(
            _Block(
                hashes=windows.hashes[begins[inside]],
                members=windows.owners[start : start + supports[inside[0]]],
                least_share=_SHARES[place],
            )
        )
        if len(blocks) == _MOST_BLOCKS:
            break
    return blocks


def _divided(
    blocks: Sequence[_Block], count: int, least: int
) -> tuple[dict[tuple[int, int], int], tuple[str, ...], list[int]]:
    """How blocks divide the sample: the branches, a name for each template, and the blocks that matter."""
    templates = np.zeros(count, np.int64)
    sizes = [count]
    branches: dict[tuple[int, int], int] = {}
    names = ["none"]
    used = []
    for number, block in enumerate(blocks):
        held, counts = np.unique(templates[block.members], return_counts=True)
        for template, inside in zip(held.tolist(), counts.tolist(), strict=True):
            if inside < max(least, block.least_share * sizes[template]) or (
                inside == sizes[template] and template != NO_TEMPLATE
            ):
                continue
            branches[template, number] = len(sizes)
            members = block.members[templates[block.members] == template]
            templates[members] = len(sizes)
            sizes[template] -= inside
            sizes.append(inside)
            proof = int(block.hashes.min())
            names.append(xxhash.xxh3_64_hexdigest(f"{names[template]}/{proof:016x}".encode())[:8])
            used.append(number)
    return branches, tuple(names), sorted(set(used))
