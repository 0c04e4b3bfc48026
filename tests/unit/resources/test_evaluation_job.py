"""Specs and plans of Bedrock's evaluation jobs: what is refused with its field, what is sent, and what is warned of."""

from __future__ import annotations

import json

import botocore.session
import pytest

import bedrock_distill as bd
from bedrock_distill.errors import DataError, PlanError, SpecError
from bedrock_distill.plan import Plan
from bedrock_distill.records import Message, Record, encode_record
from bedrock_distill.records.requests import METADATA_KEY
from bedrock_distill.resources.evaluation_job.job import EVALUATION_STATUSES
from bedrock_distill.resources.evaluation_job.metrics import METRICS, SENT_AS, about_metric

TEACHER, STUDENT, JUDGE = "amazon.nova-pro-v1:0", "amazon.nova-micro-v1:0", "amazon.nova-lite-v1:0"
DEPLOYMENT = "arn:aws:bedrock:us-east-1:123456789012:custom-model-deployment/abcdefghijkl"
IMPORTED = "arn:aws:bedrock:us-east-1:123456789012:imported-model/abcdefghijkl"

pytestmark = pytest.mark.local_cloud(teachers={TEACHER: lambda _: "yes", JUDGE: lambda _: "Score: 1"})


def write(path, records, metadata=None):
    lines = [json.loads(encode_record(record)) for record in records]
    for line, known in zip(lines, metadata or [], strict=False):
        line[METADATA_KEY] = known
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return bd.Prompts(path)


@pytest.fixture
def data(tmp_path):
    return write(
        tmp_path / "heldout.jsonl",
        [Record.of(f"Question {n}?", completion=f"yes {n}") for n in range(4)],
        [{"tenant": f"t{n}"} for n in range(3)],
    )


@pytest.fixture
def wanted(data):
    def wanted(**changes):
        fields = {"name": "Measure_it", "model": TEACHER, "data": data, "output": "s3://acme-ml/ev"}
        return bd.BedrockEvaluation(**{**fields, **changes})

    return wanted


@pytest.fixture
def session(local_cloud):
    local_cloud.bucket("acme-ml")
    return local_cloud.session()


def test_what_fields_break_together_is_said_without_the_whole_spec(wanted):
    with pytest.raises(
        SpecError, match=r"^BedrockEvaluation cannot be made: metrics: .* needs a judge"
    ) as caught:
        wanted(metrics=["Builtin.Correctness"])
    assert "(got" not in str(caught.value)


def test_a_side_that_is_no_id_is_named(session, data):
    with pytest.raises(SpecError, match="teacher must be a model's id or ARN"):
        session.bedrock_evaluations(
            student=STUDENT, teacher=session.model(TEACHER), data=data, output="s3://acme-ml/ev"
        )


def codes(plan):
    return {warning.code: warning.blocks for warning in plan.warnings}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"model": DEPLOYMENT}, "cannot ask.*give its answers"),
        ({"model": "arn:aws:sagemaker:us-east-1:123456789012:endpoint/triage"}, "cannot ask"),
        ({"answers": ["a"] * 4}, "answers: only jobs with a judge"),
        ({"metrics": ["Builtin.Correctness"]}, "Builtin.Correctness needs a judge; without one there are"),
        ({"metrics": ["Builtin.Accuracy"], "judge": JUDGE}, "computed without a judge"),
        (
            {"metrics": ["Builtin.Toxicity"], "task": "Classification"},
            "not offered for the task Classification",
        ),
        ({"metrics": ["accuracy"]}, "belongs into custom_metrics"),
        ({"metrics": ["Builtin.Accuracy"] * 2}, "each metric once"),
        ({"task": "Translation"}, "task"),
        ({"judge": IMPORTED}, "judge: must be the id"),
        ({"name": "n" * 41}, "1 to 40"),
        ({"output": "s3://acme-ml/dt=1/"}, "letters, digits"),
        ({"role": "me"}, "role's own ARN"),
        ({"kms_key": "?"}, "KMS key"),
        ({"limit": 0}, "limit"),
        ({"temperature": 2}, "temperature"),
        ({"colour": "red"}, "BedrockEvaluation takes"),
    ],
)
def test_what_cannot_work_is_refused_with_the_field(wanted, changes, text):
    with pytest.raises(SpecError, match=text):
        wanted(**changes)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"name": "Builtin.Mine"}, "not one of the service's own"),
        ({"instructions": "Rate it."}, "{{prediction}}"),
        ({"scale": {"bad": -1, "good": 1}}, "0 or above"),
        ({"scale": {"bad": 0, "worse": 0}}, "above 0"),
        ({"scale": {"good": 1}}, "at least 2"),
        ({"scale": {"": 0, "good": 1}}, "1 to 100 characters"),
    ],
)
def test_metrics_of_one_s_own_are_checked(changes, text):
    fields = {"name": "tone", "instructions": "Rate {{prediction}}.", "scale": {"rude": 0, "polite": 1}}
    with pytest.raises(SpecError, match=text):
        bd.CustomMetric(**{**fields, **changes})


