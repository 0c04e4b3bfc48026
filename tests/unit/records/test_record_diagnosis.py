import json

import pytest

from bedrock_distill.records.diagnosis import CODES, diagnose
from bedrock_distill.records.rules import Rules

NOVA = Rules(multi_turn=True, context_tokens=2_000, family="nova")
LLAMA = Rules(multi_turn=False, family="llama")
GOOD = {
    "schemaVersion": "bedrock-conversation-2024",
    "system": [{"text": "Be brief."}],
    "messages": [
        {"role": "user", "content": [{"text": "Hello"}]},
        {"role": "assistant", "content": [{"text": "Hi"}]},
    ],
}
TURNS = [{"role": role, "content": [{"text": "x"}]} for role in ("user", "assistant", "user")]
LINE = json.dumps(GOOD).encode()


def changed(path, value):
    """GOOD with one value replaced, or removed where the value is `...`."""
    copy = json.loads(LINE)
    *parents, last = path
    place = copy
    for key in parents:
        place = place[key]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return json.dumps(copy, ensure_ascii=False).encode()


CONTENT = ("messages", 0, "content")
CASES = {
    "a truncated line": (LINE[:-20], "", "truncated-json", "was cut"),
    "a pretty-printed record": (b"{", "", "truncated-json", "one record a line"),
    "Python's repr": (str(GOOD).encode(), "", "invalid-json", "json.dumps"),
    "two records on a line": (LINE + LINE, "", "invalid-json", "trailing characters"),
    "a raw tab in a text": (LINE.replace(b"Hello", b"He\tllo"), "", "invalid-json", "is not JSON"),
    "NaN": (LINE[:-1] + b', "score": NaN}', "", "invalid-json", "NaN"),
    "half a surrogate pair": (LINE.replace(b"Hello", b"\\ud83d!"), "", "invalid-json", "surrogate"),
    "deep nesting": (b'{"schemaVersion":' + b"[" * 100_000, "", "line-too-long", "shorten"),
    "an array": (b"[" + LINE + b"]", "", "not-an-object", "one a line"),
    "a string": (b'"hello"', "", "not-an-object", "one JSON object"),
    "null": (b"null", "", "not-an-object", "one JSON object"),
    "a byte order mark": (b"\xef\xbb\xbf" + LINE, "", "utf8-bom", "without BOM"),
    "UTF-16": ("\ufeff".encode("utf-16-le") + LINE, "", "not-utf8", "UTF-16"),
    "a byte that is not UTF-8": (LINE.replace(b"Hello", b"\xffello"), "", "not-utf8", "0xff"),
    "prompt and completion": (b'{"prompt":"a","completion":"b"}', "messages", "missing-key", "data convert"),
    "no schemaVersion": (
        changed(["schemaVersion"], ...),
        "schemaVersion",
        "missing-key",
        "bedrock-conversation-2024",
    ),
    "no messages": (changed(["messages"], ...), "messages", "missing-key", "missing"),
    "the guide's typo": (
        changed(["schemaVersion"], "bedrock-conversion-2024"),
        "schemaVersion",
        "wrong-schema-version",
        "conversation, not conversion",
    ),
    "another version": (
        changed(["schemaVersion"], "2023"),
        "schemaVersion",
        "wrong-schema-version",
        "'2023'",
    ),
    "an unknown key on top": (changed(["id"], 7), "id", "unknown-key", "remove"),
    "an unknown key with odd letters": (changed(["a b"], 7), "['a b']", "unknown-key", "remove"),
    "an unknown key in a message": (
        changed(["messages", 0, "name"], "me"),
        "messages[0].name",
        "unknown-key",
        "remove",
    ),
    "OpenAI's type key": (
        changed([*CONTENT, 0, "type"], "text"),
        "messages[0].content[0].type",
        "unknown-key",
        "data convert",
    ),
    "a system string": (changed(["system"], "Be brief."), "system", "plain-string-content", "data convert"),
    "a system null": (changed(["system"], None), "system", "wrong-type", "null"),
    "an empty system": (changed(["system"], []), "system", "empty-content", "leave the key out"),
    "a blank system": (changed(["system", 0, "text"], " "), "system[0].text", "blank-text", "blank"),
    "messages that are no list": (changed(["messages"], {}), "messages", "wrong-type", "an object"),
    "no message": (changed(["messages"], []), "messages", "empty-messages", "at least one"),
    "a message that is no object": (
        changed(["messages", 0], "Hello"),
        "messages[0]",
        "wrong-type",
        "'Hello'",
    ),
    "a message without role": (
        changed(["messages", 0, "role"], ...),
        "messages[0].role",
        "missing-key",
        "missing",
    ),
    "a message without content": (changed([*CONTENT], ...), "messages[0].content", "missing-key", "missing"),
    "a role that is a number": (
        changed(["messages", 0, "role"], 1),
        "messages[0].role",
        "wrong-type",
        "the number 1",
    ),
    "a human": (
        changed(["messages", 0, "role"], "human"),
        "messages[0].role",
        "unknown-role",
        "write `user`",
    ),
    "a system message": (
        changed(["messages", 0, "role"], "system"),
        "messages[0].role",
        "unknown-role",
        "top-level",
    ),
    "a tool's message": (
        changed(["messages", 1, "role"], "tool"),
        "messages[1].role",
        "unknown-role",
        "text to text",
    ),
    "an assistant first": (
        changed(["messages", 0, "role"], "assistant"),
        "messages[0].role",
        "role-order",
        "alternate",
    ),
    "two users in a row": (
        changed(["messages", 1, "role"], "user"),
        "messages[1].role",
        "role-order",
        "'assistant'",
    ),
    "string content": (
        changed(CONTENT, "Hello"),
        "messages[0].content",
        "plain-string-content",
        "data convert",
    ),
    "null content": (changed(CONTENT, None), "messages[0].content", "wrong-type", "null"),
    "no block": (changed(CONTENT, []), "messages[0].content", "empty-content", "empty"),
    "two blocks": (
        changed(CONTENT, [{"text": "a"}, {"text": "b"}]),
        "messages[0].content",
        "several-blocks",
        "join",
    ),
    "a block that is no object": (
        changed([*CONTENT, 0], True),
        "messages[0].content[0]",
        "wrong-type",
        "true",
    ),
    "a block without text": (
        changed([*CONTENT, 0], {}),
        "messages[0].content[0].text",
        "missing-key",
        "missing",
    ),
    "an image": (
        changed([*CONTENT, 0], {"image": {"format": "png"}}),
        "messages[0].content[0].image",
        "non-text-content",
        "text to text",
    ),
    "an image beside text": (
        changed([*CONTENT, 0, "image"], {}),
        "messages[0].content[0].image",
        "non-text-content",
        "remove",
    ),
    "a text that is a number": (
        changed([*CONTENT, 0, "text"], 42),
        "messages[0].content[0].text",
        "wrong-type",
        "42",
    ),
    "a text that is a list": (
        changed([*CONTENT, 0, "text"], []),
        "messages[0].content[0].text",
        "wrong-type",
        "a list",
    ),
    "an empty text": (
        changed([*CONTENT, 0, "text"], ""),
        "messages[0].content[0].text",
        "blank-text",
        "is empty",
    ),
    "a blank text": (
        changed([*CONTENT, 0, "text"], "\u3000\n"),
        "messages[0].content[0].text",
        "blank-text",
        "is blank",
    ),
    "the same key twice on top": (LINE[:-1] + b', "messages": []}', "messages", "duplicate-key", "keep one"),
    "the same key twice in a block": (
        LINE.replace(b'{"text": "Hello"}', b'{"text": "Hello", "text": "Ho"}'),
        "messages[0].content[0].text",
        "duplicate-key",
        "keep one",
    ),
    "a record beyond the context": (
        changed([*CONTENT, 0, "text"], "word " * 1_700),
        "messages",
        "context-too-long",
        "about 2,129 tokens",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_one_thing_wrong_is_told_by_field_code_and_advice(name):
    line, field, code, advice = CASES[name]
    faults = diagnose(line, NOVA)
    assert (faults[0].field, faults[0].code) == (field, code)
    assert advice in faults[0].reason
    assert {fault.code for fault in faults} <= CODES.keys()


@pytest.mark.parametrize("rules", [NOVA, LLAMA])
def test_nothing_is_wrong_with_a_good_line_or_with_windows_line_ends(rules):
    assert diagnose(LINE, rules) == diagnose(LINE + b"\r", rules) == []


def test_several_turns_are_fine_for_nova_and_not_for_llama():
    line = changed(["messages"], TURNS)
    assert diagnose(line, NOVA) == []
    (fault,) = diagnose(line, LLAMA)
    assert fault.code == "multi-turn"
    assert "Llama" in fault.reason
    assert "--turns last" in fault.reason


def test_a_system_message_is_not_also_called_a_second_turn():
    line = changed(["messages"], [{"role": "system", "content": [{"text": "x"}]}, *TURNS[:2]])
    assert [fault.code for fault in diagnose(line, LLAMA)] == ["unknown-role"]


def test_a_line_may_have_exactly_the_limit_in_bytes():
    room = 16 * 1024 - len(LINE)
    exact = LINE.replace(b"Hello", b"Hello" + b"x" * room)
    assert len(exact) == 16 * 1024
    assert diagnose(exact, LLAMA) == diagnose(exact + b"\r", LLAMA) == []
    (fault,) = diagnose(LINE.replace(b"Hello", b"Hello" + b"x" * (room + 1)), LLAMA)
    assert fault.code == "line-too-long"
    assert "16,385 bytes, 1 more" in fault.reason


def test_everything_wrong_with_a_line_is_told_at_once():
    line = b'\xef\xbb\xbf{"schemaVersion":"x","messages":[{"role":"bot","content":"hi"},{"content":[{"image":1}],"id":2}]}'
    assert [fault.code for fault in diagnose(line, NOVA)] == [
        "utf8-bom",
        "wrong-schema-version",
        "unknown-role",
        "plain-string-content",
        "unknown-key",
        "missing-key",
        "non-text-content",
    ]


@pytest.mark.parametrize(
    ("value", "codes"),
    [
        (b"9" * 300, {"unknown-key"}),
        (b"9" * 6_000, {"invalid-json"}),
        (b"1e999", {"invalid-json"}),
        (b"[[[[]]]]", {"unknown-key"}),
    ],
)
def test_an_odd_value_under_an_unknown_key_is_no_trouble(value, codes):
    assert {fault.code for fault in diagnose(LINE[:-1] + b', "n": ' + value + b"}", NOVA)} == codes


def test_the_page_on_data_explains_every_code(repository):
    page = (repository / "docs" / "how-to" / "prepare-data.md").read_text("utf-8")
    assert {code for code in CODES if f"`{code}`" not in page} == set()
