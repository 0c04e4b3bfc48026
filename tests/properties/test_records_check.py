"""What holds for every record, every line and every way a stream can be cut."""

import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedrock_distill.records import Message, Record, TextBlock, decode_record, encode_record
from bedrock_distill.records.checking import check_chunks, check_lines, vouch
from bedrock_distill.records.diagnosis import CODES, diagnose
from bedrock_distill.records.layouts import read_off
from bedrock_distill.records.rules import Rules
from bedrock_distill.records.tokens import estimate_record_tokens, joined_texts

MANY = settings(max_examples=60, deadline=None)
FEW = settings(max_examples=12, deadline=None)  # for each of many cases
RULES = Rules(max_line_bytes=1 << 19)
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=15)
TEXT = ANY_TEXT.filter(lambda text: text.strip() != "" and not text.isspace())


@st.composite
def valid_records(draw, max_messages=5):
    texts = draw(st.lists(TEXT, min_size=1, max_size=max_messages))
    messages = [Message.of("assistant" if index % 2 else "user", text) for index, text in enumerate(texts)]
    return Record.of(messages, system=draw(st.none() | TEXT))


@st.composite
def spellings(draw, record):
    """One of the many ways to write a record as JSON."""
    value = json.loads(encode_record(record))
    if draw(st.booleans()):
        value = dict(reversed(value.items()))
    line = json.dumps(
        value,
        ensure_ascii=draw(st.booleans()),
        separators=draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\t", " :  ")])),
    ).encode()
    return draw(st.sampled_from([b"", b" ", b"\t"])) + line + draw(st.sampled_from([b"", b"\r", b"  "]))


@MANY
@given(
    st.builds(
        Record.of,
        st.lists(
            st.builds(
                Message, st.sampled_from(["user", "assistant"]), st.lists(ANY_TEXT.map(TextBlock)).map(tuple)
            )
        ),
        system=st.none() | ANY_TEXT,
    )
)
def test_what_is_encoded_decodes_to_the_same(record):
    line = encode_record(record)
    assert b"\n" not in line
    assert decode_record(line) == record


@MANY
@given(st.data(), st.lists(valid_records(), min_size=1, max_size=5))
def test_every_valid_record_passes_however_it_is_written(data, records):
    report = check_lines([data.draw(spellings(record)) for record in records], RULES, "data")
    assert report.ok, report.offences
    assert report.prompts == len(records)
    assert report.labelled == sum(record.completion is not None for record in records)
    assert report.tokens == sum(map(estimate_record_tokens, records))