def test_metrics_and_task_are_chosen_by_whether_there_is_a_judge(wanted):
    plain, judged = wanted(), wanted(judge=JUDGE)
    assert (plain.metric_names, plain.task_type) == (("Builtin.Accuracy",), "QuestionAndAnswer")
    assert (judged.metric_names, judged.task_type) == (("Builtin.Correctness",), "General")


def test_the_request_and_the_dataset_say_what_the_spec_says(session, wanted):
    plan = session.plan(wanted(category="tenant", max_tokens=99, tags={"team": "a"}))
    request = plan.creates.request
    assert request["jobName"] == f"measure-it-{plan.fingerprint[:8]}"
    assert request["clientRequestToken"].startswith(f"bedrock-distill-{plan.fingerprint}")
    (model,) = request["inferenceConfig"]["models"]
    assert json.loads(model["bedrockModel"]["inferenceParams"]) == {
        "inferenceConfig": {"maxTokens": 99, "temperature": 0.0}
    }
    assert "evaluatorModelConfig" not in request["evaluationConfig"]["automated"]
    stage, role = plan.steps[:2]
    lines = [json.loads(line) for line in stage.text.splitlines()]
    assert lines[0] == {"prompt": "Question 0?", "referenceResponse": "yes 0", "category": "t0"}
    assert "category" not in lines[3]
    assert codes(plan) == {"no-category": False}
    asked = next(each for each in role.policy["Statement"] if each["Sid"] == "AskModels")["Resource"]
    assert asked[0] == f"arn:aws:bedrock:us-east-1::foundation-model/{TEACHER}"
    condition = role.trust["Statement"][0]["Condition"]["ArnEquals"]["aws:SourceArn"]
    assert condition == "arn:aws:bedrock:us-east-1:123456789012:evaluation-job/*"
    assert Plan.from_json(plan.to_json()) == plan


def test_a_job_with_a_judge_metrics_of_one_s_own_and_given_answers(session, wanted):
    tone = bd.CustomMetric(name="tone", instructions="{{prediction}}", scale={"rude": 0, "polite": 4})
    spec = wanted(
        model=DEPLOYMENT,
        judge=JUDGE,
        metrics=["Builtin.Relevance"],
        custom_metrics=[tone],
        answers=["a", None, "c", "d"],
    )
    plan = session.plan(spec)
    request = plan.creates.request
    automated = request["evaluationConfig"]["automated"]
    assert automated["datasetMetricConfigs"][0]["metricNames"] == ["Builtin.Relevance", "tone"]
    assert automated["evaluatorModelConfig"] == automated["customMetricConfig"]["evaluatorModelConfig"]
    assert request["inferenceConfig"]["models"] == [
        {"precomputedInferenceSource": {"inferenceSourceIdentifier": "abcdefghijkl"}}
    ]
    lines = [json.loads(line) for line in plan.steps[0].text.splitlines()]
    assert [line["modelResponses"][0]["response"] for line in lines] == ["a", "c", "d"]
    assert codes(plan) == {"unanswered": False}
    assert "AskModels" in str(plan.steps[1].policy)
    with pytest.raises(SpecError, match="There are 2 answers for the 4 prompts"):
        session.plan(wanted(judge=JUDGE, answers=["a", "b"]))
    with pytest.raises(DataError, match=r"no prompt of .* has an answer"):
        session.plan(wanted(judge=JUDGE, answers=[None] * 4))


@pytest.mark.parametrize(
    ("model", "params"),
    [
        ("us.meta.llama3-1-70b-instruct-v1:0", {"max_gen_len": 512, "temperature": 0.0}),
        (IMPORTED, {"inferenceConfig": {"maxTokens": 512, "temperature": 0.0}}),
    ],
)
def test_parameters_have_the_names_of_the_model_s_family(session, wanted, model, params):
    request = session.plan(wanted(model=model)).creates.request
    assert json.loads(request["inferenceConfig"]["models"][0]["bedrockModel"]["inferenceParams"]) == params


def test_parameters_of_the_user_s_are_sent_as_they_are(session, wanted):
    request = session.plan(wanted(inference_params={"top_k": 3})).creates.request
    assert request["inferenceConfig"]["models"][0]["bedrockModel"]["inferenceParams"] == '{"top_k": 3}'


def test_an_id_that_only_a_profile_answers_for_is_sent_as_the_profile_and_the_role_may_ask_both(
    session, wanted
):
    plan = session.plan(wanted(judge="meta.llama3-3-70b-instruct-v1:0", metrics=["Builtin.Relevance"]))
    judge = plan.creates.request["evaluationConfig"]["automated"]["evaluatorModelConfig"]
    sent = judge["bedrockEvaluatorModels"][0]["modelIdentifier"]
    assert sent == "us.meta.llama3-3-70b-instruct-v1:0"
    assert f"inference-profile/{sent}" in str(plan.steps[1].policy)


