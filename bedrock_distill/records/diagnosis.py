"""The slow look at a line: everything that is wrong with it, where, and what to do.

Only lines that the fast check does not vouch for come here, so this module may take its time. It never raises for what
a line holds.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from bedrock_distill.records.lines import KEEP_BYTES, line_size
from bedrock_distill.records.schema import SCHEMA_VERSION
from bedrock_distill.records.syntax import DuplicateKeys, Fault, parse, show
from bedrock_distill.records.tokens import BYTES_PER_TOKEN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bedrock_distill.records.rules import Rules

__all__ = ["CODES", "diagnose"]

CODES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "too-few-prompts": "The file has fewer valid records than Bedrock takes.",
        "too-many-prompts": "The file has more valid records than Bedrock takes.",
        "file-too-large": "The file is larger than Bedrock takes.",
        "bad-gzip": "The file is gzip, and broken.",
        "line-too-long": "The line is longer than Bedrock takes.",
        "utf8-bom": "The line begins with a byte order mark.",
        "not-utf8": "The line is not UTF-8.",
        "truncated-json": "The line ends in the middle of its JSON.",
        "invalid-json": "The line is not JSON.",
        "not-an-object": "The line is JSON, but not an object.",
        "duplicate-key": "An object has the same key twice.",
        "unknown-key": "An object has a key that the schema does not know.",
        "missing-key": "An object lacks a key that the schema demands.",
        "wrong-type": "A value has another type than the schema demands.",
        "wrong-schema-version": "schemaVersion is not bedrock-conversation-2024.",
        "plain-string-content": "Text stands where the schema has a list of text blocks.",
        "empty-messages": "There is no message.",
        "empty-content": "A message, or the system prompt, has no text block.",
        "several-blocks": "A message, or the system prompt, has more than one text block.",
        "non-text-content": "Content is not text: distillation is text to text.",
        "blank-text": "A text is empty or blank.",
        "unknown-role": "A role is neither user nor assistant.",
        "role-order": "Roles do not alternate, beginning with user.",
        "multi-turn": "The conversation has several turns, but the family takes one.",
        "invalid": "The line is no record, for a reason that has no code of its own.",
        "context-too-long": "By estimate, the record exceeds the student's training context.",
    }
)
"""Every code an offence can have, and what it stands for."""

_CONVERT: Final = "`bedrock-distill data convert` does that"
_TYPO: Final = "bedrock-conversion-2024"
_NON_TEXT: Final = frozenset(
    # Converse's other kinds of content, then OpenAI's and Anthropic's.
    (
        *("image", "document", "video", "audio", "toolUse", "toolResult", "searchResult"),
        *("guardContent", "cachePoint", "reasoningContent", "citationsContent"),
        *("image_url", "input_audio", "file", "tool_use", "tool_result"),
    )
)
_ROLE_HINTS: Final = {
    "system": f"move its text into the top-level `system`; {_CONVERT}",
    "developer": f"move its text into the top-level `system`; {_CONVERT}",
    "human": "write `user`",
    "ai": "write `assistant`",
    "bot": "write `assistant`",
    "model": "write `assistant`",
    "tool": "distillation is text to text: write tool calls and results as text",
    "function": "distillation is text to text: write tool calls and results as text",
}
_SYSTEM_ROLES: Final = ("system", "developer")
_ORDER: Final = ("user", "assistant")


def diagnose(line: bytes, rules: Rules) -> list[Fault]:
    """Everything that is wrong with one line; an empty list if nothing is."""
    return _Diagnosis(rules).of(line)


class _Diagnosis:
    """Walks one line and gathers its faults, and the texts that count as tokens."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._faults: list[Fault] = []
        self._text_bytes = 0

    def of(self, line: bytes) -> list[Fault]:
        size, most = line_size(line), self._rules.kept_line_bytes
        if size > most:
            reason = f"has {size:,} bytes, {size - most:,} more than the {most:,} a line may have; shorten its text"
            self._note("", reason, "line-too-long")
        if size <= KEEP_BYTES:
            value = parse(line, self._faults)
            if value is not None:
                self._record(value)
        return self._faults

    def _note(self, field: str, reason: str, code: str) -> None:
        self._faults.append(Fault(field, reason, code))

    def _record(self, value: DuplicateKeys) -> None:
        if "schemaVersion" not in value and "messages" not in value:
            names = ", ".join(repr(key) for key in list(value)[:6]) or "none"
            reason = (
                f"is missing, and so is schemaVersion: this is another format (keys: {names}); "
                "`bedrock-distill data convert` makes records of it"
            )
            self._note("messages", reason, "missing-key")
            return
        self._keys(value, "", ("schemaVersion", "messages"), optional=("system",))
        if "schemaVersion" in value:
            self._version(value["schemaVersion"])
        if "system" in value:
            self._content(value["system"], "system", "leave the key out where there is no system prompt")
        if "messages" in value:
            self._messages(value["messages"])
        tokens, most = -(-(self._text_bytes - 1) // BYTES_PER_TOKEN), self._rules.context_tokens
        if most is not None and tokens > most:
            self._note(
                "messages",
                f"has about {tokens:,} tokens (estimated at {BYTES_PER_TOKEN} bytes each), more than the "
                f"{most:,} the student can be trained on; shorten its text",
                "context-too-long",
            )

    def _keys(
        self, value: DuplicateKeys, path: str, required: tuple[str, ...], *, optional: tuple[str, ...] = ()
    ) -> None:
        for key in value.repeated:
            self._note(
                _join(path, key),
                "stands here more than once; keep one: JSON readers disagree which counts",
                "duplicate-key",
            )
        for key in value:
            if key not in required and key not in optional:
                self._unknown(value, path, key)
        for key in required:
            if key not in value:
                self._note(_join(path, key), f"is missing{_missing_hint(key)}", "missing-key")

    def _unknown(self, value: DuplicateKeys, path: str, key: str) -> None:
        if key in _NON_TEXT and path:
            self._note(
                _join(path, key),
                "is not text, and distillation is text to text; remove it",
                "non-text-content",
            )
        elif key == "type" and value.get("type") == "text":
            self._note(
                _join(path, key), f"is OpenAI's key, not the schema's; remove it: {_CONVERT}", "unknown-key"
            )
        else:
            self._note(_join(path, key), "is a key that the schema does not know; remove it", "unknown-key")

    def _version(self, value: object) -> None:
        if value == SCHEMA_VERSION:
            return
        if value == _TYPO:
            reason = f"is {_TYPO!r}, a slip of AWS's guide; write {SCHEMA_VERSION!r} (conversation, not conversion)"
        else:
            reason = f"is {show(value)}; write {SCHEMA_VERSION!r}"
        self._note("schemaVersion", reason, "wrong-schema-version")

    def _messages(self, value: object) -> None:
        if not isinstance(value, list):
            self._note("messages", f"is {show(value)}, but must be a list of messages", "wrong-type")
            return
        if not value:
            self._note("messages", "is empty; a record needs at least one user message", "empty-messages")
        turns = [each for each in value if not (isinstance(each, dict) and each.get("role") in _SYSTEM_ROLES)]
        if len(turns) > 2 and not self._rules.multi_turn:
            family = self._rules.family.capitalize() or "This family"
            self._note(
                "messages",
                f"has {len(turns)} messages, but {family} models are distilled from one user message and at most "
                "one assistant message; `bedrock-distill data convert --turns last` (or first) keeps one turn",
                "multi-turn",
            )
        in_order = True
        for index, message in enumerate(value):
            path = f"messages[{index}]"
            if not isinstance(message, DuplicateKeys):
                self._note(path, f"is {show(message)}, but must be an object", "wrong-type")
                continue
            self._keys(message, path, ("role", "content"))
            if "role" in message:
                in_order = self._role(message["role"], index, in_order=in_order)
            if "content" in message:
                self._content(message["content"], f"{path}.content", "remove the message, or write its text")

    def _role(self, role: object, index: int, *, in_order: bool) -> bool:
        path = f"messages[{index}].role"
        if not isinstance(role, str):
            self._note(path, f"is {show(role)}, but must be 'user' or 'assistant'", "wrong-type")
        elif role not in _ORDER:
            hint = _ROLE_HINTS.get(role.lower(), "write 'user' or 'assistant'")
            self._note(path, f"is {show(role)}, but must be 'user' or 'assistant'; {hint}", "unknown-role")
            return False  # with it mended or moved, the order of the others is another
        elif in_order and role != _ORDER[index % 2]:
            self._note(
                path,
                f"is {role!r} where {_ORDER[index % 2]!r} must come: roles alternate, beginning with 'user'",
                "role-order",
            )
            return False  # what follows is only shifted
        return in_order

    def _content(self, value: object, path: str, when_empty: str) -> None:
        if isinstance(value, str):
            self._note(
                path,
                f'is plain text, but must be a list: [{{"text": …}}]; {_CONVERT}',
                "plain-string-content",
            )
            return
        if not isinstance(value, list):
            hint = f"; {when_empty}" if value is None else ""
            self._note(path, f'is {show(value)}, but must be a list: [{{"text": …}}]{hint}', "wrong-type")
            return
        if not value:
            self._note(path, f"is empty; {when_empty}", "empty-content")
        if len(value) > 1:
            reason = f"has {len(value)} blocks, and AWS's validator takes one; join their texts: {_CONVERT}"
            self._note(path, reason, "several-blocks")
        for index, block in enumerate(value):
            self._block(block, f"{path}[{index}]")

    def _block(self, block: object, path: str) -> None:
        if not isinstance(block, DuplicateKeys):
            self._note(path, f'is {show(block)}, but must be an object: {{"text": …}}', "wrong-type")
            return
        self._keys(block, path, () if _NON_TEXT.intersection(block) else ("text",), optional=("text",))
        if "text" not in block:
            return
        text = block["text"]
        if not isinstance(text, str):
            self._note(f"{path}.text", f"is {show(text)}, but must be a text", "wrong-type")
        elif not text or text.isspace():
            what = "is blank" if text else "is empty"
            self._note(f"{path}.text", f"{what}; write the text, or leave the record out", "blank-text")
        else:
            self._text_bytes += len(text.encode()) + 1  # and the separator before it


def _join(path: str, key: str) -> str:
    plain = key.replace("_", "").replace("-", "").isalnum()
    if not plain:
        return f"{path}[{key!r}]"
    return f"{path}.{key}" if path else key


def _missing_hint(key: str) -> str:
    return f"; add {SCHEMA_VERSION!r}: {_CONVERT}" if key == "schemaVersion" else ""
