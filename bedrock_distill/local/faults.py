"""Failures on demand: rules that say which call goes wrong, and how.

    cloud.faults.add(Fault(operation="Converse", code="ThrottlingException", times=2))
    cloud.faults.add(Fault(service="s3", operation="PutObject", nth=3, disconnect=True, when="after"))

A rule names the calls it is for (`service`, `operation`, `resource`), which of them it strikes (`nth`, `every`,
`probability`, `times`; all of them by default) and what happens to those (exactly one of `code`, `status`, `disconnect`,
`cut_stream_after`, `crash`; or only `latency_s`, which goes with any of them). Rules hold for every service of the cloud,
through both doors. The calls that the cloud makes of itself, such as a job reading its data, are never struck.
"""

from __future__ import annotations

import contextlib
import fnmatch
import random
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from bedrock_distill.errors import SpecError

__all__ = ["CrashReport", "Fault", "Faults", "SimulatedCrash"]

_EFFECTS = ("code", "status", "disconnect", "cut_stream_after", "crash")


class SimulatedCrash(BaseException):
    """The caller's process dies here, as far as the test is concerned.

    It derives from BaseException, so that no retry and no `except Exception` survives what a kill would not.
    """

    def __init__(self, operation: str = "", when: str = "before") -> None:
        super().__init__(operation, when)
        self.operation = operation
        self.when = when

    def __str__(self) -> str:
        return f"the process was made to die {self.when} {self.operation}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One rule.

    Raises:
        SpecError: If the rule names no effect, more than one, or an impossible number.
    """

    service: str = "*"
    """Service as boto3 names it; `*` and `?` are wildcards."""
    operation: str = "*"
    """Operation as the API names it, such as `Converse` or `Create*`."""
    resource: str | None = None
    """A name, id or ARN that some string parameter of the call must match, wildcards allowed; None matches all calls."""
    nth: int | None = None
    """Strike only the nth matching call, counted from 1."""
    every: int | None = None
    """Strike every nth matching call."""
    probability: float | None = None
    """Strike a matching call with this probability, by the rule's own seeded dice."""
    seed: int = 0
    """Seed of those dice."""
    times: int | None = None
    """Strike at most so often; None means without end."""
    code: str | None = None
    """Answer with this AWS error; its status comes from the service's model."""
    message: str | None = None
    """The error's message."""
    status: int | None = None
    """Answer with this HTTP status: with `code`, instead of the model's; alone, with an empty body."""
    latency_s: float = 0.0
    """Seconds to wait first, by the cloud's clock."""
    disconnect: bool = False
    """Drop the connection instead of answering."""
    cut_stream_after: int | None = None
    """Break the answer's event stream after this many events: the connection drops, or with `code`, the stream ends with
    that error."""
    crash: bool = False
    """Raise SimulatedCrash in the caller (in process; over HTTP the connection drops)."""
    when: Literal["before", "after"] = "before"
    """Whether the operation has taken effect when the fault strikes."""

    def __post_init__(self) -> None:
        """Refuse rules that cannot mean anything."""
        # By identity: a stream may be cut after 0 events, and 0 equals False.
        chosen = [name for name in _EFFECTS if all(getattr(self, name) is not none for none in (None, False))]
        if chosen in (["code", "status"], ["code", "cut_stream_after"]):
            chosen = ["code"]  # the other says how the error comes
        if len(chosen) > 1:
            raise SpecError(f"A fault has one effect; this one has {' and '.join(chosen)}.", field=chosen[1])
        if not chosen and self.latency_s <= 0:
            raise SpecError(f"A fault needs an effect: one of {', '.join(_EFFECTS)}, or latency_s.")
        for name in ("nth", "every", "times"):
            number = getattr(self, name)
            if number is not None and number < 1:
                raise SpecError(f"A fault's {name} counts from 1, so it cannot be {number}.", field=name)
        if self.probability is not None and not 0 <= self.probability <= 1:
            raise SpecError(
                f"A fault's probability lies between 0 and 1, not at {self.probability}.", field="probability"
            )
        if self.when not in ("before", "after"):
            raise SpecError(
                f"A fault strikes before or after the operation, not {self.when!r}.", field="when"
            )

    @classmethod
    def parse(cls, text: str) -> Fault:
        """Read a rule as the command line writes it: `operation=Converse,nth=2,code=ThrottlingException`.

        Raises:
            SpecError: If a key is unknown or a value is not of its type.
        """
        known = {each.name: each for each in fields(cls)}
        values: dict[str, Any] = {}
        for part in text.split(","):
            name, separator, value = part.partition("=")
            if not separator or name.strip() not in known:
                raise SpecError(
                    f"{part!r} is no part of a fault: write KEY=VALUE, with a key of {', '.join(known)}."
                )
            values[name.strip()] = _typed(name.strip(), value.strip())
        return cls(**values)

    def covers(self, service: str, operation: str, params: Mapping[str, Any]) -> bool:
        """Whether the rule is about this call at all."""
        return (
            fnmatch.fnmatchcase(service, self.service)
            and fnmatch.fnmatchcase(operation, self.operation)
            and (
                self.resource is None
                or any(fnmatch.fnmatchcase(text, self.resource) for text in _strings(params))
            )
        )


