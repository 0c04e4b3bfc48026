"""Evaluation jobs of the local cloud: what is asked, how answers are scored, where results lie, and how jobs end."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from bedrock_distill.local.services.bedrock.evaluation_scores import ACCURACY, read_custom, read_score
from bedrock_distill.local.teachers import FunctionTeacher

_folder = Path(__file__).parent
_stage = runpy.run_path(str(_folder / "bedrock_stage.py"))
_evaluation = runpy.run_path(str(_folder / "evaluation_stage.py"))
TEACHER, answer = _stage["TEACHER"], _stage["answer"]
evaluator, put_dataset, start, evaluate, lines_of, scores_of = (
    _evaluation[name] for name in ("evaluator", "put_dataset", "start", "evaluate", "lines_of", "scores_of")
)
JUDGE = "amazon.nova-lite-v1:0"
JUDGED = {"task": "Generation", "judge": JUDGE}


@pytest.fixture
def stage(shared):
    shared.empty()
    evaluator(shared)
    put_dataset(shared)
    return shared


def judging(stage, reply):
    """Let a function of the judge's prompt stand for the judge."""
    judge = FunctionTeacher(lambda record: reply(record.prompt_text))
    stage.world.teachers = {TEACHER: FunctionTeacher(answer), JUDGE: judge}


def test_answers_are_scored_against_the_references_and_lie_where_aws_puts_them(stage):
    job = evaluate(stage)
    assert (job["status"], job["jobType"]) == ("Completed", "Automated"), job
    lines, key = lines_of(stage, job)
    token = job["jobArn"].rpartition("/")[2]
    assert key == (
        f"evaluated/measure/{token}/models/amazon.nova-pro-v1-0/taskTypes/QuestionAndAnswer/datasets/prompts/"
        f"{token}_output.jsonl"
    )
    first = lines["Question 0?"]
    assert first["modelResponses"] == [{"response": "Answer to: Question 0?", "modelIdentifier": TEACHER}]
    assert first["inputRecord"]["category"] == "c0"
    assert [scores_of(lines[f"Question {n}?"]) for n in range(3)] == [
        {"Builtin.Accuracy": 1.0},
        {"Builtin.Accuracy": 1.0},
        {"Builtin.Accuracy": 0.0},
    ]


@pytest.mark.parametrize(
    ("task", "given", "reference", "score"),
    [
        ("QuestionAndAnswer", "The red, big house", "a red house", 0.8),
        ("QuestionAndAnswer", "", "", 1.0),
        ("Summarization", "red house", "red house", 1.0),
        ("Classification", " Billing.", "billing", 1.0),
        ("Classification", "not billing", "billing", 0.0),
        ("Generation", "It is Paris, of course", "paris", 1.0),
        ("Generation", "It is Rome", "Paris", 0.0),
    ],
)
def test_accuracy_depends_on_the_task(task, given, reference, score):
    assert ACCURACY[task](given, reference) == pytest.approx(score)


def test_a_judge_is_shown_prompt_reference_and_response_and_its_reason_is_kept(stage):
    seen = []
    judging(stage, lambda text: seen.append(text) or "Nearly.\nScore: 0.75")
    job = evaluate(stage, metrics=["Builtin.Correctness", "Builtin.Helpfulness"], **JUDGED)
    lines, _ = lines_of(stage, job)
    scores = lines["Question 0?"]["automatedEvaluationResult"]["scores"]
    assert [(each["metricName"], each["result"]) for each in scores] == [
        ("Builtin.Correctness", 0.75),
        ("Builtin.Helpfulness", 0.75),
    ]
    assert scores[0]["evaluatorDetails"] == [{"modelIdentifier": JUDGE, "explanation": "Nearly."}]
    assert len(seen) == 6
    assert "Reference response:\nAnswer to: Question 0?" in next(
        text for text in seen if "Question 0?" in text
    )


