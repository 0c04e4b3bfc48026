import pickle

import pytest

from bedrock_distill.errors import DataError, SpecError
from bedrock_distill.records import SCHEMA_VERSION, Message, Record, TextBlock, decode_record, encode_record
from bedrock_distill.records.tokens import estimate_record_tokens, estimate_tokens, joined_texts

CONVERSATION = (Message.of("user", "one"), Message.of("assistant", "two"), Message.of("user", "three"))


def test_a_line_is_written_as_the_guide_shows_it_with_non_ascii_text_as_it_is():
    record = Record.of("Wo bleibt mein Geld? 💶", system="Be brief.", completion="Unterwegs.")
    assert encode_record(record).decode() == (
        '{"schemaVersion":"bedrock-conversation-2024","system":[{"text":"Be brief."}],"messages":['
        '{"role":"user","content":[{"text":"Wo bleibt mein Geld? 💶"}]},'
        '{"role":"assistant","content":[{"text":"Unterwegs."}]}]}'
    )
    assert decode_record(encode_record(record)) == record


def test_a_record_without_a_system_prompt_has_no_system_key():
    assert b"system" not in encode_record(Record.of("Hello"))
    assert Record.of("Hello", system="") == Record.of("Hello")


def test_a_record_tells_its_prompt_from_its_golden_label():
    record = Record.of("Hello", system="Be brief.", completion="Hi")
    assert (record.prompt_text, record.completion, record.system_text) == ("Hello", "Hi", "Be brief.")
    assert record.prompt == Record.of("Hello", system="Be brief.")
    assert record.prompt.completion is None
    assert record.prompt.prompt == record.prompt
    assert record.with_completion("Ho") == Record.of("Hello", system="Be brief.", completion="Ho")


def test_a_conversation_keeps_its_turns_and_takes_a_label_at_its_end():
    record = Record.of(CONVERSATION, completion="four")
    assert [message.role for message in record.messages] == ["user", "assistant", "user", "assistant"]
    assert (record.prompt_text, record.completion) == ("three", "four")
    assert record.prompt.messages == CONVERSATION


def test_a_conversation_that_ends_with_the_assistant_takes_no_second_label():
    with pytest.raises(SpecError, match="already ends with an assistant message"):
        Record.of(CONVERSATION[:2], completion="four")


def test_the_text_of_several_blocks_is_joined():
    assert Message("user", (TextBlock("a"), TextBlock("b"))).text == "ab"


def test_records_are_values_that_hash_and_pickle():
    record = Record.of("Hello", completion="Hi")
    assert len({record, Record.of("Hello", completion="Hi")}) == 1
    assert pickle.loads(pickle.dumps(record)) == record


@pytest.mark.parametrize(
    ("line", "field"),
    [
        (
            b'{"schemaVersion":"bedrock-conversation-2024","messages":[{"role":"bot","content":[]}]}',
            "messages[0].role",
        ),
        (b'{"messages":[]}', ""),
        (b"[1]", ""),
        (b"[" * 100_000, ""),
        (b'{"schemaVersion":"\xff"}', ""),
        (b"", ""),
    ],
)
def test_a_line_that_is_no_record_is_a_data_error_with_its_field(line, field):
    with pytest.raises(DataError, match=SCHEMA_VERSION) as caught:
        decode_record(line)
    assert [offence.field for offence in caught.value.offences] == [field]


@pytest.mark.parametrize(
    ("text", "tokens"), [("", 0), ("a", 1), ("abcd", 1), ("abcde", 2), ("日本語", 3), ("é", 1)]
)
def test_the_estimate_is_one_token_for_four_bytes_rounded_up(text, tokens):
    assert estimate_tokens(text) == tokens


def test_the_estimate_of_a_record_counts_all_its_texts():
    record = Record.of("x" * 40, system="y" * 40, completion="é" * 20)
    assert joined_texts(record) == b"\xff".join([b"y" * 40, b"x" * 40, "é".encode() * 20])
    assert estimate_record_tokens(record) == 31
