"""The training loop: one optimizer step after another, reported, validated, checkpointed, stoppable."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any, Self

import msgspec
import torch

from bedrock_distill.errors import JobFailedError
from bedrock_distill.train.checkpoint import load_checkpoint, save_checkpoint
from bedrock_distill.train.config import NEED_WARM_START
from bedrock_distill.train.data import collate, epoch_batches
from bedrock_distill.train.events import TrainEvent
from bedrock_distill.train.export import export_model
from bedrock_distill.train.setup import prepare

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from bedrock_distill.train.config import Loss, TrainConfig
    from bedrock_distill.train.setup import Setup

__all__ = ["METRICS_FILE", "learning_rate_at", "train"]

METRICS_FILE = "metrics.jsonl"
VALIDATION_BATCH = 64
"""Records validated at once."""
BETAS = (0.9, 0.95)
"""AdamW's memories: runs here have hundreds of steps, and a second moment that remembers a thousand would lag behind."""


class _StoppedError(Exception):
    """Raised where a run is asked to stop outside a step."""


def learning_rate_at(step: int, *, steps: int, peak: float, warmup_share: float) -> float:
    """The learning rate of a step: a straight rise to the peak, then half a cosine down to nothing.

    Args:
        step: From 0.
        steps: In all.
        peak: Highest value.
        warmup_share: Share of the steps that rise.
    """
    rising = round(steps * warmup_share)
    if step < rising:
        return peak * (step + 1) / rising
    return peak * 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))


