"""What a profile sees of one line of a log: who was asked what, when, at which price in tokens, and whether it can teach.

Every line either becomes a `Call` or is counted under the reason why it is none. Calls with images, documents or tools
become calls too, as far as their texts can be found: they are traffic of the group, though nothing can be distilled from them.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import msgspec
import orjson
import xxhash

from bedrock_distill.catalog import read_model_id
from bedrock_distill.errors import SpecError
from bedrock_distill.records.logs.decoding import decode_line
from bedrock_distill.records.logs.layout import in_utc
from bedrock_distill.records.logs.query import LogQuery, Selector
from bedrock_distill.records.tokens import SEPARATOR, estimate_tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from bedrock_distill.records.logs.decoding import Entry
    from bedrock_distill.records.logs.exchange import Exchange
    from bedrock_distill.records.logs.tally import Tally

__all__ = ["HINDRANCES", "NO_VALUE", "Call", "calls_in", "check_by", "model_named"]

HINDRANCES: Final = ("multi-turn", "tool-use", "not-text")
"""Reasons why a call cannot be distilled from logs at all, whatever was answered."""

_UNREADABLE: Final = frozenset({"broken-line", "not-a-log"})
_ENVELOPE: Final = ("model", "operation")
_METADATA: Final = "metadata."
NO_VALUE: Final = "(none)"
"""What a group is called by where a call does not have the key."""


class Call(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One call."""

    by: tuple[str, ...]
    """Values of the keys that groups are made by."""
    model: str
    """The plain model id where the log's name tells it, or else that name."""
    at: datetime | None
    """When, in UTC; None where the log's time is none."""
    system: str
    prompt: str
    """The user's text; of a conversation, the first."""
    key: int
    """Hash of all that was asked: equal for equal prompts."""
    draw: int
    """Hash of the whole call, by which samples are drawn: independent of the order of lines and objects."""
    answer: str | None
    """The answer, where it could be a golden label."""
    reason: str
    """Why the call is no pair of prompt and answer, or an empty string."""
    input_tokens: int
    output_tokens: int
    estimated: bool
    """Whether a number of tokens was estimated from texts, because the log has none."""

    @property
    def hindered(self) -> bool:
        """Whether nothing can be distilled from the call, because of what was asked or answered with."""
        return self.reason in HINDRANCES


def check_by(keys: str | Sequence[str]) -> tuple[str, ...]:
    """The keys that groups are made by, if they are any; one alone may be given as it is.

    Raises:
        SpecError: If a key is none, or is there twice.
    """
    keys = (keys,) if isinstance(keys, str) else keys
    for key in keys:
        if key not in _ENVELOPE and not (key.startswith(_METADATA) and len(key) > len(_METADATA)):
            raise SpecError(
                f"Groups cannot be made by {key!r}: give metadata.KEY, with a key of the request metadata such as "
                "metadata.project, or model, or operation.",
                field="by",
                value=key,
            )
    if len(set(keys)) < len(keys):
        raise SpecError(f"A key is named twice in {', '.join(keys)}: name each once.", field="by", value=keys)
    return tuple(keys)


@lru_cache(maxsize=4096)
def model_named(name: str) -> str:
    """The plain id of a model that a log names in any way, or the name where it does not tell."""
    return read_model_id(name).model or name


def calls_in(
    lines: Iterable[bytes],
    query: LogQuery,
    tally: Tally,
    *,
    by: Sequence[str] = (),
    overflow: Callable[[str], bytes | None] | None = None,
    answers: bool = True,
) -> Iterator[Call]:
    """Every call in the lines of a log that is selected; `tally` counts the lines, the calls, and all others by reason.

    Args:
        lines: The lines.
        query: Which calls are wanted, by what their envelope says.
        tally: Counts.
        by: The keys that groups are made by.
        overflow: Fetches bodies that stand in objects of their own.
        answers: Whether answers are looked at; without them a call has no answer, and its tokens mean nothing.
    """
    selector = Selector(msgspec.structs.replace(query, responses=answers))
    picky = query != LogQuery()
    skipped = tally.skipped = dict(tally.skipped)
    for line in lines:
        if not line or line.isspace():
            continue
        tally.scanned += 1
        entry = decode_line(line, overflow, answers=answers)
        reason: str | None = entry.reason
        call = None
        if picky and reason not in _UNREADABLE and not selector.takes(entry.envelope):
            reason = "not-selected"
        elif entry.exchange is not None:
            call = _call(entry, entry.exchange, selector.objection(entry.exchange) or "", by)
        elif reason in HINDRANCES:
            call = _hindered(entry, line, str(reason), by, overflow)
        if call is None:
            skipped[reason or ""] = skipped.get(reason or "", 0) + 1
            continue
        tally.matched += 1
        yield call


