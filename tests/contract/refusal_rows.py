"""What the tables of refusals are made of: bad inputs, how they are refused, and values that recur. Loaded by path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

ACCOUNT = "123456789012"
TEACHER, MICRO = "amazon.nova-pro-v1:0", "amazon.nova-micro-v1:0:128k"
CODES = INVALID, ABSENT, CONFLICT, DENIED, TOO_MANY = (
    "ValidationException",
    "ResourceNotFoundException",
    "ConflictException",
    "AccessDeniedException",
    "TooManyTagsException",
)
PATTERN = "regular expression pattern"
UNREADABLE = "Could not validate GetObject permissions to access Amazon S3 bucket"
REMOVED = ...
"""Stands for a parameter that is left out: one object, however often this file is loaded."""
WEST = {"region": "us-west-2"}
MANY_TAGS = [{"key": f"k{n}", "value": ""} for n in range(51)]


def arn(kind, token="abcdefghijkl", region="us-east-1"):
    return f"arn:aws:bedrock:{region}:{ACCOUNT}:{kind}/{token}"


def role(name):
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"


NO_CUSTOM, NO_JOB = (arn(f"{kind}/{MICRO}") for kind in ("custom-model", "model-customization-job"))


@dataclass(frozen=True)
class Row:
    """One bad input: what is changed in a request that works, and how it is refused."""

    operation: str
    change: dict[str, Any]
    """Dotted path -> value, or `REMOVED`. A text may be one of the stage's names: `{job}`, `{model}`, `{llama}`."""
    code: str = INVALID
    says: str = ""
    region: str = "us-east-1"

    def __str__(self) -> str:
        shown = ",".join(
            f"{path}={'-' if value is REMOVED else value!r:.40}" for path, value in self.change.items()
        )
        return f"{self.operation}:{shown or self.region}"


def rows(tables):
    """The rows of tables of (change, code, words, region if not the usual one), by operation."""
    return [
        Row(operation, change, *rest[:2], **(rest[2] if len(rest) > 2 else {}))
        for operation, table in tables.items()
        for change, *rest in table
    ]


PAGED = (
    ({"maxResults": 0}, INVALID, "greater than or equal to 1"),
    ({"maxResults": 1001}, INVALID, "less than or equal to 1000"),
    ({"maxResults": "ten"}, INVALID, ""),
    ({"nextToken": "nonsense"}, INVALID, "nextToken is invalid"),
    ({"nextToken": "with space"}, INVALID, PATTERN),
    ({"sortBy": "Name"}, INVALID, "enum value set"),
    ({"sortOrder": "Up"}, INVALID, "enum value set"),
    ({"nameContains": ""}, INVALID, "greater than or equal to 1"),
    ({"nameContains": "n" * 64}, INVALID, "less than or equal to 63"),
    ({"nameContains": "no spaces"}, INVALID, PATTERN),
)
"""Rows of every operation that lists."""
