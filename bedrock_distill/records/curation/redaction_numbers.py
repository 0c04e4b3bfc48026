"""Finding numbers that a library can vouch for: cards, bank accounts, identity numbers.

A pattern proposes, python-stdnum's checksum decides. Where a checksum alone would let too many order numbers through, a word beside the
number has to say what it is.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from bedrock_distill.errors import MissingDependencyError
from bedrock_distill.records.curation.redaction_kinds import Span

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "find_cards",
    "find_ibans",
    "find_national_ids",
    "find_us_ssns",
    "is_near",
    "library",
    "may_have_numbers",
    "need_checksums",
    "numbers_something_else",
]


_DISTRIBUTIONS: Final = {"phonenumbers": "phonenumbers", "stdnum": "python-stdnum"}


@cache
def library(name: str) -> Any:
    """A module of phonenumbers or python-stdnum, imported when it is first needed.

    Raises:
        MissingDependencyError: If it is not installed.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingDependencyError(
            f"Redacting numbers needs {_DISTRIBUTIONS[name.partition('.')[0]]}, which is not installed. "
            "Install it with: pip install 'bedrock-distill[curate]'",
            extra="curate",
        ) from error


def need_checksums() -> None:
    """Make sure that checksums can be verified.

    Raises:
        MissingDependencyError: If python-stdnum is not installed.
    """
    library("stdnum.luhn")


def _plain(text: str) -> str:
    """Full-width digits and letters as ASCII, without what separates groups."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", text)))


_FIVE_DIGITS = re.compile(r"\d(?:[^\w\n]{0,3}\d){4}")


def may_have_numbers(text: str) -> bool:
    """Whether a text has enough digits together for any of the numbers here: one look instead of five."""
    # The numbers of Italy and of India's PAN are mostly letters.
    return _FIVE_DIGITS.search(text) is not None or "PAN" in text or "iscale" in text


def _stands_behind(marks: str, text: str, begin: int) -> bool:
    """Whether a number goes on to the left. Patterns that look there themselves take twice as long to find nothing."""
    before = text[begin - 1] if begin else " "
    return before in marks or (before.isascii() and before.isalnum())


# --- what a number is called ---------------------------------------------------------------------------------------

_CALLED_OTHERWISE = re.compile(
    r"(?:order|invoice|ticket|tracking|serial|article|part|item|case|batch|lot|ref(?:erence)?|account|customer|bestell"
    r"|rechnung|kunden|artikel|auftrag|vorgang|sendung|zähler|zeichen|route|commande|facture|dossier|colis|série|lot|réf"
    r"|注文|伝票|会員|型番|品番|管理|追跡|製造|郵便)(?![^\s:\uff1a]*(?:hotline|phone|telefon|fax|service|support))[^\s:\uff1a]*(?:\s?(?:number|no\.?|nr\.?|id|n°|nummer|番号))?\s?[:\uff1a#°]?\s?\Z",
    re.IGNORECASE,
)
"""Right before a number: that it numbers something else."""


def numbers_something_else(text: str, begin: int) -> bool:
    """Whether the word before a number says that it is an order's, an invoice's or the like."""
    return _CALLED_OTHERWISE.search(text, max(0, begin - 32), begin) is not None


def is_near(words: re.Pattern[str], text: str, begin: int, end: int, *, after: int = 0) -> bool:
    """Whether one of these words stands before `text[begin:end]`, or within `after` characters behind it."""
    return bool(
        words.search(text, max(0, begin - 40), begin) or (after and words.search(text, end, end + after))
    )


# --- cards ------------------------------------------------------------------------------------------------------------

_CARD = re.compile(r"\d(?:[ -]?\d){11,18}(?!\w|[.,-]\d)", re.ASCII)
_ISSUED = re.compile(
    r"4\d{12}(?:\d{3}){0,2}|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}"
    r"|6(?:011|4[4-9]\d|5\d\d)\d{12,15}|35(?:2[89]|[3-8]\d)\d{12,15}|3(?:0[0-5]|[689]\d)\d{11,16}|62\d{14,17}"
    r"|(?:50[1-9]|5[6-9]\d|6[37]\d)\d{9,16}"
)
"""Visa, Mastercard, American Express, Discover, JCB, Diners Club, UnionPay, Maestro: first digits and lengths."""
_RARE = re.compile(r"\d{12,13}\Z|\d{17,19}\Z|5[0678]|6(?:0(?!11)|[37])")
"""Lengths and first digits that cards seldom have, and that other numbers have as well."""
_CALLED_CARD = re.compile(r"card|karte|carte|visa|master|amex|カード|paid|charge|bezahl", re.IGNORECASE)


def find_cards(text: str) -> Iterator[Span]:
    """Card numbers; one without groups is none where the word before it numbers something else."""
    for found in _CARD.finditer(text):
        if _stands_behind("._,+-", text, found.start()):
            continue
        digits = _plain(found[0])
        if not _ISSUED.fullmatch(digits) or len(set(digits)) < 2:
            continue
        if not library("stdnum.luhn").is_valid(digits):
            continue
        begin, end = found.span()
        ungrouped = len(digits) == len(found[0])
        numbered = numbers_something_else(text, begin)
        doubtful = numbered or (ungrouped and _RARE.match(digits) is not None)
        if doubtful and not is_near(_CALLED_CARD, text, begin, end):
            continue
        yield Span(begin, end, "credit-card")


# --- accounts ---------------------------------------------------------------------------------------------------------

_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?:[ \u00a0-]?[A-Za-z0-9]{1,4}){3,9}", re.ASCII)


def find_ibans(text: str) -> Iterator[Span]:
    """Bank account numbers with their country's length and a right checksum."""
    for found in _IBAN.finditer(text):
        begin, end = found.span()
        for stop in _ends(text, begin, end):
            if library("stdnum.iban").is_valid(_plain(text[begin:stop]), check_country=False):
                yield Span(begin, stop, "iban")
                break