def _call(entry: Entry, exchange: Exchange, reason: str, by: Sequence[str]) -> Call:
    said = exchange.messages
    texts = (said,) if isinstance(said, str) else tuple(message.text for message in said)
    answer = exchange.completion or ""
    asked, answered = exchange.input_tokens, exchange.output_tokens
    estimated = asked is None or answered is None
    if asked is None:
        asked = sum(map(estimate_tokens, (exchange.system or "", *texts)))
    if answered is None:
        answered = estimate_tokens(answer)
    return _made(
        entry,
        by,
        texts=(exchange.system or "", *texts),
        answer=answer,
        reason=reason,
        tokens=(asked, answered, estimated),
    )


def _hindered(
    entry: Entry,
    line: bytes,
    reason: str,
    by: Sequence[str],
    overflow: Callable[[str], bytes | None] | None,
) -> Call:
    """A call with more than text in it: its texts as far as they can be found, and the tokens that the log counted."""
    record = _object(_json(line))
    asked, answered = _object(record.get("input")), _object(record.get("output"))
    body = asked.get("inputBodyJson")
    path = asked.get("inputBodyS3Path")
    if body is None and isinstance(path, str) and overflow is not None:
        body = _json(overflow(path) or b"null")
    system, prompt = _texts(_object(body))
    counts = asked.get("inputTokenCount"), answered.get("outputTokenCount")
    known = [count if isinstance(count, int) and count >= 0 else None for count in counts]
    return _made(
        entry,
        by,
        texts=(system, prompt),
        answer="",
        reason=reason,
        tokens=(
            estimate_tokens(system + prompt) if known[0] is None else known[0],
            known[1] or 0,
            None in known,
        ),
    )


def _made(
    entry: Entry,
    by: Sequence[str],
    *,
    texts: tuple[str, ...],
    answer: str,
    reason: str,
    tokens: tuple[int, int, bool],
) -> Call:
    identity = xxhash.xxh3_64(SEPARATOR.join(text.encode("utf-8", "surrogatepass") for text in texts))
    key = identity.intdigest()
    identity.update(f"\0{entry.timestamp}\0{entry.model_id}\0{answer}".encode("utf-8", "surrogatepass"))
    return Call(
        by=tuple(_value(entry, each) for each in by),
        model=model_named(entry.model_id),
        at=_time(entry.timestamp),
        system=texts[0],
        prompt=next((text for text in texts[1:] if text), ""),
        key=key,
        draw=identity.intdigest(),
        answer=answer if answer and not reason else None,
        reason=reason,
        input_tokens=tokens[0],
        output_tokens=tokens[1],
        estimated=tokens[2],
    )


def _value(entry: Entry, key: str) -> str:
    if key.startswith(_METADATA):
        return entry.metadata.get(key.removeprefix(_METADATA), NO_VALUE)
    return model_named(entry.model_id) if key == "model" else entry.operation


def _time(text: str) -> datetime | None:
    try:
        return in_utc(datetime.fromisoformat(text))
    except ValueError:
        return None


def _json(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return None  # bytes that a decoder which skips texts lets pass; the call counts without its texts


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _texts(body: dict[str, Any]) -> tuple[str, str]:
    """System prompt and first user text of a body of messages, whatever else is in them."""
    messages = body.get("messages")
    turns = [_object(turn) for turn in messages] if isinstance(messages, list) else []
    system = _said(body.get("system"))
    if not system:
        system = "\n".join(
            _said(turn.get("content")) for turn in turns if turn.get("role") in ("system", "developer")
        )
    said = (_said(turn.get("content")) for turn in turns if turn.get("role") == "user")
    return system, next(filter(None, said), "")


def _said(content: Any) -> str:
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else []
    found = (_object(block).get("text") for block in blocks)
    return "".join(text for text in found if isinstance(text, str))
