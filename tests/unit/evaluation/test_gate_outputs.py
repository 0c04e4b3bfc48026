"""What CI systems and pull requests get: JUnit XML and Markdown, whatever the texts in them."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest

from bedrock_distill.evaluation import TokenPrice

HOSTILE = "a|b\n](http://x) <b> & `c` \x00\ud800 @team #1 ~~ www.x.com"


@pytest.fixture
def report(compared):
    return compared(
        student=["yes"] * 95 + ["no"] * 25,
        teacher=["yes"] * 120,
        slices={"kind": lambda record: HOSTILE if int(record.prompt_text.split()[1]) >= 90 else "good"},
    )


@pytest.fixture
def verdict(report):
    return report.check(min_retention=0.5, min_slice_retention=0.8, max_cost_ratio=0.5)


def test_junit_has_a_case_for_each_criterion_and_a_failure_for_each_that_was_missed(report, verdict):
    root = ET.fromstring(report.to_junit(verdict))
    (suite,) = root
    cases = {case.get("name"): case for case in suite.iter("testcase")}
    assert len(cases) == len(verdict.criteria) == int(root.get("tests")) == int(suite.get("tests"))
    failures = [name for name, case in cases.items() if case.find("failure") is not None]
    assert len(failures) == len(verdict.failures) == int(suite.get("failures")) == 2
    assert cases["cost ratio"].find("failure").get("message") == verdict.failures[1]
    assert cases["retention"].find("system-out").text == verdict.criteria[0].text


def test_junit_holds_no_character_that_xml_cannot(report, verdict):
    written = report.to_junit(verdict)
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]", written)
    written.encode("utf-8")
    assert "a|b ](http://x)" in ET.fromstring(written)[0].findall("testcase")[2].get("name")


def test_junit_says_what_was_measured(report, verdict):
    properties = {
        each.get("name"): each.get("value")
        for each in ET.fromstring(report.to_junit(verdict)).iter("property")
    }
    assert properties["metric"] == "normalised_match"
    assert properties["prompts"] == "120"
    assert properties["retention"].startswith("0.792 [")


def test_markdown_says_the_verdict_first_and_draws_a_row_for_each_slice(report, verdict):
    lines = report.to_markdown(verdict=verdict).splitlines()
    assert lines[0] == "## Gate failed: student against teacher"
    assert any(line.startswith("| ❌ | cost ratio |") for line in lines)
    assert any(line.startswith("| kind = good | 90 | 100.0% |") for line in lines)


def test_markdown_takes_no_text_for_markup(report, verdict):
    written = report.to_markdown(verdict=verdict)
    for line in written.splitlines():
        if line.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", line)) in (4, 6, 8)
    assert not re.search(r"(?<!\\)(<b>|@team|#1|`c`|\]\()", written)
    # A backslash alone hides no mention and no issue from GitHub.
    assert "@&#8203;team" in written
    assert "#&#8203;1" in written
    assert "http://" not in written
    assert "www.x" not in written


def test_markdown_without_a_gate_says_that_it_was_measured(report):
    written = report.to_markdown()
    assert written.startswith("## Measured: student against teacher")
    assert "criterion" not in written
    assert "### Slices" in written


def test_what_stops_a_release_comes_first_and_every_metric_is_told(compared):
    report = compared(
        student=["yes"] * 95 + ["no"] * 25,
        teacher=["yes"] * 120,
        base=["no"] * 120,
        metrics=["exact_match", "token_f1"],
    )
    verdict = report.check(min_retention=0.5, max_cost_ratio=0.5)
    rows = [line for line in report.to_markdown(verdict=verdict).splitlines() if line.startswith("| ")]
    assert [row.split(" | ")[1] for row in rows[2:4]] == ["cost ratio", "retention"]
    assert any(row.startswith("| token\\_f1 | 79.2% |") for row in rows)
    assert [line[:4] for line in str(verdict).splitlines()[1:3]] == ["MISS", "ok  "]
    (told,) = (line for line in str(report).splitlines() if line.startswith("retention (token_f1)"))
    assert told.split()[2:4] == ["-", "0.792"]


def test_costs_are_told_for_so_many_answers_that_one_can_read_them(compared):
    price = TokenPrice(input_usd_per_1k=0.00004, output_usd_per_1k=0.00014)
    written = compared(student=["yes"], teacher=["yes"], prices={"student": price}).to_markdown()
    assert "| 0.001 USD | 0 of 1 |" in written  # ten tokens in and four out, a thousand times
