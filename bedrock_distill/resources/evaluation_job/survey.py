"""Looking before planning an evaluation job: the prompts, the bucket, the role, and earlier tries."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bedrock_distill.aws import BucketState, ObjectStore, RoleState
from bedrock_distill.errors import StalePlanError
from bedrock_distill.plan import fingerprint_of
from bedrock_distill.resources import fields
from bedrock_distill.resources.attempts import latest_listed
from bedrock_distill.resources.data import stamp
from bedrock_distill.resources.evaluation_job.dataset import Dataset, make_dataset
from bedrock_distill.resources.evaluation_job.policies import evaluation_documents
from bedrock_distill.resources.made_role import find_role
from bedrock_distill.resources.spec import short_name
from bedrock_distill.resources.survey import Place, callable_id

if TYPE_CHECKING:
    from datetime import date

    from bedrock_distill.aws import Clients
    from bedrock_distill.catalog import Catalog
    from bedrock_distill.resources.evaluation_job.spec import BedrockEvaluation
    from bedrock_distill.uris import S3Uri

__all__ = ["EvaluationSurvey", "job_name", "role_documents", "survey_evaluation"]

_OVER = frozenset({"Failed", "Stopped", "Deleting"})
"""States of a job after which the same plan may be tried again, under a new name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationSurvey:
    """What was found."""

    place: Place
    today: date
    model_id: str
    """What the job must call the model; empty where its answers are given."""
    judge_id: str
    """What the job must call the judge; empty without one."""
    dataset: Dataset
    sha256: str
    """Digest of the dataset."""
    uri: S3Uri
    """Where it is staged."""
    staged: bool
    """Whether it lies there already."""
    bucket: BucketState
    fingerprint: str
    role: RoleState | None = None
    """The role that would be made, if it is there; None also where the caller brings one."""
    role_hidden: bool = False
    """Whether these credentials may not look at roles."""
    attempt: int = 1
    """Which try this is; earlier ones failed or were stopped."""
    job_arn: str | None = None
    """The job of this very plan, if it is there."""


def survey_evaluation(spec: BedrockEvaluation, clients: Clients, catalog: Catalog) -> EvaluationSurvey:
    """Read what the plan of an evaluation job depends on.

    Raises:
        DataError: If a line of the data is no record, or of a form that evaluation jobs do not take.
        SpecError: If there are not as many answers as prompts.
        StalePlanError: If the data changes while it is read.
        ServiceError: If AWS cannot be asked what must be known.
    """
    place = Place(region=clients.region, account_id=clients.account_id, partition=clients.partition)
    before = stamp(spec.data.path)
    dataset = make_dataset(spec)
    if stamp(spec.data.path) != before:
        raise StalePlanError(f"{spec.data.path} changed while it was read: plan again when it is complete.")
    content = dataset.text.encode()
    sha256 = hashlib.sha256(content).hexdigest()
    model_id = "" if spec.answers is not None else callable_id(spec.model, catalog, place.region)
    judge_id = "" if spec.judge is None else callable_id(spec.judge, catalog, place.region)
    fingerprint = fingerprint_of(
        {
            "kind": "evaluation",
            "spec": spec.model_dump(mode="json", exclude={"data", "answers"}),
            "model": model_id,
            "judge": judge_id,
            "prompts": sha256,
            "region": place.region,
            "account": place.account_id,
        }
    )
    uri = spec.output_uri / "staged" / f"{sha256[:16]}-prompts.jsonl"
    store = ObjectStore(clients)
    bucket = store.bucket(uri.bucket)
    role, hidden = None, False
    if spec.role is None:
        role, hidden = find_role(spec, role_documents(spec, place, uri, (model_id, judge_id)), clients)
    attempt, job = latest_listed(
        clients,
        job_name(spec.name, fingerprint),
        operation="list_evaluation_jobs",
        items="jobSummaries",
        over=_OVER,
    )
    return EvaluationSurvey(
        place=place,
        today=clients.clock.now().date(),
        model_id=model_id,
        judge_id=judge_id,
        dataset=dataset,
        sha256=sha256,
        uri=uri,
        staged=bucket.exists
        and not bucket.forbidden
        and store.holds(uri, sha256=sha256, size_bytes=len(content), kms_key_id=spec.kms_key),
        bucket=bucket,
        fingerprint=fingerprint,
        role=role,
        role_hidden=hidden,
        attempt=attempt,
        job_arn=job["jobArn"] if job else None,
    )


def job_name(name: str, fingerprint: str, attempt: int = 1) -> str:
    """A job's name: these have lower-case letters only."""
    return short_name(name, fingerprint, attempt).lower()


def role_documents(
    spec: BedrockEvaluation, place: Place, dataset: S3Uri, models: tuple[str, ...]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Trust and permissions of the role that is made for an evaluation job."""
    return evaluation_documents(
        place,
        dataset=dataset,
        output=spec.output_uri,
        models=[model for model in models if model],
        kms_key_arns=[key for key in (spec.kms_key,) if key and fields.is_key_arn(key)],
    )
