"""transformers' continuous batching, greedy: requests join and leave a running batch, keys and values lie in pages."""

from __future__ import annotations

import dataclasses
import gc
import logging
import queue
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from transformers import GenerationConfig

from bedrock_distill.errors import JobFailedError, SpecError
from bedrock_distill.train.answers import Generated, Sampling
from bedrock_distill.train.decoding import TextStream
from bedrock_distill.train.students import load_model
from bedrock_distill.train.tokens import end_ids, load_tokenizer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from bedrock_distill.train.answers import StopReason

__all__ = ["CannotBatchError", "ContinuousBatching", "check_room", "is_available"]

_PAGE = 64
"""Tokens of a page; a request holds whole ones."""
_CACHE_BYTES = 512 << 20
"""Memory for keys and values; taken when the model is loaded, whether it is used or not."""
_MOST_CACHED = 16_384
"""Tokens beyond which more cache serves nobody on a machine like this."""
_PREFILL = 512
"""Tokens that go through the model in one step, prompts and answers together."""
_SMALL = 30_000_000
"""Weights below which a second processor does not help; as the trainer's worker has it."""
_PATIENCE_S = 30.0
"""Seconds that the manager gets to end."""
_DEFAULT_ENDS = -1
"""What transformers takes for a model that has no end token."""

# It says on every start what it cannot find on a machine without GPU; nothing of that matters here.
logging.getLogger("ContinuousBatchingLogger").setLevel(logging.CRITICAL)


class CannotBatchError(RuntimeError):
    """This model, or this release of transformers, cannot be batched continuously."""


def check_room(ids: Sequence[int], room: int) -> None:
    """Refuse a prompt that leaves no room for an answer.

    Raises:
        SpecError: If it does not.
    """
    if len(ids) >= room:
        raise SpecError(
            f"The prompt has {len(ids)} tokens and the model reads {room}; shorten it.",
            field="prompt",
            value=len(ids),
        )


def is_available() -> bool:
    """Whether the installed transformers has continuous batching as it is used here (5.17 and later)."""
    return _settings_class() is not None


def _settings_class() -> Any | None:
    try:
        from transformers.generation.configuration_utils import (  # noqa: PLC0415 - not in every release
            ContinuousBatchingConfig,
        )
    except ImportError:
        return None
    names = {field.name for field in dataclasses.fields(ContinuousBatchingConfig)}
    return ContinuousBatchingConfig if {"page_size", "num_blocks", "max_batch_tokens"} <= names else None


@contextmanager
def _collecting_little() -> Iterator[None]:
    """Keep the collector off what is there already.

    The manager collects garbage twice when it stops, to give back the memory of a GPU. There is none here, and going through
    all objects of a large process takes half a second each time.
    """
    if gc.get_freeze_count():  # somebody else's, who would lose it
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


