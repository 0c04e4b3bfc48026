"""What a teacher with logits has to say about every response token, asked once and kept.

The cache holds, for each response token, the teacher's k most likely words, their log probabilities, and one more for all
other words together: 34 bytes a token with k = 8 and a vocabulary under 65,536. It is filled before the first step, only
for records that the run will see, and after that the teacher is not needed: not its time, not its memory.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from bedrock_distill.train.data import collate
from bedrock_distill.train.losses import align_vocabularies, bucket_log_probs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from bedrock_distill.train.data import Encoded
    from bedrock_distill.train.forward import ResponseLogits

__all__ = ["TeacherCache", "directory_digest"]

TEACHER_BATCH = 64
"""Records the teacher reads at once."""
LOWEST = -6e4
"""Log probabilities below this do not fit into 16 bits; they are zero to any loss."""


def directory_digest(model_dir: Path) -> str:
    """Changes when a file of a model directory does; from names, sizes and times, not from gigabytes of weights."""
    files = sorted(path for path in model_dir.iterdir() if path.is_file())
    facts = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


class TeacherCache:
    """Teacher log probabilities on disk, memory-mapped; a directory that fits the run is used again, any other replaced."""

    def __init__(
        self, directory: Path, encoded: Encoded, *, top_k: int, vocab_size: int, temperature: float, key: str
    ) -> None:
        """Open or start a cache.

        Args:
            directory: Where it lies.
            encoded: The data; the cache has a row for each of its response tokens.
            top_k: Words kept per token.
            vocab_size: Words in the tokenizer.
            temperature: At which the teacher speaks.
            key: Names the teacher and the data; another key starts afresh.
        """
        self.top_k, self.vocab_size, self.temperature = top_k, vocab_size, temperature
        rows = int(encoded.response_lengths.sum())
        facts = {
            "key": key,
            "rows": rows,
            "top_k": top_k,
            "vocab_size": vocab_size,
            "temperature": temperature,
        }
        meta = directory / "cache.json"
        fits = meta.exists() and json.loads(meta.read_text()) == facts
        directory.mkdir(parents=True, exist_ok=True)
        mode = "r+" if fits else "w+"
        word = np.uint16 if vocab_size <= 2**16 else np.uint32

        def mapped(name: str, dtype: Any, shape: tuple[int, ...]) -> Any:
            return np.lib.format.open_memmap(directory / f"{name}.npy", mode=mode, dtype=dtype, shape=shape)

        if not fits:
            meta.unlink(missing_ok=True)
        self._words = mapped("words", word, (rows, top_k))
        self._logs = mapped("log_probs", np.float16, (rows, top_k + 1))
        self._filled = mapped("filled", np.bool_, (len(encoded),))
        if not fits:
            meta.write_text(json.dumps(facts))

    def missing(self, records: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those of the records that the teacher has not been asked about."""
        wanted: NDArray[np.int64] = records[~self._filled[records]]
        return wanted

    def fill(
        self,
        teacher: ResponseLogits,
        encoded: Encoded,
        records: NDArray[np.int64],
        padding: int,
        each: Callable[[int, int], None],
    ) -> None:
        """Ask the teacher about records; `each` is called with (records done, tokens of the batch), and may raise to stop.

        What is done stays done: a record is marked once its rows are written.
        """
        order = records[np.argsort(encoded.lengths[records], kind="stable")]
        for begin in range(0, len(order), TEACHER_BATCH):
            part = order[begin : begin + TEACHER_BATCH]
            batch = collate(encoded, part, padding)
            with torch.no_grad():
                logits = align_vocabularies(teacher(batch), self.vocab_size)
                words = logits.topk(self.top_k, dim=-1).indices
                logs = bucket_log_probs(logits, words, self.temperature).clamp_min(LOWEST)
            self._words[batch.rows] = words.numpy()
            self._logs[batch.rows] = logs.numpy()
            self._filled[part] = True
            each(begin + len(part), batch.tokens)

    def look_up(self, rows: NDArray[np.int64]) -> tuple[torch.Tensor, torch.Tensor]:
        """The teacher's words and log probabilities.

        Args:
            rows: [N] numbers of response tokens.

        Returns:
            Ids [N, k], and log probabilities [N, k + 1] in float32, each row summing to one again after 16 bits.
        """
        words = torch.from_numpy(self._words[rows].astype(np.int64))
        logs = torch.from_numpy(self._logs[rows].astype(np.float32))
        return words, torch.log_softmax(logs, dim=-1)
