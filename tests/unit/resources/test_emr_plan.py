"""The plan of a harvest on EMR Serverless: a pure function of the spec and of what was found."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import boto3
import pytest

from bedrock_distill.aws import RoleState
from bedrock_distill.aws.objects import BucketState
from bedrock_distill.aws.wire import check_request
from bedrock_distill.catalog import load_catalog
from bedrock_distill.errors import OverBudgetError, SpecError
from bedrock_distill.harvest.document import read_document
from bedrock_distill.local.services.bedrock.policies import Request, decide
from bedrock_distill.plan import CreateListed, EnsureRole, Plan, StageText
from bedrock_distill.records.logs.filters import Metadata
from bedrock_distill.records.logs.query import LogQuery
from bedrock_distill.resources import ServerlessHarvest
from bedrock_distill.resources.emr_estimate import uses_of, work_of
from bedrock_distill.resources.emr_harvest import job_document
from bedrock_distill.resources.emr_plan import plan_harvest
from bedrock_distill.resources.emr_survey import HarvestSurvey, Staged, Volume, entry_script
from bedrock_distill.resources.jobfile import read_job_file
from bedrock_distill.resources.survey import Place
from bedrock_distill.uris import S3Uri

CATALOG = load_catalog()
PLACE = Place(region="us-east-1", account_id="123456789012", partition="aws")
FINGERPRINT = "0123456789ab"
GOOD = {
    "name": "nightly",
    "logs": "s3://acme-logs/bedrock",
    "output": "s3://acme-ml/harvest",
    "environment": "s3://acme-ml/env/environment.tar.gz",
}
TERA = Volume(312_000, 1_560_000_000_000, complete=True)


def make(volume=TERA, survey=None, **spec):
    wanted = ServerlessHarvest(**(GOOD | spec))
    found = {
        "place": PLACE,
        "fingerprint": FINGERPRINT,
        "logs": BucketState("acme-logs", exists=True, region="us-east-1"),
        "output": BucketState("acme-ml", exists=True, region="us-east-1"),
        "volume": volume,
        "entry": Staged(
            "pass\n", "e" * 64, S3Uri.parse("s3://acme-ml/harvest/staged/e-entry.py"), there=False
        ),
        "document": Staged(
            "{}", "d" * 64, S3Uri.parse("s3://acme-ml/harvest/staged/d-job.json"), there=False
        ),
        "environment": True,
        "role": None,
        "role_hidden": False,
        "application": None,
        "application_state": "",
        "applications_before": 0,
        "attempt": 1,
        "run": None,
        "run_state": "",
    } | (survey or {})
    return plan_harvest(wanted, HarvestSurvey(**found), CATALOG)


def steps_of(plan, kind):
    return [step for step in plan.steps if isinstance(step, kind)]


def codes(plan, *, blocking=None):
    return {w.code for w in plan.warnings if blocking is None or w.blocks is blocking}


def setting(plan, name):
    submit = plan.creates.request["jobDriver"]["sparkSubmit"]["sparkSubmitParameters"]
    pairs = dict(word.split("=", 1) for word in submit.split() if word != "--conf")
    return pairs[name]


@pytest.mark.parametrize("cloudwatch", [False, True])
def test_the_requests_are_ones_that_the_service_accepts(cloudwatch):
    client = boto3.client(
        "emr-serverless", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    model = client.meta.service_model
    application, run = steps_of(make(cloudwatch=cloudwatch, tags={"team": "ml"}), CreateListed)
    check_request(model.operation_model("CreateApplication"), application.request)
    check_request(model.operation_model("StartJobRun"), run.request | {"applicationId": "00abc"})


def test_the_steps_come_in_the_order_in_which_they_need_each_other():
    plan = make()
    kinds = [type(step).__name__ for step in plan.steps]
    assert kinds == ["StageText", "StageText", "EnsureRole", "CreateListed", "CreateListed", "WaitFor"]
    assert plan.creates.kind == "harvest run"
    assert [step.bills for step in plan.steps] == [False, False, False, False, True, False]
    assert plan.creates.inside == {"applicationId": steps_of(plan, CreateListed)[0].id}


def test_everything_that_is_made_is_tagged_so_that_it_can_be_found_again():
    plan = make(tags={"team": "ml"})
    application, run = steps_of(plan, CreateListed)
    assert application.request["tags"] == {"bedrock-distill": "nightly", "team": "ml"}
    assert run.request["tags"] == {
        "bedrock-distill": "nightly",
        "bedrock-distill:plan": FINGERPRINT,
        "team": "ml",
    }


def test_a_plan_survives_its_json_and_planning_twice_gives_the_same():
    plan = make()
    assert plan == make()
    assert Plan.from_json(plan.to_json()) == plan


def test_tokens_and_names_follow_the_fingerprint_the_attempt_and_what_was_deleted():
    first = steps_of(make(), CreateListed)
    later = steps_of(make(survey={"attempt": 2, "applications_before": 3}), CreateListed)
    tokens = [step.request["clientToken"] for step in (first[1], later[1])]
    assert all(token.startswith(f"bedrock-distill-{FINGERPRINT}-") for token in tokens)
    assert len({token[:-2] for token in tokens}) == 2, "in another application it is another request"
    assert [token[-2:] for token in tokens] == ["-1", "-2"]
    assert (first[1].name, later[1].name) == ("nightly-01234567", "nightly-01234567-2")
    assert first[0].name == later[0].name
    assert first[0].request["clientToken"] != later[0].request["clientToken"]


def test_harvests_that_need_the_same_application_share_one_and_others_do_not():
    def name(**spec):
        return steps_of(make(**spec), CreateListed)[0].name

    assert name() == name(query={"min_chars": 5}) == name(edition="2") == name(timeout_minutes=5)
    assert len({name(), name(max_vcpus=128), name(release="emr-7.13.0"), name(idle_minutes=3)}) == 4


def test_an_application_of_the_users_own_is_used_and_none_is_made():
    plan = make(
        application="00abcdefghijklmn", survey={"application": "arn:x", "application_state": "CREATED"}
    )
    (run,) = steps_of(plan, CreateListed)
    assert run.inside == {"applicationId": "00abcdefghijklmn"}
    assert "no-application" not in codes(plan)
    assert "no-application" in codes(make(application="00abcdefghijklmn"), blocking=True)


def test_the_capacity_of_the_application_is_that_of_its_workers():
    plan = make(max_vcpus=66, driver_disk_gb=50)
    application = steps_of(plan, CreateListed)[0].request
    assert application["maximumCapacity"] == {"cpu": "64 vCPU", "memory": "136 GB", "disk": "350 GB"}
    assert application["autoStopConfiguration"] == {"enabled": True, "idleTimeoutMinutes": 15}
    assert setting(plan, "spark.dynamicAllocation.maxExecutors") == "15"
    assert setting(plan, "spark.emr-serverless.driver.disk") == "50g"


def test_the_environment_is_brought_to_driver_and_executors():
    plan = make()
    assert setting(plan, "spark.archives") == "s3://acme-ml/env/environment.tar.gz#environment"
    for name in ("spark.emr-serverless.driverEnv.PYSPARK_PYTHON", "spark.executorEnv.PYSPARK_PYTHON"):
        assert setting(plan, name) == "./environment/bin/python"


# Role


def may(policy, action, resource, **context):
    return decide([policy], Request(action, resource=resource, context=context)) == "allow"


def test_the_role_may_read_the_logs_work_in_the_output_and_nothing_else():
    (role,) = steps_of(make(), EnsureRole)
    policy, s3 = role.policy, "arn:aws:s3:::"
    assert may(policy, "s3:GetObject", f"{s3}acme-logs/bedrock/AWSLogs/a.json.gz")
    assert may(policy, "s3:GetObject", f"{s3}acme-ml/env/environment.tar.gz")
    assert may(policy, "s3:ListBucket", f"{s3}acme-logs", **{"s3:prefix": "bedrock/AWSLogs/"})
    for action in ("s3:GetObject", "s3:PutObject", "s3:DeleteObject"):
        assert may(policy, action, f"{s3}acme-ml/harvest/nightly/x")
    assert not may(policy, "s3:PutObject", f"{s3}acme-logs/bedrock/x")
    assert not may(policy, "s3:GetObject", f"{s3}acme-logs/other/x")
    assert not may(policy, "s3:GetObject", f"{s3}acme-ml/env/other.tar.gz")
    assert not may(policy, "s3:ListBucket", f"{s3}acme-logs", **{"s3:prefix": "other/"})
    assert not may(policy, "logs:PutLogEvents", "arn:aws:logs:us-east-1:123456789012:log-group:/aws/x")
    assert not may(policy, "kms:Decrypt", "arn:aws:kms:us-east-1:123456789012:key/k")


def test_the_role_is_told_of_objects_that_are_not_there_instead_of_being_refused():
    # S3 asks for s3:ListBucket without a prefix before it says 404 rather than 403.
    (role,) = steps_of(make(), EnsureRole)
    assert may(role.policy, "s3:ListBucket", "arn:aws:s3:::acme-ml")


def test_the_role_may_use_keys_and_log_groups_only_where_the_spec_says_so():
    key = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555"
    (role,) = steps_of(make(kms_keys=(key,), cloudwatch=True), EnsureRole)
    assert may(role.policy, "kms:Decrypt", key)
    group = "arn:aws:logs:us-east-1:123456789012:log-group:"
    assert may(role.policy, "logs:PutLogEvents", f"{group}/aws/emr-serverless:log-stream:x")
    assert not may(role.policy, "logs:PutLogEvents", f"{group}/aws/lambda/f:log-stream:x")


def test_only_emr_serverless_for_this_account_may_assume_the_role():
    (role,) = steps_of(make(), EnsureRole)

    def trusted(service, account):
        asked = Request(
            "sts:AssumeRole", resource="arn:x", service=service, context={"aws:sourceaccount": account}
        )
        return decide([role.trust], asked) == "allow"

    assert trusted("emr-serverless.amazonaws.com", "123456789012")
    assert not trusted("emr-serverless.amazonaws.com", "210987654321")
    assert not trusted("glue.amazonaws.com", "123456789012")


def test_a_role_of_the_users_own_is_used_as_it_is():
    arn = "arn:aws:iam::123456789012:role/mine"
    plan = make(role=arn)
    assert not steps_of(plan, EnsureRole)
    assert plan.creates.request["executionRoleArn"] == arn
    assert plan.creates.needs_role is False


def test_what_is_there_is_marked_as_done():
    (role,) = steps_of(make(), EnsureRole)
    found = {
        "role": RoleState("arn:role", role.policy),
        "run": "arn:aws:emr-serverless:us-east-1:123456789012:/applications/00abc/jobruns/00def",
        "run_state": "SUCCESS",
    }
    plan = make(survey=found)
    assert [step.done for step in plan.steps] == [False, False, True, True, False]
    assert plan.creates.inside == {"applicationId": "00abc"}
    assert "run-exists" in codes(plan, blocking=False)


# What it costs


def test_a_thousand_million_records_are_a_few_cpu_hours_and_the_plan_shows_how_that_comes():
    plan = make(max_vcpus=64)
    shown = plan.facts["arithmetic"]
    assert "1560.0 GB / 1,560 B = 1,000,000,000 records x 25 us + 312,000 objects x 1.3 ms" in shown
    work = work_of(ServerlessHarvest(**GOOD), objects=TERA.objects, size_bytes=TERA.size_bytes, complete=True)
    # 10^9 x 25 us = 6.94 h, 312,000 x 1.3 ms = 0.11 h; x 1.1 / 60 + 2 minutes; x 64 vCPUs.
    assert work.cpu_hours == pytest.approx(7.057, abs=0.001)
    assert work.hours == pytest.approx(7.057 * 1.1 / 60 + 2 / 60, abs=0.001)
    assert work.vcpu_hours == pytest.approx(64 * work.hours)


def test_little_work_takes_few_machines():
    small = work_of(ServerlessHarvest(**GOOD), objects=10, size_bytes=10_000_000, complete=True)
    assert small.executor_vcpus == 4
    assert "one-machine-does" in codes(make(Volume(10, 10_000_000, complete=True)), blocking=False)
    assert "one-machine-does" not in codes(make())


def test_prices_are_unknown_until_a_catalog_override_states_them(tmp_path):
    plan = make()
    assert plan.estimate.total_usd is None
    with pytest.raises(OverBudgetError, match="workers"):
        plan.within(1000)
    override = tmp_path / "ours.toml"
    rows = (
        ("emr-serverless", "vcpu_hour", 0.05),
        ("emr-serverless", "memory_gb_hour", 0.006),
        ("s3", "get_1k_requests", 0.0004),
        ("s3", "put_1k_requests", 0.005),
    )
    override.write_text(
        "".join(
            f'[[price]]\nmodel = "{model}"\nkind = "{kind}"\nusd = {usd}\nsource = "x"\nas_of = 2026-11-01\n'
            for model, kind, usd in rows
        )
    )
    catalog = load_catalog(override)
    lines = {
        use.kind: use.quantity
        for use in uses_of(work_of(ServerlessHarvest(**GOOD), objects=2000, size_bytes=10**9, complete=True))
    }
    assert all(catalog.price(model, kind, "us-east-1").usd == usd for model, kind, usd in rows)
    assert lines["get_1k_requests"] == 2
    assert lines["put_1k_requests"] == 0.002


def test_a_count_that_was_broken_off_is_said_to_be_the_least():
    plan = make(Volume(20_000, 10**9, complete=False))
    assert "more-logs" in codes(plan, blocking=False)
    assert all("at least" in line.what for line in plan.estimate.lines)
    assert "at least" in plan.facts["logs"]


# Warnings


@pytest.mark.parametrize(
    ("survey", "spec", "code"),
    [
        ({}, {"environment": None}, "no-environment"),
        ({"environment": False}, {}, "environment-missing"),
        ({"logs": BucketState("acme-logs", exists=False)}, {}, "no-bucket"),
        ({"output": BucketState("acme-ml", exists=True, region="eu-west-1")}, {}, "bucket-elsewhere"),
        ({"volume": Volume(0, 0, complete=True)}, {}, "no-logs"),
    ],
)
def test_what_cannot_work_stops_the_plan(survey, spec, code):
    assert code in codes(make(survey=survey, **spec), blocking=True)


@pytest.mark.parametrize(
    ("survey", "spec", "code"),
    [
        ({"volume": Volume(0, 0, complete=False, hidden=True)}, {}, "logs-hidden"),
        ({"role_hidden": True}, {}, "role-hidden"),
        ({"attempt": 2}, {}, "earlier-attempts"),
        ({}, {}, "driver-disk"),
    ],
)
def test_what_is_good_to_know_does_not_stop_the_plan(survey, spec, code):
    assert code in codes(make(survey=survey, **spec), blocking=False)


def test_a_sample_does_not_need_a_large_disk():
    assert "driver-disk" not in codes(make(max_records=15_000))


# Spec and document


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": "a b"}, "name"),
        ({"logs": "acme-logs/x"}, "not an S3 URI"),
        ({"output": "s3://acme-logs/bedrock/out"}, "would be read as logs"),
        ({"environment": "s3://acme-ml/env.tar"}, "tar.gz"),
        ({"environment": "s3://acme-ml/my env.tar.gz"}, "no spaces"),
        ({"application": "My App"}, "application's id"),
        ({"role": "mine"}, "role's own ARN"),
        ({"max_vcpus": 4}, "max_vcpus"),
        ({"kms_keys": ("alias/x",)}, "not of aliases"),
        ({"query": {"modles": ["x"]}}, "no fields modles"),
        ({"query": {"min_chars": "many"}}, "not a query"),
        ({"query": {"pattern": "("}}, "regular expression"),
        ({"max_records": 0}, "max_records"),
        ({"driver_disk_gb": 300}, "driver_disk_gb"),
    ],
)
def test_a_spec_that_cannot_work_says_which_field_and_why(fields, said):
    with pytest.raises(SpecError, match=said):
        ServerlessHarvest(**(GOOD | fields))


def test_a_query_may_be_an_object_or_its_json_and_reaches_the_document_whole():
    query = LogQuery(
        where=(Metadata("project") == "triage") & (Metadata("env") != "test"),
        models=("amazon.nova-pro-v1:0",),
        since=datetime(2026, 11, 1, tzinfo=UTC),
        responses=True,
    )
    spec = ServerlessHarvest(**GOOD, query=query, max_records=15_000, seed=3, distinct=False)
    assert ServerlessHarvest(**GOOD, query=spec.query).query == spec.query
    text = job_document(spec, PLACE, FINGERPRINT)
    assert json.loads(text)["logs"] == "s3://acme-logs/bedrock/"
    document = read_document(text, name="x")
    assert document.query == query
    assert (document.max_records, document.seed, document.distinct) == (15_000, 3, False)
    folder = "s3://acme-ml/harvest/nightly-01234567/"
    assert (document.records, document.work) == (f"{folder}records.jsonl", f"{folder}work/")


@pytest.mark.parametrize("text", ["{}", "[]", '{"version": 1, "nothing": 2}'])
def test_what_is_no_document_is_refused_with_what_to_do(text):
    with pytest.raises(SpecError, match="Plan again"):
        read_document(text, name="s3://b/job.json")


def test_a_document_of_another_release_is_refused():
    text = job_document(ServerlessHarvest(**GOOD), PLACE, FINGERPRINT).replace('"version": 1', '"version": 2')
    with pytest.raises(SpecError, match="version 2"):
        read_document(text, name="s3://b/job.json")


def test_a_job_file_holds_a_harvest(tmp_path):
    path = tmp_path / "harvest.toml"
    path.write_text(
        '[harvest]\nname = "nightly"\nlogs = "s3://acme-logs/bedrock"\noutput = "s3://acme-ml/harvest"\n'
        "[harvest.query]\nresponses = true\nsince = 2026-11-01T00:00:00Z\n"
    )
    spec = read_job_file(path)
    assert isinstance(spec, ServerlessHarvest)
    assert spec.log_query.since == datetime(2026, 11, 1, tzinfo=UTC)


def test_the_entry_script_is_the_packages_own_and_is_carried_by_the_plan():
    staged = steps_of(make(), StageText)
    assert [step.what for step in staged] == ["entry script", "job document"]
    compile(entry_script(), "entry.py", "exec")
