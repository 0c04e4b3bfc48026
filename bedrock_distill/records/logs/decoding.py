"""One line of an invocation log to what was asked and answered.

Two ways lead through here. The fast one decodes envelope and bodies in one pass, typed for the format that operation
and model speak for, and is what nearly every line takes. Whatever is not as expected goes the careful way, which
splits the line first and asks of each part what it is. Parts of a line that nobody reads are passed over by the
decoder: that they are JSON is checked, that their texts are UTF-8 is not.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import msgspec
import orjson

from bedrock_distill.records.logs.exchange import Answer, Exchange, Prompt, Reason, Unusable
from bedrock_distill.records.logs.formats import Format, format_of, sniff

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "SCHEMA",
    "Entry",
    "Envelope",
    "Head",
    "decode_line",
    "envelope_of",
    "peek_head",
    "peek_tail",
    "says_log",
]

_In = TypeVar("_In")
_Out = TypeVar("_Out")

_HEAD_BYTES = 1024
_TAIL_BYTES = 256
_USUAL_ENDS = tuple(
    b',"schemaType":"ModelInvocationLog","schemaVersion":"1.0"}' + end for end in (b"\n", b"")
)
"""How Bedrock ends a line: by one brace before it an object of its own, so proof enough of what the line says."""
SCHEMA: Final = "ModelInvocationLog"
"""What `schemaType` says of a log record."""


class Envelope(msgspec.Struct, gc=False):
    """What a log record says beside the bodies; a field that was not seen is empty."""

    model_id: str = msgspec.field(name="modelId", default="")
    operation: str = ""
    timestamp: str = ""
    metadata: dict[str, str] | None = msgspec.field(name="requestMetadata", default=None)
    error: str | None = msgspec.field(name="errorCode", default=None)
    schema_type: str = msgspec.field(name="schemaType", default="")


class Head(msgspec.Struct, gc=False):
    """What a first look at a line may see: the fields that filters ask for first."""

    model_id: str = msgspec.field(name="modelId", default="")
    operation: str = ""
    metadata: dict[str, str] | None = msgspec.field(name="requestMetadata", default=None)
    schema_type: str = msgspec.field(name="schemaType", default="")


class _Input(msgspec.Struct, Generic[_In], gc=False):
    body: _In | None = msgspec.field(name="inputBodyJson", default=None)
    path: str | None = msgspec.field(name="inputBodyS3Path", default=None)


class _Output(msgspec.Struct, Generic[_Out], gc=False):
    body: _Out | None = msgspec.field(name="outputBodyJson", default=None)
    path: str | None = msgspec.field(name="outputBodyS3Path", default=None)


class _Line(Envelope, Generic[_In, _Out], gc=False):
    input: _Input[_In] | None = None
    output: _Output[_Out] | None = None


class _RawInput(msgspec.Struct, gc=False):
    body: msgspec.Raw = msgspec.field(name="inputBodyJson", default=msgspec.Raw())
    path: str | None = msgspec.field(name="inputBodyS3Path", default=None)


class _RawOutput(msgspec.Struct, gc=False):
    body: msgspec.Raw = msgspec.field(name="outputBodyJson", default=msgspec.Raw())
    path: str | None = msgspec.field(name="outputBodyS3Path", default=None)


class _RawLine(Envelope, gc=False):
    input: _RawInput | None = None
    output: _RawOutput | None = None


class _Loose(msgspec.Struct, gc=False):
    """An envelope that takes any metadata and any time."""

    model_id: Any = msgspec.field(name="modelId", default=None)
    operation: Any = None
    timestamp: Any = None
    metadata: Any = msgspec.field(name="requestMetadata", default=None)
    error: Any = msgspec.field(name="errorCode", default=None)
    schema_type: Any = msgspec.field(name="schemaType", default="")


class Entry(msgspec.Struct, gc=False):
    """A line, read: either an exchange or the reason why there is none."""

    envelope: Envelope
    exchange: Exchange | None = None
    reason: Reason | None = None

    @property
    def model_id(self) -> str:
        """The model as the log names it: plain id, profile id or ARN."""
        return self.envelope.model_id

    @property
    def operation(self) -> str:
        """The API operation."""
        return self.envelope.operation

    @property
    def timestamp(self) -> str:
        """When the call was made, ISO 8601 in UTC."""
        return self.envelope.timestamp

    @property
    def metadata(self) -> dict[str, str]:
        """The request's metadata."""
        return self.envelope.metadata or {}


