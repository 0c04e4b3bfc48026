"""Redaction by Amazon Comprehend: names, addresses and more that no pattern finds, for money.

    redactor = ComprehendRedactor(session.clients, language="en")
    for record, counts in redactor.redact_records(records):
        ...
    print(redactor.cost_units)

Every text is sent to AWS. All texts of a record go in one request: Comprehend bills at least three units for each.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from bedrock_distill.errors import SpecError
from bedrock_distill.records.curation.redaction_kinds import Span
from bedrock_distill.records.curation.redaction_placing import (
    Style,
    check_style,
    redact_texts,
    redact_texts_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from concurrent.futures import Future

    from bedrock_distill.aws.clients import Clients
    from bedrock_distill.records.schema import Record

__all__ = ["COMPREHEND_KINDS", "LANGUAGES", "ComprehendRedactor", "cost_units"]

COMPREHEND_KINDS: Final[Mapping[str, str]] = {
    "ADDRESS": "address",
    "AGE": "age",
    "AWS_ACCESS_KEY": "aws-access-key",
    "AWS_SECRET_KEY": "aws-secret-key",
    "BANK_ACCOUNT_NUMBER": "bank-account",
    "BANK_ROUTING": "bank-routing",
    "CA_HEALTH_NUMBER": "national-id",
    "CA_SOCIAL_INSURANCE_NUMBER": "national-id",
    "CREDIT_DEBIT_CVV": "card-cvv",
    "CREDIT_DEBIT_EXPIRY": "card-expiry",
    "CREDIT_DEBIT_NUMBER": "credit-card",
    "DATE_TIME": "date-time",
    "DRIVER_ID": "driver-id",
    "EMAIL": "email",
    "INTERNATIONAL_BANK_ACCOUNT_NUMBER": "iban",
    "IN_AADHAAR": "national-id",
    "IN_NREGA": "national-id",
    "IN_PERMANENT_ACCOUNT_NUMBER": "national-id",
    "IN_VOTER_NUMBER": "national-id",
    "IP_ADDRESS": "ip-address",
    "LICENSE_PLATE": "license-plate",
    "MAC_ADDRESS": "mac-address",
    "NAME": "name",
    "PASSPORT_NUMBER": "passport",
    "PASSWORD": "assigned-secret",
    "PHONE": "phone",
    "PIN": "pin",
    "SSN": "us-ssn",
    "SWIFT_CODE": "bank-routing",
    "UK_NATIONAL_HEALTH_SERVICE_NUMBER": "national-id",
    "UK_NATIONAL_INSURANCE_NUMBER": "national-id",
    "UK_UNIQUE_TAXPAYER_REFERENCE_NUMBER": "national-id",
    "URL": "url",
    "US_INDIVIDUAL_TAX_IDENTIFICATION_NUMBER": "national-id",
    "USERNAME": "username",
    "VEHICLE_IDENTIFICATION_NUMBER": "vehicle-id",
}
"""Comprehend's types of entities -> kinds, which are those of `Redactor` where it knows them."""

LANGUAGES: Final = ("en", "es")
"""Languages in which Comprehend finds personal data; its other operations know more."""

_LEFT_ALONE: Final = frozenset({"age", "date-time", "url"})
"""Kinds that seldom tell who somebody is, and that training data would be the poorer without; ask for them by name."""

MAX_BYTES: Final = 100_000
"""UTF-8 bytes that one request may carry (100 KB in the API's reference)."""
_UNIT_CHARACTERS, _LEAST_UNITS = 100, 3
_BETWEEN: Final = "\n\n"
"""Between the texts of a record, so that one request serves them all."""


