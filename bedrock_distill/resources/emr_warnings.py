"""What the reader of a harvest's plan should know before applying it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bedrock_distill.plan import PlanWarning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bedrock_distill.resources.emr_estimate import Work
    from bedrock_distill.resources.emr_harvest import ServerlessHarvest
    from bedrock_distill.resources.emr_survey import HarvestSurvey

__all__ = ["warnings_for"]

_PAGE = "docs/explanation/past-one-machine.md"

_UNPACKED = 3.27
"""Bytes of a log over those of its gzipped object, as measured."""

_ONE_MACHINE_HOURS = 1.0
"""CPU hours that one ordinary machine does while EMR Serverless is being set up."""


def warnings_for(spec: ServerlessHarvest, survey: HarvestSurvey, work: Work) -> tuple[PlanWarning, ...]:
    """Every warning, those that stop an apply first."""
    found = [
        *_environment(spec, survey),
        *_buckets(survey),
        *_volume(spec, survey, work),
        *_disk(spec, work),
        *_application(spec, survey),
        *_role(survey),
        *_history(survey),
    ]
    return tuple(sorted(found, key=lambda warning: not warning.blocks))


def _environment(spec: ServerlessHarvest, survey: HarvestSurvey) -> Iterator[PlanWarning]:
    if spec.environment is None:
        yield PlanWarning(
            code="no-environment",
            text="EMR's machines do not have this package. Pack an environment with it on Amazon Linux 2023 (python3.11 -m venv; "
            f"pip install bedrock-distill venv-pack; venv-pack -o environment.tar.gz), copy it to S3, and name it as "
            f"environment ({_PAGE} has the commands).",
            blocks=True,
        )
    elif survey.environment is False:
        yield PlanWarning(
            code="environment-missing", text=f"There is no object {spec.environment}.", blocks=True
        )


def _buckets(survey: HarvestSurvey) -> Iterator[PlanWarning]:
    for what, bucket in (("logs", survey.logs), ("output", survey.output)):
        if not bucket.exists:
            yield PlanWarning(
                code="no-bucket", text=f"There is no bucket {bucket.name}, which {what} names.", blocks=True
            )
        elif bucket.region not in (None, survey.place.region):
            yield PlanWarning(
                code="bucket-elsewhere",
                text=f"The bucket {bucket.name} ({what}) lies in {bucket.region}, and the run would be in "
                f"{survey.place.region}: outside of a VPC, EMR Serverless reaches only its own region's S3. Plan in "
                f"{bucket.region}.",
                blocks=True,
            )


def _volume(spec: ServerlessHarvest, survey: HarvestSurvey, work: Work) -> Iterator[PlanWarning]:
    volume = survey.volume
    if volume.hidden:
        yield PlanWarning(
            code="logs-hidden",
            text=f"These credentials may not list {spec.logs}, so nothing is known of the cost. The run's role may.",
        )
    elif survey.logs.exists and not volume.objects:
        yield PlanWarning(
            code="no-logs",
            text=f"There are no invocation logs under {spec.logs} that the query could want.",
            blocks=True,
        )
    elif not volume.complete:
        yield PlanWarning(
            code="more-logs",
            text=f"There are more than the {volume.objects:,} objects that were counted under {spec.logs}: cost and time are "
            "at least what is shown.",
        )
    elif work.cpu_hours < _ONE_MACHINE_HOURS:
        yield PlanWarning(
            code="one-machine-does",
            text=f"This is {work.cpu_hours * 60:,.1f} minutes' work for one core: `bedrock-distill data from-logs` on one "
            f"machine in {survey.place.region} is simpler, and no slower ({_PAGE}).",
        )


def _disk(spec: ServerlessHarvest, work: Work) -> Iterator[PlanWarning]:
    unpacked_gb = work.size_bytes * _UNPACKED / 1e9
    if spec.max_records is None and unpacked_gb > spec.driver_disk_gb:
        yield PlanWarning(
            code="driver-disk",
            text=f"The records are put together on the driver's disk of {spec.driver_disk_gb} GB, and these logs are about "
            f"{unpacked_gb:,.0f} GB unpacked. If more of them can match than there is room for, raise driver_disk_gb (at most "
            "200), set max_records, or harvest month by month with since and until.",
        )


def _application(spec: ServerlessHarvest, survey: HarvestSurvey) -> Iterator[PlanWarning]:
    if spec.application is not None and (
        survey.application is None or survey.application_state == "TERMINATED"
    ):
        yield PlanWarning(
            code="no-application",
            text=f"There is no EMR Serverless application {spec.application} in {survey.place.region}: name another, or "
            "leave it out and one is made.",
            blocks=True,
        )


def _role(survey: HarvestSurvey) -> Iterator[PlanWarning]:
    if survey.role_hidden:
        yield PlanWarning(
            code="role-hidden",
            text="These credentials may not look at IAM roles, and applying needs to make one: name a role of yours as role, or "
            "apply with credentials that may.",
        )


def _history(survey: HarvestSurvey) -> Iterator[PlanWarning]:
    if survey.attempt > 1:
        yield PlanWarning(
            code="earlier-attempts",
            text=f"{survey.attempt - 1} earlier run(s) of this harvest failed or were cancelled; this is attempt "
            f"{survey.attempt}, and goes on with what they have done.",
        )
    if survey.run is not None:
        yield PlanWarning(
            code="run-exists",
            text=f"This harvest's run is there already ({survey.run_state}): applying attaches to it. To convert again what has "
            "come since, change edition.",
        )
