"""What every way of asking offers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from bedrock_distill.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from bedrock_distill.chat.assembly import Piece
    from bedrock_distill.chat.question import Question

__all__ = ["Body", "Call", "Dialect", "given", "need_max_tokens"]


@dataclass(frozen=True, slots=True)
class Call:
    """One request, as boto3 takes it."""

    service: str
    operation: str
    """The client's method, such as `converse_stream`."""
    params: dict[str, Any]
    member: str = ""
    """The answer's member that is a stream, of events or of bytes; empty where the answer has none."""

    @property
    def api_name(self) -> str:
        """The operation as the API and its errors name it, such as `ConverseStream`."""
        return "".join(word.capitalize() for word in self.operation.split("_"))


class Dialect(Protocol):
    """A way of asking."""

    def ask(self, target: str, asked: Question) -> Call:
        """The request for an answer that comes whole.

        Raises:
            SpecError: If this way of asking cannot ask that.
        """
        ...

    def read(self, answer: Mapping[str, Any], asked: Question) -> Piece:
        """The whole answer; `Call.member`, if there is one, has been read into bytes.

        Raises:
            ServiceError: If the answer is an error, or nothing that this dialect knows.
        """
        ...

    def ask_stream(self, target: str, asked: Question) -> Call:
        """The request for an answer that comes in events."""
        ...

    def read_stream(self, events: Iterable[Mapping[str, Any]], asked: Question) -> Iterator[Piece]:
        """What each event tells, as it comes."""
        ...


class Body(Protocol):
    """The JSON that a model's server speaks, whatever door it stands behind."""

    def write(self, asked: Question, *, stream: bool) -> dict[str, Any]:
        """The request's body.

        Args:
            asked: The question.
            stream: Whether the body itself must ask for a stream.

        Raises:
            SpecError: If the schema cannot say what is asked.
        """
        ...

    def read(self, value: Any, asked: Question) -> Piece:
        """What a whole answer, or one value of a stream, tells.

        Raises:
            ServiceError: If it is nothing that this schema has.
        """
        ...


def given(**options: Any) -> dict[str, Any]:
    """The options that say something: neither None nor empty."""
    return {key: value for key, value in options.items() if value not in (None, (), [], {}, "")}


def need_max_tokens(asked: Question, default: str) -> int:
    """The most tokens of the answer, for schemas whose own default would cut it short without a word.

    Args:
        asked: The question.
        default: What would happen without, for the message.

    Raises:
        SpecError: If the question does not say.
    """
    if asked.max_tokens is None:
        raise SpecError(
            f"max_tokens must be given in this schema: without it {default}. Give max_tokens, or ask in a schema of messages.",
            field="max_tokens",
        )
    return asked.max_tokens
