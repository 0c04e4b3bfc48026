"""Calibration over targets that answer from functions: losses, costs, the curve against a replay, and the bound."""

from __future__ import annotations

import random
import statistics

import pytest

from bedrock_distill.chat import Cascade
from bedrock_distill.errors import AccessDeniedError, DataError, ServiceError, SpecError
from bedrock_distill.evaluation import TokenPrice, calibrate
from bedrock_distill.records.schema import Record
from bedrock_distill.risk import Scored

PRICES = {
    "student": TokenPrice(input_usd_per_1k=0.1, output_usd_per_1k=0.4),
    "teacher": TokenPrice(input_usd_per_1k=1.0, output_usd_per_1k=4.0),
}


def by_first_digit(record, reply):
    """A score: what the answer says of itself, in tenths."""
    return Scored(int(reply.text[0]) / 10, input_tokens=3)


@pytest.fixture
def sides(speaker, said, used):
    """A student that says how sure it is, and is right as often as that; a teacher that is always right."""

    def build(seed=0, n=300):
        dice = random.Random(seed)
        sureness = {f"prompt {place}": dice.randint(0, 9) for place in range(n)}
        right = {text: dice.random() < (0.5 + sure / 18) for text, sure in sureness.items()}

        def student(text):
            answer = f"{sureness[text]} {text if right[text] else 'nonsense'}"
            return said(answer, usage=used(len(text), 1 + sureness[text]))

        def teacher(text):
            return said(f"{sureness[text]} {text}", usage=used(len(text), 20 + sureness[text]))

        return (
            speaker(student, name="student", model_id="acme.student"),
            speaker(teacher, name="teacher", model_id="acme.teacher"),
            list(sureness),
        )

    return build


def test_the_curve_is_what_a_replay_of_every_threshold_measures(sides):
    student, teacher, prompts = sides()
    found = calibrate(student, teacher, prompts, score=by_first_digit, alpha=0.1, prices=PRICES)
    assert len(found.curve) == 11
    for point in found.curve:
        cascade = Cascade(student, teacher, score=by_first_digit, threshold=point.threshold)
        replies = [cascade.chat(prompt) for prompt in prompts]
        right = [teacher.answers(prompt).text for prompt in prompts]
        assert cascade.counts.student_share == point.student_share
        assert statistics.mean(reply.text != want for reply, want in zip(replies, right, strict=True)) == (
            pytest.approx(point.risk)
        )
        paid = sum(
            PRICES[side].cost_usd(usage.input_tokens, usage.output_tokens)
            for side, usage in (
                ("student", cascade.counts.student_usage),
                ("teacher", cascade.counts.teacher_usage),
            )
        )
        assert paid / len(prompts) == pytest.approx(point.cost)


def test_at_a_prompt_it_is_a_line_and_in_a_notebook_the_curve(sides, in_a_notebook):
    student, teacher, prompts = sides()
    found = calibrate(student, teacher, prompts, score=by_first_digit, alpha=0.1)
    assert "\n" not in repr(found)
    assert in_a_notebook(found) == str(found)
    assert len(in_a_notebook(found).splitlines()) > len(found.curve)


def test_a_cascade_keeps_the_bound_on_prompts_that_it_has_not_seen(sides):
    """Over 40 calibrations on 300 prompts each, and 300 fresh prompts to each: the mean loss is at most alpha."""
    lost = []
    for seed in range(40):
        student, teacher, prompts = sides(seed, n=600)
        policy = calibrate(student, teacher, prompts[:300], score=by_first_digit, alpha=0.1).policy
        cascade = Cascade.from_policy(policy, student, teacher, score=by_first_digit)
        lost += [cascade.chat(prompt).text != teacher.answers(prompt).text for prompt in prompts[300:]]
    assert 0.02 < statistics.mean(lost) <= 0.1


def test_the_policy_says_what_it_rests_on(sides):
    student, teacher, prompts = sides()
    found = calibrate(student, teacher, prompts, score=by_first_digit, alpha=0.1, confidence=0.9)
    policy = found.policy
    assert (policy.student, policy.teacher, policy.examples) == ("acme.student", "acme.teacher", 300)
    assert policy.score == (f"{__name__}:by_first_digit",)
    assert (policy.metric, policy.alpha, policy.confidence) == ("normalised_match", 0.1, 0.9)
    assert policy.threshold == found.choice.point.threshold
    assert sum(policy.scores.values()) == sum(policy.losses.values()) == 300
    assert policy.losses.keys() == {0, 1000}


def test_both_are_asked_every_prompt_once_with_the_options(sides):
    student, teacher, prompts = sides(n=20)
    told = []
    calibrate(
        student,
        teacher,
        prompts,
        score=by_first_digit,
        alpha=0.1,
        system="Be brief.",
        max_tokens=9,
        limit=15,
        on_progress=lambda done, total: told.append((done, total)),
    )
    for side in (student, teacher):
        assert len(side.calls) == 15
        assert all(call["system"] == "Be brief." and call["max_tokens"] == 9 for call in side.calls)
    assert told == [(done, 15) for done in range(1, 16)]


def test_the_score_sees_the_system_prompt_of_the_call(sides):
    seen = set()

    def score(record, reply):
        seen.add(record.system_text)
        return 1.0

    student, teacher, prompts = sides(n=5)
    calibrate(student, teacher, prompts, score=score, alpha=0.5, system="Be brief.")
    assert seen == {"Be brief."}


