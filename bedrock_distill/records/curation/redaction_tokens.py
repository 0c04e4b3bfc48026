"""Finding tokens in the form of their issuers, with Kingfisher's rules. The only file that knows Kingfisher.

Issuers change their forms, and there are hundreds: MongoDB keeps the rules, and scans a text with all of them in one pass.
Kingfisher can also ask issuers whether a token is alive; nothing here does, and scanning never uses the network.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from bedrock_distill.errors import MissingDependencyError
from bedrock_distill.records.curation.redaction_kinds import Span

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["find_api_tokens", "need_rules"]

_NO_TOKEN = re.compile(
    r"(?:betterleaks\.(?:private-key|jwt|aws-access-token|aws-secret-access-key|generic-credential-uri|mongodb-connection-string)"
    r"|.*-(?:client|tenant|account|app|application|cloud-key|planetscale|access|service-account|auth|key)-id"
    r"|.*-(?:host|domain|address|username|account-name|cloud-name|token-name|repository|instance-url|project-url|rest-url|jfrog-url)"
    r"|.*-pub(?:lic)?-.*)(?:\.\d)?\Z"
)
"""Rules that find what other kinds find, or the names and places that go with a secret rather than the secret."""
_MORE = re.compile(
    r"(?<![A-Za-z0-9_])(?:(?:sk|rk)_test_[A-Za-z0-9]{16,255}"  # Stripe, test mode
    r"|\d{8,10}:AA[A-Za-z0-9_-]{33}"  # Telegram
    r"|tskey-[a-z]+-[A-Za-z0-9]{8,32}-[A-Za-z0-9]{16,64}"  # Tailscale
    r")(?![A-Za-z0-9_-])"
)
"""Forms that are unmistakable, and that Kingfisher takes only beside their issuer's name or not at all."""


def need_rules() -> None:
    """Make sure that Kingfisher is there, without waiting for its rules.

    Raises:
        MissingDependencyError: If it is not installed.
    """
    if find_spec("kingfisher_sdk") is None:
        raise MissingDependencyError(
            "Redacting api-token needs kingfisher-secret-scanner, which is not installed. "
            "Install it with: pip install 'bedrock-distill[curate]'",
            extra="curate",
        )


@cache
def _scanner() -> Any:
    """Kingfisher with its own rules: seconds to compile them the first time on a machine, then 0.2 s from its cache."""
    need_rules()
    import kingfisher_sdk  # noqa: PLC0415 - only for whoever looks for tokens

    return kingfisher_sdk.Scanner(kingfisher_sdk.Rules(), base64=False)


def find_api_tokens(text: str) -> Iterator[Span]:
    """Tokens of GitHub, GitLab, Slack, Stripe, OpenAI, Google and several hundred others."""
    data = text.encode("utf-8", "surrogatepass")
    for finding in _scanner().scan(data):
        if _NO_TOKEN.search(finding.rule_id):
            continue
        secret = finding.secret.encode("utf-8", "surrogatepass")
        begin = finding.location["start_offset"]
        if data[begin : begin + len(secret)] != secret:
            begin = data.find(secret)  # what it scanned was not byte for byte what it was given
        if secret and begin >= 0:
            start = begin if text.isascii() else len(data[:begin].decode("utf-8", "surrogatepass"))
            yield Span(start, start + len(finding.secret), "api-token")
    if "_test_" in text or ":AA" in text or "tskey-" in text:
        yield from (Span(*found.span(), "api-token") for found in _MORE.finditer(text))
