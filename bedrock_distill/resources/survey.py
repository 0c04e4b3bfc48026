"""Looking before planning: everything a distillation's planner wants to know, read and never written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bedrock_distill.aws import BucketState, ObjectStore, Roles, RoleState
from bedrock_distill.catalog import Catalog, Model, read_model_id
from bedrock_distill.errors import AccessDeniedError, NotFoundError, ServiceError
from bedrock_distill.plan import fingerprint_of
from bedrock_distill.records.checking import CheckReport, check_file
from bedrock_distill.records.digest import FileDigest, digest_file
from bedrock_distill.records.rules import rules_for
from bedrock_distill.resources.spec import short_name

if TYPE_CHECKING:
    from datetime import date

    from bedrock_distill.aws import Clients
    from bedrock_distill.resources.distillation import Distillation
    from bedrock_distill.uris import S3Uri

__all__ = ["LiveModel", "Place", "Survey", "survey"]

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
class Survey:
    """What was found."""

    region: str
    account_id: str
    partition: str
    today: date
    check: CheckReport
    digest: FileDigest
    staged_uri: S3Uri
    staged: bool
    """Whether the same content lies there already."""
    bucket: BucketState
    teacher_id: str
    """What the job must call the teacher."""
    teacher: LiveModel | None
    """None where AWS could not be asked."""
    student: LiveModel | None
    role: RoleState | None
    """The role that would be made, if it is there; None also where the caller brings a role."""
    attempt: int = 1
    """Which try this is; earlier ones failed or were stopped."""
    job_arn: str | None = None
    """The job of this very plan, if it is there."""
    job_status: str | None = None


def survey(spec: Distillation, clients: Clients, catalog: Catalog) -> Survey:
    """Read what a distillation's plan depends on.

    Raises:
        DataError: If the data breaks a rule of this teacher and student.
        ServiceError: If AWS cannot be asked what must be known.
    """
    from bedrock_distill.resources.distillation import intent_of, role_documents, role_name  # noqa: PLC0415 - the spec's own module plans with what is read here

    check = check_file(spec.data.path, rules_for(catalog, spec.teacher, spec.student))
    check.raise_for_offences()
    digest = digest_file(spec.data.path)
    place = Place(region=clients.region, account_id=clients.account_id, partition=clients.partition)
    staged_uri = _staged_uri(spec, digest)
    store = ObjectStore(clients)
    bucket = store.bucket(spec.output_uri.bucket)
    teacher_id = callable_id(spec.teacher, catalog, place.region)
    role = None
    if spec.role is None:
        trust, policy = role_documents(spec, place, staged_uri, teacher_id, catalog)
        role = Roles(clients).find(role_name(spec, trust, policy))
    fingerprint = fingerprint_of(
        intent_of(spec, sha256=digest.sha256, region=place.region, account_id=place.account_id)
    )
    pair = catalog.pair(spec.teacher, spec.student)
    attempt, job = _latest_attempt(clients, spec.name, fingerprint)
    return Survey(
        region=place.region,
        account_id=place.account_id,
        partition=place.partition,
        today=clients.clock.now().date(),
        check=check,
        digest=digest,
        staged_uri=staged_uri,
        staged=bucket.exists
        and not bucket.forbidden
        and store.holds(staged_uri, sha256=digest.sha256, size_bytes=digest.size_bytes),
        bucket=bucket,
        teacher_id=teacher_id,
        teacher=_live(clients, spec.teacher),
        # Only the variant that is sent says whether it can be customized.
        student=_live(clients, pair.send if pair else spec.student),
        role=role,
        attempt=attempt,
        job_arn=job["jobArn"] if job else None,
        job_status=job["status"] if job else None,
    )


def callable_id(identifier: str, catalog: Catalog, region: str) -> str:
    """What on-demand callers in a region must write for a model: its id, or the profile where only that works."""
    model: Model | None = catalog.find(identifier)
    if model is None or read_model_id(identifier).kind != "foundation" or "id" in model.called:
        return identifier
    return model.profile_for(region) or identifier


def _staged_uri(spec: Distillation, digest: FileDigest) -> S3Uri:
    # The digest in the key makes the content findable by its name, and keeps two versions of a file apart.
    name = _UNSAFE.sub("-", spec.data.path.name).strip("-.") or "prompts.jsonl"
    return spec.output_uri / "staged" / f"{digest.sha256[:16]}-{name}"


def _latest_attempt(clients: Clients, name: str, fingerprint: str) -> tuple[int, dict[str, Any] | None]:
    attempt = 1
    while True:
        job_name = short_name(name, fingerprint, attempt)
        try:
            job = clients.call(
                "bedrock", "get_model_customization_job", subject=job_name, jobIdentifier=job_name
            )
        except NotFoundError:
            return attempt, None
        except ServiceError as error:
            # For an identifier that it does not know, the service may also answer with a ValidationException.
            if error.code != "ValidationException":
                raise
            return attempt, None
        if job["status"] not in _OVER:
            return attempt, job
        attempt += 1


def _live(clients: Clients, identifier: str) -> LiveModel | None:
    """What AWS says of a model, or None where it does not know it or these credentials may not ask."""
    ref = read_model_id(identifier)
    if not ref.model:
        return None
    model_id = f"{ref.model}:{ref.suffix}" if ref.suffix else ref.model
    try:
        answer = clients.call("bedrock", "get_foundation_model", subject=model_id, modelIdentifier=model_id)
    except (AccessDeniedError, NotFoundError):
        return None
    except ServiceError as error:
        if error.code != "ValidationException":
            raise
        return None
    details = answer["modelDetails"]
    return LiveModel(
        status=details.get("modelLifecycle", {}).get("status", "ACTIVE"),
        distillable="DISTILLATION" in details.get("customizationsSupported", ()),
    )
