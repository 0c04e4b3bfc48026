"""Asking a target every prompt: order kept, failures kept, nothing asked in vain."""

from __future__ import annotations

import threading

import pytest

from bedrock_distill.errors import AccessDeniedError, NotFoundError, ServiceError, SpecError, ThrottledError
from bedrock_distill.evaluation.gathering import gather
from bedrock_distill.records.schema import Record

PROMPTS = [Record.of(f"prompt {place}") for place in range(20)]


def gathered(target, *, prompts=PROMPTS, concurrency=4, on_done=lambda _: None):
    return gather(target.chat, prompts, name="a", model_id="m", concurrency=concurrency, on_done=on_done)


def test_answers_come_back_in_the_order_of_the_prompts(speaker):
    turns = threading.Semaphore(0)

    def last_first(text: str) -> str:
        # The first prompt answers only after another one has.
        if text == "prompt 0":
            turns.acquire(timeout=10)
        else:
            turns.release()
        return text.upper()

    answers = gathered(speaker(last_first))
    assert answers.texts == tuple(f"PROMPT {place}" for place in range(20))
    assert not any(answer.failed for answer in answers.answers)
    assert answers.failed_share == 0


def test_no_more_calls_are_under_way_than_were_allowed(speaker):
    lock, under_way, most = threading.Lock(), 0, 0

    def watched(text: str) -> str:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        with lock:
            under_way -= 1
        return text

    gathered(speaker(watched), concurrency=3)
    assert 1 <= most <= 3


def test_an_answer_carries_what_the_call_took(speaker, said, used):
    reply = said("yes", stop_reason="max_tokens", usage=used(7, 9), latency_s=1.5)
    (answer,) = gathered(speaker({"prompt 0": reply}), prompts=PROMPTS[:1]).answers
    assert (answer.text, answer.stop_reason, answer.input_tokens, answer.output_tokens, answer.latency_s) == (
        "yes",
        "max_tokens",
        7,
        9,
        1.5,
    )


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ThrottledError("slow down", code="ThrottlingException"), "ThrottlingException"),
        (ServiceError("odd"), "ServiceError"),
        (TimeoutError("no answer"), "TimeoutError"),
        (ConnectionResetError("gone"), "ConnectionResetError"),
    ],
)
def test_a_failed_call_is_an_answer_that_says_so(speaker, error, code):
    answers = gathered(speaker({"prompt 0": error, "prompt 1": "fine"}), prompts=PROMPTS[:2])
    failed, fine = answers.answers
    assert (failed.failed, failed.error_code, failed.error, failed.latency_s) == (
        True,
        code,
        str(error),
        None,
    )
    assert fine.text == "fine"
    assert answers.failures == {code: 1}
    assert answers.first_error == str(error)
    assert answers.failed_share == 0.5


@pytest.mark.parametrize(
    "error", [AccessDeniedError("no"), NotFoundError("none"), SpecError("never"), KeyError("a bug")]
)
def test_a_refusal_that_all_prompts_would_meet_ends_the_whole_at_once(speaker, error):
    target = speaker(lambda _: error)
    with pytest.raises(type(error)):
        gathered(target, concurrency=1)
    assert len(target.calls) < len(PROMPTS)


def test_progress_counts_to_the_end_from_the_calling_thread(speaker):
    seen = []
    gathered(speaker(str.upper), on_done=lambda done: seen.append((done, threading.current_thread())))
    assert [done for done, _ in seen] == list(range(1, 21))
    assert {thread for _, thread in seen} == {threading.current_thread()}
