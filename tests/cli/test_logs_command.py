"""`bedrock-distill logs`: from nothing to a log object and back."""

from __future__ import annotations

import gzip
import json

import pytest

from bedrock_distill.local import Cloud
from bedrock_distill.local.faults import Fault
from bedrock_distill.local.services.bedrock import Bedrock
from bedrock_distill.local.services.runtime import BedrockRuntime

TEACHER = "amazon.nova-pro-v1:0"
TO = "s3://acme-logs/traffic"


@pytest.fixture
def cloud(trainer, tmp_path):
    with Cloud(
        teachers={TEACHER: lambda record: "billing"},
        services=lambda world: {
            "bedrock": Bedrock(world, trainer=trainer),
            "bedrock-runtime": BedrockRuntime(world),
        },
        workdir=tmp_path / "cloud",
    ) as cloud:
        for name in ("acme-logs", "finance"):
            cloud.boto3_session().client("s3").create_bucket(
                Bucket=name, ObjectOwnership="BucketOwnerEnforced"
            )
        yield cloud


@pytest.fixture
def configuration(cloud):
    bedrock = cloud.boto3_session().client("bedrock")
    return lambda: bedrock.get_model_invocation_logging_configuration().get("loggingConfig")


def test_a_call_after_enabling_arrives_as_a_log_object(run, document, cloud):
    assert document("logs", "status")["enabled"] is False
    made = document("logs", "enable", TO)
    assert made["changed"] is True
    assert made["previous"] is None
    assert made["configuration"]["s3Config"] == {"bucketName": "acme-logs", "keyPrefix": "traffic"}
    waiting = document("logs", "status")
    assert (waiting["policy"], waiting["newest"]) == ("allows", None)
    assert run("chat", TEACHER, "My invoice is wrong", "--metadata", "project=triage")[0] == 0
    cloud.flush()
    status = document("logs", "status")
    assert status["newest"].startswith(status["folder"])
    assert status["destination"] == TO
    assert status["newest_at"].endswith("+00:00")
    bucket, _, key = status["newest"].removeprefix("s3://").partition("/")
    body = cloud.boto3_session().client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    (entry,) = map(json.loads, gzip.decompress(body).splitlines())
    assert entry["modelId"] == TEACHER
    assert entry["requestMetadata"] == {"project": "triage"}
    assert "My invoice is wrong" in json.dumps(entry["input"])


def test_people_are_told_what_was_done_what_it_costs_and_how_to_go_back(run):
    code, printed, said = run("logs", "enable", TO)
    assert code == 0
    assert printed == "s3://acme-logs/traffic/AWSLogs/123456789012/BedrockModelInvocationLogs/\n"
    assert "storage-costs" in said
    assert "logs disable --restore" in said
    assert " made  Let Bedrock write" in said
    code, printed, said = run("logs", "enable", TO)
    assert code == 0
    assert said.count("found") == 2
    assert "--restore" not in said
    assert run("logs", "enable", TO, "--quiet")[2] == ""


def test_the_status_is_readable(run):
    code, printed, _ = run("logs", "status")
    assert code == 0
    assert printed.startswith("logging        off in us-east-1, account 123456789012\n")
    run("logs", "enable", TO)
    _, printed, _ = run("logs", "status")
    lines = dict(line.split(maxsplit=1) for line in printed.splitlines() if not line.startswith(" "))
    assert lines["logging"].startswith("on in us-east-1")
    assert lines["destination"] == TO
    assert "bedrock-mantle" in printed


def test_a_dry_run_is_a_plan_that_can_be_applied_later(run, document, folder, configuration):
    plan = document("logs", "enable", TO, "--dry-run")
    assert plan["kind"] == "logging"
    assert configuration() is None
    (folder / "plan.json").write_text(json.dumps(plan))
    applied = document("apply", "plan.json", "--wait")
    assert applied["fingerprint"] == plan["fingerprint"]
    assert applied["configuration"] == configuration()
    assert run("apply", "plan.json")[0] == 0
    assert "Log no more" in run("logs", "disable", TO, "--dry-run")[1]
    assert configuration() is not None


def test_disabling_takes_back_what_was_switched_on_here_and_is_no_error_twice(run, document, configuration):
    run("logs", "enable", TO)
    undone = document("logs", "disable", "--remove-policy")
    assert undone["configuration"] is None
    assert undone["previous"]["s3Config"]["bucketName"] == "acme-logs"
    assert configuration() is None
    assert document("logs", "disable", "--remove-policy")["changed"] is False
    assert document("logs", "disable", TO)["changed"] is False


