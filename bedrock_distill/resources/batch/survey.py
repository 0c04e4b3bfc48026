"""Looking before planning a batch inference job: the prompts, the bucket, the role, the model, and earlier tries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from bedrock_distill.aws import BucketState, ObjectStore, RoleState
from bedrock_distill.catalog import read_model_id
from bedrock_distill.errors import SpecError, StalePlanError
from bedrock_distill.plan import RequestForm, fingerprint_of
from bedrock_distill.records.checking import check_lines
from bedrock_distill.records.digest import digest_file
from bedrock_distill.records.lines import KEEP_BYTES, read_lines
from bedrock_distill.records.requests import METADATA_KEY
from bedrock_distill.records.rules import Rules
from bedrock_distill.resources import fields
from bedrock_distill.resources.attempts import latest_listed
from bedrock_distill.resources.batch.bodies import BODIES
from bedrock_distill.resources.batch.lines import RequestTally, tally_requests
from bedrock_distill.resources.data import stamp
from bedrock_distill.resources.deployment_plan import look_at_model
from bedrock_distill.resources.made_role import find_role
from bedrock_distill.resources.policies import job_policy, job_trust, profile_resources
from bedrock_distill.resources.spec import short_name
from bedrock_distill.resources.survey import Place, callable_id, staged_name
from bedrock_distill.uris import Arn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date
    from pathlib import Path

    from bedrock_distill.aws import Clients
    from bedrock_distill.catalog import Catalog
    from bedrock_distill.resources.batch.spec import BatchInference
    from bedrock_distill.uris import S3Uri

__all__ = ["BatchSurvey", "role_documents", "survey_batch"]

_OVER = frozenset({"Failed", "Stopped", "Expired"})
"""States of a job after which the same plan may be tried again, under a new name. A partly completed job has answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSurvey:
    """What was found."""

    place: Place
    today: date
    model_id: str
    """What the job must call the model."""
    model_status: str | None
    """A custom model's status, `missing` where there is none; None for all others, or where AWS did not say."""
    form: RequestForm
    requests: RequestTally
    source_sha256: str
    """Digest of the file of prompts."""
    uri: S3Uri
    """Where the requests are staged."""
    staged: bool
    """Whether they lie there already."""
    bucket: BucketState
    fingerprint: str
    role: RoleState | None = None
    """The role that would be made, if it is there; None also where the caller brings one."""
    role_hidden: bool = False
    """Whether these credentials may not look at roles."""
    attempt: int = 1
    """Which try this is; earlier ones failed, expired or were stopped."""
    job_arn: str | None = None
    """The job of this very plan, if it is there."""
    job_status: str | None = None


def survey_batch(spec: BatchInference, clients: Clients, catalog: Catalog) -> BatchSurvey:
    """Read what the plan of a batch inference job depends on.

    Raises:
        SpecError: If the model's family has no InvokeModel body that is known.
        DataError: If a line of the data is no record.
        StalePlanError: If the data changes while it is read.
        ServiceError: If AWS cannot be asked what must be known.
    """
    place = Place(region=clients.region, account_id=clients.account_id, partition=clients.partition)
    model_id = callable_id(spec.model, catalog, place.region)
    form = _form(spec, catalog)
    bucket = ObjectStore(clients).bucket(spec.output_uri.bucket)
    requests, source = _requests(spec, form)
    fingerprint = fingerprint_of(
        {
            "kind": "batch",
            "spec": spec.model_dump(mode="json", exclude={"data"}),
            "model": model_id,
            "requests": requests.sha256,
            "region": place.region,
            "account": place.account_id,
        }
    )
    # The digest in the key makes the content findable by its name, and keeps two versions of a file apart.
    uri = spec.output_uri / "staged" / f"{requests.sha256[:16]}-{_plain(staged_name(spec.data.path.name))}"
    role, hidden = None, False
    if spec.role is None:
        role, hidden = find_role(spec, role_documents(spec, place, model_id, uri), clients)
    attempt, job = latest_listed(
        clients,
        short_name(spec.name, fingerprint),
        operation="list_model_invocation_jobs",
        items="invocationJobSummaries",
        over=_OVER,
    )
    return BatchSurvey(
        place=place,
        today=clients.clock.now().date(),
        model_id=model_id,
        model_status=look_at_model(clients, model_id)
        if read_model_id(model_id).kind == "custom-model"
        else None,
        form=form,
        requests=requests,
        source_sha256=source,
        uri=uri,
        staged=bucket.exists
        and not bucket.forbidden
        and ObjectStore(clients).holds(
            uri, sha256=requests.sha256, size_bytes=requests.size_bytes, kms_key_id=spec.data_kms_key
        ),
        bucket=bucket,
        fingerprint=fingerprint,
        role=role,
        role_hidden=hidden,
        attempt=attempt,
        job_arn=job["jobArn"] if job else None,
        job_status=job.get("status") if job else None,
    )


def role_documents(
    spec: BatchInference, place: Place, model_id: str, requests: S3Uri
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Trust and permissions of the role that is made for a batch inference job."""
    where = {"partition": place.partition, "region": place.region, "account_id": place.account_id}
    model = read_model_id(model_id)
    profile = Arn.parse(model_id).resource_id if Arn.looks_like(model_id) else model_id
    job = "model-invocation-job"
    policy = job_policy(
        **where,
        job=job,
        training=requests,
        output=spec.output_uri,
        profile=profile_resources(**where, profile=profile, model=model.model)
        if model.kind == "profile"
        else (),
        kms_key_arns=list(
            dict.fromkeys(key for key in (spec.data_kms_key, spec.kms_key) if key and fields.is_key_arn(key))
        ),
        vpc=spec.vpc.ids if spec.vpc else None,
    )
    return job_trust(**where, job=job), policy


def _form(spec: BatchInference, catalog: Catalog) -> RequestForm:
    body = ""
    if spec.invocation == "InvokeModel":
        model = catalog.find(spec.model)
        body = model.body if model is not None else ""
        if body not in BODIES:
            raise SpecError(
                f"How InvokeModel asks {spec.model!r} is not known here ({model.body if model else 'no such model in the catalog'}; "
                f'known are {", ".join(BODIES)}): use invocation="Converse", which is one form for all models.',
                field="invocation",
                value=spec.invocation,
            )
    return RequestForm(
        invocation=spec.invocation,
        body=body,
        system=spec.system,
        max_tokens=spec.max_tokens,
        temperature=spec.temperature,
    )


def _requests(spec: BatchInference, form: RequestForm) -> tuple[RequestTally, str]:
    """What the requests come to, and the digest of the file they are made from."""
    path = spec.data.path
    before = stamp(path)
    # How many there must be is for the plan to say.
    rules = Rules(min_prompts=0, max_line_bytes=KEEP_BYTES)
    check_lines(_records_only(path), rules, str(path)).raise_for_offences()
    tally, source = tally_requests(path, form), digest_file(path).sha256
    if stamp(path) != before:
        raise StalePlanError(f"{path} changed while it was read: plan again when it is complete.")
    return tally, source


def _records_only(path: Path) -> Iterator[bytes]:
    """The lines without what held-out prompts may say of their requests beside the record."""
    for line in read_lines(path):
        if METADATA_KEY.encode() not in line:
            yield line
            continue
        try:
            fields = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            yield line  # the check says what is wrong with it
        else:
            yield msgspec.json.encode({key: value for key, value in fields.items() if key != METADATA_KEY})


def _plain(name: str) -> str:
    """A name that says what is staged: requests as JSON lines, whatever the prompts came in."""
    return f"{name.removesuffix('.gz').removesuffix('.jsonl')}.jsonl"
