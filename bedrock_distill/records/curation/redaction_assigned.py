"""Finding values that a name calls secret: `password: …`, `api_key=…`, `Authorization: Bearer …`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from bedrock_distill.records.curation.redaction_kinds import Span

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["find_assigned_secrets"]

_STEMS: Final = (
    "pass",
    "pwd",
    "pw",
    "secret",
    "token",
    "key",
    "credential",
    "kennwort",
    "mdp",
    "contrase",
    "senha",
    "パスワード",
)
"""Where a name may begin to say what it holds; looked for in lower case."""

_OF_LOGINS: Final = (
    r"passw(?:or[dt])|passwd|pass(?:phrase|code)|(?<!\w)pwd?\b|(?<=[a-z_-])pwd\b|(?<![A-Za-z])pass(?![A-Za-z])|(?<=mot de )passe"
    r"|kennwort|(?<!\w)mdp|contrase[ñn]a|senha|パスワード"
)
_OF_KEYS: Final = (
    r"secret(?:[ _-]?(?:access[ _-]?)?key)?|token|credential|(?:(?<=api)|(?<=auth)|(?<=access)|(?<=account)|(?<=encryption)|(?<=signing)"
    r"|(?<=private)|(?<=service)|(?<=client)|(?<=master)|(?<=api[ _-])|(?<=auth[ _-])|(?<=access[ _-])|(?<=account[ _-])"
    r"|(?<=encryption[ _-])|(?<=signing[ _-])|(?<=private[ _-])|(?<=service[ _-])|(?<=client[ _-])|(?<=master[ _-]))key"
)
_IS_GIVEN: Final = r"\s{0,3}(?::=|=>|={1,3}|[:\uff1a\uff1d])\s{0,3}"
_IS_SAID: Final = r"\s{1,2}(?:is|was|lautet|ist|war|est|es)(?:\s?:)?\s{1,2}|は\s?|が\s?"
_ASSIGNED = re.compile(
    rf"(?:(?P<password>{_OF_LOGINS})|(?:{_OF_KEYS}))(?P<suffix>[A-Za-z0-9_-]{{0,24}})"
    rf"[\"'`\])]{{0,2}}(?:{_IS_GIVEN}|{_IS_SAID}|(?:(?<=password)|(?<=asswort)|(?<=-key))\s(?=\S*\d))"
    r"(?:(?P<quote>[\"'`])(?P<quoted>[^\"'`\n]{4,300})(?P=quote)|(?P<bare>[^\s\"'`\uff0c\u3001\u3002「」]{5,300}))",
    re.IGNORECASE,
)
_HEADER = re.compile(
    r"\b(?:authorization[\"']?\s?[:=]\s?[\"']?(?:bearer|basic|token)|bearer)\s+(?P<value>[A-Za-z0-9._~+/-]{8,2000}=*)",
    re.IGNORECASE,
)
_NOT_ITSELF = re.compile(
    r"[_-]?(?:names?|refs?|ids?|urls?|uri|paths?|files?|type|policy|field|length|limit|count|reset|expir\w*|ttl|arn|label"
    r"|hint|izer|ize|ized|izers|size|usage|budget|s)\Z",
    re.IGNORECASE,
)
"""How names end that speak of a secret and do not hold one: `secret_name`, `token_limit`, `passwords`."""
_COUNTS = re.compile(
    r"(?<![a-z])(?:next|page|continuation|request|max|min|num|total|eos|bos|pad|unk|mask)[_-]?\Z",
    re.IGNORECASE,
)
"""Before `token`: that it is a place in a list, or a piece of text."""
_STAND_IN = re.compile(
    r"\A(?:\$[\w{(].*[})]|\$[A-Z_]+|\{.*|<.*|\[.*|\(.*\)|%\(?\w*\)?s?|(?P<one>.)(?P=one)*|[\d.,:/-]{1,5}|[~.]*/[\w./-]*"
    r"|[\w.]+[(\[].*[)\]]|(?:null|none|true|false|undefined)\W*)\Z"
    r"|\byour|change.?me|placeholder|redacted|getenv|environ\b|process\.env|://|\*{3}|•{3}|x{6}|\.{3}",
    re.IGNORECASE | re.DOTALL,
)
"""What stands where a secret would: a variable, a mask, a path, a call, a word that says what belongs there."""
_NEXT_ONE = re.compile(r"[,;&]\s*[\w-]+\s*[=:]|[,;]\Z|</")
"""Where a value without quotes ends, if it does not end with a blank."""
_BRACKETS: Final = {")": "(", "]": "[", "}": "{", ">": "<"}
_DOTTED_NAME = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+\Z")
_MARKS: Final = frozenset("!@#$%^&*+=?~|\\§€£")


def find_assigned_secrets(text: str) -> Iterator[Span]:
    """Values of names that say password, secret, token or key, unless they are stand-ins or plain words."""
    folded = _folded(text)
    if "bearer" in folded or "authorization" in folded:
        for found in _HEADER.finditer(text):
            if any(map(str.isdigit, found["value"])):
                yield Span(found.start("value"), found.end("value"), "assigned-secret")
    for stem in _STEMS:
        begin = folded.find(stem)
        while begin >= 0:
            named = _ASSIGNED.match(text, begin)
            if named is not None and (span := _value_of(named)) is not None:
                yield span
            begin = folded.find(stem, begin + 1)


def _folded(text: str) -> str:
    """The text in lower case, at the same places."""
    folded = text.lower()
    if len(folded) == len(text):
        return folded
    return "".join(low if len(low := each.lower()) == 1 else each for each in text)


def _value_of(found: re.Match[str]) -> Span | None:
    before = found.string[max(0, found.start() - 16) : found.start()]
    if _NOT_ITSELF.search(found["suffix"]) or _COUNTS.search(before):
        return None
    quoted = found["quote"] is not None
    group = "quoted" if quoted else "bare"
    value = found[group] if quoted else _ended(found[group])
    if not _is_secret(value, password=found["password"] is not None, quoted=quoted):
        return None
    return Span(found.start(group), found.start(group) + len(value), "assigned-secret")


def _ended(value: str) -> str:
    """A value without quotes, without what belongs to the sentence or the list that it stands in."""
    if end := _NEXT_ONE.search(value):
        value = value[: end.start()]
    value = value.rstrip(".,:;")
    while value and (opening := _BRACKETS.get(value[-1])) and opening not in value:
        value = value[:-1].rstrip(".,:;")
    return value


def _is_secret(value: str, *, password: bool, quoted: bool) -> bool:
    if _STAND_IN.search(value) or _DOTTED_NAME.match(value):
        return False
    letters, digits = any(map(str.isalpha, value)), any(map(str.isdigit, value))
    if not password:
        return letters and digits and len(value) >= 12 and not any(map(str.isspace, value))
    if quoted and len(value) >= 8 and " " not in value:
        return True
    if digits:
        return len(value) >= 6 or (letters and len(value) >= 5)
    return len(value) >= 6 and any(mark in value[1:] for mark in _MARKS)
