"""The record: one line of Bedrock's `bedrock-conversation-2024` training data, as a value.

What belongs here is the shape and nothing else: which keys there are, of which types, and how a line becomes a record
and back. Rules that depend on a teacher, a student or a quota are in `rules.py` and `checking.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec

from bedrock_distill.errors import DataError, Offence, SpecError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "SCHEMA_VERSION",
    "Message",
    "Record",
    "Role",
    "TextBlock",
    "decode_record",
    "encode_pair",
    "encode_record",
]

SCHEMA_VERSION: Final = "bedrock-conversation-2024"
"""The only value of `schemaVersion`. A page of AWS's guide spells it `conversion`; that is a slip of the page."""

Role = Literal["user", "assistant"]
"""Who speaks."""


class TextBlock(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A piece of text: the only kind of content that distillation reads."""

    text: str


class Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """One turn of a conversation."""

    role: Role
    content: tuple[TextBlock, ...]

    @classmethod
    def of(cls, role: Role, text: str) -> Message:
        """A message of one text block."""
        return cls(role, (TextBlock(text),))

    @property
    def text(self) -> str:
        """The text of all blocks, joined without a separator."""
        return _join(self.content)


class Record(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, gc=False
):
    """A training record: a prompt, and perhaps the completion that is its golden label.

    Make one with `Record.of`; the constructor takes the parts as they stand in the file.
    """

    # No default: `omit_defaults` leaves out what equals its default, and this key must always be written.
    schema_version: Literal["bedrock-conversation-2024"] = msgspec.field(name="schemaVersion")
    system: tuple[TextBlock, ...] | None = None
    messages: tuple[Message, ...]

    @classmethod
    def of(
        cls, prompt: str | Sequence[Message], *, system: str | None = None, completion: str | None = None
    ) -> Record:
        """Build a record.

        Args:
            prompt: The user's text, or the messages of a conversation.
            system: The system prompt; None or an empty text leaves the key out.
            completion: The golden label, added as a last assistant message.

        Raises:
            SpecError: If a completion is given and the conversation already ends with the assistant.
        """
        messages = (Message.of("user", prompt),) if isinstance(prompt, str) else tuple(prompt)
        record = cls(
            schema_version=SCHEMA_VERSION,
            system=(TextBlock(system),) if system else None,
            messages=messages,
        )
        if completion is None:
            return record
        if record.completion is not None:
            raise SpecError(
                "The conversation already ends with an assistant message, so it cannot take a completion as well.",
                field="completion",
            )
        return record.with_completion(completion)

    @property
    def system_text(self) -> str | None:
        """The system prompt, or None."""
        return _join(self.system) if self.system else None

    @property
    def prompt_text(self) -> str:
        """The text of the last user message, or an empty string where there is none."""
        return next((message.text for message in reversed(self.messages) if message.role == "user"), "")

    @property
    def completion(self) -> str | None:
        """The golden label: the text of the final assistant message, or None."""
        if self.messages and self.messages[-1].role == "assistant":
            return self.messages[-1].text
        return None

    @property
    def prompt(self) -> Record:
        """The record without its final assistant message."""
        if self.completion is None:
            return self
        return msgspec.structs.replace(self, messages=self.messages[:-1])

    def with_completion(self, text: str) -> Record:
        """The record with this text as its golden label, in place of any it has."""
        return msgspec.structs.replace(self, messages=(*self.prompt.messages, Message.of("assistant", text)))


def _join(blocks: tuple[TextBlock, ...]) -> str:
    return blocks[0].text if len(blocks) == 1 else "".join(block.text for block in blocks)


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Record).decode


def encode_record(record: Record) -> bytes:
    """One line of JSON without a newline; non-ASCII text stays as it is, in UTF-8."""
    return _encode(record)


_BEGIN = b'{"schemaVersion":"' + SCHEMA_VERSION.encode() + b'","'
_SYSTEM = b'system":[{"text":'
_SYSTEM_END = b'}],"'
_USER = b'messages":[{"role":"user","content":[{"text":'
_ASSISTANT = b'}]},{"role":"assistant","content":[{"text":'
_END = b"}]}]}"


def encode_pair(system: str | None, prompt: str, completion: str | None) -> tuple[bytes, bytes]:
    """The line that `encode_record` writes for a single turn, and the part of it that stands for the prompt.

    For loops that make many such lines: no record is built on the way.

    Returns:
        The line, and its beginning up to the end of the prompt: equal for equal prompts, and only for those.
    """
    said = _encode(prompt)
    # One join makes one copy; a chain of additions would make one for each.
    begun = b"".join((_SYSTEM, _encode(system), _SYSTEM_END, _USER, said)) if system else _USER + said
    if completion is None:
        return b"".join((_BEGIN, begun, _END)), begun
    return b"".join((_BEGIN, begun, _ASSISTANT, _encode(completion), _END)), begun


def decode_record(line: bytes) -> Record:
    """Read one line.

    The shape is checked (keys, types, roles' names), the rules are not: see `checking.check_file` for those.

    Raises:
        DataError: If the line is not JSON in UTF-8, or not a record. Its one offence has no file and no line number;
            `reading.read_records` names both.
    """
    try:
        return _decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        reason, _, where = str(error).partition(" - at `$")
        offence = Offence("<line>", None, where.rstrip("`").lstrip("."), reason, "invalid")
        raise DataError(f"Could not read a {SCHEMA_VERSION} record: {error}", offences=(offence,)) from error
