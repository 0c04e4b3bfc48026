"""Request bodies read into typed shapes, and every refusal worded as AWS words it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from bedrock_distill.local.gateway.errors import AwsError
from bedrock_distill.local.services.runtime.conversation import refuse_field

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["About", "BodyShape", "malformed", "read_body", "texts_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a response body says of the request beside the answer."""

    model_id: str
    """The plain foundation model id, or what an imported model calls itself."""
    request_id: str
    created: int
    """Seconds since 1970 in UTC."""


class BodyShape(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Base of the request shapes: unknown keys are refused, as AWS refuses them."""


T = TypeVar("T", bound=BodyShape)

_decode = msgspec.json.Decoder().decode


def malformed(reason: str) -> AwsError:
    """AWS's refusal of a body."""
    return AwsError(
        "ValidationException", f"Malformed input request: {reason}, please reformat your input and try again."
    )


def read_body(body: bytes, shape: type[T]) -> T:
    """Read a body.

    Raises:
        AwsError: ValidationException, if the body is not JSON, not an object, or not of this shape.
    """
    try:
        document = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise malformed(f"the body is not JSON ({error})") from error
    if not isinstance(document, dict):
        raise malformed(f"#: expected type: JSONObject, found: {_json_type(document)}")
    try:
        return msgspec.convert(document, shape)
    except msgspec.ValidationError as error:
        raise malformed(_in_aws_words(str(error), document)) from error


def texts_of(content: str | Sequence[Mapping[str, Any]], path: str) -> tuple[str, ...]:
    """The texts of a turn in a chat format that tags its blocks with `type`; a bare string is one text.

    Args:
        content: The turn's content.
        path: Where it stands in the body, such as `messages.0.content`, for refusals.

    Raises:
        AwsError: ValidationException, if a block is not text.
    """
    if isinstance(content, str):
        return (content,)
    texts: list[str] = []
    for index, block in enumerate(content):
        kind = block.get("type")
        if kind != "text":
            raise refuse_field(f"{path}.{index}.{kind or 'type'}")
        if not isinstance(block.get("text"), str):
            raise malformed(f"#/{path.replace('.', '/')}/{index}: required key [text] not found")
        texts.append(block["text"])
    return tuple(texts)


_WHERE = re.compile(r"^(?P<what>.*?)(?: - at `\$(?P<path>[^`]*)`)?$", re.DOTALL)
_PATH_PART = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")
_JSON_NAMES = {
    "array": "JSONArray",
    "bool": "Boolean",
    "float": "Number",
    "int": "Integer",
    "null": "Null",
    "object": "JSONObject",
    "str": "String",
}
_COMPARISONS = {"<=": "less or equal to", ">=": "greater or equal to", "<": "less than", ">": "greater than"}


def _in_aws_words(error: str, document: dict[str, Any]) -> str:
    """Translate msgspec's sentence into the JSON-schema validator's that AWS shows."""
    found = _WHERE.match(error)
    what, path = (found["what"], found["path"] or "") if found else (error, "")
    parts = [name or index for name, index in _PATH_PART.findall(path)]
    where = "#" + "".join(f"/{part}" for part in parts)
    if name := re.search(r"missing required field `([^`]+)`", what):
        return f"{where}: required key [{name[1]}] not found"
    if name := re.search(r"contains unknown field `([^`]+)`", what):
        return f"{where}: extraneous key [{name[1]}] is not permitted"
    value = _value_at(document, parts)
    if limit := re.fullmatch(r"Expected `(?:int|float)` (<=|>=|<|>) (\S+)", what):
        return f"{where}: {value} is not {_COMPARISONS[limit[1]]} {limit[2]}"
    if length := re.fullmatch(r"Expected `(array|str)` of length (<=|>=) (\d+)", what):
        side = "minimum" if length[2] == ">=" else "maximum"
        size = len(value) if isinstance(value, (str, list)) else 0
        return f"{where}: expected {side} item count: {length[3]}, found: {size}"
    if kinds := re.fullmatch(r"Expected `([^`]+)`, got `([^`]+)`", what):
        wanted = " or ".join(_JSON_NAMES.get(kind, kind) for kind in kinds[1].split(" | ") if kind != "null")
        return f"{where}: expected type: {wanted}, found: {_json_type(value)}"
    if what.startswith("Invalid enum value"):
        return f"{where}: {value} is not a valid enum value"
    return f"{where}: {what}"


def _value_at(document: Any, parts: list[str]) -> Any:
    for part in parts:
        try:
            document = document[int(part)] if isinstance(document, list) else document[part]
        except (KeyError, IndexError, ValueError, TypeError):
            return None
    return document


def _json_type(value: object) -> str:
    names: tuple[tuple[type, str], ...] = (
        (bool, "Boolean"),
        (str, "String"),
        (int, "Integer"),
        (float, "Number"),
        (list, "JSONArray"),
        (dict, "JSONObject"),
    )
    return next((name for kind, name in names if isinstance(value, kind)), "Null")
