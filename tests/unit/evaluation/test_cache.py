"""Answers on disk: found by what was asked, shared by threads and processes, whole after a kill."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedrock_distill.errors import DataError
from bedrock_distill.evaluation.answers import Answer
from bedrock_distill.evaluation.cache import AnswerCache, content_key
from bedrock_distill.records.schema import Message, Record

ANSWER = Answer(text="yes", stop_reason="end_turn", input_tokens=7, output_tokens=1, latency_s=0.5)
PLAIN = {"system": None, "max_tokens": 512, "temperature": 0.0}
PUT = """
import sys
from bedrock_distill.evaluation.answers import Answer
from bedrock_distill.evaluation.cache import AnswerCache
folder, who, many = sys.argv[1], sys.argv[2], int(sys.argv[3])
cache = AnswerCache(folder)
print("ready", flush=True)
sys.stdin.readline()
for n in range(many):
    kept = cache.put(b"%d" % n, "m", Answer(text=who))
    print(n, kept.text, flush=True)
if len(sys.argv) > 4:
    import os, signal
    os.kill(os.getpid(), signal.SIGKILL)
"""

OPEN = """
import sys
from bedrock_distill.evaluation.cache import AnswerCache
for turn in range(int(sys.argv[2])):
    print("ready", flush=True)
    sys.stdin.readline()
    AnswerCache(f"{sys.argv[1]}/{turn}").close()
"""


def test_an_answer_comes_back_as_it_was_kept_and_says_where_from(tmp_path):
    with AnswerCache(tmp_path) as cache:
        assert cache.get(b"k") is None
        assert cache.put(b"k", "m", ANSWER) == ANSWER
        assert cache.get(b"k") == replace(ANSWER, cached=True)
    with AnswerCache(tmp_path) as cache:
        assert cache.get(b"k") == replace(ANSWER, cached=True)
        assert list(cache.answers()) == [("m", ANSWER)]


@settings(max_examples=50, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(exclude_categories=["Cs"])))
def test_equal_questions_have_one_key_and_different_ones_have_two(one, other):
    first, second = (content_key("m", Record.of(text), PLAIN) for text in (one, other))
    assert (first == second) == (one == other)


@pytest.mark.parametrize(
    "other",
    [
        ("n", Record.of("a"), PLAIN, 0),
        ("m", Record.of("a", system="s"), PLAIN, 0),
        ("m", Record.of([Message.of("user", "a"), Message.of("user", "")]), PLAIN, 0),
        ("m", Record.of("a"), {**PLAIN, "temperature": None}, 0),
        ("m", Record.of("a"), {**PLAIN, "system": ""}, 0),
        ("m", Record.of("a"), PLAIN, 1),
    ],
)
def test_whatever_an_answer_depends_on_is_in_its_key(other):
    assert content_key(*other) != content_key("m", Record.of("a"), PLAIN, 0)


def test_a_completion_is_no_part_of_the_question():
    assert content_key("m", Record.of("a", completion="b"), PLAIN) == content_key("m", Record.of("a"), PLAIN)


def test_scopes_share_no_answers(tmp_path):
    keys = []
    for scope in ("", "us-east-1", "eu-west-1"):
        with AnswerCache(tmp_path, scope=scope) as cache:
            keys.append(cache.key("m", Record.of("a"), PLAIN, 0))
    assert len(set(keys)) == 3


def test_the_first_answer_stays(tmp_path):
    with AnswerCache(tmp_path) as one, AnswerCache(tmp_path) as other:
        one.put(b"k", "m", ANSWER)
        assert other.put(b"k", "m", replace(ANSWER, text="no")) == replace(ANSWER, cached=True)
        assert (len(one), len(other)) == (1, 1)


def test_threads_share_a_cache(tmp_path):
    with AnswerCache(tmp_path) as cache:
        threads = [
            threading.Thread(
                target=lambda: [cache.put(b"%d" % n, "m", ANSWER) and cache.get(b"%d" % n) for n in range(50)]
            )
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(cache) == 50


def started(folder, who, many, *more):
    process = subprocess.Popen(
        [sys.executable, "-c", PUT, str(folder), who, str(many), *more],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    return process


def test_two_processes_agree_on_every_answer(tmp_path):
    both = [started(tmp_path, who, 200) for who in ("one", "other")]
    for process in both:
        process.stdin.write("\n")
        process.stdin.flush()
    said = [process.communicate(timeout=60)[0].splitlines() for process in both]
    assert said[0] == said[1]
    assert len(said[0]) == 200


def test_processes_that_come_at_the_same_time_make_one_cache(tmp_path):
    opening = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN, str(tmp_path), "30"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(4)
    ]
    for _ in range(30):
        assert [process.stdout.readline() for process in opening] == ["ready\n"] * 4
        for process in opening:
            process.stdin.write("\n")
            process.stdin.flush()
    assert [process.communicate(timeout=60)[0] for process in opening] == [""] * 4


def test_a_kill_loses_nothing_that_was_kept(tmp_path):
    process = started(tmp_path, "one", 20, "die")
    said = process.communicate("\n", timeout=60)[0].splitlines()
    assert process.returncode == -signal.SIGKILL
    with AnswerCache(tmp_path) as cache:
        assert [cache.get(b"%d" % n).text for n in range(len(said))] == ["one"] * 20


def test_a_file_that_is_no_cache_is_named(tmp_path):
    (tmp_path / "answers-1.sqlite").write_bytes(b"not a database, but long enough to look at " * 50)
    with pytest.raises(DataError, match=r"answers-1\.sqlite.*name another folder"):
        AnswerCache(tmp_path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="may be written"):
        AnswerCache(tmp_path / "file" / "below")


def test_an_entry_that_was_damaged_is_not_taken_for_an_answer(tmp_path):
    import sqlite3

    with AnswerCache(tmp_path) as cache:
        cache.put(b"k", "m", ANSWER)
    db = sqlite3.connect(tmp_path / "answers-1.sqlite")
    with db:
        db.execute("UPDATE answers SET answer = '{'")
    db.close()
    with AnswerCache(tmp_path) as cache, pytest.raises(DataError, match="Could not use the answers"):
        cache.get(b"k")
