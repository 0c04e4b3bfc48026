import gzip
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedrock_distill.errors import DataError
from bedrock_distill.records.lines import (
    KEEP_BYTES,
    CutLine,
    line_size,
    read_chunks,
    read_lines,
    split_lines,
    unpack,
)


def test_a_last_line_needs_no_newline_and_a_final_newline_makes_no_line():
    assert list(split_lines([b"a\nb"])) == list(split_lines([b"a\nb\n"])) == [b"a", b"b"]
    assert list(split_lines([])) == list(split_lines([b""])) == []
    assert list(split_lines([b"\n\na"])) == [b"", b"", b"a"]


@given(st.lists(st.text("a\n\r", max_size=5).map(str.encode), max_size=6))
def test_lines_that_keep_their_ends_are_the_same_lines_and_lose_no_byte(chunks):
    kept = list(split_lines(chunks, keepends=True))
    assert b"".join(kept) == b"".join(chunks)
    assert [line.removesuffix(b"\n") for line in kept] == list(split_lines(chunks))


def test_the_size_of_a_line_leaves_out_its_ending():
    assert [line_size(line) for line in (b"ab", b"ab\r", b"ab\n", b"ab\r\n", b"")] == [2, 2, 2, 2, 0]


def test_a_line_too_long_to_keep_is_cut_and_remembers_its_size():
    chunks = [b"x" * 1_000_000] * 5 + [b"\nnext\n"]
    first, second = split_lines(chunks)
    assert isinstance(first, CutLine)
    assert (len(first), line_size(first)) == (KEEP_BYTES + 1, 5_000_000)
    assert second == b"next"


def test_a_line_without_end_needs_no_memory():
    tracemalloc.start()
    (line,) = split_lines(bytes(1 << 16) for _ in range(1024))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert line_size(line) == 1 << 26
    assert peak < 8 << 20


@pytest.mark.parametrize("size", [1, 2, 7, 1 << 20])
def test_a_stream_is_unpacked_however_it_is_cut_and_says_once_that_it_was_packed(size):
    data = bytes(range(256)) * 2_000
    packed = gzip.compress(data) + b"\0\0\0" + gzip.compress(b"more") + gzip.compress(b"")
    seen = []
    chunks = (packed[start : start + size] for start in range(0, len(packed), size))
    assert b"".join(unpack(chunks, "data", on_gzip=lambda: seen.append(1))) == data + b"more"
    assert seen == [1]
    assert list(unpack([b"\x1f", b"", b"x"], "data")) == [b"\x1fx"]


def test_what_expands_a_thousandfold_is_unpacked_piece_by_piece():
    assert max(map(len, unpack([gzip.compress(bytes(10_000_000))], "data"))) < 100_000


def test_gzip_is_told_by_its_content_not_by_its_name(tmp_path):
    packed, plain = tmp_path / "data.jsonl", tmp_path / "data.jsonl.gz"
    packed.write_bytes(gzip.compress(b"a\nb\n") + gzip.compress(b"c\n"))
    plain.write_bytes(b"a\nb\nc\n")
    assert list(read_lines(packed)) == list(read_lines(plain)) == [b"a", b"b", b"c"]


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-9], lambda data: data[:-8] + b"\0" * 8, lambda data: data[:12]]
)
def test_a_broken_gzip_stream_is_a_data_error_that_says_so(tmp_path, damage):
    path = tmp_path / "data.gz"
    path.write_bytes(damage(gzip.compress(b"some text\n" * 1000)))
    with pytest.raises(DataError, match="gzip stream is broken") as caught:
        list(read_chunks(path))
    assert [offence.code for offence in caught.value.offences] == ["bad-gzip"]


def test_a_missing_file_and_a_folder_are_data_errors_that_name_them(tmp_path):
    with pytest.raises(DataError, match=r"nowhere\.jsonl'.*No such file"):
        list(read_lines(tmp_path / "nowhere.jsonl"))
    with pytest.raises(DataError, match="directory"):
        list(read_lines(tmp_path))
