"""The job files among the samples can be planned as they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from bedrock_distill.local import Cloud
from bedrock_distill.resources.jobfile import TABLES

SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.fixture(scope="module")
def cloud():
    with Cloud(teachers={"amazon.nova-pro-v1:0": lambda _: "billing"}) as cloud:
        cloud.bucket("acme-ml")
        yield cloud


@pytest.mark.parametrize("name", sorted(str(path.relative_to(SAMPLES)) for path in SAMPLES.rglob("*.toml")))
def test_nothing_stops_the_plan_of_a_sample_job_file(cloud, student_dir, name):
    s3 = cloud.boto3_session().client("s3")
    for path in student_dir.iterdir():
        s3.upload_file(str(path), "acme-ml", f"students/triage/{path.name}")
    plan = cloud.session().plan(SAMPLES / name)
    assert plan.blockers == ()
    assert plan.kind in TABLES
