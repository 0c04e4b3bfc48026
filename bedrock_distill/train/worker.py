"""The thread that owns a model and answers everyone."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING

import torch
from transformers import DynamicCache

from bedrock_distill.errors import JobFailedError, SpecError
from bedrock_distill.train.compat import cache_argument
from bedrock_distill.train.decoding import Request
from bedrock_distill.train.students import load_speaker
from bedrock_distill.train.tokens import end_ids, load_tokenizer, prompt_text, raw_ids, token_ids

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bedrock_distill.records.schema import Record
    from bedrock_distill.train.answers import Sampling

__all__ = ["Worker"]

SMALL = 30_000_000
"""Weights below which one processor is as fast as two. Alone; beside a busy neighbour two were measured fifteen times
slower, because this process has not the wait policy that the training process gets."""


_RELATIVE = 512
"""Positions of a model whose config names none because its positions are relative: what T5 was trained with."""


class Worker:
    """A model, its tokenizer, and the one thread that runs it."""

    def __init__(self, model_dir: Path, *, max_batch: int, threads: int | None) -> None:
        self.tokenizer = load_tokenizer(model_dir)
        self.model = load_speaker(model_dir).eval().requires_grad_(requires_grad=False)
        self._cache = cache_argument(self.model)
        self._ends = end_ids(self.tokenizer, self.model)
        config = self.model.config.get_text_config()
        self.positions: int = getattr(config, "max_position_embeddings", 0) or _RELATIVE
        """Most tokens of a prompt and its answer together."""
        self._answer = self._write if getattr(config, "is_encoder_decoder", False) else self._go_on
        self._max_batch = max_batch
        self._threads = threads or (1 if self.model.num_parameters() < SMALL else None)
        self._tokenizing = threading.Lock()
        self._closing = threading.Lock()
        self._closed = False
        self._waiting: queue.SimpleQueue[Request | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name=f"generator-{model_dir.name}", daemon=True)
        self._thread.start()

    def encode(self, prompt: Record | str) -> list[int]:
        """Ids of the prompt: a record's by the chat template, a text's as it stands."""
        with self._tokenizing:  # a tokenizer of transformers is not safe to share
            if isinstance(prompt, str):
                return raw_ids(self.tokenizer, prompt)
            return token_ids(self.tokenizer, [prompt_text(self.tokenizer, prompt)])[0]

    def request(self, record: Record | str, sampling: Sampling) -> Request:
        """Prepare a request.

        Raises:
            SpecError: The prompt does not fit into the model.
        """
        prompt = self.encode(record)
        room = self.positions - len(prompt)
        if room < 1:
            raise SpecError(
                f"generation: the prompt has {len(prompt)} tokens and the model reads {self.positions}; shorten it",
                field="prompt",
                value=len(prompt),
            )
        return Request(prompt=prompt, sampling=sampling, tokenizer=self.tokenizer, ends=self._ends, room=room)

    def submit(self, requests: Sequence[Request]) -> None:
        """Queue requests.

        Raises:
            JobFailedError: The worker was closed.
        """
        with self._closing:
            if self._closed:
                raise JobFailedError("generation: the generator is closed; make a new one")
            for request in requests:
                self._waiting.put(request)

    def close(self) -> None:
        """End the thread after the batch in hand; what waits behind it fails."""
        with self._closing:
            if not self._closed:
                self._closed = True
                self._waiting.put(None)
        self._thread.join()

    def _serve(self) -> None:
        if self._threads is not None:
            torch.set_num_threads(self._threads)
        while (first := self._waiting.get()) is not None:
            batch, ending = [first], False
            while len(batch) < self._max_batch and not self._waiting.empty():
                request = self._waiting.get()
                if request is None:
                    ending = True
                    break
                batch.append(request)
            try:
                with torch.inference_mode():
                    self._answer(batch)
            except Exception as error:  # noqa: BLE001 - whatever it is, the callers are the ones to know
                for request in batch:
                    request.pieces.put(error)
            if ending:
                break
        while not self._waiting.empty():
            request = self._waiting.get()
            if request is not None:
                request.pieces.put(JobFailedError("generation: the generator was closed before its turn"))

    def _write(self, requests: list[Request]) -> None:
        """An encoder-decoder: prompts are read once, and answers written anew from the first token, for lack of a cache."""
        ids, mask = _side_by_side(requests)
        read = self.model.get_encoder()(input_ids=ids, attention_mask=mask)
        written = torch.full((len(requests), 1), self.model.config.decoder_start_token_id)
        going = dict(enumerate(requests))
        while going:
            logits = self.model(
                encoder_outputs=read, attention_mask=mask, decoder_input_ids=written, use_cache=False
            ).logits[:, -1]
            tokens = {row: request.take(logits[row].float()) for row, request in going.items()}
            going = {row: request for row, request in going.items() if tokens[row] is not None}
            column = [[tokens.get(row) or 0] for row in range(len(requests))]
            written = torch.cat((written, torch.tensor(column)), dim=1)

    def _go_on(self, requests: list[Request]) -> None:
        """A decoder: prompts side by side, padded on the left; answers that are complete leave the batch."""
        ids, mask = _side_by_side(requests)
        cache = DynamicCache()
        while requests:
            positions = (mask.cumsum(dim=-1) - 1).clamp_min(0)[:, -ids.shape[1] :]
            logits = (
                self.model(
                    input_ids=ids,
                    attention_mask=mask if bool((mask == 0).any()) else None,
                    position_ids=positions,
                    use_cache=True,
                    logits_to_keep=1,
                    **{self._cache: cache},
                )
                .logits[:, -1]
                .float()
            )
            tokens = [request.take(row) for request, row in zip(requests, logits, strict=True)]
            going = [row for row, token in enumerate(tokens) if token is not None]
            if not going:
                return
            if len(going) < len(requests):
                rows = torch.tensor(going)
                cache.batch_select_indices(rows)
                mask = mask[rows]
                requests = [requests[row] for row in going]
            ids = torch.tensor([[tokens[row]] for row in going])
            mask = torch.cat((mask, mask.new_ones(len(going), 1)), dim=1)


def _side_by_side(requests: Sequence[Request]) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and mask of the prompts, padded on the left."""
    width = max(len(request.prompt) for request in requests)
    ids = torch.zeros(len(requests), width, dtype=torch.long)
    mask = torch.zeros(len(requests), width, dtype=torch.long)
    for row, request in enumerate(requests):
        ids[row, width - len(request.prompt) :] = torch.tensor(request.prompt)
        mask[row, width - len(request.prompt) :] = 1
    return ids, mask
