"""The fidelity table names every operation that the local cloud serves, and tests that exist."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import botocore.session
import pytest
from botocore import xform_name

from bedrock_distill.local.ids import Ids
from bedrock_distill.local.services.application_autoscaling import ApplicationAutoScaling
from bedrock_distill.local.services.bedrock import Bedrock
from bedrock_distill.local.services.comprehend import Comprehend
from bedrock_distill.local.services.emr_serverless import EmrServerless
from bedrock_distill.local.services.runtime import BedrockRuntime
from bedrock_distill.local.services.sagemaker import SageMaker
from bedrock_distill.local.services.sagemaker_runtime import SageMakerRuntime

ROOT = Path(__file__).parents[2]
TABLE = (ROOT / "docs/explanation/local-cloud-fidelity.md").read_text("utf-8")
ROWS = re.findall(r"^\| ([^|]+) \|.*\| `([^`|]+)::([^`|]+)` \|$", TABLE, re.MULTILINE)


@pytest.mark.parametrize(("operation", "file", "test"), ROWS)
def test_each_row_names_a_test_that_exists(operation, file, test):
    path = ROOT / file if "/" in file else ROOT / "tests/unit/local" / file
    assert f"def {test}(" in path.read_text("utf-8"), f"the row of {operation} names no test"


def test_every_served_operation_has_a_row():
    loader = botocore.session.get_session()
    named = {operation for operation, _, _ in ROWS}
    services = (
        ("bedrock", Bedrock(SimpleNamespace(ids=Ids()))),
        ("bedrock-runtime", BedrockRuntime),
        ("comprehend", Comprehend),
        ("emr-serverless", EmrServerless),
        ("sagemaker", SageMaker(SimpleNamespace(ids=Ids()), None)),
        ("sagemaker-runtime", SageMakerRuntime),
        ("application-autoscaling", ApplicationAutoScaling),
    )
    for name, service in services:
        served = {
            each
            for each in loader.get_service_model(name).operation_names
            if hasattr(service, xform_name(each))
        }
        assert served
        assert not served - named, f"{name}: operations without a row"


def test_no_row_is_misread():
    assert len(ROWS) == sum(line.startswith("| ") and "::" in line for line in TABLE.splitlines())
