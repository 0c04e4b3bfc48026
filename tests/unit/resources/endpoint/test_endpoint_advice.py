"""SageMaker's reasons, and what they are taken to mean."""

from __future__ import annotations

import pytest

from bedrock_distill.resources.endpoint.advice import advice_for


@pytest.mark.parametrize(
    ("reason", "says"),
    [
        ("Unable to provision requested ML compute capacity due to InsufficientInstanceCapacity error.", "no such instance free"),
        ("The account-level service limit 'ml.g5.xlarge for endpoint usage' is 0: limit was exceeded", "Service Quotas"),
        ("The primary container for production variant AllTraffic did not pass the ping health check.", "its log says why"),
        ("Failed to download model data for container", "read the prefix"),
        ("Failed to pull the image from ECR", "VPC"),
        ("the update to b was rolled back, and a serves as before", "serves on"),
        ("Something that nobody has seen", ""),
    ],
)  # fmt: skip
def test_a_known_reason_has_advice_and_an_unknown_one_none(reason, says):
    assert says in advice_for(reason)
    assert bool(advice_for(reason)) == bool(says)
