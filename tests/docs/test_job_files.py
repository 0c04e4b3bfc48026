"""The job files among the samples can be planned as they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from bedrock_distill.local import Cloud
from bedrock_distill.refinement.spec_file import read_refinement
from bedrock_distill.resources.jobfile import TABLES

SAMPLES = Path(__file__).parents[2] / "samples"
REFINEMENT = SAMPLES / "refinement.toml"
JOB_FILES = sorted(path for path in SAMPLES.rglob("*.toml") if path != REFINEMENT)


@pytest.fixture(scope="module")
def cloud():
    with Cloud(teachers={"amazon.nova-pro-v1:0": lambda _: "billing"}) as cloud:
        cloud.bucket("acme-ml")
        yield cloud


@pytest.mark.parametrize("name", [str(path.relative_to(SAMPLES)) for path in JOB_FILES])
def test_nothing_stops_the_plan_of_a_sample_job_file(cloud, student_dir, name):
    s3 = cloud.boto3_session().client("s3")
    for path in student_dir.iterdir():
        s3.upload_file(str(path), "acme-ml", f"students/triage/{path.name}")
    plan = cloud.session().plan(SAMPLES / name)
    assert plan.blockers == ()
    assert plan.kind in TABLES


def test_the_sample_refinement_is_read_and_its_distillation_can_be_planned(cloud):
    spec = read_refinement(REFINEMENT)
    assert spec.evaluation.is_file()
    assert cloud.session().plan(spec.distillation).blockers == ()
