"""What batch inference sends and reads, against the service's model: every request, every status, every identifier."""

from __future__ import annotations

import re

import botocore.session
import pytest

from bedrock_distill.cli import batch as command
from bedrock_distill.local import Cloud
from bedrock_distill.local.gateway.validation import find_violations
from bedrock_distill.records import Record
from bedrock_distill.records.writing import write_records
from bedrock_distill.resources import BatchInference, BatchStatus, Prompts
from bedrock_distill.resources.batch.job import BATCH_STATUSES
from bedrock_distill.resources.batch.spec import _REFUSED

MODEL = botocore.session.get_session().get_service_model("bedrock")
RUNTIME = botocore.session.get_session().get_service_model("bedrock-runtime")
STATUSES = MODEL.shape_for("ModelInvocationJobStatus").enum
HERE = "arn:aws:bedrock:us-east-1:123456789012:"
KEY = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000"

SPECS = {
    "the least": {},
    "an id of a profile": {"model": "us.amazon.nova-pro-v1:0"},
    "a context variant": {"model": "amazon.nova-pro-v1:0:300k"},
    "a custom model": {"model": f"{HERE}custom-model/amazon.nova-micro-v1:0:128k/abcdefghijkl"},
    "an application profile": {"model": f"{HERE}application-inference-profile/abcdefghijkl"},
    "InvokeModel": {"invocation": "InvokeModel"},
    "everything": {
        "name": "a_b-c",
        "role": "arn:aws:iam::123456789012:role/path/mine",
        "system": "Be brief.",
        "temperature": None,
        "timeout_hours": 168,
        "kms_key": KEY,
        "data_kms_key": KEY,
        "vpc": {"subnet_ids": ["subnet-1"], "security_group_ids": ["sg-1"]},
        "tags": {"team": "a b", "cost:centre": ""},
    },
    "the longest name": {"name": "n" * 40},
}


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    with Cloud(teachers={"amazon.nova-pro-v1:0": lambda _: "billing"}) as cloud:
        cloud.bucket("acme")
        yield cloud.session()


@pytest.fixture
def prompts(tmp_path):
    write_records(tmp_path / "a prompt file (1).jsonl.gz", (Record.of(f"Question {n}?") for n in range(100)))
    return Prompts(tmp_path / "a prompt file (1).jsonl.gz")


@pytest.mark.parametrize("case", SPECS)
def test_every_request_holds_to_the_services_model(session, prompts, case):
    fields = {"name": "triage", "model": "amazon.nova-pro-v1:0", "output": "s3://acme/batch/"} | SPECS[case]
    request = session.plan(BatchInference(data=prompts, **fields)).creates.request
    shape = MODEL.operation_model("CreateModelInvocationJob").input_shape
    assert not list(find_violations(shape, request))
    assert request.keys() <= shape.members.keys()


def test_every_status_of_the_model_is_known_and_no_other():
    assert set(BATCH_STATUSES) == set(STATUSES)
    assert set(command._STATUSES) == set(STATUSES)


@pytest.mark.parametrize("status", STATUSES)
def test_a_status_says_whether_the_job_is_over_and_has_answers(status):
    over = status in ("Completed", "PartiallyCompleted", "Failed", "Stopped", "Expired")
    succeeded = status in ("Completed", "PartiallyCompleted")
    least = {"jobArn": f"{HERE}model-invocation-job/abcdefghijkl", "modelId": "m", "submitTime": None}
    state = BatchStatus.of({**least, "status": status})
    assert (state.over, state.succeeded) == (over, succeeded)


def test_the_members_that_are_read_are_the_models_and_what_it_lets_be_absent_may_be():
    members = MODEL.operation_model("GetModelInvocationJob").output_shape.members
    read = (
        "jobArn",
        "jobName",
        "modelId",
        "status",
        "message",
        "submitTime",
        "endTime",
        "modelInvocationType",
    )
    counts = ("totalRecordCount", "processedRecordCount", "successRecordCount", "errorRecordCount")
    assert {*read, *counts, "outputDataConfig"} <= members.keys()
    least = {"jobArn": f"{HERE}model-invocation-job/abcdefghijkl", "modelId": "m", "submitTime": None}
    state = BatchStatus.of(least)
    assert (state.over, state.total, state.phase, state.reason) == (False, None, "", "")


@pytest.mark.parametrize("kind", _REFUSED)
def test_the_kinds_of_models_that_a_spec_refuses_are_those_that_the_model_refuses(kind):
    pattern = MODEL.shape_for("ModelId").metadata["pattern"]
    assert not re.fullmatch(pattern, f"{HERE}{kind}/abcdefghijkl")
    assert re.fullmatch(pattern, SPECS["a custom model"]["model"])
