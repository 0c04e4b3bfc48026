"""Texts to curate: sentences of invented words, as different from one another as people's are."""

from __future__ import annotations

import random

import pytest

SYLLABLES = [consonant + vowel for consonant in "bdfklmnprst" for vowel in "aeio"]


class Prose:
    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.words = ["".join(self.rng.choices(SYLLABLES, k=self.rng.randrange(1, 5))) for _ in range(5_000)]

    def text(self, count):
        """So many words; common ones far more often than rare ones."""
        picked = [self.words[int(len(self.words) * self.rng.random() ** 3)] for _ in range(count)]
        return (
            ". ".join(" ".join(picked[start : start + 12]).capitalize() for start in range(0, count, 12))
            + "."
        )

    def changed(self, text, share):
        """A share of the words, one at least, replaced by others."""
        words = text.split(" ")
        for place in self.rng.sample(range(len(words)), max(1, int(share * len(words)))):
            words[place] = self.rng.choice(self.words)
        return " ".join(words)

    def shuffled(self, text):
        words = text.split(" ")
        self.rng.shuffle(words)
        return " ".join(words)


@pytest.fixture
def prose():
    return Prose(7)
