"""Samples and counts of a stream: bounded, and the same in whatever order it comes."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedrock_distill.profiling.sampling import DISTINCT, Distinct, Sample

HASHES = st.lists(st.integers(0, 2**64 - 1), unique=True)


@given(hashes=HASHES, size=st.integers(1, 8), seed=st.integers(0, 99))
def test_a_sample_holds_the_lowest_hashes_in_whatever_order_they_come(hashes, size, seed):
    sample = Sample(size)
    for draw in random.Random(seed).sample(hashes, len(hashes)):
        sample.add(draw, str(draw))
        assert len(sample) <= size
    assert sample.items() == [str(draw) for draw in sorted(hashes)[:size]]


@given(hashes=HASHES, size=st.integers(1, 4))
def test_what_a_sample_does_not_want_it_does_not_take(hashes, size):
    sample = Sample(size)
    for draw in hashes:
        before, wanted = sample.items(), sample.wants(draw)
        sample.add(draw, draw)
        assert wanted == (sample.items() != before)


@given(st.lists(st.integers(0, 50)))
def test_few_different_hashes_are_counted_exactly(values):
    distinct = Distinct()
    for value in values:
        distinct.add(value)
    assert (distinct.count, distinct.exact) == (len(set(values)), True)


@pytest.mark.parametrize("count", [DISTINCT, 3 * DISTINCT, 30 * DISTINCT])
def test_many_are_counted_to_some_percent_with_what_is_kept_bounded(count):
    rng = random.Random(count)
    values = [rng.getrandbits(64) for _ in range(count)]
    one, other = Distinct(), Distinct()
    for value in [*values, *values]:
        one.add(value)
        assert len(one._new) + len(one._lowest) <= 2 * DISTINCT
    for value in reversed(values):
        other.add(value)
    assert one.count == other.count == pytest.approx(count, rel=0.05)
    assert one.exact == (count <= DISTINCT)
