"""Repeats among shards: told in two ways that agree, and copied as spans."""

from __future__ import annotations

import itertools
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedrock_distill.errors import DataError
from bedrock_distill.harvest import merging
from bedrock_distill.harvest.merging import First, copy_spans, distinct_spans, entries_of, kept_spans

# Few keys, so that there are repeats; halves in common, so that both halves matter.
HALVES = st.sampled_from([b"\0" * 8, b"\xff" * 8, b"\x01" + b"\0" * 7, b"\0" * 7 + b"\x80"])
ENTRIES = st.tuples(st.tuples(HALVES, HALVES).map(b"".join), st.integers(1, 9))
SHARDS = st.lists(st.lists(ENTRIES, max_size=12), min_size=1, max_size=5)


def put(folder, shards):
    paths = []
    for number, shard in enumerate(shards):
        path = Path(folder, f"{number}.keys")
        path.write_bytes(b"".join(key + length.to_bytes(4, "little") for key, length in shard))
        paths.append(path)
    return paths


@settings(max_examples=300)
@given(SHARDS, st.integers(1, 7))
def test_the_set_and_the_sorting_keep_the_same_lines_and_they_are_the_first_ones(shards, bucket):
    records = sum(map(len, shards))
    seen, wanted = set(), []
    for shard in shards:
        flags = [not (key in seen or seen.add(key)) for key, _ in shard]
        wanted.append(
            list(kept_spans((length, flag) for (_, length), flag in zip(shard, flags, strict=True)))
        )
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        paths = put(folder, shards)
        patch.setattr(merging, "_BUCKET", bucket)
        for few in (records, -1):  # a set for few, sorting for many
            patch.setattr(merging, "_FEW", few)
            if not records and few < 0:
                continue
            kept, spans = distinct_spans(paths, records)
            assert (kept, [list(each) for each in spans]) == (len(seen), wanted)


@settings(max_examples=300)
@given(
    st.lists(st.tuples(st.integers(1, 5), st.booleans()), max_size=20), st.sampled_from([1, 3, 8, 1 << 18])
)
def test_spans_cover_the_kept_lines_join_neighbours_and_copy_to_their_bytes(entries, block):
    lines = [bytes([65 + number]) * length for number, (length, _) in enumerate(entries)]
    spans = list(kept_spans(entries))
    assert all(first[1] < second[0] for first, second in itertools.pairwise(spans))
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(merging, "_BLOCK_BYTES", block)
        shard, out = Path(folder, "shard"), Path(folder, "out")
        shard.write_bytes(b"".join(lines))
        with out.open("wb") as stream:
            copy_spans(shard, spans, stream)
        wanted = b"".join(line for line, (_, keep) in zip(lines, entries, strict=True) if keep)
        assert out.read_bytes() == wanted


def test_entries_are_read_across_blocks(tmp_path):
    shard = [(number.to_bytes(16, "big"), number % 300 + 1) for number in range(10_000)]
    (path,) = put(tmp_path, [shard])
    assert list(entries_of(path)) == shard


@pytest.mark.parametrize("spans", [[(0, 4)], [(0, 1), (2, 4)], [(3, 4)]])
def test_a_shard_that_is_shorter_than_its_keys_say_is_no_silent_loss(tmp_path, spans):
    shard = tmp_path / "shard"
    shard.write_bytes(b"abc")
    with (tmp_path / "out").open("wb") as stream, pytest.raises(DataError, match="shorter than its keys say"):
        copy_spans(shard, spans, stream)


def test_the_first_of_each_key_is_new():
    first = First()
    assert [first(key) for key in (b"a", b"b", b"a", b"c", b"b")] == [True, True, False, True, False]
    assert first.count == 3
