"""Logs with planted groups to a profile: the groups, their numbers and their ranks are those that were planted."""

from __future__ import annotations

import json
import random
import runpy
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

import bedrock_distill as bd
from bedrock_distill.errors import DataError, SpecError
from bedrock_distill.profiling import running
from bedrock_distill.profiling.counting import SAMPLE
from bedrock_distill.profiling.report import REST
from bedrock_distill.records import Message, Record
from bedrock_distill.records.logs import LogQuery, Metadata

PRO, LITE, MICRO = "amazon.nova-pro-v1:0", "amazon.nova-lite-v1:0", "amazon.nova-micro-v1:0"
PRICES = {
    PRO: {"input_1k_tokens": 0.5, "output_1k_tokens": 2.0},
    MICRO: {"input_1k_tokens": 0.0625, "output_1k_tokens": 0.25, "training_1k_tokens": 0.125},
}
TODAY = date(2026, 11, 24)
make_logs = runpy.run_path(str(Path(__file__).parents[2] / "logs_truth.py"))["make_logs"]


def without_time(profile):
    """What a profile says, but for how long it took and where."""
    document = profile.to_dict()
    return {key: value for key, value in document.items() if key not in ("seconds", "source", "objects")}


def test_planted_groups_are_found_with_their_numbers_and_ranked_as_they_were_made(planted):
    folder, counts, lines = planted
    found = bd.profile(folder, teacher=PRO, student=MICRO, prices=PRICES, today=TODAY)
    assert (found.scanned, found.calls, found.skipped) == (len(lines), len(lines), {})
    assert [group.calls for group in found.groups] == [
        counts[kind] for kind in ("triage", "extract", "translate", "chat")
    ]
    triage, extract, translate, chat = found.groups
    assert [group.answer_kind for group in found.groups] == ["3 labels", "JSON 100%", "text", "text"]
    assert triage.name == "You are a triage bot. …"
    assert extract.prompts.template.startswith(
        "You read invoices. Today is … Extract name, date and amount as JSON"
    )
    assert translate.prompts.template.startswith("Please translate this message … and keep all names")
    assert chat.name == "no fixed text"
    assert triage.usd == counts["triage"] * (100 * 0.5 + 10 * 2.0) / 1000
    assert triage.calls_per_day == counts["triage"] / found.days
    assert triage.distinct_prompts == len({line for line in lines if b"triage bot" in line})
    assert triage.exact


def test_keys_of_the_metadata_make_groups_of_their_own(planted):
    folder, counts, _ = planted
    found = bd.profile(folder, by=("metadata.project",), templates=False)
    assert {group.by["metadata.project"]: group.calls for group in found.groups} == counts
    both = bd.profile(folder, by=("metadata.project", "model"))
    assert {group.name.partition(" · ")[0] for group in both.groups} == {f"project={kind}" for kind in counts}
    assert {group.by["model"] for group in both.groups} == {PRO}


def test_the_order_of_lines_and_objects_changes_nothing(planted, write):
    folder, _, lines = planted
    options = {"by": ("metadata.project",), "student": MICRO, "prices": PRICES, "today": TODAY}
    first = without_time(bd.profile(folder, **options))
    for seed, objects in ((1, 1), (2, 17)):
        shuffled = random.Random(seed).sample(lines, len(lines))
        assert without_time(bd.profile(write(shuffled, objects=objects), **options)) == first


@pytest.mark.parametrize("by", [(), ("metadata.project",), ("operation", "model")])
def test_every_line_is_counted_in_one_group_or_under_one_reason(tmp_path, by):
    truth = make_logs(tmp_path, seed=5, records=1200, damaged=True)
    found = bd.profile(tmp_path, by=by)
    assert found.calls == sum(group.calls for group in found.groups)
    assert found.scanned == found.calls + sum(found.skipped.values())
    kept = sum(len(each) for each in truth.damaged.values())
    assert len(truth.records) <= found.scanned <= len(truth.records) + kept
    assert {broken.name for broken in found.broken} == set(truth.damaged)
    for group in found.groups:
        assert group.calls == sum(use.calls for use in group.models)
        assert group.calls == sum(group.by_day.values())
        assert group.usable_calls <= group.calls
    assert any(not_text in group.left_out for group in found.groups for not_text in ("not-text", "tool-use"))


def test_rarer_groups_than_one_wants_to_tell_apart_are_counted_together(planted):
    folder, counts, lines = planted
    found = bd.profile(folder, by=("metadata.project",), max_groups=2)
    assert [group.id == REST for group in found.groups] == [False, False, True]
    assert found.groups[-1].calls == counts["translate"] + counts["chat"]
    assert sum(group.calls for group in found.groups) == len(lines)


def test_what_is_kept_does_not_grow_with_the_logs(traffic, line, write, monkeypatch):
    made = traffic(3)
    lines = [line(None, f"{made.slot(5, 9)} {number}", "x" * 50) for number in range(3000)]
    kept = {}
    original = running.GroupCounts.add

    def add(self, call):
        original(self, call)
        kept[id(self)] = max(kept.get(id(self), 0), len(self.sample))

    monkeypatch.setattr(running.GroupCounts, "add", add)
    monkeypatch.setattr(running, "SAMPLE", 100)
    found = bd.profile(write(lines))
    assert set(kept.values()) == {SAMPLE}
    assert found.groups[0].prompts.sampled == SAMPLE