@pytest.mark.parametrize(
    ("student", "teacher", "gold", "loss"),
    [
        ("a", "a", None, 0),
        ("b", "a", None, 1),
        ("a", "b", "a", 0),  # better than its teacher: nothing is lost
        ("b", "a", "a", 1),
        ("b", "c", "a", 0),  # the teacher would not have been right either
        ("b", ServiceError("down"), None, 1),  # nothing to measure by: the safe side
        ("b", ServiceError("down"), "a", 1),  # the teacher might have been right
        ("a", ServiceError("down"), "a", 0),
    ],
)
def test_the_loss_is_what_letting_the_student_answer_costs(speaker, student, teacher, gold, loss):
    records = [Record.of("?", completion=gold)] * 3
    found = calibrate(
        speaker({"?": student}), speaker({"?": teacher}), records, score=lambda *_: 1.0, alpha=0.5
    )
    assert [example.loss for example in found.examples] == [loss] * 3


def test_a_metric_of_the_users_gives_losses_in_between(speaker):
    def shared(answer, target):
        return len(set(answer) & set(target)) / len(set(target))

    found = calibrate(
        speaker({"?": "ab"}),
        speaker({"?": "abcd"}),
        ["?"] * 3,
        score=lambda *_: 1.0,
        alpha=0.4,
        metric=shared,
    )
    assert {example.loss for example in found.examples} == {0.5}
    assert found.policy.metric == "shared"


@pytest.mark.parametrize("gold", [None, "gold"])
def test_a_metric_on_another_scale_is_refused_because_its_losses_mean_nothing(speaker, gold):
    with pytest.raises(SpecError, match=r"gives 4, and a loss is a share.*divide its scores"):
        calibrate(
            speaker({"?": "a"}),
            speaker({"?": "b"}),
            [Record.of("?", completion=gold)] * 3,
            score=lambda *_: 1.0,
            alpha=0.4,
            metric=lambda answer, target: 4.0,
        )


def test_prompts_that_the_student_fails_on_are_the_teachers_at_every_threshold(sides):
    student, teacher, prompts = sides(n=100)
    answer = student.answers
    student.answers = lambda text: ServiceError("down") if text.endswith("7") else answer(text)
    found = calibrate(student, teacher, prompts, score=by_first_digit, alpha=0.3)
    assert found.curve[-1].student_share == 0.9
    assert found.failed == (10, 0)
    assert "10 calls of the student failed." in found.remarks


def test_refusals_that_every_prompt_would_meet_end_it(sides):
    student, teacher, prompts = sides(n=50)
    student.answers = lambda _: AccessDeniedError("no")
    with pytest.raises(AccessDeniedError):
        calibrate(student, teacher, prompts, score=by_first_digit, alpha=0.1, concurrency=2)
    assert len(student.calls) < 50


def test_too_few_prompts_let_nothing_through_and_the_report_says_how_many_would_do(sides):
    student, teacher, prompts = sides(n=20)
    found = calibrate(student, teacher, prompts, score=by_first_digit, alpha=0.02)
    assert found.policy.threshold is None
    assert "takes at least 49 prompts, and these are 20" in str(found)
    assert str(found).startswith("The student answers nothing")


def test_losses_in_between_need_more_prompts_and_the_report_says_how_many(speaker):
    found = calibrate(
        speaker({"?": "a"}),
        speaker({"?": "b"}),
        ["?"] * 70,
        score=lambda *_: 1.0,
        alpha=0.05,
        confidence=0.995,
        metric=lambda answer, target: 0.999,
    )
    assert "with 99.5% confidence" in str(found)
    assert "takes at least 123 prompts, and these are 70" in str(found)


def test_a_student_that_is_wrong_where_it_is_surest_is_told_of(speaker):
    found = calibrate(speaker({"?": "a"}), speaker({"?": "b"}), ["?"] * 200, score=lambda *_: 1.0, alpha=0.05)
    assert "mistaken too often" in str(found)


def test_the_table_has_the_chosen_threshold_and_says_where_costs_are_unknown(sides):
    student, teacher, prompts = sides()
    priced = calibrate(student, teacher, prompts, score=by_first_digit, alpha=0.1, prices=PRICES)
    threshold = f"{priced.policy.threshold:.3f}"
    assert f"from a score of {threshold} on" in str(priced)
    assert any(line.split()[0] == threshold and "USD" in line for line in str(priced).splitlines()[2:])
    free = calibrate(student, teacher, prompts, score=by_first_digit, alpha=0.1)
    assert "unknown" in str(free)
    assert {row["cost_usd"] for row in free.to_dict()["curve"]} == {None}


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"alpha": 0}, "alpha"),
        ({"confidence": 1}, "confidence"),
        ({"concurrency": 0}, "concurrency"),
        ({"metric": "bleu"}, "bleu"),
    ],
)
def test_arguments_that_make_no_sense_are_refused_before_anything_is_asked(sides, options, field):
    student, teacher, prompts = sides(n=5)
    with pytest.raises(SpecError, match=field):
        calibrate(student, teacher, prompts, **{"score": by_first_digit, "alpha": 0.1, **options})
    assert student.calls == []


def test_no_prompts_are_refused(sides):
    student, teacher, _ = sides(n=1)
    with pytest.raises(DataError):
        calibrate(student, teacher, [], score=by_first_digit, alpha=0.1)


def test_a_scores_name_where_a_function_belongs_is_refused_with_what_makes_one_of_it(sides):
    student, teacher, prompts = sides()
    with pytest.raises(SpecError, match=r"score_from\(\['labels:a,b'\], student\)"):
        calibrate(student, teacher, prompts, score="labels:a,b", alpha=0.1)
    assert not student.calls
