"""What a container makes of a request, and what every schema does the same way."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from bedrock_distill.errors import SpecError
from bedrock_distill.train.answers import Generated, Sampling

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from bedrock_distill.local.engine import Engine
    from bedrock_distill.local.services.sagemaker.containers.launch import Launch

__all__ = ["JSON", "Ask", "ContainerError", "Reader", "Request", "Schema", "dump"]

JSON = "application/json"


class ContainerError(Exception):
    """A container's answer when it is not the asked-for one.

    Attributes:
        status: Its HTTP status.
        body: Its body, as text.
    """

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What SageMaker hands a container."""

    body: bytes
    launch: Launch
    engine: Engine
    request_id: str
    created: int
    """Seconds since the epoch."""
    route: str = ""
    """A path asked for in the custom attributes (`route=/v1/completions`)."""
    content_type: str = JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A request, understood."""

    kind: str
    """`inputs`, `prompt` or `messages`: the member that carries the prompt."""
    ids: Sequence[int]
    sampling: Sampling
    stream: bool
    request: Request
    model: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    """What else a schema needs to answer."""


class Schema(Protocol):
    """How one container is asked and how it answers."""

    stream_type: str
    """Content type of a streamed answer."""

    def read(self, request: Request) -> Ask:
        """Understand a request.

        Raises:
            ContainerError: If the container refuses it.
        """
        ...

    def whole(self, ask: Ask, answer: Generated) -> bytes:
        """The body of an answer that is not streamed."""
        ...

    def frames(self, ask: Ask, events: Iterator[str | Generated]) -> Iterator[bytes]:
        """A streamed answer's bytes, as the container writes them."""
        ...

    def failure(self, message: str) -> ContainerError:
        """The container's answer when the engine fails."""
        ...

    def broken(self, message: str) -> bytes:
        """The frame that ends a stream in which the engine fails."""
        ...


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the members of one body; `refuse` is how its container says no.

    Attributes:
        values: The body, or the part of it that holds parameters.
        refuse: Makes the container's refusal from a sentence.
    """

    values: Mapping[str, Any]
    refuse: Callable[[str], ContainerError]

    def number(self, name: str, default: float | None = None) -> float | None:
        """A number, or the default where the member is absent or null."""
        value = self.values.get(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.refuse(f"{name}: Input should be a valid number, got {value!r}")
        return float(value)

    def count(self, name: str, default: int | None = None) -> int | None:
        """A whole number of at least 1, or the default."""
        value = self.values.get(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise self.refuse(f"{name} must be at least 1, got {value!r}.")
        return value

    def text(self, name: str) -> str:
        """A text."""
        value = self.values.get(name)
        if not isinstance(value, str):
            raise self.refuse(f"{name}: Input should be a valid string, got {type(value).__name__}")
        return value

    def stops(self, *names: str) -> tuple[str, ...]:
        """Texts that end the answer: one, or a list, under the first of the names that is there."""
        value = next((self.values[name] for name in names if self.values.get(name) is not None), ())
        texts = [value] if isinstance(value, str) else value
        if not isinstance(texts, list | tuple) or not all(isinstance(text, str) for text in texts):
            raise self.refuse(f"{names[0]}: Input should be a string or a list of strings")
        return tuple(text for text in texts if text)

    def messages(self) -> list[dict[str, Any]]:
        """A conversation, its contents as texts."""
        value = self.values.get("messages")
        if not isinstance(value, list) or not value:
            raise self.refuse("messages: Input should be a list with at least one message")
        return [self._message(each) for each in value]

    def sampling(self, *, most: int, temperature: float, stop: tuple[str, ...]) -> Sampling:
        """How the answer is drawn."""
        try:
            return Sampling(
                max_tokens=most,
                temperature=temperature,
                top_p=max(self.number("top_p", 1.0) or 1.0, 1e-6),
                stop=stop,
                seed=int(self.number("seed", 0) or 0) & 0x7FFFFFFF,
            )
        except SpecError as error:
            raise self.refuse(str(error)) from error

    def _message(self, message: Any) -> dict[str, Any]:
        role = message.get("role") if isinstance(message, dict) else None
        if role not in ("system", "developer", "user", "assistant", "tool"):
            raise self.refuse(f"messages: a message needs a role, got {message!r:.200}")
        content = message.get("content")
        if isinstance(content, list):
            content = "".join(self._part(part) for part in content)
        if not isinstance(content, str):
            raise self.refuse(
                f"messages: the content of the {role} message must be a string or a list of parts"
            )
        return {"role": role, "content": content}

    def _part(self, part: Any) -> str:
        if isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str):
            return str(part["text"])
        raise self.refuse("messages: this model takes parts of type text only")


def object_of(body: bytes, refuse: Callable[[str], ContainerError]) -> dict[str, Any]:
    """The JSON object that a body is."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise refuse(f"JSON decode error: {error}") from error
    if not isinstance(value, dict):
        raise refuse("the body must be a JSON object")
    return value


def no_answer() -> NoReturn:
    """An engine's events end with the whole answer; anything else is a slip."""
    raise AssertionError("an answer ended without its end")


def dump(value: Any) -> bytes:
    """JSON with characters as they are, as the containers write it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