def cost_units(text: str) -> int:
    """Units that Comprehend bills for a request with this text: one for each 100 characters begun, three at least."""
    return max(_LEAST_UNITS, -(-len(text) // _UNIT_CHARACTERS))


class ComprehendRedactor:
    """Replaces what `DetectPiiEntities` finds. May be used by several threads.

    Args:
        clients: The account and region to ask.
        language: Language of the texts, one of `LANGUAGES`.
        kinds: Which of the kinds in `COMPREHEND_KINDS` to replace. Default: all but age, date-time and url.
        style: What stands in place of a finding, as for `Redactor`.
        seed: Key of the hashes.
        min_score: Findings that Comprehend is less sure of stay.

    Raises:
        SpecError: If there is no such language, kind or style, or the score is not between 0 and 1.
    """

    def __init__(
        self,
        clients: Clients,
        *,
        language: str = "en",
        kinds: Iterable[str] | None = None,
        style: Style = "label",
        seed: int = 0,
        min_score: float = 0.5,
    ) -> None:
        check_style(style)
        _check_known("language", [language], LANGUAGES)
        known = tuple(dict.fromkeys(COMPREHEND_KINDS.values()))
        wanted = (kinds,) if isinstance(kinds, str) else kinds
        self.kinds = frozenset(known) - _LEFT_ALONE if wanted is None else frozenset(wanted)
        _check_known("kinds", self.kinds, known)
        if not 0 <= min_score <= 1:
            raise SpecError(
                f"A score lies between 0 and 1, and min_score={min_score} does not.",
                field="min_score",
                value=min_score,
            )
        self._clients, self._language = clients, language
        self._style, self._seed, self._min_score = style, seed, min_score
        self._lock = threading.Lock()
        self._cost_units = self._requests = 0

    @property
    def cost_units(self) -> int:
        """Units of 100 characters that were sent so far, as Comprehend bills them; retries are not counted."""
        return self._cost_units

    @property
    def requests(self) -> int:
        """Requests that were answered so far."""
        return self._requests

    def redact(self, text: str) -> tuple[str, Counter[str]]:
        """The text with every finding replaced, and how many there were of each kind.

        Raises:
            ServiceError: If AWS refused the request or did not answer.
        """
        (redacted,), counts = self._redact([text])
        return redacted, counts

    def redact_record(self, record: Record) -> tuple[Record, Counter[str]]:
        """The record with every finding replaced in all its texts, numbered together; itself if there is none.

        Raises:
            ServiceError: If AWS refused the request or did not answer.
        """
        return redact_texts_of(record, self._redact)

    def redact_records(
        self, records: Iterable[Record], *, concurrency: int = 8
    ) -> Iterator[tuple[Record, Counter[str]]]:
        """Redact many records, some at a time, in their order.

        Args:
            records: Read as they are needed: never more than twice `concurrency` are under way.
            concurrency: Requests at a time. An account has a quota of requests a second; those over it are tried again.

        Raises:
            ServiceError: If AWS refused a request or did not answer. Records under way are dropped.
        """
        if concurrency < 1:
            raise SpecError(
                f"At least one request has to be under way, not concurrency={concurrency}.",
                field="concurrency",
                value=concurrency,
            )
        pool = ThreadPoolExecutor(concurrency, thread_name_prefix="comprehend")
        under_way: deque[Future[tuple[Record, Counter[str]]]] = deque()
        try:
            for record in records:
                under_way.append(pool.submit(self.redact_record, record))
                if len(under_way) >= 2 * concurrency:
                    yield under_way.popleft().result()
            while under_way:
                yield under_way.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)

    def _redact(self, texts: list[str]) -> tuple[list[str], Counter[str]]:
        # A second look costs as much as the first.
        return redact_texts(texts, self._find, style=self._style, seed=self._seed, again=False)

    def _find(self, texts: list[str]) -> list[list[Span]]:
        whole = _BETWEEN.join(texts)
        spans = [span for begin, end in _pieces(whole) for span in self._ask(whole[begin:end], begin)]
        found, begin = [], 0
        for text in texts:
            end = begin + len(text)
            inside = [span for span in spans if begin <= span.begin and span.end <= end]
            found.append([Span(span.begin - begin, span.end - begin, span.kind) for span in inside])
            begin = end + len(_BETWEEN)
        return found

    def _ask(self, text: str, offset: int) -> list[Span]:
        if not text.strip():
            return []
        answer = self._clients.call(
            "comprehend", "detect_pii_entities", Text=text, LanguageCode=self._language
        )
        with self._lock:
            self._cost_units += cost_units(text)
            self._requests += 1
        return [
            Span(offset + entity["BeginOffset"], offset + entity["EndOffset"], kind)
            for entity in answer["Entities"]
            if (kind := COMPREHEND_KINDS.get(entity["Type"], "")) in self.kinds
            and entity["Score"] >= self._min_score
        ]


def _check_known(field: str, given: Iterable[str], known: tuple[str, ...]) -> None:
    for each in given:
        if each not in known:
            raise SpecError(
                f"Comprehend's search for personal data has no {field} {each!r}; use {', '.join(known)}.",
                field=field,
                value=each,
            )


def _pieces(text: str) -> Iterator[tuple[int, int]]:
    """Begin and end of pieces that fit a request, cut between paragraphs, lines, sentences or words where there are any."""
    begin = 0
    while begin < len(text):
        end = begin + _fitting(text[begin : begin + MAX_BYTES])
        if end < len(text):
            cuts = (text.rfind(mark, begin + 1, end) + len(mark) for mark in ("\n\n", "\n", ". ", "。", " "))
            # A cut in the first half would make many small pieces.
            end = next((cut for cut in cuts if cut > (begin + end) // 2), end)
        yield begin, end
        begin = end


def _fitting(text: str) -> int:
    """How many characters from the beginning fit a request."""
    return len(text.encode("utf-8", "replace")[:MAX_BYTES].decode("utf-8", "ignore"))
