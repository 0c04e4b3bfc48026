"""The plan of a harvest on EMR Serverless: stage, role, application, run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bedrock_distill.plan import (
    CreateListed,
    EnsureRole,
    Listing,
    Plan,
    StageText,
    Step,
    WaitFor,
    estimate,
    make_plan,
)
from bedrock_distill.plan.listed import size_in_words
from bedrock_distill.resources.emr_estimate import SERVICE, uses_of, work_of
from bedrock_distill.resources.emr_harvest import folder_of
from bedrock_distill.resources.emr_requests import (
    application_request,
    role_documents,
    run_request,
)
from bedrock_distill.resources.emr_survey import survey_harvest
from bedrock_distill.resources.emr_warnings import warnings_for
from bedrock_distill.resources.made_role import role_arn, role_step
from bedrock_distill.uris import Arn

if TYPE_CHECKING:
    from bedrock_distill.aws import Clients
    from bedrock_distill.catalog import Catalog
    from bedrock_distill.resources.emr_estimate import Work
    from bedrock_distill.resources.emr_harvest import ServerlessHarvest
    from bedrock_distill.resources.emr_survey import HarvestSurvey, Staged

__all__ = ["plan_harvest", "plan_harvest_in"]

_READY = ("CREATED", "STARTED", "STOPPED")
"""States of an application that takes a run: the run starts it, if need be."""

_ANY_ID = "0" * 16
"""Stands for the id of an application that is not made yet, where requests are checked."""


def plan_harvest_in(spec: ServerlessHarvest, clients: Clients, catalog: Catalog) -> Plan:
    """Look, plan, and hold the requests against the service's model.

    Raises:
        SpecError: If the service's model would refuse a request.
        ServiceError: If AWS cannot be asked what must be known.
    """
    plan = plan_harvest(spec, survey_harvest(spec, clients), catalog)
    for step in plan.steps:
        if isinstance(step, CreateListed):
            request: dict[str, Any] = {**step.request, **dict.fromkeys(step.inside, _ANY_ID)}
            clients.check(step.service, step.operation, request)
    return plan


def plan_harvest(spec: ServerlessHarvest, survey: HarvestSurvey, catalog: Catalog) -> Plan:
    """The plan for a harvest in the world as it was found. Pure.

    Args:
        spec: What is wanted.
        survey: What `survey_harvest` read.
        catalog: Prices.
    """
    work = work_of(
        spec,
        objects=survey.volume.objects,
        size_bytes=survey.volume.size_bytes,
        complete=survey.volume.complete,
    )
    role = None if spec.role else role_step(spec, role_documents(spec, survey.place), survey.role)
    # A run that is there has its application, which need not be the one that would be made now.
    mine = spec.application is not None or survey.run is not None
    application = None if mine else _application_step(spec, survey)
    run = _run_step(spec, survey, role=role, application=application)
    steps: list[Step] = [
        _stage("entry script", survey.entry),
        _stage("job document", survey.document),
        *(step for step in (role, application) if step is not None),
        run,
        WaitFor(
            kind="harvest run",
            name=run.name,
            typical=f"about {max(1, round(work.hours * 60))} minutes, estimated"
            if work.complete
            else "it depends on how much there is",
        ),
    ]
    return make_plan(
        kind="harvest",
        name=spec.name,
        region=survey.place.region,
        account_id=survey.place.account_id,
        fingerprint=survey.fingerprint,
        facts=_facts(spec, survey, work, run, application),
        steps=steps,
        warnings=warnings_for(spec, survey, work),
        estimate=estimate(uses_of(work), catalog=catalog, region=survey.place.region),
    )


def _stage(what: str, staged: Staged) -> StageText:
    return StageText(
        what=what, text=staged.text, uri=str(staged.uri), sha256=staged.sha256, done=staged.there
    )


def _application_step(spec: ServerlessHarvest, survey: HarvestSurvey) -> CreateListed:
    request = application_request(spec, deleted_before=survey.applications_before)
    return CreateListed(
        kind="EMR Serverless application",
        name=request["name"],
        service=SERVICE,
        operation="create_application",
        request=request,
        arn="arn",
        listing=Listing(
            operation="list_applications",
            items="applications",
            gone=("TERMINATED",),
            ready=_READY,
            same={"releaseLabel": spec.release},
        ),
        # It has no capacity of its own: only runs are paid for.
        bills=False,
        done=survey.application is not None,
    )


def _run_step(
    spec: ServerlessHarvest,
    survey: HarvestSurvey,
    *,
    role: EnsureRole | None,
    application: CreateListed | None,
) -> CreateListed:
    place = survey.place
    arn = role_arn(spec, place, role)
    request = run_request(
        spec,
        fingerprint=survey.fingerprint,
        attempt=survey.attempt,
        deleted_before=survey.applications_before,
        role_arn=arn,
        entry=survey.entry.uri,
        document=survey.document.uri,
    )
    return CreateListed(
        kind="harvest run",
        name=request["name"],
        service=SERVICE,
        operation="start_job_run",
        request=request,
        arn="arn",
        listing=Listing(operation="list_job_runs", items="jobRuns"),
        inside={
            "applicationId": application.id if application is not None else _application_id(spec, survey)
        },
        bills=True,
        needs_role=role is not None,
        done=survey.run is not None,
    )


def _application_id(spec: ServerlessHarvest, survey: HarvestSurvey) -> str:
    """The id of the application that is there: the run's, or the user's own."""
    if survey.run is not None:
        return Arn.parse(survey.run).resource.strip("/").split("/")[1]
    return spec.application or ""


def _facts(
    spec: ServerlessHarvest,
    survey: HarvestSurvey,
    work: Work,
    run: CreateListed,
    application: CreateListed | None,
) -> dict[str, str]:
    counted = f"{work.objects:,} objects, {size_in_words(work.size_bytes)}"
    return {
        "logs": f"{spec.logs} ({counted if work.complete else f'at least {counted}'})",
        "query": survey_query(spec),
        "results": str(folder_of(spec, survey.fingerprint)),
        "run": run.name + (f" (attempt {survey.attempt})" if survey.attempt > 1 else ""),
        "application": application.name
        if application is not None
        else f"{_application_id(spec, survey)} ({'yours' if survey.run is None else 'of the run'})",
        "environment": spec.environment or "(none)",
        "role": spec.role or "made for this harvest",
        "arithmetic": work.in_words,
    }


def survey_query(spec: ServerlessHarvest) -> str:
    """The query in a line."""
    return ", ".join(f"{key} = {value}" for key, value in spec.query.items()) or "every record"