_head = msgspec.json.Decoder(Head).decode
_envelope = msgspec.json.Decoder(Envelope).decode
_raw_line = msgspec.json.Decoder(_RawLine).decode
_loose = msgspec.json.Decoder(_Loose).decode


def peek_head(line: bytes) -> Head | None:
    """The members that stand before the input, or None where that cannot be told cheaply.

    Sound by construction: if what stands before `,"input":` becomes a whole object by one brace, the JSON decoder has
    proved that its members are the line's own and not a look-alike inside a text or a body.
    """
    end = line.find(b',"input":', 0, _HEAD_BYTES)
    if end < 0:
        return None
    try:
        return _head(line[:end] + b"}")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def peek_tail(line: bytes) -> Head | None:
    """The members from the request's metadata on, where they stand at the end; sound in the same way."""
    begin = line.rfind(b',"requestMetadata":', max(0, len(line) - _HEAD_BYTES))
    if begin < 0:
        return None
    try:
        return _head(b"{" + line[begin + 1 :])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def says_log(line: bytes, head: Head) -> bool:
    """Whether a line surely says that it is a log record: in its head, or at its very end; False where that is unclear."""
    if head.schema_type:
        return head.schema_type == SCHEMA
    if line.endswith(_USUAL_ENDS):
        return True
    begin = line.rfind(b',"schemaType":', max(0, len(line) - _TAIL_BYTES))
    if begin < 0:
        return False
    try:
        return _head(b"{" + line[begin + 1 :]).schema_type == SCHEMA
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False


