"""Where logs lie: Bedrock's layout of keys, what in it is no log, and which hours a key can be about."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

__all__ = ["MARGIN", "hour_of", "in_utc", "is_log", "overflow_path", "prefix_may_hold"]

MARGIN: Final = timedelta(hours=2)
"""How far a record's time may lie from the hour in its key. AWS says only that delivery takes minutes: this is our allowance."""

_MARKER = "amazon-bedrock-logs-permission-check"
_OVERFLOW = re.compile(r"(?:^|/)\d{2}/data/|(?:^|/)data/[^/]*$")
"""A body of its own: below `data/` in its hour. A bucket may have a folder of that name above the logs, too."""
# Dates count where Bedrock puts them; a prefix above may hold one of its own.
_HOUR = re.compile(
    r"(?:/BedrockModelInvocationLogs/[^/]+|^(?:/[a-z]{2}(?:-[a-z]+)+-\d)?)/(\d{4})/(\d{2})/(\d{2})/(\d{2})/"
)
_BEGUN = re.compile(r"/BedrockModelInvocationLogs/[^/]+/(\d{4})/(?:(\d{2})/(?:(\d{2})/(?:(\d{2})/)?)?)?$")


def is_log(name: str) -> bool:
    """Whether an object, named below the source's root, holds log records: not a body that overflowed, nor the marker of a permission check."""
    return not _OVERFLOW.search(name) and not name.endswith((_MARKER, "/"))


def hour_of(name: str) -> datetime | None:
    """The hour that a key names, or None."""
    found = _HOUR.search(f"/{name}")
    return _at(found.groups()) if found else None


def prefix_may_hold(name: str, since: datetime | None, until: datetime | None) -> bool:
    """Whether what lies under a key, or beginning of one, can hold records of a time window.

    Args:
        name: A key, or a prefix that ends in a slash.
        since: Earliest time, inclusive.
        until: Latest time, exclusive.
    """
    if since is None and until is None:
        return True
    hour = hour_of(name)
    if hour is not None:
        begin, end = hour, hour + timedelta(hours=1)
    else:
        found = _BEGUN.search(f"/{name}")
        span = _span(found.groups()) if found else None
        if span is None:
            return True
        begin, end = span
    return (until is None or begin - MARGIN < in_utc(until)) and (
        since is None or end + MARGIN > in_utc(since)
    )


def in_utc(at: datetime) -> datetime:
    """A time in UTC; without a zone it is UTC already."""
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _span(parts: tuple[str | None, ...]) -> tuple[datetime, datetime] | None:
    year, month, day, _ = (*parts, None, None)[:4]
    begin = _at((year, month or "01", day or "01", "00"))
    if begin is None:
        return None
    return begin, begin + timedelta(days=1 if day else 31 if month else 366)


def _at(parts: tuple[str | None, ...]) -> datetime | None:
    try:
        year, month, day, hour = (int(part or 0) for part in parts)
        return datetime(year, month, day, hour, tzinfo=UTC)
    except ValueError:
        return None


def overflow_path(uri: str) -> str:
    """The part of an overflow object's URI that is the same wherever a bucket was copied to: from `AWSLogs/` on."""
    _, found, rest = uri.partition("AWSLogs/")
    return found + rest
