import numpy as np

from bedrock_distill.records.curation.grouping import Roots, sides, tied
from bedrock_distill.records.splitting import Shares

SHARES = Shares.of({"train": 0.8, "heldout": 0.2})


def column(*values):
    return np.array(values, np.uint64)


def test_records_are_tied_by_any_column_and_through_others():
    sessions, systems = column(1, 1, 2, 0, 0, 3), column(7, 8, 8, 0, 0, 9)
    assert tied([sessions, systems], 6).tolist() == [0, 0, 0, 3, 4, 5]
    assert tied([sessions], 6).tolist() == [0, 0, 2, 3, 4, 5]
    assert tied([], 3).tolist() == [0, 1, 2]


def test_the_lowest_of_a_set_is_its_root_however_it_was_joined():
    roots = Roots(6)
    roots.join(np.array([5, 4, 2]), np.array([4, 2, 3]))
    assert roots.of_all().tolist() == [0, 1, 2, 2, 2, 2]
    assert roots.apart(np.array([0, 3]), np.array([1, 5])).tolist() == [True, False]


def test_a_group_goes_where_its_leader_goes():
    low, high = 0, (1 << 64) - 1
    placed = sides(np.array([0, 0, 2, 3]), column(9, 4, 1, 1), column(low, high, low, high), SHARES)
    assert placed.tolist() == [1, 1, 0, 1]
    nobody = np.array([], np.int64)
    assert sides(nobody, column(), column(), SHARES).tolist() == []


def test_shares_are_met_on_average_by_groups_too():
    rng = np.random.default_rng(3)
    groups = np.sort(rng.integers(0, 4_000, 10_000))
    numbers = rng.integers(0, 1 << 63, (2, 10_000)).astype(np.uint64) * np.uint64(2)
    placed = sides(groups, numbers[0], numbers[1], SHARES)
    assert abs(placed.mean() - 0.2) < 0.02
    assert all(len(set(placed[groups == group].tolist())) <= 1 for group in range(4_000))
