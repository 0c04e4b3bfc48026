"""How much of a labelled set is found, and how little else: floors that no change may fall below."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from bedrock_distill.records.curation.redaction import KINDS, Redactor
from bedrock_distill.records.curation.redaction_placing import settle

BENCHMARK = runpy.run_path(str(Path(__file__).parents[4] / "benchmarks/redaction.py"))

RECALL = dict.fromkeys(KINDS, 1.0) | {
    "credit-card": 0.97,
    "phone": 0.98,
    "api-token": 0.97,
    "ip-address": 0.96,
}
PRECISION = dict.fromkeys(KINDS, 1.0) | {"phone": 0.98}


@pytest.fixture(scope="module")
def cases():
    return BENCHMARK["read_cases"]()


@pytest.fixture(scope="module")
def measured(cases):
    redactor = Redactor()
    return BENCHMARK["measure"](lambda text: settle(text, redactor.find(text)), cases)


def test_the_set_is_large_and_has_every_kind_and_language(cases):
    assert sum(len(case.wanted) for case in cases) >= 300
    assert sum(not case.wanted for case in cases) >= 300
    assert {kind for case in cases for _, _, kind in case.wanted} == set(KINDS)
    for some in (True, False):
        assert {case.language for case in cases if bool(case.wanted) == some} == {"en", "de", "fr", "ja"}


@pytest.mark.parametrize("kind", KINDS)
def test_recall_and_precision_of_each_kind_hold_their_floors(measured, kind):
    rows, wrong = measured
    [row] = [row for row in rows if row.kind == kind]
    assert row.wanted >= 12
    assert (row.recall >= RECALL[kind], row.precision >= PRECISION[kind]) == (True, True), wrong


def test_the_measure_itself_sees_a_miss_a_half_found_value_and_a_false_finding():
    case = BENCHMARK["read_case"]({"language": "en", "text": "⟦email|a@example.com⟧ and ⟦iban|XX¦YY⟧"})
    assert case.text == "a@example.com and XXYY"
    assert case.wanted == ((0, 13, "email"), (18, 22, "iban"))
    from bedrock_distill.records.curation.redaction_kinds import Span

    half = [Span(2, 13, "email"), Span(14, 17, "iban")]
    rows, wrong = BENCHMARK["measure"](lambda _: half, [case])
    assert [(row.kind, row.found, row.wanted, row.right, row.said) for row in rows] == [
        ("email", 0, 1, 1, 1),
        ("iban", 0, 1, 0, 1),
    ]
    assert len(wrong) == 3
