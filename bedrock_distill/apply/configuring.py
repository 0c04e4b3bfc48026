"""Putting values under names, waiting until a resource is ready for the next step, and taking back what was just made."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Literal

from bedrock_distill.aws import RetryPolicy, poll
from bedrock_distill.errors import JobFailedError, PlanError, ServiceError, WaitTimeoutError
from bedrock_distill.plan import Configure
from bedrock_distill.plan.configure import holds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bedrock_distill.aws import Clients
    from bedrock_distill.plan import CreateResource

__all__ = ["configure", "take_back", "wait_until_ready"]

_log = logging.getLogger("bedrock_distill")


def configure(
    step: Configure, clients: Clients, *, done: Mapping[str, str]
) -> tuple[Literal["made", "found"], str]:
    """Put a step's value unless it is there, or take it away unless it has gone.

    Args:
        step: What to put or to take away.
        clients: The gate to AWS.
        done: Step id -> what came of it, for the step's links.

    Returns:
        Whether something was done or all was found so, and what later steps use of it (its name, where they use nothing).
    """
    there = _look(step, clients)
    if there is None and step.removes:
        return "found", step.name
    if there is not None and any(holds(there, wanted) for wanted in step.same):
        return "found", str(there.get(step.result) or step.name)
    linked = {member: [_result(source, step, done)] for member, source in step.links.items()}
    request: dict[str, Any] = {**step.request, **linked}
    answer = clients.call(step.service, step.operation, subject=step.name, **request)
    return "made", str(answer.get(step.result) or step.name)


def _look(step: Configure, clients: Clients) -> dict[str, Any] | None:
    answer = clients.find(step.service, step.look.operation, subject=step.name, **step.look.params)
    if answer is None or not step.look.items:
        return answer
    return next(iter(answer.get(step.look.items) or ()), None)


def _there(step: CreateResource | Configure, clients: Clients) -> dict[str, Any] | None:
    if isinstance(step, Configure):
        return _look(step, clients)
    named: dict[str, Any] = {step.lookup.parameter: step.name}
    return clients.find(step.service, step.lookup.operation, subject=step.name, **named)


def _result(source: str, step: Configure, done: Mapping[str, str]) -> str:
    if source not in done:
        raise PlanError(f"The step {step.id!r} needs {source!r}, which does not come before it: plan again.")
    return done[source]


def wait_until_ready(step: CreateResource | Configure, clients: Clients) -> None:
    """Wait until what a step made, put or found is ready for the next one.

    Raises:
        JobFailedError: If it comes to a bad end, or what was put does not hold.
        WaitTimeoutError: If it is not ready in time; it goes on, and applying again goes on waiting.
    """
    ready = step.ready
    if ready is None:
        return
    arn = step.result if isinstance(step, Configure) else step.lookup.arn
    answer: dict[str, Any] = {}
    for seen in poll(lambda: _there(step, clients), clock=clients.clock, timeout_s=ready.timeout_s):
        # What was just made may not be seen yet.
        answer = seen or answer
        status = str(answer.get(ready.member, ""))
        reason = str(answer.get(ready.reason) or "")
        if status in ready.good:
            if isinstance(step, Configure) and not any(holds(answer, wanted) for wanted in step.same):
                raise JobFailedError(
                    f"The {step.kind} {step.name} was rolled back{': ' + reason.rstrip('.') if reason else ''}. What served "
                    "before serves on, and what comes after this step was not done.",
                    arn=str(answer.get(arn, "")),
                    status=status,
                    reason=reason,
                )
            return
        if status in ready.bad:
            raise JobFailedError(
                f"The {step.kind} {step.name} is {status}{': ' + reason.rstrip('.') if reason else ''}. What comes after it was not done.",
                arn=str(answer.get(arn, "")),
                status=status,
                reason=reason,
            )
    status = str(answer.get(ready.member, "not there"))
    raise WaitTimeoutError(
        f"The {step.kind} {step.name} is still {status} after {ready.timeout_s:g} s, and must be {' or '.join(ready.good)} "
        "before the plan can go on. Apply again: it goes on from there.",
        arn=str(answer.get(arn, "")),
        status=status,
    )


def _still_held(error: ServiceError) -> bool:
    """Whether something that is being deleted, and takes its minutes, still holds what is to be deleted next."""
    return error.code == "ValidationException"


_LEAVING = RetryPolicy(attempts=20, wait_initial_s=5.0, wait_max_s=30.0, also=_still_held)


def take_back(made: Sequence[CreateResource], clients: Clients) -> None:
    """Delete what this apply has made, the last first, as far as its steps say how."""
    for step in reversed(made):
        if step.undo is None:
            continue
        named: dict[str, Any] = {step.undo.parameter: step.name}
        try:
            clients.call(step.service, step.undo.operation, retry=_LEAVING, subject=step.name, **named)
        except ServiceError as error:
            # The error that led here is the one to see; this one says what is left over.
            _log.warning("The %s %s could not be removed again: %s", step.kind, step.name, error)
        else:
            _log.info("Removed the %s %s again.", step.kind, step.name)
