"""What a plan says of a model and its bucket, the same for an import and for an endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bedrock_distill.plan import PlanWarning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bedrock_distill.aws import BucketState
    from bedrock_distill.models import ModelReport

__all__ = ["bucket_warnings", "model_warnings"]


def model_warnings(report: ModelReport, target: str) -> Iterator[PlanWarning]:
    """What inspection found that matters to a target; what makes the target refuse the model stops the plan."""
    for finding in report.findings:
        if not finding.targets or target in finding.targets:
            yield PlanWarning(code=finding.code, text=finding.text, blocks=finding.severity == "error")


def bucket_warnings(bucket: BucketState, region: str) -> Iterator[PlanWarning]:
    """Whether the bucket that the model lies in can be used in a region."""
    if not bucket.exists:
        yield PlanWarning(
            code="no-bucket", text=f"There is no bucket {bucket.name}: create it in {region}.", blocks=True
        )
    elif bucket.forbidden:
        yield PlanWarning(
            code="bucket-forbidden",
            text=f"These credentials may not look at the bucket {bucket.name}; writing there will likely be refused.",
        )
    elif bucket.region and bucket.region != region:
        yield PlanWarning(
            code="bucket-elsewhere",
            text=f"The bucket {bucket.name} lies in {bucket.region}, and the model is wanted in {region}: AWS wants one region.",
            blocks=True,
        )
