"""Texts as sets of windows: what near-duplicates are compared by.

A window is 16 bytes that begin where a word begins, so it holds two or three words and their order. In scripts that put
no blanks between words, each character begins one. Letter case, kinds of white space and the marks that end or divide
sentences count for nothing. A window is kept as a hash of 64 bits.

Everything here works on a batch of texts at once: a step costs a numpy call a batch, not a Python call a word.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from bedrock_distill.records.tokens import SEPARATOR

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

__all__ = ["BATCH_BYTES", "WINDOW_BYTES", "Windows", "batched", "mixed", "windows_of"]

WINDOW_BYTES = 16
"""Length of a window."""

BATCH_BYTES = 1 << 18
"""Bytes of text that are worth a batch: enough to hide what a call costs, few enough to stay near the processor."""

_STEM_BYTES = 7
_STEM_MASK = np.uint64((1 << 8 * _STEM_BYTES) - 1)
_LONG_WORD = _STEM_BYTES + 1
_GAP = b"\0" * WINDOW_BYTES  # so that no window reaches over the end of its text

# Odd numbers with well mixed bits, for multiplicative hashing.
_M1, _M2, _M3 = (np.uint64(m) for m in (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9))
_HALF = np.uint64(32)

_LETTERS = np.uint8(26)
_SOFT_MARKS = b"\0 \t\n\r\v\f.,;:?!\"'"


_NOTHING, _LETTER, _DIGIT, _CAPITAL, _LEAD = range(5)


def _kind_of(byte: int) -> int:
    """What kind of character a byte belongs to. A word begins where the kind rises."""
    if byte >= 0xF8:
        return _NOTHING  # not UTF-8: the separator of texts
    if byte >= 0xE0:
        return _LEAD  # of a character of three or four bytes: mostly scripts without blanks
    if byte >= 0x80 or chr(byte).islower():
        return _LETTER
    if chr(byte).isdigit():
        return _DIGIT
    return _CAPITAL if chr(byte).isupper() else _NOTHING


# A code for each byte that counts, kind after kind; zero for the others. A capital has that of its small letter.
_COUNTED = sorted(set(range(0xF8)) - set(_SOFT_MARKS) - set(range(ord("A"), ord("Z") + 1)), key=_kind_of)
_CODE_OF = {byte: code for code, byte in enumerate(_COUNTED, 1)}
_CODES = bytes(_CODE_OF.get(byte, 0) for byte in bytes(range(256)).lower())
_FIRST = {kind: np.uint8(code) for code, kind in reversed([*enumerate(map(_kind_of, _COUNTED), 1)])}


class Windows(NamedTuple):
    """The windows of a batch of texts, text after text."""

    hashes: NDArray[np.uint64]
    """Hash of each window."""
    bounds: NDArray[np.int64]
    """Where the windows of each text begin, and at the end how many there are."""
    whole: NDArray[np.int64]
    """Where the windows of each text begin that reach beyond its end, and so hold less than others."""
    begins: NDArray[np.int64]
    """Where each window begins, in bytes of the batch."""
    ends: NDArray[np.int64]
    """Where each text ends, and before them where the first begins."""
    heads: NDArray[np.uint64]
    """The first eight bytes of each window."""

    def each(self, values: NDArray[np.int64]) -> NDArray[np.int64]:
        """For each window the value of its text."""
        return np.repeat(values, np.diff(self.bounds))

    def long_words(self) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
        """The windows that begin with a long word, and the first letters of each of these words, hashed."""
        lengths = np.diff(self.begins, append=0)
        some = np.flatnonzero(self.bounds[1:] > self.bounds[:-1])
        last = self.bounds[1:][some] - 1
        lengths[last] = self.ends[1:][some] - self.begins[last] + 1
        long = np.flatnonzero(lengths >= _LONG_WORD)
        return long, mixed((self.heads[long] & _STEM_MASK) * _M1)


def windows_of(texts: Sequence[bytes]) -> Windows:
    """The windows of texts in UTF-8; the parts of one, such as messages, stand between separator bytes.

    A text without a letter or digit has none.
    """
    blob = _GAP.join([b"", *texts, _GAP])
    if SEPARATOR in blob:
        texts = [text.replace(SEPARATOR, _GAP) for text in texts]
        blob = _GAP.join([b"", *texts, _GAP])
    codes = blob.translate(_CODES)
    kinds = _kinds(np.frombuffer(blob, np.uint8), np.frombuffer(codes, np.uint8))
    at = np.flatnonzero(kinds[1:] > kinds[:-1])
    at += 1
    # Sixteen bytes from anywhere as two numbers.
    places = np.ndarray((len(blob) - 15,), dtype="V16", buffer=codes, strides=(1,))
    numbers = places[at].view("<u8")
    first, second = numbers[::2], numbers[1::2]
    ends = np.zeros(len(texts) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)) + WINDOW_BYTES, out=ends[1:])
    bounds = np.searchsorted(at, ends)
    hashes = second * _M2
    hashes += first
    return Windows(
        hashes=mixed(hashes),
        bounds=bounds,
        whole=np.searchsorted(at, ends[1:] - WINDOW_BYTES, side="right"),
        begins=at,
        ends=ends,
        heads=first,
    )


def _kinds(blob: NDArray[np.uint8], codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The kind of each byte. Comparing costs half of what looking each up in a table would."""
    is_capital = blob - np.uint8(ord("A")) < _LETTERS  # below "A", it wraps around to a large number
    kinds = (is_capital | (codes >= _FIRST[_LEAD])).view(np.uint8)
    kinds += kinds
    kinds += (codes >= _FIRST[_DIGIT]).view(np.uint8)
    kinds += (codes >= _FIRST[_LETTER]).view(np.uint8)
    return kinds


def mixed(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Numbers whose upper 36 bits depend on all bits of the given ones; works in place. The lower bits are weaker."""
    hashes ^= hashes >> _HALF
    hashes *= _M3
    return hashes


def batched(texts: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Texts in lists of about `BATCH_BYTES`."""
    batch: list[bytes] = []
    size = 0
    for text in texts:
        batch.append(text)
        size += len(text) + WINDOW_BYTES
        if size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
