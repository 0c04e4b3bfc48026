"""The local cloud's time, in three modes, and the way of a resource through its states.

A `LocalClock` is a `bedrock_distill.clock.Clock`, so the library waits through it without knowing:

* `instant`: nothing is delayed for show. Time is the machine's, moved forward by every `sleep`; a sleeper really waits
  only while background work (training) is under way, until that work reports progress, and at most 1/120 of what it asked
  for: time lapse. Phases that have no work to do pass at once.
* `polls`: a phase lasts for n describes (`polls=n`) and the next describe moves on, doing the phase's work then and there.
  No threads, so every run is the same. `sleep` returns at once.
* `real`: the machine's time. Work runs in the background; phases without work last the seconds they name.

A service describes what its resource goes through as a list of `Phase` and keeps the `Phases` that `clock.phases` returns:

    row = table.put(name, Deployment(..., phases=clock.phases([Phase("Creating", lasts_s=30)])))
    row.phases.start()              # when the resource is stored
    row.phases.observe()            # at the start of every describe of it
    row.phases.current              # "Creating", then None when it has ended
    row.phases.outcome              # "running", then "done" | "failed" (see .error) | "stopped"

Everything else here is internal.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["ClockMode", "LocalClock", "Outcome", "Phase", "Phases"]

ClockMode = Literal["instant", "polls", "real"]
Outcome = Literal["running", "done", "failed", "stopped"]

TIME_LAPSE = 120.0
"""In `instant` mode, the most seconds that pass by the clock for one real second while work is under way."""


class LocalClock:
    """Time for one local cloud, and for the clients that wait on it.

    Args:
        mode: `instant`, `polls` or `real`; see the module's text.
        polls: In `polls` mode, how many describes see each phase.

    Raises:
        ValueError: If the mode is unknown or `polls` is below 1.
    """

    def __init__(self, mode: ClockMode = "instant", *, polls: int = 1) -> None:
        if mode not in ("instant", "polls", "real"):
            raise ValueError(f"The local cloud's clock is instant, polls or real, not {mode!r}.")
        if polls < 1:
            raise ValueError(f"polls says how many describes see each phase: at least 1, not {polls}.")
        self.mode: ClockMode = mode
        self.polls = polls
        self._offset = 0.0
        self._changed = threading.Condition()
        self._progress = 0
        self._busy = 0
        self._closed = threading.Event()
        self._live: set[Phases] = set()

    def now(self) -> datetime:
        """The present moment in UTC, by this clock."""
        return datetime.now(UTC) + timedelta(seconds=self._offset)

    def monotonic(self) -> float:
        """Seconds by this clock that never run backwards."""
        return time.monotonic() + self._offset

    def sleep(self, seconds: float) -> None:
        """Return when this clock has moved on by `seconds`; see the module's text for how long that really takes."""
        if seconds <= 0:
            return
        if self.mode == "real":
            self._closed.wait(seconds)
            return
        deadline = self.monotonic() + seconds
        with self._changed:
            if self.mode == "instant" and self._busy:
                seen = self._progress
                self._changed.wait_for(
                    lambda: self._progress != seen or not self._busy, timeout=seconds / TIME_LAPSE
                )
            # Two sleepers side by side move time on once, not twice.
            self._offset += max(0.0, deadline - self.monotonic())

    def progressed(self) -> None:
        """Say that something a describe would show has changed; sleepers of the `instant` mode wake."""
        with self._changed:
            self._progress += 1
            self._changed.notify_all()

    def settle(self, timeout_s: float = 60.0) -> bool:
        """Really wait until no background work is left.

        Returns:
            Whether all work ended within `timeout_s` real seconds.
        """
        with self._changed:
            return self._changed.wait_for(lambda: not self._busy, timeout=timeout_s)

    def phases(
        self, phases: Sequence[Phase], *, on_change: Callable[[Phases], object] | None = None
    ) -> Phases:
        """A resource's way through `phases`; nothing happens until its `start()`.

        Args:
            phases: In order. After the last, the resource has ended with the outcome `done`.
            on_change: Called with the `Phases` after each change of `current` or `outcome`, from whichever thread made it.
        """
        return Phases(self, tuple(phases), on_change)

    def close(self, timeout_s: float = 30.0) -> None:
        """Stop whatever still runs and wait for it, at most `timeout_s` real seconds for each."""
        self._closed.set()
        with self._changed:
            live = list(self._live)
        for phases in live:
            phases.stop()
        for phases in live:
            phases.join(timeout_s)
        self._closed = threading.Event()  # whoever slept holds the old one; the clock can be used again

    def _begin(self, phases: Phases | None = None) -> None:
        with self._changed:
            self._busy += 1
            if phases is not None:
                self._live.add(phases)

    def _end(self, phases: Phases | None = None) -> None:
        with self._changed:
            self._busy -= 1
            if phases is not None:
                self._live.discard(phases)
            self._progress += 1
            self._changed.notify_all()


