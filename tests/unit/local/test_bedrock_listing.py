from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from bedrock_distill.local.gateway.errors import AwsError
from bedrock_distill.local.services.bedrock.listing import DEFAULT_PAGE, created_within, page

START = datetime(2026, 11, 24, tzinfo=UTC)


@dataclass(frozen=True)
class Item:
    serial: int

    @property
    def created(self):
        return START + timedelta(minutes=self.serial)


ITEMS = [Item(n) for n in range(7)]


def listed(items=ITEMS, **params):
    return page(items, params, member="things", summary=lambda item: {"n": item.serial})


def walk(items=ITEMS, **params):
    seen, token = [], {}
    while True:
        answer = listed(items, **params, **token)
        seen.append([thing["n"] for thing in answer["things"]])
        if "nextToken" not in answer:
            return seen
        token = {"nextToken": answer["nextToken"]}


def test_the_newest_come_first_unless_asked_otherwise():
    assert walk() == [[6, 5, 4, 3, 2, 1, 0]]
    assert walk(sortOrder="Ascending") == [[0, 1, 2, 3, 4, 5, 6]]


@pytest.mark.parametrize("order", ["Ascending", "Descending"])
def test_pages_cover_everything_once(order):
    pages = walk(maxResults=3, sortOrder=order)
    assert [len(shown) for shown in pages] == [3, 3, 1]
    assert sorted(n for shown in pages for n in shown) == list(range(7))


def test_a_page_that_ends_the_list_carries_no_token():
    assert "nextToken" not in listed(maxResults=7)


def test_the_default_page_is_bounded():
    assert len(listed([Item(n) for n in range(DEFAULT_PAGE + 1)])["things"]) == DEFAULT_PAGE


def test_what_is_made_or_deleted_between_two_pages_hides_nothing_else():
    first = listed(maxResults=3)
    items = [item for item in [*ITEMS, Item(7)] if item.serial != 4]
    second = listed(items, maxResults=3, nextToken=first["nextToken"])
    assert [thing["n"] for thing in second["things"]] == [3, 2, 1]


def test_a_token_is_opaque_and_fits_the_models_pattern():
    token = listed(maxResults=1)["nextToken"]
    assert token
    assert not any(letter.isspace() for letter in token)


@pytest.mark.parametrize(
    "token", ["nonsense", "%%%", "", "a" * 2048, base64.b64encode(b"x.3").decode(), "\N{SNOWMAN}"]
)
def test_a_token_that_is_not_ours_is_refused(token):
    if not token:
        assert listed(nextToken=token)  # an empty text is no token, and the gateway refuses it before
        return
    with pytest.raises(AwsError, match="nextToken is invalid") as caught:
        listed(nextToken=token)
    assert caught.value.code == "ValidationException"


def test_a_token_goes_with_the_filters_it_came_from():
    token = listed(maxResults=2, nameContains="a")["nextToken"]
    assert listed(maxResults=5, nameContains="a", nextToken=token)
    with pytest.raises(AwsError):
        listed(maxResults=2, nameContains="b", nextToken=token)


def test_bounds_of_time_are_excluded():
    params = {"after": START + timedelta(minutes=1), "before": START + timedelta(minutes=4)}
    kept = [item.serial for item in ITEMS if created_within(item, params, after="after", before="before")]
    assert kept == [2, 3]


def test_a_moment_without_a_zone_is_read_as_utc():
    naive = {"after": datetime(2026, 11, 24, 0, 5)}  # noqa: DTZ001 - what a direct caller may pass
    assert [item.serial for item in ITEMS if created_within(item, naive, after="after", before="before")] == [
        6
    ]
