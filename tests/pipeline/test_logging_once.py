"""Switching logging on makes one configuration and one statement, wherever the process dies, and loses nothing of others."""

from __future__ import annotations

import itertools

import pytest

from bedrock_distill.apply import Journal
from bedrock_distill.errors import PlanError, ServiceError, SpecError, StalePlanError
from bedrock_distill.local.faults import Fault
from bedrock_distill.plan import Plan
from bedrock_distill.resources import (
    CloudWatchLogs,
    InvocationLogging,
    LogDelivery,
    LoggingOff,
    LoggingRestored,
)

ACCOUNT = "123456789012"
READS = ("Get", "Head", "List", "Describe")
WISH = InvocationLogging(bucket="acme-logs", prefix="traffic")
OFF = LoggingOff(bucket="acme-logs", prefix="traffic", remove_policy=True)
ANALYSTS = {
    "Sid": "Analysts",
    "Effect": "Allow",
    "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
    "Action": "s3:GetObject",
    "Resource": "arn:aws:s3:::acme-logs/*",
}


def apply(session, spec, **options):
    events = []
    session.apply(session.plan(spec), on_event=events.append, **options)
    return [event.event for event in events if event.event != "started"]


def operations(cloud, since):
    return [call.operation for call in list(cloud.calls)[since:]]


def test_planning_only_reads(cloud, room):
    session = cloud.session()
    before = len(cloud.calls)
    for spec in (WISH, OFF, LoggingRestored(configuration=None)):
        session.plan(spec)
    names = operations(cloud, before)
    assert {"GetModelInvocationLoggingConfiguration", "GetBucketPolicy", "GetBucketEncryption"} <= set(names)
    assert all(name.startswith((*READS, "AssumeRole")) for name in names), names


def test_switching_on_puts_the_statement_and_the_destination_and_says_what_is_on(cloud, room):
    session = cloud.session()
    handle = session.apply(session.plan(WISH))
    assert isinstance(handle, LogDelivery)
    assert handle.describe() == room.configuration()
    assert room.configuration()["s3Config"] == {"bucketName": "acme-logs", "keyPrefix": "traffic"}
    assert [each["Sid"] for each in room.policy()["Statement"]] == ["AmazonBedrockLogsWrite"]


def test_what_is_there_already_is_found_and_nothing_is_put(cloud, room):
    session = cloud.session()
    plan = session.plan(WISH)
    assert apply(session, WISH) == ["made", "made"]
    before = len(cloud.calls)
    assert apply(session, WISH) == ["found", "found"]
    session.apply(Plan.from_json(plan.to_json()))  # the old plan, too: what it wanted is so
    assert not [name for name in operations(cloud, before) if name.startswith(("Put", "Delete"))]


def test_what_others_have_set_stays(cloud, room):
    group = room.to_log_group()
    document = room.put_policy(ANALYSTS, Id="storage team")
    session = cloud.session()
    apply(session, WISH)
    assert room.configuration()["cloudWatchConfig"] == group
    assert room.configuration()["imageDataDeliveryEnabled"] is True
    assert room.policy() == document | {"Statement": [ANALYSTS, room.policy()["Statement"][1]]}
    apply(session, OFF)
    assert room.configuration()["cloudWatchConfig"] == group
    assert "s3Config" not in room.configuration()
    assert room.policy() == document


def test_switching_off_leaves_nothing_of_ours_and_every_object(cloud, room):
    session = cloud.session()
    apply(session, WISH)
    keys = [item["Key"] for item in room.s3.list_objects_v2(Bucket="acme-logs")["Contents"]]
    assert apply(session, OFF) == ["made", "made"]
    assert (room.configuration(), room.policy()) == (None, None)
    assert [item["Key"] for item in room.s3.list_objects_v2(Bucket="acme-logs")["Contents"]] == keys
    assert apply(session, OFF) == ["found"]


