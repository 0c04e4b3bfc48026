"""What is counted of a group of calls: exactly where a number is enough, and by a sample where texts are compared."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec
import xxhash

from bedrock_distill.evaluation.metrics import parse_json
from bedrock_distill.profiling.sampling import Distinct, Sample
from bedrock_distill.profiling.templates import Asked, asked_of
from bedrock_distill.records.tokens import estimate_tokens

if TYPE_CHECKING:
    from datetime import datetime

    from bedrock_distill.profiling.calls import Call

__all__ = ["SAMPLE", "Answered", "Example", "GroupCounts", "Usage"]

SAMPLE: Final = 400
"""Calls of a group whose texts are compared: shares come out within some 5 %."""

_LABEL_CHARS: Final = 60
_MOST_FIELDS: Final = 32
_SCHEMA_CHARS: Final = 400
_TYPES: Final = {dict: "object", list: "array", str: "text", bool: "boolean", int: "number", float: "number"}


@dataclass(slots=True)
class Usage:
    """Calls and what they took."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0

    def add(self, calls: int, input_tokens: int, output_tokens: int) -> None:
        """Count calls."""
        self.calls += calls
        self.input_tokens += input_tokens
        self.output_tokens += output_tokens

    @property
    def tokens(self) -> int:
        """Tokens in both directions."""
        return self.input_tokens + self.output_tokens


class Answered(msgspec.Struct, frozen=True, gc=False):
    """What is kept of an answer."""

    text: str
    """Without case and with single spaces, as labels are compared; empty where it is too long for a label."""
    tokens: int
    schema: str | None
    """Keys and types of a JSON object, or of the first member of an array; None where the answer is neither."""
    fields: dict[str, str]
    """Short values of the object's fields, as labels are compared."""


class Example(msgspec.Struct, frozen=True, gc=False):
    """A call of the sample."""

    key: int
    """Equal for equal prompts."""
    asked: Asked
    answered: Answered | None
    """None where the call has no usable answer."""
    answer: int
    """Hash of the answer; equal for equal answers."""


@dataclass(slots=True)
class GroupCounts:
    """A group, while its calls are counted."""

    left_out: Counter[str] = field(default_factory=Counter)
    """Reason -> calls that are no pair of prompt and answer."""
    models: dict[str, Usage] = field(default_factory=dict)
    """Model -> all its calls."""
    distillable: dict[str, Usage] = field(default_factory=dict)
    """Model -> its calls of a single turn of text, which a student could answer."""
    days: Counter[str] = field(default_factory=Counter)
    first: datetime | None = None
    last: datetime | None = None
    estimated: int = 0
    """Calls whose tokens were estimated."""
    prompts: Distinct = field(default_factory=Distinct)
    """Single-turn prompts of text."""
    pairs: Distinct = field(default_factory=Distinct)
    """The same with a usable answer."""
    sample: Sample[Example] = field(default_factory=lambda: Sample(SAMPLE))

    def add(self, call: Call) -> None:
        """Count a call."""
        used = (1, call.input_tokens, call.output_tokens)
        self.models.setdefault(call.model, Usage()).add(*used)
        self.estimated += call.estimated
        if call.at is not None:
            self.days[call.at.date().isoformat()] += 1
            self.first = call.at if self.first is None else min(self.first, call.at)
            self.last = call.at if self.last is None else max(self.last, call.at)
        if call.reason:
            self.left_out[call.reason] += 1
        if call.hindered:
            return
        self.distillable.setdefault(call.model, Usage()).add(*used)
        self.prompts.add(call.key)
        if not call.reason:
            self.pairs.add(call.key)
        if self.sample.wants(call.draw):
            self.sample.add(call.draw, _example(call))


def _example(call: Call) -> Example:
    return Example(
        key=call.key,
        asked=asked_of(call.system, call.prompt),
        answered=None if call.answer is None else _answered(call.answer),
        answer=_hash_of(call.answer or ""),
    )


def _hash_of(text: str) -> int:
    return xxhash.xxh3_64_intdigest(text.encode("utf-8", "surrogatepass"))


def _answered(answer: str) -> Answered:
    parsed = parse_json(answer)
    value = parsed.value if parsed is not None else None
    fields = list(value.items())[:_MOST_FIELDS] if isinstance(value, dict) else []
    return Answered(
        text=_label(answer),
        tokens=estimate_tokens(answer),
        schema=_shortened(_schema(value)),
        fields={name: label for name, each in fields if (label := _scalar(each))},
    )


def _schema(value: Any) -> str | None:
    if isinstance(value, list):
        inner = _schema(value[0]) if value else ""
        return f"[{inner}]"
    if isinstance(value, dict):
        return (
            "{"
            + ", ".join(f"{key}: {_TYPES.get(type(each), 'null')}" for key, each in sorted(value.items()))
            + "}"
        )
    return None


def _shortened(schema: str | None) -> str | None:
    """A long schema by its beginning and a hash of all, so that what is kept stays small."""
    if schema is None or len(schema) <= _SCHEMA_CHARS:
        return schema
    return f"{schema[:_SCHEMA_CHARS]}… {_hash_of(schema):016x}"


def _label(text: str) -> str:
    return "" if len(text) > 4 * _LABEL_CHARS else " ".join(text.casefold().split())


def _scalar(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    return _label(value) if isinstance(value, str) else str(value) if isinstance(value, int) else ""
