"""The plan of a job that reads invocation logs by itself, in every state that the logs can be found in."""

from datetime import date

import boto3
import pytest

from bedrock_distill.aws import BucketRules, BucketState, KeyState
from bedrock_distill.aws.wire import check_request
from bedrock_distill.catalog import load_catalog
from bedrock_distill.harvest import LogCount
from bedrock_distill.plan import EnsureRole, StageFile
from bedrock_distill.records.logs import Metadata
from bedrock_distill.records.logs.tally import Broken, Tally
from bedrock_distill.resources import Distillation, InvocationLogs
from bedrock_distill.resources.distillation import plan_distillation
from bedrock_distill.resources.log_survey import FoundLogs
from bedrock_distill.resources.survey import LiveModel, Survey, callable_id

CATALOG = load_catalog()
PRO, MICRO, PREMIER = "amazon.nova-pro-v1:0", "amazon.nova-micro-v1:0", "amazon.nova-premier-v1:0"
US_PRO, PRO_ARN = f"us.{PRO}", f"arn:aws:bedrock:us-east-1::foundation-model/{PRO}"
ALIVE = LiveModel(status="ACTIVE", distillable=True)
TRIAGE = Metadata("project") == "triage"
KEY = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000"


def counted(pairs=None, *, prompts=None, skipped=None, broken=(), responses=False):
    pairs = {PRO: 120} if pairs is None else pairs
    matched = sum(pairs.values()) if prompts is None else prompts
    tally = Tally(
        scanned=matched + sum((skipped or {}).values()),
        matched=matched,
        skipped=skipped or {},
        by_model_id=pairs,
        broken=list(broken),
    )
    return LogCount(tally=tally, prompts=matched, pairs=pairs if responses else {})


def make(
    logs=None,
    *,
    count=None,
    bucket=None,
    rules=None,
    early=None,
    teacher=PRO,
    survey=None,
    name="triage",
    **spec,
):
    logs = logs or InvocationLogs("s3://acme-logs/bedrock")
    fields = {"student": MICRO, "output": "s3://acme/out"} | spec
    wanted = Distillation(name=name, teacher=teacher, data=logs, **fields)
    found = {
        "region": "us-east-1",
        "account_id": "123456789012",
        "partition": "aws",
        "today": date(2026, 11, 24),
        "data": FoundLogs(
            logs=logs,
            bucket=bucket or BucketState("acme-logs", exists=True, region="us-east-1"),
            rules=rules or BucketRules(),
            count=count,
            ended_early=early or {},
            min_prompts=100,
            max_prompts=15_000,
        ),
        "bucket": BucketState("acme", exists=True, region="us-east-1"),
        "teacher_id": callable_id(teacher, CATALOG, "us-east-1"),
        "teacher": ALIVE,
        "student": ALIVE,
        "role": None,
    } | (survey or {})
    return plan_distillation(wanted, Survey(**found), CATALOG)


def answers(**fields):
    return InvocationLogs("s3://acme-logs/bedrock", use_responses=True, **fields)


def warned(plan):
    return {warning.code: warning for warning in plan.warnings}


