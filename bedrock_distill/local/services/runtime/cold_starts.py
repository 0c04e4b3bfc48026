"""Imported models scale to zero: the first call finds none loaded, and five idle minutes unload it again.

Who calls meanwhile is answered ModelNotReadyException (429), which AWS's SDKs try again by themselves. What was once loaded
stays in this machine's memory, so that it comes back at once; its callers see a cold start all the same.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from bedrock_distill.local.clock import Phase
from bedrock_distill.local.gateway.errors import AwsError

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from bedrock_distill.local.clock import LocalClock, Phases
    from bedrock_distill.local.students import Generators

__all__ = ["IDLE", "ColdStarts"]

IDLE = timedelta(minutes=5)
"""How long a model stays loaded after its last call."""

_PATIENCE_S = 30.0
"""Real seconds that a call waits for a load under the `instant` clock; less than clients wait for an answer."""


@dataclass(slots=True)
class _Copy:
    """A model that is loaded, or on its way."""

    phases: Phases
    used: datetime | None = None
    """When it was last asked something, once it could answer."""


class ColdStarts:
    """Which imported models are loaded. Thread-safe.

    Args:
        clock: The cloud's clock.
        generators: Loads the weights.
    """

    def __init__(self, clock: LocalClock, generators: Generators) -> None:
        self._clock = clock
        self._generators = generators
        self._copies: dict[str, _Copy] = {}
        self._lock = threading.Lock()

    def check(self, arn: str, directory: Path) -> None:
        """Let a call pass to a model that is loaded; begin to load one that is not.

        Under the `instant` clock, who asks again waits for the load: there a client's pauses pass in no time, and a load takes
        what this machine takes, so that all of a client's tries would be used up before it.

        Raises:
            AwsError: ModelNotReadyException while there is no loaded copy; ModelErrorException if it cannot be loaded.
        """
        with self._lock:
            copy = self._copies.get(arn)
            if copy is None or self._idle(copy):
                load = Phase("Loading", lambda: self._generators.get(directory))
                copy = self._copies[arn] = _Copy(self._clock.phases([load]).start())
                copy.phases.observe()  # this call is the first to look at it
                raise _not_ready(arn)
        if self._clock.mode == "instant":
            copy.phases.join(_PATIENCE_S)
        with self._lock:
            outcome = copy.phases.observe().outcome
            if outcome == "running":
                raise _not_ready(arn)
            if outcome != "done":
                if self._copies.get(arn) is copy:
                    del self._copies[arn]  # whoever calls next may try again
                raise AwsError("ModelErrorException", str(copy.phases.error), originalStatusCode=500)
            copy.used = self._clock.now()

    def _idle(self, copy: _Copy) -> bool:
        last = copy.used or copy.phases.ended_at
        return copy.phases.outcome == "done" and last is not None and self._clock.now() - last > IDLE


def _not_ready(arn: str) -> AwsError:
    return AwsError(
        "ModelNotReadyException",
        f"Model is not ready for inference. The imported model {arn} is being loaded: wait and try your request again.",
    )
