"""How sure a student is of its answer: from 0 to 1, out of the prompt and the reply. Any function of these two will do.

Those here are made of what they can know: whether an answer is valid at all, how alike several answers to one prompt are, and
how probable the model thought its own words. None is the probability that the answer is right; what a score is worth comes
from calibration.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from bedrock_distill.chat.reply import ChatReply
from bedrock_distill.errors import MissingDependencyError, SpecError
from bedrock_distill.records.schema import Record
from bedrock_distill.risk import Scored, as_scored, score_names

if TYPE_CHECKING:
    from bedrock_distill.chat.reply import Usage

__all__ = [
    "KINDS",
    "Agreement",
    "FitsSchema",
    "IsLabel",
    "Lowest",
    "Matches",
    "Samplable",
    "Score",
    "TokenProbability",
    "score_from",
]

Score: TypeAlias = Callable[[Record, ChatReply], float | Scored]
"""Takes the prompt as a record, and the student's reply."""


class Samplable(Protocol):
    """Whatever can be asked again."""

    def chat(
        self, prompt: Record, /, *, system: str | None, max_tokens: int | None, temperature: float | None
    ) -> Any:
        """Ask, and wait for the whole answer."""
        ...


@dataclass(frozen=True, slots=True)
class IsLabel:
    """1 if the answer is one of the labels, white space around it aside; else 0."""

    labels: frozenset[str]

    @property
    def names(self) -> tuple[str, ...]:
        """What `score_from` reads."""
        return (f"labels:{json.dumps(sorted(self.labels), ensure_ascii=False)}",)

    def __call__(self, record: Record, reply: ChatReply) -> float:  # noqa: ARG002 - the signature of scores
        """Look the answer up."""
        return float(reply.text.strip() in self.labels)


@dataclass(frozen=True, slots=True)
class Matches:
    """1 if the pattern fits the whole answer, white space around it aside; else 0."""

    pattern: str

    @property
    def names(self) -> tuple[str, ...]:
        """What `score_from` reads."""
        return (f"regex:{self.pattern}",)

    def __call__(self, record: Record, reply: ChatReply) -> float:  # noqa: ARG002 - the signature of scores
        """Match the answer."""
        return float(re.fullmatch(self.pattern, reply.text.strip(), re.DOTALL) is not None)


@dataclass(frozen=True, slots=True)
class FitsSchema:
    """1 if the answer is JSON that the JSON schema allows; else 0. Needs jsonschema."""

    schema: Mapping[str, Any]

    @property
    def names(self) -> tuple[str, ...]:
        """What `score_from` reads."""
        return (f"schema:{json.dumps(self.schema, ensure_ascii=False, sort_keys=True)}",)

    def __call__(self, record: Record, reply: ChatReply) -> float:  # noqa: ARG002 - the signature of scores
        """Check the answer."""
        try:
            validators = import_module("jsonschema.validators")  # only for whoever has a schema
        except ImportError as error:
            raise MissingDependencyError(
                "Checking answers against a JSON schema needs jsonschema. Install it with: pip install jsonschema"
            ) from error
        try:
            value = json.loads(reply.text)
        except ValueError:
            return 0.0
        return float(validators.validator_for(self.schema)(self.schema).is_valid(value))


@dataclass(frozen=True, slots=True)
class Agreement:
    """The share of further answers, drawn at random, that say the same as the reply.

    Texts say the same if they are the same JSON, or the same but for case and white space. The further calls are made side
    by side and count as the student's.
    """

    target: Samplable
    """Who is asked again: the student."""
    samples: int = 4
    """How many further answers."""
    temperature: float = 0.7
    """How freely they are drawn."""
    max_tokens: int | None = 512
    """Most tokens of each."""

    def __post_init__(self) -> None:
        """Refuse what would draw nothing."""
        if self.samples < 1:
            raise SpecError(
                f"Agreement needs at least 1 further sample, not {self.samples}.",
                field="samples",
                value=self.samples,
            )

    @property
    def names(self) -> tuple[str, ...]:
        """What `score_from` reads."""
        return (f"agreement:{self.samples},{self.temperature:g}",)

    def __call__(self, record: Record, reply: ChatReply) -> Scored:
        """Ask again, and compare."""
        with ThreadPoolExecutor(self.samples, thread_name_prefix="agreement") as pool:
            drawn = list(pool.map(self._draw, [record] * self.samples))
        same = sum(_plain(each.text) == _plain(reply.text) for each in drawn)
        usages: list[Usage] = [each.usage for each in drawn]
        return Scored(
            same / self.samples,
            input_tokens=sum(usage.input_tokens for usage in usages),
            output_tokens=sum(usage.output_tokens for usage in usages),
        )

    def _draw(self, record: Record) -> Any:
        return self.target.chat(record, system=None, max_tokens=self.max_tokens, temperature=self.temperature)


