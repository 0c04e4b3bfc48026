"""From prompts to answers through the command line alone, on a served local cloud; then the same with other clients."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent
TEACHER, STUDENT = "amazon.nova-pro-v1:0", "amazon.nova-micro-v1:0"


def _environment(extra=None):
    kept = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    return {
        **kept,
        "OMP_WAIT_POLICY": "PASSIVE",
        "GOMP_SPINCOUNT": "1000",
        "AWS_EC2_METADATA_DISABLED": "true",
        **(extra or {}),
    }


@contextlib.contextmanager
def served(folder, *options):
    """A local cloud in a process of its own; yields what it printed when it was ready."""
    command = [str(BIN / "bedrock-distill"), "local", "serve", "--bucket", "acme-ml", *options]
    with subprocess.Popen(
        command, cwd=folder, env=_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            line = process.stdout.readline()
            assert line, process.stderr.read()
            yield json.loads(line)
        finally:
            process.send_signal(signal.SIGTERM)
            rest, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert rest == "", "one line on stdout, and no more"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Prompt and completion pairs, as many a team has them."""
    folder = tmp_path_factory.mktemp("whole-path")
    with (folder / "pairs.jsonl").open("w") as file:
        for number in range(160):
            topic = ("billing", "shipping")[number % 2]
            prompt = f"{('Invoice', 'Parcel')[number % 2]} {1000 + number} is {('wrong', 'late')[number % 2]}, please help"
            file.write(json.dumps({"prompt": prompt, "completion": topic}) + "\n")
    return folder


@pytest.fixture(scope="module")
def cloud(folder):
    with served(
        folder,
        "--teacher",
        f"{TEACHER}={folder / 'pairs.jsonl'}",
        "--train",
        "steps=80",
        "--train",
        "size=tiny",
    ) as ready:
        yield ready


