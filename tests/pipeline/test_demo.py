"""The demo is the product's promise: a student that learns, and one that cannot."""

from __future__ import annotations

import pytest

from bedrock_distill.cli.demo.run import run

pytestmark = pytest.mark.slow


def test_the_student_answers_unseen_mail_as_the_teacher_does_and_the_base_does_not(tmp_path):
    said = []
    outcome = run(tmp_path, say=said.append)
    assert outcome.report.agreement.value >= 0.85
    assert outcome.report.base_agreement.value < 0.10
    assert outcome.report_path.is_file()
    assert outcome.streamed == outcome.report.answers["student"].texts[0]
    training = (tmp_path / "prompts.jsonl").read_text().splitlines()
    testing = (tmp_path / "heldout.jsonl").read_text().splitlines()
    assert not set(training) & set(testing)


def test_with_shuffled_answers_the_student_learns_nothing_that_holds(tmp_path):
    outcome = run(tmp_path, count=1_000, held_out=150, shuffle_teacher=True)
    assert outcome.report.agreement.value < 0.25
