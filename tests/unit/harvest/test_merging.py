"""What is kept of shards, as spans, and copied."""

from __future__ import annotations

import itertools
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedrock_distill.errors import DataError
from bedrock_distill.harvest import merging
from bedrock_distill.harvest.merging import First, copy_spans, entries_of, kept_spans


def put(folder, shards):
    paths = []
    for number, shard in enumerate(shards):
        path = Path(folder, f"{number}.keys")
        path.write_bytes(b"".join(key + length.to_bytes(4, "little") for key, length in shard))
        paths.append(path)
    return paths


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
