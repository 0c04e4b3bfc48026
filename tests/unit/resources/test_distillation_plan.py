from datetime import date

import boto3
import pytest

from bedrock_distill.aws.objects import BucketState
from bedrock_distill.aws.wire import check_request
from bedrock_distill.catalog import load_catalog
from bedrock_distill.plan import EnsureRole, StageFile
from bedrock_distill.records import Record, encode_record
from bedrock_distill.records.checking import check_file
from bedrock_distill.records.digest import digest_file
from bedrock_distill.records.rules import rules_for
from bedrock_distill.resources import Distillation, Prompts
from bedrock_distill.resources.distillation import plan_distillation
from bedrock_distill.resources.survey import FoundPrompts, LiveModel, Survey, callable_id
from bedrock_distill.uris import S3Uri

CATALOG = load_catalog()
PRO, MICRO, LITE = "amazon.nova-pro-v1:0", "amazon.nova-micro-v1:0", "amazon.nova-lite-v1:0"
PREMIER, LLAMA70, LLAMA8 = (
    "amazon.nova-premier-v1:0",
    "meta.llama3-1-70b-instruct-v1:0",
    "meta.llama3-1-8b-instruct-v1:0",
)
ALIVE = LiveModel(status="ACTIVE", distillable=True)


@pytest.fixture
def prompts(tmp_path):
    path = tmp_path / "prompts.jsonl"
    path.write_bytes(b"".join(encode_record(Record.of(f"Question {i}?")) + b"\n" for i in range(120)))
    return path


def make(prompts, *, teacher=PRO, student=MICRO, region="us-east-1", staged=False, survey=None, **spec):
    wanted = Distillation(
        name="triage", teacher=teacher, student=student, data=Prompts(prompts), output="s3://acme/out", **spec
    )
    digest = digest_file(prompts)
    found = {
        "region": region,
        "account_id": "123456789012",
        "partition": "aws",
        "today": date(2026, 11, 24),
        "data": FoundPrompts(
            path=prompts,
            check=check_file(prompts, rules_for(CATALOG, teacher, student)),
            digest=digest,
            uri=S3Uri.parse(f"s3://acme/out/staged/{digest.sha256[:16]}-prompts.jsonl"),
            staged=staged,
        ),
        "bucket": BucketState("acme", exists=True, region=region),
        "teacher_id": callable_id(teacher, CATALOG, region),
        "teacher": ALIVE,
        "student": ALIVE,
        "role": None,
    } | (survey or {})
    return plan_distillation(wanted, Survey(**found), CATALOG)


def codes(plan, *, blocking=None):
    return {w.code for w in plan.warnings if blocking is None or w.blocks is blocking}


