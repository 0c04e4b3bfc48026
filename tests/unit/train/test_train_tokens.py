from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedrock_distill.errors import SpecError
from bedrock_distill.records.schema import Message, Record
from bedrock_distill.train.tokens import (
    byte_tokenizer,
    learn_tokenizer,
    prompt_text,
    raw_ids,
    same_words,
    token_ids,
)

TEXTS = ["order 1234 has not arrived", "order 99 arrived late", "où est ma commande 7 ?"] * 3
BYTES = byte_tokenizer()
LEARNED = learn_tokenizer(TEXTS, 320)


def decode(tokenizer, ids):
    return tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_any_text_comes_back_unchanged(text):
    for tokenizer in (BYTES, LEARNED):
        if not any(special in text for special in tokenizer.all_special_tokens):
            assert decode(tokenizer, token_ids(tokenizer, [text])[0]) == text


def test_digits_stay_single_so_that_numbers_can_be_copied():
    assert len(token_ids(LEARNED, ["1234"])[0]) == 4


def test_frequent_words_become_tokens_within_the_cap():
    assert len(token_ids(LEARNED, [" arrived"])[0]) < len(" arrived")
    assert len(LEARNED) <= 320


def test_the_same_texts_give_the_same_tokenizer():
    assert same_words(LEARNED, learn_tokenizer(iter(TEXTS), 320))
    assert not same_words(LEARNED, BYTES)


def test_a_base_models_tokenizer_knows_single_bytes_only():
    assert len(token_ids(BYTES, ["naïve"])[0]) == len("naïve".encode())


def test_a_prompt_ends_where_the_answer_begins():
    messages = [Message.of("user", "Hi"), Message.of("assistant", "Hello"), Message.of("user", "Bye")]
    record = Record.of(messages, system="Be kind.", completion="Farewell")
    assert prompt_text(LEARNED, record) == (
        "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
        "<|im_start|>assistant\nHello<|im_end|>\n<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\n"
    )


def test_a_conversation_that_the_template_refuses_is_told_with_its_roles():
    tokenizer = byte_tokenizer()
    tokenizer.chat_template = (
        "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    )
    assert prompt_text(tokenizer, Record.of("Hi")) == ""
    with pytest.raises(SpecError, match="system, user: no system"):
        prompt_text(tokenizer, Record.of("Hi", system="Be kind."))


def test_a_raw_text_begins_once_with_what_begins_every_text():
    from tokenizers.processors import TemplateProcessing

    tokenizer = byte_tokenizer()
    tokenizer.bos_token = "<|im_start|>"
    begin = tokenizer.bos_token_id
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<|im_start|> $A", special_tokens=[("<|im_start|>", begin)]
    )
    assert raw_ids(tokenizer, "a") == raw_ids(tokenizer, "<|im_start|>a")
    assert raw_ids(tokenizer, "a").count(begin) == 1
