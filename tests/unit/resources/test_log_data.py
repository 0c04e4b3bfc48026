"""Invocation logs as data, in Python and in job files."""

import pytest

from bedrock_distill.errors import SpecError
from bedrock_distill.records.logs import Metadata
from bedrock_distill.resources import InvocationLogs
from bedrock_distill.resources.jobfile import read_job_file

TRIAGE, LIVE = Metadata("project") == "triage", Metadata("env") != "dev"


def test_a_source_is_a_folder_unless_it_is_one_packed_object():
    assert InvocationLogs("s3://acme-logs/bedrock").source == "s3://acme-logs/bedrock/"
    assert InvocationLogs("s3://acme-logs").source == "s3://acme-logs/"
    assert InvocationLogs("s3://acme-logs/a/b.json.gz").source == "s3://acme-logs/a/b.json.gz"


@pytest.mark.parametrize(
    "source",
    [
        "logs",
        "/var/logs",
        "s3://acme-logs/dt=2026",
        "s3://acme-logs/a b",
        "s3://acme-logs/a//b",
        "s3://acme-logs/" + "a" * 1010,
    ],
)
def test_a_source_that_bedrock_would_refuse_is_refused_here(source):
    with pytest.raises(SpecError):
        InvocationLogs(source)


@pytest.mark.parametrize(
    ("where", "request_"),
    [
        (TRIAGE, {"equals": {"project": "triage"}}),
        ({"project": "triage"}, {"equals": {"project": "triage"}}),
        ({"equals": {"project": "triage"}}, {"equals": {"project": "triage"}}),
        ({"equals": "yes"}, {"equals": {"equals": "yes"}}),
        (
            {"project": "triage", "env": "live"},
            {"andAll": [{"equals": {"project": "triage"}}, {"equals": {"env": "live"}}]},
        ),
        ({"orAll": [{"notEquals": {"env": "dev"}}]}, {"notEquals": {"env": "dev"}}),
    ],
)
def test_a_filter_is_kept_as_the_request_has_it(where, request_):
    logs = InvocationLogs("s3://acme-logs", where=where)
    assert logs.where == request_
    assert logs.filter.to_request() == request_
    assert InvocationLogs("s3://acme-logs", where=logs.where) == logs


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ({}, "has 0 conditions|no condition"),
        ("project", "must be a filter"),
        ({"project": 3}, "metadata are texts"),
        ({"project": "a,b"}, "cannot"),
        ({"equals": {"a": "b"}, "notEquals": {"c": "d"}}, "exactly one kind"),
        ({"equals": {"a": "b", "c": "d"}}, "one key"),
        ({"andAll": [{"andAll": [{"equals": {"a": "b"}}]}]}, "one of equals and notEquals"),
        ({"orAll": [{"equals": {"a": "b"}, "notEquals": {"c": "d"}}]}, "and no more"),
        ({f"key{number}": "x" for number in range(17)}, "1 to 16"),
    ],
)
def test_what_is_no_filter_of_bedrock_is_refused_with_a_reason(where, says):
    with pytest.raises(SpecError, match=says):
        InvocationLogs("s3://acme-logs", where=where)


def job_file(folder, data):
    path = folder / "job.toml"
    path.write_text(
        '[distillation]\nname = "triage"\nteacher = "amazon.nova-pro-v1:0"\nstudent = "amazon.nova-micro-v1:0"\n'
        f'output = "s3://acme/out"\n[distillation.data]\n{data}\n'
    )
    return path


@pytest.mark.parametrize(
    ("data", "where", "use_responses"),
    [
        ("", None, False),
        ("use_responses = true", None, True),
        ('where = { project = "triage" }', TRIAGE, False),
        ('where_not = { env = "dev" }', LIVE, False),
        ('where = { project = "triage" }\nwhere_not = { env = "dev" }', TRIAGE & LIVE, False),
        ('where = { project = "triage" }\nwhere_not = { env = "dev" }\nany = true', TRIAGE | LIVE, False),
        ('where = { equals = { project = "triage" } }', TRIAGE, False),
        (
            'where = { orAll = [{ equals = { project = "triage" } }, { notEquals = { env = "dev" } }] }',
            TRIAGE | LIVE,
            False,
        ),
    ],
)
def test_a_job_file_says_the_same_as_python(tmp_path, data, where, use_responses):
    spec = read_job_file(job_file(tmp_path, f'source = "s3://acme-logs/bedrock"\n{data}'))
    assert spec.data == InvocationLogs("s3://acme-logs/bedrock", where=where, use_responses=use_responses)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ('source = "logs"', "not an S3 URI"),
        ('source = "s3://acme-logs"\nwhere = "triage"', "data.where must be a table"),
        ('source = "s3://acme-logs"\nany = "yes"', "data.any must be true or false"),
        ('source = "s3://acme-logs"\nany = true', "neither is there"),
        ('source = "s3://acme-logs"\nwhere = { equals = { a = "b" } }\nany = true', "whole filter"),
        ('source = "s3://acme-logs"\nmodel = "x"', "takes: source, where, use_responses"),
        ("where = {}", "data must be the path"),
    ],
)
def test_a_job_file_with_wrong_logs_says_what_is_wrong(tmp_path, data, says):
    with pytest.raises(SpecError, match=says):
        read_job_file(job_file(tmp_path, data))