def test_too_many_large_and_unlabelled_prompts_are_warned_of(session, wanted, tmp_path):
    many = write(tmp_path / "many.jsonl", [Record.of(f"{n} " + "x" * 5000) for n in range(1001)])
    found = codes(session.plan(wanted(data=many)))
    assert found == {"too-many-prompts": True, "no-references": True, "large-prompts": False}
    assert "too-many-prompts" not in codes(session.plan(wanted(data=many, limit=1000)))
    some = write(tmp_path / "some.jsonl", [Record.of("a", completion="b"), Record.of("c")])
    assert codes(session.plan(wanted(data=some))) == {"no-references": False}
    assert codes(session.plan(wanted(data=some, judge=JUDGE))) == {}


def test_unknown_metrics_models_elsewhere_and_missing_buckets_stop_the_plan(session, wanted):
    assert codes(session.plan(wanted(metrics=["Builtin.Wit"])))["metric-unknown"] is True
    west = IMPORTED.replace("us-east-1", "us-west-2")
    assert codes(session.plan(wanted(model=west)))["model-elsewhere"] is True
    assert codes(session.plan(wanted(output="s3://nowhere-at-all/")))["no-bucket"] is True
    legacy = next(
        row for row in session.catalog.models if row.lifecycle(session.clients.clock.now().date()) == "EOL"
    )
    assert codes(session.plan(wanted(model=legacy.id)))["model-legacy"] is True
    assert codes(session.plan(wanted(kms_key="alias/mine")))["key-not-an-arn"] is True
    assert codes(session.plan(wanted(metrics=["Builtin.Toxicity"])))["lower-is-better"] is False
    with pytest.raises(PlanError, match="metric-unknown"):
        session.apply(session.plan(wanted(metrics=["Builtin.Wit"])))


@pytest.mark.parametrize(
    "record",
    [
        Record.of("Hi", system="Be brief."),
        Record.of([Message.of("user", "a"), Message.of("assistant", "b"), Message.of("user", "c")]),
    ],
)
def test_what_is_not_one_text_is_refused_unless_its_answer_is_given(session, wanted, tmp_path, record):
    data = write(tmp_path / "talk.jsonl", [record])
    with pytest.raises(DataError, match="asks each prompt as one text, and 1 of 1 records"):
        session.plan(wanted(data=data))
    plan = session.plan(wanted(data=data, judge=JUDGE, answers=["fine"]))
    assert json.loads(plan.steps[0].text)["prompt"].count("User: ") >= 1


def test_an_empty_file_and_a_broken_line_are_refused(session, wanted, tmp_path):
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(DataError, match="holds no prompts"):
        session.plan(wanted(data=bd.Prompts(tmp_path / "empty.jsonl")))
    (tmp_path / "broken.jsonl").write_text('{"schemaVersion": 1}\n')
    with pytest.raises(DataError, match=r"broken\.jsonl:1"):
        session.plan(wanted(data=bd.Prompts(tmp_path / "broken.jsonl")))


def test_prices_give_an_estimate(local_cloud, session, wanted, tmp_path):
    prices = tmp_path / "prices.toml"
    prices.write_text(
        "".join(
            f'[[price]]\nmodel = "{model}"\nkind = "{kind}"\nusd = 1.0\nsource = "a test"\nas_of = 2026-11-24\n'
            for model in (TEACHER, JUDGE)
            for kind in ("input_1k_tokens", "output_1k_tokens")
        )
    )
    assert session.plan(wanted()).estimate.total_usd is None
    priced = local_cloud.session(catalog=prices)
    plain, judged = (priced.plan(wanted(judge=judge)).estimate.total_usd for judge in (None, JUDGE))
    assert 4 * 0.512 < plain < judged


def test_a_job_file_says_the_same(session, wanted, tmp_path):
    (tmp_path / "job.toml").write_text(
        f"""
[evaluation]
name = "Measure_it"
model = "{TEACHER}"
data = "heldout.jsonl"
output = "s3://acme-ml/ev"
judge = "{JUDGE}"

[[evaluation.custom_metrics]]
name = "tone"
instructions = "{{{{prediction}}}}"
scale = {{ rude = 0, polite = 1 }}
"""
    )
    tone = bd.CustomMetric(name="tone", instructions="{{prediction}}", scale={"rude": 0, "polite": 1})
    assert session.plan(tmp_path / "job.toml") == session.plan(wanted(judge=JUDGE, custom_metrics=[tone]))
    (tmp_path / "wrong.toml").write_text(
        f'[evaluation]\nname = "a"\nmodel = "{TEACHER}"\ndata = "heldout.jsonl"\noutput = "s3://acme-ml/"\ncustom_metrics = 3\n'
    )
    with pytest.raises(SpecError, match="custom_metrics must be tables"):
        session.plan(tmp_path / "wrong.toml")


def test_every_status_and_every_metric_of_the_service_is_known():
    model = botocore.session.get_session().get_service_model("bedrock")
    assert set(EVALUATION_STATUSES) == set(model.shape_for("EvaluationJobStatus").enum)
    assert set(SENT_AS.values()) <= set(model.shape_for("EvaluationTaskType").enum)
    documented = model.shape_for("EvaluationDatasetMetricConfig").members["metricNames"].documentation
    assert all(name in documented for name in METRICS)
    assert about_metric("Builtin.Accuracy", "Summarization") != about_metric("Builtin.Accuracy")
    assert "was told" in about_metric("tone")
