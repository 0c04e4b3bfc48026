"""However a stream's bytes are cut, the same values come out of it."""

from __future__ import annotations

import json

from hypothesis import example, given
from hypothesis import strategies as st

from bedrock_distill.chat import endpoint_dialect
from bedrock_distill.chat.decoding import Decoder
from bedrock_distill.chat.question import Question

TEXTS = st.text(
    st.one_of(st.characters(codec="utf-8"), st.sampled_from('\n\r\u2028\x85\0"\\:{}[] 日本語🎉é'))
)
VALUES = st.dictionaries(
    TEXTS, st.recursive(st.none() | st.booleans() | st.integers() | TEXTS, st.lists, max_leaves=4)
).filter(lambda value: "error" not in value)
ENDS = st.sampled_from(["\n", "\r\n"])
FIELDS = st.lists(st.sampled_from([": ping", ":", "event: message", "id: 7", "retry: 100", "id"]), max_size=2)


@st.composite
def json_lines(draw):
    """Some values, each on its line, with blank lines between."""
    values = draw(st.lists(VALUES, max_size=4))
    lines = []
    for value in values:
        lines += [json.dumps(value, ensure_ascii=draw(st.booleans())), *[""] * draw(st.integers(0, 2))]
    return values, lines


@st.composite
def server_sent_events(draw):
    """Some values as events: with and without other fields, in one `data` field or in many, and a last `[DONE]`."""
    values = draw(st.lists(VALUES, max_size=4))
    lines = []
    for value in values:
        text = json.dumps(value, indent=draw(st.sampled_from([None, 1])), ensure_ascii=False)
        prefix = draw(st.sampled_from(["data:", "data: "]))
        lines += [*draw(FIELDS), *(prefix + line for line in text.split("\n")), ""]
    if draw(st.booleans()):
        lines += ["data: [DONE]", ""]
    return values, lines


@st.composite
def streams(draw):
    """A valid stream's bytes and its values."""
    values, lines = draw(st.one_of(json_lines(), server_sent_events()))
    end = draw(ENDS)
    text = end.join(lines) + (end if draw(st.booleans()) else "")
    return values, text.encode()


def decoded(parts):
    decoder = Decoder()
    values = [value for part in parts for value in decoder.feed(part)]
    return [*values, *decoder.end()]


@given(streams(), st.data())
@example(([{"a": "🎉"}], 'data: {"a": "🎉"}'.encode()), None)
def test_a_valid_stream_cut_at_any_bytes_brings_the_same_values(stream, data):
    values, raw = stream
    cuts = (
        range(len(raw) + 1)
        if data is None
        else sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=8)))
    )
    parts = [raw[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    assert b"".join(parts) == raw
    assert decoded(parts) == values


ASKED = Question.of("Hi", target="student", max_tokens=512)
WAYS = {
    ("lmi", False): "{}\n\n",
    ("openai", False): "data: {}\n\n",
    ("tgi", False): "data:{}\n\n",
    ("lmi", True): "{}\n",
    ("tgi", True): "data:{}\n\n",
}
"""How each container frames its answers, by schema and whether it is sent a raw prompt."""


def chat_chunks(pieces):
    for piece in pieces:
        yield {"choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]}
    yield {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    yield {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": len(pieces)}}


def tokens(pieces):
    for piece in pieces:
        yield {"token": {"id": 1, "text": piece, "special": False}, "generated_text": None}
    details = {"finish_reason": "eos_token", "input_length": 3, "generated_tokens": len(pieces)}
    end = {"id": 0, "text": "</s>", "special": True}
    yield {"token": end, "generated_text": "".join(pieces), "details": details}


@given(st.sampled_from(sorted(WAYS)), st.lists(TEXTS.filter(bool), max_size=5), st.data())
def test_an_answer_cut_at_any_bytes_brings_the_same_pieces(way, pieces, data):
    schema, raw_prompt = way
    lines = tokens(pieces) if raw_prompt else chat_chunks(pieces)
    raw = "".join(WAYS[way].format(json.dumps(line, ensure_ascii=False)) for line in lines).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=8)))
    events = [
        {"PayloadPart": {"Bytes": raw[start:stop]}}
        for start, stop in zip([0, *cuts], [*cuts, len(raw)], strict=True)
    ]
    dialect = endpoint_dialect(schema, served_name="student", raw=raw_prompt)
    told = list(dialect.read_stream(events, ASKED))
    assert [piece.text for piece in told if piece.text] == pieces
    assert {piece.stop_reason for piece in told} - {""} == {"end_turn"}
    assert told[-1].counts["input_tokens"] == 3
    assert told[-1].counts["output_tokens"] == len(pieces)


@given(streams())
def test_a_stream_that_comes_byte_by_byte_brings_the_same_values(stream):
    values, raw = stream
    assert decoded(raw[at : at + 1] for at in range(len(raw))) == values
