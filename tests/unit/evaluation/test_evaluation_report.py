"""The report: its gate, its remarks, and how it is written down."""

from __future__ import annotations

import json
import math
import pickle
from datetime import UTC, datetime

import pytest

from bedrock_distill.chat import Recorded
from bedrock_distill.clock import SystemClock
from bedrock_distill.errors import DataError, GateFailedError, SpecError, ThrottledError
from bedrock_distill.evaluation import Judge, TokenPrice, evaluate

DOWN = ThrottledError("slow down", code="ThrottlingException")
MORNING = datetime(2026, 1, 2, 8, 30, tzinfo=UTC)


class MorningClock(SystemClock):
    def now(self) -> datetime:
        return MORNING


def agreeing(share: float, n: int = 200) -> dict[str, list[str]]:
    same = round(share * n)
    return {"student": ["yes"] * same + ["no"] * (n - same), "teacher": ["yes"] * n}


def test_a_student_passes_when_its_lower_bound_reaches_what_was_asked(compared):
    verdict = compared(**agreeing(0.95)).gate(min_retention=0.9)
    assert verdict.passed
    assert verdict.failures == ()
    assert 0.9 <= verdict.lower_bound < 0.95
    assert str(verdict).startswith("Gate passed\nok    Retention is at least 9")


def test_a_student_that_only_measured_well_enough_does_not_pass_yet(compared):
    report = compared(**agreeing(0.92))
    with pytest.raises(GateFailedError, match="student does not pass against teacher") as caught:
        report.gate(min_retention=0.9)
    (failure,) = caught.value.failures
    assert "90.00% was asked for" in failure
    assert "92.00% measured on 200 prompts" in failure
    assert "With about 1,424 prompts a student like this passes 80% of the time" in failure
    assert pickle.loads(pickle.dumps(caught.value)).failures == caught.value.failures


def test_a_student_that_measured_too_low_is_not_sent_for_more_prompts(compared):
    with pytest.raises(GateFailedError, match="more prompts will not"):
        compared(**agreeing(0.8)).gate(min_retention=0.9)


def test_a_smaller_alpha_asks_for_more(compared):
    report = compared(**agreeing(0.94))
    assert report.check(min_retention=0.9, alpha=0.2).passed
    assert not report.check(min_retention=0.9, alpha=0.001).passed


COSTS = {
    "student": TokenPrice(input_usd_per_1k=0.1, output_usd_per_1k=0.1),
    "teacher": TokenPrice(input_usd_per_1k=0.5, output_usd_per_1k=0.5),
}


def test_a_cost_ratio_is_held_against_the_cost_of_an_answer(compared):
    report = compared(**agreeing(1.0, 10), prices=COSTS)
    assert (
        report.gate(max_cost_ratio=0.2)
        .criteria[0]
        .text.startswith("An answer of the student costs 0.200 times the teacher's; at most 0.2")
    )
    with pytest.raises(GateFailedError, match=r"costs 0\.200 times"):
        report.gate(max_cost_ratio=0.19)


@pytest.mark.parametrize("unknown", ["student", "teacher"])
def test_an_unknown_price_fails_a_cost_ratio(compared, unknown):
    prices = {side: price for side, price in COSTS.items() if side != unknown}
    verdict = compared(**agreeing(1.0, 10), prices=prices).check(max_cost_ratio=9)
    assert f"what the {unknown} costs is unknown" in verdict.failures[0]


def test_a_teacher_that_costs_nothing_leaves_no_ratio(compared):
    free = TokenPrice(input_usd_per_1k=0, output_usd_per_1k=0)
    verdict = compared(**agreeing(1.0, 10), prices={"student": free, "teacher": free}).check(max_cost_ratio=1)
    assert "there is no ratio of costs" in verdict.failures[0]


@pytest.mark.parametrize("usd", [-0.1, float("nan"), float("inf")])
def test_what_is_no_price_is_refused(usd):
    with pytest.raises(SpecError, match="output_usd_per_1k must be USD"):
        TokenPrice(input_usd_per_1k=0, output_usd_per_1k=usd)


