"""A refinement and its file: what is taken, and what is refused with the field, the value and the rule."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

import bedrock_distill as bd
from bedrock_distill.errors import SpecError
from bedrock_distill.records.logs import Metadata
from bedrock_distill.refinement.spec_file import read_refinement


def test_paths_become_absolute_and_the_first_data_is_the_distillations(make_spec, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    spec = make_spec(evaluation="held.jsonl")
    assert spec.evaluation == tmp_path / "held.jsonl"
    assert spec.first_data == tmp_path / "train.jsonl"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "no spaces"}, "name: must be 1 to 40 letters"),
        ({"evaluation": "s3://acme-ml/held.jsonl"}, "evaluation: must be a local file; copy it first"),
        ({"evaluation": "missing.jsonl"}, "evaluation: there is no such file"),
        ({"journal": "missing.jsonl"}, "journal: there is no such file"),
        ({"logs": None}, "give logs, journal or both"),
        ({"min_new": 30, "max_new": 29}, r"min_new \(30\) is above max_new \(29\)"),
        ({"max_new": 101, "max_training": 100}, r"max_new \(101\) is above max_training \(100\)"),
        ({"max_evaluation": 100}, r"max_held_out \(300\) is above max_evaluation \(100\)"),
        ({"metric": "taste"}, "metric: 'taste' is not a metric"),
        ({"redact": "everything"}, "redact: .*everything"),
        ({"redact": "comprehend"}, "redact: Amazon Comprehend cannot be asked"),
        ({"hold_out_share": 1}, "hold_out_share: .*less than 1"),
        ({"seed": -1}, "seed"),
        ({"deployment": ""}, "deployment: .*at least 1 character"),
        ({"treshold": 1}, "treshold: Extra inputs.*Refinement takes: name, deployment"),
    ],
)
def test_what_cannot_work_is_refused_when_it_is_made(make_spec, changes, said):
    with pytest.raises(SpecError, match=said):
        make_spec(**changes)


def test_a_distillation_from_logs_cannot_be_added_to(make_spec, fields):
    from_logs = fields["distillation"].model_copy(update={"data": fields["logs"]})
    with pytest.raises(SpecError, match=r"distillation\.data must be a file of prompts"):
        make_spec(distillation=from_logs)


@pytest.mark.parametrize(
    "gate",
    [
        {"alpha": 0.5},
        {"min_gain": 1},
        {"min_retention": 0},
        {"max_cost_ratio": -1},
        {"min_retention": math.inf},
    ],
)
def test_a_gate_that_makes_no_sense_is_refused(gate):
    with pytest.raises(SpecError, match=next(iter(gate))):
        bd.Gate(**gate)


FILE = """\
[refinement]
name = "mail"
deployment = "mail"
evaluation = "held.jsonl"
min_new = 7
logs = { source = "s3://acme-logs/traffic", where = { project = "mail" } }

[refinement.distillation]
name = "mail"
teacher = "amazon.nova-pro-v1:0"
student = "amazon.nova-micro-v1:0"
data = "train.jsonl"
output = "s3://acme-ml/distill/"

[refinement.gate]
min_retention = 0.9
"""


@pytest.fixture
def file(fields, tmp_path):
    """A file beside the data it names, with changes to its text."""

    def write(old="", new="", text=FILE):
        assert old in text
        path = tmp_path / "refinement.toml"
        path.write_text(text.replace(old, new, 1) if old else text)
        return path

    return write


def test_a_file_is_the_same_as_the_spec_in_python_and_paths_are_read_from_its_folder(
    file, make_spec, tmp_path, monkeypatch
):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    spec = read_refinement(file())
    assert spec == make_spec(
        deployment="mail",
        min_new=7,
        logs=bd.InvocationLogs("s3://acme-logs/traffic", where=Metadata("project") == "mail"),
        gate=bd.Gate(min_retention=0.9),
        distillation=spec.distillation,
    )
    assert Path(spec.distillation.data.path).resolve() == (tmp_path / "train.jsonl").resolve()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('name = "mail"\ndeployment = "mail"', 'deployment = "mail"', "name: Field required"),
        ("min_new = 7", 'min_new = "few"', "min_new: .*few"),
        ("min_new = 7", "min_now = 7", "min_now: .*takes: name, deployment"),
        ('evaluation = "held.jsonl"', "evaluation = 5", r"evaluation must be a path \(got 5\)"),
        (
            'evaluation = "held.jsonl"',
            'evaluation = "s3://b/held.jsonl"',
            "must be a local file; copy it first",
        ),
        ("min_new = 7", 'journal = ["j.jsonl"]', "journal must be a path"),
        ("[refinement.gate]\nmin_retention = 0.9", "[refinement.journal]", "journal must be a path"),
        ("min_retention = 0.9", "min_retention = -1", "min_retention"),
        ("min_new = 7", 'gate = "strict"', "Could not read"),  # it is there twice
        (
            'logs = { source = "s3://acme-logs/traffic", where = { project = "mail" } }',
            "logs = 5",
            "logs must be a table",
        ),
        ('where = { project = "mail" }', "wher = 1", "wher"),
        ('teacher = "amazon.nova-pro-v1:0"', "", "teacher"),
        ("[refinement]", "[refine]", r"must hold exactly one table, \[refinement\]; it holds: refine"),
        ("[refinement]", "[other]\nx = 1\n[refinement]", "it holds: other, refinement"),
        ("[refinement]", "[refinement", "Could not read"),
    ],
)
def test_a_file_with_a_mistake_is_named_with_the_field(file, old, new, said):
    path = file(old, new)
    with pytest.raises(SpecError, match=said) as refused:
        read_refinement(path)
    assert "refinement.toml" in str(refused.value)


def test_the_gate_may_be_left_out_and_must_be_a_table(file):
    gate = "[refinement.gate]\nmin_retention = 0.9\n"
    assert read_refinement(file(gate)).gate == bd.Gate()
    text = FILE.replace(gate, "").replace("min_new = 7", 'gate = "strict"')
    with pytest.raises(SpecError, match="gate must be a table"):
        read_refinement(file(text=text))


def test_a_file_that_is_missing_empty_or_no_text_is_refused(tmp_path, file):
    with pytest.raises(SpecError, match=r"Could not read .*nowhere"):
        read_refinement(tmp_path / "nowhere.toml")
    with pytest.raises(SpecError, match="it holds: nothing"):
        read_refinement(file(text=""))
    path = file()
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(SpecError, match="Could not read"):
        read_refinement(path)


def test_the_sample_in_the_repository_is_a_refinement(repository, tmp_path):
    text = (repository / "samples" / "refinement.toml").read_text()
    (tmp_path / "triage").mkdir()
    for name in ("heldout.jsonl", "prompts.jsonl"):
        (tmp_path / "triage" / name).write_text(json.dumps({}) + "\n")
    (tmp_path / "refinement.toml").write_text(text)
    assert read_refinement(tmp_path / "refinement.toml").name == "triage"
