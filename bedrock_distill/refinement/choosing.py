"""Which prompts of the traffic teach most, and which are held out. Functions of values: the same traffic, the same choice.

First a hash of each prompt decides whether it may be learned or only be compared on; so no prompt is ever on both sides, in
this round or a later one, as long as `seed` and `hold_out_share` stay. What is nearly a prompt of the other side is left
out of both. Of the rest, those are taken that say most about where the student fails, and a share at random, so that training
data keeps the shape of the traffic.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import xxhash

from bedrock_distill.evaluation.overlap import find_overlap
from bedrock_distill.evaluation.tasks import load_task
from bedrock_distill.records.schema import encode_record
from bedrock_distill.records.splitting import Shares, split_of
from bedrock_distill.records.tokens import joined_texts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from bedrock_distill.records.schema import Record
    from bedrock_distill.refinement.spec import Refinement
    from bedrock_distill.refinement.traffic import Asked

__all__ = [
    "REASONS",
    "Candidate",
    "Choice",
    "Vocabulary",
    "choose",
    "in_order",
    "learnable",
    "place_of",
    "reasons_of",
]

REASONS: Final[dict[str, tuple[float, str]]] = {
    "disagreed": (4.0, "the student's answer differs from the teacher's"),
    "unsure": (2.0, "a cascade found the student unsure"),
    "fell back": (1.5, "the teacher answered in its place"),
    "under-represented": (1.0, "its words are rare in the training data"),
    "usual": (0.0, "drawn at random"),
}
"""Why a prompt is chosen -> how much that weighs, and what it means. Weights add up, a disagreement's by how far the answers
differ; the first in this order gives the name."""

_RARE: Final = 3
"""A word that fewer records of the training data hold is rare."""

_UNDER: Final = 0.3
"""Share of rare words from which a prompt is under-represented."""

_NEAR: Final = 0.8
"""Similarity from which two new prompts are one: what curation takes for near-duplicates."""

_WORD = re.compile(r"[^\W\d_]+")
_NO_BLANKS = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
"""Letters of scripts that put no blanks between words: each counts for itself."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A prompt that may be learned."""

    prompt: Record
    reasons: tuple[str, ...]
    """Why, the heaviest first; empty where nothing speaks for it but that it was asked."""
    weight: float
    """How much it would teach."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a round adds."""

    new: tuple[Candidate, ...]
    """To the training data, the weightiest first."""
    held_out: tuple[Record, ...]
    """To the evaluation."""
    left_out: dict[str, int]
    """How many prompts were left out, by the reason."""

    @property
    def by_reason(self) -> dict[str, int]:
        """How many are new in training, by the reason that weighs most."""
        counts = Counter((each.reasons or ("usual",))[0] for each in self.new)
        return {reason: counts[reason] for reason in REASONS if counts[reason]}

    def __str__(self) -> str:
        rows = [("what", "prompts", "why")]
        rows += [(reason, f"{count:,}", REASONS[reason][1]) for reason, count in self.by_reason.items()]
        rows.append(("held out", f"{len(self.held_out):,}", "new in the evaluation, never learned"))
        rows += [("left out", f"{count:,}", why) for why, count in self.left_out.items()]
        what, prompts, _ = (max(map(len, column)) for column in zip(*rows, strict=True))
        return "\n".join(f"{row[0]:<{what}}  {row[1]:>{prompts}}  {row[2]}" for row in rows)


class Vocabulary:
    """How many records of the training data hold each word."""

    def __init__(self, records: Iterable[Record]) -> None:
        self._counts = Counter(word for record in records for word in _words(record))

    def novelty(self, prompt: Record) -> float:
        """Share of a prompt's words that are rare here, from 0 to 1."""
        words = _words(prompt)
        return sum(self._counts[word] < _RARE for word in words) / len(words) if words else 0.0


def _words(record: Record) -> set[str]:
    """The words of a prompt, each once; numbers and signs say nothing of what it is about."""
    texts = (record.system_text or "", *(message.text for message in record.prompt.messages))
    found: set[str] = set()
    for text in texts:
        for word in _WORD.findall(text.casefold()):
            found.update(_NO_BLANKS.findall(word) or (word,))
    return found


def reasons_of(
    asked: Asked, novelty: float, agreement: Callable[[str, str], float]
) -> tuple[tuple[str, ...], float]:
    """What speaks for learning a prompt, the heaviest first, and what it weighs together.

    Args:
        asked: The prompt, and how it was answered.
        novelty: Share of its words that are rare in the training data.
        agreement: How far the student's answer agrees with the teacher's, from 0 to 1.
    """
    both = asked.student is not None and asked.teacher is not None
    holds = {
        "disagreed": max(0.0, 1 - agreement(asked.student or "", asked.teacher or "")) if both else 0.0,
        "unsure": float(asked.unsure),
        "fell back": float(asked.fell_back),
        "under-represented": float(novelty >= _UNDER),
    }
    found = tuple(reason for reason in REASONS if holds.get(reason))
    return found, sum(REASONS[reason][0] * holds[reason] for reason in found) + (novelty if found else 0.0)


