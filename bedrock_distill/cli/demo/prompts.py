"""Customers' messages for the demo, composed from the phrases in `phrases/`.

The same seed gives the same messages. Some main sentences are used in held-out messages only, so that a student is also
tested on wording it has never seen. Nothing about how a message was composed goes on to the teacher.
"""

from __future__ import annotations

import functools
import math
import random
import re
import tomllib
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bedrock_distill.records.schema import Record

SYSTEM = "Sort this support mail. Answer in JSON: category, priority, team, refund."
PROMPTS, HELD_OUT, SEED = 6_000, 300, 7

THEMES = ("billing", "delivery", "return", "account", "bug", "fraud", "cancel", "sales", "feedback", "other")
"""What main sentences are about, as the phrases are grouped. A message may say something else beside it."""

_SHARES = {"train": 0.875, "held_out": 0.125}
"""Where the hash sends messages made of familiar phrases."""
_SPLIT_SEED = 0
_NEW_WORDING = 0.2
"""The share of held-out messages whose main sentence no training message contains."""
_WEIGHTS = {"sales": 0.8, "feedback": 0.7, "other": 0.8}
"""The rest have weight 1. These three have nearly always one and the same answer."""
_CHATTY = frozenset({"feedback"})
"""Nobody presses for time to say thank you."""
_REFUNDABLE = frozenset({"billing", "delivery", "return", "fraud", "cancel"})
_CHOICE = re.compile(r"\[([^\]]*)\]")
_SLOT = re.compile(r"\{(\w+)\}")
_LONG_WORD = re.compile(r"[^\W\d_]{5,}")


@dataclass(frozen=True, slots=True)
class Message:
    """A composed message, what its main sentence is about, and whether that is kept for held-out messages."""

    text: str
    theme: str
    new_wording: bool


@dataclass(frozen=True, slots=True)
class Chances:
    """How often a message has each part."""

    greeting: float = 0.4
    context: float = 0.2
    angry: float = 0.08
    urgent: float = 0.24
    calm: float = 0.14
    refund_yes: float = 0.3
    refund_no: float = 0.06
    legal: float = 0.05
    aside: float = 0.05
    closing: float = 0.4
    forward: float = 0.03
    symptom: float = 0.08  # a complaint that leads to a cancellation
    one_liner: float = 0.3
    long: float = 0.06
    lower_case: float = 0.05
    typos: float = 0.08
    new_wording: float = 0.1
    large_amount: float = 0.08


@dataclass(frozen=True, slots=True)
class Split:
    """Records to train on and records to test with; no message is in both."""

    train: tuple[Record, ...]
    held_out: tuple[Record, ...]
    new_wording: frozenset[str]
    """The texts of the held-out messages whose main sentence no training message contains."""


def split(prompts: int = PROMPTS, held_out: int = HELD_OUT, *, seed: int = SEED) -> Split:
    """Compose `prompts` records to train on and `held_out` others to test with, each with the system prompt.

    A hash of the message decides where it belongs, so that asking for more moves none to the other side.
    """
    from bedrock_distill.records.splitting import Shares, split_of

    shares = Shares.of(_SHARES)
    new_wanted = round(held_out * _NEW_WORDING)
    train: list[Record] = []
    new = _Held(new_wanted)
    familiar = _Held(held_out - new_wanted)
    for message in compose(seed=seed):
        record = _record(message.text)
        if message.new_wording:
            new.offer(record, message.theme)
        elif split_of(record, _SPLIT_SEED, shares) == "held_out":
            familiar.offer(record, message.theme)
        elif len(train) < prompts:
            train.append(record)
        if len(train) == prompts and new.full and familiar.full:
            break
    texts = frozenset(record.prompt_text for record in new.records)
    tested = [*familiar.records, *new.records]
    random.Random(seed).shuffle(tested)  # noqa: S311 - so that the first few show both kinds
    return Split(tuple(train), tuple(tested), texts)


class _Held:
    """Held-out records, of each theme no more than its fair part, lest chance make one answer right for too many."""

    def __init__(self, wanted: int) -> None:
        total = sum(map(_weight, THEMES))
        self._room = {theme: math.ceil(wanted * _weight(theme) / total) for theme in THEMES}
        self._wanted = wanted
        self.records: list[Record] = []

    @property
    def full(self) -> bool:
        return len(self.records) == self._wanted

    def offer(self, record: Record, theme: str) -> None:
        if not self.full and self._room[theme] > 0:
            self._room[theme] -= 1
            self.records.append(record)


def compose(*, seed: int = SEED, chances: Chances | None = None) -> Iterator[Message]:
    """Messages without end and without repetition."""
    rng = random.Random(seed)  # noqa: S311 - variety, not secrecy
    seen: set[str] = set()
    while True:
        message = _message(rng, chances or Chances())
        if message.text not in seen:
            seen.add(message.text)
            yield message


def _record(text: str) -> Record:
    from bedrock_distill.records.schema import Record

    return Record.of(text, system=SYSTEM)


def _weight(theme: str) -> float:
    return _WEIGHTS.get(theme, 1)


# One message


