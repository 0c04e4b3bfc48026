"""The rules that stand for Nova Pro in the demo: a message in, a line of JSON out.

Only the text is read. What the rules know lies in `rules.toml`; here is only how a message is cut into clauses and
how the signals found in them are weighed.
"""

from __future__ import annotations

import functools
import json
import re
import tomllib
import unicodedata
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

from bedrock_distill.cli.demo.spelling import Spelling

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from bedrock_distill.records.schema import Record

CATEGORIES = (
    "billing",
    "delivery",
    "return",
    "account",
    "bug",
    "fraud",
    "cancel",
    "sales",
    "feedback",
    "other",
)
PRIORITIES = ("low", "normal", "high")
TEAMS = (
    *(
        "payments",
        "logistics",
        "warehouse",
        "accounts",
        "engineering",
        "risk",
        "retention",
        "sales",
        "quality",
        "frontdesk",
    ),
    *("legal", "safety"),
)

_STRONG, _HINT = 3, 1
_ENOUGH = 2
"""Terms of a kind that count: a long complaint is not more of a complaint, and the wish to leave must outweigh it."""
_CONTRACTIONS = (
    (re.compile(r"\bcan(?:'t|not|t)\b"), "can not"),
    (re.compile(r"\bwon'?t\b"), "will not"),
    (re.compile(r"\b(do|does|did|is|was|are|has|have)n'?t\b"), r"\1 not"),
    (re.compile(r"\bp\.\s?s\."), "ps"),
)
_SENTENCE_END = re.compile(r"(?<=[.!?…])\s+|\n+")
_CLAUSE_END = re.compile(r"[,;:!?()¡¿\"]+|\.(?=\s|$)|\s[-–]+\s")  # noqa: RUF001 - customers do write en dashes
_NOT_A_WORD = re.compile(r"[^\w*]+")
_AMOUNT = re.compile(
    r"(?P<before>r\$|[$€£₹¥]|\b(?:usd|eur|gbp|chf|brl|jpy))?\s?"
    r"(?P<number>\d[\d.,' ]*\d|\d)"
    r"\s?(?P<after>[€£₹¥$]|zł|(?:kr|usd|eur|gbp|chf|brl|jpy)\b)?",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """The answer, field by field."""

    category: str
    priority: str
    team: str
    refund: bool

    def to_json(self) -> str:
        """One compact line, always with the keys in this order."""
        fields = {
            "category": self.category,
            "priority": self.priority,
            "team": self.team,
            "refund": self.refund,
        }
        return json.dumps(fields, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Term:
    """A term to look for in a clause, and whether a "not" turns it off."""

    pattern: re.Pattern[str]
    opening: str
    """What a clause must contain for the pattern to be worth trying: patterns are slow, and most clauses have few terms."""
    negatable: bool


@dataclass(frozen=True, slots=True)
class Terms:
    """Some terms, and the look-alikes to take out of a clause first."""

    terms: tuple[Term, ...]
    lookalikes: tuple[re.Pattern[str], ...] = ()


@dataclass(frozen=True, slots=True)
class Category:
    """A row of the category table."""

    name: str
    team: str
    pull: int
    strong: Terms
    hints: Terms


@dataclass(frozen=True, slots=True)
class Rules:
    """`rules.toml`, compiled."""

    categories: tuple[Category, ...]
    signals: Mapping[str, Terms]
    negation: re.Pattern[str]
    denial: re.Pattern[str]
    clause_break: re.Pattern[str]
    aside: re.Pattern[str]
    header: re.Pattern[str]
    large_amounts: Mapping[str, float]
    spelling: Spelling


def answer(record: Record) -> str:
    """What the teacher answers to `record`: `{"category":…,"priority":…,"team":…,"refund":…}`."""
    return triage(record.prompt_text).to_json()


def triage(text: str) -> Ticket:
    """Sort one message."""
    rules = _rules()
    clauses = tuple(_clauses(text, rules))
    signals = {name: _seen(terms, clauses, rules) for name, terms in rules.signals.items()}
    category = _category(clauses, rules)
    return Ticket(
        category=category.name,
        priority=_priority(category.name, signals, large=_has_large_amount(text, rules)),
        team="safety" if signals["safety"] else "legal" if signals["legal"] else category.team,
        refund=signals["refund"]
        or (signals["paid_twice"] and not _denied(rules.signals["refund"], clauses, rules)),
    )


def _category(clauses: tuple[str, ...], rules: Rules) -> Category:
    scores = {category: _score(category, clauses, rules) for category in rules.categories}
    best = max(scores, key=lambda category: scores[category])
    return best if scores[best] >= _STRONG else _OTHER


def _score(category: Category, clauses: tuple[str, ...], rules: Rules) -> int:
    strong = _count(category.strong, clauses, rules)
    hints = _count(category.hints, clauses, rules)
    pull = category.pull if strong else 0
    return _STRONG * min(strong, _ENOUGH) + _HINT * min(hints, _ENOUGH) + pull


def _priority(category: str, signals: Mapping[str, bool], *, large: bool) -> str:
    """The first reason that holds decides."""
    reasons = (
        (signals["safety"] or signals["legal"] or category == "fraud", "high"),
        (signals["urgent"] or signals["repeated"], "high"),
        (signals["calm"], "low"),
        (large and category not in {"sales", "feedback"}, "high"),
        (category in {"sales", "feedback", "other"}, "low"),
    )
    return next((priority for holds, priority in reasons if holds), "normal")


# Reading


def normalise(text: str) -> str:
    """Lower case, no accents, contractions written out."""
    plain = unicodedata.normalize("NFKD", text.lower().replace("ß", "ss").replace("’", "'"))  # noqa: RUF001 - phones type it
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    for pattern, written_out in _CONTRACTIONS:
        plain = pattern.sub(written_out, plain)
    return plain


def _clauses(text: str, rules: Rules) -> Iterator[str]:
    """The clauses that count, each as " word word word ", misspelt terms put right."""
    sentences = [sentence.strip() for sentence in _SENTENCE_END.split(normalise(text)) if sentence.strip()]
    body = [sentence for sentence in sentences if not rules.header.match(sentence)]
    main = [sentence for sentence in body if not rules.aside.match(_words(sentence))]
    for sentence in main or body:
        for part in _CLAUSE_END.split(sentence):
            for clause in rules.clause_break.split(_words(part)):
                if clause.strip():
                    yield f" {' '.join(map(rules.spelling.correct, clause.split()))} "


def _words(text: str) -> str:
    return f" {' '.join(_NOT_A_WORD.sub(' ', text).split())} "


def _matches(terms: Terms, clauses: Iterable[str], rules: Rules) -> Iterator[tuple[int, bool]]:
    """Of each term that occurs: its number and whether it is negated there."""
    for clause in clauses:
        text = clause
        for lookalike in terms.lookalikes:
            text = lookalike.sub(" ", text)
        for number, term in enumerate(terms.terms):
            found = term.pattern.search(text) if term.opening in text else None
            if found is not None:
                yield number, term.negatable and _is_negated(found, rules)


def _is_negated(found: re.Match[str], rules: Rules) -> bool:
    """Whether a negation stands shortly before the term, within it, or right after it."""
    before = f" {' '.join(found.string[: found.start()].split()[-4:])} "
    return bool(rules.negation.search(before + found[0]) or rules.denial.match(found.string, found.end() - 1))


def _count(terms: Terms, clauses: tuple[str, ...], rules: Rules) -> int:
    return len({number for number, negated in _matches(terms, clauses, rules) if not negated})


def _seen(terms: Terms, clauses: tuple[str, ...], rules: Rules) -> bool:
    return any(not negated for _, negated in _matches(terms, clauses, rules))


def _denied(terms: Terms, clauses: tuple[str, ...], rules: Rules) -> bool:
    return any(negated for _, negated in _matches(terms, clauses, rules))


def _has_large_amount(text: str, rules: Rules) -> bool:
    for found in _AMOUNT.finditer(text.lower()):
        currency = found["before"] or found["after"]
        if currency is not None and _number(found["number"]) >= rules.large_amounts[currency]:
            return True
    return False


def _number(text: str) -> float:
    """Read "1,249.00", "1.249,00", "1 249" and "12'000": a separator followed by one or two final digits is the decimal one."""
    whole, cents = re.fullmatch(r"(.*?)(?:[.,](\d{1,2}))?", text.strip()).groups()  # type: ignore[union-attr]  # matches anything
    return float(re.sub(r"\D", "", whole) or 0) + float(f"0.{cents or 0}")


# Compiling the table

_OTHER = Category("other", "frontdesk", 0, Terms(()), Terms(()))


@functools.cache
def _rules() -> Rules:
    table = tomllib.loads(resources.files(__package__).joinpath("rules.toml").read_text(encoding="utf-8"))
    words = table["words"]
    compiler = _Compiler(_any_of(words["negations"]))
    return Rules(
        categories=tuple(compiler.category(name, row) for name, row in table["category"].items()),
        signals={
            name: compiler.terms(row["terms"], row, negatable=True) for name, row in table["signal"].items()
        },
        negation=compiler.negation,
        denial=_any_of(words["denials"]),
        clause_break=_any_of(words["breaks"]),
        aside=_any_of(words["asides"]),
        header=re.compile(rf"(?:{'|'.join(words['headers'])})\s?:"),
        large_amounts=table["large_amounts"],
        spelling=Spelling.of(_vocabulary(table)),
    )


@dataclass(frozen=True, slots=True)
class _Compiler:
    negation: re.Pattern[str]

    def category(self, name: str, row: dict[str, Any]) -> Category:
        negatable = row.get("negatable", False)
        strong, hints = (self.terms(row[kind], row, negatable=negatable) for kind in ("strong", "hints"))
        return Category(name, row["team"], row["pull"], strong, hints)

    def terms(self, terms: list[str], row: dict[str, Any], *, negatable: bool) -> Terms:
        """Compile a row. A term worded with a negation ("not renewed", "no rush") cannot be negated again."""
        compiled = tuple(self._term(term, negatable=negatable) for term in terms)
        return Terms(compiled, tuple(map(_pattern, row.get("except", ()))))

    def _term(self, term: str, *, negatable: bool) -> Term:
        opening = " " + term.split(maxsplit=1)[0].rstrip("*")
        return Term(_pattern(term), opening, negatable and not self.negation.search(f" {term} "))


def _pattern(term: str) -> re.Pattern[str]:
    words = [".." if word == ".." else re.escape(word).replace(r"\*", r"\S*") for word in term.split()]
    return re.compile(" " + " ".join(words).replace(" .. ", r"(?: \S+){0,5}? ") + " ")


def _any_of(terms: list[str]) -> re.Pattern[str]:
    return re.compile(f" (?:{'|'.join(map(re.escape, terms))})(?= )")


def _vocabulary(table: dict[str, Any]) -> set[str]:
    rows = [*table["category"].values(), *table["signal"].values()]
    terms = [term for row in rows for kind in ("strong", "hints", "terms") for term in row.get(kind, ())]
    return {word for term in terms for word in term.split() if word not in {"*", ".."}}