def in_order(prompts: Iterable[Record], seed: int) -> list[Record]:
    """Prompts in the order of a hash: any beginning of it is a sample."""
    return sorted(prompts, key=lambda prompt: place_of(prompt, seed))


def place_of(prompt: Record, seed: int) -> int:
    """A hash of a prompt, to draw by."""
    return xxhash.xxh3_64_intdigest(encode_record(prompt.prompt), seed)


def learnable(prompt: Record, spec: Refinement) -> bool:
    """Whether a prompt may be learned; otherwise it may only be compared on."""
    held = spec.hold_out_share
    return split_of(prompt.prompt, spec.seed, Shares.of({"learn": 1 - held, "hold": held})) == "learn"


def choose(
    asked: Iterable[Asked],
    spec: Refinement,
    *,
    training: Sequence[Record],
    evaluation: Sequence[Record],
    agreement: Callable[[str, str], float],
) -> Choice:
    """What a round adds to the training data and to the evaluation.

    Args:
        asked: The prompts of the traffic, each once.
        spec: How many, and how.
        training: What the serving student has learned.
        evaluation: What candidates are compared on so far.
        agreement: How far the student's answer agrees with the teacher's, from 0 to 1.
    """
    by_prompt = {each.prompt: each for each in asked}
    left_out: Counter[str] = Counter()
    sides: dict[bool, list[Record]] = {True: [], False: []}
    for prompt in in_order(by_prompt, spec.seed):
        sides[learnable(prompt, spec)].append(prompt)
    held_out = _without(sides[False], training, "held out, but nearly in training", left_out)
    held_out = _without(held_out, evaluation, "in the evaluation already", left_out)
    left_out["held out, beyond max_held_out"] += max(0, len(held_out) - spec.max_held_out)
    held_out = held_out[: spec.max_held_out]
    fresh = _without(sides[True], [*evaluation, *held_out], "nearly in the evaluation", left_out)
    known = {record.prompt for record in training}
    left_out["in training already"] += sum(prompt in known for prompt in fresh)
    vocabulary = Vocabulary(training)
    candidates = [
        Candidate(prompt, *reasons_of(by_prompt[prompt], vocabulary.novelty(prompt), agreement))
        for prompt in fresh
        if prompt not in known
    ]
    new = _taken(candidates, spec, left_out)
    return Choice(new=new, held_out=tuple(held_out), left_out={why: n for why, n in left_out.items() if n})


def _without(
    prompts: list[Record], others: Sequence[Record], why: str, left_out: Counter[str]
) -> list[Record]:
    """Prompts that are not among others, and not nearly so."""
    if not prompts or not others:
        return prompts
    copies = {copy.prompt - 1 for copy in find_overlap(load_task(prompts), others).copies}
    left_out[why] += len(copies)
    return [prompt for place, prompt in enumerate(prompts) if place not in copies]


def _taken(candidates: list[Candidate], spec: Refinement, left_out: Counter[str]) -> tuple[Candidate, ...]:
    """The weightiest, near copies of weightier ones left out, and a share at random; candidates come in random order."""
    usual = round(spec.max_new * spec.usual_share)
    ranked = sorted(candidates, key=lambda each: -each.weight)  # stable: among equals the order stays random
    taken, copies = _apart([each for each in ranked if each.weight > 0], spec.max_new - usual)
    left_out["nearly another new one"] += len(copies)
    seen = {each.prompt for each in (*taken, *copies)}
    rest = [each for each in candidates if each.prompt not in seen]
    # The share at random is one of what is taken, also where few are hard.
    room = usual if len(taken) == spec.max_new - usual else _share_beside(len(taken), spec)
    left_out["beyond max_new"] += max(0, len(rest) - room)
    return (*taken, *rest[:room])


def _share_beside(hard: int, spec: Refinement) -> int:
    """How many at random go with so many hard ones; without hard ones there is nothing to learn but what was asked."""
    return round(hard * spec.usual_share / (1 - spec.usual_share))


def _apart(ranked: list[Candidate], most: int) -> tuple[list[Candidate], list[Candidate]]:
    """As many as there is room for, and those that were passed over for being nearly one of them."""
    from bedrock_distill.evaluation.windowing import similar_pairs  # noqa: PLC0415 - loads numpy

    texts = [joined_texts(each.prompt) for each in ranked]
    similar: dict[int, set[int]] = {}
    for one, other, _ in similar_pairs(texts, texts, _NEAR):
        if one != other:
            similar.setdefault(one, set()).add(other)
    taken: dict[int, Candidate] = {}
    copies: list[Candidate] = []
    for place, candidate in enumerate(ranked):
        if len(taken) == most:
            break
        if similar.get(place, set()).isdisjoint(taken):
            taken[place] = candidate
        else:
            copies.append(candidate)
    return list(taken.values()), copies
