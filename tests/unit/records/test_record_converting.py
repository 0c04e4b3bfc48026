import gzip
import json

import pytest

from bedrock_distill.errors import DataError, SpecError
from bedrock_distill.records import Message, Record
from bedrock_distill.records.converting import convert_file
from bedrock_distill.records.lines import KEEP_BYTES
from bedrock_distill.records.reading import read_records
from bedrock_distill.records.shapes import Fields


@pytest.fixture
def convert(tmp_path):
    """Convert text, bytes or rows; gives the report and the records."""

    def run(source, **options):
        if isinstance(source, list):
            source = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in source)
        path, target = tmp_path / "source", tmp_path / "target.jsonl"
        path.write_bytes(source if isinstance(source, bytes) else source.encode())
        report = convert_file(path, target, **options)
        return report, list(read_records(target))

    return run


def chat(*turns, **more):
    return {"messages": [{"role": role, "content": content} for role, content in turns], **more}


HELLO = Record.of("Hello", completion="Hi")
SYSTEM = Record.of("Hello", completion="Hi", system="Be brief.")
TWO_TURNS = chat(("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d"))


@pytest.mark.parametrize(
    ("row", "record"),
    [
        ({"prompt": "Hello", "completion": "Hi"}, HELLO),
        ({"prompt": "Hello", "completion": "Hi", "system": "Be brief."}, SYSTEM),
        ({"prompt": "Hello", "completion": "  ", "system": ""}, Record.of("Hello")),
        ({"prompt": "Hello", "completion": None}, Record.of("Hello")),
        (chat(("user", "Hello"), ("assistant", "Hi")), HELLO),
        (chat(("system", "Be brief."), ("user", "Hello"), ("assistant", "Hi")), SYSTEM),
        (chat(("developer", "Be brief."), ("user", "Hello"), ("assistant", "Hi")), SYSTEM),
        (chat(("user", "Hello"), ("assistant", "Hi"), system="Be brief."), SYSTEM),
        (
            chat(("user", [{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo"}])),
            Record.of("Hel\nlo"),
        ),
        (
            chat(
                ("user", [{"text": "Hello"}]), ("assistant", [{"text": "Hi"}]), system=[{"text": "Be brief."}]
            ),
            SYSTEM,
        ),
        (chat(("user", "Hello"), ("assistant", "Hi"), schemaVersion="bedrock-conversion-2024"), HELLO),
        (chat(("user", "Hello"), completion="Hi"), HELLO),
        (
            chat(("system", "one"), ("system", "two"), ("user", "Hello"), system="zero"),
            Record.of("Hello", system="zero\none\ntwo"),
        ),
    ],
)
def test_a_row_of_any_known_shape_becomes_the_same_record(convert, row, record):
    assert convert([row])[1] == [record]


def test_shapes_may_be_mixed_in_one_file_and_are_counted(convert):
    report, records = convert(
        [{"prompt": "Hello", "completion": "Hi"}, chat(("user", "Hello"), ("assistant", "Hi"))]
    )
    assert records == [HELLO, HELLO]
    assert report.formats == {"prompt-completion": 1, "chat": 1}
    assert (report.records, report.labelled, report.bad_rows) == (2, 2, 0)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_is_told_by_its_header_and_a_field_may_span_lines(convert, delimiter):
    text = 'System,Prompt,completion\r\n,"Hel""lo"",\nthere",Hi\r\n\r\nBe brief.,Hello,\r\n'.replace(
        ",", delimiter
    )
    report, records = convert(text)
    assert records == [
        Record.of(f'Hel"lo"{delimiter}\nthere', completion="Hi"),
        Record.of("Hello", system="Be brief."),
    ]
    assert (report.formats, report.blank, report.labelled) == ({"csv": 2}, 1, 1)


def test_plain_text_is_one_prompt_a_line(convert):
    report, records = convert("\ufeffWhere is my order?\r\n\r\nIt broke, again\n")
    assert records == [Record.of("Where is my order?"), Record.of("It broke, again")]
    assert (report.formats, report.blank) == ({"text": 2}, 1)


def test_a_format_that_is_named_is_not_guessed(convert):
    line = '{"prompt": "x"}'
    assert convert(line, format="text")[1] == [Record.of(line)]
    assert convert("prompt\nHello\n", format="text")[1] == [Record.of("prompt"), Record.of("Hello")]
    assert convert("prompt\nHello\n")[1] == [Record.of("Hello")]
    with pytest.raises(DataError, match="messages: is missing; the row has the keys 'prompt'"):
        convert(line, format="chat")
    with pytest.raises(DataError, match="needs a header with a column 'prompt'"):
        convert("a,b\n1,2\n", format="csv")
    with pytest.raises(SpecError, match="no format 'xml'"):
        convert(line, format="xml")


def test_gzip_and_a_byte_order_mark_are_no_obstacle(convert):
    line = json.dumps({"prompt": "Hello", "completion": "Hi"}).encode()
    assert convert(gzip.compress(b"\xef\xbb\xbf" + line))[1] == [HELLO]
    assert convert(b"\xef\xbb\xbf\n" + line)[1] == [HELLO]
    assert convert(b"\xef\xbb\xbfprompt,completion\nHello,Hi\n")[1] == [HELLO]


def test_other_names_for_the_parts_can_be_given(convert):
    fields = Fields(prompt="question", completion="answer", system="context")
    row = {"question": "Hello", "answer": "Hi", "context": "Be brief."}
    assert convert([row], fields=fields)[1] == [SYSTEM]
    assert convert("Id,Question,ANSWER\n1,Hello,Hi\n", fields=fields)[1] == [HELLO]
    upper = Fields(prompt="Question", completion="Answer")
    assert convert("Question,Answer\nHello,Hi\n", fields=upper)[1] == [HELLO]
    assert convert([chat(("user", "Hello"), reference="Hi")], fields=Fields(completion="reference"))[1] == [
        HELLO
    ]


def test_a_system_prompt_is_given_to_rows_that_bring_none(convert):
    rows = [{"prompt": "a"}, {"prompt": "b", "system": "own"}]
    assert convert(rows, system="given")[1] == [Record.of("a", system="given"), Record.of("b", system="own")]
    with pytest.raises(SpecError, match="blank"):
        convert(rows, system=" ")
    with pytest.raises(SpecError, match="UTF-8"):
        convert(rows, system="\udcff")


def test_completions_can_be_dropped(convert):
    report, records = convert([{"prompt": "Hello", "completion": "Hi"}, TWO_TURNS], completions=False)
    assert [record.completion for record in records] == [None, None]
    assert len(records[1].messages) == 3
    assert report.labelled == 0


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        ("first", Record.of("a", completion="b", system="s")),
        ("last", Record.of("c", completion="d", system="s")),
    ],
)
def test_one_turn_of_several_can_be_kept(convert, turns, expected):
    assert convert([{**TWO_TURNS, "system": "s"}], turns=turns)[1] == [expected]
    unanswered = chat(("user", "a"), ("assistant", "b"), ("user", "c"))
    only = {"first": Record.of("a", completion="b"), "last": Record.of("c")}[turns]
    assert convert([unanswered], turns=turns)[1] == [only]


def test_several_turns_are_kept_unless_asked_otherwise_and_can_be_refused(convert):
    texts = [
        Message.of("user", "a"),
        Message.of("assistant", "b"),
        Message.of("user", "c"),
        Message.of("assistant", "d"),
    ]
    assert convert([TWO_TURNS])[1] == [Record.of(texts)]
    with pytest.raises(DataError, match="has 4 messages, and only single turns are wanted"):
        convert([TWO_TURNS], turns="refuse")
    with pytest.raises(SpecError, match="no way 'middle'"):
        convert([TWO_TURNS], turns="middle")


BAD_ROWS = {
    "no prompt": ({"question": "x"}, "prompt", "missing-key"),
    "a prompt that is no text": ({"prompt": 1}, "prompt", "wrong-type"),
    "a blank prompt": ({"prompt": " "}, "messages[0].content[0].text", "blank-text"),
    "a completion that is no text": ({"prompt": "x", "completion": ["y"]}, "completion", "wrong-type"),
    "messages that are no list": ({"messages": "x"}, "messages", "wrong-type"),
    "no message": ({"messages": []}, "messages", "empty-messages"),
    "a message that is no object": ({"messages": ["x"]}, "messages[0]", "wrong-type"),
    "a tool's role": (chat(("user", "x"), ("tool", "y")), "messages[1].role", "unknown-role"),
    "a tool call": (
        {
            "messages": [
                {"role": "user", "content": "x"},
                {"role": "assistant", "content": None, "tool_calls": [1]},
            ]
        },
        "messages[1]",
        "non-text-content",
    ),
    "no content": (chat(("user", None)), "messages[0].content", "wrong-type"),
    "an image": (
        chat(("user", [{"type": "image_url", "image_url": {}}])),
        "messages[0].content[0]",
        "non-text-content",
    ),
    "an image block beside text": (
        chat(("user", [{"text": "x", "image": {}}])),
        "messages[0].content[0].image",
        "non-text-content",
    ),
    "a late system message": (chat(("user", "x"), ("system", "y")), "messages[1].role", "role-order"),
    "two users in a row": (chat(("user", "x"), ("user", "y")), "messages[1].role", "role-order"),
    "an assistant first": (chat(("assistant", "x")), "messages[0].role", "role-order"),
    "two labels": (chat(("user", "x"), ("assistant", "y"), completion="z"), "completion", "role-order"),
}


@pytest.mark.parametrize("name", BAD_ROWS)
def test_a_row_that_cannot_be_converted_is_told_by_line_field_and_code(convert, name):
    row, field, code = BAD_ROWS[name]
    report, records = convert([{"prompt": "fine"}, row], skip_bad=True)
    assert records == [Record.of("fine")]
    assert [(o.line, o.field, o.code) for o in report.offences] == [(2, field, code)]
    assert (report.bad_rows, report.counts) == (1, {code: 1})


BAD_LINES = {
    "a cut line": (b'{"prompt":"x', "truncated-json"),
    "not UTF-8": (b'{"prompt":"\xff"}', "not-utf8"),
    "no object": (b"7", "not-an-object"),
    "a key twice": (b'{"prompt":"x","prompt":"y"}', "duplicate-key"),
    "far too long": (b'{"prompt":"' + b"x" * KEEP_BYTES + b'"}', "line-too-long"),
}


@pytest.mark.parametrize("name", BAD_LINES)
def test_a_line_that_cannot_be_read_is_told_by_line_and_code(convert, name):
    line, code = BAD_LINES[name]
    report, records = convert(b'{"prompt":"fine"}\n\n' + line + b"\n", skip_bad=True)
    assert records == [Record.of("fine")]
    assert [(o.line, o.code) for o in report.offences] == [(3, code)]


@pytest.mark.parametrize(
    ("row", "code", "reason"),
    [
        (b"a,b,c", "invalid-csv", "has 3 fields where the header has 2"),
        (b'"a"b,c', "invalid-csv", "expected after"),
        (b"a\xff,b", "not-utf8", "0xff"),
        (b'"never closed,b', "invalid-csv", "end of data"),
        (b"x" * 200_000 + b",b", "invalid-csv", "field limit"),
        (b"x" * (KEEP_BYTES + 1) + b",b", "line-too-long", "more than"),
        (b"x," * (KEEP_BYTES // 2 + 9), "line-too-long", "more than"),
    ],
)
def test_a_csv_row_that_cannot_be_read_is_told_by_its_first_line(convert, row, code, reason):
    report, records = convert(b'prompt,completion\n"two\nlines",x\n' + row + b"\n", skip_bad=True)
    assert records == [Record.of("two\nlines", completion="x")]
    assert [(o.line, o.code) for o in report.offences] == [(4, code)]
    assert reason in report.offences[0].reason


def test_a_text_line_that_is_not_utf8_or_too_long_is_told(convert):
    report, _ = convert(b"fine\n\xff\n" + b"x" * (KEEP_BYTES + 1), skip_bad=True)
    assert [(o.line, o.code) for o in report.offences] == [(2, "not-utf8"), (3, "line-too-long")]


def test_one_bad_row_fails_the_conversion_and_leaves_the_target_as_it_was(convert, tmp_path):
    (tmp_path / "target.jsonl").write_bytes(b"before")
    with pytest.raises(
        DataError, match=r"1 of 2 rows cannot become records.*:2: prompt: is missing.*--skip-bad"
    ) as caught:
        convert([{"prompt": "x"}, {"no": 1}])
    assert caught.value.count == 1
    assert (tmp_path / "target.jsonl").read_bytes() == b"before"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["source", "target.jsonl"]


def test_a_source_of_which_no_row_can_be_converted_fails_even_when_bad_rows_may_be_skipped(convert):
    with pytest.raises(DataError, match="Is the format right"):
        convert([{"no": 1}], skip_bad=True)


@pytest.mark.parametrize("source", [b"", b"\n\n", b"\xef\xbb\xbf\n"])
def test_a_source_without_rows_is_refused(convert, source):
    with pytest.raises(DataError, match="has no row"):
        convert(source)
    with pytest.raises(DataError, match=r"has no row|needs a header"):
        convert(source, format="csv")


@pytest.mark.parametrize("source", [b'[{"prompt": "x"}]', b"[\n {"])
def test_a_json_array_is_refused_with_the_way_out(convert, source):
    with pytest.raises(DataError, match="jq"):
        convert(source)


def test_keys_without_a_place_in_a_record_are_counted_not_hidden(convert):
    rows = [{"prompt": "a", "id": 1}, {"prompt": "b", "id": 2, "tag": None}]
    assert convert(rows)[0].ignored == {"id": 2, "tag": 1}
    named = {"messages": [{"role": "user", "content": "x", "name": "me", "refusal": None}], "id": 3}
    assert convert([named])[0].ignored == {"messages[].name": 1, "id": 1}


def test_a_file_can_be_converted_in_place(tmp_path):
    path = tmp_path / "data.jsonl"
    path.write_text('{"prompt":"Hello","completion":"Hi"}\n')
    convert_file(path, path)
    assert list(read_records(path)) == [HELLO]
