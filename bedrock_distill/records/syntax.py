"""The slow look at a line's bytes: is it UTF-8, is it JSON, is it one object with each key once?

`diagnosis.py` looks at the object itself.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

import msgspec

__all__ = ["BOM", "DuplicateKeys", "Fault", "parse", "show"]

BOM = b"\xef\xbb\xbf"
"""UTF-8's byte order mark, which JSON does not allow."""

_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_LONE_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class Fault(NamedTuple):
    """One thing that is wrong with a line."""

    field: str
    """JSON path in the line, or an empty string."""
    reason: str
    """The rule, the value, and what to do."""
    code: str
    """Short stable name of the rule."""


class DuplicateKeys(dict[str, Any]):
    """A JSON object that remembers which keys it was given more than once."""

    repeated: tuple[str, ...] = ()


def parse(line: bytes, faults: list[Fault]) -> Any:
    """The JSON value of a line; None, with faults noted, where there is none to look at."""
    if line.startswith(BOM):
        faults.append(
            Fault(
                "",
                "begins with a UTF-8 byte order mark (EF BB BF), which JSON does not allow; save the file as UTF-8 "
                "without BOM, or run `bedrock-distill data convert`, which drops it",
                "utf8-bom",
            )
        )
        line = line[len(BOM) :]
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        faults.append(_not_utf8(line, error))
        return None
    if not line.strip():  # of the bytes: JSON's blanks are ASCII's, and str.strip() knows more of them
        return None
    try:
        msgspec.json.decode(line)
        value = json.loads(text, object_pairs_hook=_object, parse_int=float, parse_constant=str)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        faults.append(_not_json(text, error))
        return None
    if isinstance(value, dict):
        return value
    what = "an array" if isinstance(value, list) else f"a JSON {type(value).__name__}"
    hint = "; write its items one a line" if isinstance(value, list) else ""
    faults.append(Fault("", f"is {what}, but a line must hold one JSON object{hint}", "not-an-object"))
    return None


def show(value: object) -> str:
    """A value for a message: short, and by JSON's names."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, float):
        return f"the number {value:g}"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _object(pairs: list[tuple[str, Any]]) -> DuplicateKeys:
    value = DuplicateKeys(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        value.repeated = tuple(dict.fromkeys(key for key, _ in pairs if key in seen or seen.add(key)))  # type: ignore[func-returns-value]  # add() is None, that is, false
    return value


def _not_utf8(line: bytes, error: UnicodeDecodeError) -> Fault:
    if line.startswith(_UTF16_MARKS):
        reason = "begins with a UTF-16 byte order mark; save the file as UTF-8"
    else:
        reason = (
            f"byte {error.start} of the line (0x{line[error.start]:02x}) is not UTF-8; save the file as UTF-8, "
            "or mend the character there"
        )
    return Fault("", reason, "not-utf8")


def _not_json(text: str, error: Exception) -> Fault:
    if isinstance(error, RecursionError):
        return Fault("", "is nested too deeply to be a record", "invalid-json")
    strict = str(error).removeprefix("JSON is malformed: ")
    if _python_accepts(text):
        what = (
            "holds half of a surrogate pair, such as \\ud83d alone, which is no character; write the whole character"
            if _LONE_SURROGATE.search(text)
            else f"is not strict JSON ({strict}); NaN and Infinity are not JSON"
        )
        return Fault("", what, "invalid-json")
    if text.lstrip().startswith(("{'", "[{'")):
        return Fault("", "looks like Python's repr of a dict; write it with json.dumps", "invalid-json")
    if "truncated" in strict:
        whole = (
            " (a record spread over several lines? write one record a line)" if len(text.strip()) < 3 else ""
        )
        return Fault("", f"ends in the middle of its JSON: the line was cut{whole}", "truncated-json")
    return Fault("", f"is not JSON: {strict}", "invalid-json")


def _python_accepts(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
