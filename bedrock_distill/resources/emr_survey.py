"""Looking before planning a harvest: buckets, how much there is to read, and what an earlier apply has made."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import resources
from importlib.metadata import version
from itertools import islice
from typing import TYPE_CHECKING, Any

from bedrock_distill.aws import BucketState, ObjectStore, RoleState
from bedrock_distill.errors import AccessDeniedError, NotFoundError
from bedrock_distill.plan import fingerprint_of
from bedrock_distill.resources.emr_harvest import intent_of, job_document
from bedrock_distill.resources.emr_requests import (
    application_name,
    is_named_after,
    role_documents,
)
from bedrock_distill.resources.made_role import find_role
from bedrock_distill.resources.spec import short_name
from bedrock_distill.resources.survey import Place
from bedrock_distill.uris import S3Uri

if TYPE_CHECKING:
    from bedrock_distill.aws import Clients
    from bedrock_distill.resources.emr_harvest import ServerlessHarvest

__all__ = ["HarvestSurvey", "Staged", "Volume", "survey_harvest"]

_MOST_COUNTED = 20_000
"""Objects that planning counts: twenty requests. Beyond that the estimate says `at least`."""

_OVER_BADLY = frozenset({"FAILED", "CANCELLED"})
"""States of a run after which the same harvest may be tried again, under a new name."""


@dataclass(frozen=True, slots=True)
class Volume:
    """How much lies under the logs' prefix."""

    objects: int
    size_bytes: int
    complete: bool
    """Whether it was counted to the end."""
    hidden: bool = False
    """Whether these credentials may not list it."""


@dataclass(frozen=True, slots=True)
class Staged:
    """A text that the plan puts into S3."""

    text: str
    sha256: str
    uri: S3Uri
    there: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HarvestSurvey:
    """What was found."""

    place: Place
    fingerprint: str
    logs: BucketState
    output: BucketState
    volume: Volume
    entry: Staged
    document: Staged
    environment: bool | None
    """Whether the packed environment is there; None where there is none to look for, or these credentials may not look."""
    role: RoleState | None
    role_hidden: bool
    application: str | None
    """ARN of the application, if it is there."""
    application_state: str
    applications_before: int
    """How many of the same name were deleted: their client tokens are used up."""
    attempt: int
    """Which try this is; earlier ones failed or were cancelled."""
    run: str | None
    """ARN of this harvest's run, if it is there."""
    run_state: str


def survey_harvest(spec: ServerlessHarvest, clients: Clients) -> HarvestSurvey:
    """Read what a harvest's plan depends on.

    Raises:
        ServiceError: If AWS cannot be asked what must be known.
    """
    place = Place(region=clients.region, account_id=clients.account_id, partition=clients.partition)
    store = ObjectStore(clients)
    buckets = {name: store.bucket(name) for name in {spec.logs_uri.bucket, spec.output_uri.bucket}}
    logs, output = buckets[spec.logs_uri.bucket], buckets[spec.output_uri.bucket]
    script = entry_script()
    digest = hashlib.sha256(script.encode()).hexdigest()
    fingerprint = fingerprint_of(
        intent_of(spec, place, entry_sha256=digest, release=version("bedrock-distill"))
    )
    usable = output.exists and not output.forbidden
    role, role_hidden = _role(spec, place, clients)
    application, application_state, before = _application(spec, clients)
    attempt, run = _latest_attempt(clients, spec, fingerprint, application)
    return HarvestSurvey(
        place=place,
        fingerprint=fingerprint,
        logs=logs,
        output=output,
        volume=_volume(spec, clients) if logs.exists else Volume(0, 0, complete=True),
        entry=_staged(spec, script, "entry.py", store, usable=usable),
        document=_staged(spec, job_document(spec, place, fingerprint), "job.json", store, usable=usable),
        environment=_environment(spec, clients),
        role=role,
        role_hidden=role_hidden,
        application=application,
        application_state=application_state,
        applications_before=before,
        attempt=attempt,
        run=run["arn"] if run else None,
        run_state=run["state"] if run else "",
    )


def entry_script() -> str:
    """The script that EMR runs: this package's own, which finds the package itself in the environment."""
    return resources.files("bedrock_distill.harvest").joinpath("emr_entry.py").read_text("utf-8")


def _staged(spec: ServerlessHarvest, text: str, name: str, store: ObjectStore, *, usable: bool) -> Staged:
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    uri = spec.output_uri / "staged" / f"{sha256[:16]}-{name}"
    there = usable and store.holds(uri, sha256=sha256, size_bytes=len(text.encode()))
    return Staged(text, sha256, uri, there)


def _volume(spec: ServerlessHarvest, clients: Clients) -> Volume:
    from bedrock_distill.harvest.sources import open_source  # noqa: PLC0415 - it brings what reads logs with it

    query = spec.log_query
    try:
        objects = open_source(spec.logs, clients).list(query.since, query.until)
        sizes = [item.size_bytes for item in islice(objects, _MOST_COUNTED + 1)]
    except AccessDeniedError:
        return Volume(0, 0, complete=False, hidden=True)
    return Volume(
        len(sizes[:_MOST_COUNTED]), sum(sizes[:_MOST_COUNTED]), complete=len(sizes) <= _MOST_COUNTED
    )


def _environment(spec: ServerlessHarvest, clients: Clients) -> bool | None:
    if spec.environment is None:
        return None
    uri = S3Uri.parse(spec.environment)
    try:
        clients.call("s3", "head_object", subject=str(uri), Bucket=uri.bucket, Key=uri.key)
    except NotFoundError:
        return False
    except AccessDeniedError:
        return None
    return True


def _role(spec: ServerlessHarvest, place: Place, clients: Clients) -> tuple[RoleState | None, bool]:
    if spec.role is not None:
        return None, False
    return find_role(spec, role_documents(spec, place), clients)


def _application(spec: ServerlessHarvest, clients: Clients) -> tuple[str | None, str, int]:
    """ARN and state of the application, and how many of its name are gone."""
    if spec.application is not None:
        try:
            answer = clients.call(
                "emr-serverless",
                "get_application",
                subject=spec.application,
                applicationId=spec.application,
            )["application"]
        except NotFoundError:
            return None, "", 0
        return answer["arn"], answer["state"], 0
    name, gone = application_name(spec), 0
    for item in clients.pages("emr-serverless", "list_applications", "applications"):
        if item.get("name") != name:
            continue
        if item["state"] != "TERMINATED":
            return item["arn"], item["state"], gone
        gone += 1
    return None, "", gone


def _latest_attempt(
    clients: Clients, spec: ServerlessHarvest, fingerprint: str, application: str | None
) -> tuple[int, dict[str, Any] | None]:
    """Which attempt is next, and the run of the last one unless it ended badly.

    With other settings the same harvest has another application, so all that are named after the spec are searched: two
    runs of one harvest would work in one folder.
    """
    ids = {application.rpartition("/")[2]} if application is not None else set()
    for item in clients.pages("emr-serverless", "list_applications", "applications"):
        if item["state"] != "TERMINATED" and is_named_after(spec, item.get("name", "")):
            ids.add(item["id"])
    runs = {
        run.get("name"): run
        for identifier in sorted(ids)
        for run in clients.pages("emr-serverless", "list_job_runs", "jobRuns", applicationId=identifier)
    }
    attempt = 1
    while (run := runs.get(short_name(spec.name, fingerprint, attempt))) is not None:
        if run["state"] not in _OVER_BADLY:
            return attempt, run
        attempt += 1
    return attempt, None