@pytest.mark.parametrize("side", ["student", "teacher"])
def test_answers_whose_tokens_nobody_counted_have_no_cost(compared, said, used, side):
    sides = agreeing(1.0, 10)
    sides[side][3] = said(sides[side][3], usage=used(0, 0))
    report = compared(**sides, prices=COSTS)
    assert report.sides[side].cost_usd is None
    assert f"what the {side} costs is unknown" in report.check(max_cost_ratio=9).failures[0]


def test_a_gate_without_a_retention_asks_nothing_of_it(compared):
    verdict = compared(**agreeing(0.1)).gate()
    assert [criterion.name for criterion in verdict.criteria] == ["student failures", "teacher failures"]
    assert verdict.min_retention is None


@pytest.mark.parametrize("side", ["student", "teacher"])
def test_too_many_failed_calls_fail_the_gate_whatever_the_rest_says(compared, side):
    sides = agreeing(1.0, 200)
    sides[side][:11] = [DOWN] * 11
    with pytest.raises(
        GateFailedError, match=f"11 of 200 calls of the {side} failed .* ThrottlingException 11x"
    ):
        compared(**sides).gate(min_retention=0.5)


def test_every_missed_criterion_is_named(compared):
    sides = agreeing(0.5, 100)
    sides["student"][:20] = [DOWN] * 20
    with pytest.raises(GateFailedError, match="2 of 3 criteria missed") as caught:
        compared(**sides).gate(min_retention=0.9)
    retention, failed = caught.value.failures
    assert "training data" not in retention  # for that is not why
    assert failed.endswith("ThrottlingException 20x. The first said: slow down")


def test_an_undefined_retention_fails_the_gate(compared):
    with pytest.raises(GateFailedError, match="never right"):
        compared(student=["a"], teacher=["x"], references=["a"]).gate(min_retention=0.1)


def test_mean_scores_that_miss_are_told_to_ask_more(compared):
    def near(answer: str, target: str) -> float:
        return 1.0 if answer == target else 0.5

    with pytest.raises(GateFailedError, match="narrow the interval"):
        compared(**agreeing(0.82, 60), metrics=near).gate(min_retention=0.905)


@pytest.mark.parametrize(
    "criteria",
    [
        {"min_retention": 0},
        {"min_retention": 0.9, "alpha": 0},
        {"min_retention": 0.9, "alpha": 0.5},
        {"min_retention": 0.9, "max_failed_share": 1.1},
        {"max_cost_ratio": 0},
        {"min_slice_retention": -1},
        {"min_retention": 0.9, "every_slice_shown": True},
        {"min_retention": float("nan")},
        {"max_failed_share": float("nan")},
    ],
)
def test_criteria_that_make_no_sense_are_refused(compared, criteria):
    with pytest.raises(SpecError, match="must be"):
        compared(**agreeing(1.0, 3)).gate(**criteria)


@pytest.mark.parametrize(
    "wrong", [{"confidence": 1}, {"resamples": 10}, {"concurrency": 0}, {"limit": 0}, {"limit": 2.0}]
)
def test_arguments_that_make_no_sense_are_refused_before_anything_is_asked(speaker, wrong):
    target = speaker(str.upper)
    with pytest.raises(SpecError, match="must be"):
        evaluate(target, target, ["one"], **wrong)
    assert target.calls == []


def test_nothing_to_ask_is_an_error(speaker):
    with pytest.raises(DataError):
        evaluate(speaker({}), speaker({}), [])


def test_every_side_is_asked_the_same_in_the_same_way(speaker):
    student, base, teacher = (speaker(str.upper, name=name) for name in ("student", "base", "teacher"))
    seen = []
    evaluate(
        student,
        teacher,
        ["one", "two"],
        base=base,
        system="Be brief.",
        max_tokens=9,
        temperature=None,
        on_progress=lambda *each: seen.append(each),
    )
    for side in (student, base, teacher):
        assert sorted(call["record"].prompt_text for call in side.calls) == ["one", "two"]
        assert all(
            (call["system"], call["max_tokens"], call["temperature"]) == ("Be brief.", 9, None)
            for call in side.calls
        )
    assert seen == [(side, done, 2) for side in ("student", "base", "teacher") for done in (1, 2)]


