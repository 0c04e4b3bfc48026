"""Jobs whose names are taken for good, also by those that failed: which try of a plan comes next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bedrock_distill.resources.spec import short_name

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Set as AbstractSet

    from bedrock_distill.aws import Clients

__all__ = ["latest_attempt", "latest_listed"]


def latest_attempt(
    clients: Clients,
    name: str,
    fingerprint: str,
    *,
    operation: str,
    over: AbstractSet[str],
    gone: Callable[[dict[str, Any]], bool] = lambda _: False,
) -> tuple[int, dict[str, Any] | None]:
    """The number of the last try of a plan, and the job it made; a job that failed makes room for the next try.

    Args:
        clients: The gate to AWS.
        name: The spec's name.
        fingerprint: The plan's.
        operation: Bedrock's operation that describes such a job, by `jobIdentifier`.
        over: States after which the same plan may be tried again, under a new name.
        gone: Whether what a job has made is there no more, which makes room as well.

    Returns:
        The number from 1, and the job's description, or None where this try has not been made yet.
    """
    attempt = 1
    while True:
        job_name = short_name(name, fingerprint, attempt)
        job = clients.find("bedrock", operation, subject=job_name, jobIdentifier=job_name)
        if job is None or not (job["status"] in over or gone(job)):
            return attempt, job
        attempt += 1


def latest_listed(
    clients: Clients, name: str, *, operation: str, items: str, over: AbstractSet[str]
) -> tuple[int, dict[str, Any] | None]:
    """The same of jobs that no call asks for by their names: they are found by listing.

    Args:
        clients: The gate to AWS.
        name: The job's name at the first try.
        operation: Bedrock's operation that lists such jobs.
        items: Member of its answer that holds them.
        over: States after which the same plan may be tried again, under a new name.

    Returns:
        The number from 1, and the job's summary, or None where this try has not been made yet.
    """
    found = clients.pages("bedrock", operation, items, nameContains=name)
    jobs = {job["jobName"]: job for job in found}
    attempt = 1
    while True:
        job = jobs.get(name if attempt == 1 else f"{name}-{attempt}")
        if job is None or job.get("status") not in over:
            return attempt, job
        attempt += 1
