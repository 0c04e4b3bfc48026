"""What there is and what it costs, and an end to it."""

from __future__ import annotations

import json

import boto3
import pytest

import bedrock_distill as bd
from bedrock_distill.errors import WaitTimeoutError
from bedrock_distill.local import Cloud
from bedrock_distill.resources import LiveEndpoint


@pytest.fixture
def cloud():
    with Cloud() as cloud:
        cloud.bucket("local-bucket")
        yield cloud


@pytest.fixture
def served(cloud, student_dir):
    """An imported model and an endpoint from specs named `triage`, an endpoint of another name, and one that is not ours."""
    session = cloud.session()
    where = {"model": str(student_dir), "staging": "s3://local-bucket/"}
    session.apply(session.plan(bd.ModelImport(name="triage", **where))).wait()
    for name in ("triage", "other", "strange"):
        session.apply(session.plan(bd.Endpoint(name=name, **where))).wait()
    sagemaker = boto3.client("sagemaker")
    arn = sagemaker.describe_endpoint(EndpointName="strange")["EndpointArn"]
    sagemaker.delete_tags(ResourceArn=arn, TagKeys=["bedrock-distill"])
    return session


def listed(run, *arguments):
    code, out, _ = run("ls", *arguments, "--output", "json")
    assert code == 0
    return {(item["kind"], item["name"].partition("-")[0]): item for item in json.loads(out)}


def test_ls_shows_what_was_made_with_what_it_is_billed_by(served, run):
    items = listed(run)
    assert set(items) == {("endpoint", "triage"), ("endpoint", "other"), ("imported model", "triage")}
    assert items["endpoint", "triage"]["bills"] == "the hour, used or not"
    assert items["imported model", "triage"]["made_by"] == "triage"
    assert ("endpoint", "strange") in listed(run, "--all")
    _, out, _ = run("ls")
    assert "billed by" in out


def test_ls_of_an_empty_account_is_an_empty_list(run):
    assert listed(run) == {}
    code, out, said = run("ls")
    assert (code, out, "--all lists the rest" in said) == (0, "(nothing)\n", True)


def test_sweep_deletes_what_one_name_has_made_and_nothing_else(served, run):
    code, out, _ = run("sweep", "triage", "--dry-run")
    assert code == 0
    assert "endpoint triage" in out
    assert len(listed(run)) == 3
    code, _, err = run("sweep", "triage")
    assert code == 2
    assert "--yes" in err
    code, out, _ = run("sweep", "triage", "--keep-models", "--yes")
    assert (code, out.splitlines()) == (0, ["Deleted endpoint triage"])
    code, _, _ = run("sweep", "triage", "--yes")
    assert code == 0
    assert set(listed(run, "--all")) == {("endpoint", "other"), ("endpoint", "strange")}


def test_sweep_of_a_name_that_made_nothing_deletes_nothing(served, run):
    code, out, _ = run("sweep", "nobody", "--yes", "--output", "json")
    assert (code, json.loads(out)) == (0, [])
    assert len(listed(run)) == 3


def test_what_cannot_be_deleted_is_told_and_the_rest_is_deleted(served, run):
    throughput = bd.ProvisionedThroughput(
        name="triage", model="amazon.nova-micro-v1:0:128k", commitment="OneMonth", accept_hourly_cost=True
    )
    served.apply(served.plan(throughput)).wait()
    code, out, err = run("sweep", "triage", "--yes")
    assert code == 5
    assert "commitment" in err.lower()
    assert "Deleted endpoint triage" in out
    assert set(listed(run)) == {("endpoint", "other"), ("provisioned throughput", "triage")}


def test_sweep_takes_a_name_as_the_spec_has_it_and_says_where_there_is_nothing(cloud, student_dir, run):
    session = cloud.session()
    where = {"model": str(student_dir), "staging": "s3://local-bucket/"}
    session.apply(session.plan(bd.Endpoint(name="Tri_Age", **where))).wait()
    code, out, _ = run("sweep", "Tri_Age", "--yes")
    assert (code, "endpoint tri-age" in out) == (0, True)
    code, out, err = run("sweep", "Tri_Age", "--yes", "--output", "json")
    assert (code, json.loads(out)) == (0, [])
    assert "Nothing that is there was made from specs named Tri_Age" in err


def test_sweep_goes_on_with_the_rest_where_one_thing_takes_too_long_to_go(served, run, monkeypatch):
    def too_long(self, *, timeout_s=0):
        raise WaitTimeoutError("The endpoint is still being deleted.", status="Deleting")

    monkeypatch.setattr(LiveEndpoint, "delete", too_long)
    code, out, err = run("sweep", "triage", "--yes", "--output", "json")
    assert (code, "endpoint triage stays" in err) == (4, True)
    assert [item["kind"] for item in json.loads(out)] == ["imported model"]


def test_sweep_ends_an_endpoint_that_is_being_created(cloud, student_dir, run):
    session = cloud.session()
    session.apply(
        session.plan(bd.Endpoint(name="triage", model=str(student_dir), staging="s3://local-bucket/"))
    )
    code, out, _ = run("sweep", "triage", "--yes")
    assert (code, "Deleted endpoint triage" in out) == (0, True)
    assert listed(run) == {}