def _message(rng: random.Random, chances: Chances) -> Message:
    values = _table("values")
    languages: dict[str, Any] = values["language"]
    language = rng.choices(list(languages), [row["share"] for row in languages.values()])[0]
    bank = _table(language)
    theme = rng.choices(list(bank["concerns"]), [*map(_weight, bank["concerns"])])[0]
    kept = bank.get("held_out", {}).get("concerns", {}).get(theme, ())
    new_wording = bool(kept) and rng.random() < chances.new_wording
    concern = rng.choice(kept if new_wording else bank["concerns"][theme])
    parts = _Parts(rng, chances, bank)
    text = concern if rng.random() < chances.one_liner else _letter(parts, theme, concern)
    text = _CHOICE.sub(lambda choice: rng.choice(choice[1].split("|")), text)
    text = _SLOT.sub(lambda slot: _value(slot[1], rng, language, chances), text)
    return Message(_worn(text, rng, chances), theme, new_wording)


@dataclass(frozen=True, slots=True)
class _Parts:
    rng: random.Random
    chances: Chances
    bank: Mapping[str, Any]

    def maybe(self, part: str, bank: str) -> list[str]:
        """A phrase of that bank, as often as its chance says."""
        return [self.rng.choice(self.bank[bank])] if self.rng.random() < getattr(self.chances, part) else []


def _letter(parts: _Parts, theme: str, concern: str) -> str:
    rng, chances = parts.rng, parts.chances
    opening = parts.maybe("forward", "forwards")
    greeting = parts.maybe("greeting", "greetings")
    contexts = (
        rng.sample(parts.bank["contexts"], min(rng.randint(3, 8), len(parts.bank["contexts"])))
        if rng.random() < chances.long
        else parts.maybe("context", "contexts")
    )
    symptom = _symptom(parts) if theme == "cancel" and rng.random() < chances.symptom else []
    pressure = [] if theme in _CHATTY else parts.maybe("urgent", "urgent") or parts.maybe("calm", "calm")
    money = (
        (parts.maybe("refund_yes", "refund_yes") or parts.maybe("refund_no", "refund_no"))
        if theme in _REFUNDABLE
        else []
    )
    legal = parts.maybe("legal", "legal") if theme in _REFUNDABLE else []
    first = pressure if rng.random() < 0.25 else []
    last = [] if first else pressure
    body = [
        *first,
        *contexts,
        *symptom,
        *parts.maybe("angry", "angry"),
        concern,
        *money,
        *last,
        *legal,
        *parts.maybe("aside", "asides"),
    ]
    gap = rng.choice(["\n", "\n\n", " "])
    return "".join(opening) + gap.join([*greeting, " ".join(body), *parts.maybe("closing", "closings")])


def _symptom(parts: _Parts) -> list[str]:
    theme = parts.rng.choice(["bug", "delivery", "billing"])
    return [parts.rng.choice(parts.bank["concerns"][theme])]


# What fills the braces


def _value(slot: str, rng: random.Random, language: str, chances: Chances) -> str:
    values = _table("values")
    row: dict[str, Any] = values["language"][language]
    number, day = rng.randint(1, 12), rng.randint(1, 28)
    month: str = row["months"][number - 1]
    match slot:
        case "amount":
            euros = rng.uniform(1_100, 7_000) if rng.random() < chances.large_amount else rng.uniform(5, 900)
            return _amount(euros, rng.choice(row["amounts"]))
        case "date":
            written: str = rng.choice(row["dates"])
            return written.format(day=day, number=number, month=month)
        case "order":
            pattern: str = rng.choice(values["orders"])
            return pattern.format(rng.randint(10_000, 999_999))
        case "n":
            return str(rng.randint(2, 9))
        case "card":
            return f"{rng.randint(0, 9_999):04d}"
        case "month":
            return month
        case "product":
            return rng.choice(values["products" if language == "en" else "brands"])  # type: ignore[no-any-return]  # TOML is untyped
        case "day":
            return rng.choice(row["days"])  # type: ignore[no-any-return]  # TOML is untyped
        case _:
            return rng.choice(values[{"name": "names", "city": "cities", "code": "codes"}[slot]])  # type: ignore[no-any-return]  # TOML is untyped


_PER_EURO = {"₹": 90, "kr": 11, "R$": 6}


def _amount(euros: float, sample: str) -> str:
    """Write an amount the way of the sample: "$12.3" with cents after a point, "12,3 €" after a comma, "₹12" without."""
    worth = euros * next((rate for currency, rate in _PER_EURO.items() if currency in sample), 1)
    if "12.3" in sample:
        return sample.replace("12.3", f"{worth:,.2f}")
    if "12,3" in sample:
        return sample.replace("12,3", f"{worth:,.2f}".translate(str.maketrans(",.", ".,")))
    return sample.replace("12", f"{worth:.0f}")


# Wear and tear


def _worn(text: str, rng: random.Random, chances: Chances) -> str:
    if rng.random() < chances.lower_case:
        text = text.lower()
    if rng.random() < chances.typos:
        for _ in range(rng.randint(1, 2)):
            text = _slip(text, rng)
    return text


def _slip(text: str, rng: random.Random) -> str:
    """One slip of the finger in a long word: two letters swapped, one doubled or one left out."""
    words = list(_LONG_WORD.finditer(text))
    if not words:
        return text
    word = rng.choice(words)
    at = rng.randint(word.start() + 1, word.end() - 2)
    slips = (text[at + 1] + text[at], text[at] * 2 + text[at + 1], text[at + 1])
    return text[:at] + rng.choice(slips) + text[at + 2 :]


@functools.cache
def _table(name: str) -> dict[str, Any]:
    return tomllib.loads(
        resources.files(__package__).joinpath("phrases", f"{name}.toml").read_text(encoding="utf-8")
    )
