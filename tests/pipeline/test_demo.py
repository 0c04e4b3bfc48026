"""The demo is the product's promise: a student that learns, the more the better, and one that cannot."""

from __future__ import annotations

import pytest

from bedrock_distill.cli.demo.prompts import PROMPTS
from bedrock_distill.cli.demo.run import STEPS, run

ASKED = 0.8
"""Retention that the gate asks for: above what 30 % of the data reaches, below what all of it does."""


def part(share):
    """The demo with a share of its data, and as many passes over it."""
    return {"count": int(share * PROMPTS), "steps": int(share * STEPS)}


@pytest.mark.slow(seconds=190)
def test_the_student_answers_unseen_mail_and_less_data_is_less_retention_and_no_verdict(tmp_path):
    outcome = run(tmp_path / "all")
    assert outcome.report.agreement.value >= 0.85
    assert outcome.report.base_agreement.value < 0.10
    assert outcome.report_path.is_file()
    assert outcome.streamed == outcome.report.answers["student"].texts[0]
    training = (tmp_path / "all" / "prompts.jsonl").read_text().splitlines()
    testing = (tmp_path / "all" / "heldout.jsonl").read_text().splitlines()
    assert not set(training) & set(testing)

    third, most = (run(tmp_path / f"{share:g}", **part(share)).report for share in (0.3, 0.6))
    assert third.task.prompts == most.task.prompts == outcome.report.task.prompts
    assert 0.5 < third.retention.value < most.retention.value < outcome.report.retention.value
    verdicts = [report.check(min_retention=ASKED) for report in (third, most, outcome.report)]
    assert verdicts[-1].passed
    assert not verdicts[0].passed
    bounds = [verdict.lower_bound for verdict in verdicts]
    assert bounds == sorted(bounds)


@pytest.mark.slow(seconds=30)
def test_with_shuffled_answers_the_student_learns_nothing_that_holds(tmp_path):
    """As much data and training as teaches more than half, where the answers are the prompts' own."""
    outcome = run(tmp_path, held_out=150, shuffle_teacher=True, **part(0.3))
    assert outcome.report.agreement.value < 0.25
