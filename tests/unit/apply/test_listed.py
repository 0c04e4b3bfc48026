"""Creating what is found again by listing, where something is amiss."""

from __future__ import annotations

import pytest

from bedrock_distill.apply.listed import create_listed
from bedrock_distill.aws import RetryPolicy
from bedrock_distill.errors import PlanError, WaitTimeoutError
from bedrock_distill.local import Cloud
from bedrock_distill.local.services.emr_serverless import EmrServerless
from bedrock_distill.plan import CreateListed, Listing

ONCE = RetryPolicy(attempts=1)


@pytest.fixture
def clients():
    with Cloud(services=lambda world: {"emr-serverless": EmrServerless(world)}) as cloud:
        yield cloud.session().clients


def application(**listing):
    return CreateListed(
        kind="application",
        name="a",
        service="emr-serverless",
        operation="create_application",
        request={"name": "a", "releaseLabel": "emr-7.13.0", "type": "SPARK", "clientToken": "t"},
        arn="arn",
        listing=Listing(operation="list_applications", items="applications", gone=("TERMINATED",), **listing),
        bills=False,
    )


def test_it_is_made_once_and_found_afterwards(clients):
    first = create_listed(application(), clients, done={}, retry=ONCE)
    assert first[0] == "made"
    assert create_listed(application(), clients, done={}, retry=ONCE) == ("found", first[1])


def test_what_is_gone_is_not_found(clients):
    _, arn = create_listed(application(), clients, done={}, retry=ONCE)
    clients.call("emr-serverless", "delete_application", applicationId=arn.rpartition("/")[2])
    again = application()
    again.request["clientToken"] = "another"
    event, other = create_listed(again, clients, done={}, retry=ONCE)
    assert (event, other != arn) == ("made", True)


def test_what_never_gets_ready_is_said_to_be_where_it_is(clients):
    with pytest.raises(WaitTimeoutError, match="CREATED after 900 s, and must be one of STARTED"):
        create_listed(application(ready=("STARTED",)), clients, done={}, retry=ONCE)


def test_a_step_that_needs_one_that_does_not_come_before_it_is_a_broken_plan(clients):
    step = CreateListed(
        kind="run",
        name="r",
        service="emr-serverless",
        operation="start_job_run",
        request={},
        arn="arn",
        listing=Listing(operation="list_job_runs", items="jobRuns"),
        inside={"applicationId": "create:a"},
        bills=True,
    )
    with pytest.raises(PlanError, match="plan again"):
        create_listed(step, clients, done={}, retry=ONCE)
