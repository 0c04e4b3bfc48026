"""Finding telephone numbers, with phonenumbers: Google's numbering plans of every country.

An international number may stand anywhere. A national one is known only by its country's plan, and with five countries' plans
many a number would be valid somewhere: it has to be grouped as numbers are there, or stand beside a word such as `Tel`.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import TYPE_CHECKING, Final, TypeAlias

from bedrock_distill.errors import SpecError
from bedrock_distill.records.curation.redaction_kinds import Span
from bedrock_distill.records.curation.redaction_numbers import is_near, library, numbers_something_else

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["find_phones", "read_regions"]

_Place: TypeAlias = tuple[int, int]

_DIALLED = re.compile(
    r"\d(?:[\s().\-/\u2013\u2010\u2212\uff0d\u30fb\uff08\uff09\u00a0]{0,3}\d){6,16}(?!(?!x\d)[A-Za-z0-9_%€$£])"
)
_OPENING = re.compile(r"(?<![A-Za-z0-9_.,$€£%/#=+-])(?:[+\uff0b(\uff08]\s?)*\Z")
_CALLED_PHONE = re.compile(
    r"phone|\bt[ée]l(?:[.:\s]|[ée])|\bcall\b|\bcell\b|\bmobile?\b|\bfax\b|whatsapp|\bsms\b|\bdial\b|\bring\b|\bhandy|rufnummer"
    r"|\brufen\b|r[üu]ckruf|anruf|reach|erreich|durchwahl|festnetz|portable|appel|joindre|joignable|電話|携帯|ファックス|連絡先|\uff34\uff25\uff2c",
    re.IGNORECASE,
)
_DATED = re.compile(
    r"\b(?:19|20)\d\d ?[-\u2013/] ?(?:19|20)?\d\d\b|\b\d{1,2}[-./]\d{1,2}[-./](?:19|20)\d\d|\A\W*\d+\.\d+\Z"
)


_EXTENSION = re.compile(r"\s*[^\W\d].*\Z", re.DOTALL)
_MARKS: Final = frozenset("./-")
_BRACKETED: Final = frozenset("(-/")


def read_regions(regions: Iterable[str]) -> tuple[str, ...]:
    """Regions whose national ways of writing telephone numbers are known, such as `US`.

    Raises:
        SpecError: If one is no region of a numbering plan.
    """
    known = library("phonenumbers").SUPPORTED_REGIONS
    read = tuple(dict.fromkeys(region.upper() for region in regions))
    for region in read:
        if region not in known:
            raise SpecError(
                f"There is no numbering plan for the region {region!r}; use ISO codes such as US, DE, JP.",
                field="regions",
                value=region,
            )
    return read


def find_phones(text: str, regions: tuple[str, ...]) -> Iterator[Span]:
    """Telephone numbers: with a country code anywhere, national ones if grouped as the country does or called a phone."""
    for found in _DIALLED.finditer(text):
        opening = _OPENING.search(text, max(0, found.start() - 4), found.start())
        if opening is None:
            continue
        begin, end = opening.start(), found.end()
        if numbers_something_else(text, begin):
            continue
        window = unicodedata.normalize("NFKC", text[begin : end + 12])
        if len(window) != len(text[begin : end + 12]):
            window = text[begin : end + 12]
        called = is_near(_CALLED_PHONE, text, begin, end, after=12)
        for start, stop in _matches(window, end - begin, regions, called=called):
            unclosed = window[start] == "(" and ")" not in window[start:stop]
            yield Span(begin + start + unclosed, begin + stop, "phone")


def _matches(window: str, length: int, regions: tuple[str, ...], *, called: bool) -> list[_Place]:
    """Where in a window numbers are: the first `length` characters are digits and marks, then may come an extension."""
    first = window.lstrip("( ")
    if first.startswith("00"):
        # The matcher knows "00" only where the region dials so; every one of its numbers is an international one.
        lead = len(window) - len(first)
        found = _numbers("+" + first[2:], None, "POSSIBLE")
        return [(start + lead + (start > 0), stop + lead + 1) for start, stop in found]
    if first.startswith("+"):
        # Its length is that of its country's numbers; ranges that are not in use yet count, too.
        return _numbers(window, None, "POSSIBLE")
    if called:
        return _national(window, regions, "VALID") or _grouped(window, _national(window, regions, "POSSIBLE"))
    if not _is_grouped(window[:length]):
        return []
    if not first.startswith("0"):
        regions = tuple(region for region in regions if _trunk(region) != "0")
        return _grouped(window, _national(window, regions, "STRICT_GROUPING"))
    # Areas differ in length, in Germany most, so that groups prove little; but nine digits may be an American postcode.
    digits = sum(map(str.isdigit, window[:length]))
    return _grouped(window, _national(window, regions, "VALID" if digits > 9 else "STRICT_GROUPING"))


def _national(window: str, regions: tuple[str, ...], leniency: str) -> list[_Place]:
    """The numbers of the first region that has any here."""
    return next((found for region in regions if (found := _numbers(window, region, leniency))), [])


def _numbers(window: str, region: str | None, leniency: str) -> list[_Place]:
    phones = library("phonenumbers")
    matcher = phones.PhoneNumberMatcher(window, region, getattr(phones.Leniency, leniency))
    return [(found.start, found.end) for found in matcher if not _DATED.search(found.raw_string.lstrip("+"))]


def _grouped(window: str, places: list[_Place]) -> list[_Place]:
    return [(start, stop) for start, stop in places if _is_grouped(window[start:stop])]


@cache
def _trunk(region: str) -> str | None:
    """What is dialled before a national number, such as 0 in Germany."""
    prefix: str | None = library("phonenumbers").ndd_prefix_for_region(region, True)
    return prefix


def _is_grouped(text: str) -> bool:
    """Whether a number is written in groups as telephone numbers are, and not as dates, years and decimals."""
    if _DATED.search(text):
        return False
    number = _EXTENSION.sub("", text)
    return len(_MARKS.intersection(number)) < 2 and (
        sum(not part.isdigit() for part in number) >= 2 or not _BRACKETED.isdisjoint(number)
    )
