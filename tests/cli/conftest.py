"""Commands in process, over a local cloud whose trainer trains nothing: these tests are about what is said and returned."""

from __future__ import annotations

import json

import pytest

from bedrock_distill.cli.common import Settings
from bedrock_distill.cli.main import main
from bedrock_distill.local import Cloud
from bedrock_distill.local.services import services
from bedrock_distill.local.services.bedrock import Bedrock
from bedrock_distill.records import Record, encode_record

TEACHER, STUDENT = "amazon.nova-pro-v1:0", "amazon.nova-micro-v1:0"
JOB_FILE = f"""\
[distillation]
name = "triage"
teacher = "{TEACHER}"
student = "{STUDENT}"
data = "prompts.jsonl"
output = "s3://local-bucket/distill/"
"""


@pytest.fixture
def cloud(trainer, tmp_path):
    with Cloud(
        teachers={TEACHER: lambda record: "billing"},
        services=lambda world: {**services(world), "bedrock": Bedrock(world, trainer=trainer)},
        workdir=tmp_path / "cloud",
    ) as cloud:
        cloud.bucket("local-bucket")
        yield cloud


@pytest.fixture
def job_file():
    """The text of `job.toml`."""
    return JOB_FILE


@pytest.fixture
def folder(tmp_path, monkeypatch):
    lines = (encode_record(Record.of(f"Question {i}?")) for i in range(120))
    (tmp_path / "prompts.jsonl").write_bytes(b"\n".join(lines))
    (tmp_path / "job.toml").write_text(JOB_FILE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(cloud, folder, monkeypatch, capsys):
    """Run a command; returns exit code, stdout and stderr."""

    def session(settings):
        return cloud.session(region=settings.region, catalog=settings.catalog)

    monkeypatch.setattr(Settings, "session", session)

    def run(*args):
        capsys.readouterr()
        with pytest.raises(SystemExit) as leaving:
            main([str(arg) for arg in args])
        printed, said = capsys.readouterr()
        return leaving.value.code, printed, said

    return run


@pytest.fixture
def document(run):
    """Run a command with --output json; returns the one document of its stdout."""

    def document(*args, code=0):
        left, printed, said = run(*args, "--output", "json")
        assert left == code, said
        return json.loads(printed)  # and nothing before or after it

    return document


@pytest.fixture
def model(document):
    return document("apply", "job.toml", "--yes", "--wait")["model_arn"]