def test_sides_are_called_by_name_then_by_model_id_then_by_side(speaker):
    class Nameless:
        def __init__(self) -> None:
            self.inner = speaker(str.upper)

        def chat(self, prompt, **options):
            return self.inner.chat(prompt, **options)

    report = evaluate(speaker(str.upper, name=""), Nameless(), ["one"])
    assert (report.sides["student"].name, report.sides["teacher"].name) == ("acme.speaker-v1:0", "teacher")


def test_time_tokens_and_known_prices_are_added_up(speaker, said, used):
    replies = {f"p{place}": said("yes", usage=used(100, 10), latency_s=place / 10) for place in range(11)}
    student, teacher = speaker(replies, model_id="cheap"), speaker(replies, model_id="dear")
    price = TokenPrice(input_usd_per_1k=1, output_usd_per_1k=2)
    report = evaluate(student, teacher, list(replies), prices={"cheap": price})
    summary = report.sides["student"]
    assert (summary.input_tokens, summary.output_tokens) == (1100, 110)
    assert summary.latency_p50_s == pytest.approx(0.5)
    assert summary.latency_p95_s == pytest.approx(0.95)
    assert summary.cost_usd == pytest.approx(1.32)
    assert summary.cost_usd_mean == pytest.approx(0.12)
    assert report.sides["teacher"].cost_usd is None
    by_side = evaluate(student, teacher, list(replies), prices={"teacher": price})
    assert by_side.sides["teacher"].cost_usd == pytest.approx(1.32)


def test_a_side_that_never_answered_has_no_latency_and_no_cost_of_an_answer(compared):
    price = TokenPrice(input_usd_per_1k=1, output_usd_per_1k=1)
    report = compared(student=[DOWN], teacher=["a"], prices={"student": price})
    summary = report.sides["student"]
    assert (summary.latency_p50_s, summary.json_share, summary.output_tokens_mean, summary.cost_usd_mean) == (
        None,
        None,
        None,
        None,
    )


def remarks_of(report) -> str:
    return "\n".join(report.remarks)


def test_a_clean_and_large_run_needs_no_remarks(compared):
    assert compared(**agreeing(0.95)).remarks == ()


def test_what_weakens_a_result_is_said(compared, said):
    found = remarks_of(
        compared(
            student=[
                said("a", stop_reason="max_tokens"),
                DOWN,
                said("", stop_reason="guardrail_intervened"),
                "a",
            ],
            teacher=["x", "x", "x", "x"],
            references=["a", "a", "a", None],
            prompts=["one", "two", "three", "four"],
        )
    )
    for part in (
        "Only 3 of 4 prompts have a reference",
        "1 of 4 calls of the student failed (ThrottlingException 1x)",
        "cut off at max_tokens=512",
        "guardrail_intervened",
        "1 of 4 answers of the student are empty",
        "3 prompts are few",
        "the teacher itself scores only 0.0%",
    ):
        assert part in found


def test_repeated_and_left_out_prompts_are_said(speaker):
    target = speaker(str.upper)
    found = remarks_of(evaluate(target, target, ["one", "one", "two"], limit=2))
    assert "1 of 2 prompts occur more than once" in found
    assert "Only the first 2 prompts" in found


def test_disagreements_are_listed_with_the_worst_first(compared):
    def overlap(answer: str, target: str) -> float:
        return len(set(answer) & set(target)) / len(set(target))

    report = compared(student=["ab", "ax", "xy"], teacher=["ab", "ab", "ab"], metrics=overlap)
    assert report.disagreements == (2, 1)


def test_the_json_document_holds_the_result_the_method_and_every_answer(compared, tmp_path):
    report = compared(
        student=["a", DOWN],
        teacher=["a", "b"],
        base=["x", "x"],
        references=["a", "b"],
        clock=MorningClock(),
    )
    verdict = report.check(min_retention=0.9)
    saved = report.save(tmp_path / "out", verdict=verdict)
    document = json.loads(saved.json.read_text("utf-8"))
    assert document == json.loads(report.to_json(verdict=verdict))
    assert document["format"] == "bedrock-distill-evaluation/1"
    assert document["verdict"]["passed"] is False
    assert len(document["verdict"]["criteria"]) == 3
    assert document["retention"]["value"] == 0.5
    assert document["sides"]["student"]["failed"] == 1
    assert document["method"]["made_at"] == MORNING.isoformat()
    assert document["method"]["resamples"] == 10_000
    first, second = document["answers"]
    assert first["record"]["messages"][0]["content"][0]["text"] == "prompt 0"
    assert (first["reference"], first["scores"]["normalised_match"], first["student"]["text"]) == (
        "a",
        1,
        "a",
    )
    assert second["student"]["error_code"] == "ThrottlingException"
    assert second["base"]["text"] == "x"
    assert "answers" not in report.to_dict(answers=False)


