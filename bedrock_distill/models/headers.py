"""Safetensors headers: which tensors a file holds, read from its first bytes and never from the weights.

A file is eight bytes with the header's length, the header as JSON (a tensor's name -> type, shape, and where its bytes
begin and end), and the tensors' bytes, one behind the other without gaps.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from math import prod
from typing import TYPE_CHECKING, Annotated

import msgspec

from bedrock_distill.errors import DataError, Offence

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bedrock_distill.models.files import ModelFiles

__all__ = ["BITS", "Header", "Tensor", "parse_header", "read_header"]

BITS: dict[str, int] = {
    "BOOL": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "U8": 8, "I8": 8, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8,
    "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "U16": 16, "I16": 16, "F16": 16, "BF16": 16, "U32": 32, "I32": 32,
    "F32": 32, "U64": 64, "I64": 64, "F64": 64, "C64": 64,
}  # fmt: skip
"""Bits of one element, by the format's name of a type."""

_MOST_HEADER_BYTES = 100_000_000
"""The format's own limit."""

_Count = Annotated[int, msgspec.Meta(ge=0)]


class _Entry(msgspec.Struct, frozen=True):
    """A tensor as the header writes it."""

    dtype: str
    shape: tuple[_Count, ...]
    data_offsets: tuple[_Count, _Count]


_ENTRIES = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ENTRY = msgspec.json.Decoder(_Entry)
_METADATA = msgspec.json.Decoder(dict[str, str])


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor of a file."""

    name: str
    dtype: str
    """The format's name, such as `BF16`."""
    shape: tuple[int, ...]
    size_bytes: int

    @property
    def elements(self) -> int:
        """Product of the shape."""
        return prod(self.shape)


@dataclass(frozen=True, slots=True)
class Header:
    """What a safetensors file says about itself."""

    file: str
    tensors: tuple[Tensor, ...]
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def size_bytes(self) -> int:
        """Bytes of all tensors."""
        return sum(tensor.size_bytes for tensor in self.tensors)


def read_header(files: ModelFiles, name: str, size: int) -> Header:
    """Read a file's header: two small reads, whatever the file's size.

    Args:
        files: The model's directory.
        name: The file.
        size: Its bytes, to compare with what the header says.

    Raises:
        DataError: If it is not a valid safetensors file, or is cut short; the message names the file.
    """
    start = files.read(name, 0, 8) if size else b""
    if start.startswith(b"version "):
        raise _broken(name, "is a Git LFS pointer and not the weights: run `git lfs pull`", "lfs-pointer")
    if len(start) < 8:
        raise _broken(name, f"is {size} bytes long, and a safetensors file begins with 8 bytes of length")
    length = int.from_bytes(start, "little")
    if length > _MOST_HEADER_BYTES:
        raise _broken(
            name,
            f"begins with a header of {length:,} bytes, above the format's {_MOST_HEADER_BYTES:,}: "
            "it is not a safetensors file, or is damaged",
        )
    if 8 + length > size:
        raise _cut_short(name, missing=8 + length - size, what="its header")
    return parse_header(files.read(name, 8, length), file=name, data_bytes=size - 8 - length)


def parse_header(raw: bytes, *, file: str, data_bytes: int) -> Header:
    """Read the JSON of a header, and hold it against the bytes that follow.

    Args:
        raw: The header, without the length before it.
        file: Its file, for messages.
        data_bytes: Bytes of the file behind the header.

    Raises:
        DataError: If it breaks a rule of the format; the message names the file and the tensor.
    """
    tensors: list[tuple[Tensor, int, int]] = []
    metadata: dict[str, str] = {}
    try:
        entries = _ENTRIES.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _broken(file, f"has a header that is not a JSON object: {error}") from error
    for name, entry in entries.items():
        try:
            if name == "__metadata__":
                metadata = _METADATA.decode(entry)
            else:
                tensors.append(_tensor(name, _ENTRY.decode(entry), file))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise _broken(file, f"says of the tensor {name!r}: {error}") from error
    tensors.sort(key=lambda placed: placed[1:])
    _check_places(tensors, file, data_bytes)
    return Header(file, tuple(tensor for tensor, _, _ in tensors), metadata)


def _tensor(name: str, entry: _Entry, file: str) -> tuple[Tensor, int, int]:
    begin, end = entry.data_offsets
    if end < begin:
        raise _broken(file, f"places the tensor {name!r} from byte {begin} to {end}, backwards")
    tensor = Tensor(name, entry.dtype, entry.shape, end - begin)
    bits = BITS.get(entry.dtype)
    # A type that came after this list is let pass: its place still says how many bytes it takes.
    if bits is not None and tensor.elements * bits != tensor.size_bytes * 8:
        raise _broken(
            file,
            f"gives the tensor {name!r} {tensor.size_bytes:,} bytes; "
            f"{entry.dtype} of shape {list(entry.shape)} takes {-(-tensor.elements * bits // 8):,}",
        )
    return tensor, begin, end


def _check_places(placed: list[tuple[Tensor, int, int]], file: str, data_bytes: int) -> None:
    """Tensors lie one behind the other, from the first byte behind the header to the last of the file."""
    last = placed[-1][2] if placed else 0
    if placed and placed[0][1] != 0:
        raise _broken(file, f"leaves a gap of {placed[0][1]} bytes before the tensor {placed[0][0].name!r}")
    for (before, _, end), (after, begin, _) in pairwise(placed):
        if begin != end:
            how = "overlaps" if begin < end else "leaves a gap before"
            raise _broken(
                file, f"places the tensor {after.name!r} at byte {begin}: it {how} {before.name!r} ({end})"
            )
    if last > data_bytes:
        raise _cut_short(file, missing=last - data_bytes, what="its tensors")
    if last < data_bytes:
        raise _broken(
            file, f"has {data_bytes - last:,} bytes behind its last tensor that the header does not name"
        )


def _cut_short(file: str, *, missing: int, what: str) -> DataError:
    return _broken(
        file,
        f"is cut short: {missing:,} bytes of {what} are missing. Download or save the file again",
        "truncated",
    )


def _broken(file: str, reason: str, code: str = "bad-safetensors") -> DataError:
    return DataError(f"{file}: {reason}.", offences=(Offence(file, None, "", reason, code),))