def test_a_group_is_learned_from_a_sample_of_the_objects_and_counted_in_all(
    traffic, line, write, monkeypatch
):
    monkeypatch.setattr(running, "LEARNED_CALLS", 200)
    monkeypatch.setattr(running, "LEARNED_OBJECTS", 4)
    made = traffic(4)
    calls = made.calls((50, 50, 0, 0), 1200)
    found = bd.profile(write([line(*call) for _, *call in calls], objects=40))
    assert Counter(kind for kind, *_ in calls) == {
        {"3 labels": "triage", "JSON 100%": "extract"}[group.answer_kind]: group.calls
        for group in found.groups
    }


def test_duplicates_are_one_prompt_and_few_prompts_are_remarked(line, write):
    lines = [
        line("You are a triage bot.", f"Where is parcel {number % 20}?", "shipping") for number in range(300)
    ]
    found = bd.profile(write(lines))
    (group,) = found.groups
    assert (group.calls, group.distinct_prompts, group.distinct_pairs) == (300, 20, 20)
    assert group.score.enough == 0.2
    assert any("20 different prompts; a distillation job needs 100" in remark for remark in found.remarks)


def test_near_duplicates_are_estimated_for_the_group_and_remarked(line, write, traffic):
    made = traffic(8)
    texts = [made.slot(60, 60) for _ in range(60)]
    lines = [line(None, f"{text} {tail}", "x") for text in texts for tail in ("", "indeed")]
    found = bd.profile(write(lines), templates=False)
    (group,) = found.groups
    assert (group.distinct_prompts, group.near_distinct_prompts) == (120, 60)
    assert found.to_dict()["groups"][0]["near_distinct_prompts"] == 60
    assert any("at most about 60" in remark for remark in found.remarks)


def test_many_values_of_a_key_are_one_group_beyond_the_most_frequent(line, write):
    lines = [line(None, f"Hello number {n}", "x", metadata={"user": f"u{n}"}) for n in range(300)]
    found = bd.profile(write(lines), by=("metadata.user",), templates=False, max_groups=5)
    assert len(found.groups) == 6
    assert found.group(REST).calls == 295


def test_what_cannot_be_distilled_is_counted_and_remarked(line, write):
    turns = [("assistant", "Which one?"), ("user", "The red one")]
    lines = [
        line(None, f"Where is my parcel number {n}?", "Here", turns=turns if n % 2 else ()) for n in range(40)
    ]
    lines += [line(None, f"Where is my parcel number {n}?", "Cut", stop="max_tokens") for n in range(40, 50)]
    (group,) = bd.profile(write(lines), templates=False).groups
    assert group.left_out == {"cut-off": 10, "multi-turn": 20}
    assert (group.usable_calls, group.distinct_prompts, group.distinct_pairs) == (30, 30, 20)
    assert any(
        "40% of the calls cannot be distilled" in remark
        for remark in bd.profile(write(lines), templates=False).remarks
    )


def test_unknown_prices_are_named_and_nothing_is_made_up(planted):
    folder, _, _ = planted
    found = bd.profile(folder, student=MICRO)
    assert all(group.usd is None and group.saving.payback_days is None for group in found.groups)
    assert set(found.missing_prices) == {
        f"{model}: {kind}_1k_tokens" for model in (PRO, MICRO) for kind in ("input", "output")
    } | {f"{MICRO}: training_1k_tokens"}
    assert "unknown" in str(found)


def test_models_are_told_apart_and_priced_each_by_its_own_price(line, write):
    lines = [
        line(None, f"Hello number {n}", "x", model=name)
        for n in range(10)
        for name in (PRO, f"us.{PRO}", LITE)
    ]
    (group,) = bd.profile(write(lines), prices={PRO: PRICES[PRO]}).groups
    assert [(use.model, use.calls, use.usd) for use in group.models] == [(PRO, 20, 1.4), (LITE, 10, None)]
    assert group.usd is None


def test_only_calls_that_are_selected_are_profiled(planted):
    folder, counts, _ = planted
    noon = datetime(2026, 11, 3, 12, tzinfo=UTC)
    found = bd.profile(
        folder,
        query=LogQuery(where=Metadata("project") == "triage", since=noon, until=noon + timedelta(days=2)),
    )
    (group,) = found.groups
    assert noon <= found.first <= found.last < noon + timedelta(days=2)
    assert 0 < group.calls < counts["triage"]
    assert found.skipped == {"not-selected": found.scanned - found.calls}


def test_less_than_a_day_is_not_extrapolated(line, write):
    found = bd.profile(write([line(None, f"Hello number {n}", "x") for n in range(10)]))
    assert found.days == 1.0
    assert found.groups[0].calls_per_day == 10
    assert any("not extrapolated" in remark for remark in found.remarks)


