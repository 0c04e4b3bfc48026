"""What a session does with Bedrock's evaluation jobs: finds them, and has a student and its teacher evaluated by them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from bedrock_distill.apply.evaluating import (
    check_report,
    gather_answers,
    make_jobs,
    paired_specs,
    report_of_jobs,
)
from bedrock_distill.errors import PlanError, SpecError
from bedrock_distill.resources import EvaluationJob
from bedrock_distill.resources.attaching import attach_as
from bedrock_distill.resources.evaluation_job import evaluation_job_named, evaluation_jobs
from bedrock_distill.uris import Arn

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping

    from bedrock_distill.aws import Clients
    from bedrock_distill.evaluation import Report
    from bedrock_distill.plan import Plan
    from bedrock_distill.resources import BedrockEvaluation, Prompts, Spec

__all__ = ["EvaluatesOnBedrock"]


class EvaluatesOnBedrock(ABC):
    """The part of a session that evaluates on Bedrock."""

    clients: Clients

    @abstractmethod
    def plan(self, spec: Spec | str | os.PathLike[str]) -> Plan:
        """Say what a spec would do and cost."""

    @abstractmethod
    def apply(self, plan: Plan) -> Any:
        """Do what a plan says."""

    @abstractmethod
    def model(self, model_id: str) -> Any:
        """Something to talk to."""

    def evaluation_job(self, name_or_arn: str) -> EvaluationJob:
        """The handle of an evaluation job, by name or ARN.

        Raises:
            NotFoundError: If there is none of that name.
            SpecError: If the ARN is not that of such a job, or of another region.
        """
        if Arn.looks_like(name_or_arn):
            return attach_as(EvaluationJob, name_or_arn, self.clients)
        return evaluation_job_named(self.clients, name_or_arn)

    def evaluation_jobs(
        self, *, status: str | None = None, name_contains: str | None = None
    ) -> list[dict[str, Any]]:
        """Every evaluation job of the account in the region, newest first."""
        return evaluation_jobs(self.clients, status=status, name_contains=name_contains)

    def bedrock_evaluations(
        self, *, student: str, teacher: str, data: Prompts, name: str = "evaluation", **wanted: Any
    ) -> dict[str, BedrockEvaluation]:
        """The specs of two evaluation jobs, by side, to plan and look at; a model that jobs cannot ask is asked here and now.

        Args:
            student: Model id or ARN of what is measured.
            teacher: Model id or ARN of what it is measured against.
            data: Held-out prompts.
            name: What the jobs are named after, each with its side.
            **wanted: Other fields of `BedrockEvaluation`, such as `output`, `metrics` and `judge`.

        Raises:
            SpecError: If a field is wrong, or a side is no id.
        """
        asked = {key: wanted[key] for key in ("limit", "max_tokens", "temperature") if key in wanted}
        models = {"student": student, "teacher": teacher}
        for side, model in models.items():
            if not isinstance(model, str):
                raise SpecError(
                    f"{side} must be a model's id or ARN, which the service asks by itself, not {model!r}.",
                    field=side,
                    value=model,
                )
        return paired_specs(
            models,
            data,
            name=name,
            answers=lambda model: gather_answers(self.model(model), data, **asked),
            **wanted,
        )

    def evaluate_on_bedrock(
        self,
        *,
        student: str,
        teacher: str,
        data: Prompts,
        report: Mapping[str, Any] | None = None,
        timeout_s: float | None = 24 * 3600,
        on_change: Callable[[Any], None] | None = None,
        **wanted: Any,
    ) -> Report:
        """Have Bedrock ask and score a student and its teacher, wait, and report as `evaluate` does.

        Args:
            student: Model id or ARN of what is measured.
            teacher: Model id or ARN of what it is measured against.
            data: Held-out prompts.
            report: Arguments of `report_of_jobs`, such as `{"slices": "metadata.tenant"}`.
            timeout_s: Seconds to wait at most, for each job.
            on_change: Told each new status.
            **wanted: Fields of `BedrockEvaluation`, such as `output`, `metrics` and `judge`, and the `name` of both jobs.

        Raises:
            DataError: If prompts were trained on, or a line of the data is no record; nothing is made then.
            SpecError: If a field is wrong, or there is nothing to slice by; nothing is made then, either.
            PlanError: If a plan cannot work; the same.
            JobFailedError: If a job failed.
            WaitTimeoutError: If a job is not over in time; it goes on.
        """
        told: dict[str, Any] = {
            "data": data,
            "limit": wanted.get("limit"),
            "names": {"student": student, "teacher": teacher},
            **(report or {}),
        }
        check_report(told, category=wanted.get("category"))
        specs = self.bedrock_evaluations(student=student, teacher=teacher, data=data, **wanted)
        plans = {side: self.plan(spec) for side, spec in specs.items()}
        for plan in plans.values():
            # Both before either: a job that was paid for and cannot be compared is of no use.
            if plan.blockers:
                reasons = "; ".join(f"{warning.code}: {warning.text}" for warning in plan.blockers)
                raise PlanError(f"The plan {plan.name!r} cannot work: {reasons}")
        jobs = make_jobs(plans, self.apply)
        for job in jobs.values():
            job.wait(timeout_s=timeout_s, on_change=on_change)
        return report_of_jobs(jobs["student"], jobs["teacher"], **told)