@pytest.fixture(scope="module")
def cli(folder, cloud):
    """Runs a command against the served cloud; returns what it printed, read as JSON."""

    def run(*arguments, code=0):
        ran = subprocess.run(
            [str(BIN / "bedrock-distill"), *map(str, arguments), "--output", "json"],
            cwd=folder,
            env=_environment(cloud["environment"]),
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert ran.returncode == code, f"{arguments}\n{ran.stdout}\n{ran.stderr}"
        return json.loads(ran.stdout) if ran.stdout else ran.stderr

    return run


def _job_file(folder, name):
    path = folder / f"{name}.toml"
    path.write_text(
        f'[distillation]\nname = "{name}"\nteacher = "{TEACHER}"\nstudent = "{STUDENT}"\n'
        'data = "prompts.jsonl"\noutput = "s3://acme-ml/distill"\nmax_response_tokens = 20\n'
    )
    return path


@pytest.mark.slow(seconds=45)
def test_prompts_become_a_student_that_answers_through_the_command_line_alone(folder, cli):
    converted = cli("data", "convert", "pairs.jsonl", "--out", "prompts.jsonl", "--drop-completions")
    assert converted["records"] == 160
    assert cli("data", "check", "prompts.jsonl", "--teacher", TEACHER, "--student", STUDENT)
    plan = cli("plan", _job_file(folder, "triage"), "--out", "plan.json")
    assert "costs money" in cli("apply", "plan.json", code=2)
    done = cli("apply", "plan.json", "--wait", "--yes")
    assert done["status"] == "Completed"
    assert done["fingerprint"] == plan["fingerprint"]
    assert cli("apply", "plan.json", "--yes")["arn"] == done["arn"], "applying again makes no second job"
    assert [job["jobArn"] for job in cli("jobs", "list")] == [done["arn"]]
    assert cli("jobs", "show", done["arn"], "--artifacts")["artifacts"]
    assert cli("jobs", "wait", done["arn"])["model_arn"] == done["model_arn"]
    deployed = cli("deploy", done["model_arn"])
    assert deployed["status"] == "Active"
    assert (
        cli("chat", deployed["arn"], "Parcel 5555 is late, please help", "--temperature", "0")["text"]
        == "shipping"
    )
    cli("data", "convert", "pairs.jsonl", "--out", "heldout.jsonl", "--drop-completions")
    evaluated = ["evaluate", "--student", deployed["arn"], "--teacher", TEACHER, "--data", "heldout.jsonl"]
    assert cli(*evaluated, "--min-retention", "0.5", "--report", "report")
    assert (folder / "report" / "report.html").stat().st_size > 5_000
    cli(*evaluated, "--min-retention", "1.01", code=3)
    cli("deploy", "delete", deployed["arn"])
    assert cli("deploy", "list") == []
    assert [model["modelArn"] for model in cli("models", "list")] == [done["model_arn"]]


@pytest.mark.slow(seconds=20)
def test_the_aws_command_line_drives_the_same_pipeline(folder, cloud):
    script = folder / "aws.sh"
    script.write_text(AWS_SCRIPT)
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", str(script), str(folder / "pairs.jsonl")],
        cwd=folder,
        env=_environment(
            {**cloud["environment"], "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "AWS_PAGER": ""}
        ),
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"
    assert ran.stdout.splitlines()[-1] == "billing"


@pytest.mark.slow(seconds=20)
def test_a_plain_boto3_script_drives_the_same_pipeline(folder, cloud):
    script = folder / "plain.py"
    script.write_text(BOTO3_SCRIPT)
    ran = subprocess.run(
        [sys.executable, str(script), str(folder / "pairs.jsonl")],
        cwd=folder,
        env=_environment(cloud["environment"]),
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"
    assert ran.stdout.splitlines()[-1] == "shipping"


def test_a_port_that_is_taken_is_named(folder, cloud):
    port = cloud["url"].rpartition(":")[2]
    ran = subprocess.run(
        [str(BIN / "bedrock-distill"), "local", "serve", "--port", port],
        env=_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ran.returncode == 2
    assert port in ran.stderr


def test_the_aws_command_line_is_there():
    assert shutil.which("aws", path=str(BIN)), "the [dev] extra brings it"


AWS_SCRIPT = r"""
python - "$1" > records.jsonl <<'PY'
import json, sys
for line in open(sys.argv[1]):
    text = json.loads(line)["prompt"]
    print(json.dumps({"schemaVersion": "bedrock-conversation-2024",
                      "messages": [{"role": "user", "content": [{"text": text}]}]}))
PY
aws s3 cp --only-show-errors records.jsonl s3://acme-ml/aws-cli/records.jsonl
aws iam create-role --role-name AwsCli --assume-role-policy-document '{"Version":"2012-10-17","Statement":[{"Effect":"Allow",
  "Principal":{"Service":"bedrock.amazonaws.com"},"Action":"sts:AssumeRole"}]}' > role.json
aws iam put-role-policy --role-name AwsCli --policy-name data --policy-document '{"Version":"2012-10-17","Statement":[
  {"Effect":"Allow","Action":["s3:GetObject","s3:PutObject","s3:ListBucket"],"Resource":["arn:aws:s3:::acme-ml","arn:aws:s3:::acme-ml/*"]}]}'
create() {
  aws bedrock create-model-customization-job --job-name aws-cli --custom-model-name aws-cli \
    --role-arn arn:aws:iam::123456789012:role/AwsCli --base-model-identifier amazon.nova-micro-v1:0:128k \
    --customization-type DISTILLATION --training-data-config s3Uri=s3://acme-ml/aws-cli/records.jsonl \
    --output-data-config s3Uri=s3://acme-ml/aws-cli/out/ --query jobArn --output text \
    --customization-config 'distillationConfig={teacherModelConfig={teacherModelIdentifier=amazon.nova-pro-v1:0}}'
}
until job=$(create); do sleep 1; done   # a role made just now is refused for some seconds, as on AWS
while status=$(aws bedrock get-model-customization-job --job-identifier "$job" --query status --output text);
      [ "$status" = InProgress ]; do sleep 0.5; done
[ "$status" = Completed ]
model=$(aws bedrock get-model-customization-job --job-identifier "$job" --query outputModelArn --output text)
deployment=$(aws bedrock create-custom-model-deployment --model-deployment-name aws-cli --model-arn "$model" \
  --query customModelDeploymentArn --output text)
until [ "$(aws bedrock get-custom-model-deployment --custom-model-deployment-identifier "$deployment" \
  --query status --output text)" = Active ]; do sleep 0.2; done
aws bedrock-runtime converse --model-id "$deployment" --inference-config temperature=0 \
  --messages '[{"role":"user","content":[{"text":"Invoice 7777 is wrong, please help"}]}]' \
  --query 'output.message.content[0].text' --output text
"""

BOTO3_SCRIPT = """
import json, sys, time
import boto3

bedrock, runtime, s3, iam = (boto3.client(name) for name in ("bedrock", "bedrock-runtime", "s3", "iam"))
lines = [
    json.dumps({"schemaVersion": "bedrock-conversation-2024",
                "messages": [{"role": "user", "content": [{"text": json.loads(line)["prompt"]}]}]})
    for line in open(sys.argv[1])
]
s3.put_object(Bucket="acme-ml", Key="plain/records.jsonl", Body="\\n".join(lines).encode())
trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "bedrock.amazonaws.com"},
                                                 "Action": "sts:AssumeRole"}]}
may = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject", "s3:ListBucket"],
                                               "Resource": ["arn:aws:s3:::acme-ml", "arn:aws:s3:::acme-ml/*"]}]}
role = iam.create_role(RoleName="Plain", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
iam.put_role_policy(RoleName="Plain", PolicyName="data", PolicyDocument=json.dumps(may))
request = dict(
    jobName="plain", customModelName="plain", roleArn=role, baseModelIdentifier="amazon.nova-micro-v1:0:128k",
    customizationType="DISTILLATION", trainingDataConfig={"s3Uri": "s3://acme-ml/plain/records.jsonl"},
    outputDataConfig={"s3Uri": "s3://acme-ml/plain/out/"},
    customizationConfig={"distillationConfig": {"teacherModelConfig": {"teacherModelIdentifier": "amazon.nova-pro-v1:0"}}},
)
for _ in range(30):
    try:
        job = bedrock.create_model_customization_job(**request)["jobArn"]
        break
    except bedrock.exceptions.ValidationException:      # the role is not known everywhere yet, as on AWS
        time.sleep(1)
while (state := bedrock.get_model_customization_job(jobIdentifier=job))["status"] == "InProgress":
    time.sleep(0.5)
assert state["status"] == "Completed", state
deployment = bedrock.create_custom_model_deployment(
    modelDeploymentName="plain", modelArn=state["outputModelArn"])["customModelDeploymentArn"]
while bedrock.get_custom_model_deployment(customModelDeploymentIdentifier=deployment)["status"] != "Active":
    time.sleep(0.2)
stream = runtime.converse_stream(
    modelId=deployment, inferenceConfig={"temperature": 0},
    messages=[{"role": "user", "content": [{"text": "Parcel 7777 is late, please help"}]}])["stream"]
print("".join(event["contentBlockDelta"]["delta"]["text"] for event in stream if "contentBlockDelta" in event))
"""
