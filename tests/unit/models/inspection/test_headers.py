"""Safetensors headers: what is valid, what is not, and that no bytes make the reader fall over."""

from __future__ import annotations

import json
import struct

import pytest
import safetensors
from hypothesis import example, given
from hypothesis import strategies as st

from bedrock_distill.errors import DataError
from bedrock_distill.models.headers import Header, parse_header, read_header


class Bytes:
    """A directory of one file, in memory."""

    where = "memory"

    def __init__(self, content):
        self.content, self.asked = content, 0

    def sizes(self):
        return {"a.safetensors": len(self.content)}

    def read(self, name, start=0, length=None):
        found = self.content[start : None if length is None else start + length]
        self.asked += len(found)
        return found


def read(content):
    return read_header(Bytes(content), "a.safetensors", len(content))


def file(header, data=b""):
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(raw)) + raw + data


def entry(begin, end, dtype="U8", shape=None):
    return {"dtype": dtype, "shape": [end - begin] if shape is None else shape, "data_offsets": [begin, end]}


def test_a_header_names_tensors_in_the_order_of_their_bytes():
    header = read(
        file({"__metadata__": {"format": "pt"}, "b": entry(2, 6, "F16", [2]), "a": entry(0, 2)}, bytes(6))
    )
    assert [(tensor.name, tensor.dtype, tensor.shape, tensor.size_bytes) for tensor in header.tensors] == [
        ("a", "U8", (2,), 2),
        ("b", "F16", (2,), 4),
    ]
    assert (header.metadata, header.size_bytes) == ({"format": "pt"}, 6)


def test_only_the_header_is_read_however_large_the_file():
    content = file({"a": entry(0, 1_000_000)}, bytes(1_000_000))
    files = Bytes(content)
    read_header(files, "a.safetensors", len(content))
    assert files.asked == len(content) - 1_000_000


def test_types_that_came_later_are_let_pass():
    assert read(file({"a": entry(0, 3, "F2_NEW", [12])}, bytes(3))).tensors[0].elements == 12


def test_four_bit_types_take_half_a_byte():
    assert read(file({"a": entry(0, 3, "F4", [2, 3])}, bytes(3))).tensors[0].elements == 6


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is 0 bytes long"),
        (b"\x01\x02", "is 2 bytes long"),
        (struct.pack("<Q", 10) + b"{}", "is cut short: 8 bytes of its header are missing"),
        (struct.pack("<Q", 1 << 60), "begins with a header of 1,152,921,504,606,846,976 bytes"),
        (file(b"[]"), "has a header that is not a JSON object"),
        (file(b'{"a": '), "has a header that is not a JSON object"),
        (file(b"\xff\xfe"), "has a header that is not a JSON object"),
        (file({"a": {"dtype": "F32"}}), "says of the tensor 'a': Object missing required field `shape`"),
        (file({"a": entry(0, 1) | {"shape": [-1]}}, b"1"), "says of the tensor 'a': Expected `int` >= 0"),
        (file({"a": {**entry(0, 4), "data_offsets": [4, 0]}}, bytes(4)), "from byte 4 to 0, backwards"),
        (file({"a": entry(0, 4, "F32", [2])}, bytes(4)), "gives the tensor 'a' 4 bytes; F32 of shape [2] takes 8"),
        (file({"a": entry(0, 4), "b": entry(2, 6)}, bytes(6)), "the tensor 'b' at byte 2: it overlaps 'a' (4)"),
        (file({"a": entry(0, 2), "b": entry(4, 6)}, bytes(6)), "the tensor 'b' at byte 4: it leaves a gap before 'a' (2)"),
        (file({"a": entry(2, 4)}, bytes(4)), "leaves a gap of 2 bytes before the tensor 'a'"),
        (file({"a": entry(0, 4)}, bytes(3)), "is cut short: 1 bytes of its tensors are missing"),
        (file({"a": entry(0, 4)}, bytes(5)), "has 1 bytes behind its last tensor"),
        (file({"__metadata__": {"step": 5}}), "says of the tensor '__metadata__': Expected `str`, got `int`"),
        (file(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"), "a.safetensors: "),
    ],
)  # fmt: skip
def test_an_invalid_file_is_an_error_that_names_it_and_the_rule(content, said):
    with pytest.raises(DataError) as error:
        read(content)
    assert str(error.value).startswith("a.safetensors: ")
    assert said in str(error.value)
    assert error.value.offences[0].file == "a.safetensors"


@given(st.binary(max_size=400))
@example(struct.pack("<Q", 2) + b"{}")
def test_arbitrary_bytes_are_a_header_or_an_error_that_names_the_file(content):
    _header_or_error(lambda: read(content))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
_COUNTS = st.integers(-1, 9)
_ENTRIES = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["U8", "F16", "BF16", "F32", "F4", "?"]),
        "shape": st.lists(_COUNTS, max_size=3),
        "data_offsets": st.tuples(_COUNTS, _COUNTS),
    }
)


@given(
    st.dictionaries(st.text(max_size=5) | st.just("__metadata__"), _ENTRIES | _JSON, max_size=4),
    st.integers(0, 20),
)
def test_arbitrary_json_is_a_header_or_an_error_that_names_the_file(entries, data_bytes):
    _header_or_error(
        lambda: parse_header(json.dumps(entries).encode(), file="a.safetensors", data_bytes=data_bytes)
    )


def _header_or_error(attempt):
    try:
        found = attempt()
    except DataError as error:
        found = error
    assert isinstance(found, Header) or str(found).startswith("a.safetensors: ")


@st.composite
def nearly_valid(draw):
    """A valid file, with a place or the end moved by a little in most cases."""
    at, entries = 0, {}
    for number in range(draw(st.integers(0, 3))):
        dtype, width = draw(st.sampled_from([("U8", 1), ("F16", 2), ("F32", 4)]))
        shape = draw(st.lists(st.integers(0, 3), max_size=2))
        size = width
        for side in shape:
            size *= side
        moved = draw(st.sampled_from([0, 0, 0, 1]))
        entries[f"t{number}"] = entry(at + moved, at + moved + size, dtype, shape)
        at += size
    return file(entries, bytes(max(0, at + draw(st.sampled_from([0, 0, -1, 1])))))


@given(nearly_valid())
def test_what_is_valid_is_what_the_safetensors_library_loads(content):
    try:
        theirs = {name for name, _ in safetensors.deserialize(content)}
    except safetensors.SafetensorError:
        with pytest.raises(DataError):
            read(content)
    else:
        assert {tensor.name for tensor in read(content).tensors} == theirs
