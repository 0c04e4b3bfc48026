"""S3 URIs and ARNs as values: parse, join, print. Nothing here talks to AWS."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bedrock_distill.errors import SpecError

__all__ = ["Arn", "S3Uri", "partition_of"]

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


@dataclass(frozen=True, slots=True, order=True)
class S3Uri:
    """A bucket and a key; the key may be empty (the bucket itself) or end in `/` (a prefix)."""

    bucket: str
    key: str = ""

    @classmethod
    def parse(cls, text: str | S3Uri) -> S3Uri:
        """Read `s3://bucket/key`.

        Raises:
            SpecError: If the scheme or the bucket's name is wrong.
        """
        if isinstance(text, S3Uri):
            return text
        scheme, separator, rest = text.partition("://")
        bucket, _, key = rest.partition("/")
        if scheme != "s3" or not separator or not _BUCKET.fullmatch(bucket):
            raise SpecError(
                f"{text!r} is not an S3 URI: expected s3://BUCKET/KEY, with a bucket of 3 to 63 lower-case "
                "letters, digits, dots and hyphens.",
                value=text,
            )
        return cls(bucket, key)

    def __truediv__(self, part: str) -> S3Uri:
        """Join one more part, with exactly one slash between; the URI is read as a folder."""
        base = self.key if not self.key or self.key.endswith("/") else self.key + "/"
        return S3Uri(self.bucket, base + part.lstrip("/"))

    @property
    def name(self) -> str:
        """The last part of the key."""
        return self.key.rstrip("/").rpartition("/")[2]

    @property
    def as_prefix(self) -> S3Uri:
        """The same URI, ending in a slash (the bucket itself stays as it is)."""
        return self if not self.key or self.key.endswith("/") else S3Uri(self.bucket, self.key + "/")

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True, slots=True, order=True)
class Arn:
    """An Amazon Resource Name: `arn:partition:service:region:account:resource`."""

    partition: str
    service: str
    region: str
    account: str
    resource: str
    """Everything after the fifth colon, such as `custom-model/amazon.nova-micro-v1:0:128k/abcdefghijkl`."""

    @classmethod
    def parse(cls, text: str | Arn) -> Arn:
        """Read an ARN.

        Raises:
            SpecError: If the text has fewer than six parts or does not begin with `arn:`.
        """
        if isinstance(text, Arn):
            return text
        parts = text.split(":", 5)
        if len(parts) != 6 or parts[0] != "arn" or not parts[1] or not parts[2] or not parts[5]:
            raise SpecError(
                f"{text!r} is not an ARN: expected arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE.", value=text
            )
        return cls(*parts[1:])

    @staticmethod
    def looks_like(text: str) -> bool:
        """Whether the text begins as an ARN does."""
        return text.startswith("arn:")

    @property
    def kind(self) -> str:
        """The resource's type: what comes before its first slash, or the whole where there is none."""
        return self.resource.partition("/")[0]

    @property
    def resource_id(self) -> str:
        """What follows the resource type's slash."""
        return self.resource.partition("/")[2]

    def __str__(self) -> str:
        return f"arn:{self.partition}:{self.service}:{self.region}:{self.account}:{self.resource}"


def partition_of(region: str) -> str:
    """The partition a region belongs to: `aws`, `aws-cn` or `aws-us-gov`."""
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"
