"""A local cloud with all that a customization job needs, and a trainer that trains nothing. Test files load it by path."""

from __future__ import annotations

import contextlib
import csv
import functools
import io
import json
import shutil
import tempfile
import threading
from collections.abc import Callable  # noqa: TC003 - dataclasses read it when the file is run by path
from dataclasses import dataclass, field
from pathlib import Path

from bedrock_distill.local.cloud import Cloud
from bedrock_distill.local.services.bedrock import Bedrock, job_access
from bedrock_distill.local.services.bedrock.state import Tables
from bedrock_distill.local.teachers import FunctionTeacher
from bedrock_distill.local.world import TrainingSettings
from bedrock_distill.records.schema import Record, encode_record
from bedrock_distill.train.events import StepMetric, TrainResult

TEACHER, STUDENT = "amazon.nova-pro-v1:0", "amazon.nova-micro-v1:0:128k"
ACCOUNT = "123456789012"


@dataclass
class StubTrainer:
    """Writes a model directory at once, or waits at a gate; remembers what it was asked."""

    configs: list = field(default_factory=list)
    gate: threading.Event | None = None
    """Trains only when set, or until stopped."""
    entered: threading.Event = field(default_factory=threading.Event)
    error: Exception | None = None
    when_moved: Callable[[], object] | None = None
    """Called when the model's directory is moved to its place."""

    def __call__(self, config, *, on_event=lambda _event: None, stop=None):
        self.configs.append(config)
        self.entered.set()
        while self.gate is not None and not self.gate.wait(0.01):
            if stop.is_set():
                return _result(None, stopped=True)
        if self.error is not None:
            raise self.error
        self.data = config.data.read_text("utf-8")
        model = Path(config.output_dir) / "model"
        model.mkdir(parents=True)
        (model / "config.json").write_text("{}")
        if self.when_moved is not None:
            model = _Watched(model)
            model.told = self.when_moved
        return _result(model)

    def learned(self):
        """The answers in the data that it trained on last."""
        lines = map(json.loads, self.data.splitlines())
        return [line["messages"][-1]["content"][0]["text"] for line in lines]


class _Watched(type(Path())):
    """A path that tells when it is used."""

    def __fspath__(self):
        with contextlib.suppress(AttributeError):  # parents and copies of it tell nothing
            self.told()
        return super().__fspath__()


def _result(model_dir, *, stopped=False):
    return TrainResult(
        model_dir=model_dir,
        steps=2,
        training_loss=0.5,
        validation_loss=0.75,
        tokens=10,
        seconds=0.1,
        step_metrics=[
            StepMetric(step=1, epoch=0.5, training_loss=1.0),
            StepMetric(step=2, epoch=1.0, training_loss=0.5, validation_loss=0.75),
        ],
        stopped=stopped,
    )


