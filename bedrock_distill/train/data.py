"""Records as token ids: encoding, splitting, ordering and batching.

Everything about order is a pure function of the seed and the epoch, so a run that was interrupted finds its place again
from the number of steps it has done.
"""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from bedrock_distill.errors import DataError, Offence
from bedrock_distill.records.reading import read_records
from bedrock_distill.train.tokens import prompt_text, token_ids

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from bedrock_distill.records.schema import Record

__all__ = ["Batch", "Encoded", "collate", "encode_files", "epoch_batches", "held_out", "texts_of"]

SYSTEM_WEIGHT = 20
"""For how many records a system prompt counts when words are learned."""
CHUNK = 512
"""Records encoded at once; what is held beside the ids themselves."""
WINDOW = 32
"""Batches sorted by length together: enough that a batch's records are of one length, few enough to stay shuffled."""
SHORTEST_PREFIX = 16
"""A common beginning shorter than this costs more in bookkeeping than it saves."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """Records as ids, back to back in one array: four bytes a token and nothing else."""

    ids: NDArray[np.int32]
    """[tokens] prompt and response of every record, in order."""
    starts: NDArray[np.int64]
    """[records + 1] where each record begins in `ids`."""
    responses: NDArray[np.int64]
    """[records] where each record's response begins in `ids`."""
    files: tuple[int, ...]
    """Records kept from each file."""
    too_long: int
    """Records left out because they are longer than the limit."""
    prefix: int
    """Tokens that every record begins with: the system prompt, mostly. 0 where it is too short to matter."""

    def __len__(self) -> int:
        return len(self.responses)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """[records] tokens in each."""
        return np.diff(self.starts)

    @property
    def response_lengths(self) -> NDArray[np.int64]:
        """[records] response tokens in each, its end token among them."""
        return self.starts[1:] - self.responses


def texts_of(path: Path) -> Iterator[str]:
    """Texts to learn a vocabulary from.

    A system prompt stands in every record, so its words should be whole; but counted as often as it stands there, a long
    one would be all there is. It counts for `SYSTEM_WEIGHT` records at most.
    """
    systems: Counter[int] = Counter()
    for record in read_records(path):
        system = record.system_text
        if system is not None and systems[hash(system)] < SYSTEM_WEIGHT:
            systems[hash(system)] += 1
            yield system
        yield from (message.text for message in record.messages)


def _chunks(records: Iterable[Record]) -> Iterator[list[Record]]:
    iterator = iter(records)
    while chunk := list(islice(iterator, CHUNK)):
        yield chunk


def encode_files(paths: tuple[Path, ...], tokenizer: Any, *, max_tokens: int) -> Encoded:
    """Encode files of records with completions.

    Prompt and completion are encoded apart, so that the prompt has the same ids here as when the student is asked.

    Raises:
        DataError: A record has no completion, or no record of a file fits into `max_tokens`.
    """
    ids, starts, responses = array("i"), array("q", [0]), array("q")
    files: list[int] = []
    too_long = 0
    for path in paths:
        before, shortest = len(responses), None
        for chunk in _chunks(_labelled(path)):
            prompts = token_ids(tokenizer, [prompt_text(tokenizer, record) for record in chunk])
            completions = token_ids(tokenizer, [record.completion or "" for record in chunk])
            for prompt, completion in zip(prompts, completions, strict=True):
                length = len(prompt) + len(completion) + 1
                if length > max_tokens:
                    too_long += 1
                    shortest = min(length, shortest or length)
                    continue
                responses.append(len(ids) + len(prompt))
                ids.extend(prompt)
                ids.extend(completion)
                ids.append(tokenizer.eos_token_id)
                starts.append(len(ids))
        files.append(len(responses) - before)
        if files[-1] == 0:
            raise DataError(_nothing_left(path, too_long, shortest, max_tokens))
    tokens, begins = np.frombuffer(ids, dtype=np.int32), np.frombuffer(starts, dtype=np.int64)
    firsts = np.frombuffer(responses, dtype=np.int64)
    prefix = common_prefix(tokens, begins, firsts)
    return Encoded(
        ids=tokens, starts=begins, responses=firsts, files=tuple(files), too_long=too_long, prefix=prefix
    )


def _labelled(path: Path) -> Iterator[Record]:
    for number, record in enumerate(read_records(path), start=1):
        if record.completion is None:
            reason = "it ends without an assistant message, and there is nothing to learn from; ask the teacher first"
            offence = Offence(str(path), None, f"record {number}", reason, "no_completion")
            raise DataError(f"training on {path}: record {number}: {reason}", offences=(offence,))
        yield record


