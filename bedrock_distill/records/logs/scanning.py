"""Lines of a log to lines of training data: the loop that runs once a record, so everything in it is local."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import xxhash

from bedrock_distill.records.logs.decoding import decode_line, envelope_of, peek_head, peek_tail, says_log
from bedrock_distill.records.logs.exchange import Exchange
from bedrock_distill.records.logs.formats import Format, format_of
from bedrock_distill.records.schema import Record, decode_record, encode_pair, encode_record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from bedrock_distill.records.curation.redaction import Redactor
    from bedrock_distill.records.logs.decoding import Head
    from bedrock_distill.records.logs.query import Selector
    from bedrock_distill.records.logs.tally import Tally

__all__ = ["Found", "encoded", "scan_lines"]

Found = tuple[bytes, bytes]
"""A match: the 16-byte hash of its prompt, by which repeats are told, and the encoded record."""


def scan_lines(
    lines: Iterable[bytes],
    selector: Selector,
    tally: Tally,
    *,
    overflow: Callable[[str], bytes | None] | None = None,
    predicate: Callable[[Record], bool] | None = None,
) -> Iterator[Found]:
    """Yield every wanted record, and count all others by reason.

    Args:
        lines: The lines.
        selector: Which records are wanted.
        tally: Counts what passes; whole when the iteration has ended.
        overflow: Fetches bodies that stand in objects of their own. Default: such records count as `no-body`.
        predicate: The caller's own last word.
    """
    query = selector.query
    answers, passes, redactor = query.responses, selector.passes, selector.redactor
    redacted = Counter(tally.redacted)
    choosy = bool(query.models or query.exact_model or query.operations)
    picky = choosy or passes is not None or query.since is not None or query.until is not None
    takes_model, takes, objection = selector.takes_model, selector.takes, selector.objection
    skipped: dict[str, int] = dict(tally.skipped)
    by_model: dict[str, int] = dict(tally.by_model_id)
    early = {"length": dict(tally.cut_off), "filtered": dict(tally.filtered)}
    scanned = matched = 0
    try:
        for line in lines:
            if not line or line.isspace():
                continue
            scanned += 1
            # A cheap look first: it may only reject what decoding would reject.
            head = peek_head(line)
            form: Format | None = None
            if head is not None and head.model_id and head.operation:
                model, operation = head.model_id, head.operation
                if (
                    (choosy and not takes_model(model, operation))
                    or (passes is not None and not _may_pass(line, head, passes))
                ) and says_log(line, head):
                    skipped["not-selected"] = skipped.get("not-selected", 0) + 1
                    continue
                found = format_of(operation, model)
                form = found if isinstance(found, Format) else None
            entry = decode_line(line, overflow, answers=answers, form=form)
            envelope, exchange, reason = entry.envelope, entry.exchange, entry.reason
            if picky and reason not in _UNREADABLE and not takes(envelope):
                reason = "not-selected"
            elif exchange is not None:
                reason = objection(exchange)
            if reason is not None or exchange is None:
                skipped[reason or ""] = skipped.get(reason or "", 0) + 1
                continue
            pair = encoded(exchange, answers=answers)
            if redactor is not None:
                pair = _redacted(pair, redactor, redacted)
            if predicate is not None and not predicate(decode_record(pair[1])):
                skipped["predicate"] = skipped.get("predicate", 0) + 1
                continue
            matched += 1
            model = envelope.model_id
            if exchange.stop in early:
                early[exchange.stop][model] = early[exchange.stop].get(model, 0) + 1
            by_model[model] = by_model.get(model, 0) + 1
            yield pair
    finally:
        tally.scanned += scanned
        tally.matched += matched
        tally.skipped, tally.by_model_id, tally.redacted = skipped, by_model, dict(redacted)
        tally.cut_off, tally.filtered = early["length"], early["filtered"]


_UNREADABLE = frozenset({"broken-line", "not-a-log"})
"""Reasons of lines whose envelope cannot be asked anything."""


def _may_pass(line: bytes, head: Head, matches: Callable[[dict[str, str]], bool]) -> bool:
    """Whether a record's metadata may pass: False only where that is certain."""
    metadata = head.metadata
    if metadata is None:
        tail = peek_tail(line)
        if tail is not None:
            metadata = tail.metadata
            head.schema_type = head.schema_type or tail.schema_type  # so that nobody looks there again
        else:
            whole = envelope_of(line)
            if whole is None:
                return True
            metadata = whole.metadata
    return matches(metadata or {})


def _redacted(found: Found, redactor: Redactor, counts: Counter[str]) -> Found:
    record, replaced = redactor.redact_record(decode_record(found[1]))
    if not replaced:
        return found
    counts.update(replaced)
    prompt = record.prompt
    said = prompt.prompt_text if len(prompt.messages) == 1 else prompt.messages
    return encoded(Exchange(record.system_text, said, record.completion), answers=True)


def encoded(exchange: Exchange, *, answers: bool) -> Found:
    """The training record of an exchange, as a line, and the hash of its prompt.

    A conversation that ends with the beginning of an answer gets the rest of it, or loses it where answers are not
    wanted.
    """
    messages, completion = exchange.messages, exchange.completion if answers else None
    if isinstance(messages, str):
        line, prompt = encode_pair(exchange.system, messages, completion)
        return xxhash.xxh3_128_digest(prompt), line
    if messages[-1].role == "assistant":
        begun = messages[-1].text
        messages = messages[:-1]
        completion = begun + completion if completion is not None else None
    record = Record.of(messages, system=exchange.system)
    key = xxhash.xxh3_128_digest(encode_record(record))
    return key, encode_record(record if completion is None else record.with_completion(completion))
