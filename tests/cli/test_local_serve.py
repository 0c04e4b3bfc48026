"""`bedrock-distill local serve`: a cloud for other processes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys

import boto3
import pytest
from botocore.config import Config

MODEL = "amazon.nova-pro-v1:0"


@contextlib.contextmanager
def _served(*arguments, cwd=None):
    """A served cloud in a process of its own, and the line it prints when it is ready."""
    command = [
        sys.executable,
        "-c",
        "from bedrock_distill.cli.main import main; main()",
        "local",
        "serve",
        *arguments,
    ]
    process = subprocess.Popen(
        command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=_environment()
    )
    try:
        yield process, json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


def _environment(**more):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {**kept, "PYTHONUNBUFFERED": "1", **more}


def _client(ready, service):
    return boto3.client(
        service,
        endpoint_url=ready["url"],
        region_name=ready["environment"]["AWS_DEFAULT_REGION"],
        aws_access_key_id=ready["environment"]["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=ready["environment"]["AWS_SECRET_ACCESS_KEY"],
        config=Config(retries={"total_max_attempts": 1}),
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_is_and_stops_cleanly_on_a_signal(number):
    with _served("--region", "eu-west-1") as (process, ready):
        assert ready["pid"] == process.pid
        assert ready["environment"]["AWS_ENDPOINT_URL"] == ready["url"]
        assert ready["environment"]["AWS_DEFAULT_REGION"] == "eu-west-1"
        assert "AWS_BEARER_TOKEN_BEDROCK" in ready["unset"]
        summaries = _client(ready, "bedrock").list_foundation_models()["modelSummaries"]
        assert MODEL in {summary["modelId"] for summary in summaries}
        process.send_signal(number)
        out, err = process.communicate()
        assert process.returncode == 0
        assert out == ""
        assert "has stopped" in err


def test_a_script_that_knows_only_the_environment_is_served():
    script = (
        "import boto3; s3 = boto3.client('s3'); s3.put_object(Bucket='a-bucket', Key='k', Body=b'x');"
        "print(boto3.client('sts').get_caller_identity()['Account'], s3.list_objects_v2(Bucket='a-bucket')['KeyCount'])"
    )
    with _served("--bucket", "a-bucket", "--account-id", "111122223333") as (_, ready):
        environment = _environment(**ready["environment"])
        done = subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
        )
    assert done.stdout.split() == ["111122223333", "1"]


def test_the_aws_cli_is_served(tmp_path):
    aws = [sys.executable, "-m", "awscli"]
    with _served("--bucket", "a-bucket") as (_, ready):
        environment = _environment(**ready["environment"])

        def run(*arguments):
            done = subprocess.run(
                [*aws, *arguments, "--output", "json"],
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            return done.stdout or done.stderr

        (tmp_path / "up").write_text("hello")
        run("s3", "cp", str(tmp_path / "up"), "s3://a-bucket/k")
        assert (
            json.loads(run("s3api", "list-objects-v2", "--bucket", "a-bucket"))["Contents"][0]["Key"] == "k"
        )
        assert "modelSummaries" in run("bedrock", "list-foundation-models")
        arn = "arn:aws:bedrock:us-east-1:123456789012:model-customization-job/amazon.nova-micro-v1:0:128k/abcdefghijkl"
        answer = run("bedrock", "get-model-customization-job", "--job-identifier", arn)
        assert "ResourceNotFoundException" in answer


def test_a_teacher_may_be_a_function_beside_the_caller(tmp_path):
    (tmp_path / "my_teacher.py").write_text(
        "def answer(record):\n    return 'I heard ' + record.prompt_text\n"
    )
    messages = [{"role": "user", "content": [{"text": "you"}]}]
    rule = "operation=Converse,nth=1,code=ThrottlingException"
    with _served("--teacher", f"{MODEL}=my_teacher:answer", "--fault", rule, cwd=tmp_path) as (_, ready):
        runtime = _client(ready, "bedrock-runtime")
        with pytest.raises(runtime.exceptions.ThrottlingException):
            runtime.converse(modelId=MODEL, messages=messages)
        reply = runtime.converse(modelId=MODEL, messages=messages)
    assert reply["output"]["message"]["content"] == [{"text": "I heard you"}]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--teacher", "nothing"], "MODEL=PATH"),
        (["--teacher", f"{MODEL}=no.such.module:f"], "cannot be loaded"),
        (["--teacher", f"{MODEL}=no-such-file.jsonl"], "does not exist"),
        (["--fault", "nth=1"], "needs an effect"),
        (["--account-id", "12"], "12 digits"),
    ],
)
def test_wrong_usage_is_exit_code_2_with_a_sentence(arguments, said):
    command = [
        sys.executable,
        "-c",
        "from bedrock_distill.cli.main import main; main()",
        "local",
        "serve",
        *arguments,
    ]
    done = subprocess.run(command, capture_output=True, text=True, env=_environment(), check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_taken_port_is_exit_code_2_with_a_sentence():
    with _served() as (_, ready):
        port = ready["url"].rpartition(":")[2]
        command = [
            sys.executable,
            "-c",
            "from bedrock_distill.cli.main import main; main()",
            "local",
            "serve",
            "--port",
        ]
        done = subprocess.run(
            [*command, port], capture_output=True, text=True, env=_environment(), check=False
        )
    assert done.returncode == 2
    assert "Cannot listen" in done.stderr
