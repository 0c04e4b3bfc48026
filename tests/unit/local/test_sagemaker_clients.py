"""Clients that are not ours, over HTTP: sagemaker-core's resources, and a plain boto3 script in a process of its own."""

from __future__ import annotations

import importlib.util
import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
_stage = runpy.run_path(str(HERE / "sagemaker_stage.py"))
open_stage, LMI, CUDA_13 = (_stage[name] for name in ("open_stage", "LMI", "CUDA_13"))
CORE_PYTHON = os.environ.get("SAGEMAKER_CORE_PYTHON")
"""A Python that has sagemaker-core, where this one has not: the package pins what others need newer."""


def _core_python():
    if CORE_PYTHON:
        return CORE_PYTHON
    if importlib.util.find_spec("sagemaker") and importlib.util.find_spec("sagemaker.core"):
        return sys.executable
    pytest.skip("sagemaker-core is not installed here; SAGEMAKER_CORE_PYTHON may name a Python that has it")


def _run(stage, python, arguments, tmp_path):
    with stage.cloud.serve() as server:
        # The settings that keep this very process in the cloud are not for another one.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        done = subprocess.run(
            [python, *arguments],
            env={**environment, **server.environment, "HOME": str(tmp_path), "COLUMNS": "100"},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout[done.stdout.index('{"text"') :])


def test_sagemaker_cores_endpoint_drives_the_local_cloud(student_dir, tmp_path):
    python = _core_python()
    with open_stage(student_dir) as stage:
        script = str(HERE / "sagemaker_core_script.py")
        seen = _run(stage, python, [script, stage.role, LMI, CUDA_13], tmp_path)
        assert seen["served after the update"] == "core-2"
        assert seen["listed"] == ["core"]
        assert seen["content type"] == "application/jsonlines"
        assert seen["last line"]["generated_text"] == seen["text"]
        assert stage.sm.list_endpoints()["Endpoints"] == []


SCRIPT = """
import json, sys, boto3
role, image, ami = sys.argv[1:]
sm, runtime = boto3.client("sagemaker"), boto3.client("sagemaker-runtime")
source = {"S3Uri": "s3://models/student/", "S3DataType": "S3Prefix", "CompressionType": "None"}
sm.create_model(
    ModelName="plain", ExecutionRoleArn=role,
    PrimaryContainer={"Image": image, "Environment": {"OPTION_MAX_MODEL_LEN": "2048"},
                      "ModelDataSource": {"S3DataSource": source}},
)
sm.create_endpoint_config(EndpointConfigName="plain", ProductionVariants=[{
    "VariantName": "AllTraffic", "ModelName": "plain", "InitialInstanceCount": 1,
    "InstanceType": "ml.g6.xlarge", "InferenceAmiVersion": ami}])
sm.create_endpoint(EndpointName="plain", EndpointConfigName="plain")
sm.get_waiter("endpoint_in_service").wait(EndpointName="plain", WaiterConfig={"Delay": 1})
body = {"inputs": "Hi", "parameters": {"max_new_tokens": 6, "do_sample": False}}
whole = json.loads(runtime.invoke_endpoint(EndpointName="plain", Body=json.dumps(body))["Body"].read())
stream = runtime.invoke_endpoint_with_response_stream(EndpointName="plain", Body=json.dumps({**body, "stream": True}))
raw = b"".join(event["PayloadPart"]["Bytes"] for event in stream["Body"])
last = [json.loads(line) for line in raw.splitlines() if line][-1]
print(json.dumps({"text": whole["generated_text"], "streamed": last["generated_text"]}))
"""


def test_a_plain_boto3_script_in_another_process_drives_the_local_cloud(student_dir, tmp_path):
    with open_stage(student_dir) as stage:
        seen = _run(stage, sys.executable, ["-c", SCRIPT, stage.role, LMI, CUDA_13], tmp_path)
        assert seen["text"] == seen["streamed"] != ""
