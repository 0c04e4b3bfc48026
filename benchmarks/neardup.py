"""Finding near-duplicates, beside rensa and datasketch.

    python -m benchmarks.neardup [--texts 120000] [--rounds 3]

Every candidate reads the same file of texts in a fresh process, in turn, and says which texts repeat an earlier one; CPU
seconds and peak memory are those of the whole process, imports included. The texts are made here: sentences of invented
words with Zipf's frequencies and stock phrases, 50 to 5,000 characters long, and among them

* copies with at most 1.5 % of their words changed (these are to be found; `one word`: one word in 34 to 66 changed),
* texts with their words shuffled (none is to be found),
* prompts of one template: long instructions around a short varying part, in large families and in small ones, and the
  same text under two instructions (none is to be found, though most of their words agree).

The peers get words in groups of three, 128 permutations and the same threshold. Quote the ratios.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import statistics
import subprocess
import sys
import tempfile
from array import array
from itertools import accumulate
from pathlib import Path

from benchmarks.measuring import peak_mb

THRESHOLD = 0.8
SYLLABLES = [consonant + vowel for consonant in "bdfklmnprst" for vowel in "aeio"]


# --- data -------------------------------------------------------------------------------------------------------------


class Language:
    """Invented words and stock phrases, drawn with Zipf's frequencies."""

    def __init__(self, rng, words=30_000, phrases=3_000):
        self.rng = rng
        self.words = sorted(
            {"".join(rng.choices(SYLLABLES, k=rng.choice((1, 1, 2, 2, 2, 3, 3, 4)))) for _ in range(words)}
        )
        rng.shuffle(self.words)
        self.words.sort(key=lambda word: len(word) + rng.random() * 6)  # common words are short
        self.word_sums = list(accumulate(1 / (rank + 2.7) for rank in range(len(self.words))))
        self.phrases = [
            rng.choices(self.words, cum_weights=self.word_sums, k=rng.randrange(3, 7)) for _ in range(phrases)
        ]
        self.phrase_sums = list(accumulate(1 / (rank + 2.7) for rank in range(phrases)))

    def text(self, count):
        """Sentences of so many words."""
        rng, out = self.rng, []
        while len(out) < count:
            sentence = rng.choices(self.words, cum_weights=self.word_sums, k=rng.randrange(5, 20))
            if rng.random() < 0.3:
                place = rng.randrange(len(sentence))
                sentence[place:place] = rng.choices(self.phrases, cum_weights=self.phrase_sums)[0]
            sentence[0] = sentence[0].capitalize()
            sentence[-1] += rng.choice(".....?!")
            out += sentence
        return " ".join(out[:count])

    def changed(self, text, count):
        """The text with so many words replaced by others."""
        words = text.split(" ")
        for place in self.rng.sample(range(len(words)), count):
            words[place] = self.rng.choice(self.words)
        return " ".join(words)