@dataclass(slots=True)
class _Armed:
    """A rule, and how often it has been considered and has struck."""

    fault: Fault
    dice: random.Random
    seen: int = 0
    struck: int = 0

    def strikes(self) -> bool:
        fault = self.fault
        self.seen += 1
        rolled = fault.probability is None or self.dice.random() < fault.probability
        due = (
            rolled
            and (fault.nth is None or self.seen == fault.nth)
            and (fault.every is None or self.seen % fault.every == 0)
            and (fault.times is None or self.struck < fault.times)
        )
        self.struck += due
        return due


@dataclass(slots=True)
class CrashReport:
    """What `Faults.crashing` saw."""

    happened: bool = False
    """Whether a call was there to crash at."""
    operation: str | None = None
    """Where it crashed."""


class Faults:
    """The rules in force. Thread-safe.

    Args:
        rules: The first rules.
    """

    def __init__(self, rules: Iterable[Fault] = ()) -> None:
        self._lock = threading.Lock()
        self._armed: list[_Armed] = []
        self._doom: tuple[Fault, CrashReport] | None = None
        for rule in rules:
            self.add(rule)

    def add(self, fault: Fault) -> Fault:
        """Put a rule in force; returns it."""
        with self._lock:
            self._armed.append(_Armed(fault, random.Random(fault.seed)))  # noqa: S311 - dice, not secrets
        return fault

    def remove(self, fault: Fault) -> None:
        """Take a rule out of force; nothing happens if it is not there."""
        with self._lock:
            self._armed = [armed for armed in self._armed if armed.fault is not fault]

    def clear(self) -> None:
        """Take every rule out of force."""
        with self._lock:
            self._armed.clear()

    def struck(self, fault: Fault) -> int:
        """How often a rule has struck."""
        with self._lock:
            return sum(armed.struck for armed in self._armed if armed.fault is fault)

    def strike(self, service: str, operation: str, params: Mapping[str, Any]) -> list[Fault]:
        """The rules that strike this call. Asking counts: ask once for each call."""
        with self._lock:
            covering = [armed for armed in self._armed if armed.fault.covers(service, operation, params)]
            return [armed.fault for armed in covering if armed.strikes()]

    @contextlib.contextmanager
    def crashing(
        self,
        at: int,
        *,
        when: Literal["before", "after"] = "before",
        operation: str = "*",
        service: str = "*",
    ) -> Iterator[CrashReport]:
        """Let the caller's process die at its nth call, and catch the pieces.

        Inside the block the nth call raises SimulatedCrash, and so does every later one from whatever thread: the dead do
        not call, also where a thread pool has swallowed the crash. The block swallows it too; the report says whether
        there was one.

            for at in itertools.count(1):
                with cloud.faults.crashing(at) as crash:
                    work()
                if not crash.happened:
                    break           # every call has been a crash once, and this run went through

        Args:
            at: Which call, counted from 1 from the beginning of the block.
            when: Whether that call takes effect first.
            operation: Count only these operations; wildcards allowed.
            service: Count only these services.
        """
        rule = self.add(Fault(service=service, operation=operation, nth=at, crash=True, when=when))
        report = CrashReport()
        with self._lock:
            self._doom = (rule, report)
        try:
            with contextlib.suppress(SimulatedCrash):
                yield report
        finally:
            with self._lock:
                self._doom = None
            self.remove(rule)

    def crash(self, fault: Fault, operation: str) -> SimulatedCrash:
        """A crash has struck: note it where a `crashing` block waits for it; returns what to raise."""
        with self._lock:
            if self._doom is not None and self._doom[0] is fault:
                report = self._doom[1]
                report.happened, report.operation = True, operation
        return SimulatedCrash(operation, fault.when)

    def check_alive(self, operation: str) -> None:
        """Raise SimulatedCrash if the caller's process is dead already."""
        with self._lock:
            dead = self._doom is not None and self._doom[1].happened
        if dead:
            raise SimulatedCrash(operation)


def _strings(value: Any) -> Iterator[str]:
    """Every text in a call's parameters, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _strings(item)


_READ: Mapping[str, Callable[[str], Any]] = {
    "nth": int,
    "every": int,
    "times": int,
    "seed": int,
    "status": int,
    "cut_stream_after": int,
    "probability": float,
    "latency_s": float,
    "disconnect": lambda text: text.lower() == "true",
    "crash": lambda text: text.lower() == "true",
}


def _typed(name: str, text: str) -> Any:
    try:
        return _READ.get(name, str)(text)
    except ValueError as error:
        raise SpecError(f"A fault's {name} is a number, not {text!r}.", field=name, value=text) from error
