"""DetectPiiEntities, with this package's own patterns in the place of Comprehend's model."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from bedrock_distill.local.gateway.errors import AwsError
from bedrock_distill.records.curation.redaction_kinds import Span
from bedrock_distill.records.curation.redaction_placing import settle

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bedrock_distill.local.call import Call
    from bedrock_distill.local.world import World
    from bedrock_distill.records.curation.redaction import Redactor

__all__ = ["Comprehend"]

_MAX_BYTES: Final = 102_400
_LANGUAGES: Final = ("en", "es")
_TYPES: Final[Mapping[str, tuple[str, float]]] = {
    "aws-access-key": ("AWS_ACCESS_KEY", 0.9999),
    "aws-secret-key": ("AWS_SECRET_KEY", 0.99),
    "assigned-secret": ("PASSWORD", 0.95),
    "credit-card": ("CREDIT_DEBIT_NUMBER", 0.999),
    "email": ("EMAIL", 0.9999),
    "iban": ("INTERNATIONAL_BANK_ACCOUNT_NUMBER", 0.999),
    "ip-address": ("IP_ADDRESS", 0.99),
    "name": ("NAME", 0.9),
    "phone": ("PHONE", 0.99),
    "us-ssn": ("SSN", 0.99),
}
"""Kind -> Comprehend's type, and a score such as it gives."""
_INTRODUCED = re.compile(
    r"(?:\b[Mm]y name is|\bI am|\bMr\.?|\bMrs\.?|\bMs\.?|\bDr\.|\b[Mm]e llamo|\bSra?\.)\s+([A-Z][\w'-]+(?: [A-Z][\w'-]+){0,2})"
)


class Comprehend:
    """Finds what patterns find, and names that are introduced as such."""

    def __init__(self, world: World) -> None:
        del world  # nothing is kept

    def detect_pii_entities(self, call: Call) -> dict[str, Any]:
        """Entities with their offsets in characters, in the order of the text.

        Raises:
            AwsError: TextSizeLimitExceededException for more than 100 KB, UnsupportedLanguageException for a language in
                which Comprehend does not look for personal data.
        """
        text, language = call.params["Text"], call.params["LanguageCode"]
        size = len(text.encode("utf-8", "replace"))
        if size > _MAX_BYTES:
            raise AwsError(
                "TextSizeLimitExceededException",
                f"Input text size exceeds limit. Max length of request text allowed is {_MAX_BYTES} bytes while in "
                f"this request the text size is {size} bytes",
            )
        if language not in _LANGUAGES:
            raise AwsError(
                "UnsupportedLanguageException",
                f"Detected language {language} is not supported: {', '.join(_LANGUAGES)}.",
            )
        return {"Entities": [_entity(span) for span in settle(text, _find(text))]}


def _find(text: str) -> Iterator[Span]:
    yield from _redactor().find(text)
    for found in _INTRODUCED.finditer(text):
        yield Span(*found.span(1), "name")


def _entity(span: Span) -> dict[str, Any]:
    kind, score = _TYPES[span.kind]
    return {"Score": score, "Type": kind, "BeginOffset": span.begin, "EndOffset": span.end}


@cache
def _redactor() -> Redactor:
    from bedrock_distill.records.curation.redaction import Redactor  # noqa: PLC0415 - with its libraries, for who asks

    return Redactor([kind for kind in _TYPES if kind != "name"])
