"""Which try of a plan comes next, of jobs that are found by listing."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from bedrock_distill.resources.attempts import latest_listed


def latest(*statuses):
    """Tries of one plan, in their order; None is the status of a job of which AWS does not say it."""
    names = ("job", *(f"job-{number}" for number in range(2, 9)))
    jobs = [
        {"jobName": name, **({"status": status} if status else {})}
        for name, status in zip(names, statuses, strict=False)
    ]
    clients = SimpleNamespace(pages=lambda *_, **__: [*jobs, {"jobName": "job-x", "status": "Completed"}])
    number, job = latest_listed(clients, "job", operation="list", items="jobs", over={"Failed", "Stopped"})
    return number, job["jobName"] if job else None


@pytest.mark.parametrize(
    ("statuses", "found"),
    [
        ((), (1, None)),
        (("InProgress",), (1, "job")),
        (("Failed",), (2, None)),
        (("Failed", "Stopped", "Completed"), (3, "job-3")),
        ((None,), (1, "job")),
    ],
)
def test_a_try_that_failed_makes_room_for_the_next_and_any_other_is_the_last(statuses, found):
    assert latest(*statuses) == found
