"""What a sample of a group's calls says of its texts: how much is fixed, how alike prompts and answers are, what can be checked."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from bedrock_distill.evaluation.labels import find_labels
from bedrock_distill.evaluation.statistics import quantile
from bedrock_distill.records.curation.clusters import near_duplicates
from bedrock_distill.records.curation.windows import WINDOW_BYTES, windows_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from bedrock_distill.profiling.counting import Answered, Example
    from bedrock_distill.profiling.templates import Asked

__all__ = ["SHORT_TOKENS", "Answers", "Prompts", "measure_answers", "measure_prompts"]

SHORT_TOKENS: Final = 50
"""An answer of at most so many tokens is short."""

_CONSTANT: Final = 0.9
"""Share of the prompts that must hold a window for it to be fixed text."""
_FEWEST: Final = 5
"""Different prompts that are needed to tell what is fixed."""
_SLOT: Final = "…"
_SHOWN_CHARS: Final = 240


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompts:
    """The prompts of the sample."""

    sampled: int
    distinct: int
    """Different ones among them."""
    near_duplicates: int
    """Of these, how many are nearly the same as another: a lower bound of their share in the whole group."""
    fixed_share: float | None
    """Mean share of a prompt's bytes that is fixed text; None where too few differ to tell."""
    template: str
    """The fixed text with … for what varies, shortened; empty where nothing is fixed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """The answers of the sample."""

    sampled: int
    distinct: int
    entropy_bits: float
    """Shannon entropy of the answers as they are distributed in the sample."""
    alike: float
    """1 minus the entropy over the most it could be: 1 where all are the same, 0 where no two are."""
    tokens_p10: float
    tokens_p50: float
    tokens_p90: float
    short_share: float
    """Share of at most `SHORT_TOKENS` tokens."""
    json_share: float
    """Share that is a JSON object or array."""
    schema_share: float
    """Share that has the most frequent keys and types."""
    schema: str
    """These keys and types, or an empty string."""
    labels: tuple[str, ...]
    """The labels, the most frequent first, where whole answers are labels."""
    label_fields: tuple[str, ...]
    """Fields of JSON objects that hold labels."""


def measure_prompts(examples: Sequence[Example]) -> Prompts:
    """Look at the prompts."""
    distinct = list({example.key: example.asked for example in examples}.values())
    share, template = _fixed(distinct)
    texts = [b"\n".join(asked).decode("utf-8", "replace") for asked in distinct]
    firsts = near_duplicates(texts)
    return Prompts(
        sampled=len(examples),
        distinct=len(distinct),
        near_duplicates=len(distinct) - len(np.unique(firsts)),
        fixed_share=share,
        template=template,
    )


def measure_answers(examples: Sequence[Example]) -> Answers | None:
    """Look at the answers; None where there is none that can be used."""
    answered = [example.answered for example in examples if example.answered is not None]
    if not answered:
        return None
    counts = Counter(example.answer for example in examples if example.answered is not None)
    n = len(answered)
    entropy = -sum(count / n * math.log2(count / n) for count in counts.values()) + 0.0
    tokens = sorted(each.tokens for each in answered)
    schemas = Counter(each.schema for each in answered if each.schema is not None)
    schema, usual = min(schemas.items(), key=lambda item: (-item[1], item[0]), default=("", 0))
    labels = _labels(answered) if not schemas else ()
    return Answers(
        sampled=n,
        distinct=len(counts),
        entropy_bits=entropy,
        alike=1 - entropy / math.log2(n) if n > 1 else 1.0,
        tokens_p10=quantile(tokens, 0.1),
        tokens_p50=quantile(tokens, 0.5),
        tokens_p90=quantile(tokens, 0.9),
        short_share=sum(count <= SHORT_TOKENS for count in tokens) / n,
        json_share=schemas.total() / n,
        schema_share=usual / n,
        schema=schema or "",
        labels=labels,
        label_fields=_label_fields(answered),
    )


def _labels(answered: Sequence[Answered]) -> tuple[str, ...]:
    """The labels that whole answers are. A single answer to everything is one, too."""
    texts = [each.text or None for each in answered]
    counts = Counter(text for text in texts if text is not None)
    if None in texts or not (find_labels(texts) or len(counts) == 1):
        return ()
    return tuple(sorted(counts, key=lambda text: (-counts[text], text)))


def _label_fields(answered: Sequence[Answered]) -> tuple[str, ...]:
    names = sorted({name for each in answered for name in each.fields})
    return tuple(name for name in names if find_labels([each.fields.get(name) for each in answered]))


def _fixed(asked: Sequence[Asked]) -> tuple[float | None, str]:
    """The mean share of fixed text, and the fixed text itself, as it stands in one of the prompts."""
    if len(asked) < _FEWEST:
        return None, ""
    texts = [text for pair in asked for text in pair]
    windows = windows_of(texts)
    if not len(windows.hashes):
        return 0.0, ""
    owners = windows.each(np.arange(len(texts))) // 2
    hashes, places = np.unique(windows.hashes, return_inverse=True)
    pairs = np.unique(np.stack((places.reshape(-1), owners), axis=1), axis=0)
    held = np.bincount(pairs[:, 0], minlength=len(hashes))
    constant = held[places.reshape(-1)] >= _CONSTANT * len(asked)
    covered = _covered(windows.begins[constant], windows.ends)
    # A text's bytes begin behind the gap before it.
    spans = [
        covered[begin + WINDOW_BYTES : end]
        for begin, end in zip(windows.ends[:-1].tolist(), windows.ends[1:].tolist(), strict=True)
    ]
    both = [np.concatenate(spans[place : place + 2]) for place in range(0, len(spans), 2)]
    shares = [span.mean() if len(span) else 0.0 for span in both]
    shown = min(range(len(asked)), key=lambda number: (len(b"".join(asked[number])), asked[number]))
    parts = [_with_slots(asked[shown][part], spans[2 * shown + part]) for part in (0, 1)]
    return float(np.mean(shares)), _shortened(" ".join(part for part in parts if part))


def _covered(begins: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each byte of the batch, 1 if a fixed window covers it. No window reaches beyond its text."""
    steps = np.zeros(int(ends[-1]) + WINDOW_BYTES + 1, np.int64)
    own_end = ends[np.searchsorted(ends, begins, side="right")]
    np.add.at(steps, begins, 1)
    np.add.at(steps, np.minimum(begins + WINDOW_BYTES, own_end), -1)
    return (np.cumsum(steps) > 0).astype(np.int64)


def _with_slots(text: bytes, covered: NDArray[np.int64]) -> str:
    """A text with … for its bytes that are not fixed; words that are cut go with the slot."""
    out: list[str] = []
    edges = np.flatnonzero(np.diff(covered, prepend=0, append=0))
    for begin, end in edges.reshape(-1, 2).tolist():
        piece = text[begin:end].decode("utf-8", "ignore")
        if end < len(text) and not text[end : end + 1].isspace() and not piece[-1:].isspace():
            piece = piece.rpartition(" ")[0] if " " in piece else ""
        if out or begin > 0:
            piece = f" {_SLOT} {piece}"
        out.append(piece)
        last = end
    if not out:
        return _SLOT if text.strip() else ""
    return "".join(out) + (f" {_SLOT}" if last < len(text.rstrip()) else "")


def _shortened(text: str) -> str:
    text = " ".join(text.replace(f"{_SLOT} {_SLOT}", _SLOT).split())
    if text == _SLOT:
        return ""
    return text if len(text) <= _SHOWN_CHARS else text[: _SHOWN_CHARS - 1] + _SLOT
