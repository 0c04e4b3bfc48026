"""What is wanted of the logs: a value that travels to other processes and machines, and what it compiles to."""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final, get_args

import msgspec

from bedrock_distill.catalog import read_model_id
from bedrock_distill.errors import SpecError
from bedrock_distill.records.logs.exchange import Exchange, Reason, Stop
from bedrock_distill.records.logs.filters import Filter
from bedrock_distill.records.logs.layout import in_utc

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bedrock_distill.records.curation.redaction import Redaction
    from bedrock_distill.records.logs.decoding import Envelope

__all__ = ["LogQuery", "Selector"]


_BAD_STOPS: Final[Mapping[Stop | None, Reason]] = {
    "length": "cut-off",
    "filtered": "filtered-answer",
    "tool": "tool-use",
}
"""Ends of answers that nobody wants to learn from, where nothing else is asked for."""


class LogQuery(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which records of a log are wanted. Everything that is given must hold."""

    where: Filter | None = None
    """On the request's metadata."""
    and_where: Filter | None = None
    """Another filter on it that must hold, too: filters do not nest."""
    models: tuple[str, ...] = ()
    """Models that answered, whichever way they were called: id, profile and ARN of one model are the same."""
    exact_model: str | None = None
    """The model exactly as the log names it."""
    operations: tuple[str, ...] = ()
    """API operations, such as `Converse`."""
    since: datetime | None = None
    """Earliest time of the call, inclusive; without a zone it is UTC."""
    until: datetime | None = None
    """Time before which the call was made, exclusive."""
    responses: bool = False
    """Whether the logged answers become golden labels. Without them, a record is a prompt."""
    multi_turn: bool = False
    """Whether conversations of several turns are kept; Bedrock's own log jobs leave them out."""
    stops: tuple[Stop | None, ...] = ()
    """How the answer must have ended. Default: with `responses`, anything but cut off or filtered."""
    min_chars: int = 0
    """Shortest prompt, in characters."""
    max_chars: int | None = None
    """Longest prompt, in characters."""
    languages: tuple[str, ...] = ()
    """ISO 639-1 codes of the languages that prompts may be in."""
    pattern: str | None = None
    """Regular expression that must be found in the prompt."""
    redact: str | None = None
    """Kinds of personal data and secrets to replace, such as `pii,secrets`; repeats are told after that."""

    def __post_init__(self) -> None:
        if self.pattern is not None:
            try:
                re.compile(self.pattern)
            except re.error as error:
                raise SpecError(
                    f"The pattern {self.pattern!r} is no regular expression: {error}.",
                    field="pattern",
                    value=self.pattern,
                ) from error
        for name in self.models:
            if not read_model_id(name).model:
                raise SpecError(
                    f"{name!r} does not say which model it is; give a model id or a profile id, "
                    "or ask for exactly this with exact_model (--exact-model).",
                    field="models",
                    value=name,
                )
        if self.redact is not None and _redaction(self.redact).comprehend:
            raise SpecError(
                "Amazon Comprehend cannot be asked while logs are read: redact the file that comes of it, with "
                "`data curate --redact comprehend`.",
                field="redact",
                value=self.redact,
            )
        if self.since and self.until and in_utc(self.since) >= in_utc(self.until):
            raise SpecError(
                f"since ({self.since}) is not before until ({self.until}).", field="since", value=self.since
            )


class Selector:
    """A query, compiled."""

    def __init__(self, query: LogQuery) -> None:
        self.query = query
        self._models = frozenset(read_model_id(name).model for name in query.models)
        self._since = in_utc(query.since) if query.since else None
        self._until = in_utc(query.until) if query.until else None
        self._pattern = re.compile(query.pattern) if query.pattern else None
        self._multi_turn, self._responses = query.multi_turn, query.responses
        self._bad_stops: Mapping[Stop | None, Reason] = _BAD_STOPS
        if query.stops:
            self._bad_stops = {
                stop: "stop-reason" for stop in (*get_args(Stop), None) if stop not in query.stops
            }
        self.passes = _both(query.where, query.and_where)
        self.redactor = _redaction(query.redact).redactor if query.redact is not None else None
        self._measures = bool(
            query.min_chars or query.max_chars is not None or query.languages or query.pattern
        )
        self.takes_model = lru_cache(maxsize=65536)(self._takes_model)

    def _takes_model(self, model_id: str, operation: str) -> bool:
        """Whether calls of a model by an operation are wanted at all."""
        query = self.query
        if query.exact_model is not None and model_id != query.exact_model:
            return False
        if query.operations and operation not in query.operations:
            return False
        return not self._models or read_model_id(model_id).model in self._models

    def takes(self, envelope: Envelope) -> bool:
        """Whether a record is wanted, by all that its envelope says."""
        return (
            self.takes_model(envelope.model_id, envelope.operation)
            and (self.passes is None or self.passes(envelope.metadata or {}))
            and self._in_time(envelope.timestamp)
        )

    def _in_time(self, timestamp: str) -> bool:
        if self._since is None and self._until is None:
            return True
        try:
            at = in_utc(datetime.fromisoformat(timestamp))
        except ValueError:
            return False
        return (self._since is None or at >= self._since) and (self._until is None or at < self._until)

    def objection(self, exchange: Exchange) -> Reason | None:
        """Why an exchange is not wanted, by what was said in it; None where it is."""
        if not self._multi_turn and not isinstance(exchange.messages, str):
            return "multi-turn"
        if self._responses:
            if exchange.completion is None:
                return exchange.answer_reason or "no-completion"
            if exchange.stop in self._bad_stops:
                return self._bad_stops[exchange.stop]
        return self._measure(_prompt_text(exchange)) if self._measures else None

    def _measure(self, prompt: str) -> Reason | None:
        query = self.query
        if len(prompt) < query.min_chars or (query.max_chars is not None and len(prompt) > query.max_chars):
            return "length"
        if self._pattern is not None and not self._pattern.search(prompt):
            return "pattern"
        if query.languages:
            from bedrock_distill.records.curation.languages import language_of  # noqa: PLC0415 - loads a model

            if language_of(prompt) not in query.languages:
                return "language"
        return None


def _both(one: Filter | None, other: Filter | None) -> Callable[[Mapping[str, str]], bool] | None:
    """What asks metadata whether both filters let it pass; None where nothing is asked."""
    if one is None or other is None:
        only = other if one is None else one
        return None if only is None else only.matches
    return lambda metadata: one.matches(metadata) and other.matches(metadata)


def _redaction(kinds: str) -> Redaction:
    from bedrock_distill.records.curation.redaction import parse_redaction  # noqa: PLC0415 - its patterns take time

    return parse_redaction(kinds)


def _prompt_text(exchange: Exchange) -> str:
    if isinstance(exchange.messages, str):
        return exchange.messages
    return next((each.text for each in reversed(exchange.messages) if each.role == "user"), "")
