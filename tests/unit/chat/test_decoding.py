"""Streams of JSON lines and server-sent events: what comes out, when, and what is said about broken ones."""

from __future__ import annotations

import pytest

from bedrock_distill.chat.decoding import Decoder, read_document
from bedrock_distill.errors import ServiceError


def decoded(*parts: bytes, **options):
    decoder = Decoder(**options)
    values = [value for part in parts for value in decoder.feed(part)]
    return [*values, *decoder.end()]


@pytest.mark.parametrize(
    ("raw", "values"),
    [
        (b'{"a":1}\n{"a":2}\n', [{"a": 1}, {"a": 2}]),
        (b'{"a":1}\r\n\r\n{"a":2}', [{"a": 1}, {"a": 2}]),
        (b'data: {"a":1}\n\ndata:{"a":2}\n\ndata: [DONE]\n\n', [{"a": 1}, {"a": 2}]),
        (b': hello\nevent: token\nid: 3\nretry: 10\ndata: {"a":1}\n\n', [{"a": 1}]),
        (b'data: {\ndata: "a": 1\ndata: }\n\n', [{"a": 1}]),
        (b'data:{"a":1}\ndata:{"a":2}\n', [{"a": 1}, {"a": 2}]),
        (b'\xef\xbb\xbfdata: {"a":1}\n\n', [{"a": 1}]),
        (b"data\n\n", []),
        (b"[DONE]\n", []),
        (b'[{"generated_text":"x"}]', [[{"generated_text": "x"}]]),
        (b"", []),
    ],
    ids=[
        "JSON lines",
        "CR LF, a blank line, and no last newline",
        "events with and without a space, and a last mark",
        "comments and other fields",
        "data in several fields",
        "events that no blank line ends",
        "a byte order mark",
        "a field without a value",
        "a bare last mark",
        "a list",
        "nothing",
    ],
)
def test_what_a_stream_says(raw, values):
    assert decoded(raw) == values


def test_a_value_comes_as_soon_as_its_line_ends():
    decoder = Decoder()
    assert list(decoder.feed(b'data: {"a":1}')) == []
    assert list(decoder.feed(b"\n")) == [{"a": 1}]


def test_a_character_cut_in_two_is_whole_again():
    raw = '{"text":"日本🎉"}\n'.encode()
    for at in range(len(raw)):
        assert decoded(raw[:at], raw[at:]) == [{"text": "日本🎉"}]


def test_numbers_that_json_does_not_have_are_read_because_servers_write_them():
    (value,) = decoded(b'{"logprob": -Infinity}\n')
    assert value["logprob"] == float("-inf")


def test_an_event_called_error_is_marked_as_one():
    assert decoded(b'event: error\ndata: "out of memory"\n\ndata: {"a":1}\n\n') == [
        {"error": "out of memory"},
        {"a": 1},
    ]
    assert decoded(b'event: error\ndata: {"error": "x"}\n\n') == [{"error": "x"}]


@pytest.mark.parametrize(
    "raw",
    [b'{"a":', b'data: {"a":1', b"dat", b'data: {\ndata: "a"', "data: {'é".encode()[:-1], b"data: [DO"],
)
def test_a_stream_that_ends_inside_a_value_says_so(raw):
    with pytest.raises(ServiceError, match="ends inside a record") as caught:
        decoded(b'{"a":1}\n' + raw)
    assert (caught.value.code, caught.value.retryable) == ("IncompleteStream", True)


@pytest.mark.parametrize(
    ("raw", "what"),
    [
        (b"<html>\n", "'<html>'"),
        (b'{"a":}\n', "is not JSON"),
        (b"data: nonsense\n\n", "'nonsense'"),
        (b'{"a":"\xff"}\n', "is not JSON"),
        (b"[" * 100_000 + b"\n", "is not JSON"),
    ],
)
def test_a_line_that_is_nothing_is_shown(raw, what):
    with pytest.raises(ServiceError, match=what) as caught:
        decoded(raw)
    assert caught.value.code == "MalformedStream"


@pytest.mark.parametrize("raw", [b"x" * 90, b'{"a":"' + b"x" * 90 + b'"}\n', b"data: {\n" * 60])
def test_a_record_without_end_is_given_up_before_it_fills_the_memory(raw):
    with pytest.raises(ServiceError, match="longer than 80 bytes"):
        decoded(*(raw[at : at + 7] for at in range(0, len(raw), 7)), longest=80)


def test_what_came_before_a_bad_line_is_not_lost():
    values = Decoder().feed(b'{"a":1}\nnonsense\n')
    assert next(values) == {"a": 1}
    with pytest.raises(ServiceError):
        next(values)


def test_an_answer_that_is_no_json_is_shown():
    assert read_document(b'{\n "a": 1\n}') == {"a": 1}
    with pytest.raises(ServiceError, match="Bad Gateway") as caught:
        read_document(b"Bad Gateway")
    assert caught.value.code == "MalformedAnswer"