@pytest.fixture(scope="module")
def operation():
    client = boto3.client(
        "bedrock", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    return client.meta.service_model.operation_model("CreateModelCustomizationJob")


@pytest.mark.parametrize("where", [None, TRIAGE, TRIAGE & (Metadata("env") != "dev"), TRIAGE | TRIAGE])
def test_the_request_names_the_logs_the_filter_and_whether_answers_are_used(operation, where):
    plan = make(answers(where=where), count=counted(responses=True))
    check_request(operation, plan.creates.request)
    config = {"usePromptResponse": True, "invocationLogSource": {"s3Uri": "s3://acme-logs/bedrock/"}}
    if where is not None:
        config["requestMetadataFilters"] = where.to_request()
    assert plan.creates.request["trainingDataConfig"] == {"invocationLogsConfig": config}


def test_nothing_is_staged():
    plan = make(count=counted())
    assert not any(isinstance(step, StageFile) for step in plan.steps)
    assert [type(step).__name__ for step in plan.steps] == ["EnsureRole", "CreateResource", "WaitFor"]


@pytest.mark.parametrize(
    ("source", "objects", "listed"),
    [
        ("s3://acme-logs/bedrock", "arn:aws:s3:::acme-logs/bedrock/*", ["bedrock", "bedrock/*"]),
        ("s3://acme-logs", "arn:aws:s3:::acme-logs/*", ["*"]),
        ("s3://acme-logs/a/b.json.gz", "arn:aws:s3:::acme-logs/a/*", ["a", "a/*"]),
    ],
)
def test_the_role_may_read_the_logs_and_write_results_and_nothing_else(source, objects, listed):
    plan = make(InvocationLogs(source), count=counted())
    (role,) = [step for step in plan.steps if isinstance(step, EnsureRole)]
    said = {each["Sid"]: each for each in role.policy["Statement"]}
    assert set(said) == {"ReadLogs", "ListLogs", "WriteResults", "ListResults"}
    assert said["ReadLogs"]["Action"] == ["s3:GetObject"]
    assert said["ReadLogs"]["Resource"] == [objects]
    assert said["ListLogs"]["Resource"] == ["arn:aws:s3:::acme-logs"]
    assert said["ListLogs"]["Condition"] == {"StringLike": {"s3:prefix": listed}}


def test_the_fingerprint_covers_source_filter_and_use_of_answers():
    base = make(count=counted()).fingerprint
    others = [
        InvocationLogs("s3://acme-logs/other"),
        InvocationLogs("s3://acme-logs/bedrock", where=TRIAGE),
        answers(),
    ]
    prints = {base, *(make(each, count=counted(responses=True)).fingerprint for each in others)}
    assert len(prints) == 4


def test_calls_logged_since_do_not_change_the_plan():
    before, after = make(count=counted({PRO: 120})), make(count=counted({PRO: 130}))
    assert after.fingerprint == before.fingerprint
    assert after.creates.request == before.creates.request


def test_the_facts_say_how_much_there_is_of_which_model_and_by_which_filter():
    count = counted({PRO: 1200, US_PRO: 30}, responses=True)
    facts = make(answers(where=TRIAGE), count=count).facts
    assert facts["prompts"] == "1,230 in s3://acme-logs/bedrock/ where project == 'triage'"
    assert facts["answered pairs by model"] == f"{PRO}: 1,200, {US_PRO}: 30"


def test_with_enough_prompts_nothing_is_warned_of_but_prices():
    assert set(warned(make(count=counted()))) == {"cost-unknown"}
    assert set(warned(make(answers(), count=counted(responses=True)))) == {"cost-unknown"}


FEW = counted({PRO: 99})
STOPPED = [
    ("no-log-bucket", {"bucket": BucketState("acme-logs", exists=False)}, "no bucket acme-logs"),
    (
        "log-bucket-elsewhere",
        {"bucket": BucketState("acme-logs", exists=True, region="eu-west-1")},
        "lies in eu-west-1, the job in us-east-1",
    ),
    ("log-bucket-of-another-account", {"rules": BucketRules(foreign=True)}, "another account"),
    (
        "too-few-prompts",
        {"count": FEW},
        "holds 99 prompts that can be used, and Bedrock takes no fewer than 100",
    ),
    ("too-few-prompts", {"count": counted({})}, "holds 0 prompts"),
    (
        "too-few-pairs",
        {"logs": answers(), "count": counted({PRO: 99, US_PRO: 500}, responses=True)},
        f"holds 99 pairs answered by exactly {PRO}",
    ),
]


@pytest.mark.parametrize(("code", "case", "says"), STOPPED)
def test_what_would_fail_on_aws_stops_the_plan_and_says_why(code, case, says):
    found = warned(make(**case))
    assert found[code].blocks
    assert says in found[code].text


def test_the_least_that_aws_takes_is_enough():
    plan = make(count=counted({PRO: 50, "meta.llama3-1-8b-instruct-v1:0": 50}))
    assert not plan.blockers


def test_without_the_logged_answers_it_does_not_matter_who_answered():
    plan = make(count=counted({US_PRO: 60, "anthropic.claude-3-haiku-20240307-v1:0": 60}))
    assert set(warned(plan)) == {"cost-unknown"}


def test_the_same_model_under_other_names_is_counted_by_name_and_said_to_be_unsure():
    count = counted({PRO: 150, US_PRO: 40, PRO_ARN: 3, "amazon.nova-lite-v1:0": 9}, responses=True)
    warning = warned(make(answers(), count=count))["other-names"]
    assert not warning.blocks
    for part in (
        f"{US_PRO}: 40",
        f"{PRO_ARN}: 3",
        f"exactly {PRO}: 150",
        "not documented",
        "as it was logged",
    ):
        assert part in warning.text
    assert "nova-lite" not in warning.text


def test_a_teacher_that_the_job_names_by_its_profile_is_looked_for_by_that_name():
    count = counted({f"us.{PREMIER}": 150, PREMIER: 20}, responses=True)
    found = warned(make(answers(), teacher=PREMIER, count=count))
    assert "too-few-pairs" not in found
    assert f"{PREMIER}: 20; exactly us.{PREMIER}: 150" in found["other-names"].text


def test_answers_of_other_models_alone_are_of_no_use_and_the_plan_says_whose_they_are():
    found = warned(make(answers(), count=counted({"amazon.nova-lite-v1:0": 300}, responses=True)))
    assert "they are of: amazon.nova-lite-v1:0" in found["teacher-mismatch"].text
    assert found["too-few-pairs"].blocks


SAID = [
    (
        "too-many",
        {"count": counted({PRO: 15_001})},
        "15,001 prompts can be used, and Bedrock uses at most 15,000",
    ),
    ("logs-hidden", {"count": None}, "may not read s3://acme-logs/bedrock/"),
    (
        "broken-objects",
        {"count": counted(broken=[Broken("a.gz", "it ends too early")])},
        "a.gz: it ends too early",
    ),
    (
        "filter-matches-nothing",
        {
            "logs": InvocationLogs("s3://acme-logs/bedrock", where=TRIAGE),
            "count": counted({}, skipped={"not-selected": 400, "broken-line": 1}),
        },
        "No log record passes the filter project == 'triage', of 401",
    ),
    (
        "answers-cut-off",
        {"logs": answers(), "count": counted(responses=True), "early": {"cut-off": 7}},
        f"7 logged answers of {PRO} were cut off",
    ),
    (
        "answers-filtered",
        {"logs": answers(), "count": counted(responses=True), "early": {"filtered-answer": 2}},
        f"2 logged answers of {PRO} were stopped by a guardrail",
    ),
    (
        "single-turn-text-only",
        {"count": counted(skipped={"multi-turn": 12, "not-text": 3, "tool-use": 1})},
        "12 conversations of several turns, 3 with images, documents or other content beside text, 1 with tool calls",
    ),
    (
        "log-records-unusable",
        {"count": counted(skipped={"no-body": 5, "failed-call": 2, "not-selected": 9})},
        "2 failed-call (the call failed), 5 no-body (",
    ),
    ("log-key", {"count": counted(), "rules": BucketRules(key=KeyState(named=KEY, arn=KEY))}, KEY),
    ("output-in-logs", {"count": counted(), "output": "s3://acme-logs/bedrock/out"}, "lies under the logs"),
    (
        "logs-may-have-grown",
        {"count": counted(), "survey": {"job_arn": "arn:aws:bedrock:x", "job_status": "Completed"}},
        "another name",
    ),
]


@pytest.mark.parametrize(("code", "case", "says"), SAID)
def test_what_the_reader_should_know_is_said_and_stops_nothing(code, case, says):
    found = warned(make(**case))
    assert not found[code].blocks
    assert says in found[code].text


def test_a_filter_that_some_records_pass_is_not_said_to_match_nothing():
    logs = InvocationLogs("s3://acme-logs/bedrock", where=TRIAGE)
    count = counted({}, skipped={"not-selected": 400, "multi-turn": 1})
    assert "filter-matches-nothing" not in warned(make(logs, count=count))


def test_a_key_that_is_named_is_given_to_the_role_and_warned_of_no_more():
    plan = make(count=counted(), rules=BucketRules(key=KeyState(named=KEY, arn=KEY)), data_kms_key=KEY)
    assert "log-key" not in warned(plan)
    (role,) = [step for step in plan.steps if isinstance(step, EnsureRole)]
    assert KEY in str(role.policy)


def lines(plan):
    return {line.what: line.quantity for line in plan.estimate.lines}


def test_logged_answers_cost_no_calls_to_the_teacher():
    assert not [what for what in lines(make(answers(), count=counted(responses=True))) if "teacher" in what]


def test_prompts_alone_cost_an_answer_each_up_to_the_quota():
    assert lines(make(count=counted({PRO: 120})))["teacher output (at most)"] == 120.0
    assert lines(make(count=counted({PRO: 20_000})))["teacher output (at most)"] == 15_000.0
    assert lines(make(count=counted()))["teacher input (estimated)"] is None
