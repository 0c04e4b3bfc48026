"""Rules for single fields of specs, stated in the user's words. Each takes a value and returns it, or raises ValueError.

AWS's own model states most of them too, and every request is held against it; but there the field has AWS's name, the
rule is a pattern, and the data has been read by then.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bedrock_distill.catalog import IdKind, read_model_id
from bedrock_distill.uris import S3Uri

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "check_key",
    "check_log_source",
    "check_model_name",
    "check_output",
    "check_role",
    "check_student",
    "check_tags",
    "check_teacher",
    "is_key_arn",
]

_FOLDER = re.compile(r"(?:[-!_*'().a-z0-9A-Z]+/)*")
"""Keys of folders as customization jobs take them (botocore's model, `S3Uri`)."""

_OUTPUT_CHARACTERS = 1024 - len("staged/0123456789abcdef-") - 255
"""What an output may have, so that a staged file of the longest name a disk allows fits into S3's 1024."""

_URI_CHARACTERS = 1024
"""What a URI in a request may have (botocore's model, `S3Uri`)."""

_ROLE = re.compile(r"arn:aws(-[^:]+)?:iam::[0-9]{12}:role/.+")
_MODEL_NAME = re.compile(r"([0-9a-zA-Z][_-]?){1,63}")
_KEY = re.compile(
    r"arn:aws(-[^:]+)?:kms:[a-z0-9-]+:[0-9]{12}:(key/[a-zA-Z0-9-]{36}|alias/[a-zA-Z0-9_/-]+)"
    r"|[a-zA-Z0-9-]{36}|alias/[a-zA-Z0-9_/-]+"
)
_KEY_ARN = re.compile(r"arn:aws(-[^:]+)?:kms:[a-z0-9-]+:[0-9]{12}:key/[a-zA-Z0-9-]{36}")
_TAG = re.compile(r"[a-zA-Z0-9\s._:/=+@-]*")

_OUR_TAGS = 2
_MAX_TAGS = 50 - _OUR_TAGS
"""AWS allows 50 on a job, a model or a role; two are this package's own."""

_STUDENTS: tuple[IdKind, ...] = ("foundation", "name")
_TEACHERS: tuple[IdKind, ...] = ("foundation", "profile", "name")
"""`name` is what the catalog cannot read: perhaps newer than it, so the plan decides."""


def check_output(value: str) -> str:
    """An S3 folder that a job can write to, with a slash at its end."""
    folder = S3Uri.parse(value).as_prefix
    if not _FOLDER.fullmatch(folder.key):
        raise ValueError(
            "Bedrock takes folders of letters, digits and - _ . ! * ' ( ) only, with single slashes between them "
            "(no spaces, no '=' as in dt=2026-01-01)"
        )
    if len(str(folder)) > _OUTPUT_CHARACTERS:
        raise ValueError(f"is too long: at most {_OUTPUT_CHARACTERS} characters")
    return str(folder)


def check_log_source(value: str) -> str:
    """An S3 prefix of invocation logs, with a slash at its end; or one object, packed with gzip."""
    found = S3Uri.parse(value)
    folder = found if found.key.endswith(".gz") else found.as_prefix
    if not _FOLDER.fullmatch(folder.as_prefix.key) or len(str(folder)) > _URI_CHARACTERS:
        raise ValueError(
            "Bedrock takes prefixes of letters, digits and - _ . ! * ' ( ) only, with single slashes between them, and "
            f"at most {_URI_CHARACTERS} characters (no spaces, no '=' as in dt=2026-01-01)"
        )
    return str(folder)


def check_student(value: str) -> str:
    """A model that can be customized."""
    if read_model_id(value).kind not in _STUDENTS:
        raise ValueError(
            "must be the id or ARN of a foundation model; customized models are not distilled into"
        )
    return _not_empty(value)


def check_teacher(value: str) -> str:
    """A model that a job can ask."""
    if read_model_id(value).kind not in _TEACHERS:
        raise ValueError(
            "must be the id or ARN of a foundation model or of a system inference profile (such as us.…); "
            "Bedrock takes no other teachers"
        )
    return _not_empty(value)


def check_role(value: str | None) -> str | None:
    """The ARN of an IAM role."""
    if value is not None and not _ROLE.fullmatch(value):
        raise ValueError("must be a role's own ARN, arn:aws:iam::ACCOUNT:role/NAME, not that of a session")
    return value


def check_model_name(value: str | None) -> str | None:
    """A custom model's name."""
    if value is not None and (len(value) > 63 or not _MODEL_NAME.fullmatch(value)):
        raise ValueError("must be 1 to 63 letters and digits with single '-' or '_' between them")
    return value


def check_key(value: str | None) -> str | None:
    """A KMS key by id, alias or ARN."""
    if value is not None and not _KEY.fullmatch(value):
        raise ValueError("must be a KMS key's ARN, its 36-character id, or alias/NAME")
    return value


def is_key_arn(value: str) -> bool:
    """Whether this is the ARN of a key: IAM policies take nothing else, aliases' ARNs included."""
    return _KEY_ARN.fullmatch(value) is not None


def check_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Tags that Bedrock and IAM both take, and that leave this package's own alone."""
    if len(tags) > _MAX_TAGS:
        raise ValueError(f"{len(tags)} tags: at most {_MAX_TAGS}, beside the {_OUR_TAGS} that are added")
    for key, value in tags.items():
        if not 1 <= len(key) <= 128 or len(value) > 256:
            raise ValueError(f"{key!r}: a key has 1 to 128 characters, a value at most 256")
        if not _TAG.fullmatch(key) or not _TAG.fullmatch(value):
            raise ValueError(f"{key!r}: only letters (a to z), digits, spaces and . _ : / = + @ - are taken")
        if key.lower().startswith("aws:") or key.split(":")[0] == "bedrock-distill":
            raise ValueError(f"{key!r}: the prefixes 'aws:' and 'bedrock-distill' are reserved")
    return dict(tags)


def _not_empty(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be empty")
    return value
