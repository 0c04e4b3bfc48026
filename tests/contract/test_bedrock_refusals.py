"""For every operation of `bedrock`: inputs that AWS refuses, and the modelled error they are refused with.

The inputs are tables in the files `*_refusals.py` beside this one; what their rows are is in `refusal_rows.py`.
"""

from __future__ import annotations

import copy
import runpy
from pathlib import Path

import pytest
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError

from bedrock_distill.local.services.bedrock import job_access

HERE = Path(__file__).parent
open_stage = runpy.run_path(str(HERE.parent / "unit" / "local" / "bedrock_stage.py"))["open_stage"]
_rows = runpy.run_path(str(HERE / "refusal_rows.py"))
INVALID, REMOVED, rows = (_rows[name] for name in ("INVALID", "REMOVED", "rows"))

PARTS = [
    runpy.run_path(str(HERE / f"{topic}_refusals.py"))
    for topic in ("customization", "model", "logging", "serving", "batch", "evaluation")
]
TABLE = [row for part in PARTS for row in rows(part["TABLES"])]

REFUSES_NOTHING = {"GetModelInvocationLoggingConfiguration", "DeleteModelInvocationLoggingConfiguration"}
"""Operations without a parameter."""

MODELS_NO_INVALID = {"CreateModelCopyJob"}
"""Operations whose model has no error for a bad input: they answer the ValidationException of all the others."""


@pytest.fixture(scope="module")
def stage():
    """A cloud with one of everything: jobs, models, a deployment, and roles of every quality."""
    # So that a role that is new stays new until the table comes to it, however slow the machine is.
    with pytest.MonkeyPatch.context() as patch, open_stage() as stage:
        patch.setattr(job_access, "PROPAGATION_S", 3600.0)
        for part in PARTS:
            part["prepare"](stage)
        unchecked = Config(parameter_validation=False)
        doors = {"process": None, "http": stage.cloud.serve().url}
        stage.clients = {
            (door, region): stage.cloud.boto3_session(region).client(
                "bedrock", config=unchecked, endpoint_url=url
            )
            for door, url in doors.items()
            for region in ("us-east-1", "us-west-2", "ap-south-1")
        }
        yield stage


def working(stage, operation):
    """Parameters that the operation takes."""
    found = {name: params for part in PARTS for name, params in part["working"](stage).items()}
    return copy.deepcopy(found.get(operation, {}))


def changed(params, change, names):
    """The parameters with one row's changes."""
    for path, value in change.items():
        *parents, last = path.split(".")
        inner = params
        for parent in parents:
            inner = inner[parent]
        if value is REMOVED:
            del inner[last]
        else:
            inner[last] = (
                names[value[1:-1]]
                if isinstance(value, str) and value.startswith("{")
                else copy.deepcopy(value)
            )
    return params


@pytest.mark.parametrize("door", ["process", "http"])
@pytest.mark.parametrize("row", TABLE, ids=str)
def test_a_bad_input_is_refused_with_the_modelled_error(stage, row, door):
    client = stage.clients[door, row.region]
    params = changed(working(stage, row.operation), row.change, stage.names)
    with pytest.raises(ClientError, match=row.says or None) as caught:
        getattr(client, xform_name(row.operation))(**params)
    answer = caught.value.response
    assert answer["Error"]["Code"] == row.code
    modelled = {
        shape.name: shape for shape in client.meta.service_model.operation_model(row.operation).error_shapes
    }
    status = answer["ResponseMetadata"]["HTTPStatusCode"]
    if row.code == INVALID and row.operation in MODELS_NO_INVALID:
        assert (status, row.code in modelled) == (400, False)
        return
    assert row.code in modelled, f"{row.operation} does not model {row.code}"
    assert status == modelled[row.code].metadata["error"]["httpStatusCode"]


@pytest.mark.parametrize("door", ["process", "http"])
def test_ninety_nine_prompts_are_taken_and_fail_in_aws_s_words(stage, door):
    job = stage.clients[door, "us-west-2"].get_model_customization_job(jobIdentifier="few")
    assert job["status"] == "Failed"
    assert "Input data must have at minimum 100 valid prompts" in job["failureMessage"]
    assert "outputModelArn" not in job


def test_every_operation_has_its_rows(stage):
    from bedrock_distill.local.services.bedrock import Bedrock

    served = {
        name
        for name in stage.bedrock.meta.service_model.operation_names
        if hasattr(Bedrock(stage.world), xform_name(name))
    }
    assert served == {row.operation for row in TABLE} | REFUSES_NOTHING


def test_refusals_changed_nothing(stage):
    """Runs after the table: what was there is there, and no more."""
    jobs = stage.bedrock.list_model_customization_jobs()["modelCustomizationJobSummaries"]
    assert [job["jobName"] for job in jobs] == ["triage"]
    assert len(stage.bedrock.list_custom_models()["modelSummaries"]) == 1
    assert len(stage.bedrock.list_custom_model_deployments()["modelDeploymentSummaries"]) == 1
    assert len(stage.bedrock.list_model_import_jobs()["modelImportJobSummaries"]) == 1
    assert len(stage.bedrock.list_imported_models()["modelSummaries"]) == 1
    assert len(stage.bedrock.list_provisioned_model_throughputs()["provisionedModelSummaries"]) == 2
    assert len(stage.clients["process", "us-west-2"].list_model_copy_jobs()["modelCopyJobSummaries"]) == 1
    assert len(stage.bedrock.list_model_invocation_jobs()["invocationJobSummaries"]) == 1
    assert "loggingConfig" not in stage.bedrock.get_model_invocation_logging_configuration()
    assert stage.bedrock.list_tags_for_resource(resourceARN=stage.names["job"])["tags"] == []


def test_an_operation_that_the_local_cloud_lacks_is_refused_by_its_name(stage):
    with pytest.raises(ClientError, match="bedrock:ListGuardrails") as caught:
        stage.bedrock.list_guardrails()
    assert caught.value.response["Error"]["Code"] == "NotImplementedException"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
