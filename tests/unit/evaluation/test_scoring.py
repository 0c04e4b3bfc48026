"""From answers to retention, agreement and comparisons."""

from __future__ import annotations

import random

import pytest

from bedrock_distill.errors import SpecError, ThrottledError
from bedrock_distill.evaluation.scoring import Paired
from bedrock_distill.evaluation.statistics import PairCounts, wilson_interval

DOWN = ThrottledError("slow down", code="ThrottlingException")


def test_without_references_retention_is_agreement(compared):
    report = compared(student=["a", "b", "x", "d"], teacher=["a", "B", "c", "d"])
    assert report.metric.name == "normalised_match"
    assert report.metric.basis == "agreement"
    assert report.agreement.value == report.retention.value == 0.75
    assert (report.agreement.low, report.agreement.high) == wilson_interval(3, 4, 0.95)
    assert report.agreement.method == report.retention.method == "Wilson"


def test_with_references_retention_is_the_students_score_over_the_teachers(compared):
    report = compared(
        student=["a", "b", "x", "x"], teacher=["a", "b", "c", "x"], references=["a", "b", "c", "d"]
    )
    metric = report.metric
    assert metric.basis == "references"
    assert (metric.student.reference.value, metric.teacher.value) == (0.5, 0.75)
    assert report.retention.value == pytest.approx(2 / 3)
    assert report.retention.method == "paired bootstrap"
    assert report.agreement.value == 0.75


def test_a_student_can_be_better_than_its_teacher(compared):
    report = compared(student=["a", "b"] * 20, teacher=["a", "x"] * 20, references=["a", "b"] * 20)
    assert report.retention.value == 2
    assert report.retention.low > 1


def test_only_prompts_with_a_reference_count_for_retention(compared):
    report = compared(student=["a", "x"], teacher=["a", "b"], references=["a", None])
    assert (report.retention.value, report.retention.n) == (1, 1)
    assert report.agreement.value == 0.5


def test_a_failed_answer_of_the_student_counts_as_disagreement(compared):
    report = compared(student=["a", DOWN], teacher=["a", "b"])
    assert report.agreement.value == 0.5
    assert report.sides["student"].failures == {"ThrottlingException": 1}


def test_a_failed_answer_of_the_teacher_does_not_flatter_the_student(compared):
    report = compared(student=["a", "b", "x"], teacher=["a", DOWN, "c"], references=["a", "b", "c"])
    assert report.agreement.value == pytest.approx(1 / 3)
    assert (report.retention.value, report.retention.n) == (0.5, 2)


def test_retention_is_undefined_where_the_teacher_is_never_right(compared):
    report = compared(student=["a"], teacher=["x"], references=["a"])
    assert report.retention.value is None
    assert str(report.retention) == "undefined"


def test_a_sample_without_a_difference_is_not_taken_for_certainty(compared):
    report = compared(student=["a"] * 20, teacher=["a"] * 20, references=["a"] * 20)
    assert report.retention.value == 1
    assert report.retention.low == pytest.approx(0.8, abs=0.02)
    assert report.retention.high == pytest.approx(1 / 0.8, abs=0.02)
    assert report.retention.method == "score test"


def test_mean_scores_have_no_bound_where_the_teacher_scores_nothing(compared):
    def half_for_a(answer: str, _: str) -> float:
        return 0.5 if answer == "a" else 0.0

    report = compared(student=["a"], teacher=["x"], references=["a"], metrics=half_for_a)
    assert report.retention.value is None
    assert report.check(min_retention=0.9).lower_bound is None


def test_scores_between_0_and_1_get_bootstrap_intervals(compared):
    def halves(answer: str, target: str) -> float:
        return 1.0 if answer == target else 0.5

    report = compared(student=["a", "x"] * 20, teacher=["a", "b"] * 20, metrics=halves)
    assert report.agreement.value == 0.75
    assert report.agreement.method == "bootstrap"
    assert report.agreement.low < 0.75 < report.agreement.high
    assert report.metric.comparisons == ()
    assert 0.6 < report.check(min_retention=0.5).lower_bound < 0.75


def test_student_and_base_are_compared_by_mcnemars_test(compared):
    report = compared(student=["a"] * 10 + ["x"], teacher=["a"] * 11, base=["x"] * 10 + ["a"])
    (comparison,) = report.metric.comparisons
    assert (comparison.first, comparison.second, comparison.against) == ("student", "base", "teacher")
    assert comparison.counts == PairCounts(both=0, first_only=10, second_only=1, neither=0)
    assert comparison.p_value == pytest.approx(2 * 12 / 2**11)
    assert report.base_agreement.value == pytest.approx(1 / 11)


def test_with_references_the_student_is_compared_with_the_teacher_as_well(compared):
    report = compared(student=["a"], teacher=["a"], base=["x"], references=["a"])
    pairs = [(each.first, each.second, each.against) for each in report.metric.comparisons]
    assert pairs == [("student", "teacher", "references"), ("student", "base", "references")]