@pytest.mark.parametrize(
    ("reply", "score", "reason"),
    [
        ("Good.\nScore: 1", 1.0, "Good."),
        ("**Score: 0.5**", 0.5, ""),
        ("0.25", 0.25, ""),
        ("I cannot say.", None, "I cannot say."),
        ("Score: 7", None, ""),
        ("", None, ""),
    ],
)
def test_a_score_is_read_from_the_last_line_or_is_missing(reply, score, reason):
    assert read_score(reply) == (score, reason)


def test_a_metric_of_one_s_own_is_filled_in_and_rated_by_its_scale(stage):
    seen = []
    judging(stage, lambda text: seen.append(text) or "Polite enough.\nScore: polite")
    judge = {"bedrockEvaluatorModels": [{"modelIdentifier": JUDGE}]}
    scale = [
        {"definition": name, "value": {"floatValue": value}}
        for name, value in (("rude", 0.0), ("polite", 2.0))
    ]
    definition = {"name": "tone", "instructions": "Rate {{prediction}} to {{prompt}}.", "ratingScale": scale}
    request = _evaluation["evaluation_request"](metrics=["tone"], task="Generation")
    request["evaluationConfig"]["automated"]["customMetricConfig"] = {
        "customMetrics": [{"customMetricDefinition": definition}],
        "evaluatorModelConfig": judge,
    }
    stage.bedrock.create_evaluation_job(**request)
    assert stage.cloud.clock.settle(20)
    (listed,) = stage.bedrock.list_evaluation_jobs()["jobSummaries"]
    assert listed["customMetricsEvaluatorModelIdentifiers"] == [JUDGE]
    lines, _ = lines_of(stage, listed)
    assert scores_of(lines["Question 0?"]) == {"tone": 2.0}
    assert any(text.startswith("Rate Answer to: Question 0? to Question 0?.") for text in seen)
    assert read_custom(definition, "Score: rude").score == 0.0
    assert read_custom(definition, "Score: 1").score is None


def test_given_answers_are_judged_and_nobody_is_asked_for_them(stage):
    judging(stage, lambda _: "Score: 1")
    given = [{"prompt": "Q?", "modelResponses": [{"response": "mine", "modelIdentifier": "student"}]}]
    put_dataset(stage, given)
    models = [{"precomputedInferenceSource": {"inferenceSourceIdentifier": "student"}}]
    job = evaluate(stage, metrics=["Builtin.Relevance"], inferenceConfig={"models": models}, **JUDGED)
    lines, key = lines_of(stage, job)
    assert lines["Q?"]["modelResponses"] == [{"response": "mine", "modelIdentifier": "student"}]
    assert "/models/student/" in key
    put_dataset(stage, [{"prompt": "Q?"}])
    failed = evaluate(
        stage, "other", metrics=["Builtin.Relevance"], inferenceConfig={"models": models}, **JUDGED
    )
    assert "needs one of modelResponses" in failed["failureMessages"][0]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["no JSON"], "Line 1 of the dataset"),
        ([{"prompt": "Q?", "referenceResponse": "a"}, {"text": "Q?"}], "Line 2 of the dataset"),
        ([{"prompt": "Q?"}], "has no referenceResponse"),
        ([], "has 0 prompts"),
        ([{"prompt": f"{n}", "referenceResponse": "a"} for n in range(1001)], "has 1001 prompts"),
    ],
)
def test_a_dataset_that_breaks_a_rule_fails_the_job(stage, lines, words):
    put_dataset(stage, lines)
    job = evaluate(stage)
    assert job["status"] == "Failed"
    assert words in job["failureMessages"][0]
    assert stage.objects("evaluated/measure/") == []


def test_a_model_that_fails_leaves_a_line_without_scores(stage):
    def fails(record):
        if "1" in record.prompt_text:
            raise RuntimeError("broken")
        return answer(record)

    stage.world.teachers = {TEACHER: FunctionTeacher(fails)}
    lines, _ = lines_of(stage, evaluate(stage))
    assert lines["Question 1?"]["modelResponses"] == []
    assert "broken" in lines["Question 1?"]["error"]
    assert scores_of(lines["Question 1?"]) == {}
    assert scores_of(lines["Question 0?"]) == {"Builtin.Accuracy": 1.0}