def _ends(text: str, begin: int, end: int) -> Iterator[int]:
    """Where a number may end: words after it may look like more groups of it."""
    while end - begin >= 15:
        if end == len(text) or not (text[end].isascii() and text[end].isalnum()):
            yield end
        end -= 1


# --- identity numbers -------------------------------------------------------------------------------------------------

_SSN = re.compile(r"\d{3}([- ]?)\d{2}\1\d{4}(?![\w-])", re.ASCII)
_CALLED_SSN = re.compile(r"\bssn\b|\bsocial\b", re.IGNORECASE)


def find_us_ssns(text: str) -> Iterator[Span]:
    """Social security numbers with hyphens; without them only after words that say so."""
    for found in _SSN.finditer(text):
        if _stands_behind("._-", text, found.start()):
            continue
        digits = _plain(found[0])
        if not library("stdnum.us.ssn").is_valid(f"{digits[:3]}-{digits[3:5]}-{digits[5:]}"):
            continue
        if found[1] == "-" or is_near(_CALLED_SSN, text, *found.span(), after=24):
            yield Span(*found.span(), "us-ssn")


_NATIONAL: Final = tuple(
    (module, tuple(stems.split("|")), re.compile(rf"(?<![\w.-])(?:{form})(?![\w-])", re.ASCII))
    for module, form, stems in (
        ("br.cpf", r"\d{3}\.?\d{3}\.?\d{3}-?\d{2}", "cpf"),
        ("ca.sin", r"\d{3}[ -]?\d{3}[ -]?\d{3}", "sin:|sin |social insurance|assurance sociale"),
        ("ch.ssn", r"756\.?\d{4}\.?\d{4}\.?\d{2}", "ahv|avs"),
        ("cz.rc", r"\d{6}/?\d{3,4}", "rodné číslo|rodne cislo"),
        ("de.idnr", r"\d{2} ?\d{3} ?\d{3} ?\d{3}", "steuer|idnr|tax id"),
        ("es.dni", r"\d{8}[- ]?[A-Z]", "dni|nif"),
        ("es.nie", r"[XYZ][- ]?\d{7}[- ]?[A-Z]", "nie"),
        ("fi.hetu", r"\d{6}[-+A-FU-Y]\d{3}[0-9A-Y]", "henkil|hetu|personbeteckning"),
        ("fr.nir", r"[12] ?\d{2} ?\d{2} ?\d[\dAB] ?\d{3} ?\d{3}(?: ?\d{2})", "sécu|secu|nir"),
        ("gb.nhs", r"\d{3}[ -]?\d{3}[ -]?\d{4}", "nhs"),
        ("in_.aadhaar", r"\d{4}[ -]?\d{4}[ -]?\d{4}", "aadhaar|aadhar|आधार"),
        ("in_.pan", r"[A-Z]{5}\d{4}[A-Z]", "pan:|pan |pan-|permanent account"),
        ("it.codicefiscale", r"[A-Z]{6}\d{2}[A-Z]\d{2}[A-Z]\d{3}[A-Z]", "fiscale|c.f."),
        ("jp.in_", r"\d{4}[ -]?\d{4}[ -]?\d{4}", "マイナンバー|個人番号|my number"),
        ("nl.bsn", r"\d{9}|\d{4}\.\d{2}\.\d{3}", "bsn|burgerservice"),
        ("pl.pesel", r"\d{11}", "pesel"),
        ("se.personnummer", r"(?:19|20)?\d{6}[-+]?\d{4}", "personnummer|personnr"),
        ("us.itin", r"9\d{2}-?\d{2}-?\d{4}", "itin|taxpayer"),
        (
            None,
            r"[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z](?: ?\d{2}){3} ?[A-D]",
            "ni:|ni number|nino|national insurance",
        ),
    )
)
"""python-stdnum's module (None where a British number has no checksum), the words of which one must stand before it, how it is
written."""

_LIKE_AN_ID = re.compile(r"\d(?:[ ./-]?[0-9A-Z]){4,}")


def find_national_ids(text: str) -> Iterator[Span]:
    """Identity and tax numbers of some twenty countries, each after a word that says so."""
    near = "\n".join(text[max(0, at.start() - 56) : at.start()] for at in _LIKE_AN_ID.finditer(text)).lower()
    for module, stems, form in _NATIONAL:
        if not any(stem in near for stem in stems):
            continue
        for found in form.finditer(text):
            before = text[max(0, found.start() - 40) : found.start()].lower()
            if not any(stem in before for stem in stems):
                continue
            if module is None or library(f"stdnum.{module}").is_valid(found[0]):
                yield Span(*found.span(), "national-id")