def test_disabling_what_was_not_switched_on_here_takes_its_name(run, cloud, configuration):
    other = cloud.session(state_dir=cloud.world.workdir / "another-machine")
    from bedrock_distill.resources import InvocationLogging

    other.apply(other.plan(InvocationLogging(bucket="finance")))
    code, printed, said = run("logs", "disable")
    assert (code, printed) == (2, "")
    assert "s3://BUCKET/PREFIX" in said
    assert run("logs", "disable", TO)[0] == 0
    assert configuration()["s3Config"] == {"bucketName": "finance"}
    assert run("logs", "disable", "s3://finance")[0] == 0
    assert configuration() is None


def test_a_destination_elsewhere_is_refused_unless_replaced_and_comes_back(
    run, document, folder, configuration
):
    run("logs", "enable", "s3://finance", "--image")
    theirs = configuration()
    code, printed, said = run("logs", "enable", TO)
    assert (code, printed) == (2, "")
    assert "s3://finance" in said
    assert "--replace" in said
    replaced = document("logs", "enable", TO, "--replace")
    assert replaced["previous"] == theirs
    assert configuration()["s3Config"]["bucketName"] == "acme-logs"
    assert document("logs", "disable", "--restore")["configuration"] == theirs
    # The same from the document, where the journal is gone.
    document("logs", "enable", TO, "--replace")
    (folder / "enabled.json").write_text(json.dumps(replaced))
    assert document("logs", "disable", "--restore-from", "enabled.json")["configuration"] == theirs


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"previous": 7}'])
def test_what_remembers_nothing_is_not_restored_from(run, folder, text):
    (folder / "x.json").write_text(text)
    code, _, said = run("logs", "disable", "--restore-from", "x.json")
    assert code == 2
    assert "x.json" in said


def test_a_file_that_is_not_there_is_not_restored_from(run):
    assert run("logs", "disable", "--restore-from", "absent.json")[0] == 2


@pytest.mark.parametrize(
    "args",
    [
        ("enable",),
        ("enable", "acme-logs"),
        ("enable", "s3://Acme"),
        ("enable", TO, "--log-group", "/bedrock"),
        ("enable", TO, "--log-group-role", "arn:aws:iam::123456789012:role/x"),
        ("enable", TO, "--kms-key", "my key"),
        ("disable", TO, "--restore"),
        ("disable", "--restore", "--remove-policy"),
        ("disable", "--restore", "--restore-from", "x.json"),
        ("disable", "--restore"),
        ("enable", "s3://no-such-bucket"),
    ],
)
def test_what_cannot_be_done_exits_with_2_and_sends_nothing(run, cloud, args):
    code, printed, said = run("logs", *args)
    assert (code, printed) == (2, "")
    assert said
    assert not [
        call for call in cloud.calls if call.operation.startswith(("PutBucketPolicy", "PutModel", "Delete"))
    ]


def test_forcing_goes_on_in_spite_of_the_plan_and_bedrock_has_the_last_word(run, cloud):
    cloud.boto3_session().client("s3").create_bucket(Bucket="acls", ObjectOwnership="ObjectWriter")
    code, _, said = run("logs", "enable", "s3://acls")
    assert code == 2
    assert "--force" in said
    assert run("logs", "enable", "s3://acls", "--force")[0] == 0


def test_a_refusal_of_aws_exits_with_5(run, cloud):
    cloud.faults.add(Fault(operation="PutBucketPolicy", code="AccessDenied", status=403))
    code, printed, said = run("logs", "enable", TO)
    assert (code, printed) == (5, "")
    assert "PutBucketPolicy" in said


def test_flags_reach_the_configuration(document):
    made = document("logs", "enable", TO, "--no-text", "--image", "--no-embedding", "--video", "--audio")
    flags = {name: value for name, value in made["configuration"].items() if name.endswith("Enabled")}
    assert flags == {
        "textDataDeliveryEnabled": False,
        "imageDataDeliveryEnabled": True,
        "embeddingDataDeliveryEnabled": False,
        "videoDataDeliveryEnabled": True,
        "audioDataDeliveryEnabled": True,
    }
