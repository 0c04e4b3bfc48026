import numpy as np
import pytest

from bedrock_distill.records.curation.selection import (
    choose,
    golden_count,
    length_bands,
    major,
    quotas,
    strata_of,
    turns,
)


def of(*sizes, total, floor=0):
    return quotas(np.array(sizes), total, floor).tolist()


def test_quotas_are_in_proportion_by_largest_remainder():
    assert of(60, 30, 10, total=10) == [6, 3, 1]
    assert of(50, 30, 21, total=10) == [5, 3, 2]
    assert of(1, 1, 1, total=2) == [1, 1, 0]


def test_small_strata_get_their_floor():
    assert of(1_000, 20, 3, total=100, floor=5) == [92, 5, 3]


def test_where_all_have_room_all_are_taken():
    assert of(3, 4, total=7) == [3, 4]
    assert of(3, 4, total=70, floor=5) == [3, 4]


def test_more_strata_than_room_leave_the_smallest_out():
    assert of(5, 3, 4, 9, total=2, floor=5) == [1, 0, 0, 1]
    assert of(5, 3, 4, 9, total=0, floor=5) == [0, 0, 0, 0]


def test_themes_take_turns():
    strata = np.zeros(6, np.int64)
    themes = np.array([7, 7, 7, 7, 8, 9], np.uint32)
    order = np.array([3, 1, 2, 0, 5, 4], np.uint64)
    assert turns(strata, themes, order).tolist() == [3, 1, 2, 0, 0, 0]
    assert choose(strata, themes, order, 3, 0).tolist() == [3, 4, 5]
    assert choose(strata, themes, order, 4, 0).tolist() == [1, 3, 4, 5]


def test_what_is_common_fills_fewer_places_than_its_share():
    rng = np.random.default_rng(1)
    themes = np.where(rng.random(5_000) < 0.8, 0, rng.integers(1, 400, 5_000)).astype(np.uint32)
    order = rng.integers(0, 1 << 63, 5_000).astype(np.uint64)
    chosen = choose(np.zeros(5_000, np.int64), themes, order, 500, 0)
    every_tenth = np.argsort(order)[:500]
    assert len(np.unique(themes[chosen])) > 3 * len(np.unique(themes[every_tenth]))


def test_each_stratum_is_chosen_from_by_itself():
    strata = np.repeat([0, 1], [900, 100])
    order = np.arange(1_000)[::-1].astype(np.uint64)
    chosen = choose(strata, np.zeros(1_000, np.uint32), order, 100, 5)
    assert np.bincount(strata[chosen]).tolist() == [90, 10]
    assert chosen.tolist() == [*range(810, 900), *range(990, 1_000)]


@pytest.mark.parametrize(
    ("others", "golden", "share", "total", "count"),
    [
        (90, 50, 0.1, None, 10),  # 10 of 100
        (10_000, 50, 0.1, 100, 10),
        (10_000, 4, 0.1, 100, 4),
        (45, 50, 0.1, 100, 5),
        (10_000, 50, 0, 100, 0),
        (10_000, 50, 1, 100, 50),
        (0, 50, 0.1, 20, 20),  # there is nothing to mix them with
        (0, 50, 0.1, None, 50),
    ],
)
def test_golden_records_make_up_their_share(others, golden, share, total, count):
    assert golden_count(others, golden, share, total) == count


def test_lengths_fall_into_bands():
    assert length_bands(np.array([1, 63, 64, 255, 256, 9_999], np.uint32)).tolist() == [0, 0, 1, 1, 2, 4]


def test_values_of_few_records_count_as_none():
    values = np.array([5] * 30 + [6] * 19 + [7], np.uint64)
    assert major(values).tolist() == [5] * 30 + [0] * 20
    assert major(np.array([], np.uint64)).tolist() == []


def test_strata_agree_in_all_columns():
    one, other = np.array([1, 1, 2, 2], np.uint64), np.array([1 << 63, 3, 3, 3], np.uint64)
    strata = strata_of([one, other], 4)
    assert strata[2] == strata[3]
    assert len(set(strata.tolist())) == 3
    assert strata_of([], 3).tolist() == [0, 0, 0]
