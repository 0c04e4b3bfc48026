"""The entry script and the document it is given, without Spark: any engine does."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

from bedrock_distill.aws import Clients
from bedrock_distill.errors import NotFoundError, ServiceError
from bedrock_distill.harvest import emr_entry
from bedrock_distill.harvest.document import JobDocument, run_document
from bedrock_distill.harvest.engines.processes import SerialEngine
from bedrock_distill.local import Cloud
from bedrock_distill.records.logs.query import LogQuery

LOG = "AWSLogs/123456789012/BedrockModelInvocationLogs/us-east-1/2026/11/01/00/a.json.gz"
RECORD = {
    "schemaType": "ModelInvocationLog",
    "schemaVersion": "1.0",
    "timestamp": "2026-11-01T00:00:00Z",
    "requestId": "1",
    "operation": "Converse",
    "modelId": "amazon.nova-pro-v1:0",
    "input": {
        "inputContentType": "application/json",
        "inputBodyJson": {"messages": [{"role": "user", "content": [{"text": "Why?"}]}]},
    },
    "output": {"outputContentType": "application/json", "outputBodyJson": {}},
}


@pytest.fixture
def clients():
    with Cloud() as cloud:
        cloud.bucket("acme-logs")
        cloud.bucket("acme-ml")
        line = json.dumps(RECORD).encode() + b"\n"
        cloud.boto3_session().client("s3").put_object(
            Bucket="acme-logs", Key=LOG, Body=gzip.compress(line * 2)
        )
        with cloud.serve() as server:
            yield Clients(region="us-east-1", endpoint_url=server.url)


def document(**changes):
    fields = {
        "region": "us-east-1",
        "logs": "s3://acme-logs/",
        "records": "s3://acme-ml/out/records.jsonl",
        "report": "s3://acme-ml/out/report.json",
        "work": "s3://acme-ml/out/work/",
        "query": LogQuery(),
    }
    return JobDocument(**(fields | changes))


def stored(clients, key):
    return clients.call("s3", "get_object", Bucket="acme-ml", Key=key)["Body"].read()


def test_the_records_and_then_the_report_are_put_where_the_document_says(clients):
    report = run_document(document(), SerialEngine(), clients)
    assert (report["written"], report["duplicates"]) == (1, 1)
    assert json.loads(stored(clients, "out/report.json")) == report
    assert report["out"] == "s3://acme-ml/out/records.jsonl"
    assert stored(clients, "out/records.jsonl").count(b"\n") == 1


def test_repeats_are_kept_where_the_document_says_so(clients):
    assert run_document(document(distinct=False), SerialEngine(), clients)["written"] == 2


def test_a_harvest_that_fails_leaves_no_report(clients):
    with pytest.raises(ServiceError):
        run_document(document(records="s3://no-such-bucket/x.jsonl"), SerialEngine(), clients)
    with pytest.raises(NotFoundError):
        stored(clients, "out/report.json")


@pytest.mark.parametrize("arguments", [[], ["a", "b"], ["not-a-uri"]])
def test_wrong_arguments_end_the_driver_with_one_line_that_says_why(arguments, capsys, monkeypatch):
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    assert emr_entry.main(arguments) == 1
    said = capsys.readouterr().err
    assert said.startswith("SpecError: ")
    assert said.count("\n") == 1


def test_without_the_package_the_script_says_that_the_environment_lacks_it(tmp_path):
    script = tmp_path / "entry.py"
    script.write_text(Path(emr_entry.__file__).read_text("utf-8"))
    bare = subprocess.run(
        [sys.executable, "-I", "-S", str(script), "s3://b/k"], capture_output=True, text=True, check=False
    )
    assert bare.returncode == 1
    assert bare.stderr.startswith("ModuleNotFoundError: The packed environment does not hold bedrock_distill")