@dataclass
class Stage:
    """The cloud, clients in it, and shortcuts to what tests are not about."""

    cloud: Cloud
    trainer: StubTrainer
    region: str

    def __post_init__(self):
        session = self.cloud.boto3_session(self.region)
        self.bedrock, self.s3, self.iam = (session.client(name) for name in ("bedrock", "s3", "iam"))
        self.cloud.bucket("acme", region=self.region)

    @property
    def world(self):
        return self.cloud.world

    def put(self, key, body, bucket="acme"):
        data = body if isinstance(body, bytes) else body.encode()
        self.s3.put_object(Bucket=bucket, Key=key, Body=data)
        return f"s3://{bucket}/{key}"

    def prompts(self, count=100, *, key="in/prompts.jsonl", completion=None):
        lines = [encode_record(Record.of(f"Question {n}?", completion=completion)) for n in range(count)]
        return self.put(key, b"\n".join([*lines, b""]))

    def role(self, name="distiller", *, trust=None, statements=None, old=True):
        """A role that may do everything a job needs, old enough to be known everywhere."""
        made = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust or self.trust()))
        document = {
            "Version": "2012-10-17",
            "Statement": self.statements() if statements is None else statements,
        }
        if document["Statement"]:
            self.iam.put_role_policy(RoleName=name, PolicyName="inline", PolicyDocument=json.dumps(document))
        if old:
            known_since = self.cloud.clock.monotonic() - job_access.PROPAGATION_S
            Tables(self.world, self.region).roles.put(made["Role"]["RoleId"], known_since)
        return made["Role"]["Arn"]

    def trust(self, **condition):
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "bedrock.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
        statement["Condition"] = condition or {
            "StringEquals": {"aws:SourceAccount": ACCOUNT},
            "ArnEquals": {
                "aws:SourceArn": f"arn:aws:bedrock:{self.region}:{ACCOUNT}:model-customization-job/*"
            },
        }
        return {"Version": "2012-10-17", "Statement": [statement]}

    @staticmethod
    def statements():
        actions = ["s3:GetObject", "s3:ListBucket", "s3:PutObject"]
        return [
            {"Effect": "Allow", "Action": actions, "Resource": ["arn:aws:s3:::acme", "arn:aws:s3:::acme/*"]}
        ]

    def request(self, name="triage", **changes):
        """A request that works, once there are the role `distiller` and the prompts; None leaves a member out."""
        request = {
            "jobName": name,
            "customModelName": f"{name}-model",
            "roleArn": f"arn:aws:iam::{ACCOUNT}:role/distiller",
            "baseModelIdentifier": STUDENT,
            "customizationType": "DISTILLATION",
            "trainingDataConfig": {"s3Uri": "s3://acme/in/prompts.jsonl"},
            "outputDataConfig": {"s3Uri": "s3://acme/out/"},
            "customizationConfig": {
                "distillationConfig": {"teacherModelConfig": {"teacherModelIdentifier": TEACHER}}
            },
        }
        return {key: value for key, value in {**request, **changes}.items() if value is not None}

    def ready(self, count=100, **data):
        """Make the role and the prompts that `request` names."""
        self.role()
        self.prompts(count, **data)
        return self

    def model_directory(self, prefix="models/tiny/", *, without=(), **files):
        """A small model in S3: a file of another name or content in place of its own, or some left out."""
        wanted = {**model_files(), **{name.replace("__", "."): body for name, body in files.items()}}
        for name, body in wanted.items():
            if name not in without:
                self.put(prefix + name, body)
        return self

    def importer(self, name="importer", *, statements=None, **options):
        """A role for model import jobs."""
        trust = self.trust(
            StringEquals={"aws:SourceAccount": ACCOUNT},
            ArnEquals={"aws:SourceArn": f"arn:aws:bedrock:{self.region}:{ACCOUNT}:model-import-job/*"},
        )
        return self.role(name, trust=trust, statements=statements, **options)

    @staticmethod
    def import_request(name="bring", **changes):
        """A request that works, once there are the role `importer` and the model's directory."""
        request = {
            "jobName": name,
            "importedModelName": f"{name}-model",
            "roleArn": f"arn:aws:iam::{ACCOUNT}:role/importer",
            "modelDataSource": {"s3DataSource": {"s3Uri": "s3://acme/models/tiny/"}},
        }
        return {key: value for key, value in {**request, **changes}.items() if value is not None}

    def bring(self, name="bring", **changes):
        """Import the directory; the job's description once it has ended."""
        self.bedrock.create_model_import_job(**self.import_request(name, **changes))
        assert self.cloud.clock.settle(60)
        return self.bedrock.get_model_import_job(jobIdentifier=name)

    def batcher(self, name="batcher", *, statements=None, **options):
        """A role for batch inference jobs."""
        trust = self.trust(
            StringEquals={"aws:SourceAccount": ACCOUNT},
            ArnEquals={"aws:SourceArn": f"arn:aws:bedrock:{self.region}:{ACCOUNT}:model-invocation-job/*"},
        )
        return self.role(name, trust=trust, statements=statements, **options)

    def batch_input(self, count=100, *, key="in/batch.jsonl", ask=None, lines=()):
        """Lines of a batch inference job: Converse's requests, unless `ask` writes others; and some more."""
        ask = ask or (lambda n: {"messages": [{"role": "user", "content": [{"text": f"Question {n}?"}]}]})
        made = [json.dumps({"recordId": f"REC{n:08}", "modelInput": ask(n)}) for n in range(count)]
        return self.put(key, "\n".join([*made, *lines, ""]))

    @staticmethod
    def batch_request(name="many", **changes):
        """A request that works, once there are the role `batcher` and the lines."""
        request = {
            "jobName": name,
            "roleArn": f"arn:aws:iam::{ACCOUNT}:role/batcher",
            "modelId": TEACHER,
            "modelInvocationType": "Converse",
            "inputDataConfig": {"s3InputDataConfig": {"s3Uri": "s3://acme/in/batch.jsonl"}},
            "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": "s3://acme/answers/"}},
        }
        return {key: value for key, value in {**request, **changes}.items() if value is not None}

    def start_batch(self, name="many", **changes):
        return self.bedrock.create_model_invocation_job(**self.batch_request(name, **changes))["jobArn"]

    def batch(self, name="many", **changes):
        """A batch inference job's description once it has ended."""
        arn = self.start_batch(name, **changes)
        assert self.cloud.clock.settle(20)
        return self.bedrock.get_model_invocation_job(jobIdentifier=arn)

    def output_lines(self, job, name="batch.jsonl"):
        """The output of a batch inference job, by record."""
        found = self.read(f"answers/{job['jobArn'].rpartition('/')[2]}/{name}.out").splitlines()
        return {line["recordId"]: line for line in map(json.loads, found)}

    def create(self, name="triage", **changes):
        return self.bedrock.create_model_customization_job(**self.request(name, **changes))["jobArn"]

    def job(self, identifier="triage"):
        return self.bedrock.get_model_customization_job(jobIdentifier=identifier)

    def empty(self):
        """Forget everything, so that one cloud serves many tests: opening one takes longer than most tests do."""
        self.cloud.clock.mode = "instant"
        if self.trainer.gate is not None:
            self.trainer.gate.set()
        assert self.cloud.clock.settle(20)
        store = self.world.store
        for kind, region in list(store._tables):
            table = store.table(kind, region)
            for key in table.keys():  # noqa: SIM118 - a table is no dict: it iterates over its values
                table.delete(key)
        for key in self.objects():
            self.s3.delete_object(Bucket="acme", Key=key)
        for role in self.iam.list_roles()["Roles"]:
            for policy in self.iam.list_role_policies(RoleName=role["RoleName"])["PolicyNames"]:
                self.iam.delete_role_policy(RoleName=role["RoleName"], PolicyName=policy)
            self.iam.delete_role(RoleName=role["RoleName"])
        self.trainer.__init__()
        for folder in ("custom-models", "imported-models"):
            shutil.rmtree(self.world.workdir / folder, ignore_errors=True)
        self.world.teachers, self.world.training = {TEACHER: FunctionTeacher(answer)}, TrainingSettings()
        return self

    def finish(self, identifier="triage"):
        """The job's description once it has ended."""
        assert self.cloud.clock.settle(20)
        return self.job(identifier)

    def failure(self, **changes):
        """The description of a job that fails."""
        self.create(**changes)
        job = self.finish()
        assert job["status"] == "Failed", job
        return job

    def hold(self):
        """Let the trainer wait until `trainer.gate` is set, or the job is stopped."""
        self.trainer.gate = threading.Event()
        return self

    def model(self, name="triage"):
        """ARN of a custom model, distilled for the occasion."""
        self.create(name)
        return self.finish(name)["outputModelArn"]

    def objects(self, prefix=""):
        found = self.s3.list_objects_v2(Bucket="acme", Prefix=prefix)
        return [item["Key"] for item in found.get("Contents", ())]

    def read(self, key):
        return self.s3.get_object(Bucket="acme", Key=key)["Body"].read()

    def csv_rows(self, suffix):
        """The rows of the one artefact whose name ends so."""
        (key,) = [key for key in self.objects("out/") if key.endswith(suffix)]
        return list(csv.DictReader(io.StringIO(self.read(key).decode())))


