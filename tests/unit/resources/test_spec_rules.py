"""What a spec refuses by itself, before anything is read or asked."""

from __future__ import annotations

import pytest

from bedrock_distill.errors import SpecError
from bedrock_distill.resources import Distillation, OnDemandDeployment, Prompts
from bedrock_distill.resources.jobfile import read_job_file

PRO, MICRO = "amazon.nova-pro-v1:0", "amazon.nova-micro-v1:0"
MODEL = "arn:aws:bedrock:us-east-1:123456789012:custom-model/amazon.nova-micro-v1:0:128k/abcdefghijkl"


@pytest.fixture
def make(tmp_path):
    prompts = tmp_path / "prompts.jsonl"
    prompts.write_text("{}\n")

    def make(**changes):
        fields = {"name": "triage", "teacher": PRO, "student": MICRO, "output": "s3://acme/out"} | changes
        return Distillation(data=Prompts(prompts), **fields)

    return make


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("s3://acme-ml", "s3://acme-ml/"),
        ("s3://acme-ml/", "s3://acme-ml/"),
        ("s3://acme-ml/out", "s3://acme-ml/out/"),
        ("s3://acme-ml/a_b/(c)!*'.d-1/", "s3://acme-ml/a_b/(c)!*'.d-1/"),
    ],
)
def test_an_output_is_kept_as_a_folder(make, written, kept):
    assert make(output=written).output == kept


@pytest.mark.parametrize(
    "output",
    [
        "s3://acme/dt=2026-11-24/",
        "s3://acme/my folder",
        "s3://acme/a//b",
        "s3://acme//a",
        "s3://acme/a+b",
        "s3://acme/ergebnisse-für-uns",
        "s3://acme/a~b",
    ],
)
def test_an_output_that_bedrock_would_refuse_is_refused_with_the_characters_it_takes(make, output):
    with pytest.raises(SpecError, match=r"letters, digits and - _ \. ! \* ' \( \)") as caught:
        make(output=output)
    assert caught.value.field == "output"


def test_an_output_that_leaves_no_room_for_what_is_staged_is_refused(make):
    with pytest.raises(SpecError, match="too long"):
        make(output="s3://acme/" + "x" * 900)


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("student", MODEL, "foundation model"),
        ("student", "us.amazon.nova-micro-v1:0", "foundation model"),
        ("student", "", "empty"),
        ("teacher", MODEL, "foundation model or of a system inference profile"),
        (
            "teacher",
            "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abcdefghijkl",
            "system inference profile",
        ),
        ("teacher", "arn:aws:bedrock:us-east-1:123456789012:imported-model/abcdefghijkl", "system inference"),
        ("role", "arn:aws:sts::123456789012:assumed-role/Mine/session", "arn:aws:iam::"),
        ("role", "MyRole", "arn:aws:iam::"),
        ("kms_key", "my-key", "alias/NAME"),
        ("data_kms_key", "key/00000000-0000-0000-0000-000000000000", "alias/NAME"),
        ("model_name", "a--b", "letters and digits"),
        ("model_name", "a" * 64, "63"),
        ("tags", {"aws:owner": "me"}, "aws:"),
        ("tags", {"bedrock-distill:plan": "x"}, "bedrock-distill"),
        ("tags", {"": "x"}, "1 to 128"),
        ("tags", {"k" * 129: "x"}, "1 to 128"),
        ("tags", {"k": "v" * 257}, "256"),
        ("tags", {"k": "grün"}, "letters"),
        ("tags", {f"k{i}": "v" for i in range(49)}, "48"),
    ],
)
def test_what_aws_would_refuse_is_refused_by_the_spec_with_its_own_field(make, field, value, says):
    with pytest.raises(SpecError, match=says) as caught:
        make(**{field: value})
    assert caught.value.field == field


def test_what_aws_takes_is_taken(make):
    spec = make(
        teacher="arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-pro-v1:0",
        student="arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-micro-v1:0",
        role="arn:aws-us-gov:iam::123456789012:role/path/to/Mine",
        tags={f"key {i}": "a/b:c=d+e@f._-" for i in range(48)},
        model_name="my_model-1",
    )
    assert len(spec.tags) == 48


def test_a_deployments_tags_keep_the_same_rules():
    with pytest.raises(SpecError, match="aws:"):
        OnDemandDeployment(model=MODEL, tags={"aws:x": "y"})
    with pytest.raises(SpecError, match="description: String should have at least 1"):
        OnDemandDeployment(model=MODEL, description="")


def test_a_relative_path_stays_the_file_it_was_when_the_folder_changes(tmp_path, monkeypatch):
    (tmp_path / "a b ü").mkdir()
    (tmp_path / "a b ü" / "p.jsonl").write_text("{}\n")
    monkeypatch.chdir(tmp_path / "a b ü")
    prompts = Prompts("p.jsonl")
    monkeypatch.chdir(tmp_path)
    assert prompts.path.is_file()
    assert prompts.path == tmp_path / "a b ü" / "p.jsonl"


def test_a_symlink_is_kept_as_it_is_named(tmp_path):
    (tmp_path / "real.jsonl").write_text("{}\n")
    (tmp_path / "link.jsonl").symlink_to("real.jsonl")
    assert Prompts(tmp_path / "link.jsonl").path.name == "link.jsonl"


def test_the_home_folder_may_be_written_as_a_tilde(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "p.jsonl").write_text("{}\n")
    assert Prompts("~/p.jsonl").path == tmp_path / "p.jsonl"


@pytest.mark.parametrize("data", ['data = "prompts.jsonl"', 'data = { path = "prompts.jsonl" }'])
def test_data_in_a_job_file_is_read_from_the_files_own_folder_however_it_is_written(
    tmp_path, make, monkeypatch, data
):
    job = tmp_path / "job.toml"
    job.write_text(
        f'[distillation]\nname = "triage"\nteacher = "{PRO}"\nstudent = "{MICRO}"\n{data}\noutput = "s3://acme"\n',
        "utf-8-sig",
    )
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert read_job_file("../job.toml").data.path.is_file()


@pytest.mark.parametrize(
    "text",
    [
        "[deployment]\nmodel = 'x'\n",
        "[deployment]\nself = 'x'\n",
        "[distillation]\ndata = 'absent.jsonl'\n",
        "[distillation]\nvpc = {colour = 'red'}\n",
        "[distillation]\nvpc = {self = 'red'}\n",
        "[distillation]\ndata = {colour = 'red'}\n",
        "[distillation]\ndata = 3\n",
    ],
)
def test_a_wrong_field_of_a_job_file_is_told_with_the_files_name(tmp_path, text):
    job = tmp_path / "job.toml"
    job.write_text(text)
    with pytest.raises(SpecError, match=r"job\.toml: "):
        read_job_file(job)
