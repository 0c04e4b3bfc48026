"""Which refusals are a new role that IAM has not spread yet, and which are for good."""

from __future__ import annotations

import pytest

from bedrock_distill.apply.executor import _role_not_spread
from bedrock_distill.errors import ServiceError


def refusal(said, *, code="ValidationException", subject="triage"):
    return ServiceError(
        f"bedrock CreateModelCustomizationJob on {subject}: {code} (request r): {said}", code=code
    )


@pytest.mark.parametrize(
    "said",
    [
        "Could not assume provided IAM role. Please check the trust policy.",
        "The provided RoleArn is invalid",
        "Could not validate GetObject permissions to access Amazon S3 bucket: acme at key p.jsonl",
        "Amazon S3 perms missing (PutObject): Could not validate PutObject permissions to access S3 bucket",
        "The role arn:aws:iam::1:role/R is not authorized to perform: bedrock:InvokeModel on resource: x.",
    ],
)
def test_a_role_or_policy_that_is_not_known_everywhere_yet_is_waited_for(said):
    assert _role_not_spread(refusal(said))


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("Cross-account pass role is not allowed.", "AccessDeniedException"),
        (
            "User: arn:aws:iam::1:user/u is not authorized to perform: iam:PassRole on resource: R",
            "AccessDeniedException",
        ),
        ("The model is marked by provider as Legacy", "ValidationException"),
        ("Could not assume provided IAM role.", "ConflictException"),
    ],
)
def test_a_refusal_for_good_is_not(said, code):
    assert not _role_not_spread(refusal(said, code=code))


def test_the_jobs_own_name_does_not_decide():
    assert not _role_not_spread(refusal("No such model", subject="assume-role-invalid"))
