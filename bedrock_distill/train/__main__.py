"""The training process: `python -m bedrock_distill.train CONFIG.json`.

Events go to standard output, one JSON object a line; everything that libraries print goes to standard error. SIGTERM or
SIGINT ends the run after the current step, with a checkpoint.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from bedrock_distill.errors import BedrockDistillError, SpecError
from bedrock_distill.train.config import TrainConfig
from bedrock_distill.train.events import TrainEvent, encode_event
from bedrock_distill.train.launch import ENVIRONMENT
from bedrock_distill.train.requirements import require_trainer

if TYPE_CHECKING:
    from collections.abc import Sequence


class _Events:
    """The line to whoever listens; when nobody does any more, the run stops as if it had been told to."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._file = os.fdopen(os.dup(1), "wb", buffering=0)
        os.dup2(2, 1)  # a library that prints must not break a line of the protocol

    def emit(self, event: TrainEvent) -> None:
        try:
            self._file.write(encode_event(event))
        except BrokenPipeError:
            self._stop.set()


def _watch_parent(stop: threading.Event) -> None:
    """Standard input ends when the process that started this one does, however it ends."""
    while os.read(0, 1024):
        pass
    stop.set()


def main(arguments: Sequence[str] | None = None) -> int:
    """Train as a configuration file says. Returns 0 when done or stopped, 2 for a mistake of the caller, 1 for a crash."""
    parser = argparse.ArgumentParser(prog="python -m bedrock_distill.train", description="Train one student.")
    parser.add_argument("config", type=Path, help="a TrainConfig as JSON")
    parser.add_argument("--watch-stdin", action="store_true", help="stop when standard input ends")
    options = parser.parse_args(arguments)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if options.watch_stdin:
        threading.Thread(target=_watch_parent, args=(stop,), daemon=True).start()
    events = _Events(stop)
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)  # read by OpenMP when torch loads, which is below
    try:
        require_trainer()
        from transformers.utils import logging  # noqa: PLC0415 - see above

        from bedrock_distill.train.loop import train  # noqa: PLC0415

        logging.set_verbosity_error()
        logging.disable_progress_bar()
        train(TrainConfig.from_json(options.config.read_text(encoding="utf-8")), events.emit, stop.is_set)
    except BedrockDistillError as error:
        field = error.field or "" if isinstance(error, SpecError) else ""
        events.emit(TrainEvent(kind="failed", error=type(error).__name__, field=field, message=error.message))
        return 2
    except Exception as error:  # noqa: BLE001 - the last resort: told to the parent, with the traceback on stderr
        traceback.print_exc()
        events.emit(TrainEvent(kind="failed", message=f"{type(error).__name__}: {error}"))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
