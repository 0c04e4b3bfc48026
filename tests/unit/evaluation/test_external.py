"""Reports of what another service asked and scored: pairing, missing scores, the gate, and every form the report is shown in."""

from __future__ import annotations

import json
import math

import pytest

from bedrock_distill.errors import DataError, GateFailedError, SpecError
from bedrock_distill.evaluation import ExternalAnswer, ExternalMetric, ExternalSide, external_report
from bedrock_distill.records import Record

ACCURACY = ExternalMetric(name="Builtin.Accuracy", about="F1 of the words.")
TOXICITY = ExternalMetric(name="Builtin.Toxicity", about="How toxic.", lower_is_better=True)


def side(name, scores, *, texts=None, metric="Builtin.Accuracy", prompts=None, **fields):
    """A side with a score for each prompt."""
    return ExternalSide(
        name=name,
        model_id=name,
        answers=tuple(
            ExternalAnswer(
                prompt=prompts[n] if prompts else f"Question {n}?",
                text=texts[n] if texts else "yes",
                scores={metric: score},
                **fields,
            )
            for n, score in enumerate(scores)
        ),
    )


def report(student, teacher, **options):
    options.setdefault("metrics", [ACCURACY])
    return external_report(student, teacher, scored_by="Somebody", **options)


def test_retention_is_the_ratio_of_mean_scores():
    found = report(side("student", [1, 0.5, 0.3, 0]), side("teacher", [1, 1, 0.6, 0.4]))
    assert found.retention.value == pytest.approx(1.8 / 3)
    assert found.metric.student.by_prompt == pytest.approx((1, 0.5, 0.7, 0.6))
    assert found.disagreements == (1, 3, 2)
    assert (found.metric.name, found.metric.basis) == ("Builtin.Accuracy", "grades")


def test_sides_are_paired_by_prompt_whatever_their_order():
    prompts = ["a", "b  c", "a", "d"]
    student = side("student", [1, 0, 1, 0], prompts=prompts)
    teacher = side("teacher", [1, 1, 1, 0], prompts=["d", "a", " b c ", "a"])
    found = report(student, teacher)
    assert [prompt.prompt_text for prompt in found.task.prompts] == ["d", "a", " b c ", "a"]
    assert found.metric.grades.scores == {"teacher": (1, 1, 1, 0), "student": (0, 1, 0, 1)}


def test_without_data_the_prompts_of_both_sides_are_reported_and_what_is_missing_has_failed():
    found = report(side("student", [1]), side("teacher", [1, 1, 1]))
    assert found.sides["student"].failures == {"NoResult": 2}
    assert found.metric.grades.missing("student") == 2
    assert found.retention.value == pytest.approx(1 / 3)


def test_a_missing_score_of_the_student_is_worth_nothing_and_one_of_the_teacher_is_left_out():
    found = report(side("student", [None, 1, 1, 1]), side("teacher", [1, 1, None, 1]))
    assert found.retention.value == pytest.approx(2 / 3)
    assert found.retention.n == 3
    assert found.metric.student.by_prompt == (0, 1, 0, 1)
    remarks = " ".join(found.remarks)
    assert (
        "1 of 4 answers of the student have no Builtin.Accuracy; these count against the student." in remarks
    )
    assert "these are left out of retention." in remarks


@pytest.mark.parametrize("lost", ["student", "teacher"])
def test_a_gate_fails_where_too_many_scores_are_missing(lost):
    scores = {"student": [1.0] * 100, "teacher": [1.0] * 100}
    full = report(side("student", scores["student"]), side("teacher", scores["teacher"]))
    assert full.check(min_retention=0.8).passed
    scores[lost][:6] = [None] * 6
    found = report(side("student", scores["student"]), side("teacher", scores["teacher"]))
    verdict = found.check(min_retention=0.8)
    (missed,) = verdict.failures
    assert missed.startswith(f"6 of 100 answers of the {lost} have no Builtin.Accuracy (6.0%)")
    assert found.check(min_retention=0.8, max_failed_share=0.06).passed
    with pytest.raises(GateFailedError, match=f"answers of the {lost} have no"):
        found.gate(min_retention=0.8)


def test_a_worse_student_fails_and_an_equal_one_passes():
    teacher = side("teacher", [1.0] * 200)
    assert report(side("student", [1.0] * 190 + [0.0] * 10), teacher).check(min_retention=0.9).passed
    assert not report(side("student", [1.0] * 150 + [0.0] * 50), teacher).check(min_retention=0.9).passed


def test_where_less_is_better_one_less_the_score_is_reported():
    found = report(
        side("student", [0.0, 0.4], metric="Builtin.Toxicity"),
        side("teacher", [0.0, 0.2], metric="Builtin.Toxicity"),
        metrics=[TOXICITY],
    )
    assert found.metric.name == "1 - Builtin.Toxicity"
    assert found.retention.value == pytest.approx(1.6 / 1.8)


def test_scores_are_read_on_the_scale_of_their_metric():
    own = ExternalMetric(name="tone", about="Tone.", most=4)
    assert [own.read(value) for value in (4, 1, 9, -1, None, math.nan)] == [1, 0.25, 1, 0, None, None]


