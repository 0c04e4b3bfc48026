"""Planning to switch model invocation logging off, and to go back to what was before."""

from __future__ import annotations

import pytest

from bedrock_distill.apply.logging_undo import as_before, switched_on
from bedrock_distill.errors import PlanError, StalePlanError
from bedrock_distill.resources import LoggingOff, LoggingRestored
from bedrock_distill.resources.bucket_policy import with_statement
from bedrock_distill.resources.logging_plan import configuration_step, plan_logging, statement_for
from bedrock_distill.resources.logging_survey import LoggingSurvey, PolicyState
from bedrock_distill.uris import S3Uri

ACCOUNT = "123456789012"
PLACE = {"region": "us-east-1", "account_id": ACCOUNT, "partition": "aws"}
ROLE = f"arn:aws:iam::{ACCOUNT}:role/logger"
THEIRS = {"cloudWatchConfig": {"logGroupName": "/audit", "roleArn": ROLE}, "textDataDeliveryEnabled": True}
OURS = {"bucketName": "acme-logs", "keyPrefix": "traffic"}
ON = {
    "s3Config": OURS,
    "textDataDeliveryEnabled": True,
    "imageDataDeliveryEnabled": False,
    "embeddingDataDeliveryEnabled": False,
}


def after(plan):
    return configuration_step(plan).after


def codes(plan, *, blocking=None):
    return {w.code for w in plan.warnings if blocking is None or w.blocks is blocking}


def off(spec=None, **found):
    spec = spec or LoggingOff(bucket="acme-logs", prefix="traffic")
    return plan_logging(spec, LoggingSurvey(**{**PLACE, **found}))


def test_switching_off_the_only_destination_switches_logging_off():
    assert after(off(configuration=ON)) is None
    assert off(configuration=ON).facts["logging"] == "off"


def test_switching_off_keeps_the_log_group_and_the_flags():
    assert after(off(configuration=ON | THEIRS)) == {
        k: v for k, v in (ON | THEIRS).items() if k != "s3Config"
    }


@pytest.mark.parametrize("now", [None, THEIRS])
def test_what_is_off_already_is_not_touched(now):
    plan = off(configuration=now)
    assert [step.done for step in plan.steps] == [True]
    assert after(plan) == now


def test_another_destination_is_left_alone_and_named():
    now = {"s3Config": {"bucketName": "finance"}}
    plan = off(configuration=now)
    assert after(plan) == now
    assert codes(plan, blocking=False) == {"other-destination"}


def test_the_statement_goes_only_when_asked_and_after_the_configuration():
    statement = statement_for(S3Uri("acme-logs", "traffic"), LoggingSurvey(**PLACE))
    policy = PolicyState(document=with_statement(None, statement))
    spec = LoggingOff(bucket="acme-logs", prefix="traffic", remove_policy=True)
    plan = off(spec, configuration=ON, policy=policy)
    assert [step.setting.service for step in plan.steps] == ["bedrock", "s3"]
    assert plan.steps[1].after is None
    assert len(off(configuration=ON, policy=policy).steps) == 1


def test_the_statement_stays_while_large_bodies_of_the_log_group_need_it():
    group = {"logGroupName": "/b", "roleArn": ROLE, "largeDataDeliveryS3Config": OURS}
    spec = LoggingOff(bucket="acme-logs", prefix="traffic", remove_policy=True)
    plan = off(spec, configuration=ON | {"cloudWatchConfig": group})
    assert codes(plan) == {"policy-needed"}
    assert len(plan.steps) == 1


@pytest.mark.parametrize("state", [PolicyState(hidden=True), PolicyState(broken="no JSON")])
def test_a_policy_that_cannot_be_read_is_not_changed(state):
    spec = LoggingOff(bucket="acme-logs", prefix="traffic", remove_policy=True)
    plan = off(spec, configuration=ON, policy=state)
    assert codes(plan, blocking=True) == {"policy-unread"}
    assert len(plan.steps) == 1


def test_restoring_puts_the_earlier_configuration_whole():
    assert after(off(LoggingRestored(configuration=THEIRS), configuration=ON)) == THEIRS
    assert after(off(LoggingRestored(configuration=None), configuration=ON)) is None


# What the past says


PLACE_NAME = {"region": "us-east-1"}


def test_the_destination_that_was_switched_on_last_is_the_one_to_switch_off():
    other = {"s3Config": {"bucketName": "older"}}
    past = [(ON, ON | {"imageDataDeliveryEnabled": True}), (other, ON), (None, other)]
    found = switched_on(past, **PLACE_NAME, remove_policy=True)
    assert found == LoggingOff(bucket="acme-logs", prefix="traffic", remove_policy=True)


@pytest.mark.parametrize("past", [[], [(ON, ON)], [(THEIRS, THEIRS | {"textDataDeliveryEnabled": False})]])
def test_a_destination_that_nobody_switched_on_here_is_not_guessed(past):
    with pytest.raises(PlanError, match="Name the destination"):
        switched_on(past, **PLACE_NAME, remove_policy=False)


@pytest.mark.parametrize("now", [ON, THEIRS])
def test_what_was_replaced_last_is_put_back_also_a_second_time(now):
    past = [(ON, ON), (THEIRS, ON), (None, THEIRS)]
    assert as_before(past, now, **PLACE_NAME) == LoggingRestored(configuration=THEIRS)


def test_nothing_is_put_back_over_what_somebody_has_changed_since():
    with pytest.raises(StalePlanError, match="has changed"):
        as_before([(None, ON)], ON | THEIRS, **PLACE_NAME)


def test_nothing_is_put_back_where_the_past_is_not_known():
    with pytest.raises(PlanError, match="--restore-from"):
        as_before([(ON, ON)], ON, **PLACE_NAME)
