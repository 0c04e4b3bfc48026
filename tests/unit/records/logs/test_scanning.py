"""The scan: every line is a record or counted, and what is written is what training data is."""

from __future__ import annotations

import json
from collections import Counter

import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from bedrock_distill.records.logs import Exchange, LogQuery, Metadata
from bedrock_distill.records.logs.query import Selector
from bedrock_distill.records.logs.scanning import encoded, scan_lines
from bedrock_distill.records.logs.tally import Broken, Tally
from bedrock_distill.records.schema import Message, Record, decode_record, encode_pair, encode_record

NOVA = "amazon.nova-pro-v1:0"
TEXTS = st.text(st.characters(codec="utf-8") | st.sampled_from('"\\\n\t\0\x1f\x7f\u2028'), max_size=30)


def line(
    prompt="Why?", answer="So.", *, model=NOVA, stop="end_turn", metadata=None, system=None, messages=None
):
    turns = messages or [{"role": "user", "content": [{"text": prompt}]}]
    request = {"messages": turns} | ({"system": [{"text": system}]} if system else {})
    response = {
        "output": {"message": {"role": "assistant", "content": [{"text": answer}]}},
        "stopReason": stop,
    }
    record = {"schemaType": "ModelInvocationLog", "operation": "Converse", "modelId": model}
    record |= {"input": {"inputBodyJson": request}, "output": {"outputBodyJson": response}}
    record |= {} if metadata is None else {"requestMetadata": metadata}
    return json.dumps(record, separators=(",", ":")).encode()


def scan(lines, query, **more):
    tally = Tally()
    found = [decode_record(each) for _, each in scan_lines(lines, Selector(query), tally, **more)]
    assert tally.matched == len(found)
    assert tally.scanned == tally.matched + sum(tally.skipped.values())
    return found, tally


def test_every_line_ends_as_a_record_or_under_a_word_and_blank_ones_are_none():
    lines = [
        line("One", metadata={"project": "triage"}),
        b"",
        b" \r",
        line("Two"),
        b"{",
        line("Three", metadata={"project": "triage"}, stop="max_tokens"),
        line("Four", metadata={"project": "triage"}, model="amazon.nova-lite-v1:0") + b"\r",
    ]
    found, tally = scan(lines, LogQuery(where=Metadata("project") == "triage", responses=True))
    assert found == [Record.of("One", completion="So."), Record.of("Four", completion="So.")]
    assert tally.skipped == {"not-selected": 1, "broken-line": 1, "cut-off": 1}
    assert tally.by_model_id == {NOVA: 1, "amazon.nova-lite-v1:0": 1}


def test_a_tally_that_has_counted_counts_on_and_is_whole_even_where_the_reader_stops():
    tally = Tally(scanned=5, matched=2, skipped={"length": 3}, by_model_id={NOVA: 2})
    found = scan_lines([line(), b"{", line()], Selector(LogQuery()), tally)
    next(found)
    next(found)
    found.close()
    assert (tally.scanned, tally.matched) == (8, 4)
    assert (tally.skipped, tally.by_model_id) == ({"length": 3, "broken-line": 1}, {NOVA: 4})


def test_the_caller_has_the_last_word_over_whole_records():
    seen = []

    def short(record):
        seen.append(record)
        return len(record.completion) < 3

    lines = [line("One", "No"), line("Two", "No way"), line("Three", "No", stop="max_tokens")]
    found, tally = scan(lines, LogQuery(responses=True), predicate=short)
    assert found == [Record.of("One", completion="No")]
    assert (tally.skipped, len(seen)) == ({"predicate": 1, "cut-off": 1}, 2)


def test_repeats_are_told_after_what_was_replaced():
    lines = [line("Mail ann@example.com", "a"), line("Mail bob@example.com", "b"), line("Mail nobody", "c")]
    query = LogQuery(redact="pii", responses=True)
    tally = Tally()
    found = list(scan_lines(lines, Selector(query), tally))
    assert len({key for key, _ in found}) == 2
    assert tally.redacted == {"email": 2}
    assert not any(b"example.com" in text for _, text in found)


def turns(*texts):
    roles = ("user", "assistant")
    return [{"role": roles[at % 2], "content": [{"text": text}]} for at, text in enumerate(texts)]


