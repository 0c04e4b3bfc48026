"""Looking before planning: everything a distillation's planner wants to know, read and never written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bedrock_distill.aws import BucketState, ObjectStore, RoleState
from bedrock_distill.catalog import Catalog, Model, read_model_id
from bedrock_distill.errors import AccessDeniedError, StalePlanError
from bedrock_distill.plan import fingerprint_of
from bedrock_distill.records.checking import CheckReport, check_file
from bedrock_distill.records.digest import FileDigest, digest_file
from bedrock_distill.records.rules import rules_for
from bedrock_distill.resources.attempts import latest_attempt
from bedrock_distill.resources.data import InvocationLogs, Prompts, stamp
from bedrock_distill.resources.log_survey import FoundLogs, find_logs
from bedrock_distill.resources.made_role import find_role

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from bedrock_distill.aws import Clients
    from bedrock_distill.records.rules import Rules
    from bedrock_distill.resources.distillation import Distillation
    from bedrock_distill.uris import S3Uri

__all__ = [
    "FoundPrompts",
    "LiveModel",
    "Place",
    "Survey",
    "callable_id",
    "staged_name",
    "staged_uri",
    "survey",
]

_UNSAFE = re.compile(r"[^-_.a-zA-Z0-9]+")
"""What an S3 URI in a customization job may not hold (and some it may, for plain names)."""

_OVER = frozenset({"Failed", "Stopped"})
"""States of a job after which the same plan may be tried again, under a new name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a plan takes effect."""

    region: str
    account_id: str
    partition: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveModel:
    """What AWS itself says of a foundation model today."""

    status: str
    """ACTIVE or LEGACY."""
    distillable: bool
    """Whether it may be customized by distillation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundPrompts:
    """What was found of a file of prompts."""

    path: Path
    check: CheckReport
    digest: FileDigest
    uri: S3Uri
    """Where it is staged."""
    staged: bool
    """Whether the same content lies there already."""

    @property
    def identity(self) -> str:
        """What makes two jobs' data the same: the content, wherever the file lies."""
        return self.digest.sha256

    @property
    def size_bytes(self) -> int:
        """Bytes that are staged."""
        return self.digest.size_bytes

    @property
    def asks_teacher(self) -> bool:
        """Whether the job may ask the teacher."""
        return True

    @property
    def asked(self) -> int:
        """Prompts that the teacher is asked."""
        return self.check.prompts - self.check.labelled

    @property
    def prompt_tokens(self) -> int:
        """Tokens of all prompts, estimated."""
        return self.check.tokens

    @property
    def training_data(self) -> dict[str, Any]:
        """The request's `trainingDataConfig`."""
        return {"s3Uri": str(self.uri)}

    @property
    def facts(self) -> dict[str, str]:
        """What there is to learn from, in words."""
        check = self.check
        return {"prompts": f"{check.prompts:,} in {self.path} ({check.labelled:,} with a golden completion)"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What was found."""

    region: str
    account_id: str
    partition: str
    today: date
    data: FoundPrompts | FoundLogs
    """What there is to learn from."""
    bucket: BucketState
    """The output's."""
    teacher_id: str
    """What the job must call the teacher."""
    teacher: LiveModel | None
    """None where AWS could not be asked."""
    student: LiveModel | None
    role: RoleState | None
    """The role that would be made, if it is there; None also where the caller brings a role."""
    role_hidden: bool = False
    """Whether these credentials may not look at roles."""
    model_name_taken: bool = False
    """Whether the custom model's name that the spec asks for belongs to a model of another job."""
    attempt: int = 1
    """Which try this is; earlier ones failed or were stopped."""
    job_arn: str | None = None
    """The job of this very plan, if it is there."""
    job_status: str | None = None


def survey(spec: Distillation, clients: Clients, catalog: Catalog) -> Survey:
    """Read what a distillation's plan depends on.

    Raises:
        DataError: If the data breaks a rule of this teacher and student.
        StalePlanError: If the data changes while it is read.
        ServiceError: If AWS cannot be asked what must be known.
    """
    from bedrock_distill.resources.distillation import intent_of, role_documents  # noqa: PLC0415 - the spec's own module plans with what is read here

    # First what fails fast: the data may take minutes to read.
    place = Place(region=clients.region, account_id=clients.account_id, partition=clients.partition)
    teacher_id = callable_id(spec.teacher, catalog, place.region)
    rules = rules_for(catalog, spec.teacher, spec.student)
    bucket = ObjectStore(clients).bucket(spec.output_uri.bucket)
    data: FoundPrompts | FoundLogs
    if isinstance(spec.data, InvocationLogs):
        data = find_logs(spec.data, clients, teacher_id, rules)
    else:
        data = _prompts(spec, spec.data, clients, bucket, rules)
    role, role_hidden = None, False
    if spec.role is None:
        role, role_hidden = find_role(spec, role_documents(spec, place, data.uri, teacher_id), clients)
    fingerprint = fingerprint_of(
        intent_of(spec, content=data.identity, region=place.region, account_id=place.account_id)
    )
    pair = catalog.pair(spec.teacher, spec.student)
    attempt, job = latest_attempt(
        clients, spec.name, fingerprint, operation="get_model_customization_job", over=_OVER
    )
    return Survey(
        region=place.region,
        account_id=place.account_id,
        partition=place.partition,
        today=clients.clock.now().date(),
        data=data,
        bucket=bucket,
        teacher_id=teacher_id,
        teacher=_live(clients, spec.teacher),
        # Only the variant that is sent says whether it can be customized.
        student=_live(clients, pair.send if pair else spec.student),
        role=role,
        role_hidden=role_hidden,
        model_name_taken=job is None and _model_name_taken(clients, spec.model_name),
        attempt=attempt,
        job_arn=job["jobArn"] if job else None,
        job_status=job["status"] if job else None,
    )


def callable_id(identifier: str, catalog: Catalog, region: str) -> str:
    """What on-demand callers in a region must write for a model.

    That is its id without a context suffix, for ids with one can be customized and not called; or the inference profile,
    where only that works.
    """
    model: Model | None = catalog.find(identifier)
    ref = read_model_id(identifier)
    if model is None or ref.kind != "foundation":
        return identifier
    plain = ref.model if ref.suffix else identifier
    return plain if "id" in model.called else model.profile_for(region) or plain


def _prompts(
    spec: Distillation, prompts: Prompts, clients: Clients, bucket: BucketState, rules: Rules
) -> FoundPrompts:
    """Check a file, and look whether it is staged already."""
    before = stamp(prompts.path)
    check = check_file(prompts.path, rules)
    check.raise_for_offences()
    digest = digest_file(prompts.path)
    if stamp(prompts.path) != before:
        raise StalePlanError(f"{prompts.path} changed while it was read: plan again when it is complete.")
    uri = staged_uri(spec, prompts.path.name, digest)
    staged = (
        bucket.exists
        and not bucket.forbidden
        and ObjectStore(clients).holds(
            uri, sha256=digest.sha256, size_bytes=digest.size_bytes, kms_key_id=spec.data_kms_key
        )
    )
    return FoundPrompts(path=prompts.path, check=check, digest=digest, uri=uri, staged=staged)


def staged_uri(spec: Distillation, file_name: str, digest: FileDigest) -> S3Uri:
    """Where a spec's file is staged."""
    # The digest in the key makes the content findable by its name, and keeps two versions of a file apart.
    return spec.output_uri / "staged" / f"{digest.sha256[:16]}-{staged_name(file_name)}"


def staged_name(file_name: str) -> str:
    """A file's name as an S3 URI in a request may hold it."""
    return _UNSAFE.sub("-", file_name).strip("-.") or "prompts.jsonl"


def _model_name_taken(clients: Clients, name: str | None) -> bool:
    if name is None:
        return False
    try:
        return clients.find("bedrock", "get_custom_model", subject=name, modelIdentifier=name) is not None
    except AccessDeniedError:
        return False


def _live(clients: Clients, identifier: str) -> LiveModel | None:
    """What AWS says of a model, or None where it does not know it or these credentials may not ask."""
    ref = read_model_id(identifier)
    if not ref.model:
        return None
    model_id = f"{ref.model}:{ref.suffix}" if ref.suffix else ref.model
    try:
        answer = clients.find("bedrock", "get_foundation_model", subject=model_id, modelIdentifier=model_id)
    except AccessDeniedError:
        return None
    if answer is None:
        return None
    details = answer["modelDetails"]
    return LiveModel(
        status=details.get("modelLifecycle", {}).get("status", "ACTIVE"),
        distillable="DISTILLATION" in details.get("customizationsSupported", ()),
    )
