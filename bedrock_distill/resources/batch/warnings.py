"""What the reader of a batch inference job's plan should know before applying it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bedrock_distill.catalog import read_model_id
from bedrock_distill.plan import PlanWarning
from bedrock_distill.plan.listed import size_in_words
from bedrock_distill.resources.model_warnings import access_warnings, bucket_warnings
from bedrock_distill.uris import Arn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bedrock_distill.catalog import Catalog
    from bedrock_distill.resources.batch.spec import BatchInference
    from bedrock_distill.resources.batch.survey import BatchSurvey

__all__ = ["batch_warnings"]

_MOST_LINE_BYTES = 25_000_000
"""What InvokeModel takes as one body (facts of the runtime); a record of a job holds no more."""


def batch_warnings(spec: BatchInference, survey: BatchSurvey, catalog: Catalog) -> tuple[PlanWarning, ...]:
    """Every warning, those that stop an apply first."""
    found = [
        *_sizes(survey, catalog),
        *_model(survey, catalog),
        *_elsewhere(spec, survey),
        *bucket_warnings(survey.bucket, survey.place.region),
        *access_warnings(role=spec.role, role_hidden=survey.role_hidden, data_kms_key=_unusable_key(spec)),
        *_role(spec, survey),
        *_history(survey),
    ]
    return tuple(sorted(found, key=lambda warning: not warning.blocks))


def _sizes(survey: BatchSurvey, catalog: Catalog) -> Iterator[PlanWarning]:
    requests, quota = survey.requests, catalog.quota
    fewest, most, bytes_most = (
        quota(name) for name in ("batch_min_records", "batch_max_records", "batch_max_file_bytes")
    )
    if requests.records < fewest:
        yield PlanWarning(
            code="too-few-records",
            text=f"{requests.records:,} prompts: a job must have at least {fewest:,} (catalog quota batch_min_records). Ask the "
            "model call by call instead, or add prompts.",
            blocks=True,
        )
    if requests.records > most:
        yield PlanWarning(
            code="too-many-records",
            text=f"{requests.records:,} prompts: a job takes at most {most:,} (catalog quota batch_max_records). Split the file, "
            "and make a job of each part.",
            blocks=True,
        )
    if requests.size_bytes > bytes_most:
        yield PlanWarning(
            code="too-large",
            text=f"The requests come to {size_in_words(requests.size_bytes)}: a file may have {size_in_words(bytes_most)} (catalog "
            "quota batch_max_file_bytes). Split the file, and make a job of each part.",
            blocks=True,
        )
    if requests.longest_line_bytes > _MOST_LINE_BYTES:
        yield PlanWarning(
            code="long-record",
            text=f"The longest request has {size_in_words(requests.longest_line_bytes)}, more than a call may have: its record "
            "will fail.",
        )


def _model(survey: BatchSurvey, catalog: Catalog) -> Iterator[PlanWarning]:
    model, status = catalog.find(survey.model_id), survey.model_status
    if status == "missing":
        yield PlanWarning(
            code="no-model",
            text=f"There is no custom model {survey.model_id}: see `bedrock-distill models list`.",
            blocks=True,
        )
    elif status not in (None, "Active"):
        yield PlanWarning(
            code="model-not-ready",
            text=f"The custom model is {status}, and only an Active one answers.",
            blocks=True,
        )
    if model is None:
        return
    state = model.lifecycle(survey.today)
    if state == "EOL":
        yield PlanWarning(
            code="model-past-end-of-life",
            text=f"{model.name} reached its end of life on {model.eol_on} ({model.source}): it answers no more. Choose another.",
            blocks=True,
        )
    elif state == "LEGACY":
        yield PlanWarning(
            code="model-legacy",
            text=f"{model.name} is Legacy: accounts that did not use it lately are locked out.",
        )


def _elsewhere(spec: BatchInference, survey: BatchSurvey) -> Iterator[PlanWarning]:
    place = survey.place
    for what, identifier in (("model", survey.model_id), ("role", spec.role)):
        if not identifier or not Arn.looks_like(identifier):
            continue
        arn = Arn.parse(identifier)
        if arn.region not in ("", place.region) or arn.account not in ("", place.account_id):
            yield PlanWarning(
                code=f"{what}-elsewhere",
                text=f"The {what} {identifier} belongs to another region or account than the job, which runs in {place.region} "
                f"for account {place.account_id}: Bedrock takes none from there.",
                blocks=True,
            )


def _unusable_key(spec: BatchInference) -> str | None:
    """The key that a policy must name, if one is not given by its ARN."""
    keys = [key for key in (spec.data_kms_key, spec.kms_key) if key]
    return next((key for key in keys if not Arn.looks_like(key)), keys[0] if keys else None)


def _role(spec: BatchInference, survey: BatchSurvey) -> Iterator[PlanWarning]:
    if spec.role is None and read_model_id(survey.model_id).kind == "application-profile":
        yield PlanWarning(
            code="role-for-profile",
            text="Which models stand behind an application inference profile is not looked up, so no role can be made that may "
            "invoke just these: give a role of yours (role = …).",
            blocks=True,
        )


def _history(survey: BatchSurvey) -> Iterator[PlanWarning]:
    if survey.job_arn is not None:
        yield PlanWarning(
            code="job-exists",
            text=f"The job of this plan is there already ({survey.job_status or 'just made'}): applying picks it up, and makes no second.",
        )
    elif survey.attempt > 1:
        yield PlanWarning(
            code="earlier-attempts",
            text=f"{survey.attempt - 1} earlier attempt(s) of this plan failed, expired or were stopped; see "
            "`bedrock-distill batch list`.",
        )