def test_estimated_tokens_are_remarked(line, write):
    found = bd.profile(write([line(None, "12345678", "1234", usage=None)]))
    assert (found.groups[0].input_tokens, found.groups[0].output_tokens) == (2, 1)
    assert any("estimated" in remark for remark in found.remarks)


def test_a_profile_reads_as_a_table_as_markdown_as_html_and_as_json(line, write):
    evil = "You answer <script>alert(1)</script> | always *twice* please."
    found = bd.profile(
        write([line(evil, f"Question {n} about things?", f"a{n}") for n in range(60)]), student=MICRO
    )
    text, marked, page, document = str(found), found.to_markdown(), found.to_html(), found.to_dict()
    assert "<script>" in text
    assert "<script>" not in page
    assert "<script>" not in found._repr_html_()
    assert r"\<script\>" in marked
    assert r"\|" in marked
    assert json.loads(json.dumps(document)) == document
    assert document["groups"][0]["name"] == found.groups[0].name
    assert repr(found) == f"<Profile of {found.source!r}: 60 calls in 1 groups>"


def test_a_group_goes_by_rank_and_by_id(planted):
    found = bd.profile(planted[0])
    first = found.groups[0]
    assert found.group(1) == found.group("1") == found.group(first.id) == first
    with pytest.raises(SpecError, match="from 1 to 4"):
        found.group("5")


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"by": ("project",)}, "by"),
        ({"max_groups": 0}, "max_groups"),
        ({"query": LogQuery(responses=True)}, "query"),
        ({"query": LogQuery(min_chars=3)}, "query"),
        ({"prices": {PRO: {"input_1k_tokens": -1}}}, "prices"),
        ({"prices": {PRO: 3}}, "prices"),
        ({"curve": 99, "learn": lambda examples, prompts: []}, "group"),
    ],
)
def test_wrong_arguments_are_refused_by_name(planted, options, field):
    with pytest.raises(SpecError) as refused:
        bd.profile(planted[0], **options)
    assert refused.value.field == field


def test_logs_without_a_call_are_an_error_that_says_what_they_hold(line, write, tmp_path):
    failed = json.loads(line(None, "Hello", "x")) | {"errorCode": "ThrottlingException"}
    with pytest.raises(DataError, match=r"1 failed-call"):
        bd.profile(write([json.dumps(failed).encode()], objects=1))
    with pytest.raises(DataError, match="no lines"):
        bd.profile(write([], objects=1))
    with pytest.raises(DataError, match="no such file"):
        bd.profile(tmp_path / "nowhere")
    with pytest.raises(SpecError, match="S3"):
        bd.profile("s3://acme-logs/")


def test_a_learning_curve_is_drawn_of_the_groups_own_records(planted):
    folder, _, _ = planted
    asked = []

    def learn(examples, prompts):
        asked.append((examples, prompts))
        return ["billing"] * len(prompts)

    told = []
    found = bd.profile(folder, curve="1", learn=learn, on_point=told.append)
    assert tuple(told) == found.curve.points
    assert found.curve_of == found.groups[0].id
    assert len(found.curve.points) == len(asked) == 5
    assert {record.system_text for examples, prompts in asked for record in (*examples, *prompts)} == {
        "You are a triage bot."
    }
    assert str(found).endswith(found.curve.says)
    assert found.to_dict()["curve"]["tendency"] == found.curve.tendency
    assert "### Learning curve" in found.to_markdown()


def test_a_conversation_belongs_to_the_group_of_its_first_question(line, write, traffic):
    made = traffic(6)
    turns = [("assistant", "And?"), ("user", made.slot(5, 9))]
    lines = [
        line("You are a triage bot.", made.slot(5, 9), "other", turns=turns if n % 4 == 0 else ())
        for n in range(200)
    ]
    (group,) = bd.profile(write(lines)).groups
    assert (group.calls, group.left_out) == (200, {"multi-turn": 50})


def test_records_of_the_log_are_what_is_learned(line, write, traffic):
    made = traffic(7)
    lines = [line("Sort this.", made.slot(6, 9), "billing") for _ in range(150)]
    lines += [line("Sort this.", "long " * 2000, "billing")]
    seen = []
    bd.profile(
        write(lines), curve=1, learn=lambda examples, prompts: seen.extend(examples) or ["x"] * len(prompts)
    )
    assert all(isinstance(record, Record) and isinstance(record.messages[0], Message) for record in seen)
    assert max(len(record.prompt_text) for record in seen) < 1000


def test_a_teacher_and_a_key_that_no_call_has_are_remarked(line, write):
    folder = write([line(None, "Where is it?", "here", metadata={"tenant": "a\nb"})])
    found = bd.profile(folder, by="metadata.tenent", teacher=LITE, student=MICRO, prices=PRICES, today=TODAY)
    assert any(f"{LITE}, which is named as teacher, answered none" in remark for remark in found.remarks)
    assert any("No call has metadata.tenent" in remark for remark in found.remarks)
    (group,) = bd.profile(folder, by=["metadata.tenant"]).groups
    assert group.name.startswith("tenant=a b")  # one row of a table
