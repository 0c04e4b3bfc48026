"""What a foreign row means: prompt and completion, or a chat in any of its usual spellings, as one record.

Nothing is guessed and nothing is dropped in silence: a row that says something a record cannot hold is a fault.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from bedrock_distill.records.schema import Message, Record
from bedrock_distill.records.syntax import Fault, show

__all__ = ["TURNS", "Fields", "RowFaultError", "Turns", "keep_turns", "record_from_chat", "record_from_pair"]

Turns = Literal["keep", "first", "last", "refuse"]
"""What to do with a conversation of several turns: keep it; keep its first or last turn; or refuse it."""

TURNS: Final[tuple[str, ...]] = get_args(Turns)

_BLOCK_SEPARATOR: Final = "\n"
_SYSTEM_ROLES: Final = ("system", "developer")
_SPEAKERS: Final = ("user", "assistant")
_TEXT_TYPES: Final = (None, "text", "input_text", "output_text")
_CHAT_KEYS: Final = frozenset({"schemaVersion", "system", "messages"})
_MESSAGE_KEYS: Final = frozenset({"role", "content"})


class RowFaultError(Exception):
    """A row cannot become a record. Never leaves this room: the converter turns it into an offence."""

    def __init__(self, field: str, reason: str, code: str) -> None:
        super().__init__(reason)
        self.fault = Fault(field, reason, code)


@dataclass(frozen=True, slots=True)
class Fields:
    """The names under which rows keep their parts."""

    prompt: str = "prompt"
    completion: str = "completion"
    system: str = "system"


def record_from_pair(row: Mapping[str, Any], fields: Fields, ignored: set[str]) -> Record:
    """A record from a prompt, and perhaps a completion and a system prompt, each a text.

    An empty completion or system prompt counts as none. Keys that were not used are added to `ignored`.

    Raises:
        RowFaultError: If a part is missing or no text.
    """
    prompt = row.get(fields.prompt)
    if not isinstance(prompt, str):
        what = "must be a text" if fields.prompt in row else f"is missing; the row has {_keys(row)}"
        raise RowFaultError(fields.prompt, what, "wrong-type" if fields.prompt in row else "missing-key")
    completion, system = _optional_text(row, fields.completion), _optional_text(row, fields.system)
    ignored.update(row.keys() - {fields.prompt, fields.completion, fields.system})
    return Record.of(prompt, completion=completion, system=system)


def record_from_chat(row: Mapping[str, Any], fields: Fields, ignored: set[str]) -> Record:
    """A record from `messages`: OpenAI's, Converse's, or any mixture.

    Content may be a text, a list of parts or a list of blocks; parts are joined by a newline. System prompts may stand
    at the top, as a text or blocks, or as messages before the first turn; they are joined likewise. A completion field
    beside the messages, such as a reference answer, becomes the golden label.

    Raises:
        RowFaultError: If the row holds anything but text, or a role that is no speaker's.
    """
    if not isinstance(row.get("messages"), list):
        what = "must be a list" if "messages" in row else f"is missing; the row has {_keys(row)}"
        raise RowFaultError("messages", what, "wrong-type" if "messages" in row else "missing-key")
    systems = [_content_text(row["system"], "system")] if row.get("system") else []
    turns: list[Message] = []
    for index, message in enumerate(row["messages"]):
        path = f"messages[{index}]"
        if not isinstance(message, Mapping):
            raise RowFaultError(path, "must be an object", "wrong-type")
        role = message.get("role")
        if role in _SYSTEM_ROLES and turns:
            raise RowFaultError(f"{path}.role", f"is {role!r} after the conversation began", "role-order")
        if role not in (*_SYSTEM_ROLES, *_SPEAKERS):
            raise RowFaultError(
                f"{path}.role", f"is {show(role)}, which is no speaker of a text conversation", "unknown-role"
            )
        if message.get("tool_calls") or message.get("function_call"):
            raise RowFaultError(path, "calls a tool, and distillation is text to text", "non-text-content")
        ignored.update(
            f"messages[].{key}" for key in message.keys() - _MESSAGE_KEYS if message[key] is not None
        )
        text = _content_text(message.get("content"), f"{path}.content")
        if role in _SYSTEM_ROLES:
            systems.append(text)
        else:
            turns.append(Message.of(role, text))
    ignored.update(row.keys() - _CHAT_KEYS - {fields.completion})
    return _with_label(turns, _BLOCK_SEPARATOR.join(systems), row, fields)


def keep_turns(record: Record, turns: Turns) -> Record:
    """Apply the policy for conversations of several turns.

    Raises:
        RowFaultError: If there are several and the policy is `refuse`.
    """
    count = len(record.messages)
    if count <= 2 or turns == "keep":
        return record
    if turns == "refuse":
        reason = (
            f"has {count} messages, and only single turns are wanted; `--turns last` or `first` keeps one"
        )
        raise RowFaultError("messages", reason, "multi-turn")
    begin = 0 if turns == "first" else count - 1 - (record.completion is not None)
    return Record.of(record.messages[begin : begin + 2], system=record.system_text)


def _with_label(turns: list[Message], system: str, row: Mapping[str, Any], fields: Fields) -> Record:
    completion = _optional_text(row, fields.completion)
    if completion is not None and turns and turns[-1].role == "assistant":
        raise RowFaultError(
            fields.completion, "stands beside messages that already end with the assistant's", "role-order"
        )
    return Record.of(turns, system=system, completion=completion)


def _optional_text(row: Mapping[str, Any], field: str) -> str | None:
    value = row.get(field)
    if value is not None and not isinstance(value, str):
        raise RowFaultError(field, "must be a text", "wrong-type")
    return value if value and not value.isspace() else None


def _content_text(content: object, path: str) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise RowFaultError(path, "must be a text or a list of text parts", "wrong-type")
    return _BLOCK_SEPARATOR.join(_part_text(part, f"{path}[{index}]") for index, part in enumerate(content))


def _part_text(part: object, path: str) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, Mapping) and isinstance(part.get("text"), str) and part.get("type") in _TEXT_TYPES:
        if len(part) == 1 + ("type" in part):
            return str(part["text"])
        path, part = f"{path}.{next(key for key in part if key not in ('text', 'type'))}", {}
    raise RowFaultError(path, "is not text, and distillation is text to text", "non-text-content")


def _keys(row: Mapping[str, Any]) -> str:
    names = [repr(key) for key in row][:8]
    return f"the keys {', '.join(names)}" if names else "no keys"
