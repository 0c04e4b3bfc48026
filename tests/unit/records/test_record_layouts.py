import json

import pytest

from bedrock_distill.records import Message, Record, encode_record
from bedrock_distill.records.checking import check_lines
from bedrock_distill.records.layouts import read_off
from bedrock_distill.records.rules import Rules
from bedrock_distill.records.tokens import joined_texts

FREE = Rules(min_prompts=0)
TEXTS = [
    "Hello",
    'two\nlines, a "quote", a \\ and a tab\t',
    "Größe 検索 🙂",
    'braces {"text":"x"}]},{"role":"assistant","content":[{"text":" in a text',
    "{",
    "a: b",
]


def spelt(record):
    value = json.loads(encode_record(record))
    return [
        json.dumps(value, ensure_ascii=ascii_only, separators=separators).encode()
        for ascii_only in (False, True)
        for separators in ((",", ":"), None)
    ]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("system", [None, *TEXTS])
@pytest.mark.parametrize("completion", [None, *TEXTS])
def test_a_line_of_a_usual_layout_is_read_off(text, system, completion):
    record = Record.of(text, system=system, completion=completion)
    for line in spelt(record):
        assert read_off(line) == (joined_texts(record), completion is not None)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        encode_record(Record.of("Hello"))[:-1],
        encode_record(Record.of("Hello")) + b" ",
        encode_record(Record.of("Hello")).replace(b'"user"', b'"human"'),
        encode_record(
            Record.of([Message.of("user", "a"), Message.of("assistant", "b"), Message.of("user", "c")])
        ),
        json.dumps(
            json.loads(encode_record(Record.of("Hello", system="Be brief."))), sort_keys=True
        ).encode(),
    ],
)
def test_another_layout_is_left_to_the_decoder(line):
    try:
        found = read_off(line)
    except ValueError:
        found = None
    assert found is None


@pytest.mark.parametrize("blank", ["", " ", "\n\t", "\u00a0\u3000"])
@pytest.mark.parametrize("place", ["prompt", "system", "completion"])
def test_a_blank_text_is_not_vouched_for(blank, place):
    value = json.loads(encode_record(Record.of("p", system="s", completion="c")))
    blocks = {
        "system": value["system"],
        "prompt": value["messages"][0]["content"],
        "completion": value["messages"][1]["content"],
    }
    blocks[place][0]["text"] = blank
    line = json.dumps(value, separators=(",", ":")).encode()
    assert read_off(line) is None
    assert check_lines([line], FREE, "data").counts == {"blank-text": 1}


TWICE = {
    "a text": (b'"text":"Hello"', b'"text":"x","text":"Hello"'),
    "a text, and a colon is an escape": (b'"text":"Hello"', b'"text":"x","text":"a\\u003ab"'),
    "a role": (b'"role":"user"', b'"role":"user","role":"user"'),
    "a role, and a colon is an escape": (b'"role":"user","content":[{"text":"', b'"role":"user","role":"user","content":[{"text":"\\u003A'),
    "a key that is an escape": (b'"text":"Hello"', b'"t\\u0065xt":"x","text":"Hello"'),
}  # fmt: skip


@pytest.mark.parametrize("name", TWICE)
@pytest.mark.parametrize("system", [None, "Be brief: please."])
def test_a_key_that_stands_twice_is_seen(name, system):
    line = encode_record(Record.of("Hello", system=system)).replace(*TWICE[name], 1)
    assert line.count(TWICE[name][1])
    for spaced in (line, line.replace(b'","', b'", "'), line[:-1] + b" }"):
        assert check_lines([spaced], FREE, "data").counts == {"duplicate-key": 1}