def test_a_conversation_keeps_its_turns_and_the_answer_ends_it():
    talk = line(messages=turns("One?", "Yes.", "Two?"))
    (record,), _ = scan([talk], LogQuery(multi_turn=True, responses=True))
    assert [message.text for message in record.messages] == ["One?", "Yes.", "Two?", "So."]
    (record,), _ = scan([talk], LogQuery(multi_turn=True))
    assert [message.text for message in record.messages] == ["One?", "Yes.", "Two?"]
    assert scan([talk], LogQuery())[1].skipped == {"multi-turn": 1}


def test_an_answer_that_was_begun_for_the_model_is_joined_or_dropped():
    begun = line(messages=turns("One?", "Well, "), answer="yes.")
    (record,), _ = scan([begun], LogQuery(multi_turn=True, responses=True))
    assert record == Record.of("One?", completion="Well, yes.")
    (record,), _ = scan([begun], LogQuery(multi_turn=True))
    assert record == Record.of("One?")


@given(st.none() | TEXTS, TEXTS, st.none() | TEXTS)
def test_a_pair_is_written_as_the_record_is_written(system, prompt, completion):
    encoded_line, begun = encode_pair(system, prompt, completion)
    assert encoded_line == encode_record(Record.of(prompt, system=system, completion=completion))
    assert begun in encoded_line
    assert encode_pair(system, prompt, None)[1] == begun, "a completion is no part of the prompt"


@given(st.tuples(st.none() | TEXTS, TEXTS), st.tuples(st.none() | TEXTS, TEXTS))
def test_the_part_that_stands_for_a_prompt_is_equal_for_equal_prompts_only(one, other):
    same = (one[0] or None, one[1]) == (other[0] or None, other[1])
    assert (encode_pair(*one, "a")[1] == encode_pair(*other, None)[1]) is same


@pytest.mark.parametrize("text", [chr(0xD800), f"a{chr(0xDFFF)}b", chr(0xDC80)])
@pytest.mark.parametrize("place", range(3))
def test_half_a_surrogate_pair_is_refused_by_both_writers(text, place):
    """JSON readers refuse such a text, so none comes out of a log; whoever makes one is told at once."""
    parts = ["a", "b", "c"]
    parts[place] = text
    system, prompt, completion = parts
    with pytest.raises(UnicodeEncodeError, match="surrogates not allowed"):
        encode_pair(system, prompt, completion)
    with pytest.raises(UnicodeEncodeError, match="surrogates not allowed"):
        encode_record(Record.of(prompt, system=system, completion=completion))


def test_the_key_is_the_hash_of_the_prompt_alone():
    key, text = encoded(Exchange("Be brief.", "Why?", "So."), answers=True)
    assert key == xxhash.xxh3_128_digest(encode_pair("Be brief.", "Why?", None)[1])
    assert decode_record(text) == Record.of("Why?", system="Be brief.", completion="So.")
    others = [
        Exchange("Be brief.", "Why?", "Because."),
        Exchange(None, "Why?", "So."),
        Exchange("Be brief.", "Why not?", "So."),
    ]
    assert [encoded(each, answers=True)[0] == key for each in others] == [True, False, False]
    talk = (Message.of("user", "a"), Message.of("assistant", "b"), Message.of("user", "c"))
    keys = Counter(encoded(Exchange(None, talk, text), answers=True)[0] for text in ("x", "y"))
    assert list(keys.values()) == [2]


def test_tallies_of_parts_add_up():
    one = Tally(scanned=2, matched=1, skipped={"length": 1}, by_model_id={"a": 1}, objects=1, bytes_read=5, broken=[Broken("x", "y")])  # fmt: skip
    two = Tally(scanned=3, matched=2, skipped={"length": 1, "pattern": 0}, by_model_id={"a": 1, "b": 1}, objects=2, bytes_unpacked=7)  # fmt: skip
    whole = Tally()
    for part in (one, two):
        whole.add(part)
    assert (whole.scanned, whole.matched, whole.objects) == (5, 3, 3)
    assert (whole.bytes_read, whole.bytes_unpacked) == (5, 7)
    assert (whole.skipped, whole.by_model_id) == ({"length": 2}, {"a": 2, "b": 1})
    assert whole.broken == [Broken("x", "y")]
    assert one.skipped == {"length": 1}, "a part's own tally stays as it was"
