"""Finding what has a form of its own: addresses of mail and of the net, keys, and values that a name calls secret.

Every finder first looks for a few literal characters without which there is nothing to find: most texts have none of them,
and looking for a literal is some twenty times as fast as trying a pattern.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import json
import re
from typing import TYPE_CHECKING, Final

from bedrock_distill.records.curation.redaction_kinds import Span

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "find_aws_access_keys",
    "find_aws_secret_keys",
    "find_emails",
    "find_ip_addresses",
    "find_jwts",
    "find_private_keys",
    "find_url_credentials",
]

# --- e-mail -----------------------------------------------------------------------------------------------------------

_LATIN: Final = "A-Za-z0-9\u00c0-\u024f"
_LOCAL = re.compile(
    rf"(?:[{_LATIN}!#$%&'*+/=?^_`{{|}}~-]+(?:\.[{_LATIN}!#$%&'*+/=?^_`{{|}}~-]+)*\.?"
    # Names in other scripts stand close to the words around them, so only letters are taken.
    r"|[^\W\d_A-Za-z\u00c0-\u024f]{1,20})\Z"
)
_DOMAIN = re.compile(
    rf"(?:[{_LATIN}](?:[{_LATIN}-]{{0,62}})\.)+(?:xn--[A-Za-z0-9-]{{2,40}}|[A-Za-z]{{2,24}})"
)
_SPELT_OUT = re.compile(
    rf"(?<![{_LATIN}._-])[{_LATIN}._+-]{{1,64}} ?[(\[{{] ?at ?[)\]}}] ?[{_LATIN}-]+"
    rf"(?:(?: ?[(\[{{] ?dot ?[)\]}}] ?|\.)[{_LATIN}-]+)*(?: ?[(\[{{] ?dot ?[)\]}}] ?|\.)[A-Za-z]{{2,24}}",
    re.IGNORECASE,
)
_AT_SIGNS: Final = ("(at", "[at", "{at", "( at", "[ at", "(AT", "[AT")
_IN_USERINFO = re.compile(r"://[^\s/@]*:[^\s/@]*\Z")
_NOT_A_DOMAIN = frozenset({"png", "jpg", "jpeg", "gif", "webp", "svg", "ico", "css", "js"})
"""File types that no top-level domain is called: `logo@2x.png`."""


def find_emails(text: str) -> Iterator[Span]:
    """E-mail addresses, also `anna (at) example (dot) com`."""
    at = text.find("@")
    while at >= 0:
        local = _LOCAL.search(text, max(0, at - 64), at)
        domain = _DOMAIN.match(text, at + 1)
        if local and domain and _is_address(text, local.start(), at, domain.end()):
            opening = len(local[0]) - len(local[0].lstrip("'`{|/=*_"))
            yield Span(local.start() + opening, domain.end(), "email")
        at = text.find("@", at + 1)
    if any(at in text for at in _AT_SIGNS):
        yield from (Span(*found.span(), "email") for found in _SPELT_OUT.finditer(text))


def _is_address(text: str, begin: int, at: int, end: int) -> bool:
    if text[at + 1 : end].rpartition(".")[2].lower() in _NOT_A_DOMAIN:
        return False
    if text[begin:at] == "git" and text.startswith(":", end):
        return False  # git@github.com:owner/name.git
    return _IN_USERINFO.search(text, max(0, begin - 200), at) is None


# --- addresses of the net ---------------------------------------------------------------------------------------------

_IPV4 = re.compile(r"\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}(?![\w+]|\.\d|-\d)", re.ASCII)
_NOT_BEFORE_IPV4 = re.compile(r"[\w.+-]", re.ASCII)
_IPV6 = re.compile(
    r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]{1,4})(?![\w:])", re.ASCII
)
_NUMBERED = re.compile(
    r"(?:\b(?:v|ver|vers|version|release|rel|build|firmware|kernel|sdk|section|sect|chapter|chap|chapitre|kapitel|kap"
    r"|abschnitt|clause|article|artikel|figure|fig|table|tabelle|oid|update|upgrade)\b\.?:?|[§#]|バージョン|第|章|節|版)\s*\Z"
    r"|[A-Za-z]/\Z",
    re.IGNORECASE,
)
"""Before four numbers with dots that are no address: a version, a chapter, `Chrome/120.0.0.1`."""
_CALLED_IP = re.compile(
    r"\b(?:ip|ipv4|address|adresse|host|server|serveur|dns|ping|gateway|from|von|depuis)\b|アドレス",
    re.IGNORECASE,
)


def find_ip_addresses(text: str) -> Iterator[Span]:
    """IP addresses, but not loopback, unspecified, multicast or network masks, which belong to nobody."""
    for found in _IPV4.finditer(text):
        if _is_ipv4(found[0], text[max(0, found.start() - 24) : found.start()]):
            yield Span(*found.span(), "ip-address")
    if "::" in text or text.count(":") >= 7:
        for found in _IPV6.finditer(text):
            if _is_ipv6(found[0]):
                yield Span(*found.span(), "ip-address")


def _is_ipv4(text: str, before: str) -> bool:
    if _NOT_BEFORE_IPV4.match(before[-1:]):
        return False
    try:
        address = ipaddress.IPv4Address(text)
    except ValueError:
        return False
    if address.is_loopback or address.is_multicast or address.packed[0] in (0, 255):
        return False
    if _NUMBERED.search(before):
        return False
    # 1.2.3.4 is more often a chapter or a version than an address.
    return len(text) > 7 or _CALLED_IP.search(before) is not None


def _is_ipv6(text: str) -> bool:
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        return False
    groups = [group for group in text.split(":") if group]
    if address.is_loopback or address.is_unspecified or address.is_multicast:
        return False
    return (len(groups) >= 3 or "." in text) and any(map(str.isdigit, text))


# --- URLs -------------------------------------------------------------------------------------------------------------

_CREDENTIALS = re.compile(r"://([^\s/@:?#\"'<>]{0,100}:[^\s/@\"'<>]{1,200})@(?=[\w\[])")


def find_url_credentials(text: str) -> Iterator[Span]:
    """`user:password` in front of a URL's host."""
    if "://" not in text or "@" not in text:
        return
    for found in _CREDENTIALS.finditer(text):
        password = found[1].partition(":")[2]
        if not password.startswith(("$", "{", "%(", "*")):
            yield Span(found.start(1), found.end(1), "url-credentials")


