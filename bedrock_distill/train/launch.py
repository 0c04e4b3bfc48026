"""Runs a training in a process of its own and reports what it does; imports nothing heavy itself.

A process of its own, because OpenMP reads its wait policy once, when torch loads: with the default policy idle threads
spin, and one busy neighbour makes a step several times slower. And because a crash of the trainer must not be one of
the caller.
"""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
from collections import deque
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self

import msgspec

from bedrock_distill import errors
from bedrock_distill.errors import BedrockDistillError, DataError, JobFailedError, SpecError
from bedrock_distill.train.events import StepMetric, TrainEvent, TrainResult, decode_event
from bedrock_distill.train.requirements import require_trainer

if TYPE_CHECKING:
    from collections.abc import Callable

    from bedrock_distill.train.config import TrainConfig

__all__ = ["ENVIRONMENT", "TrainEvent", "TrainResult", "launch"]

ENVIRONMENT = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "1000"}
"""Threads that wait go to sleep after a short spin: a few per cent slower alone, several times faster beside others."""

LOOK_EVERY_S = 0.2
"""How soon a request to stop is noticed."""
GRACE_S = 60.0
"""How long a process may take to finish its step and write its checkpoint before it is killed."""
LAST_LINES = 20
"""Lines of standard error that a failure quotes."""


def launch(
    config: TrainConfig,
    *,
    on_event: Callable[[TrainEvent], None] = lambda _event: None,
    stop: threading.Event | None = None,
) -> TrainResult:
    """Train a student and wait for the end. Launched again after a stop, the same settings go on where they were.

    Args:
        config: What to train. Written to `output_dir/config.json`.
        on_event: Called in this thread for everything that happens; if it raises, the training is ended.
        stop: Set it from another thread to end the run after its current step, with a checkpoint.

    Returns:
        The exported student and its losses, or `stopped=True`.

    Raises:
        MissingDependencyError: torch or transformers is not installed.
        SpecError: The settings do not fit the models or an earlier run in the same directory.
        DataError: The data cannot be learned from.
        JobFailedError: The process failed; the message ends with its last words.
    """
    require_trainer()
    config.output_dir.mkdir(parents=True, exist_ok=True)
    path = config.output_dir / "config.json"
    path.write_text(config.to_json(), encoding="utf-8")
    with _Child(path) as child:
        last = child.follow(on_event, stop)
    return _result(config.output_dir, last)


def _environment() -> dict[str, str]:
    """This process's, with the wait policy, and with this very package findable."""
    paths = [str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, **ENVIRONMENT, "PYTHONPATH": os.pathsep.join(paths)}


class _Child:
    """The training process. Leaving the block ends it, and so does the death of this process."""

    def __init__(self, config_path: Path) -> None:
        self._output_dir = config_path.parent
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._complaints: deque[bytes] = deque(maxlen=LAST_LINES)
        # Standard input is a pipe that nobody writes to: it ends when this process does. A session of its own keeps
        # the terminal's Ctrl-C for the caller, who ends the child in order.
        self._process = subprocess.Popen(  # noqa: S603 - this interpreter, our module
            [sys.executable, "-m", "bedrock_distill.train", str(config_path), "--watch-stdin"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_environment(),
            start_new_session=True,
        )
        self._readers = [
            threading.Thread(target=self._read_events, args=(self._process.stdout,), daemon=True),
            threading.Thread(target=self._read_complaints, args=(self._process.stderr,), daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def _read_events(self, stream: IO[bytes]) -> None:
        for line in stream:
            self._lines.put(line)
        self._lines.put(None)

    def _read_complaints(self, stream: IO[bytes]) -> None:
        self._complaints.extend(stream)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()

    def _end(self) -> None:
        """Ask, wait, insist."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(GRACE_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._process.wait()
        for reader in self._readers:
            reader.join()

    def follow(self, on_event: Callable[[TrainEvent], None], stop: threading.Event | None) -> TrainEvent:
        """Pass events on until the process ends; return the last.

        Raises:
            BedrockDistillError: What the process failed with.
        """
        last: TrainEvent | None = None
        told = False
        while True:
            try:
                line = self._lines.get(timeout=LOOK_EVERY_S)
            except queue.Empty:
                line = b""
            if stop is not None and stop.is_set() and not told:
                self._process.terminate()
                told = True
            if line is None:
                break
            if line:
                last = decode_event(line)
                on_event(last)
        code = self._process.wait()
        if last is not None and code == 0 and last.kind in ("done", "stopped"):
            return last
        raise self._failure(last, code)

    def _failure(self, last: TrainEvent | None, code: int) -> BedrockDistillError:
        failed = last if last is not None and last.kind == "failed" else None
        if failed is not None and failed.error == "SpecError":
            return SpecError(failed.message, field=failed.field or None)
        kind = getattr(errors, failed.error, None) if failed is not None and failed.error else None
        if failed is not None and kind in (DataError, JobFailedError):
            raised: BedrockDistillError = kind(failed.message)
            return raised
        if failed is not None and failed.error:
            return JobFailedError(failed.message)
        self._readers[1].join()
        ended = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        hint = " (the kernel does so when memory runs out)" if code == -9 else ""
        words = b"".join(self._complaints).decode(errors="replace").strip() or "(it said nothing)"
        return JobFailedError(
            f"training in {self._output_dir}: the process {ended}{hint}; its last words:\n{words}",
            status="Failed",
            reason=failed.message if failed is not None else ended,
        )


def _result(output_dir: Path, last: TrainEvent) -> TrainResult:
    metrics = _read_metrics(output_dir / "metrics.jsonl")
    losses = [metric.training_loss for metric in metrics if metric.training_loss is not None]
    validations = [metric.validation_loss for metric in metrics if metric.validation_loss is not None]
    tail = losses[-max(1, len(losses) // 10) :]
    stopped = last.kind == "stopped"
    return TrainResult(
        model_dir=None if stopped else output_dir / "model",
        steps=last.step,
        training_loss=sum(tail) / len(tail) if tail else None,
        validation_loss=validations[-1] if validations else None,
        tokens=last.tokens,
        seconds=last.seconds,
        step_metrics=metrics,
        stopped=stopped,
        records=last.records,
        too_long=last.too_long,
    )


def _read_metrics(path: Path) -> list[StepMetric]:
    """One a step: a validation's line joins its step's."""
    merged: dict[int, StepMetric] = {}
    if path.exists():
        decode = msgspec.json.Decoder(StepMetric).decode
        for line in path.read_bytes().splitlines():
            metric = decode(line)
            known = merged.get(metric.step)
            if known is not None:
                metric = msgspec.structs.replace(known, validation_loss=metric.validation_loss)
            merged[metric.step] = metric
    return list(merged.values())
