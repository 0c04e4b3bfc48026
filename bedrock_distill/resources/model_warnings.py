"""What a plan says of a model and its bucket, the same for an import and for an endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bedrock_distill.plan import PlanWarning
from bedrock_distill.resources.fields import is_key_arn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bedrock_distill.aws import BucketState
    from bedrock_distill.models import ModelReport

__all__ = ["access_warnings", "bucket_warnings", "model_warnings"]


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


def access_warnings(
    *, role: str | None, role_hidden: bool, data_kms_key: str | None
) -> Iterator[PlanWarning]:
    """Whether the role that reads the model is known to be there, and may use the key of what is staged.

    Args:
        role: ARN of the spec's own role, or None where one is made.
        role_hidden: Whether these credentials may not look at roles.
        data_kms_key: The key, as the spec names it.
    """
    if role_hidden:
        yield PlanWarning(
            code="role-hidden",
            text="These credentials may not look at IAM roles, so whether the role is there is not known. Name one of yours "
            "(role = …) if they may not make it either.",
        )
    if data_kms_key and not is_key_arn(data_kms_key) and role is None:
        yield PlanWarning(
            code="key-not-an-arn",
            text="data_kms_key is no key's ARN, and IAM policies take nothing else: give the ARN, or a role of yours that may "
            "decrypt with it.",
            blocks=True,
        )
