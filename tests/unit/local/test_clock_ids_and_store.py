"""The local cloud's ids and memory."""

from __future__ import annotations

import re
import threading
import uuid

import pytest

from bedrock_distill.local.gateway.errors import AwsError
from bedrock_distill.local.ids import Ids
from bedrock_distill.local.store import Store, paginate


def test_the_same_seed_makes_the_same_ids():
    first, again, other = Ids(1), Ids(1), Ids(2)
    assert [first.token() for _ in range(3)] == [again.token() for _ in range(3)]
    assert first.uuid() == again.uuid()
    assert first.token() != other.token()


def test_ids_have_awss_forms():
    ids = Ids(3)
    assert re.fullmatch(r"[a-z0-9]{12}", ids.token())
    assert len(ids.token(40)) == 40
    assert uuid.UUID(ids.uuid()).version == 4


def test_a_spawned_source_does_not_disturb_its_parent():
    one, other = Ids(5), Ids(5)
    spawned = one.spawn("requests")
    spawned.token()
    assert one.token() == other.token()
    assert Ids(5).spawn("requests").token() != Ids(5).spawn("jobs").token()
    assert Ids(5).spawn("a").uuid() == Ids(5).spawn("a").uuid()


def test_threads_never_get_the_same_id():
    ids, got = Ids(1), []

    def draw():
        got.extend([ids.token() for _ in range(500)])

    threads = [threading.Thread(target=draw) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(got)) == 2_000


def test_a_table_keeps_the_order_of_arrival():
    table = Store().table("models", "us-east-1")
    for key in ("b", "a", "c"):
        assert table.put(key, key.upper()) == key.upper()
    table.put("b", "B2")
    assert table.keys() == ["b", "a", "c"]
    assert list(table) == table.values() == ["B2", "A", "C"]
    assert table.find(lambda value: value > "A") == "B2"
    assert table.where(lambda value: value > "A") == ["B2", "C"]
    assert table.update("a", str.lower) == "a"
    assert (table.get("a"), table.get("z")) == ("a", None)
    assert (table.delete("a"), table.delete("a")) == ("a", None)
    assert "a" not in table
    assert len(table) == 2
    with pytest.raises(KeyError):
        table.update("z", str.lower)


def test_each_region_has_its_own_table():
    store = Store()
    store.table("models", "us-east-1").put("a", 1)
    assert len(store.table("models", "us-west-2")) == 0
    assert len(store.table("jobs", "us-east-1")) == 0
    assert store.table("models", "us-east-1").get("a") == 1
    assert store.regions("models") == ["us-east-1", "us-west-2"]


def test_pages_join_up_to_the_whole_list():
    items, token, seen = list(range(25)), None, []
    for _ in range(3):
        page, token = paginate(items, max_results=10, next_token=token)
        seen += page
    assert seen == items
    assert token is None


def test_a_list_that_just_fits_has_one_page():
    assert paginate([1, 2], max_results=2, next_token=None) == ([1, 2], None)
    assert paginate([1, 2, 3], max_results=None, next_token=None, default=2)[0] == [1, 2]
    assert paginate([], max_results=None, next_token=None) == ([], None)


@pytest.mark.parametrize("token", ["nonsense", "b2Zmc2V0Oi0x", "é", "b2Zmc2V0Ong="])
def test_a_token_that_is_not_ours_is_refused(token):
    with pytest.raises(AwsError, match="nextToken is invalid"):
        paginate([1], max_results=1, next_token=token)