class ContinuousBatching:
    """A model run by transformers' manager of continuous batches.

    Raises:
        CannotBatchError: If the model cannot be run so.
        SpecError: If the directory is not a model.
    """

    def __init__(self, directory: Path) -> None:
        self._tokenizer = load_tokenizer(directory)
        model = load_model(directory, field="model_dir").eval().requires_grad_(requires_grad=False)
        # The pages are read by an attention of transformers' own; a model that brings its own would ignore them, in silence.
        if not model.is_backend_compatible():
            raise CannotBatchError(f"{type(model).__name__} brings an attention of its own")
        self._ends = end_ids(self._tokenizer, model)
        # Models that tell positions by distance name no last one.
        positions = getattr(model.config.get_text_config(), "max_position_embeddings", None) or _MOST_CACHED
        cached = _cached_tokens(model, positions)
        self.room = min(positions, cached)
        self._threads = 1 if model.num_parameters() < _SMALL else torch.get_num_threads()
        self._waiting: dict[str, queue.SimpleQueue[Any]] = {}
        self._lock = threading.Lock()
        self._number = 0
        self._closed = False
        self._manager: Any = None
        try:
            self._manager = self._start(model, cached)
            self._thread = threading.Thread(
                target=self._deliver, name=f"engine-{directory.name}", daemon=True
            )
            self._thread.start()
            self._try_out()
        except Exception as error:
            if self._manager is not None:
                with _collecting_little():
                    self._manager.stop(block=True, timeout=_PATIENCE_S)
            raise CannotBatchError(f"{type(error).__name__}: {error}") from error

    def answer(self, ids: Sequence[int], sampling: Sampling) -> Iterator[str | Generated]:
        """Pieces of text, then the whole."""
        check_room(ids, self.room)
        most = min(sampling.max_tokens, self.room - len(ids))
        request_id, outputs = self._submit(ids, most)
        return self._read(request_id, outputs, ids, sampling)

    def close(self) -> None:
        """End the manager's thread and ours; who still waits is told."""
        with self._lock:
            self._closed = True
            left = list(self._waiting)
        for request_id in left:
            self._manager.cancel_request(request_id)  # or the manager would answer them before it ends
        with _collecting_little():
            self._manager.stop(block=True, timeout=_PATIENCE_S)
        self._thread.join()

    def _start(self, model: Any, cached: int) -> Any:
        make = _settings_class()
        if make is None:
            raise CannotBatchError("this release of transformers has no continuous batching")
        torch.set_num_threads(self._threads)
        manager = model.init_continuous_batching(
            generation_config=GenerationConfig(
                do_sample=False, max_new_tokens=1, pad_token_id=0, eos_token_id=self._end_list()
            ),
            continuous_batching_config=make(
                page_size=_PAGE,
                num_blocks=-(-cached // _PAGE) + 1,
                max_batch_tokens=_PREFILL,
                max_blocks_per_request=0,
                use_cuda_graph=False,
                use_async_batching=False,
            ),
        )
        manager.start()
        return manager

    def _try_out(self) -> None:
        """One token, before anybody asks: a model that does not run so is found out while it is loaded."""
        request_id, outputs = self._submit([0], 1)
        output = outputs.get()
        self._forget(request_id)
        if isinstance(output, Exception) or output.error:
            raise CannotBatchError(str(output if isinstance(output, Exception) else output.error))

    def _end_list(self) -> list[int]:
        return sorted(self._ends) or [_DEFAULT_ENDS]

    def _submit(self, ids: Sequence[int], most: int) -> tuple[str, queue.SimpleQueue[Any]]:
        outputs: queue.SimpleQueue[Any] = queue.SimpleQueue()
        with self._lock:
            if self._closed or not self._thread.is_alive():
                raise JobFailedError("The engine is closed, or has failed; load the model again.")
            self._number += 1
            request_id = f"r{self._number}"
            self._waiting[request_id] = outputs
        self._manager.add_request(
            list(ids),
            request_id=request_id,
            max_new_tokens=most,
            streaming=True,
            eos_token_id=self._end_list(),
        )
        return request_id, outputs

    def _deliver(self) -> None:
        """Hand each output to whoever asked; when the manager's thread has ended, tell everybody."""
        for output in self._manager:
            with self._lock:
                waiting = self._waiting.get(output.request_id)
            if waiting is not None:
                waiting.put(output)
        with self._lock:
            left, self._waiting = list(self._waiting.values()), {}
        for waiting in left:
            waiting.put(JobFailedError("The engine was closed, or failed, before the answer was complete."))

    def _forget(self, request_id: str) -> None:
        with self._lock:
            self._waiting.pop(request_id, None)

    def _read(
        self, request_id: str, outputs: queue.SimpleQueue[Any], ids: Sequence[int], sampling: Sampling
    ) -> Iterator[str | Generated]:
        text = TextStream(self._tokenizer, sampling.stop)
        parts: list[str] = []
        count = 0
        reason: StopReason | None = None
        over = False
        try:
            while reason is None:
                output = outputs.get()
                if isinstance(output, Exception):
                    raise output
                if output.error:
                    raise JobFailedError(f"The engine failed: {output.error}")
                over = output.is_finished()
                for token in output.generated_tokens[count:]:
                    count += 1
                    if token in self._ends:
                        reason = "end_turn"
                        break
                    if piece := text.add(token):
                        parts.append(piece)
                        yield piece
                    if text.stopped:
                        reason = "stop_sequence"
                        break
                if reason is None and over:
                    reason = "max_tokens"
        finally:
            self._forget(request_id)
            if not over:
                self._manager.cancel_request(request_id)
        if not text.stopped and (piece := text.finish()):
            parts.append(piece)
            yield piece
        yield Generated(
            text="".join(parts),
            input_tokens=len(ids),
            output_tokens=count,
            stop_reason="stop_sequence" if text.stopped else reason,
            stopped_by=text.stopped_by,
        )


def _cached_tokens(model: Any, positions: int) -> int:
    """Tokens that the cache holds: the whole context of one request if memory allows, and more for short contexts."""
    config = model.config.get_text_config()
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    of_token = 2 * config.num_hidden_layers * heads * width * model.dtype.itemsize
    return min(_MOST_CACHED, max(positions, 8192), _CACHE_BYTES // int(of_token))
