"""What is refined: files, a spec of them, and a student that serves in a local cloud whose trainer teaches nothing."""

from __future__ import annotations

import pytest

import bedrock_distill as bd
from bedrock_distill.local import Cloud
from bedrock_distill.local.services.bedrock import Bedrock
from bedrock_distill.local.services.runtime import BedrockRuntime
from bedrock_distill.records.writing import write_records

TEACHER, STUDENT = "amazon.nova-pro-v1:0", "amazon.nova-micro-v1:0"
DEPLOYMENT = "arn:aws:bedrock:us-east-1:123456789012:custom-model-deployment/abcdefghijkl"


@pytest.fixture
def prompts():
    """Prompts that begin with a word, each with a number of its own."""
    return lambda word, count: [bd.Record.of(f"{word} number {number} of many") for number in range(count)]


@pytest.fixture
def fields(tmp_path, prompts):
    """What a refinement needs at least."""
    write_records(tmp_path / "train.jsonl", prompts("Invoice", 110))
    write_records(tmp_path / "held.jsonl", prompts("Parcel", 10))
    distillation = bd.Distillation(
        name="mail",
        teacher=TEACHER,
        student=STUDENT,
        data=bd.Prompts(tmp_path / "train.jsonl"),
        output="s3://acme-ml/distill/",
        max_response_tokens=2,
    )
    return {
        "name": "mail",
        "deployment": DEPLOYMENT,
        "distillation": distillation,
        "evaluation": tmp_path / "held.jsonl",
        "logs": bd.InvocationLogs("s3://acme-logs/traffic"),
    }


@pytest.fixture
def make_spec(fields):
    """A refinement, with changes."""
    return lambda **changes: bd.Refinement(**{**fields, **changes})


@pytest.fixture
def clock():
    """How time passes in the cloud; a test may name another by parametrizing it."""
    return "instant"


@pytest.fixture
def cloud(tmp_path, untaught, clock):
    pytest.importorskip("torch")
    services = lambda world: {  # noqa: E731 - the cloud takes a function
        "bedrock": Bedrock(world, trainer=untaught),
        "bedrock-runtime": BedrockRuntime(world),
    }
    with Cloud(
        teachers={TEACHER: lambda record: f"About {record.prompt_text}"},
        services=services,
        clock=clock,
        polls=4,
        workdir=tmp_path / "cloud",
    ) as cloud:
        cloud.bucket("acme-ml")
        cloud.bucket("acme-logs")
        yield cloud


@pytest.fixture
def session(cloud, tmp_path):
    return cloud.session(state_dir=tmp_path / "state" / "journal")


@pytest.fixture
def model(session, fields):
    """The first student, and every call logged."""
    session.apply(session.plan(bd.InvocationLogging(bucket="acme-logs", prefix="traffic")))
    return session.apply(session.plan(fields["distillation"])).result()


@pytest.fixture
def student(session, model):
    """What serves it."""
    return session.deploy(bd.OnDemandDeployment(model=model, name="mail"))


@pytest.fixture
def ask(cloud, prompts):
    """Have prompts answered and logged."""

    def ask(target, word="Password", count=20):
        for record in prompts(word, count):
            target.chat(record, max_tokens=1, temperature=0)
        cloud.flush()
        cloud.clock.sleep(60)

    return ask


@pytest.fixture
def serving(student, ask, make_spec):
    """A refinement of it with traffic, whose gate lets any candidate pass."""
    ask(student)
    return make_spec(deployment=student.model_id, gate=bd.Gate(min_gain=-0.9), ask_teacher=20, min_new=5)
