"""What can be redacted: the kinds, their groups, and the place of a finding in a text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from bedrock_distill.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["GROUPS", "KINDS", "Span", "read_kinds"]

KINDS: Final[Mapping[str, str]] = {
    "private-key": "a PEM or PGP private key, with its lines",
    "jwt": "a JSON Web Token",
    "aws-secret-key": "an AWS secret access key beside a name that says so",
    "aws-access-key": "the id of an AWS access key",
    "api-token": "a token in the form of its issuer: GitHub, GitLab, Slack, Stripe, OpenAI and some 400 more",
    "url-credentials": "user and password in a URL",
    "assigned-secret": "what follows `password:`, `api_key=`, `mot de passe :` and their like",
    "iban": "an international bank account number, by length and checksum",
    "credit-card": "a card number, by issuer, length and checksum",
    "email": "an e-mail address",
    "ip-address": "an IPv4 or IPv6 address",
    "us-ssn": "a US social security number",
    "national-id": "a national identity or tax number beside a word that says so, by checksum",
    "phone": "a telephone number, by its country's numbering plan",
}
"""Kind -> what it is. Where two findings are equally long, the kind that comes first here keeps the place."""

_SECRETS: Final = (
    "private-key",
    "jwt",
    "aws-secret-key",
    "aws-access-key",
    "api-token",
    "url-credentials",
    "assigned-secret",
)

GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "pii": tuple(kind for kind in KINDS if kind not in _SECRETS),
    "secrets": _SECRETS,
    "all": tuple(KINDS),
}
"""Names that stand for several kinds."""


class Span(NamedTuple):
    """Where something was found: `text[begin:end]`."""

    begin: int
    end: int
    kind: str


def read_kinds(names: Iterable[str]) -> tuple[str, ...]:
    """The kinds that names of kinds and groups stand for, each once, in the order of `KINDS`.

    Raises:
        SpecError: If a name is neither, or there is none.
    """
    wanted: set[str] = set()
    for name in names:
        if name not in GROUPS and name not in KINDS:
            raise SpecError(
                f"There is nothing called {name!r} to redact. Groups: {', '.join(GROUPS)}. Kinds: {', '.join(KINDS)}.",
                field="redact",
                value=name,
            )
        wanted.update(GROUPS.get(name, (name,)))
    if not wanted:
        raise SpecError(
            f"Nothing to redact was named. Groups: {', '.join(GROUPS)}. Kinds: {', '.join(KINDS)}.",
            field="redact",
        )
    return tuple(kind for kind in KINDS if kind in wanted)
