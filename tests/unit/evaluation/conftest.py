"""Targets that answer from a table: what an evaluation needs, and nothing else."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from bedrock_distill.evaluation import evaluate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True)
class Used:
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True)
class Said:
    text: str
    stop_reason: str = "end_turn"
    usage: Used = Used(10, 4)
    latency_s: float = 0.5


@dataclass
class Speaker:
    """Answers each prompt's text from a table or a function; an exception in it is raised."""

    answers: Mapping[str, Any] | Callable[[str], Any]
    name: str = "speaker"
    model_id: str = "acme.speaker-v1:0"
    calls: list[dict[str, Any]] = field(default_factory=list)
    lock: Any = field(default_factory=threading.Lock)

    def chat(self, prompt, **options):
        with self.lock:
            self.calls.append({"record": prompt, **options})
        text = prompt.prompt_text
        answer = self.answers(text) if callable(self.answers) else self.answers[text]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Said) else Said(answer)


@pytest.fixture
def speaker():
    """The class of targets that answer from a table."""
    return Speaker


@pytest.fixture
def said():
    """The class of their replies, to set usage, latency and stop reason."""
    return Said


@pytest.fixture
def used():
    return Used


@pytest.fixture
def compared(speaker):
    """A report on tables of answers: `compared(student=[...], teacher=[...], references=[...], base=[...])`."""
    from bedrock_distill.records.schema import Record

    def run(*, student, teacher, references=None, base=None, prompts=None, **options):
        texts = prompts or [f"prompt {place}" for place in range(len(teacher))]
        labels = references or [None] * len(texts)
        records = [Record.of(text, completion=label) for text, label in zip(texts, labels, strict=True)]

        def side(name, answers):
            return speaker(dict(zip(texts, answers, strict=True)), name=name, model_id=f"acme.{name}-v1:0")

        return evaluate(
            side("student", student),
            side("teacher", teacher),
            records,
            base=None if base is None else side("base", base),
            **options,
        )

    return run
