"""What the reader of a plan should know of a job that reads invocation logs by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bedrock_distill.plan import PlanWarning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bedrock_distill.harvest import LogCount
    from bedrock_distill.resources.distillation import Distillation
    from bedrock_distill.resources.log_survey import FoundLogs
    from bedrock_distill.resources.survey import Survey

__all__ = ["log_warnings"]

_OF_FORM: Final = {
    "multi-turn": "conversations of several turns",
    "not-text": "with images, documents or other content beside text",
    "tool-use": "with tool calls",
}
"""Reasons that follow from what Bedrock takes from logs: single-turn text."""

_OF_NO_MATTER: Final = frozenset({"not-selected", "embedding", "image-model", "stop-reason"})
"""Reasons that nobody needs to hear of."""

_SHOWN_BROKEN = 3


def log_warnings(spec: Distillation, survey: Survey, found: FoundLogs) -> Iterator[PlanWarning]:
    """Every warning about the logs."""
    yield from _bucket(survey, found)
    yield from _key(spec, found)
    if survey.job_arn is not None:
        yield PlanWarning(
            code="logs-may-have-grown",
            text="The job that is there has read the logs as they were then. To learn from what has come since, give the "
            "distillation another name.",
        )
    if spec.output.startswith(found.logs.source):
        yield PlanWarning(
            code="output-in-logs",
            text=f"The output {spec.output} lies under the logs {found.logs.source}: a later job would read results as logs. "
            "Keep them apart.",
        )
    if found.count is None:
        return
    yield from _enough(survey, found, found.count)
    yield from _names(survey, found, found.count)
    yield from _early(survey, found)
    yield from _unused(found.count)


def _bucket(survey: Survey, found: FoundLogs) -> Iterator[PlanWarning]:
    name, region = found.bucket.name, found.bucket.region
    if not found.bucket.exists:
        yield PlanWarning(
            code="no-log-bucket",
            text=f"There is no bucket {name}, so there are no logs to learn from: see what is logged, and where to, with "
            "`bedrock-distill logs status`.",
            blocks=True,
        )
    elif region is not None and region != survey.region:
        yield PlanWarning(
            code="log-bucket-elsewhere",
            text=f"The log bucket {name} lies in {region}, the job in {survey.region}, and Bedrock reads logs only of its own "
            f"region: plan in {region}, or make a data file of the logs with `bedrock-distill data from-logs`.",
            blocks=True,
        )
    elif found.rules is not None and found.rules.foreign:
        yield PlanWarning(
            code="log-bucket-of-another-account",
            text=f"The log bucket {name} belongs to another account than {survey.account_id}, and Bedrock reads logs only of "
            "its own account: make a data file of the logs with `bedrock-distill data from-logs`.",
            blocks=True,
        )
    elif found.count is None:
        yield PlanWarning(
            code="logs-hidden",
            text=f"These credentials may not read {found.logs.source}, so nobody has counted whether there are enough prompts: "
            "the job fails where there are not. Grant s3:ListBucket and s3:GetObject, and plan again.",
        )


def _key(spec: Distillation, found: FoundLogs) -> Iterator[PlanWarning]:
    key = found.rules.key if found.rules is not None else None
    if key is not None and not key.aws_managed and spec.role is None and spec.data_kms_key is None:
        yield PlanWarning(
            code="log-key",
            text=f"The log bucket is encrypted with the KMS key {key.arn or key.named}: name it as data_kms_key, so that the "
            "role may decrypt with it.",
        )


def _enough(survey: Survey, found: FoundLogs, count: LogCount) -> Iterator[PlanWarning]:
    teacher, responses = survey.teacher_id, found.logs.use_responses
    usable = count.pairs_of(teacher) if responses else count.prompts
    what = f"pairs answered by exactly {teacher}" if responses else "prompts"
    if found.logs.where is not None and count.tally.skipped.get("not-selected") and not _passed(count):
        yield PlanWarning(
            code="filter-matches-nothing",
            text=f"No log record passes the filter {found.logs.filter}, of {count.tally.scanned:,} under "
            f"{found.logs.source}: metadata is compared as it was sent, letter by letter.",
        )
    if usable < found.min_prompts:
        yield PlanWarning(
            code="too-few-pairs" if responses else "too-few-prompts",
            text=f"{found.logs.source} holds {usable:,} {what} that can be used, and Bedrock takes no fewer than "
            f"{found.min_prompts:,}: the job would fail. Log more calls, or widen the filter"
            + (", or set use_responses = false to have the teacher answer." if responses else "."),
            blocks=True,
        )
    elif found.max_prompts is not None and usable > found.max_prompts:
        yield PlanWarning(
            code="too-many",
            text=f"{usable:,} {what} can be used, and Bedrock uses at most {found.max_prompts:,}: which ones, it decides. To "
            "choose yourself, narrow the filter or make a data file with `bedrock-distill data from-logs --max`.",
        )


def _names(survey: Survey, found: FoundLogs, count: LogCount) -> Iterator[PlanWarning]:
    """Answers that Bedrock may leave out because the log names their model otherwise than the job does."""
    if not found.logs.use_responses:
        return
    teacher = survey.teacher_id
    exact, others = count.pairs_of(teacher), count.others_of(teacher)
    if others:
        named = ", ".join(f"{name}: {number:,}" for name, number in others.items())
        yield PlanWarning(
            code="other-names",
            text=f"The log names this teacher in other ways, too ({named}; exactly {teacher}: {exact:,}). Bedrock uses the "
            "answers of the teacher only where the names match; whether it takes these for the same is not documented. Give "
            "the teacher as it was logged, or make a data file with `bedrock-distill data from-logs --responses`.",
        )
    elif not exact and count.pairs:
        yield PlanWarning(
            code="teacher-mismatch",
            text=f"None of the {sum(count.pairs.values()):,} logged answers is of the teacher {teacher}; they are of: "
            f"{', '.join(sorted(count.pairs))}. Bedrock does not use the answers of other models.",
        )


def _early(survey: Survey, found: FoundLogs) -> Iterator[PlanWarning]:
    said = {
        "cut-off": "were cut off at their longest length",
        "filtered-answer": "were stopped by a guardrail or filter",
    }
    for reason, number in found.ended_early.items():
        yield PlanWarning(
            code=f"answers-{reason.removesuffix('-answer')}",
            text=f"{number:,} logged answers of {survey.teacher_id} {said[reason]}. Bedrock does not say that it leaves such "
            "answers out, so the student may learn from them; `bedrock-distill data from-logs --responses` leaves them out.",
        )


def _unused(count: LogCount) -> Iterator[PlanWarning]:
    from bedrock_distill.records.logs import REASONS  # noqa: PLC0415 - only such jobs need it

    skipped = count.tally.skipped
    of_form = [f"{skipped[reason]:,} {words}" for reason, words in _OF_FORM.items() if skipped.get(reason)]
    if of_form:
        yield PlanWarning(
            code="single-turn-text-only",
            text=f"From logs, Bedrock takes single turns of text only. Left out: {', '.join(of_form)}. "
            "`bedrock-distill data from-logs --multi-turn` keeps conversations.",
        )
    unusable = {
        reason: number
        for reason, number in sorted(skipped.items())
        if number and reason not in _OF_FORM and reason not in _OF_NO_MATTER
    }
    if unusable:
        told = ", ".join(
            f"{number:,} {reason} ({words})"
            for reason, words in REASONS.items()
            if (number := unusable.get(reason))
        )
        hint = " Bodies are logged only where text delivery is on." if "no-body" in unusable else ""
        yield PlanWarning(code="log-records-unusable", text=f"Log records that cannot be used: {told}.{hint}")
    broken = count.tally.broken
    if broken:
        first = "; ".join(f"{each.name}: {each.reason}" for each in broken[:_SHOWN_BROKEN])
        yield PlanWarning(
            code="broken-objects",
            text=f"{len(broken):,} log objects could not be read to their end, and the job may fail on them ({first}).",
        )


def _passed(count: LogCount) -> int:
    """Records that passed the filter, whether they can be used or not."""
    unasked = sum(
        count.tally.skipped.get(reason, 0) for reason in ("not-selected", "broken-line", "not-a-log")
    )
    return count.tally.scanned - unasked
