"""A local cloud with all that runs of EMR Serverless need, and a driver that is no Spark. Test files load it by path."""

from __future__ import annotations

import contextlib
import json
import threading

import pytest
from botocore.exceptions import ClientError

from bedrock_distill.local import Cloud
from bedrock_distill.local.services.emr_serverless import EmrServerless
from bedrock_distill.local.services.emr_serverless.running import Ended

SPARK = {"releaseLabel": "emr-spark-8.0.0", "type": "SPARK"}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "emr-serverless.amazonaws.com"},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"aws:SourceAccount": "123456789012"}},
        }
    ],
}
READS_AND_WRITES = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:PutObject"],
            "Resource": ["arn:aws:s3:::acme-ml/jobs/*"],
        }
    ],
}


class Driver:
    """A stand-in for Spark: remembers what it was to run, and ends as the test says."""

    def __init__(self, *, code=0, stderr="", gate=None, timed_out=False):
        self.code, self.stderr, self.gate, self.timed_out = code, stderr, gate, timed_out
        self.works = []
        self.entered = threading.Event()

    def __call__(self, work, *, stopping):
        self.works.append(work)
        self.script = work.script.read_text()
        self.entered.set()
        (work.folder / "stderr").write_text(self.stderr)
        (work.folder / "stdout").write_text("done\n")
        while self.gate is not None and not stopping() and not self.gate.wait(0.01):
            pass
        return Ended(self.code, timed_out=self.timed_out)


@contextlib.contextmanager
def open_stage(driver=None, **options):
    """An open cloud with a bucket, an entry point and a role that may use both, and a client; Spark where there is no driver."""
    services = (lambda world: {"emr-serverless": EmrServerless(world, launcher=driver)}) if driver else None
    with Cloud(services=services, **options) as cloud:
        cloud.bucket("acme-ml")
        session = cloud.boto3_session()
        session.client("s3").put_object(Bucket="acme-ml", Key="jobs/entry.py", Body=b"print('hello')\n")
        make_role(session, "runner", READS_AND_WRITES)
        yield cloud, session.client("emr-serverless")


def role_arn(name):
    return f"arn:aws:iam::123456789012:role/{name}"


def make_role(session, name, policy, trust=TRUST):
    iam = session.client("iam")
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps(policy))


def application(emr, **options):
    """The id of a new application for Spark."""
    return emr.create_application(**SPARK, **options)["applicationId"]


def submit(application_id, **changes):
    """A request for a run that works, with changes."""
    request = {
        "applicationId": application_id,
        "executionRoleArn": role_arn("runner"),
        "jobDriver": {"sparkSubmit": {"entryPoint": "s3://acme-ml/jobs/entry.py"}},
    }
    return request | changes


def settled(cloud, emr, run):
    """The description of a run that was started, once it has ended."""
    assert cloud.clock.settle(120)
    return emr.get_job_run(applicationId=run["applicationId"], jobRunId=run["jobRunId"])["jobRun"]


def ended(cloud, emr, application_id, **changes):
    """The description of a run once it has ended."""
    return settled(cloud, emr, emr.start_job_run(**submit(application_id, **changes)))


def refusal(call, **params):
    """The code and the words that a call is refused with."""
    with pytest.raises(ClientError) as caught:
        call(**params)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]