@dataclass(frozen=True, slots=True)
class TokenProbability:
    """The geometric mean of the probabilities that the model gave the tokens of its answer.

    For targets whose replies bring log-probabilities: OpenAI's schemas with `logprobs=True` (`endpoint_dialect`,
    `imported_dialect`). An answer without any tokens scores 0.
    """

    @property
    def names(self) -> tuple[str, ...]:
        """What `score_from` reads."""
        return ("logprobs",)

    def __call__(self, record: Record, reply: ChatReply) -> float:  # noqa: ARG002 - the signature of scores
        """Average the reply's log-probabilities.

        Raises:
            SpecError: If the reply brings none.
        """
        if reply.logprobs is None:
            raise SpecError(
                f"{reply.model_id} brings no log-probabilities with its answers. Ask in a dialect that brings them "
                "(logprobs=True), or use another score, such as Agreement.",
                field="score",
                value="logprobs",
            )
        if not reply.logprobs:
            return 0.0
        return min(1.0, math.exp(math.fsum(reply.logprobs) / len(reply.logprobs)))


@dataclass(frozen=True, slots=True)
class Lowest:
    """The lowest of several scores; a 0 spares the rest, so put what costs nothing first."""

    scores: tuple[Score, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """What `score_from` reads."""
        return tuple(name for score in self.scores for name in score_names(score))

    def __call__(self, record: Record, reply: ChatReply) -> Scored:
        """Score in turn."""
        lowest, input_tokens, output_tokens = 1.0, 0, 0
        for score in self.scores:
            found = as_scored(score(record, reply), by=score_names(score))
            lowest = min(lowest, found.value)
            input_tokens += found.input_tokens
            output_tokens += found.output_tokens
            if lowest == 0:
                break
        return Scored(lowest, input_tokens, output_tokens)


def score_from(names: Sequence[str], student: Samplable) -> Score:
    """The score of these names.

    Args:
        names: One or several of `labels:a,b` (or a JSON list), `regex:PATTERN`, `schema:JSON`, `agreement:4` (or
            `agreement:4,0.7` with a temperature), `logprobs`; of several, the lowest counts.
        student: Who is asked again for an agreement.

    Raises:
        SpecError: If a name is none of these, such as that of a function: give the function itself.
    """
    parts = [_built(name, student) for name in names]
    return parts[0] if len(parts) == 1 else Lowest(tuple(parts))


def _built(name: str, student: Samplable) -> Score:
    kind, _, text = name.partition(":")
    if kind not in _BUILDERS:
        raise SpecError(
            f"{name!r} is no score that can be made from its name; those are {', '.join(_BUILDERS)}. For a function of "
            "yours, give the function.",
            field="score",
            value=name,
        )
    try:
        return _BUILDERS[kind](text, student)
    except (ValueError, re.error) as error:
        raise SpecError(f"The score {name!r} cannot be read: {error}.", field="score", value=name) from error


def _agreement(text: str, student: Samplable) -> Agreement:
    samples, _, temperature = text.partition(",")
    return Agreement(student, samples=int(samples), temperature=float(temperature or 0.7))


def _labels(text: str) -> IsLabel:
    labels = json.loads(text) if text.startswith("[") else [label.strip() for label in text.split(",")]
    if not labels or not all(isinstance(label, str) and label for label in labels):
        raise ValueError("labels are texts, and none is empty")
    return IsLabel(frozenset(labels))


_BUILDERS: Mapping[str, Callable[[str, Samplable], Score]] = {
    "labels": lambda text, _: _labels(text),
    "regex": lambda text, _: Matches(re.compile(text).pattern),
    "schema": lambda text, _: FitsSchema(json.loads(text)),
    "agreement": _agreement,
    "logprobs": lambda _, __: TokenProbability(),
}
"""Kind of score -> what makes it of the text behind the colon and the student."""

KINDS = tuple(_BUILDERS)
"""The kinds of scores that `score_from` makes."""


def _plain(text: str) -> str:
    """What two answers that say the same have in common."""
    try:
        return json.dumps(json.loads(text), sort_keys=True)
    except ValueError:
        return " ".join(text.casefold().split())
