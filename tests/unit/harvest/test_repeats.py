"""Which prompts come for the first time: what a set would say, without holding all keys."""

from __future__ import annotations

import random
import subprocess
import sys
import tracemalloc
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedrock_distill.harvest import repeats
from bedrock_distill.harvest.repeats import first_flags

# Few keys, so that there are repeats; all bytes of a key matter, and the first ones that deal it out are often the same.
KEYS = st.tuples(
    st.sampled_from([b"\0", b"\x01", b"\x40", b"\xff"]),
    st.sampled_from([b"\0" * 14, b"\0\x01" * 7, b"\xff" * 14]),
    st.sampled_from([b"\0", b"\x80"]),
).map(b"".join)
SHARDS = st.lists(st.lists(KEYS, max_size=12), max_size=5)


def put(folder, shards):
    paths = []
    for number, shard in enumerate(shards):
        path = Path(folder, f"{number}.keys")
        # The length of a line is not part of its key.
        path.write_bytes(b"".join(key + at.to_bytes(4, "little") for at, key in enumerate(shard)))
        paths.append(path)
    return paths


def by_a_set(shards):
    seen = set()
    return [bytes(not (key in seen or seen.add(key)) for key in shard) for shard in shards]


@settings(max_examples=50, deadline=None)
@given(SHARDS, st.sampled_from([1, 3, 1 << 16]), st.sampled_from([1, 2, 4096]))
def test_the_flags_are_those_of_a_set_however_few_keys_it_may_hold(shards, most, at_once):
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(repeats, "_MOST", most)
        patch.setattr(repeats, "_BLOCK_BYTES", 20 * at_once)
        paths = put(folder, shards)
        assert list(first_flags(paths, Path(folder))) == by_a_set(shards)
        assert sorted(Path(folder).iterdir()) == sorted(paths), "nothing is left behind"


@pytest.mark.parametrize(
    "shards",
    [[], [[]], [[], [b"a" * 16], [], [b"a" * 16, b"b" * 16], []]],
    ids=["none", "empty", "some empty"],
)
@pytest.mark.parametrize("most", [1, 1 << 16])
def test_empty_shards_have_no_flags(tmp_path, monkeypatch, shards, most):
    monkeypatch.setattr(repeats, "_MOST", most)
    assert list(first_flags(put(tmp_path, shards), tmp_path)) == by_a_set(shards)


def test_many_keys_with_repeats_far_apart_are_told_over_two_levels_of_files(tmp_path, monkeypatch):
    monkeypatch.setattr(repeats, "_MOST", 100)
    rng = random.Random(7)
    keys = [rng.randbytes(16) for _ in range(20_000)]
    shards = [keys[:9_000], rng.sample(keys, 5_000), keys[7_000:], [keys[0], keys[-1]]]
    assert list(first_flags(put(tmp_path, shards), tmp_path)) == by_a_set(shards)


def test_one_prompt_that_comes_again_and_again_takes_no_more_levels(tmp_path, monkeypatch):
    levels, mark = [], repeats._mark
    monkeypatch.setattr(repeats, "_MOST", 1000)
    monkeypatch.setattr(
        repeats,
        "_mark",
        lambda read, flags, scratch, level: levels.append(level) or mark(read, flags, scratch, level),
    )
    rng = random.Random(7)
    shard = [b"\x2a" * 16 if at % 2 else rng.randbytes(16) for at in range(40_000)]
    assert list(first_flags(put(tmp_path, [shard]), tmp_path)) == by_a_set([shard])
    assert set(levels) == {0, 1}


def held_at_most(paths, scratch):
    """The most bytes that are held while the flags are told."""
    tracemalloc.start()
    try:
        for _ in first_flags(paths, scratch):
            pass
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_what_is_held_does_not_grow_with_the_number_of_distinct_keys(tmp_path, monkeypatch):
    monkeypatch.setattr(repeats, "_MOST", 1 << 6)
    monkeypatch.setattr(repeats, "_BLOCK_BYTES", 20 << 4)
    rng = random.Random(7)
    paths = put(tmp_path, [[rng.randbytes(16) for _ in range(2000)] for _ in range(8)])
    assert held_at_most(paths, tmp_path) < 1.1 * held_at_most(paths[:4], tmp_path)


def test_telling_repeats_loads_no_numpy():
    code = "import sys, bedrock_distill.harvest.running as _; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
