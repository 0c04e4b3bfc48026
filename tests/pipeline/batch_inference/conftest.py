"""A cloud with a teacher and a student, prompts, and specs of batch inference jobs for them."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

import bedrock_distill as bd
from bedrock_distill.local import Cloud
from bedrock_distill.records import Record
from bedrock_distill.records.writing import write_records

_triage = runpy.run_path(str(Path(__file__).parent / "triage.py"))
TEACHER, STUDENT, TOPICS, teach, study = (
    _triage[name] for name in ("TEACHER", "STUDENT", "TOPICS", "teach", "study")
)


@pytest.fixture
def cloud():
    with Cloud(teachers={TEACHER: teach, STUDENT: study}) as cloud:
        cloud.bucket("acme-ml")
        yield cloud


@pytest.fixture
def prompts(tmp_path):
    path = tmp_path / "prompts.jsonl"
    records = (
        Record.of(f"Question {n}?", system="Name the topic." if n % 2 else None, completion=TOPICS[n % 4 % 3])
        for n in range(120)
    )
    write_records(path, records)
    return path


@pytest.fixture
def wanted(prompts):
    """A spec that works, with changes."""

    def spec(**changes):
        fields = {"name": "triage", "model": TEACHER, "output": "s3://acme-ml/batch/"} | changes
        return bd.BatchInference(data=bd.Prompts(prompts), **fields)

    return spec


@pytest.fixture
def counts(cloud):
    """How many there are of each thing that an apply could make twice."""
    boto3 = cloud.boto3_session()
    bedrock, iam, s3 = (boto3.client(service) for service in ("bedrock", "iam", "s3"))

    def count():
        staged = s3.list_objects_v2(Bucket="acme-ml").get("Contents", ())
        return {
            "jobs": len(bedrock.list_model_invocation_jobs()["invocationJobSummaries"]),
            "roles": len(iam.list_roles()["Roles"]),
            "staged": sum("/staged/" in item["Key"] for item in staged),
        }

    return count