def test_the_request_is_one_that_the_service_accepts(prompts):
    client = boto3.client(
        "bedrock", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    operation = client.meta.service_model.operation_model("CreateModelCustomizationJob")
    request = make(prompts).creates.request
    check_request(operation, request)
    assert request["baseModelIdentifier"] == "amazon.nova-micro-v1:0:128k"
    assert request["customizationType"] == "DISTILLATION"
    assert "hyperParameters" not in request


def test_planning_twice_gives_the_same_plan(prompts):
    assert make(prompts) == make(prompts)


def test_what_was_seen_done_does_not_change_the_fingerprint_or_any_name(prompts):
    before = make(prompts)
    after = make(prompts, staged=True, survey={"job_arn": "arn:aws:bedrock:x", "job_status": "InProgress"})
    assert after.fingerprint == before.fingerprint
    assert after.creates.request == before.creates.request
    assert [step.done for step in after.steps] == [True, False, True, False]


def test_other_data_is_another_plan_but_the_same_role(prompts):
    before = make(prompts)
    with prompts.open("ab") as file:
        file.write(encode_record(Record.of("One more?")) + b"\n")
    after = make(prompts)
    assert after.fingerprint != before.fingerprint
    assert after.creates.name != before.creates.name


def test_where_the_file_lies_does_not_matter(prompts, tmp_path):
    elsewhere = tmp_path / "sub" / "prompts.jsonl"
    elsewhere.parent.mkdir()
    elsewhere.write_bytes(prompts.read_bytes())
    assert make(elsewhere).fingerprint == make(prompts).fingerprint


def test_a_new_attempt_has_names_and_a_token_of_its_own(prompts):
    first, second = make(prompts), make(prompts, survey={"attempt": 2})
    assert second.creates.name == first.creates.name + "-2"
    assert second.creates.request["clientRequestToken"] != first.creates.request["clientRequestToken"]
    assert "earlier-attempts" in codes(second)


def test_a_role_of_the_callers_is_used_as_it_is(prompts):
    role = "arn:aws:iam::123456789012:role/Mine"
    plan = make(prompts, role=role)
    assert not any(isinstance(step, EnsureRole) for step in plan.steps)
    assert plan.creates.request["roleArn"] == role
    assert not plan.creates.needs_role


def test_a_role_that_is_made_is_named_in_the_request(prompts):
    plan = make(prompts)
    (role,) = [step for step in plan.steps if isinstance(step, EnsureRole)]
    assert plan.creates.request["roleArn"] == f"arn:aws:iam::123456789012:role/{role.name}"
    assert len(role.name) <= 64


def test_staging_names_the_file_its_content_and_the_key(prompts):
    plan = make(
        prompts, data_kms_key="arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000"
    )
    (stage,) = [step for step in plan.steps if isinstance(step, StageFile)]
    assert stage.sha256 == digest_file(prompts).sha256
    assert stage.kms_key_id.endswith("0000")
    assert "UseKeys" in str([step.policy for step in plan.steps if isinstance(step, EnsureRole)])


def test_an_ordinary_plan_only_notes_that_prices_are_unknown(prompts):
    assert codes(make(prompts)) == {"cost-unknown"}


@pytest.mark.parametrize(
    ("case", "code", "blocks"),
    [
        ({"region": "eu-west-1"}, "pair-not-in-region", True),
        ({"teacher": MICRO, "student": PRO, "survey": {"student": None}}, "pair-unknown", True),
        ({"teacher": MICRO, "student": PRO}, "pair-unknown", False),
        (
            {
                "teacher": "anthropic.claude-3-5-sonnet-20240620-v1:0",
                "student": "anthropic.claude-3-haiku-20240307-v1:0",
                "region": "us-west-2",
            },
            "pair-withdrawn",
            True,
        ),
        ({"teacher": PREMIER, "survey": {"teacher": None}}, "teacher-past-end-of-life", True),
        ({"teacher": PREMIER}, "teacher-past-end-of-life", False),
        ({"teacher": PREMIER}, "teacher-needs-profile", False),
        (
            {
                "teacher": LLAMA70,
                "student": LLAMA8,
                "region": "us-west-2",
                "survey": {"student": LiveModel(status="LEGACY", distillable=True)},
            },
            "student-legacy",
            True,
        ),
        ({"teacher": LLAMA70, "student": LLAMA8, "region": "us-west-2"}, "student-not-on-demand", False),
        ({"survey": {"bucket": BucketState("acme", exists=False)}}, "no-bucket", True),
        ({"survey": {"bucket": BucketState("acme", exists=True, forbidden=True)}}, "bucket-forbidden", False),
        (
            {"survey": {"bucket": BucketState("acme", exists=True, region="eu-west-1")}},
            "bucket-elsewhere",
            True,
        ),
        ({"data_kms_key": "alias/mine"}, "key-not-an-arn", True),
        ({"survey": {"job_arn": "arn:aws:bedrock:x", "job_status": "InProgress"}}, "job-exists", False),
    ],
)
def test_what_matters_is_warned_of_and_what_cannot_work_stops_the_plan(prompts, case, code, blocks):
    plan = make(prompts, **case)
    assert code in codes(plan, blocking=blocks), [(w.code, w.blocks) for w in plan.warnings]
    assert (len(plan.blockers) > 0) == any(w.blocks for w in plan.warnings)


def test_a_teacher_that_needs_a_profile_is_sent_by_the_profiles_id_and_its_role_may_call_it(prompts):
    plan = make(prompts, teacher=PREMIER)
    teacher = plan.creates.request["customizationConfig"]["distillationConfig"]["teacherModelConfig"]
    assert teacher["teacherModelIdentifier"] == "us.amazon.nova-premier-v1:0"
    (role,) = [step for step in plan.steps if isinstance(step, EnsureRole)]
    assert "CrossRegionInference" in {statement["Sid"] for statement in role.policy["Statement"]}


def test_warnings_that_stop_come_first(prompts):
    plan = make(prompts, survey={"bucket": BucketState("acme", exists=False)})
    assert plan.warnings[0].blocks


def test_labelled_prompts_are_not_charged_for_answers(prompts):
    def output_line(plan):
        return next(line for line in plan.estimate.lines if "output" in line.what)

    before = output_line(make(prompts))
    with prompts.open("ab") as file:
        file.write(encode_record(Record.of("One more?", completion="Yes.")) + b"\n")
    assert output_line(make(prompts)).quantity == before.quantity == 120.0