lines = st.one_of(
    valid_records().map(encode_record),
    valid_records().map(encode_record).map(lambda line: line[: len(line) // 2]),
    st.binary(max_size=40).map(lambda data: data.replace(b"\n", b"")),
    st.sampled_from([b"", b"  ", b"{}", b"\xef\xbb\xbf", b"x" * 3_000]),
)


@MANY
@given(st.lists(lines, max_size=12), st.booleans(), st.lists(st.integers(0, 5_000), max_size=30))
def test_a_stream_gives_the_same_report_however_it_is_cut(parts, ends_with_newline, cuts):
    data = b"\n".join(parts) + b"\n" * ends_with_newline
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    chunks = [data[start:end] for start, end in pairwise(places)]
    rules = Rules(max_line_bytes=2_000)
    assert check_chunks(chunks, rules, "data") == check_chunks([data], rules, "data")


@MANY
@given(st.lists(lines, max_size=12))
def test_the_numbers_of_a_report_add_up(parts):
    report = check_lines(parts, RULES, "data", max_offences=10_000)
    assert report.lines == len(parts) == report.blank + report.prompts + report.bad_lines
    assert {o.line for o in report.offences if o.line} == {
        number for number, line in enumerate(parts, 1) if line.strip() and diagnose(line, RULES)
    }
    assert report.counts.keys() <= CODES.keys()
    assert report.offence_count == len(report.offences)


def _paths(value, path=()):
    yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _paths(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _paths(item, (*path, index))


def _replaced(value, path, new):
    if not path:
        return new
    copy = list(value) if isinstance(value, list) else dict(value)
    copy[path[0]] = _replaced(copy[path[0]], path[1:], new)
    return copy


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.sampled_from(["", " ", "user", "assistant", "system", "text"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["text", "role", "content", "image", "x"]), inner, max_size=2)
    ),
    max_leaves=4,
)


def keeps_the_rules(value, *, multi_turn):
    """The rules once more, said as plainly as possible: the oracle."""

    def is_text(blocks):
        return (
            isinstance(blocks, list)
            and len(blocks) == 1
            and isinstance(blocks[0], dict)
            and blocks[0].keys() == {"text"}
            and isinstance(blocks[0]["text"], str)
            and blocks[0]["text"].strip() != ""
        )

    return (
        isinstance(value, dict)
        and value.keys() - {"system"} == {"schemaVersion", "messages"}
        and value["schemaVersion"] == "bedrock-conversation-2024"
        and ("system" not in value or is_text(value["system"]))
        and isinstance(value["messages"], list)
        and 1 <= len(value["messages"]) <= (99 if multi_turn else 2)
        and all(
            isinstance(message, dict)
            and message.keys() == {"role", "content"}
            and message["role"] == ("user", "assistant")[index % 2]
            and is_text(message["content"])
            for index, message in enumerate(value["messages"])
        )
    )


@MANY
@given(st.data(), valid_records(max_messages=3), JSON, st.booleans())
def test_verdicts_are_those_of_the_plainly_written_rules(data, record, new, multi_turn):
    value = json.loads(encode_record(record))
    value = _replaced(value, data.draw(st.sampled_from(list(_paths(value)))), new)
    line = json.dumps(value).encode()
    report = check_lines([line], Rules(multi_turn=multi_turn), "data")
    assert (report.prompts == 1) == keeps_the_rules(value, multi_turn=multi_turn), report.offences


@MANY
@given(valid_records(max_messages=3), st.data())
def test_a_line_that_is_vouched_for_has_no_fault_whatever_bytes_were_changed(record, data):
    line = bytearray(encode_record(record))
    for _ in range(data.draw(st.integers(0, 3))):
        place = data.draw(st.integers(0, len(line) - 1))
        line[place] = data.draw(st.integers(0, 255))
    line = bytes(line).replace(b"\n", b" ")
    try:
        read = decode_record(line)
    except ValueError:
        assert diagnose(line, RULES)
    else:
        assert vouch(read, line, True) is None or not diagnose(line, RULES)


@MANY
@given(valid_records(max_messages=2), st.booleans(), st.booleans(), st.data())
def test_what_is_read_off_a_line_is_what_the_decoder_reads_and_has_no_fault(record, ascii_only, spaced, data):
    line = json.dumps(
        json.loads(encode_record(record)), ensure_ascii=ascii_only, separators=None if spaced else (",", ":")
    ).encode()
    assert read_off(line) == (joined_texts(record), record.completion is not None)
    changed = bytearray(line)
    for _ in range(data.draw(st.integers(1, 3))):
        changed[data.draw(st.integers(0, len(line) - 1))] = data.draw(st.integers(0, 255))
    changed = bytes(changed).replace(b"\n", b" ")
    try:
        found = read_off(changed)
    except ValueError:
        found = None
    if found is not None:
        read = decode_record(changed)
        assert not diagnose(changed, RULES)
        assert found == (joined_texts(read), read.completion is not None)


_BLOCK = b'"content":[{"text":'
MUTATIONS = {
    "the end is cut off": ("truncated-json", lambda line: line[:-3]),
    "a byte is not UTF-8": ("not-utf8", lambda line: line.replace(_BLOCK + b'"', _BLOCK + b'"\xff', 1)),
    "a mark is put before": ("utf8-bom", lambda line: b"\xef\xbb\xbf" + line),
    "a bracket is put around": ("not-an-object", lambda line: b"[" + line + b"]"),
    "the version has the guide's typo": (
        "wrong-schema-version",
        lambda line: line.replace(b"ersation-", b"ersion-", 1),
    ),
    "the version is gone": (
        "missing-key",
        lambda line: line.replace(b'"schemaVersion":"bedrock-conversation-2024",', b""),
    ),
    "a key is added on top": ("unknown-key", lambda line: line[:-1] + b',"id":1}'),
    "a key is added to a message": (
        "unknown-key",
        lambda line: line.replace(b'{"role"', b'{"id":1,"role"', 1),
    ),
    "a key stands twice": (
        "duplicate-key",
        lambda line: line.replace(b'"role":"user"', b'"role":"user","role":"user"', 1),
    ),
    "a role is renamed": ("unknown-role", lambda line: line.replace(b'"role":"user"', b'"role":"human"', 1)),
    "a role is changed": (
        "role-order",
        lambda line: line.replace(b'"role":"user"', b'"role":"assistant"', 1),
    ),
    "an image is put beside the text": (
        "non-text-content",
        lambda line: line.replace(_BLOCK, b'"content":[{"image":1,"text":', 1),
    ),
    "a second block is put before": (
        "several-blocks",
        lambda line: line.replace(b'"content":[', b'"content":[{"text":"x"},', 1),
    ),
    "a text is nested": (
        "wrong-type",
        lambda line: line.replace(b'"content":[{"text":', b'"content":[{"text":0},{"text":', 1),
    ),
    "the system prompt is null": (
        "wrong-type",
        lambda line: line.replace(b'"messages"', b'"system":null,"messages"', 1),
    ),
}


@pytest.mark.parametrize("name", MUTATIONS)
@FEW
@given(record=valid_records().filter(lambda record: record.system is None))
def test_one_change_to_a_valid_line_is_caught_with_its_code(name, record):
    code, change = MUTATIONS[name]
    line = encode_record(record)
    report = check_lines([line, change(line)], RULES, "data")
    assert report.prompts == 1
    assert report.offences[0].line == 2
    assert code in report.counts
