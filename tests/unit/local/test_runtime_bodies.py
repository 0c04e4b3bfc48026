"""InvokeModel's body formats: what a body asks, what a response says, what chunks add up to."""

from __future__ import annotations

import json

import pytest

from bedrock_distill.local.gateway.errors import AwsError
from bedrock_distill.local.services.runtime.asks import Answer, Stream
from bedrock_distill.local.services.runtime.bodies import FORMATS
from bedrock_distill.local.services.runtime.bodies.reading import About

ABOUT = About(model_id="amazon.nova-micro-v1:0", request_id="11111111-2222-4333-8444-555555555555", created=1)
ANSWER = Answer(text="Hello there", stop_reason="end_turn", input_tokens=7, output_tokens=3)

SYSTEM, FIRST, REPLY, SECOND = "Be brief.", "Who are you?", "A model.", "Which one?"

CONVERSATIONS = {
    "nova": {
        "schemaVersion": "messages-v1",
        "system": [{"text": SYSTEM}],
        "messages": [
            {"role": "user", "content": [{"text": FIRST}]},
            {"role": "assistant", "content": [{"text": REPLY}]},
            {"role": "user", "content": [{"text": SECOND}]},
        ],
        "inferenceConfig": {
            "maxTokens": 9,
            "temperature": 0,
            "topP": 0.5,
            "topK": 3,
            "stopSequences": ["END"],
        },
    },
    "llama": {
        "prompt": (
            f"<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\n{SYSTEM}<|eot_id|>"
            f"<|start_header_id|>user<|end_header_id|>\n\n{FIRST}<|eot_id|>"
            f"<|start_header_id|>assistant<|end_header_id|>\n\n{REPLY}<|eot_id|>"
            f"<|start_header_id|>user<|end_header_id|>\n\n{SECOND}<|eot_id|>"
            "<|start_header_id|>assistant<|end_header_id|>\n"
        ),
        "max_gen_len": 9,
        "temperature": 0,
        "top_p": 0.5,
    },
    "anthropic": {
        "anthropic_version": "bedrock-2023-05-31",
        "system": SYSTEM,
        "messages": [
            {"role": "user", "content": FIRST},
            {"role": "assistant", "content": [{"type": "text", "text": REPLY}]},
            {"role": "user", "content": [{"type": "text", "text": SECOND}]},
        ],
        "max_tokens": 9,
        "temperature": 0,
        "top_p": 0.5,
        "stop_sequences": ["END"],
    },
    "titan": {
        "inputText": f"User: {FIRST}\nBot: {REPLY}\nUser: {SECOND}\nBot:",
        "textGenerationConfig": {"maxTokenCount": 9, "temperature": 0, "topP": 0.5, "stopSequences": ["END"]},
    },
    "mistral": {
        "prompt": f"<s>[INST] {FIRST} [/INST]\n{REPLY}</s>\n[INST] {SECOND} [/INST]",
        "max_tokens": 9,
        "temperature": 0,
        "top_p": 0.5,
        "stop": ["END"],
    },
    "cohere": {
        "preamble": SYSTEM,
        "chat_history": [
            {"role": "USER", "message": FIRST},
            {"role": "CHATBOT", "message": REPLY},
        ],
        "message": SECOND,
        "max_tokens": 9,
        "temperature": 0,
        "p": 0.5,
        "stop_sequences": ["END"],
    },
    "deepseek": {
        "prompt": (
            f"<｜begin▁of▁sentence｜><｜User｜>{FIRST}<｜Assistant｜>{REPLY}<｜end▁of▁sentence｜>"  # noqa: RUF001 - its marks
            f"<｜User｜>{SECOND}<｜Assistant｜><think>\n"  # noqa: RUF001 - its marks
        ),
        "max_tokens": 9,
        "temperature": 0,
        "top_p": 0.5,
        "stop": ["END"],
    },
    "openai": {
        "messages": [
            {"role": "system", "content": SYSTEM},
            {"role": "user", "content": FIRST},
            {"role": "assistant", "content": REPLY},
            {"role": "user", "content": [{"type": "text", "text": SECOND}]},
        ],
        "max_completion_tokens": 9,
        "temperature": 0,
        "top_p": 0.5,
        "stop": "END",
    },
}
WITHOUT_SYSTEM = {"titan", "mistral", "deepseek"}
WITHOUT_STOP = {"llama"}