def make_data(path, count, seed=1):
    """Write the texts, shuffled, and return what each is: (kind, number of the text it was made from)."""
    rng = random.Random(seed)
    language = Language(rng)
    rows = [
        ["plain", number, language.text(int(min(900, max(9, rng.lognormvariate(5.3, 0.9)))))]
        for number in range(count)
    ]
    plain = [row[2] for row in rows]

    def pick(least, most):
        while True:
            number = rng.randrange(count)
            if least <= plain[number].count(" ") + 1 <= most:
                return number

    for _ in range(count // 20):
        number = pick(67, 900)
        words = plain[number].count(" ") + 1
        rows.append(["planted", number, language.changed(plain[number], int(0.015 * words))])
    for _ in range(count // 50):
        number = pick(34, 66)
        rows.append(["one word", number, language.changed(plain[number], 1)])
    for _ in range(count // 20):
        number = pick(9, 900)
        rows.append(["shuffled", number, " ".join(rng.sample(words := plain[number].split(" "), len(words)))])
    rows += families(rng, language, count)
    rng.shuffle(rows)
    with path.open("w") as stream:
        stream.writelines(json.dumps(text) + "\n" for _, _, text in rows)
    return [(kind, number) for kind, number, _ in rows]


def families(rng, language, count):
    """Prompts of one template; the number of a row is that of its family."""
    for family in range(4):
        opening, closing = language.text(rng.randrange(80, 300)), language.text(rng.randrange(0, 20))
        for _ in range(count // 40):
            yield ["template", family, f"{opening}\n\n{language.text(rng.randrange(5, 30))}\n{closing}"]
    for family in range(count // 400):
        context = language.text(rng.randrange(150, 500))
        for _ in range(8):
            yield ["question", family, f"{context}\n\n{language.text(rng.randrange(5, 15))}"]
    orders = [language.text(rng.randrange(6, 12)) for _ in range(2)]
    for family in range(count // 100):
        text = language.text(rng.randrange(60, 300))
        for order in orders:
            yield ["order", family, f"{order}\n\n{text}"]


# --- candidates: each returns the numbers of the texts that repeat an earlier one ---------------------------------------------


def read(source):
    import msgspec

    decode = msgspec.json.Decoder(str).decode
    with Path(source).open("rb") as lines:
        return [decode(line) for line in lines]


def ours(source):
    """As `curate` does it: a key and a place for each text, a look at a sample, then one at all; no texts are kept."""
    import msgspec
    import numpy as np
    import xxhash

    from bedrock_distill.records.curation.clusters import cluster
    from bedrock_distill.records.curation.sketches import SAMPLE, Frequencies, sketch

    decode, keys, places, place = msgspec.json.Decoder(str).decode, array("Q"), array("Q"), 0
    with Path(source).open("rb") as lines:
        for line in lines:
            keys.append(xxhash.xxh3_64_intdigest(line))
            places.append(place)
            place += len(line)
    least = int(np.partition(np.array(keys, np.uint64), SAMPLE)[SAMPLE]) if len(keys) > SAMPLE else 1 << 64

    def sample():
        with Path(source).open("rb") as lines:
            for key, place in zip(keys, places, strict=True):
                if key < least:
                    lines.seek(place)
                    yield decode(lines.readline()).encode()

    def texts():
        with Path(source).open("rb") as lines:
            for line in lines:
                yield decode(line).encode()

    found = cluster(sketch(texts(), np.arange(len(keys)), Frequencies(sample())), THRESHOLD)
    return np.flatnonzero(found != np.arange(len(found))).tolist()


def grams(text):
    words = text.lower().split()
    return [" ".join(words[place : place + 3]) for place in range(max(1, len(words) - 2))]


def rensa(source, bands=None, tokens=grams):
    from rensa import RMinHash, RMinHashDeduplicator

    known = RMinHashDeduplicator(THRESHOLD, 128, use_lsh=True, num_bands=bands)
    found = []
    for number, text in enumerate(read(source)):
        sketch = RMinHash(num_perm=128, seed=42)
        sketch.update(tokens(text))
        if known.is_duplicate(str(number), sketch):
            found.append(number)
        else:
            known.add(str(number), sketch)
    return found


def datasketch(source):
    from datasketch import MinHash, MinHashLSH

    known, found = MinHashLSH(threshold=THRESHOLD, num_perm=128), []
    for number, text in enumerate(read(source)):
        sketch = MinHash(num_perm=128)
        sketch.update_batch([gram.encode() for gram in grams(text)])
        if known.query(sketch):
            found.append(number)
        else:
            known.insert(str(number), sketch)
    return found


CANDIDATES = {
    "rensa": rensa,
    "rensa, 16 bands": lambda source: rensa(source, 16),
    "rensa, single words": lambda source: rensa(source, None, lambda text: text.lower().split()),
    "data curate": ours,
    "datasketch": datasketch,
}
BASELINE, OURS, ONCE = "rensa", "data curate", "datasketch"


# --- harness ----------------------------------------------------------------------------------------------------------


def run_here(name, source):
    found = CANDIDATES[name](source)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({"cpu": usage.ru_utime + usage.ru_stime, "mb": peak_mb(), "found": found}))


def run_apart(name, source):
    command = [sys.executable, "-m", "benchmarks.neardup", "--one", name, str(source)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", type=int, default=120_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", nargs=2, metavar=("NAME", "FILE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        run_here(*options.one)
        return
    with tempfile.TemporaryDirectory() as folder:
        source, half = Path(folder, "texts.jsonl"), Path(folder, "half.jsonl")
        kinds = make_data(source, options.texts)
        rounds = []
        for number in range(options.rounds):
            order = [name for name in CANDIDATES if number == 0 or name != ONCE]
            order = order if number % 2 == 0 else order[::-1]
            rounds.append({name: run_apart(name, source) for name in order})
        make_data(half, options.texts // 2, seed=2)
        fewer = run_apart(OURS, half)["mb"]
        report(rounds, kinds, source.stat().st_size, fewer)


def judged(found, kinds):
    """Of each kind, the share that was found; of a text and its copy, whichever comes later counts as the copy."""
    found, families, flags = set(found), {}, {}
    for number, (kind, of) in enumerate(kinds):
        family = (
            ("plain", of) if kind in ("planted", "one word") else (kind, number if kind != "plain" else of)
        )
        families.setdefault(family, []).append(number)
    for (kind, _), members in families.items():
        for number in members[1:]:
            copied = {kinds[member][0] for member in members} - {"plain"}
            flags.setdefault("planted" if "planted" in copied else "one word", []).append(number in found)
        if len(members) == 1:
            flags.setdefault(kind, []).append(members[0] in found)
    return {kind: sum(marks) / len(marks) for kind, marks in flags.items()}


def report(rounds, kinds, size, fewer):
    first = rounds[0]
    count = len(kinds)
    print(
        f"{count:,} texts, {size / 1e6:.0f} MB; median of {len(rounds)} rounds ({ONCE}: one). Shares of texts that were found:\n"
    )
    columns = ("planted", "one word", "plain", "shuffled", "template", "question", "order")
    print("| candidate | CPU s | texts/s | x CPU | peak MB | " + " | ".join(columns) + " |")
    print("| --- |" + " --: |" * (4 + len(columns)))
    for name in CANDIDATES:
        ran = [row for row in rounds if name in row]
        cpu = statistics.median(row[name]["cpu"] for row in ran)
        ratio = statistics.median(row[BASELINE]["cpu"] / row[name]["cpu"] for row in ran)
        mb = max(row[name]["mb"] for row in ran)
        shares = judged(first[name]["found"], kinds)
        cells = " | ".join(f"{shares[column]:.4f}" for column in columns)
        print(f"| {name} | {cpu:.2f} | {count / cpu:,.0f} | {ratio:.2f} | {mb:.0f} | {cells} |")
    mb = max(row[OURS]["mb"] for row in rounds)
    print(
        f"\nMemory with half the texts: {fewer:.0f} MB, so {(mb - fewer) * 1e6 / (count / 2):,.0f} bytes a text."
    )


if __name__ == "__main__":
    main()
