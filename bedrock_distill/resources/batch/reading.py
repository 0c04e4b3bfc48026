"""Reading a job's output lines: the prompt from `modelInput`, the answer from `modelOutput`, or the record's error."""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import msgspec

from bedrock_distill.errors import DataError, Offence
from bedrock_distill.records.logs.exchange import Unusable
from bedrock_distill.records.logs.formats import Format, format_of, sniff
from bedrock_distill.records.schema import SCHEMA_VERSION, Message, Record, TextBlock
from bedrock_distill.resources.batch.answers import BatchAnswer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bedrock_distill.plan.requests import Invocation
    from bedrock_distill.records.logs.exchange import Stop

__all__ = ["read_line"]


class _Line(msgspec.Struct, kw_only=True):
    record: str = msgspec.field(name="recordId", default="")
    asked: msgspec.Raw = msgspec.field(name="modelInput", default=msgspec.Raw())
    answered: msgspec.Raw = msgspec.field(name="modelOutput", default=msgspec.Raw())
    error: Any = None


class _Block(msgspec.Struct):
    text: str | None = None


class _Turn(msgspec.Struct):
    role: str
    content: list[_Block]


class _Asked(msgspec.Struct):
    messages: list[_Turn]
    system: list[_Block] | None = None


class _Said(msgspec.Struct):
    content: list[_Block] | None = None


class _Output(msgspec.Struct):
    message: _Said


class _Usage(msgspec.Struct):
    input_tokens: int | None = msgspec.field(name="inputTokens", default=None)
    output_tokens: int | None = msgspec.field(name="outputTokens", default=None)


class _Answered(msgspec.Struct):
    output: _Output
    stop: str | None = msgspec.field(name="stopReason", default=None)
    usage: _Usage | None = None


_line = msgspec.json.Decoder(_Line).decode
_asked = msgspec.json.Decoder(_Asked).decode
_answered = msgspec.json.Decoder(_Answered).decode

_UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError, Unusable)

_STOPS: Mapping[Stop | None, str] = MappingProxyType(
    {"end": "end_turn", "length": "max_tokens", "filtered": "content_filtered", "tool": "tool_use"}
)
"""How an answer ended, in Converse's words."""


def read_line(line: bytes, *, invocation: Invocation, model_id: str, file: str, number: int) -> BatchAnswer:
    """One line of a job's output.

    Args:
        line: The line.
        invocation: How the job asked.
        model_id: The model that was asked, which says what InvokeModel's bodies are.
        file: Where the line stands, for messages.
        number: Its number, likewise.

    Raises:
        DataError: If the line is no JSON object with a `recordId`.
    """
    try:
        read = _decoded(line)
    except _UNREADABLE as error:
        raise _broken(file, number, "", str(error)) from error
    if not read.record:
        raise _broken(file, number, "recordId", "it is missing or empty")
    read_prompt, read_answer = (
        (_converse_prompt, _converse_answer) if invocation == "Converse" else _readers(model_id, read)
    )
    try:
        prompt = read_prompt(bytes(read.asked))
    except _UNREADABLE:
        # What was asked by somebody else may hold images, or lack: the answer is kept, and no prompt will find it.
        prompt = None
    code, message = _error(read.error)
    if bytes(read.answered) in (b"", b"null"):
        return BatchAnswer(record_id=read.record, prompt=prompt, error_code=code, error=message)
    try:
        return read_answer(read.record, prompt, bytes(read.answered))
    except _UNREADABLE as error:
        if read.error is None:
            code, message = (
                "UnreadableOutput",
                f"the modelOutput is nothing that {invocation} answers: {error}",
            )
        return BatchAnswer(record_id=read.record, prompt=prompt, error_code=code, error=message)


def _decoded(line: bytes) -> _Line:
    """The line's members; half a surrogate pair, as of an answer that was cut within a character, becomes a question mark."""
    try:
        return _line(line)
    except msgspec.DecodeError:
        whole = json.dumps(json.loads(line), ensure_ascii=False)
        return _line(whole.encode("utf-8", "replace"))


def _converse_prompt(body: bytes) -> Record:
    asked = _asked(body)
    if any(turn.role not in ("user", "assistant") for turn in asked.messages):
        raise Unusable("unknown-format")
    return Record(
        schema_version=SCHEMA_VERSION,
        system=_blocks(asked.system) if asked.system else None,
        messages=tuple(
            Message("user" if turn.role == "user" else "assistant", _blocks(turn.content))
            for turn in asked.messages
        ),
    )


def _blocks(blocks: list[_Block]) -> tuple[TextBlock, ...]:
    if any(block.text is None for block in blocks):
        raise Unusable("not-text")
    return tuple(TextBlock(block.text or "") for block in blocks)


def _converse_answer(record: str, prompt: Record | None, body: bytes) -> BatchAnswer:
    answered = _answered(body)
    usage = answered.usage or _Usage()
    return BatchAnswer(
        record_id=record,
        prompt=prompt,
        text="".join(block.text or "" for block in answered.output.message.content or ()),
        stop_reason=answered.stop or "",
        input_tokens=usage.input_tokens or 0,
        output_tokens=usage.output_tokens or 0,
    )


def _readers(model_id: str, read: _Line) -> tuple[Any, Any]:
    """How InvokeModel's bodies are read: by the model's family or, where its id does not tell, by their keys."""
    found = format_of("InvokeModel", model_id)
    form = found if isinstance(found, Format) else None

    def known() -> Format:
        return form or sniff(bytes(read.asked), bytes(read.answered))

    def prompt(body: bytes) -> Record:
        system, messages = known().prompt(msgspec.json.decode(body, type=known().request))
        return Record.of(messages, system=system)

    def answer(record: str, asked: Record | None, body: bytes) -> BatchAnswer:
        given = known().answer(msgspec.json.decode(body, type=known().response))
        if given.text is None and given.reason != "no-completion":
            raise Unusable(given.reason or "unknown-format")
        return BatchAnswer(
            record_id=record,
            prompt=asked,
            text=given.text or "",
            stop_reason=_STOPS.get(given.stop, ""),
            input_tokens=given.input_tokens or 0,
            output_tokens=given.output_tokens or 0,
        )

    return prompt, answer


def _error(error: Any) -> tuple[str, str]:
    """Code and message of a record's error, however it is written down."""
    if isinstance(error, dict):
        code = error.get("errorCode") or error.get("code") or ""
        message = error.get("errorMessage") or error.get("message") or ""
        # A number alone says nothing in a report.
        return (f"RecordError{code}" if str(code).isdigit() else str(code) or "RecordError"), str(message)
    return "RecordError", str(error or "the line has neither a modelOutput nor an error")


def _broken(file: str, number: int, field: str, reason: str) -> DataError:
    offence = Offence(file, number, field, reason, "invalid-output-line")
    return DataError(
        f"Could not read the output of a batch inference job. {offence}. It must be JSON lines of recordId, modelInput and "
        "modelOutput or error.",
        offences=(offence,),
    )