def read(family, document):
    return FORMATS[family].read(json.dumps(document).encode())


def refusal(family, document):
    with pytest.raises(AwsError) as caught:
        read(family, document)
    assert caught.value.code == "ValidationException"
    return caught.value.message


def pieces():
    return Stream(ANSWER.input_tokens, iter(["Hello", " there", ANSWER]))


def chunks(family):
    return list(FORMATS[family].chunks(pieces(), ABOUT))


@pytest.mark.parametrize("family", CONVERSATIONS)
def test_every_family_reads_a_conversation_of_several_turns(family):
    prompt = read(family, CONVERSATIONS[family]).prompt
    assert [(message.role, message.text) for message in prompt.messages] == [
        ("user", FIRST),
        ("assistant", REPLY),
        ("user", SECOND),
    ]
    assert prompt.system_text == (None if family in WITHOUT_SYSTEM else SYSTEM)


@pytest.mark.parametrize("family", CONVERSATIONS)
def test_every_family_reads_its_inference_parameters(family):
    given = read(family, CONVERSATIONS[family]).parameters
    assert (given.max_tokens, given.temperature, given.top_p) == (9, 0, 0.5)
    assert given.stop == (() if family in WITHOUT_STOP else ("END",))


@pytest.mark.parametrize("family", ["llama", "titan", "mistral", "deepseek"])
def test_a_prompt_without_marks_is_one_user_message(family):
    key = "inputText" if family == "titan" else "prompt"
    prompt = read(family, {key: "Just a question?"}).prompt
    assert [(message.role, message.text) for message in prompt.messages] == [("user", "Just a question?")]


def test_what_the_caller_leaves_out_is_the_familys_default():
    ask = read("llama", {"prompt": "Hi"}).filled("llama")
    assert (ask.parameters.max_tokens, ask.parameters.temperature, ask.parameters.top_p) == (512, 0.5, 0.9)


def test_a_temperature_of_zero_is_not_mistaken_for_one_left_out():
    assert read("llama", {"prompt": "Hi", "temperature": 0}).filled("llama").parameters.temperature == 0


@pytest.mark.parametrize(
    ("family", "document", "words"),
    [
        ("nova", {}, "#: required key [messages] not found"),
        ("nova", {"messages": "Hi"}, "#/messages: expected type: JSONArray, found: String"),
        (
            "nova",
            {"messages": [{"role": "user", "content": "Hi"}]},
            "#/messages/0/content: expected type: JSONArray",
        ),
        ("nova", {"messages": [], "colour": 1}, "#: extraneous key [colour] is not permitted"),
        ("llama", {"prompt": "Hi", "max_gen_len": 9000}, "#/max_gen_len: 9000 is not less or equal to 8192"),
        ("llama", {"prompt": "Hi", "temperature": -1}, "#/temperature: -1 is not greater or equal to 0"),
        (
            "llama",
            {"prompt": "Hi", "max_gen_len": True},
            "#/max_gen_len: expected type: Integer, found: Boolean",
        ),
        ("anthropic", {"max_tokens": 1, "messages": []}, "required key [anthropic_version] not found"),
        (
            "mistral",
            {"prompt": "Hi", "stop": ["x"] * 11},
            "#/stop: expected maximum item count: 10, found: 11",
        ),
        (
            "cohere",
            {"message": "x", "chat_history": [{"role": "ME", "message": "x"}]},
            "ME is not a valid enum value",
        ),
    ],
)
def test_a_body_of_another_shape_is_malformed_in_awss_words(family, document, words):
    message = refusal(family, document)
    assert message.startswith("Malformed input request: #")
    assert words in message
    assert message.endswith(", please reformat your input and try again.")


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[]", b"null", b'"text"'])
@pytest.mark.parametrize("family", CONVERSATIONS)
def test_a_body_that_is_no_json_object_is_malformed(family, body):
    with pytest.raises(AwsError) as caught:
        FORMATS[family].read(body)
    assert caught.value.code == "ValidationException"
    assert caught.value.message.startswith("Malformed input request: ")


