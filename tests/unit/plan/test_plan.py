import json

import msgspec
import pytest

from bedrock_distill.catalog import load_catalog
from bedrock_distill.errors import OverBudgetError, PlanError
from bedrock_distill.plan import (
    CreateResource,
    EnsureRole,
    Estimate,
    Line,
    Lookup,
    Plan,
    PlanWarning,
    StageFile,
    WaitFor,
    as_html,
    as_table,
    estimate,
    fingerprint_of,
    make_plan,
)
from bedrock_distill.plan.estimate import Use

KNOWN = Line(what="teacher input", quantity=2.0, unit="1k tokens", unit_usd=1.5, source="a page, 2026-01-01")
UNKNOWN = Line(what="training", quantity=None, unit="1k tokens", unit_usd=None, source="price unknown")


def a_plan(*, lines=(KNOWN,), warnings=(), name="triage"):
    create = CreateResource(
        kind="distillation job",
        name="triage-1",
        service="bedrock",
        operation="create_model_customization_job",
        request={"jobName": "triage-1"},
        arn="jobArn",
        bills=True,
        needs_role=True,
        lookup=Lookup(
            operation="get_model_customization_job", parameter="jobIdentifier", arn="jobArn", same={}
        ),
    )
    return make_plan(
        kind="distillation",
        name=name,
        region="us-east-1",
        account_id="123456789012",
        fingerprint="0123456789ab",
        facts={"teacher": "Nova Pro", "student": "Nova Micro"},
        steps=(
            StageFile(path="p.jsonl", uri="s3://acme/p.jsonl", size_bytes=2_500_000, sha256="00", done=True),
            EnsureRole(name="Role", trust={}, policy={}, tags={}),
            create,
            WaitFor(kind="distillation job", name="triage-1", typical="hours"),
        ),
        warnings=warnings,
        estimate=Estimate(lines=tuple(lines)),
    )


def test_a_plan_survives_json_unchanged():
    plan = a_plan(warnings=(PlanWarning(code="x", text="y", blocks=True),))
    assert Plan.from_json(plan.to_json()) == plan
    assert Plan.from_json(plan.to_json()).fingerprint == plan.fingerprint


def test_a_plan_that_was_edited_is_refused():
    text = a_plan().to_json().replace("s3://acme/p.jsonl", "s3://evil/p.jsonl")
    with pytest.raises(PlanError, match="was changed"):
        Plan.from_json(text)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"kind": "holiday"}'])
def test_what_is_no_plan_is_refused(text):
    with pytest.raises(PlanError, match="not a plan"):
        Plan.from_json(text)


def test_a_plan_of_another_version_asks_to_plan_again():
    document = json.loads(a_plan().to_json())
    document["version"] = 99
    with pytest.raises(PlanError, match="version 99"):
        Plan.from_json(json.dumps(document))


def test_a_plan_is_frozen():
    with pytest.raises(AttributeError):
        a_plan().name = "other"


def test_equal_intents_have_equal_fingerprints_whatever_their_order():
    assert fingerprint_of({"a": 1, "b": {"c": 2, "d": 3}}) == fingerprint_of({"b": {"d": 3, "c": 2}, "a": 1})
    assert fingerprint_of({"a": 1}) != fingerprint_of({"a": 2})
    assert len(fingerprint_of({})) == 12


def test_the_table_shows_steps_cost_and_warnings():
    text = as_table(
        a_plan(lines=(KNOWN, UNKNOWN), warnings=(PlanWarning(code="no-bucket", text="make it", blocks=True),))
    )
    assert "1. Stage p.jsonl (2.5 MB) as s3://acme/p.jsonl  [already done]" in text
    assert "3. Create the distillation job triage-1  [costs money]" in text
    assert "3.00 USD" in text
    assert "Total: unknown (known parts: 3.00 USD)" in text
    assert "STOP  no-bucket: make it" in text
    assert str(a_plan()) == as_table(a_plan())


def test_the_notebook_form_escapes_what_it_shows():
    html = as_html(a_plan(name="<script>", warnings=(PlanWarning(code="x", text="a < b"),)))
    assert "<script>" not in html
    assert "a &lt; b" in html
    assert a_plan()._repr_html_() == as_html(a_plan())
    assert len(repr(a_plan())) < 120


def test_an_unknown_price_is_never_counted_as_nothing():
    assert Estimate(lines=(KNOWN, UNKNOWN)).total_usd is None
    assert Estimate(lines=(KNOWN, UNKNOWN)).known_usd == 3.0
    assert Estimate(lines=(KNOWN,)).total_usd == 3.0


def test_a_budget_refuses_what_is_above_it_and_what_is_unknown():
    assert a_plan().within(3.0) == a_plan()
    with pytest.raises(OverBudgetError, match="above the limit") as over:
        a_plan().within(2.99)
    assert over.value.estimate_usd == 3.0
    with pytest.raises(OverBudgetError, match="unknown for training"):
        a_plan(lines=(KNOWN, UNKNOWN)).within(1000)


def test_estimates_take_prices_from_the_catalog_with_their_source(tmp_path):
    path = tmp_path / "prices.toml"
    path.write_text(
        '[[price]]\nmodel = "amazon.nova-pro-v1:0"\nkind = "input_1k_tokens"\nusd = 0.5\n'
        'source = "our contract"\nas_of = 2026-11-01\n'
    )
    use = Use(
        what="teacher input",
        model="us.amazon.nova-pro-v1:0",
        kind="input_1k_tokens",
        quantity=4,
        unit="1k tokens",
    )
    priced = estimate([use], catalog=load_catalog(path), region="us-east-1")
    assert priced.total_usd == 2.0
    assert priced.lines[0].source == "our contract, 2026-11-01"
    assert estimate([use], catalog=load_catalog(), region="us-east-1").total_usd is None


def test_every_step_has_an_id_and_says_what_it_does():
    steps = a_plan().steps
    assert len({step.id for step in steps}) == len(steps)
    assert all(step.says for step in steps)
    assert [step.bills for step in steps] == [False, False, True, False]


def test_a_plan_turns_into_plain_values():
    assert msgspec.json.decode(msgspec.json.encode(a_plan().to_dict()))["steps"][0]["type"] == "stage-file"


@pytest.mark.parametrize("limit", [float("nan"), -1.0])
def test_a_budget_that_is_no_number_lets_nothing_through(limit):
    with pytest.raises(OverBudgetError):
        a_plan().within(limit)


def test_a_later_versions_plan_with_steps_unknown_here_still_asks_to_plan_again():
    document = json.loads(a_plan().to_json())
    document |= {"version": 2, "steps": [{"type": "fly-to-the-moon"}]}
    with pytest.raises(PlanError, match="version 2"):
        Plan.from_json(json.dumps(document))


@pytest.mark.parametrize("text", [b"\xff\xfe", b"{", b"3", b'"text"', b'{"version": "1"}'])
def test_bytes_that_are_no_plan_are_refused(text):
    with pytest.raises(PlanError, match="not a plan"):
        Plan.from_json(text)


def test_a_plan_that_was_only_laid_out_anew_is_the_same_plan():
    text = json.dumps(json.loads(a_plan().to_json()), indent=4, sort_keys=True)
    assert Plan.from_json(text) == a_plan()