# Crashes


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("others", [False, True])
def test_a_crash_at_any_call_leaves_one_configuration_and_one_statement_after_another_try(
    cloud, room, tmp_path, when, others
):
    group = room.to_log_group() if others else None
    # The second session is another process on another machine: no journal, no memory.
    dying, other = cloud.session(state_dir=tmp_path / "a"), cloud.session(state_dir=tmp_path / "b")
    struck = []
    for at in itertools.count(1):
        name = f"acme-logs-{at}"
        room.make(name)
        kept = room.put_policy({**ANALYSTS, "Resource": f"arn:aws:s3:::{name}/*"}, bucket=name)
        wanted = InvocationLogging(bucket=name, prefix="traffic")
        with cloud.faults.crashing(at, when=when) as crash:
            dying.apply(dying.plan(wanted))
        apply(other, wanted)
        assert room.configuration()["s3Config"]["bucketName"] == name, (at, crash.operation)
        assert room.configuration().get("cloudWatchConfig") == group
        sids = [each["Sid"] for each in room.policy(name)["Statement"]]
        assert sids == ["Analysts", "AmazonBedrockLogsWrite"], (at, crash.operation)
        off = LoggingOff(bucket=name, prefix="traffic", remove_policy=True)
        with cloud.faults.crashing(at, when=when) as second:
            dying.apply(dying.plan(off))
        apply(other, off)
        assert "s3Config" not in (room.configuration() or {}), (at, second.operation)
        assert (room.configuration() is not None) is others
        assert room.policy(name) == kept, (at, second.operation)
        struck += [crash.operation, second.operation]
        if not crash.happened:
            break
    assert {"PutBucketPolicy", "PutModelInvocationLoggingConfiguration"} <= set(struck)
    assert others or "DeleteModelInvocationLoggingConfiguration" in struck


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_at_any_call_of_putting_back_is_finished_by_putting_back_again(cloud, room, when):
    group = room.to_log_group()
    before = room.configuration()
    session = cloud.session()
    for at in itertools.count(1):
        apply(session, WISH)
        with cloud.faults.crashing(at, when=when) as crash:
            session.apply(session.plan(session.logging_undo(restore=True)))
        apply(session, session.logging_undo(restore=True))
        assert room.configuration() == before, (at, crash.operation)
        if not crash.happened:
            break
    assert at > 2
    assert room.configuration()["cloudWatchConfig"] == group


def test_an_answer_that_gets_lost_is_no_second_statement(cloud, room):
    for name in ("PutBucketPolicy", "PutModelInvocationLoggingConfiguration"):
        cloud.faults.add(Fault(operation=name, disconnect=True, when="after", times=1))
    apply(cloud.session(), WISH)
    assert len(room.policy()["Statement"]) == 1
    assert room.configuration()["s3Config"]["bucketName"] == "acme-logs"


# A world that moves


def test_a_configuration_that_somebody_changed_since_is_not_overwritten(cloud, room):
    session = cloud.session()
    plan = session.plan(WISH)
    room.to_log_group()
    theirs = room.configuration()
    with pytest.raises(StalePlanError, match="model invocation logging has changed"):
        session.apply(plan)
    assert room.configuration() == theirs
    assert apply(session, WISH) == ["found", "made"]
    assert room.configuration()["cloudWatchConfig"] == theirs["cloudWatchConfig"]


def test_a_policy_that_somebody_changed_since_is_not_overwritten_and_nothing_is_switched_on(cloud, room):
    session = cloud.session()
    plan = session.plan(WISH)
    theirs = room.put_policy(ANALYSTS)
    with pytest.raises(StalePlanError, match="policy of the bucket acme-logs has changed"):
        session.apply(plan)
    assert (room.policy(), room.configuration()) == (theirs, None)


