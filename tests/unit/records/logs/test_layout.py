"""Keys of logs: what is a log, and which hours a key can be about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bedrock_distill.records.logs.layout import MARGIN, hour_of, is_log, overflow_path, prefix_may_hold

ROOT = "AWSLogs/123456789012/BedrockModelInvocationLogs"
HOUR = f"{ROOT}/us-east-1/2026/11/01/05"
NAME = "20261101T050000000Z_0123456789abcdef.json.gz"


@pytest.mark.parametrize(
    ("name", "log"),
    [
        (f"{HOUR}/{NAME}", True),
        (f"any/prefix/{HOUR}/{NAME}", True),
        (NAME, True),
        (f"{HOUR}/data/id_input.json.gz", False),
        (f"{HOUR}/data/deeper/id_input.json.gz", False),
        ("05/data/id_output.json.gz", False),
        ("data/id_output.json.gz", False),
        # A bucket may keep its logs below a folder that is called so, too.
        (f"data/{HOUR}/{NAME}", True),
        (f"lake/data/{HOUR}/{NAME}", True),
        (f"data/{HOUR}/data/id_input.json.gz", False),
        (f"database/{HOUR}/{NAME}", True),
        (f"{ROOT}/amazon-bedrock-logs-permission-check", False),
        ("amazon-bedrock-logs-permission-check", False),
        (f"{HOUR}/", False),
    ],
)
def test_overflow_objects_markers_and_folders_are_no_logs(name, log):
    assert is_log(name) is log


@pytest.mark.parametrize(
    ("name", "hour"),
    [
        (f"{HOUR}/{NAME}", datetime(2026, 11, 1, 5, tzinfo=UTC)),
        (f"{HOUR}/", datetime(2026, 11, 1, 5, tzinfo=UTC)),
        (f"traffic/{HOUR}/{NAME}", datetime(2026, 11, 1, 5, tzinfo=UTC)),
        (f"us-east-1/2026/11/01/05/{NAME}", datetime(2026, 11, 1, 5, tzinfo=UTC)),
        (f"us-gov-west-1/2026/11/01/05/{NAME}", datetime(2026, 11, 1, 5, tzinfo=UTC)),
        (f"2026/11/01/05/{NAME}", datetime(2026, 11, 1, 5, tzinfo=UTC)),
        # A date above the logs is about something else: the day of a backup, say.
        (f"backup/2025/01/02/03/{HOUR}/{NAME}", datetime(2026, 11, 1, 5, tzinfo=UTC)),
        (f"backup/2025/01/02/03/{NAME}", None),
        (f"{ROOT}/us-east-1/2026/13/01/05/{NAME}", None),
        (f"{ROOT}/us-east-1/2026/11/01/24/{NAME}", None),
        (f"{ROOT}/us-east-1/2026/11/01", None),
        (NAME, None),
    ],
)
def test_the_hour_is_read_where_bedrock_puts_it(name, hour):
    assert hour_of(name) == hour


AT = datetime(2026, 11, 1, 5, tzinfo=UTC)
TICK = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("since", "until", "holds"),
    [
        (None, None, True),
        (AT, None, True),
        (AT + timedelta(hours=1) + MARGIN - TICK, None, True),
        (AT + timedelta(hours=1) + MARGIN, None, False),
        (None, AT, True),
        (None, AT - MARGIN + TICK, True),
        (None, AT - MARGIN, False),
        (AT - timedelta(days=9), AT - timedelta(days=8), False),
        (AT, AT + TICK, True),
    ],
)
def test_a_key_is_left_out_only_beyond_the_margin(since, until, holds):
    assert prefix_may_hold(f"{HOUR}/{NAME}", since, until) is holds
    assert prefix_may_hold(f"{HOUR}/{NAME}", _bare(since), _bare(until)) is holds


def _bare(at):
    return at.replace(tzinfo=None) if at else None


@pytest.mark.parametrize("below", ["2026/", "2026/11/", "2026/11/01/", "2026/11/01/05/"])
def test_a_branch_holds_what_any_of_its_hours_holds(below):
    branch = f"traffic/{ROOT}/us-east-1/{below}"
    assert prefix_may_hold(branch, AT, AT + TICK)
    assert not prefix_may_hold(branch, AT + timedelta(days=400), None)
    assert not prefix_may_hold(branch, None, AT - timedelta(days=400))


@pytest.mark.parametrize("month", range(1, 13))
def test_no_branch_hides_the_last_hour_of_its_month(month):
    last = datetime(2024 + (month == 12), month % 12 + 1, 1, tzinfo=UTC) - timedelta(hours=1)
    for branch in (f"{last:%Y}/", f"{last:%Y/%m}/", f"{last:%Y/%m/%d}/"):
        assert prefix_may_hold(f"{ROOT}/us-east-1/{branch}", last, last + timedelta(hours=1))


@pytest.mark.parametrize(
    "name", ["", "traffic/", "AWSLogs/", f"{ROOT}/", f"{ROOT}/us-east-1/", "2026/", "backup/2025/01/02/03/"]
)
def test_a_branch_that_names_no_time_may_hold_anything(name):
    assert prefix_may_hold(name, AT, AT + TICK)


def test_a_body_of_its_own_is_named_from_the_folder_that_every_copy_has():
    path = f"{HOUR}/data/id_input.json.gz"
    assert overflow_path(f"s3://acme-logs/traffic/{path}") == path
    assert overflow_path("s3://acme-logs/elsewhere/id.json") == ""
