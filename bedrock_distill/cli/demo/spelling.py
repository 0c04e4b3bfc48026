"""Slips of the finger in the words that the demo's teacher knows: letters swapped, doubled or left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_SHORTEST = 6
"""Shorter words have too many neighbours that are words themselves ("trial" and "trail")."""


@dataclass(frozen=True, slots=True)
class Spelling:
    """What some words were meant to be. Make one with `of`."""

    words: frozenset[str]
    stems: tuple[str, ...]
    slips_of_words: Mapping[str, str]
    slips_of_stems: Mapping[str, str]

    @classmethod
    def of(cls, vocabulary: Iterable[str]) -> Spelling:
        """Learn words, and stems marked by a final `*`."""
        known = sorted(vocabulary)
        stems = tuple(word.rstrip("*") for word in known if word.endswith("*"))
        words = frozenset(known) - {f"{stem}*" for stem in stems}
        return cls(words, stems, _slips_of(sorted(words)), _slips_of(stems))

    def correct(self, word: str) -> str:
        """`word`, or the word it was meant to be: "refnuded" was meant to be "refunded"."""
        if len(word) < _SHORTEST - 1 or word in self.words or word.startswith(self.stems):
            return word
        if word in self.slips_of_words:
            return self.slips_of_words[word]
        for length in range(len(word), _SHORTEST - 2, -1):
            stem = self.slips_of_stems.get(word[:length])
            if stem is not None:
                return stem + word[length:]
        return word


def _slips_of(words: Iterable[str]) -> dict[str, str]:
    return {slip: word for word in words if len(word) >= _SHORTEST for slip in _slips(word)}


def _slips(word: str) -> Iterator[str]:
    """Every slip that leaves the first and the last letter in place."""
    for at in range(1, len(word) - 1):
        yield word[:at] + word[at] + word[at:]
        yield word[:at] + word[at + 1 :]
        if at < len(word) - 2:
            yield word[:at] + word[at + 1] + word[at] + word[at + 2 :]
