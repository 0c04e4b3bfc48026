"""A judge that is stopped early: what it decides, and how little it is asked."""

from __future__ import annotations

import re

import pytest

from bedrock_distill.errors import NotFoundError, SpecError, ThrottledError
from bedrock_distill.evaluation.early import judge_early
from bedrock_distill.evaluation.judging import Judge

SHOWN = re.compile(r"<(\w+) answer ([AB])>\n(.*?)\n</\1 answer", re.DOTALL)


def fair(text: str) -> str:
    """Prefers answers by their first word: `good` before `fair` before `bad`."""
    ranks = {place: ("bad", "fair", "good").index(said.split()[0]) for _, place, said in SHOWN.findall(text)}
    best = "tie" if ranks["A"] == ranks["B"] else max(ranks, key=ranks.__getitem__)
    return f"Because.\nVerdict: {best}"


@pytest.fixture
def judged(compared, speaker):
    """A verdict, and the judge who was asked, on answers that are all of one kind."""

    def run(said: str, judge=fair, n: int = 400, **options):
        report = compared(
            student=[f"{said} student {place}" for place in range(n)],
            teacher=[f"fair teacher {place}" for place in range(n)],
        )
        target = speaker(judge, name="judge", model_id="acme.judge-v1:0")
        return judge_early(report, Judge(target=target), **{"min_retention": 0.9, **options}), target

    return run


def test_a_student_that_is_always_preferred_passes_after_a_few_prompts(judged):
    verdict, target = judged("good")
    assert (verdict.passed, verdict.look.decision, verdict.look.retention) == (True, "pass", 2.0)
    assert verdict.look.n < 15
    assert verdict.calls == 2 * verdict.look.n
    # Both orders of each pair, and of those that were under way when it was decided.
    assert len(target.calls) <= verdict.calls + 2 * 3
    assert f"{400 - verdict.look.n} prompts were not judged" in str(verdict)


def test_a_student_that_is_never_preferred_fails_as_soon(judged):
    verdict, _ = judged("bad")
    assert (verdict.passed, verdict.look.decision) == (False, "fail")
    assert verdict.look.n < 15


def test_a_judge_that_always_prefers_the_first_finds_parity_and_passes_nobody(judged):
    verdict, _ = judged("bad", judge=lambda _: "Verdict: A")
    assert verdict.look.retention == 1.0
    assert (verdict.uninformative_share, verdict.passed) == (1.0, False)
    assert "told nothing on 100% of the pairs" in str(verdict)


def test_a_judge_that_finds_true_ties_passes_a_student_that_is_as_good(judged):
    assert judged("fair")[0].passed


def test_where_nothing_is_decided_every_prompt_was_judged(judged):
    verdict, _ = judged("good", n=4)
    assert (verdict.look.decision, verdict.passed, verdict.look.n) == ("open", False, 4)


def test_prompts_are_judged_in_an_order_that_the_seed_shuffles(judged):
    first, again, other = (judged("good", n=60, seed=seed)[0].places for seed in (0, 0, 1))
    assert first == again
    assert first != other
    assert first != tuple(range(len(first)))


def test_calls_that_fail_speak_for_nobody_but_cannot_pass_a_student(judged):
    verdict, _ = judged("good", judge=lambda _: ThrottledError("slow", code="ThrottlingException"), retries=0)
    assert verdict.look.decision == "fail"


def test_a_judge_that_does_not_exist_ends_it(judged):
    with pytest.raises(NotFoundError):
        judged("good", judge=lambda _: NotFoundError("gone", code="ResourceNotFoundException"))


def test_replies_are_kept_and_asked_for_once(judged, tmp_path):
    _, first = judged("good", cache=tmp_path, concurrency=1)
    verdict, second = judged("good", cache=tmp_path, concurrency=1)
    assert first.calls
    assert second.calls == []
    assert verdict.passed


@pytest.mark.parametrize(
    ("wrong", "field"),
    [({"min_retention": 1.1}, "min_retention"), ({"alpha": 0}, "alpha"), ({"beta": 1}, "beta")],
)
def test_arguments_that_make_no_sense_are_refused_before_the_judge_is_asked(judged, wrong, field):
    with pytest.raises(SpecError) as caught:
        judged("good", **wrong)
    assert caught.value.field == field
