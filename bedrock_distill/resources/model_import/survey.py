"""Looking before planning an import: the model, its bucket, the role, and what is there under the names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bedrock_distill.aws import BucketState, ObjectStore, RoleState
from bedrock_distill.errors import AccessDeniedError
from bedrock_distill.plan import fingerprint_of
from bedrock_distill.resources import fields
from bedrock_distill.resources.attempts import latest_attempt
from bedrock_distill.resources.made_role import find_role
from bedrock_distill.resources.model_folder import find_model
from bedrock_distill.resources.policies import import_policy, job_trust
from bedrock_distill.resources.survey import Place

if TYPE_CHECKING:
    from bedrock_distill.aws import Clients
    from bedrock_distill.catalog import Catalog
    from bedrock_distill.resources.model_folder import FoundModel
    from bedrock_distill.resources.model_import.spec import ModelImport
    from bedrock_distill.uris import S3Uri

__all__ = ["ImportSurvey", "role_documents", "survey_import"]

_OVER = frozenset({"Failed"})
"""States of an import job after which the same plan may be tried again, under a new name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportSurvey:
    """What was found."""

    place: Place
    model: FoundModel
    bucket: BucketState
    """The model's."""
    fingerprint: str
    role: RoleState | None = None
    """The role that would be made, if it is there; None also where the caller brings one."""
    role_hidden: bool = False
    """Whether these credentials may not look at roles."""
    model_name_taken: bool = False
    """Whether the name that the spec asks for belongs to a model of another job."""
    attempt: int = 1
    """Which try this is; earlier ones failed."""
    job_arn: str | None = None
    """The job of this very plan, if it is there."""


def survey_import(spec: ModelImport, clients: Clients, catalog: Catalog) -> ImportSurvey:
    """Read what an import's plan depends on.

    Raises:
        DataError: If the directory cannot be read, or holds no model.
        StalePlanError: If it changes while it is read.
        ServiceError: If AWS cannot be asked what must be known.
    """
    place = Place(region=clients.region, account_id=clients.account_id, partition=clients.partition)
    model = find_model(spec.model, clients, catalog, staging=spec.staging_uri, kms_key_id=spec.data_kms_key)
    wanted = spec.model_dump(mode="json", exclude={"model", "staging"})
    fingerprint = fingerprint_of(
        {
            "kind": "import",
            "spec": wanted,
            "model": model.identity,
            "uri": str(model.uri),
            "region": place.region,
            "account": place.account_id,
        }
    )
    role, hidden = None, False
    if spec.role is None:
        role, hidden = find_role(spec, role_documents(spec, place, model.uri), clients)
    attempt, job = latest_attempt(
        clients,
        spec.name,
        fingerprint,
        operation="get_model_import_job",
        over=_OVER,
        gone=lambda job: _deleted(clients, job),
    )
    return ImportSurvey(
        place=place,
        model=model,
        bucket=ObjectStore(clients).bucket(model.uri.bucket),
        fingerprint=fingerprint,
        role=role,
        role_hidden=hidden,
        model_name_taken=job is None and _taken(clients, spec.model_name),
        attempt=attempt,
        job_arn=job["jobArn"] if job else None,
    )


def role_documents(spec: ModelImport, place: Place, model: S3Uri) -> tuple[dict[str, Any], dict[str, Any]]:
    """Trust and permissions of the role that is made for an import."""
    where = {"partition": place.partition, "region": place.region, "account_id": place.account_id}
    # The whole of what is staged, and not the one directory: so the next model is served by the same role.
    readable = model if spec.staging_uri is None else (spec.staging_uri / "models").as_prefix
    policy = import_policy(
        **where,
        model=readable,
        kms_key_arns=[key for key in (spec.data_kms_key,) if key and fields.is_key_arn(key)],
        vpc=spec.vpc.ids if spec.vpc else None,
    )
    return job_trust(**where, job="model-import-job"), policy


def _deleted(clients: Clients, job: dict[str, Any]) -> bool:
    """Whether the job's model was imported and has been deleted since; where these credentials may not look, it was not."""
    model = job.get("importedModelArn")
    if job["status"] != "Completed" or not model:
        return False
    try:
        return clients.find("bedrock", "get_imported_model", subject=model, modelIdentifier=model) is None
    except AccessDeniedError:
        return False


def _taken(clients: Clients, name: str | None) -> bool:
    if name is None:
        return False
    try:
        return clients.find("bedrock", "get_imported_model", subject=name, modelIdentifier=name) is not None
    except AccessDeniedError:
        return False
