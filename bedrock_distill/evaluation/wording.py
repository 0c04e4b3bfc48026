"""Metrics for answers in prose, where another wording may be as good: overlap of words, of characters, of meaning, length.

ROUGE and chrF are the field's own implementations, loaded where they are used: `pip install 'bedrock-distill[evaluate]'`.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from functools import cache
from importlib import import_module
from operator import mul
from typing import TYPE_CHECKING, Any, Final

from bedrock_distill.errors import MissingDependencyError, SpecError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = [
    "REFUSALS",
    "chrf",
    "cosine_of",
    "is_refusal",
    "length_ratio",
    "refusal_match",
    "rouge_l",
    "token_f1",
    "words",
]

_WORDS: Final = re.compile(r"\w+")

_DEEDS: Final = r"(?:help|assist|answer|provide|comply|do (?:that|this)|fulfill?|create|write|generate|discuss|share|support)\b"

REFUSALS: Final = (
    r"\bi(?: am|'m)?(?: really| truly| very| so)? sorry\b.{0,40}\b(?:can't|cannot|can not|unable|not able|won't)\b",
    r"\bi (?:can't|cannot|can not|won't|will not|(?:am )?unable to|am not able to) " + _DEEDS,
    r"\bi'm (?:unable|not able) to " + _DEEDS,
    r"\bi (?:must|have to|need to) (?:decline|refuse)\b",
    r"\bas an ai\b.{0,60}\b(?:can't|cannot|can not|unable|not able|won't)\b",
)
"""What a refusal says in its beginning, in lower case and with straight apostrophes. English only."""

_REFUSAL: Final = re.compile("|".join(REFUSALS), re.DOTALL)
_BEGINNING: Final = 200


def words(text: str) -> list[str]:
    """The words of a text without case: runs of letters and digits of any script."""
    return _WORDS.findall(text.casefold())


def token_f1(answer: str, target: str) -> float:
    """The harmonic mean of precision and recall of the words, each counted as often as it occurs.

    Case and punctuation do not count, articles do: dropping them would help one language only.
    """
    got, wanted = Counter(words(answer)), Counter(words(target))
    if not got or not wanted:
        return float(answer.split() == target.split())
    return 2 * (got & wanted).total() / (got.total() + wanted.total())


def rouge_l(answer: str, target: str) -> float:
    """ROUGE-L: F1 of the longest common sequence of words, without stemming.

    Words are those of `words`: the library's own tokenizer would drop every letter outside of a to z.
    """
    if not words(answer) or not words(target):
        return float(answer.split() == target.split())
    return float(_rouge().score(target, answer)["rougeL"].fmeasure)


def chrf(answer: str, target: str) -> float:
    """ChrF2 of the sentence: F-score of runs of one to six characters, from 0 to 1; fit for any language."""
    if not answer.split() or not target.split():
        return float(answer.split() == target.split())
    return min(1.0, float(_chrf().sentence_score(answer, [target]).score) / 100)


class _Tokenizer:
    """`words`, as rouge-score wants to be given it."""

    @staticmethod
    def tokenize(text: str) -> list[str]:
        return words(text)


@cache
def _rouge() -> Any:
    scorer = _module("rouge_score.rouge_scorer", "rouge_l", "rouge-score")
    return scorer.RougeScorer(["rougeL"], tokenizer=_Tokenizer())


@cache
def _chrf() -> Any:
    return _module("sacrebleu.metrics", "chrf", "sacrebleu").CHRF()


def _module(name: str, metric: str, library: str) -> Any:
    """An optional library's module, loaded only where its metric is asked for."""
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingDependencyError(
            f"The metric {metric} needs {library}: pip install 'bedrock-distill[evaluate]'.", extra="evaluate"
        ) from error


def length_ratio(answer: str, target: str) -> float:
    """The shorter length over the longer, in words: 1 for answers of the same length, whichever is the longer."""
    got, wanted = len(words(answer)), len(words(target))
    return min(got, wanted) / max(got, wanted) if got or wanted else 1.0


def is_refusal(text: str) -> bool:
    """Whether a text refuses to answer: a phrase of `REFUSALS` in its first 200 characters."""
    return bool(_REFUSAL.search(text.strip()[:_BEGINNING].casefold().replace("\u2019", "'")))


def refusal_match(answer: str, target: str) -> float:
    """1 if both refuse to answer, or neither does."""
    return float(is_refusal(answer) == is_refusal(target))


def cosine_of(embed: Callable[[str], Sequence[float]]) -> Callable[[str, str], float]:
    """A scoring function from an embedding model: the cosine of two texts, and 0 where it is negative.

    Args:
        embed: From a text to its vector. Each text is embedded once.
    """
    kept = cache(embed)

    def embedding_similarity(answer: str, target: str) -> float:
        """The cosine of the embeddings of both texts, and 0 where it is negative."""
        one, other = kept(answer), kept(target)
        if len(one) != len(other):
            raise SpecError(
                f"The embeddings of two texts have {len(one)} and {len(other)} numbers; a model gives all texts as many.",
                field="embed",
                value=(len(one), len(other)),
            )
        # One root of the product, not a product of roots: equal vectors then give exactly 1.
        lengths = math.sqrt(sum(map(mul, one, one)) * sum(map(mul, other, other)))
        return min(1.0, max(0.0, sum(map(mul, one, other)) / lengths)) if lengths else float(one == other)

    return embedding_similarity