def _nothing_left(path: Path, too_long: int, shortest: int | None, max_tokens: int) -> str:
    if not too_long:
        return f"training on {path}: the file has no records"
    return (
        f"training on {path}: all {too_long} records are longer than max_tokens={max_tokens} "
        f"(the shortest has {shortest} tokens); raise max_tokens or shorten the prompts"
    )


def common_prefix(ids: NDArray[np.int32], starts: NDArray[np.int64], responses: NDArray[np.int64]) -> int:
    """Number of leading tokens that all prompts share, leaving each prompt at least one of its own."""
    first = ids[starts[0] : responses[0] - 1]
    shared = len(first)
    for start, response in zip(starts[:-1], responses, strict=True):
        shared = min(shared, response - start - 1)
        differs = np.flatnonzero(ids[start : start + shared] != first[:shared])
        if len(differs):
            shared = int(differs[0])
        if shared < SHORTEST_PREFIX:
            return 0
    return int(shared)


def held_out(encoded: Encoded, share: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split record numbers into those to learn from and those to validate on.

    A second file is held out whole; otherwise a seeded share of the first, at least one record and never all.
    """
    count = encoded.files[0]
    if len(encoded.files) > 1:
        return np.arange(count), np.arange(count, len(encoded))
    held = 0 if share == 0 else min(max(1, round(share * count)), count - 1)
    order = np.random.default_rng([seed, 0x5EED]).permutation(count)
    return np.sort(order[held:]), np.sort(order[:held])


def epoch_batches(
    lengths: NDArray[np.int64], records: NDArray[np.int64], *, batch_size: int, seed: int, epoch: int
) -> list[NDArray[np.int64]]:
    """The batches of one epoch: every record once, records of like length together, batches in random order.

    Args:
        lengths: [all records] tokens in each.
        records: Numbers of the records to draw from.
        batch_size: Records in a batch; the last batch of an epoch may have fewer.
        seed: The run's seed.
        epoch: From 0; each has its own order.
    """
    random = np.random.default_rng([seed, epoch])
    shuffled = random.permutation(records)
    window = batch_size * WINDOW
    batches = []
    for begin in range(0, len(shuffled), window):
        part = shuffled[begin : begin + window]
        part = part[np.argsort(lengths[part], kind="stable")]
        batches += [part[at : at + batch_size] for at in range(0, len(part), batch_size)]
    return [batches[number] for number in random.permutation(len(batches))]


@dataclass(frozen=True, slots=True)
class Batch:
    """Records side by side, padded at the end. B records, T tokens after the prefix, N response tokens."""

    prefix: torch.Tensor
    """[1, P] tokens that all records begin with; P may be 0."""
    ids: torch.Tensor
    """[B, T] what follows."""
    positions: torch.Tensor
    """[N] places in the flattened [B * T] whose next token is a response token."""
    targets: torch.Tensor
    """[N] those next tokens."""
    rows: NDArray[np.int64]
    """[N] number of each response token among all response tokens of the data: its row in the teacher's cache."""
    tokens: int
    """Tokens of the records, prefix included for each, padding excluded."""


def collate(encoded: Encoded, records: NDArray[np.int64], padding: int) -> Batch:
    """Lay records side by side."""
    prefix = encoded.prefix
    begins = encoded.starts[records]
    lengths = encoded.starts[records + 1] - begins
    width = int(lengths.max()) - prefix
    ids = np.full((len(records), width), padding, dtype=np.int64)
    for row, (begin, length) in enumerate(zip(begins, lengths, strict=True)):
        ids[row, : length - prefix] = encoded.ids[begin + prefix : begin + length]
    firsts = encoded.responses[records] - begins - prefix
    counts = encoded.response_lengths[records]
    within = np.concatenate([np.arange(count) for count in counts])
    places = np.repeat(np.arange(len(records)) * width + firsts, counts) + within
    row_starts = np.concatenate(([0], np.cumsum(encoded.response_lengths)))[records]
    first = int(encoded.starts[0])
    return Batch(
        prefix=torch.from_numpy(encoded.ids[first : first + prefix].astype(np.int64)[None]),
        ids=torch.from_numpy(ids),
        positions=torch.from_numpy(places - 1),
        targets=torch.from_numpy(ids.reshape(-1)[places]),
        rows=np.repeat(row_starts, counts) + within,
        tokens=int(lengths.sum()),
    )