def test_a_judge_that_fails_leaves_a_score_that_is_none(stage):
    def fails(_text):
        raise RuntimeError("broken")

    judging(stage, fails)
    lines, _ = lines_of(stage, evaluate(stage, metrics=["Builtin.Correctness"], **JUDGED))
    assert scores_of(lines["Question 0?"]) == {"Builtin.Correctness": None}


def test_the_model_is_asked_with_the_parameters_given(stage):
    stage.world.teachers = {TEACHER: FunctionTeacher(lambda _: "word " * 500)}
    params = {"inferenceConfig": {"maxTokens": 3}}
    models = [{"bedrockModel": {"modelIdentifier": TEACHER, "inferenceParams": json.dumps(params)}}]
    lines, _ = lines_of(stage, evaluate(stage, inferenceConfig={"models": models}))
    assert len(lines["Question 0?"]["modelResponses"][0]["response"]) < 20


def test_a_role_that_is_taken_away_while_the_job_waits_fails_it(shared):
    shared.empty()
    shared.cloud.clock.mode = "polls"
    try:
        evaluator(shared)
        put_dataset(shared)
        arn = start(shared)
        shared.iam.delete_role_policy(RoleName="evaluator", PolicyName="inline")
        shared.iam.delete_role(RoleName="evaluator")
        jobs = [shared.bedrock.get_evaluation_job(jobIdentifier=arn) for _ in range(2)]
        assert [job["status"] for job in jobs] == ["InProgress", "Failed"]
        assert jobs[-1]["failureMessages"][0].startswith("Could not assume provided IAM role")
    finally:
        shared.cloud.clock.mode = "instant"


def test_a_stopped_job_writes_nothing_and_can_be_deleted_only_when_it_is_over(shared):
    shared.empty()
    shared.cloud.clock.mode = "polls"
    try:
        evaluator(shared)
        put_dataset(shared)
        arn = start(shared, clientRequestToken="once")
        assert start(shared, clientRequestToken="once") == arn
        refused = shared.bedrock.batch_delete_evaluation_job(jobIdentifiers=[arn])
        assert [error["code"] for error in refused["errors"]] == ["ConflictException"]
        shared.bedrock.stop_evaluation_job(jobIdentifier=arn)
        states = [shared.bedrock.get_evaluation_job(jobIdentifier=arn)["status"] for _ in range(2)]
        assert states == ["Stopping", "Stopped"]
        assert shared.objects("evaluated/measure/") == []
        gone = shared.bedrock.batch_delete_evaluation_job(jobIdentifiers=[arn])
        assert gone["evaluationJobs"] == [{"jobIdentifier": arn, "jobStatus": "Deleting"}]
        with pytest.raises(ClientError, match="Could not find"):
            shared.bedrock.get_evaluation_job(jobIdentifier=arn)
        assert shared.bedrock.batch_delete_evaluation_job(jobIdentifiers=[arn])["errors"]
        assert start(shared, clientRequestToken="once") != arn
    finally:
        shared.cloud.clock.mode = "instant"


def test_jobs_are_listed_by_fives_and_by_every_filter(stage):
    for number in range(7):
        evaluate(stage, f"measure-{number}")
    pages = stage.bedrock.get_paginator("list_evaluation_jobs").paginate()
    names = [[job["jobName"] for job in page["jobSummaries"]] for page in pages]
    assert [len(page) for page in names] == [5, 2]
    assert names[0][0] == "measure-6"
    listed = stage.bedrock.list_evaluation_jobs
    assert [job["jobName"] for job in listed(nameContains="e-3")["jobSummaries"]] == ["measure-3"]
    assert len(listed(statusEquals="Completed", maxResults=2)["jobSummaries"]) == 2
    assert "jobSummaries" not in listed(statusEquals="Failed")
    assert "jobSummaries" not in listed(applicationTypeEquals="RagEvaluation")