def phases(job):
    """The statuses of a customization job's three phases."""
    details = job["statusDetails"]
    return tuple(details[f"{name}Details"]["status"] for name in ("validation", "dataProcessing", "training"))


@functools.cache
def model_files():
    """The files of a small Llama with a chat template, as our trainer writes them."""
    from bedrock_distill.train.base import make_base
    from bedrock_distill.train.config import SIZES

    with tempfile.TemporaryDirectory() as folder:
        made = make_base(SIZES["tiny"], Path(folder) / "model", seed=7)
        return {path.name: path.read_bytes() for path in made.iterdir()}


def answer(prompt):
    """The teacher: a rule."""
    return f"Answer to: {prompt.prompt_text}"


@contextlib.contextmanager
def open_stage(*, clock="instant", region="us-east-1", teachers=None, **options):
    """An open stage.

    Args:
        clock: The cloud's clock.
        region: The region of the clients.
        teachers: Who answers; a rule for Nova Pro where None.
        **options: More of the cloud's own.
    """
    trainer = StubTrainer()
    options.setdefault("services", lambda world: {"bedrock": Bedrock(world, trainer=trainer)})
    with Cloud(
        clock=clock, region=region, teachers={TEACHER: answer} if teachers is None else teachers, **options
    ) as cloud:
        try:
            yield Stage(cloud, trainer, region)
        finally:
            if trainer.gate is not None:
                trainer.gate.set()
