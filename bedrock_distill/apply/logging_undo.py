"""Taking back what was switched on: which destination that was, and what it replaced, by the journals of this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bedrock_distill.apply.journal import replacements
from bedrock_distill.errors import PlanError, StalePlanError
from bedrock_distill.resources import LogDelivery, LoggingOff, LoggingRestored
from bedrock_distill.resources.invocation_logging import LOGGING, destination_of
from bedrock_distill.resources.logging_plan import ENABLING, LOGGING_STEP_ID

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bedrock_distill.aws import Clients

__all__ = ["Change", "as_before", "logging_undo", "switched_on"]

Change = tuple[Any, Any]
"""A configuration before and after it was put."""

_ELSEWHERE = (
    "It may have been switched on from another machine, by other means, or with another state directory."
)


def logging_undo(
    clients: Clients, state_dir: Path, *, restore: bool, remove_policy: bool
) -> LoggingOff | LoggingRestored:
    """The spec that takes back what was switched on last; see `Session.logging_undo`."""
    entries = replacements(
        state_dir,
        region=clients.region,
        account_id=clients.account_id,
        plan_name=ENABLING,
        step_id=LOGGING_STEP_ID,
    )
    past = [(entry.before, entry.after) for entry in entries]
    if restore:
        return as_before(past, LogDelivery(clients).describe(), region=clients.region)
    return switched_on(past, region=clients.region, remove_policy=remove_policy)


def switched_on(past: Sequence[Change], *, region: str, remove_policy: bool) -> LoggingOff:
    """What takes back the destination that was switched on last.

    Args:
        past: How the configuration was changed by switching on, newest first.
        region: Where, for the message.
        remove_policy: Whether the bucket policy's statement goes, too.

    Raises:
        PlanError: If no destination was switched on as far as the past goes.
    """
    for before, after in past:
        uri = destination_of(after)
        if uri is not None and uri != destination_of(before):
            return LoggingOff(bucket=uri.bucket, prefix=uri.key, remove_policy=remove_policy)
    raise PlanError(
        f"No journal here knows of a destination in S3 that was switched on in {region}, so none is removed. {_ELSEWHERE} "
        "Name the destination (bedrock-distill logs status shows it), as in: bedrock-distill logs disable "
        "s3://BUCKET/PREFIX"
    )


def as_before(past: Sequence[Change], now: dict[str, Any] | None, *, region: str) -> LoggingRestored:
    """The configuration that switching on replaced last.

    Args:
        past: How the configuration was changed by switching on, newest first.
        now: The configuration in force.
        region: Where, for messages.

    Raises:
        PlanError: If the past knows of no change.
        StalePlanError: If the configuration is neither what was put nor what was there before.
    """
    change = next((change for change in past if not LOGGING.same(*change)), None)
    if change is None:
        raise PlanError(
            f"No journal here knows what the configuration of {region} was before, so nothing is put back. {_ELSEWHERE} "
            "The JSON that `logs enable --output json` printed knows it, too: --restore-from FILE."
        )
    before, after = change
    # Put back already counts as well: a second try after a crash must find its work done.
    if not (LOGGING.same(now, after) or LOGGING.same(now, before)):
        raise StalePlanError(
            f"The logging configuration of {region} has changed since it was switched on here, and putting the old one back "
            "would lose that: see `bedrock-distill logs status`, or remove one destination with `bedrock-distill logs "
            "disable s3://BUCKET/PREFIX`."
        )
    return LoggingRestored(configuration=before)