@dataclass(frozen=True, slots=True)
class Phase:
    """One state that a resource passes through."""

    name: str
    """What the phase is called, such as `Training`."""
    work: Callable[[], object] | None = None
    """What is done in it. Raise to fail the resource; look at `Phases.stopping` now and then and return when it is set."""
    lasts_s: float = 0.0
    """Seconds it lasts under the `real` clock where it has no work."""


class Phases:
    """Where a resource is on its way. Made by `LocalClock.phases`; thread-safe.

    Attributes:
        current: Name of the phase it is in: the first from the beginning, None once it has ended.
        outcome: `running`, then `done`, `failed` or `stopped`.
        error: What a phase's work raised, where the outcome is `failed`.
        failed_in: Name of the phase whose work raised, or in which it was stopped.
        entered: When each phase was entered, by name.
        left: When each phase was left, by name.
        ended_at: When it ended, or None.
        stopping: Set once `stop()` was called. Long work looks at it.
    """

    def __init__(
        self, clock: LocalClock, phases: tuple[Phase, ...], on_change: Callable[[Phases], object] | None
    ) -> None:
        self.outcome: Outcome = "running"
        self.error: Exception | None = None
        self.failed_in: str | None = None
        self.entered: dict[str, datetime] = {}
        self.left: dict[str, datetime] = {}
        self.ended_at: datetime | None = None
        self.stopping = threading.Event()
        self._clock = clock
        self._phases = phases
        self._on_change = on_change
        self._index = 0
        self._seen = 0
        self._turn = threading.Lock()
        self._thread: threading.Thread | None = None

    @property
    def current(self) -> str | None:
        """Name of the phase it is in, or None once it has ended."""
        if self.outcome != "running" or self._index >= len(self._phases):
            return None
        return self._phases[self._index].name

    def start(self) -> Phases:
        """Begin the first phase. Call it once, when the resource is stored and may be seen."""
        self._enter()
        if self._clock.mode == "polls":
            return self
        if self._clock.mode == "instant" and not any(phase.work for phase in self._phases):
            self._run()
            return self
        self._clock._begin(self)  # noqa: SLF001 - the two classes are one thing
        self._thread = threading.Thread(target=self._run_in_background, name="local-cloud-work", daemon=True)
        self._thread.start()
        return self

    def observe(self) -> Phases:
        """Tell that the resource is being described. In `polls` mode this is what moves it; otherwise nothing happens."""
        if self._clock.mode != "polls" or self.outcome != "running" or not self._turn.acquire(blocking=False):
            return self  # whoever holds the turn is moving it right now
        try:
            self._seen += 1
            if self._seen > self._clock.polls:
                self._seen = 1
                self._step()
        finally:
            self._turn.release()
        return self

    def stop(self) -> None:
        """Ask it to end early; its outcome becomes `stopped` when the work under way has noticed."""
        if self.outcome == "running" and not self.stopping.is_set():
            self._seen = 0
            self.stopping.set()
            self._changed()

    def join(self, timeout_s: float | None = None) -> None:
        """Really wait for the background thread, if there is one."""
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout_s)

    def _run_in_background(self) -> None:
        try:
            self._run()
        finally:
            self._clock._end(self)  # noqa: SLF001 - the two classes are one thing

    def _run(self) -> None:
        while self.outcome == "running":
            self._step()

    def _step(self) -> None:
        """Do the current phase's work, and move on."""
        if not self.stopping.is_set() and self._index < len(self._phases):
            phase = self._phases[self._index]
            try:
                self._work(phase)
            except Exception as error:  # noqa: BLE001 - whatever the work raises is the resource's failure
                self.error = error
                self._finish("stopped" if self.stopping.is_set() else "failed")
                return
        if self.stopping.is_set():
            self._finish("stopped")
        elif self._index + 1 >= len(self._phases):
            self._finish("done")
        else:
            self.left[self._phases[self._index].name] = self._clock.now()
            self._index += 1
            self._enter()

    def _work(self, phase: Phase) -> None:
        if phase.work is not None:
            phase.work()
        elif self._clock.mode == "real":
            self.stopping.wait(phase.lasts_s)

    def _enter(self) -> None:
        if self._phases:
            self.entered[self._phases[self._index].name] = self._clock.now()
        self._changed()

    def _finish(self, outcome: Outcome) -> None:
        self.ended_at = self._clock.now()
        if self._index < len(self._phases):
            name = self._phases[self._index].name
            self.left[name] = self.ended_at
            self.failed_in = None if outcome == "done" else name
        self.outcome = outcome
        self._changed()

    def _changed(self) -> None:
        if self._on_change is not None:
            self._on_change(self)
        self._clock.progressed()
