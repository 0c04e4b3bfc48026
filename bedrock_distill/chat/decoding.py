"""From bytes, cut anywhere, to JSON values: lines of JSON and server-sent events, told apart line by line.

Containers stream in one of two framings: a JSON document a line (`application/jsonlines`), or server-sent events whose
`data` is JSON (`text/event-stream`). A line that begins with a bracket is the first, a field such as `data:` the second;
no line is both, so that one decoder reads either, and what a container calls its framing does not matter.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bedrock_distill.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Decoder", "read_document"]

_DONE = b"[DONE]"
_SHOWN = 160
"""Bytes of a bad line that a message repeats."""
_BOM = b"\xef\xbb\xbf"
_FIELDS = (b"event", b"id", b"retry")


class Decoder:
    """The values of one stream; feed it every part in turn, then end it.

    Args:
        longest: Most bytes of one value. A server that never ends a line would otherwise fill the memory.
    """

    def __init__(self, *, longest: int = 8 * 1024 * 1024) -> None:
        self._longest = longest
        self._line = bytearray()
        """The line that has no end yet. Bytes: a part may end inside a character."""
        self._data: list[bytes] = []
        """`data` fields of the event that has no end yet."""
        self._data_size = 0
        self._event = b""
        self._first = True

    def feed(self, part: bytes) -> Iterator[Any]:
        """The values that this part completes; exhaust it before the next part.

        Raises:
            ServiceError: `MalformedStream`, if a line is neither framing, is no JSON, or is too long.
        """
        *lines, tail = part.split(b"\n")
        for line in lines:
            self._line += line
            whole, self._line = bytes(self._line), bytearray()
            self._check_length(len(whole))
            yield from self._take(whole.removesuffix(b"\r"))
        self._line += tail
        self._check_length(len(self._line))

    def end(self) -> Iterator[Any]:
        """The values that only the end of the stream completes: a last line needs no newline.

        Raises:
            ServiceError: `IncompleteStream`, if the stream ends inside a value.
        """
        try:
            yield from self._take(bytes(self._line).removesuffix(b"\r"))
            yield from self._dispatch()
        except ServiceError as error:
            tail = bytes(self._line) or b"\n".join(self._data)
            raise ServiceError(
                f"the stream ends inside a record, with {_shown(tail)}. The connection was cut, or the container died.",
                code="IncompleteStream",
                retryable=True,
            ) from error

    def _take(self, line: bytes) -> Iterator[Any]:
        """One line without its end."""
        if self._first:
            self._first, line = False, line.removeprefix(_BOM)
        text = line.strip()
        if not text:
            yield from self._dispatch()
        elif text == _DONE:
            return
        elif text[:1] in (b"{", b"["):
            yield _value(text)
        else:
            yield from self._field(line)

    def _field(self, line: bytes) -> Iterator[Any]:
        """One line of a server-sent event."""
        name, _, content = line.partition(b":")
        content = content.removeprefix(b" ")
        if name == b"data":
            yield from self._add(content)
        elif name == b"event":
            self._event = content.strip()
        elif name and name not in _FIELDS:  # a line that begins with the colon is a comment
            raise _malformed(line, "is neither JSON nor a field of a server-sent event")

    def _add(self, content: bytes) -> Iterator[Any]:
        """One `data` field. Not every server ends its events with a blank line, so that a whole value is not held back."""
        if content.strip() == _DONE:
            return
        values = [] if self._data else _whole(content)
        if values:
            yield self._named(values[0])
            return
        # The rest follows in the event's next `data` field, or does not; the event's end decides.
        self._data.append(content)
        self._data_size += len(content) + 1
        self._check_length(self._data_size)

    def _dispatch(self) -> Iterator[Any]:
        """The end of an event: what its `data` fields say together."""
        if self._data:
            text = b"\n".join(self._data)
            if text.strip():
                yield self._named(_value(text))
        self._data, self._data_size, self._event = [], 0, b""

    def _named(self, value: Any) -> Any:
        """The value, marked where the event's name alone says that it is an error."""
        if self._event == b"error" and not (isinstance(value, dict) and "error" in value):
            return {"error": value}
        return value

    def _check_length(self, size: int) -> None:
        if size > self._longest:
            raise ServiceError(
                f"a record of the stream is longer than {self._longest} bytes. Ask for fewer tokens, or for no details.",
                code="MalformedStream",
            )


def read_document(data: bytes) -> Any:
    """The one JSON value of an answer that came whole.

    Raises:
        ServiceError: `MalformedAnswer`, if it is not JSON.
    """
    try:
        return _value(data)
    except ServiceError as error:
        raise ServiceError(f"the answer is not JSON: {_shown(data)}.", code="MalformedAnswer") from error


def _value(text: bytes) -> Any:
    # The standard library's reader: servers write NaN and Infinity into log-probabilities, and it alone takes them.
    try:
        return json.loads(text.decode())
    except (ValueError, RecursionError) as error:
        raise _malformed(text, f"is not JSON ({error})") from error


def _whole(text: bytes) -> list[Any]:
    """The value, or nothing where the text is none by itself."""
    try:
        return [_value(text)]
    except ServiceError:
        return []


def _malformed(line: bytes, why: str) -> ServiceError:
    return ServiceError(
        f"the line {_shown(line)} of the stream {why}. Check that the target is asked in the schema it speaks.",
        code="MalformedStream",
    )


def _shown(data: bytes) -> str:
    text = data[:_SHOWN].decode(errors="replace")
    return repr(text) + ("…" if len(data) > _SHOWN else "")