@pytest.mark.parametrize(
    ("family", "change", "field"),
    [
        ("nova", {"toolConfig": {"tools": [{}]}}, "toolConfig"),
        ("nova", {"messages": [{"role": "user", "content": [{"image": {}}]}]}, "messages.0.content.0.image"),
        ("llama", {"images": ["aGk="]}, "images"),
        ("anthropic", {"tools": [{"name": "t"}]}, "tools"),
        (
            "anthropic",
            {"messages": [{"role": "user", "content": [{"type": "image"}]}]},
            "messages.0.content.0.image",
        ),
        ("cohere", {"documents": [{"title": "t"}]}, "documents"),
        ("openai", {"tools": [{"type": "function"}]}, "tools"),
        ("openai", {"response_format": {"type": "json_object"}}, "response_format"),
    ],
)
def test_what_text_models_do_not_take_is_refused_by_name(family, change, field):
    message = refusal(family, CONVERSATIONS[family] | change)
    assert message == f"This model doesn't support the {field} field. Remove {field} and try again."


@pytest.mark.parametrize(
    ("family", "text"),
    [
        ("nova", lambda body: body["output"]["message"]["content"][0]["text"]),
        ("llama", lambda body: body["generation"]),
        ("anthropic", lambda body: body["content"][0]["text"]),
        ("titan", lambda body: body["results"][0]["outputText"]),
        ("mistral", lambda body: body["outputs"][0]["text"]),
        ("cohere", lambda body: body["text"]),
        ("deepseek", lambda body: body["choices"][0]["text"]),
        ("openai", lambda body: body["choices"][0]["message"]["content"]),
    ],
)
def test_every_family_has_the_answer_where_its_documentation_says(family, text):
    body = FORMATS[family].render(ANSWER, ABOUT)
    assert text(json.loads(json.dumps(body))) == "Hello there"


def test_the_reason_to_stop_is_in_the_familys_own_words():
    cut = Answer(text="x", stop_reason="max_tokens", input_tokens=1, output_tokens=1)
    rendered = {family: json.dumps(FORMATS[family].render(cut, ABOUT)) for family in CONVERSATIONS}
    words = {"nova": "max_tokens", "anthropic": "max_tokens", "titan": "LENGTH", "cohere": "MAX_TOKENS"}
    assert all(f'"{words.get(family, "length")}"' in body for family, body in rendered.items())


def nova_text(chunk):
    return chunk.get("contentBlockDelta", {}).get("delta", {}).get("text", "")


def openai_text(chunk):
    return chunk["choices"][0]["delta"].get("content", "")


@pytest.mark.parametrize(
    ("family", "text"),
    [
        ("nova", nova_text),
        ("llama", lambda chunk: chunk["generation"]),
        ("anthropic", lambda chunk: chunk.get("delta", {}).get("text", "")),
        ("titan", lambda chunk: chunk["outputText"]),
        ("mistral", lambda chunk: chunk["outputs"][0]["text"]),
        ("cohere", lambda chunk: chunk.get("text", "")),
        ("deepseek", lambda chunk: chunk["choices"][0]["text"]),
        ("openai", openai_text),
    ],
)
def test_the_chunks_of_every_family_add_up_to_the_answer(family, text):
    assert "".join(map(text, chunks(family))) == "Hello there"


def test_claude_streams_the_messages_apis_events_in_order():
    assert [chunk["type"] for chunk in chunks("anthropic")] == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]


def test_llama_counts_the_prompt_in_its_first_chunk_and_stops_in_its_last():
    first, *_, last = chunks("llama")
    assert (first["prompt_token_count"], first["stop_reason"]) == (7, None)
    assert (last["generation_token_count"], last["stop_reason"]) == (3, "stop")


def test_claude_names_itself_without_provider_and_version():
    about = About(model_id="anthropic.claude-3-haiku-20240307-v1:0", request_id=ABOUT.request_id, created=1)
    assert FORMATS["anthropic"].render(ANSWER, about)["model"] == "claude-3-haiku-20240307"
