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


# These tests may themselves run under nohup, whose children ignore this signal.
MAIN = (
    "import signal; signal.signal(signal.SIGHUP, signal.SIG_DFL);"
    "from bedrock_distill.cli.main import main; main()"
)
SERVE = [sys.executable, "-c", MAIN, "local", "serve"]


@contextlib.contextmanager
def _served(*arguments, cwd=None, **environment):
    """A served cloud in a process of its own, and the line it prints when it is ready."""
    process = subprocess.Popen(
        [*SERVE, *arguments],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=_environment(**environment),
    )
    try:
        yield process, json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


def _refused(*arguments):
    """What a serve that cannot begin says, after exit code 2."""
    done = subprocess.run(
        [*SERVE, *arguments], capture_output=True, text=True, env=_environment(), check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    return done.stderr


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


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
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
        (["--teacher", "nova=os:getcwd"], "no model 'nova'"),
        (["--workdir", "/dev/null/weights"], "cannot work in /dev/null/weights"),
        (["--bucket", "b"], "Could not create the bucket 'b'"),
        (["--train", "size=giant"], "no student size 'giant'"),
        (["--train", "colour=red"], "no setting 'colour'"),
    ],
)
def test_wrong_usage_is_exit_code_2_with_a_sentence(arguments, said):
    assert said in _refused(*arguments)


def test_a_taken_port_is_exit_code_2_with_a_sentence():
    with _served() as (_, ready):
        assert "Cannot listen" in _refused("--port", ready["url"].rpartition(":")[2])


def test_two_clouds_at_once_know_nothing_of_each_other(tmp_path):
    with (
        _served("--workdir", str(tmp_path), "--bucket", "only-here") as (_, first),
        _served("--workdir", str(tmp_path)) as (_, second),
    ):
        buckets = [len(_client(ready, "s3").list_buckets()["Buckets"]) for ready in (first, second)]
        assert buckets == [1, 0]
        assert len(list(tmp_path.iterdir())) == 2


def test_a_signal_in_the_middle_of_a_stream_and_a_job_leaves_nothing_behind(tmp_path):
    script = (
        "import threading\n"
        "def answer(record):\n"
        "    if 'Question' in record.prompt_text:\n"
        "        print('asked', flush=True)\n"
        "        threading.Event().wait(0.2)\n"
        "    return 'word ' * 100\n"
    )
    (tmp_path / "my_teacher.py").write_text(script)
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    arguments = ["--teacher", f"{MODEL}=my_teacher:answer", "--bucket", "acme-ml"]
    arguments += ["--fault", "operation=CreateModel*,nth=1,latency_s=10,when=after"]
    with _served(*arguments, cwd=tmp_path, TMPDIR=str(temporary)) as (process, ready):
        _start_job(ready)
        assert process.stdout.readline() == "asked\n"
        messages = [{"role": "user", "content": [{"text": "you"}]}]
        stream = _client(ready, "bedrock-runtime").converse_stream(modelId=MODEL, messages=messages)["stream"]
        with contextlib.closing(stream):
            assert "messageStart" in next(iter(stream))
            process.send_signal(signal.SIGTERM)
            _, err = process.communicate()
        assert process.returncode == 0
        assert "Traceback" not in err
    assert list(temporary.iterdir()) == []


def _start_job(ready):
    """A job whose teacher takes its time."""
    record = {"schemaVersion": "bedrock-conversation-2024"}
    lines = [
        json.dumps(record | {"messages": [{"role": "user", "content": [{"text": f"Question {n}?"}]}]}) + "\n"
        for n in range(500)
    ]
    _client(ready, "s3").put_object(Bucket="acme-ml", Key="in.jsonl", Body="".join(lines).encode())
    allow = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "bedrock.amazonaws.com"}}
    iam = _client(ready, "iam")
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = iam.create_role(RoleName="distiller", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    iam.put_role_policy(RoleName="distiller", PolicyName="s3", PolicyDocument=policy)
    bedrock = _client(ready, "bedrock")
    request = {
        "jobName": "triage",
        "customModelName": "triage",
        "roleArn": role,
        "baseModelIdentifier": "amazon.nova-micro-v1:0:128k",
        "customizationType": "DISTILLATION",
        "trainingDataConfig": {"s3Uri": "s3://acme-ml/in.jsonl"},
        "outputDataConfig": {"s3Uri": "s3://acme-ml/out/"},
        "customizationConfig": {
            "distillationConfig": {"teacherModelConfig": {"teacherModelIdentifier": MODEL}}
        },
    }
    with pytest.raises(bedrock.exceptions.ValidationException, match="Could not assume"):
        bedrock.create_model_customization_job(**request)
    # The fault has let ten seconds pass by the cloud's clock, after which the new role is known.
    bedrock.create_model_customization_job(**request)