def test_the_table_has_one_column_a_side_and_aligned_rows(compared):
    report = compared(
        student=["a", DOWN],
        teacher=["a", "b"],
        base=["x", "x"],
        references=["a", "b"],
        prices={"student": TokenPrice(input_usd_per_1k=1, output_usd_per_1k=1)},
    )
    text = str(report)
    head, _, columns, *rows = text.splitlines()
    assert head == "student against teacher, 2 prompts, 95% intervals"
    assert columns.split() == ["teacher", "student", "base"]
    assert {len(row) for row in rows if not row.startswith("!")} == {len(columns)}
    for part in ("retention", "0.500 [", "0.0140 USD", "unknown", "score on references"):
        assert part in text
    assert repr(report).startswith("<Report 'student' against 'teacher': retention 0.500")


def test_a_report_survives_pickling(compared):
    report = compared(student=["a"], teacher=["a"])
    assert pickle.loads(pickle.dumps(report)) == report


def test_a_report_of_texts_that_no_file_can_hold_is_written_nevertheless(compared, tmp_path):
    saved = compared(student=["half a pair: \ud800"], teacher=["yes"]).save(tmp_path)
    assert "half a pair: ?" in saved.json.read_text("utf-8")
    assert "half a pair" in saved.html.read_text("utf-8")


@pytest.mark.parametrize(
    ("teacher", "options", "message"),
    [
        ("acme.teacher-v1:0", {}, r"The teacher cannot be asked: 'acme.* has no `chat`"),
        (
            Recorded({"one": "1"}, model_id="acme.job"),
            {"stream": True},
            "teacher cannot be streamed.*recorded",
        ),
        (
            Recorded({"one": "1"}, model_id="acme.job"),
            {"metrics": Judge(target="acme.judge")},
            "The judge cannot",
        ),
    ],
)
def test_what_cannot_be_asked_is_refused_before_anything_is(speaker, teacher, options, message):
    student = speaker(lambda text: text)
    student.stream = student.chat
    with pytest.raises(SpecError, match=message):
        evaluate(student, teacher, ["one"], **options)
    assert not student.calls


def test_numbers_of_numpys_are_written_as_any_others(compared):
    np = pytest.importorskip("numpy")
    report = compared(**agreeing(1.0, 10), seed=np.int64(3))
    document = json.loads(report.to_json(verdict=report.check(min_retention=np.float32(0.5))))
    assert (document["method"]["seed"], document["verdict"]["min_retention"]) == (3, 0.5)


def test_a_bound_that_misses_by_a_hair_is_not_shown_as_what_was_asked_for(compared):
    report = compared(**agreeing(0.95))
    bound = report.check(min_retention=0.5).lower_bound
    asked = math.ceil(10_000 * bound) / 10_000
    (text,) = report.check(min_retention=asked).failures
    assert f"at least {asked - 0.0001:.2%} at alpha" in text
    assert f"{asked:.2%} was asked for" in text


def test_what_is_no_price_is_refused_before_anything_is_asked(speaker):
    student = speaker({"one": "1"})
    with pytest.raises(SpecError, match=r"prices\['teacher'\] is 3: give a TokenPrice"):
        evaluate(student, student, ["one"], prices={"teacher": 3})
    assert not student.calls


def test_a_report_is_not_written_over_a_file(compared, tmp_path):
    (tmp_path / "report").write_text("mine")
    with pytest.raises(SpecError, match="is a file, and a report is a folder"):
        compared(**agreeing(1.0, 10)).save(tmp_path / "report")
    assert (tmp_path / "report").read_text() == "mine"
