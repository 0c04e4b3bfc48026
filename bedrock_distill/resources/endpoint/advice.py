"""What SageMaker's reasons for a failed endpoint usually mean, and what to do.

From reports of those who met them: facts with links in docs/how-to/sagemaker-endpoints.md.
"""

from __future__ import annotations

import re

__all__ = ["advice_for"]

_ADVICE: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"insufficient|capacity|no .*instances? available", re.IGNORECASE),
        "AWS has no such instance free right now: try again, another instance type (g6 for g5, say), or another region.",
    ),
    (
        re.compile(r"limit.*exceeded|quota", re.IGNORECASE),
        "The account's quota for this instance type is used up or 0: ask for it in Service Quotas (SageMaker, endpoint usage).",
    ),
    (
        re.compile(r"ping health check", re.IGNORECASE),
        (
            "The server did not come up: its log says why. Without any log, host image and CUDA version do not match, or the "
            "model took longer than startup_timeout_s to load."
        ),
    ),
    (
        re.compile(r"download|model data|s3", re.IGNORECASE),
        (
            "The model did not arrive: the role must be able to read the prefix (and use its KMS key), and download_timeout_s "
            "must suffice for its bytes."
        ),
    ),
    (
        re.compile(r"image|ecr|pull", re.IGNORECASE),
        "The image could not be pulled: the role must be able to read it from ECR, and a VPC needs endpoints for ECR and S3.",
    ),
    (
        re.compile(r"rolled back", re.IGNORECASE),
        "What was to be updated did not come up, or an alarm went off; what served before serves on.",
    ),
)
"""What the reason says -> what to do; the first that fits."""


def advice_for(reason: str) -> str:
    """What to do about a reason, or an empty string where it is not a known one."""
    return next((advice for pattern, advice in _ADVICE if pattern.search(reason)), "")