def _optimizer(model: torch.nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """AdamW; weights decay, gains and biases do not."""
    weights = [parameter for parameter in model.parameters() if parameter.dim() > 1]
    others = [parameter for parameter in model.parameters() if parameter.dim() <= 1]
    groups = [
        {"params": weights, "weight_decay": config.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        [group for group in groups if group["params"]], lr=config.peak_learning_rate, betas=BETAS, fused=True
    )


def train(config: TrainConfig, emit: Callable[[TrainEvent], None], stop: Callable[[], bool]) -> None:
    """Run to the end, or until `stop` says so; tell `emit` everything.

    Raises:
        SpecError, DataError: The run cannot begin.
        JobFailedError: The loss or its gradient is no longer a number.
    """
    config.output_dir.mkdir(parents=True, exist_ok=True)

    def asked(event: TrainEvent) -> None:
        emit(event)
        if stop():
            raise _StoppedError

    try:
        setup = prepare(config, asked)
    except _StoppedError:
        emit(TrainEvent(kind="stopped"))
        return
    run = _Run(config, setup, emit)
    with _Metrics(config.output_dir / METRICS_FILE, run.progress.step) as run.metrics:
        run.go(stop)


class _Run:
    """One launch of a run."""

    metrics: _Metrics

    def __init__(self, config: TrainConfig, setup: Setup, emit: Callable[[TrainEvent], None]) -> None:
        self.config, self.setup, self._emit_raw = config, setup, emit
        self.optimizer = _optimizer(setup.model, config)
        self.checkpoint_dir = config.output_dir / "checkpoint"
        self.progress = load_checkpoint(
            self.checkpoint_dir, fingerprint=setup.fingerprint, model=setup.model, optimizer=self.optimizer
        )
        self._epoch: tuple[int, list[NDArray[np.int64]]] = (-1, [])

    def emit(self, event: TrainEvent) -> None:
        """Report with what every event has."""
        epoch = self.progress.step / self.setup.steps_per_epoch
        self._emit_raw(
            msgspec.structs.replace(
                event, step=self.progress.step, steps=self.setup.steps, epoch=round(epoch, 6)
            )
        )

    def go(self, stop: Callable[[], bool]) -> None:
        """The steps that are left, then the export."""
        setup, config, progress = self.setup, self.config, self.progress
        begun, before = time.perf_counter(), progress.seconds
        self.emit(
            TrainEvent(
                kind="started",
                message=setup.describe(),
                records=len(setup.learn),
                too_long=setup.encoded.too_long,
                tokens=progress.tokens,
                parameters=sum(parameter.numel() for parameter in setup.model.parameters()),
            )
        )
        while progress.step < setup.steps:
            self._step()
            progress.seconds = before + time.perf_counter() - begun
            if _due(progress.step, config.validate_every, setup.steps) and len(setup.held):
                self._validate()
            if stop():
                self._checkpoint()
                self.emit(TrainEvent(kind="stopped", tokens=progress.tokens, seconds=progress.seconds))
                return
            if _due(progress.step, config.checkpoint_every, 0):
                self._checkpoint()
        model_dir = export_model(setup.model.eval(), setup.tokenizer, config.output_dir / "model")
        self.emit(TrainEvent(kind="exported", path=str(model_dir)))
        self.emit(
            TrainEvent(
                kind="done",
                path=str(model_dir),
                tokens=progress.tokens,
                seconds=progress.seconds,
                tokens_per_s=progress.tokens / max(progress.seconds, 1e-9),
                records=len(setup.learn),
                too_long=setup.encoded.too_long,
            )
        )

    def _batch_numbers(self, step: int) -> NDArray[np.int64]:
        epoch, place = divmod(step, self.setup.steps_per_epoch)
        if self._epoch[0] != epoch:
            batches = epoch_batches(
                self.setup.encoded.lengths,
                self.setup.learn,
                batch_size=self.config.batch_size,
                seed=self.config.seed,
                epoch=epoch,
            )
            self._epoch = (epoch, batches)
        return self._epoch[1][place]

    def _loss_at(self, step: int) -> Loss:
        config = self.config
        if config.loss in NEED_WARM_START and step < config.warm_start_steps:
            return "forward_kl"
        return config.loss

    def _step(self) -> None:
        """One optimizer step over a whole batch, in as many parts as fit."""
        config, setup, progress = self.config, self.setup, self.progress
        begun, processor = time.perf_counter(), time.process_time()
        setup.model.train()
        numbers = self._batch_numbers(progress.step)
        loss_name = self._loss_at(progress.step)
        responses = int(setup.encoded.response_lengths[numbers].sum())
        size = config.micro_batch_size or len(numbers)
        loss_sum, tokens = 0.0, 0
        for at in range(0, len(numbers), size):
            batch = collate(setup.encoded, numbers[at : at + size], setup.tokenizer.pad_token_id)
            loss = setup.objective(setup.forward(batch), batch, loss_name)
            (loss / responses).backward()
            loss_sum += loss.item()
            tokens += batch.tokens
        norm = float(torch.nn.utils.clip_grad_norm_(setup.model.parameters(), config.max_gradient_norm))
        if not math.isfinite(loss_sum) or not math.isfinite(norm):
            raise JobFailedError(
                f"training in {config.output_dir}: at step {progress.step + 1} the loss is {loss_sum / responses} and "
                f"its gradient {norm}; lower learning_rate (now {config.peak_learning_rate:g})"
            )
        rate = learning_rate_at(
            progress.step, steps=setup.steps, peak=config.peak_learning_rate, warmup_share=config.warmup_share
        )
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self.optimizer.zero_grad()
        progress.step += 1
        progress.tokens += tokens
        self._report(
            TrainEvent(
                kind="step",
                loss=loss_sum / responses,
                tokens=progress.tokens,
                tokens_per_s=tokens / max(time.perf_counter() - begun, 1e-9),
                learning_rate=rate,
                gradient_norm=norm,
                seconds=time.perf_counter() - begun,
                processor_s=time.process_time() - processor,
            )
        )

    def _report(self, event: TrainEvent) -> None:
        self.emit(event)
        self.metrics.write(
            self.progress.step,
            self.setup.steps_per_epoch,
            training_loss=event.loss,
            learning_rate=event.learning_rate,
            gradient_norm=event.gradient_norm,
            tokens=event.tokens,
            seconds=round(event.seconds, 6),
        )

    def _validate(self) -> None:
        """Loss on the held-out records, nats per response token."""
        setup = self.setup
        setup.model.eval()
        order = setup.held[setup.encoded.lengths[setup.held].argsort(kind="stable")]
        total = 0.0
        with torch.no_grad():
            for at in range(0, len(order), VALIDATION_BATCH):
                batch = collate(
                    setup.encoded, order[at : at + VALIDATION_BATCH], setup.tokenizer.pad_token_id
                )
                total += setup.objective(setup.forward(batch), batch, self.config.loss).item()
        loss = total / int(setup.encoded.response_lengths[order].sum())
        self.emit(TrainEvent(kind="validation", loss=loss))
        self.metrics.write(self.progress.step, setup.steps_per_epoch, validation_loss=loss)

    def _checkpoint(self) -> None:
        path = save_checkpoint(
            self.checkpoint_dir,
            fingerprint=self.setup.fingerprint,
            progress=self.progress,
            model=self.setup.model,
            optimizer=self.optimizer,
        )
        self.emit(TrainEvent(kind="checkpoint", path=str(path)))


def _due(step: int, every: int | None, last: int) -> bool:
    return step == last or (every is not None and step % every == 0)


class _Metrics:
    """One JSON line a step; lines of steps that a resumed run does again are dropped."""

    def __init__(self, path: Path, done: int) -> None:
        self._path = path
        lines = path.read_bytes().splitlines(keepends=True) if done and path.exists() else []
        kept = [line for line in lines if line.endswith(b"\n") and msgspec.json.decode(line)["step"] <= done]
        path.write_bytes(b"".join(kept))
        self._file = path.open("ab")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, step: int, steps_per_epoch: int, **values: Any) -> None:
        line = {"step": step, "epoch": round(step / steps_per_epoch, 6), **values}
        self._file.write(msgspec.json.encode(line) + b"\n")
        self._file.flush()
