"""Getting answers: retries that are bounded, a cache that is asked first, a pace that is kept, streams that are timed."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import pytest

from bedrock_distill.errors import DataError, ServiceError, SpecError, ThrottledError
from bedrock_distill.evaluation import AnswerCache, TokenPrice, evaluate
from bedrock_distill.local import Fault, SimulatedCrash
from bedrock_distill.local.clock import LocalClock

SLOW = ThrottledError("slow down", code="ThrottlingException", retryable=True)
PRICES = {side: TokenPrice(input_usd_per_1k=1, output_usd_per_1k=1) for side in ("student", "teacher")}


class Naps(LocalClock):
    """Remembers what was slept, and sleeps no time at all."""

    def __init__(self) -> None:
        super().__init__()
        self.naps = []

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        super().sleep(seconds)


def failing(times, error):
    """An answer that comes after so many errors, prompt by prompt."""
    seen, lock = {}, threading.Lock()

    def answer(text):
        with lock:
            seen[text] = seen.get(text, 0) + 1
            return error if seen[text] <= times else text.upper()

    return answer


@pytest.mark.parametrize("error", [SLOW, TimeoutError("late"), ConnectionResetError("gone")])
def test_what_may_pass_is_tried_again_with_growing_pauses(speaker, error):
    clock, student = Naps(), speaker(failing(2, error))
    report = evaluate(student, speaker(str.upper), ["one"], clock=clock, concurrency=1)
    assert (report.sides["student"].failed, len(student.calls)) == (0, 3)
    assert clock.naps == [1.0, 2.0]


def test_tries_are_bounded(speaker):
    clock, student = Naps(), speaker(failing(99, SLOW))
    report = evaluate(student, speaker(str.upper), ["one"], clock=clock, retries=7)
    assert (report.sides["student"].failures, len(student.calls)) == ({"ThrottlingException": 1}, 8)
    assert max(clock.naps) == 30


@pytest.mark.parametrize(
    "error", [ServiceError("never", code="Odd"), FileNotFoundError("a bug of the target")]
)
def test_what_will_not_pass_is_not_tried_again(speaker, error):
    clock, student = Naps(), speaker(failing(1, error))
    report = evaluate(student, speaker(str.upper), ["one"], clock=clock)
    assert (report.sides["student"].failed, len(student.calls), clock.naps) == (1, 1, [])


def test_a_second_run_and_a_second_metric_ask_nothing_and_spend_nothing(speaker, tmp_path):
    student, teacher = speaker(str.upper, model_id="s"), speaker(str.title, model_id="t")
    prompts = [f"prompt {n}" for n in range(20)]
    first = evaluate(student, teacher, prompts, cache=tmp_path, prices=PRICES)
    second = evaluate(student, teacher, prompts, cache=tmp_path, prices=PRICES, metrics="normalised_match")
    assert (len(student.calls), len(teacher.calls)) == (20, 20)
    assert first.sides["student"].cost_usd == second.sides["student"].cost_usd == pytest.approx(0.28)
    assert [each.sides["student"].spent_usd for each in (first, second)] == pytest.approx([0.28, 0])
    assert second.sides["student"].cached == 20
    assert second.answers["student"].texts == first.answers["student"].texts
    assert second.answers["student"].answers[0].cost_usd == pytest.approx(0.014)
    assert any("20 of 20 answers of the student came from the cache" in each for each in second.remarks)


def test_another_way_of_asking_is_another_question(speaker, tmp_path):
    target = speaker(str.upper)
    for options in ({}, {"max_tokens": 7}, {"temperature": None}, {"system": "Be brief."}):
        evaluate(target, target, ["one"], cache=tmp_path, **options)
    assert len(target.calls) == 4


def test_failed_calls_are_asked_again_in_the_next_run_and_only_those(speaker, tmp_path):
    student = speaker(lambda text: ServiceError("no") if text.endswith("7") else text, model_id="s")
    teacher = speaker(str.upper, model_id="t")
    prompts = [f"prompt {n}" for n in range(10)]
    assert evaluate(student, teacher, prompts, cache=tmp_path).sides["student"].failed == 1
    student.answers = str.upper
    report = evaluate(student, teacher, prompts, cache=tmp_path)
    assert (report.sides["student"].failed, len(student.calls)) == (0, 11)


def test_equal_prompts_keep_an_answer_each(speaker, tmp_path):
    said = iter(range(100))
    target = speaker(lambda _: str(next(said)), model_id="random")
    options = {"cache": tmp_path, "concurrency": 1}
    first = evaluate(target, speaker(str.upper, model_id="t"), ["same"] * 3, **options)
    assert first.answers["student"].texts == ("0", "1", "2")
    assert evaluate(target, target, ["same"] * 4, **options).answers["student"].texts == ("0", "1", "2", "3")


def test_progress_counts_cached_answers_as_done(speaker, tmp_path):
    target, seen = speaker(str.upper), []
    evaluate(target, target, ["one", "two"], cache=tmp_path)
    evaluate(
        target, target, ["one", "two", "three"], cache=tmp_path, on_progress=lambda *told: seen.append(told)
    )
    assert seen == [("student", 2, 3), ("student", 3, 3), ("teacher", 3, 3)]


def test_a_target_without_an_id_cannot_be_cached(speaker, tmp_path):
    target = speaker(str.upper, name="", model_id="")
    with pytest.raises(SpecError, match="no `model_id`"):
        evaluate(target, target, ["one"], cache=tmp_path)
    assert target.calls == []


def test_a_closed_cache_says_so(speaker, tmp_path):
    cache = AnswerCache(tmp_path)
    cache.close()
    target = speaker(str.upper)
    with pytest.raises(DataError, match="Could not use the answers"):
        evaluate(target, target, ["one"], cache=cache)


def test_requests_keep_to_their_rate_by_the_callers_clock(speaker):
    clock = LocalClock()
    begun = clock.monotonic()
    evaluate(
        speaker(str.upper),
        speaker(str.upper),
        [str(n) for n in range(31)],
        requests_per_minute=60,
        clock=clock,
    )
    assert clock.monotonic() - begun >= 2 * 29.9


def test_tokens_keep_to_their_rate_and_retries_count_as_well(speaker):
    clock = LocalClock()
    begun = clock.monotonic()
    evaluate(
        speaker(failing(1, SLOW)),
        speaker(str.upper),
        ["one"],
        tokens_per_minute=600,
        max_tokens=100,
        clock=clock,
    )
    assert clock.monotonic() - begun >= 3 * 10 - 3


@dataclass
class Streamed:
    """A target whose answers come in pieces."""

    model_id: str = "streams"

    def chat(self, *_, **__):
        raise AssertionError

    def stream(self, prompt, **_):
        from bedrock_distill.chat.reply import ChatReply, Usage

        reply = ChatReply(
            text=prompt.prompt_text,
            stop_reason="end_turn",
            usage=Usage(1, 1),
            latency_s=2.0,
            first_token_s=0.25,
            model_id="streams",
        )
        return type("Stream", (), {"finish": staticmethod(lambda: reply)})


def test_streams_are_timed_to_their_first_token(tmp_path):
    for _ in range(2):
        report = evaluate(Streamed(), Streamed(), ["one"], stream=True, cache=tmp_path)
        assert report.sides["student"].first_token_p50_s == 0.25
    assert "first token p50" in str(report)


def test_a_target_that_cannot_stream_is_refused(speaker):
    with pytest.raises(SpecError, match="cannot be streamed"):
        evaluate(speaker(str.upper), speaker(str.upper), ["one"], stream=True)


@pytest.mark.local_cloud(teachers={"amazon.nova-pro-v1:0": lambda record: record.prompt_text.upper()})
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_at_any_call_is_resumed_and_costs_at_most_the_calls_under_way(local_cloud, tmp_path, when):
    target = local_cloud.session().model("amazon.nova-pro-v1:0")
    prompts = [f"prompt {n}" for n in range(6)]
    for at in range(1, 7):
        local_cloud.calls.clear()
        folder = tmp_path / f"{when}-{at}"
        crash = local_cloud.faults.add(Fault(operation="Converse", nth=at, crash=True, when=when))
        with pytest.raises(SimulatedCrash):
            evaluate(target, target, prompts, cache=folder, concurrency=1)
        local_cloud.faults.remove(crash)
        report = evaluate(target, target, prompts, cache=folder, concurrency=1)
        assert report.answers["student"].texts == tuple(text.upper() for text in prompts)
        assert len(local_cloud.calls) == 7
        with AnswerCache(folder) as cache:
            assert len(cache) == 6
