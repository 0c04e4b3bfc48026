"""Creating what is found again by listing: a resource whose service gives it an id and lets names repeat.

The name carries the plan's fingerprint, so a look at the list says whether it is there; the client token does, too, so an
answer that gets lost makes nothing twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from bedrock_distill.aws import RetryPolicy, poll
from bedrock_distill.errors import ConflictError, PlanError, WaitTimeoutError
from bedrock_distill.uris import Arn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bedrock_distill.aws import Clients
    from bedrock_distill.plan import CreateListed

__all__ = ["create_listed"]

_READY_S = 900.0
"""How long a resource may take to be ready for what comes next. EMR Serverless applications take seconds to minutes."""


def create_listed(
    step: CreateListed, clients: Clients, *, done: Mapping[str, str], retry: RetryPolicy
) -> tuple[Literal["made", "found"], str]:
    """Create the resource unless it is there, and wait until the plan can go on with it.

    Args:
        step: What to create.
        clients: The gate to AWS.
        done: Step id -> what came of it, for what the resource lies in.
        retry: When to try the creation again.

    Returns:
        Whether it was made or found, and its ARN.

    Raises:
        ConflictError: If another resource has the name.
        WaitTimeoutError: If it is not ready in time.
    """
    inside = {member: _id_of(source, step, done) for member, source in step.inside.items()}
    found = _find(step, clients, inside)
    event: Literal["made", "found"] = "found"
    if found is None:
        try:
            request: dict[str, Any] = {**step.request, **inside}
            answer = clients.call(step.service, step.operation, retry=retry, subject=step.name, **request)
        except ConflictError:
            # It was made between the look and the call, by an apply beside this one.
            found = _find(step, clients, inside)
            if found is None:
                raise
        else:
            event, found = "made", {step.listing.arn: answer[step.arn]}
    arn = str(found[step.listing.arn])
    if step.listing.ready:
        _wait_until_ready(step, clients, inside, arn)
    return event, arn


def _id_of(source: str, step: CreateListed, done: Mapping[str, str]) -> str:
    """The id of what a resource lies in: the last part of its ARN, where a step of this plan makes it."""
    if not source.startswith("create:"):
        return source
    arn = done.get(source)
    if arn is None:
        raise PlanError(f"The step {step.id!r} needs {source!r}, which does not come before it: plan again.")
    return Arn.parse(arn).resource.rpartition("/")[2]


def _find(step: CreateListed, clients: Clients, inside: Mapping[str, str]) -> dict[str, Any] | None:
    listing = step.listing
    narrowed = {listing.contains: step.name} if listing.contains else {}
    for item in clients.pages(step.service, listing.operation, listing.items, **inside, **narrowed):
        if item.get(listing.name) != step.name or item.get(listing.state) in listing.gone:
            continue
        strange = {key: item[key] for key, value in listing.same.items() if item.get(key, value) != value}
        if strange:
            raise ConflictError(
                f"There is another {step.kind} named {step.name} in this account ({strange}): "
                "choose another name in the spec, and plan again.",
                service=step.service,
                operation=listing.operation,
                code="ConflictException",
            )
        return item
    return None


def _wait_until_ready(step: CreateListed, clients: Clients, inside: Mapping[str, str], arn: str) -> None:
    state = ""
    for item in poll(lambda: _find(step, clients, inside), clock=clients.clock, timeout_s=_READY_S):
        # A list may lag behind the answer that told of the resource.
        state = str(item[step.listing.state]) if item is not None else state
        if state in step.listing.ready:
            return
    raise WaitTimeoutError(
        f"The {step.kind} {step.name} is {state or 'not listed'} after {_READY_S:g} s, and must be one of "
        f"{', '.join(step.listing.ready)} before the plan can go on. Apply again when it is.",
        arn=arn,
        status=state,
    )