# --- keys -------------------------------------------------------------------------------------------------------------

_PEM = re.compile(
    r"-----BEGIN (?P<what>[A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?)-----"
    r"(?:.{1,20000}?-----END (?P=what)-----"
    r"|(?:(?:\s|\\[rn])+(?:[A-Za-z0-9+/]{16,}={0,2}|[A-Za-z0-9+/]{1,15}={1,2}|[A-Za-z-]+: [^\n\\]+))*)",
    re.DOTALL,
)
_JWT = re.compile(r"(?<![\w.-])eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]{0,2000}(?![\w-])")
_AWS_ID = re.compile(r"(?<![A-Za-z0-9])(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}(?![A-Za-z0-9])")
_AWS_SECRET = re.compile(
    r"(?:aws.{0,20}?secret|secret.{0,3}access.{0,3}key|aws.{0,10}?sk\b).{0,40}?"
    r"(?<![A-Za-z0-9/+])(?P<value>[A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])",
    re.IGNORECASE | re.DOTALL,
)


def find_private_keys(text: str) -> Iterator[Span]:
    """Private keys from BEGIN to END, or to the end of the key's lines where END is missing."""
    if "PRIVATE KEY" in text:
        yield from (Span(*found.span(), "private-key") for found in _PEM.finditer(text))


def find_jwts(text: str) -> Iterator[Span]:
    """Tokens whose first part is a JSON header that names an algorithm."""
    if "eyJ" in text:
        for found in _JWT.finditer(text):
            if _has_algorithm(found[0].partition(".")[0]):
                yield Span(*found.span(), "jwt")


def _has_algorithm(part: str) -> bool:
    try:
        header = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return False
    return isinstance(header, dict) and "alg" in header


def find_aws_access_keys(text: str) -> Iterator[Span]:
    """Ids of AWS access keys."""
    if any(prefix in text for prefix in ("AKIA", "ASIA", "ABIA", "ACCA")):
        yield from (Span(*found.span(), "aws-access-key") for found in _AWS_ID.finditer(text))


def find_aws_secret_keys(text: str) -> Iterator[Span]:
    """Forty characters after a name that says AWS and secret. A Git hash has no capitals, and is none."""
    folded = text.lower()
    if "secret" not in folded and "aws" not in folded:
        return
    for found in _AWS_SECRET.finditer(text):
        value = found["value"]
        if any(map(str.isupper, value)) and any(map(str.islower, value)) and any(map(str.isdigit, value)):
            yield Span(found.start("value"), found.end("value"), "aws-secret-key")