def envelope_of(line: bytes) -> Envelope | None:
    """The whole envelope, the bodies passed over; None where the line is no log record that can be read so."""
    try:
        return _envelope(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


@lru_cache(maxsize=64)
def _line_decoder(form: Format, answers: bool) -> Callable[[bytes], Any]:  # noqa: FBT001 - a cache's key
    if not answers:
        return msgspec.json.Decoder(_request_line(form)).decode
    return msgspec.json.Decoder(_Line[form.request, form.response]).decode  # type: ignore[name-defined]


def _request_line(form: Format) -> type:
    """A line's type where nobody wants the answer: the output is passed over."""
    typed = _Input[form.request]  # type: ignore[name-defined]
    return msgspec.defstruct(
        "RequestLine", [("input", typed | None, None)], bases=(Envelope,), gc=False, module=__name__
    )


@lru_cache(maxsize=64)
def _body_decoders(form: Format) -> tuple[Callable[[bytes], Any], Callable[[bytes], Any]]:
    return msgspec.json.Decoder(form.request).decode, msgspec.json.Decoder(form.response).decode


def decode_line(
    line: bytes,
    overflow: Callable[[str], bytes | None] | None = None,
    *,
    answers: bool = True,
    form: Format | None = None,
) -> Entry:
    """Read one line of a log.

    Args:
        line: The line, with or without its newline.
        overflow: Fetches a body that stands in an object of its own. Default: such bodies are not there.
        answers: Whether the answers matter; without them an exchange has no completion, and nothing about it is read.
        form: The format, if the caller knows it already.
    """
    if form is None:
        head = peek_head(line)
        found = (
            format_of(head.operation, head.model_id) if head and head.model_id and head.operation else None
        )
        if not isinstance(found, Format):
            return _careful(line, overflow, answers=answers)
        form = found
    try:
        read = _line_decoder(form, answers)(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _careful(line, overflow, answers=answers)
    if (
        read.error
        or read.input is None
        or read.input.body is None
        or read.schema_type != SCHEMA
        or (answers and (read.output is None or read.output.body is None))
    ):
        return _careful(line, overflow, answers=answers)
    try:
        system, messages = form.prompt(read.input.body)
        if not answers:
            return Entry(read, Exchange(system, messages))
        return Entry(read, _exchange(system, messages, form.answer(read.output.body)))
    except Unusable as unusable:
        if unusable.reason == "unknown-format":
            return _careful(line, overflow, answers=answers)
        return Entry(read, reason=unusable.reason)


def _exchange(system: str | None, messages: Prompt, answer: Answer) -> Exchange:
    return Exchange(
        system,
        messages,
        answer.text,
        answer.stop,
        answer.input_tokens,
        answer.output_tokens,
        answer.reason,
    )


def _careful(line: bytes, overflow: Callable[[str], bytes | None] | None, *, answers: bool) -> Entry:
    try:
        read = _raw_line(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _strange(line)
    if not read.model_id or read.schema_type != SCHEMA:
        return Entry(read, reason="not-a-log" if _sound(line) else "broken-line")
    if read.error:
        return Entry(read, reason="failed-call")
    found = format_of(read.operation, read.model_id)
    if isinstance(found, str):
        return Entry(read, reason=found)
    request = _body(read.input, overflow)
    if request is None:
        return Entry(read, reason="no-body")
    # Where the model does not tell the format, the answer's keys do, wanted or not.
    response = _body(read.output, overflow if answers or found is None else None)
    try:
        exchange = _read_bodies(found, request, response, answers=answers)
    except Unusable as unusable:
        broken = unusable.reason == "unknown-format" and not (_sound(request) and _sound(response or b"0"))
        return Entry(read, reason="broken-line" if broken else unusable.reason)
    return Entry(read, exchange)


def _read_bodies(form: Format | None, request: bytes, response: bytes | None, *, answers: bool) -> Exchange:
    """The exchange in two bodies, by the family's format and, where that does not fit, by their keys."""
    tried = None
    if form is not None:
        try:
            return _read_as(form, request, response, answers=answers)
        except Unusable as unusable:
            if unusable.reason != "unknown-format":
                raise
            tried = form
    other = sniff(request, response or b"")
    if other is tried:
        raise Unusable("unknown-format")
    return _read_as(other, request, response, answers=answers)


def _read_as(form: Format, request: bytes, response: bytes | None, *, answers: bool) -> Exchange:
    decode_request, decode_response = _body_decoders(form)
    try:
        system, messages = form.prompt(decode_request(request))
        if not answers:
            return Exchange(system, messages)
        if response is None:
            return Exchange(system, messages, answer_reason="no-body")
        return _exchange(system, messages, form.answer(decode_response(response)))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Unusable("unknown-format") from error


def _body(
    side: _RawInput | _RawOutput | None, overflow: Callable[[str], bytes | None] | None
) -> bytes | None:
    """A body's bytes, inline or fetched; None where there are none."""
    if side is None:
        return None
    body = bytes(side.body)
    if body and body != b"null":
        return body
    return overflow(side.path) if side.path and overflow is not None else None


def _strange(line: bytes) -> Entry:
    """A line that no envelope fits: broken, or not a log record, or one with a member of an unheard-of type."""
    if not _sound(line):
        return Entry(Envelope(), reason="broken-line")
    try:
        loose = _loose(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Entry(Envelope(), reason="broken-line")  # JSON, but not an object
    if not isinstance(loose.model_id, str) or loose.schema_type != SCHEMA:
        return Entry(Envelope(), reason="not-a-log")
    operation, timestamp = (
        each if isinstance(each, str) else "" for each in (loose.operation, loose.timestamp)
    )
    said = loose.metadata if isinstance(loose.metadata, dict) else {}
    metadata = said if all(isinstance(each, str) for each in said.values()) else {}
    reason: Reason = "failed-call" if loose.error else "unknown-format"
    return Entry(Envelope(loose.model_id, operation, timestamp, metadata), reason=reason)


def _sound(data: bytes) -> bool:
    """Whether bytes are JSON in UTF-8, all through."""
    try:
        orjson.loads(data)
    except orjson.JSONDecodeError:
        return False
    return True
