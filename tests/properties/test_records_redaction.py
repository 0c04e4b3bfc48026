"""What holds for every text that is redacted."""

from __future__ import annotations

import re
import runpy
from collections import Counter
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from bedrock_distill.records import Record
from bedrock_distill.records.curation.redaction import KINDS, STYLES, Redactor

CASES = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks/redaction.py"))["read_cases"]()
LABEL = re.compile(r"\[([A-Z_]+)_[0-9a-f]+\]")
REDACTORS = {style: Redactor(style=style, seed=5) for style in STYLES}
CLEAN = [case.text for case in CASES if not case.wanted and not REDACTORS["label"].find(case.text)]

PIECES = st.sampled_from(
    sorted({case.text[b:e] for case in CASES for b, e, _ in case.wanted})
) | st.sampled_from(
    [
        "[EMAIL_1]",
        "[PHONE_x]",
        "password: ",
        "Tel. ",
        "://",
        "@",
        "+",
        "0",
        "-",
        ".",
        " ",
        "\n",
        "IBAN ",
        "1234",
        "é",
        "日",
    ]
)
TEXTS = st.lists(PIECES | st.text(max_size=8), max_size=6).map("".join)


@settings(max_examples=150, deadline=None)
@given(TEXTS, st.sampled_from(STYLES))
def test_redacting_twice_changes_nothing_more(text, style):
    once, _ = REDACTORS[style].redact(text)
    assert REDACTORS[style].redact(once) == (once, Counter())


@settings(max_examples=150, deadline=None)
@given(TEXTS, st.sampled_from(["label", "hash"]))
def test_as_many_labels_are_placed_as_are_counted(text, style):
    redacted, counts = REDACTORS[style].redact(text)
    placed = Counter(LABEL.findall(redacted)) - Counter(LABEL.findall(text))
    assert placed == Counter({kind.upper().replace("-", "_"): count for kind, count in counts.items()})


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(CLEAN), min_size=1, max_size=2), st.sampled_from(STYLES))
def test_records_without_findings_come_back_themselves(texts, style):
    record = Record.of(texts[0], completion=texts[1] if len(texts) > 1 else None)
    same, counts = REDACTORS[style].redact_record(record)
    assert same is record
    assert not counts


@settings(max_examples=150, deadline=None)
@given(TEXTS, TEXTS)
def test_the_texts_of_a_record_never_show_a_value_that_one_of_them_had_replaced(prompt, completion):
    redactor = REDACTORS["label"]
    before = Record.of(prompt or "x", completion=completion)
    after, counts = redactor.redact_record(before)
    assert set(counts) <= set(KINDS)
    for span in redactor.find(before.prompt_text):
        value = before.prompt_text[span.begin : span.end]
        for text in (after.prompt_text, after.completion or ""):
            if len(value) >= 6 and not LABEL.search(value):
                assert not re.search(rf"(?<![A-Za-z0-9_\[]){re.escape(value)}(?![A-Za-z0-9_\]])", text)
