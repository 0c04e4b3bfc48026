"""Reading what an evaluation job wrote, in the layout that is known and in others."""

from __future__ import annotations

import json

import pytest

from bedrock_distill.errors import DataError
from bedrock_distill.resources.evaluation_job.results import read_result_line

METRICS = ["Builtin.Correctness", "Builtin.FollowingInstructions"]


def read(document, metrics=METRICS):
    text = document if isinstance(document, str) else json.dumps(document)
    return read_result_line(text, metrics, file="s3://acme/out.jsonl", number=3)


def line(**score):
    return {
        "automatedEvaluationResult": {"scores": [{"metricName": "Builtin.Correctness", **score}]},
        "inputRecord": {"prompt": "Q?", "referenceResponse": "A", "category": "c"},
        "modelResponses": [{"response": "a", "modelIdentifier": "m"}],
    }


def test_a_line_of_the_known_form_is_read_whole():
    details = [{"modelIdentifier": "judge", "explanation": "Close."}]
    found = read(line(result=0.75, evaluatorDetails=details))
    assert (found.prompt, found.reference, found.category) == ("Q?", "A", "c")
    assert (found.response, found.model) == ("a", "m")
    assert found.scores == {"Builtin.Correctness": 0.75}
    assert found.reasons == {"Builtin.Correctness": "Close."}


@pytest.mark.parametrize(
    ("value", "score"),
    [
        ("0.5", 0.5),
        (True, 1.0),
        (None, None),
        ("NaN", None),
        ("good", None),
        ([1], None),
        (1, 1.0),
        (10**400, None),
    ],
)
def test_a_score_is_a_number_or_missing(value, score):
    assert read(line(result=value)).scores == {"Builtin.Correctness": score}


@pytest.mark.parametrize(
    "name", ["Builtin.FollowingInstructions", "FollowingInstructions", "following_instructions"]
)
def test_a_metric_is_known_however_it_is_written(name):
    document = {"automatedEvaluationResult": {"scores": [{"metricName": name, "result": 1}]}}
    assert read(document).scores == {"Builtin.FollowingInstructions": 1.0}


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"automatedEvaluationResult": None, "inputRecord": [], "modelResponses": {}},
        {"automatedEvaluationResult": {"scores": [None, 3]}, "modelResponses": []},
        {
            "automatedEvaluationResult": {
                "scores": [{"metricName": "Builtin.Correctness", "evaluatorDetails": 7}]
            }
        },
    ],
)
def test_what_is_not_there_is_missing(document):
    found = read(document)
    assert (found.response, found.scores.get("Builtin.Correctness")) == (None, None)


def test_half_a_surrogate_pair_becomes_what_can_be_written():
    assert read(line(result=1) | {"modelResponses": [{"response": "cut \ud83d"}]}).response == "cut ?"


def test_responses_inside_the_input_and_errors_are_found():
    document = {"inputRecord": {"prompt": "Q?", "modelResponses": [{"response": ""}]}, "error": {"code": 5}}
    found = read(document)
    assert (found.response, found.error) == ("", '{"code": 5}')


@pytest.mark.parametrize("text", ["no JSON", "[1]", '"text"'])
def test_a_line_that_is_no_object_is_refused_by_file_and_number(text):
    with pytest.raises(DataError, match=r"s3://acme/out.jsonl:3: is not a JSON object"):
        read(text)