def test_an_order_that_s3_changed_is_no_change(cloud, room):
    room.put_policy({**ANALYSTS, "Action": ["s3:GetObject", "s3:ListBucket"]})
    session = cloud.session()
    plan = session.plan(WISH)
    room.put_policy(
        {**ANALYSTS, "Action": ["s3:ListBucket", "s3:GetObject"], "Resource": [ANALYSTS["Resource"]]}
    )
    session.apply(plan)
    assert len(room.policy()["Statement"]) == 2


def test_two_at_once_end_with_one_of_the_two_and_the_other_hears_of_it(cloud, room):
    first, second = cloud.session(), cloud.session()
    room.make("other-logs")
    plans = first.plan(WISH), second.plan(InvocationLogging(bucket="other-logs"))
    first.apply(plans[0])
    with pytest.raises(StalePlanError):
        second.apply(plans[1])
    assert room.configuration()["s3Config"]["bucketName"] == "acme-logs"


def test_a_policy_that_has_not_spread_yet_is_waited_for(cloud, room):
    message = "Failed to validate permissions for S3 bucket: acme-logs, with prefix: traffic."
    fault = cloud.faults.add(
        Fault(
            operation="PutModelInvocationLoggingConfiguration",
            code="ValidationException",
            message=message,
            times=2,
        )
    )
    assert apply(cloud.session(), WISH) == ["made", "made"]
    assert cloud.faults.struck(fault) == 2


def test_a_refusal_that_does_not_pass_is_told_and_the_old_configuration_stays(cloud, room):
    room.to_log_group()
    before = room.configuration()
    group = CloudWatchLogs(log_group="/audit", role=f"arn:aws:iam::{ACCOUNT}:role/nobody")
    session = cloud.session()
    plan = session.plan(WISH.model_copy(update={"cloudwatch": group, "replace": True}))
    assert {w.code for w in plan.blockers} == {"no-logging-role"}
    with pytest.raises(ServiceError, match="Failed to validate permissions for log group"):
        session.apply(plan, force=True)
    assert room.configuration() == before


# Going back


def test_the_journal_keeps_what_was_replaced_from_before_the_call_on(cloud, room, tmp_path):
    room.to_log_group()
    before = room.configuration()
    session = cloud.session(state_dir=tmp_path)
    plan = session.plan(WISH)
    with cloud.faults.crashing(1, operation="PutModelInvocationLoggingConfiguration", when="after") as crash:
        session.apply(plan)
    assert crash.happened
    last = list(Journal(tmp_path, plan).entries())[-1]
    assert (last.event, last.before) == ("started", before)
    apply(session, session.logging_undo(restore=True))
    assert room.configuration() == before


def test_a_replaced_destination_comes_back(cloud, room):
    room.make("finance")
    session = cloud.session()
    apply(session, InvocationLogging(bucket="finance", image=True))
    theirs = room.configuration()
    with pytest.raises(PlanError, match="s3://finance"):
        apply(session, WISH)
    apply(session, WISH.model_copy(update={"replace": True}))
    assert room.configuration()["s3Config"]["bucketName"] == "acme-logs"
    apply(session, session.logging_undo(restore=True))
    assert room.configuration() == theirs


def test_without_a_journal_nothing_is_guessed_and_a_name_or_a_memory_will_do(cloud, room, tmp_path):
    apply(cloud.session(), WISH)
    stranger = cloud.session(state_dir=tmp_path / "elsewhere")
    for restore in (False, True):
        with pytest.raises(PlanError, match="No journal here knows"):
            stranger.logging_undo(restore=restore)
    apply(stranger, LoggingRestored(configuration=None))
    assert room.configuration() is None


def test_a_journal_of_another_region_is_not_this_ones(cloud, room):
    apply(cloud.session(), WISH)
    with pytest.raises(PlanError, match="us-west-2"):
        cloud.session(region="us-west-2").logging_undo()


def test_a_configuration_that_the_model_refuses_is_not_sent(cloud, room):
    with pytest.raises(SpecError, match="bucketName"):
        cloud.session().plan(LoggingRestored(configuration={"s3Config": {"bucketName": "x"}}))
