"""Redaction: personal data and secrets out of training records, on this machine.

    redactor = Redactor(("pii", "secrets"))
    record, counts = redactor.redact_record(record)

A record's texts are redacted together: the same address is `[EMAIL_1]` in the prompt and in the completion, so that a student
still learns that the one answers the other. Names, postal addresses and what people tell about themselves are not found; no
pattern tells them. `aws.comprehend.ComprehendRedactor` finds some of that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from bedrock_distill.errors import SpecError
from bedrock_distill.records.curation import redaction_assigned as assigned
from bedrock_distill.records.curation import redaction_numbers as numbers
from bedrock_distill.records.curation import redaction_phones as phones
from bedrock_distill.records.curation import redaction_text as forms
from bedrock_distill.records.curation import redaction_tokens as tokens
from bedrock_distill.records.curation.redaction_kinds import GROUPS, KINDS, Span, read_kinds
from bedrock_distill.records.curation.redaction_placing import (
    STYLES,
    Style,
    check_style,
    redact_texts,
    redact_texts_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from bedrock_distill.records.schema import Record

__all__ = [
    "GROUPS",
    "KINDS",
    "STYLES",
    "InTurn",
    "Redaction",
    "Redactor",
    "Redacts",
    "Span",
    "parse_redaction",
]

DEFAULT_REGIONS: Final = ("US", "GB", "DE", "FR", "JP")
"""Whose national ways of writing telephone numbers are known unless others are named."""

COMPREHEND: Final = "comprehend"
"""What `--redact` calls Amazon Comprehend."""


_CHECKED: Final = frozenset({"iban", "credit-card", "us-ssn", "national-id"})


class Redacts(Protocol):
    """Whatever redacts records: `Redactor` here, `ComprehendRedactor` at AWS."""

    def redact(self, text: str) -> tuple[str, Counter[str]]:
        """The text with every finding replaced, and how many there were of each kind."""
        ...

    def redact_record(self, record: Record) -> tuple[Record, Counter[str]]:
        """The record with every finding replaced, and how many there were of each kind."""
        ...


class Redactor:
    """Replaces what it finds. Holds nothing of the texts, can be pickled, and may be used by several threads.

    Args:
        kinds: Kinds and groups of them: see `KINDS` and `GROUPS`.
        style: What stands in place of a finding: `label` (`[EMAIL_1]`, numbered anew in each record), `hash`
            (`[EMAIL_5f0c…]`, the same for the same value in all records and runs with this seed) or `remove` (nothing).
        seed: Key of the hashes. Telephone numbers are few enough to be tried out by whoever knows it.
        regions: ISO codes of the countries whose national telephone numbers, without a country code, are looked for.

    Raises:
        SpecError: If there is no such kind, style or region.
        MissingDependencyError: If a kind needs a library that is not installed.
    """

    def __init__(
        self,
        kinds: Iterable[str] = ("pii", "secrets"),
        *,
        style: Style = "label",
        seed: int = 0,
        regions: Iterable[str] = DEFAULT_REGIONS,
    ) -> None:
        check_style(style)
        self.kinds = read_kinds((kinds,) if isinstance(kinds, str) else kinds)
        self.style: Style = style
        self.seed = seed
        if "api-token" in self.kinds:
            tokens.need_rules()
        if not _CHECKED.isdisjoint(self.kinds):
            numbers.need_checksums()
        self.regions = phones.read_regions(regions) if "phone" in self.kinds else tuple(regions)
        self._finders, self._number_finders = _finders(self.kinds, self.regions)

    def __reduce__(self) -> tuple[object, ...]:
        """Only the settings cross process borders."""
        return partial(Redactor, style=self.style, seed=self.seed, regions=self.regions), (self.kinds,)

    def __repr__(self) -> str:
        return f"Redactor({self.kinds!r}, style={self.style!r}, seed={self.seed}, regions={self.regions!r})"

    def find(self, text: str) -> list[Span]:
        """Everything of these kinds in a text, overlaps included."""
        finders = self._finders
        if self._number_finders and numbers.may_have_numbers(text):
            finders = [*finders, *self._number_finders]
        return [span for finder in finders for span in finder(text)]

    def redact(self, text: str) -> tuple[str, Counter[str]]:
        """The text with every finding replaced, and how many there were of each kind."""
        (redacted,), counts = self._redact([text])
        return redacted, counts

    def redact_record(self, record: Record) -> tuple[Record, Counter[str]]:
        """The record with every finding replaced in all its texts, numbered together; itself if there is none."""
        return redact_texts_of(record, self._redact)

    def _redact(self, texts: list[str]) -> tuple[list[str], Counter[str]]:
        return redact_texts(texts, lambda each: [*map(self.find, each)], style=self.style, seed=self.seed)


class InTurn:
    """Several redactors, one after the other: what one has replaced, the next sees no more."""

    def __init__(self, redactors: Sequence[Redacts]) -> None:
        self._redactors = tuple(redactors)

    def redact(self, text: str) -> tuple[str, Counter[str]]:
        """The text with every finding replaced, and how many there were of each kind."""
        counts: Counter[str] = Counter()
        for each in self._redactors:
            text, found = each.redact(text)
            counts += found
        return text, counts

    def redact_record(self, record: Record) -> tuple[Record, Counter[str]]:
        """The record with every finding replaced, and how many there were of each kind."""
        counts: Counter[str] = Counter()
        for each in self._redactors:
            record, found = each.redact_record(record)
            counts += found
        return record, counts


class Redaction(NamedTuple):
    """What `--redact` asks for."""

    redactor: Redactor | None
    """What is redacted on this machine."""
    comprehend: bool
    """Whether Amazon Comprehend is to look at what is left."""


def parse_redaction(text: str) -> Redaction:
    """Read `pii,secrets`, `email,phone` or `comprehend,secrets`.

    Raises:
        SpecError: If a name is neither a kind nor a group, or there is none.
    """
    names = [name.strip().lower() for name in text.split(",") if name.strip()]
    local = [name for name in names if name != COMPREHEND]
    try:
        redactor = Redactor(local) if local or not names else None
    except SpecError as error:
        raise SpecError(
            f"{error} {COMPREHEND!r} asks Amazon Comprehend. Write them with commas between: pii,secrets.",
            field="redact",
            value=text,
        ) from error
    return Redaction(redactor, COMPREHEND in names)


_Finder = Callable[[str], "Iterator[Span]"]


def _finders(kinds: tuple[str, ...], regions: tuple[str, ...]) -> tuple[list[_Finder], list[_Finder]]:
    """The functions that find these kinds: those for any text, and those for texts that may have long numbers."""
    found: Mapping[str, _Finder] = {
        "private-key": forms.find_private_keys,
        "jwt": forms.find_jwts,
        "aws-secret-key": forms.find_aws_secret_keys,
        "aws-access-key": forms.find_aws_access_keys,
        "api-token": tokens.find_api_tokens,
        "url-credentials": forms.find_url_credentials,
        "assigned-secret": assigned.find_assigned_secrets,
        "email": forms.find_emails,
        "ip-address": forms.find_ip_addresses,
    }
    in_numbers: Mapping[str, _Finder] = {
        "iban": numbers.find_ibans,
        "credit-card": numbers.find_cards,
        "us-ssn": numbers.find_us_ssns,
        "national-id": numbers.find_national_ids,
        "phone": partial(phones.find_phones, regions=regions),
    }
    return [found[kind] for kind in kinds if kind in found], [
        in_numbers[kind] for kind in kinds if kind in in_numbers
    ]