def test_fields_are_scored_one_by_one_with_what_they_are_mistaken_for(compared):
    teacher = ['{"kind": "bill", "urgent": true}'] * 3 + ['{"kind": "ship"}']
    student = ['{"kind": "bill", "urgent": true}', '{"kind": "ship", "urgent": 1}', "?", '{"kind": "ship"}']
    report = compared(student=student, teacher=teacher, base=["{}"] * 4)
    kind, urgent = report.fields
    assert (kind.name, kind.n, kind.student.value, kind.base.value) == ("kind", 4, 0.5, 0)
    assert (urgent.name, urgent.n, urgent.student.value) == ("urgent", 3, pytest.approx(1 / 3))
    assert kind.confusions == (('"bill"', '"ship"', 1), ('"bill"', "", 1))
    assert urgent.confusions == (("true", "1", 1), ("true", "", 1))


def test_answers_that_are_no_json_have_no_fields(compared):
    assert compared(student=["a"], teacher=["a"]).fields == ()


def test_the_seed_and_nothing_else_decides_the_resamples(compared):
    sides = {
        "student": ["a", "x", "b"] * 67,
        "teacher": ["a", "b", "b"] * 66 + ["x", "b", "b"],
        "references": ["a", "b", "b"] * 67,
    }
    one = compared(**sides, seed=1).retention
    assert compared(**sides, seed=1, metrics=["normalised_match", "exact_match"]).retention == one
    assert compared(**sides, seed=2).retention != one


def test_a_student_that_is_never_right_has_an_interval_that_can_be_drawn_and_written(compared):
    report = compared(student=["no"] * 20, teacher=["yes"] * 15 + ["no"] * 5, references=["yes"] * 20)
    assert (report.retention.value, report.retention.low) == (0, 0)
    assert 0 < report.retention.high < 0.4
    assert "Infinity" not in report.to_json()
    assert report.to_html()


def test_scores_that_are_all_alike_are_no_certainty(compared):
    def half(answer: str, target: str) -> float:
        return 0.5

    verdict = compared(student=["a"] * 20, teacher=["b"] * 20, metrics=half).check(min_retention=0.4)
    assert verdict.lower_bound == pytest.approx(0.5 * 0.05 ** (1 / 20))


def number(answer: str, _: str) -> float:
    """A metric that reads the score out of the answer."""
    return float(answer)


def test_a_few_scores_are_no_certainty_however_near_they_are_to_each_other(compared):
    report = compared(student=["0.95", "0.96"], teacher=["1", "1"], metrics=number)
    # Before, two prompts passed any gate below the lower of their scores.
    assert report.check(min_retention=0.9).lower_bound == pytest.approx(0.955 * 0.05**0.5)
    assert report.retention.low < 0.2
    assert report.retention.high > 0.96


def test_a_student_that_is_its_teacher_keeps_all_by_scores_between_and_is_no_certainty_either(compared):
    answers = ["0.2", "0.9", "0.7"]
    report = compared(student=answers, teacher=answers, references=["1"] * 3, metrics=number)
    assert report.retention.value == 1
    assert report.retention.low < 0.4
    assert report.retention.high == pytest.approx(1 / report.retention.low)


@pytest.mark.parametrize("references", [None, ["x"] * 60])
def test_the_order_of_the_prompts_changes_nothing(compared, references):
    def figures(places):
        report = compared(
            student=[f"0.{place * 7 % 61}" for place in places],
            teacher=[f"1.{place * 3 % 61}" if references else "1" for place in places],
            references=references,
            prompts=[f"prompt {place}" for place in places],
            metrics=number,
            resamples=1_000,
        )
        return report.retention, report.check(min_retention=0.4).lower_bound

    assert figures(range(60)) == figures(range(59, -1, -1))


def test_scores_on_another_scale_are_refused_where_the_teacher_counts_as_1(compared):
    def stars(answer: str, target: str) -> float:
        """One to five."""
        return 5.0 if answer == target else 3.0

    sides = {"student": ["a", "x"], "teacher": ["a", "b"]}
    with pytest.raises(SpecError, match="gives 5 on prompt 0, and 5 to the teacher's own answer"):
        compared(**sides, metrics=stars)
    # Beside one that decides, and over the teacher's own score on references, any scale will do.
    assert compared(**sides, metrics=["exact_match", stars]).metrics[1].student.agreement.value == 4
    assert compared(**sides, references=["a", "b"], metrics=stars).retention.value == pytest.approx(4 / 5)


def test_a_score_that_cannot_be_added_up_is_none(compared):
    with pytest.raises(SpecError, match="finite number"):
        compared(student=["1e308"] * 3, teacher=["1"] * 3, metrics=number)


def test_a_student_that_fails_where_hardly_anybody_looks_passes_at_most_alpha_of_the_time():
    rng, passed, runs = random.Random(5), 0, 50
    for _ in range(runs):
        # At the floor exactly: nearly perfect on 92 % of the traffic, and worth nothing on the rest.
        scores = tuple(rng.uniform(0.96, 1) if rng.random() < 0.9 / 0.98 else 0.0 for _ in range(10))
        passed += Paired(scores, (1.0,) * 10).lower_bound(0.05) >= 0.9
    assert passed / runs <= 0.05
