"""The lineage: events that are only ever added to, of which one of two writers writes the next, and what is read off them."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

import bedrock_distill as bd
from bedrock_distill.errors import ConflictError, DataError, NotFoundError, PlanError
from bedrock_distill.local import Fault
from bedrock_distill.refinement.lineage import (
    Distilled,
    Ended,
    Judged,
    Kept,
    Lineage,
    LineageStore,
    Opened,
    Promoted,
    RolledBack,
    Stored,
)

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
FILE = Stored(uri="s3://acme-ml/x.jsonl", sha256="0" * 64, records=7)
FACTS = {
    Opened: {
        "since": None,
        "until": NOON,
        "deployment": "deployment",
        "serving": "m0",
        "training": FILE,
        "evaluation": FILE,
        "looked_at": FILE,
        "chosen": {"disagreed": 5},
        "held_out": 2,
    },
    Distilled: {"plan": "abc", "job": "job", "model": "m1"},
    Judged: {
        "passed": True,
        "verdict": {"criteria": []},
        "report": "s3://acme-ml/report.html",
        "retention": 0.9,
        "serving_retention": None,
    },
    Promoted: {"deployment": "deployment", "before": "m0", "after": "m1"},
    Kept: {"deployment": "deployment", "serving": "m0", "why": ("gain",), "by": {"min_gain": 0.0}},
    Ended: {"why": "The job failed."},
    RolledBack: {"deployment": "deployment", "before": "m1", "after": "m0"},
}


def lineage_of(*events):
    """A lineage of kinds, each with its round and what differs from `FACTS`."""
    return Lineage(
        "mail",
        tuple(
            kind(number=number, at=NOON, version="1", round=round_number, **{**FACTS[kind], **changes})
            for number, (kind, round_number, changes) in enumerate(events, start=1)
        ),
    )


ROUND_1 = [(Opened, 1, {}), (Distilled, 1, {}), (Judged, 1, {})]
PROMOTED_1 = [*ROUND_1, (Promoted, 1, {})]
ROUND_2 = [(Opened, 2, {"serving": "m1"}), (Distilled, 2, {"model": "m2"}), (Judged, 2, {})]
PROMOTED_2 = [*PROMOTED_1, *ROUND_2, (Promoted, 2, {"before": "m1", "after": "m2"})]
BACK_TO_1 = (RolledBack, 2, {"before": "m2", "after": "m1"})
BACK_TO_0 = (RolledBack, 2, {"before": "m1", "after": "m0"})


@pytest.mark.parametrize(
    ("events", "open_round", "rounds", "serving", "models"),
    [
        ([], None, 0, None, ()),
        (ROUND_1[:1], 1, 1, None, ()),
        (ROUND_1[:2], 1, 1, None, ()),
        (ROUND_1, 1, 1, None, ()),
        (PROMOTED_1, None, 1, "m1", ("m0", "m1")),
        ([*ROUND_1, (Kept, 1, {})], None, 1, None, ()),
        ([(Opened, 1, {}), (Ended, 1, {})], None, 1, None, ()),
        ([(Opened, 1, {}), (Ended, 1, {}), (Opened, 2, {})], 2, 2, None, ()),
        ([*PROMOTED_1, (RolledBack, 1, {})], None, 1, "m0", ("m0", "m1")),
        ([*PROMOTED_1, *ROUND_2[:1], (RolledBack, 2, {})], 2, 2, "m0", ("m0", "m1")),
        (PROMOTED_2, None, 2, "m2", ("m0", "m1", "m2")),
        ([*PROMOTED_2, BACK_TO_1, BACK_TO_0], None, 2, "m0", ("m0", "m1", "m2")),
    ],
)
def test_what_is_open_and_what_serves_is_read_off_the_events(events, open_round, rounds, serving, models):
    told = lineage_of(*events)
    assert (told.open_round and told.open_round.round) == open_round
    assert (told.rounds, told.serving, told.models) == (rounds, serving, models)


def test_the_way_back_leads_from_each_model_to_what_it_replaced():
    told = lineage_of(*PROMOTED_2, BACK_TO_1, BACK_TO_0)
    assert [told.before(model) for model in ("m2", "m1", "m0", "other")] == ["m1", "m0", None, None]


def test_a_model_leads_to_the_round_that_made_it_and_the_first_one_to_none():
    told = lineage_of(*PROMOTED_2)
    assert told.opened_for("m2") == told.of_round(2, Opened) == told.last_opened
    assert told.opened_for("m1").round == 1
    assert told.opened_for("m0") is None
    assert told.of_round(3, Judged) is None


def test_a_lineage_is_json_and_a_line_an_event():
    told = lineage_of(*PROMOTED_1, (RolledBack, 1, {}), (Opened, 2, {}), (Ended, 2, {}), (Kept, 2, {}))
    document = json.loads(json.dumps(told.to_dict()))
    assert (document["name"], document["serving"], document["rounds"]) == ("mail", "m0", 2)
    assert [event["event"] for event in document["events"]] == [
        *("opened", "distilled", "judged", "promoted", "rolled-back", "opened", "ended", "kept"),
    ]
    assert document["events"][0]["until"] == "2026-11-24T12:00:00Z"
    assert document["events"][0]["training"]["records"] == 7
    assert str(told).splitlines()[3:5] == [
        "2026-11-24 12:00  round 1  promoted     m1 in place of m0",
        "2026-11-24 12:00  round 1  rolled-back  m0 again, in place of m1",
    ]
    assert str(lineage_of()) == "There is no round of 'mail' yet."


@pytest.fixture
def at(local_cloud, local_session):
    """A store, each as another machine has it."""
    local_cloud.bucket("acme-ml")
    return lambda **options: LineageStore(
        local_session.clients, bd.S3Uri.parse("s3://acme-ml/distill/"), "mail", **options
    )


def write(store, *kinds):
    for kind in kinds:
        store.append(kind, round=1, **FACTS[kind])
    return store


def test_every_kind_of_event_is_read_back_as_it_was_written(at):
    written = write(at(), *FACTS).lineage
    assert at().read() == written
    assert [event.number for event in written.events] == list(range(1, len(FACTS) + 1))
    assert {event.version for event in written.events} == {bd.__version__}


def test_what_somebody_else_wrote_in_the_meantime_is_a_conflict_and_nothing_is_lost(at):
    one, other = at(), at()
    one.read()
    other.read()
    write(one, Opened)
    with pytest.raises(ConflictError, match=r"Somebody else is refining 'mail': s3://.*00001\.json"):
        write(other, Opened)
    assert at().read() == one.lineage
    other.read()
    write(other, Ended)
    assert len(at().read().events) == 2


def test_of_many_that_write_at_once_one_alone_succeeds(at):
    stores = [at() for _ in range(8)]

    def attempt(place):
        try:
            stores[place].append(Ended, round=place, why="")
        except ConflictError:
            return None
        return place

    with ThreadPoolExecutor(8) as pool:
        won = [place for place in pool.map(attempt, range(8)) if place is not None]
    assert len(won) == 1
    assert [event.round for event in at().read().events] == won


def test_a_put_whose_answer_was_lost_is_no_conflict_with_itself(at, local_cloud):
    local_cloud.faults.add(Fault(operation="PutObject", disconnect=True, when="after", times=1))
    told = write(at(), Opened, Distilled).lineage
    local_cloud.faults.add(Fault(operation="PutObject", status=503, when="after", times=1))
    store = at()
    store.read()
    assert len(write(store, Ended).lineage.events) == 3
    assert at().read().events[:2] == told.events


@pytest.fixture
def objects(local_cloud, at):
    """The bucket, after three events."""
    write(at(), Opened, Distilled, Ended)
    return local_cloud.boto3_session().client("s3")


EVENTS = "distill/lineage/mail/events/"


@pytest.mark.parametrize("gone", [1, 2])
def test_a_gap_is_refused_and_the_missing_event_named(at, objects, gone):
    objects.delete_object(Bucket="acme-ml", Key=f"{EVENTS}{gone:05}.json")
    with pytest.raises(DataError, match=f"event {gone} is not there: a lineage is only ever added to"):
        at().read()


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("notes.txt", b"Do not touch"),
        ("00004.json", b'{"event": "celebrated", "number": 4}'),
        ("00004.json", b'{"event": "ended", "number": 4}'),
        ("00004.json", b"\xff"),
        ("00004.json", b""),
    ],
)
def test_an_object_that_is_no_event_is_refused_and_named(at, objects, name, body):
    objects.put_object(Bucket="acme-ml", Key=EVENTS + name, Body=body)
    with pytest.raises(DataError, match=f"{name} is no event of a lineage"):
        at().read()


def test_the_mark_of_a_folder_that_the_console_makes_is_passed_over(at, objects):
    objects.put_object(Bucket="acme-ml", Key=EVENTS, Body=b"")
    assert len(at().read().events) == 3


def test_lineages_beside_each_other_do_not_mix(at, objects, local_session):
    other = LineageStore(local_session.clients, bd.S3Uri.parse("s3://acme-ml/distill/"), "mail-2")
    assert other.read() == Lineage("mail-2")
    write(other, Opened)
    assert len(at().read().events) == 3


def test_a_bucket_that_is_gone_is_named(local_session):
    store = LineageStore(local_session.clients, bd.S3Uri.parse("s3://gone/distill/"), "mail")
    with pytest.raises(NotFoundError, match="s3://gone/distill/lineage/mail/events/"):
        store.read()


def test_a_full_lineage_takes_no_more(at, monkeypatch):
    monkeypatch.setattr(sys.modules[LineageStore.__module__], "_MOST_EVENTS", 2)
    store = write(at(), Opened, Distilled)
    with pytest.raises(PlanError, match="has 2 events: go on under another name"):
        write(store, Judged)


def test_a_file_comes_back_as_it_was_put_and_a_changed_one_is_refused(at, tmp_path, objects):
    path = tmp_path / "training.jsonl"
    path.write_bytes(b"{}\n")
    stored = at().put(path, "round-0001/training.jsonl", records=1)
    assert stored.uri == "s3://acme-ml/distill/lineage/mail/round-0001/training.jsonl"
    fetched = at().get(stored, tmp_path / "new" / "training.jsonl")
    assert fetched.read_bytes() == b"{}\n"
    assert list(fetched.parent.iterdir()) == [fetched]
    key = "distill/lineage/mail/round-0001/training.jsonl"
    objects.put_object(Bucket="acme-ml", Key=key, Body=b"{}")
    with pytest.raises(DataError, match="is not what the lineage says it is"):
        at().get(stored, tmp_path / "training.jsonl")
    objects.delete_object(Bucket="acme-ml", Key=key)
    with pytest.raises(NotFoundError, match=r"round-0001/training\.jsonl"):
        at().get(stored, tmp_path / "training.jsonl")


def test_everything_is_encrypted_with_the_key_that_was_asked_for(at, local_cloud, tmp_path):
    key = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555"
    store = write(at(kms_key=key), Opened)
    (tmp_path / "x.jsonl").write_bytes(b"{}\n")
    store.put(tmp_path / "x.jsonl", "x.jsonl", records=1)
    s3 = local_cloud.boto3_session().client("s3")
    for name in (f"{EVENTS}00001.json", "distill/lineage/mail/x.jsonl"):
        assert s3.head_object(Bucket="acme-ml", Key=name)["SSEKMSKeyId"] == key