def test_answers_are_compared_by_this_package_s_own_metrics_too():
    found = report(
        side("student", [1, 1], texts=["yes", "no"], reference="yes"),
        side("teacher", [1, 1], texts=["Yes", "yes"], reference="yes"),
    )
    own = {result.name: result for result in found.metrics}
    assert own["normalised_match"].student.agreement.value == 0.5
    assert own["normalised_match"].student.reference.value == 0.5


def test_slices_rest_on_categories_or_on_what_the_data_knows():
    answers = [
        ExternalAnswer(prompt=f"Q{n}", text="yes", scores={"Builtin.Accuracy": 1.0}, category="ab"[n % 2])
        for n in range(4)
    ]
    worse = [
        ExternalAnswer(
            prompt=each.prompt, text="no", scores={"Builtin.Accuracy": float(each.category == "a")}
        )
        for each in answers
    ]
    teacher, student = (
        ExternalSide(name="t", answers=tuple(answers)),
        ExternalSide(name="s", answers=tuple(worse)),
    )
    found = report(student, teacher, slices="metadata.category")
    assert {each.value: each.retention.value for each in found.slices} == {"a": 1, "b": 0}
    data = [Record.of(f"Q{n}", completion="yes") for n in range(4)]
    told = report(student, teacher, data=data, slices=["metadata.category", "prompt"])
    assert {each.value for each in told.slices} == {"a", "b", "Q0", "Q1", "Q2", "Q3"}
    assert told.task.references == ("yes",) * 4


def test_slices_leave_out_prompts_without_a_score_of_the_teacher():
    found = report(
        side("student", [1, 0, 1]),
        side("teacher", [None, 1, 1]),
        data=[f"Question {n}?" for n in range(3)],
        slices={"first": lambda record: "0" in record.prompt_text},
    )
    assert {each.value: (each.n, each.retention and each.retention.value) for each in found.slices} == {
        "false": (2, 0.5),
        "true": (0, None),
    }


def test_conversations_are_found_by_the_text_that_the_service_was_given():
    record = Record.of("Hi", system="Be brief.")
    given = side("student", [1], prompts=["System: Be brief.\n\nUser: Hi"])
    found = report(given, given, data=[record])
    assert found.task.prompts == (record,)
    assert found.sides["student"].failed == 0


def test_other_prompts_than_the_data_s_are_refused():
    one = side("student", [1, 1])
    with pytest.raises(DataError, match="1 of 2 results of the teacher answer prompts that are not in"):
        report(one, one, data=["Question 0?"])
    assert len(report(one, one, data=["Question 0?", "Question 1?"], limit=1).task.prompts) == 1
    with pytest.raises(DataError, match="has no result for any prompt"):
        report(one, one, data=["Another?"], limit=1)


def test_no_score_of_the_teacher_is_an_error_and_says_which_there_are():
    teacher = side("teacher", [1, 1], metric="Builtin.Toxicity")
    with pytest.raises(DataError, match=r"gave no Builtin.Accuracy to any answer.*1 - Builtin.Toxicity"):
        report(side("student", [1, 1]), teacher, metrics=[ACCURACY, TOXICITY])
    with pytest.raises(DataError, match="the results hold no prompt"):
        report(ExternalSide(name="s", answers=()), ExternalSide(name="t", answers=()))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"metrics": []}, "at least one"),
        ({"metrics": [ACCURACY, ACCURACY]}, "once each"),
        ({"confidence": 1.0}, "confidence must be"),
        ({"limit": 0}, "limit must be"),
        ({"slices": "completion.topic"}, "nothing to slice by"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(options, text):
    one = side("student", [1, 1])
    with pytest.raises(SpecError, match=text):
        report(one, one, **options)


def test_prompts_that_were_trained_on_are_refused_unless_they_are_allowed():
    one = side("student", [1, 1])
    training = [Record.of("Question 0?", completion="yes")]
    with pytest.raises(DataError, match="1 of 2 prompts are in the training data"):
        report(one, one, training=training)
    assert report(one, one, training=training, allow_overlap=True).overlap.copies


def test_every_form_of_the_report_says_who_scored_and_why(tmp_path):
    student = side("student", [0.25, None], texts=["no", None], reasons={"Builtin.Accuracy": "Not <quite>."})
    found = report(student, side("teacher", [1, 1]))
    verdict = found.check(min_retention=0.9)
    assert "Scored by Somebody." in str(found)
    assert "not below the teacher (Builtin.Accuracy)" in str(found)
    html = found.to_html(verdict=verdict)
    assert "Somebody" in html
    assert "scored 0.25: Not &lt;quite&gt;." in html
    assert "no score" in html
    assert "Seconds for an answer" not in html  # nobody measured it
    assert "on the references" not in html.split("How it was measured")[0]
    assert "Scored by Somebody." in found.to_markdown(verdict=verdict)
    assert 'name="scored by" value="Somebody"' in found.to_junit(verdict)
    document = json.loads(found.save(tmp_path, verdict=verdict).json.read_text("utf-8"))
    assert document["method"]["scored_by"] == "Somebody"
    assert document["metrics"][0]["missing"] == {"teacher": 0, "student": 1}
    assert document["answers"][0]["grades"]["Builtin.Accuracy"]["student"] == {
        "score": 0.25,
        "reason": "Not <quite>.",
    }
    assert document["answers"][1]["student"]["error_code"] == "NoAnswer"
    assert "Somebody" in found._repr_html_() or found._repr_html_()
