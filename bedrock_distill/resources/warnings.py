"""What the reader of a distillation's plan should know before applying it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bedrock_distill.catalog import read_model_id
from bedrock_distill.plan import PlanWarning
from bedrock_distill.resources.fields import is_key_arn
from bedrock_distill.resources.log_survey import FoundLogs
from bedrock_distill.resources.log_warnings import log_warnings
from bedrock_distill.uris import Arn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bedrock_distill.catalog import Catalog, Pair
    from bedrock_distill.resources.distillation import Distillation
    from bedrock_distill.resources.survey import LiveModel, Survey

__all__ = ["warnings_for"]

_VALIDATOR_BYTES = 1_000_000_000


def warnings_for(
    spec: Distillation, survey: Survey, catalog: Catalog, pair: Pair | None, *, role_arn: str
) -> tuple[PlanWarning, ...]:
    """Every warning, those that stop an apply first."""
    found = [
        *_pair(spec, survey, catalog, pair),
        *_lifecycle("teacher", spec.teacher, survey.teacher, survey, catalog),
        *_lifecycle("student", spec.student, survey.student, survey, catalog),
        *_data(spec, survey),
        *_place(survey),
        *_elsewhere(spec, survey),
        *_role(spec, survey, role_arn),
        *_names(spec, survey, pair),
        *_serving(spec, survey, catalog),
        *_history(survey),
        *_cost(spec, survey, catalog),
    ]
    return tuple(sorted(found, key=lambda warning: not warning.blocks))


def _pair(spec: Distillation, survey: Survey, catalog: Catalog, pair: Pair | None) -> Iterator[PlanWarning]:
    if pair is None:
        offered = (
            ", ".join(sorted({row.student for row in catalog.students_of(spec.teacher)})) or "none known"
        )
        live = survey.student is not None and survey.student.distillable
        yield PlanWarning(
            code="pair-unknown",
            text=f"The catalog lists no pair of {spec.teacher} and {spec.student}; students of this teacher: {offered}. "
            + (
                "AWS says that the student can be distilled into, so the catalog may be behind."
                if live
                else "If AWS offers it now, add it to a catalog override."
            ),
            blocks=not live,
        )
    elif pair.withdrawn:
        yield PlanWarning(code="pair-withdrawn", text=pair.withdrawn, blocks=True)
    elif survey.region not in pair.regions:
        yield PlanWarning(
            code="pair-not-in-region",
            text=f"{pair.teacher} to {pair.student} is not offered in {survey.region}, only in "
            f"{', '.join(pair.regions)} ({pair.source}, {pair.as_of.isoformat()}).",
            blocks=True,
        )


def _lifecycle(
    role: str, identifier: str, live: LiveModel | None, survey: Survey, catalog: Catalog
) -> Iterator[PlanWarning]:
    model = catalog.find(identifier)
    if model is None:
        return
    state = model.lifecycle(survey.today)
    if state == "EOL":
        yield PlanWarning(
            code=f"{role}-past-end-of-life",
            text=f"The {role} {model.name} reached its end of life on {model.eol_on} ({model.source}): "
            "calls to it fail. Choose another.",
            blocks=live is None or live.status != "ACTIVE",
        )
    elif state == "LEGACY" or (live is not None and live.status == "LEGACY"):
        ends = f", end of life {model.eol_on}" if model.eol_on else ""
        yield PlanWarning(
            code=f"{role}-legacy",
            text=f"The {role} {model.name} is Legacy{ends}: no new customization jobs and no new provisioned "
            "throughput, and accounts that did not use it lately are locked out.",
            # Said by AWS itself, it is certain; said by the catalog, it may be a misreading of ours.
            blocks=role == "student" and live is not None and live.status == "LEGACY",
        )


def _place(survey: Survey) -> Iterator[PlanWarning]:
    bucket = survey.bucket
    if not bucket.exists:
        yield PlanWarning(
            code="no-bucket",
            text=f"There is no bucket {bucket.name}: create it in {survey.region}.",
            blocks=True,
        )
    elif bucket.forbidden:
        yield PlanWarning(
            code="bucket-forbidden",
            text=f"These credentials may not look at the bucket {bucket.name}; writing there will likely be refused.",
        )
    elif bucket.region and bucket.region != survey.region:
        yield PlanWarning(
            code="bucket-elsewhere",
            text=f"The bucket {bucket.name} lies in {bucket.region}, the job in {survey.region}: Bedrock wants one region.",
            blocks=True,
        )
    if survey.data.size_bytes > _VALIDATOR_BYTES:
        yield PlanWarning(
            code="large-file",
            text="The file is above 1 GB: the quota is 2 GB, but AWS's published validator refuses such files.",
        )


def _data(spec: Distillation, survey: Survey) -> Iterator[PlanWarning]:
    if isinstance(survey.data, FoundLogs):
        yield from log_warnings(spec, survey, survey.data)
        return
    for found in survey.data.check.warnings:
        # The service's guide knows plain files only: a packed one would fail in the job, not before.
        yield PlanWarning(code=f"data-{found.code}", text=str(found), blocks=found.code == "gzip")


def _elsewhere(spec: Distillation, survey: Survey) -> Iterator[PlanWarning]:
    for what, identifier in (("teacher", spec.teacher), ("student", spec.student), ("role", spec.role)):
        if not identifier or not Arn.looks_like(identifier):
            continue
        arn = Arn.parse(identifier)
        there = {
            "account": arn.account not in ("", survey.account_id),
            "region": arn.region not in ("", survey.region),
            "partition": arn.partition != survey.partition,
        }
        if any(there.values()):
            kinds = " and ".join(kind for kind, differs in there.items() if differs)
            yield PlanWarning(
                code=f"{what}-elsewhere",
                text=f"The {what} {identifier} belongs to another {kinds} than the job, which runs in {survey.region} "
                f"for account {survey.account_id}: Bedrock takes none from there.",
                blocks=True,
            )


def _role(spec: Distillation, survey: Survey, role_arn: str) -> Iterator[PlanWarning]:
    if spec.role is not None:
        return
    if spec.data_kms_key and not is_key_arn(spec.data_kms_key):
        yield PlanWarning(
            code="key-not-an-arn",
            text=f"The role's policy must name the key {spec.data_kms_key!r} by its own ARN (arn:…:key/…): give "
            "data_kms_key so, or a role of yours.",
            blocks=True,
        )
    if spec.kms_key:
        yield PlanWarning(
            code="model-key-policy",
            text=f"The policy of the key {spec.kms_key} must let {role_arn} use kms:Decrypt, kms:GenerateDataKey, "
            "kms:DescribeKey and kms:CreateGrant through Bedrock; a key's policy is not this package's to change.",
        )
    if survey.role_hidden:
        yield PlanWarning(
            code="role-unknown",
            text="These credentials may not look at IAM roles, so they can hardly make one: name a role of yours in the "
            "spec (role = arn:aws:iam::ACCOUNT:role/NAME), or have one who may apply this plan.",
        )


def _names(spec: Distillation, survey: Survey, pair: Pair | None) -> Iterator[PlanWarning]:
    if read_model_id(survey.teacher_id).kind == "profile" and survey.teacher_id != spec.teacher:
        yield PlanWarning(
            code="teacher-needs-profile",
            text=f"{spec.teacher} can only be called through an inference profile: the job names {survey.teacher_id}.",
        )
    elif survey.teacher_id != spec.teacher:
        yield PlanWarning(
            code="teacher-sent-as",
            text=f"{spec.teacher} has a context suffix, and such ids cannot be called: the job names {survey.teacher_id}.",
        )
    student = read_model_id(spec.student)
    if pair is not None and student.suffix and f"{student.model}:{student.suffix}" != pair.send:
        yield PlanWarning(
            code="student-sent-as",
            text=f"{spec.student} is not the variant that AWS distils into from this teacher: the job names {pair.send} "
            f"({pair.source}, {pair.as_of.isoformat()}).",
        )
    if survey.model_name_taken:
        yield PlanWarning(
            code="model-name-taken",
            text=f"There is a custom model named {spec.model_name} already: choose another model_name, or leave it out "
            "to have one made from the job's name.",
            blocks=True,
        )


def _serving(spec: Distillation, survey: Survey, catalog: Catalog) -> Iterator[PlanWarning]:
    student = catalog.find(spec.student)
    if student is None or survey.region in student.on_demand_deployment_regions:
        return
    ways = ", ".join(student.on_demand_deployment_regions)
    dead_end = student.lifecycle(survey.today) != "ACTIVE"
    yield PlanWarning(
        code="student-not-on-demand",
        text=f"A model distilled into {student.name} cannot be deployed on demand in {survey.region}"
        + (f" (only in {ways})" if ways else "")
        + (
            ", and provisioned throughput is closed for Legacy models: there may be no way to serve it."
            if dead_end
            else ": it needs provisioned throughput, which bills by the hour."
        ),
    )


def _history(survey: Survey) -> Iterator[PlanWarning]:
    if survey.job_arn is not None:
        yield PlanWarning(
            code="job-exists",
            text=f"The job of this plan is there already ({survey.job_status}): applying picks it up, and makes no second.",
        )
    elif survey.attempt > 1:
        yield PlanWarning(
            code="earlier-attempts",
            text=f"{survey.attempt - 1} earlier attempt(s) of this plan failed or were stopped; see `bedrock-distill jobs list`.",
        )


def _cost(spec: Distillation, survey: Survey, catalog: Catalog) -> Iterator[PlanWarning]:
    wanted = [(spec.student, "training_1k_tokens")]
    if survey.data.asks_teacher:
        wanted += [(spec.teacher, "input_1k_tokens"), (spec.teacher, "output_1k_tokens")]
    if any(catalog.price(model, kind, survey.region) is None for model, kind in wanted):  # type: ignore[arg-type]
        yield PlanWarning(
            code="cost-unknown",
            text="Prices are unknown: no dated source states them. Add yours to a catalog override to see the cost here.",
        )
