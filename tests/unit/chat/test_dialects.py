"""Ways of asking: what each sends, what it refuses to send, and how it reads what comes back."""

from __future__ import annotations

import json

import pytest

from bedrock_distill.chat import ChatMessage, ChatTemplate, Target, Usage, endpoint_dialect, imported_dialect
from bedrock_distill.chat.assembly import Assembly
from bedrock_distill.chat.faults import fault_in
from bedrock_distill.chat.question import Question
from bedrock_distill.errors import ServiceError, SpecError

IMPORTED = "arn:aws:bedrock:us-east-1:123456789012:imported-model/abcdefghijkl"
TEMPLATE = ChatTemplate(
    source="{{ bos_token }}{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}",
    tokens={"bos_token": "<s>"},
    adds_bos=True,
)
TURNS = [ChatMessage.of("user", "Hi"), ChatMessage.of("assistant", "Hello"), ChatMessage.of("user", "Héllo?")]
MESSAGES = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Hello"},
    {"role": "user", "content": "Héllo?"},
]
PROMPT = "<system>Be brief.<user>Hi<assistant>Hello<user>Héllo?<assistant>"
ALL_OPTIONS = {"max_tokens": 9, "temperature": 0.5, "top_p": 0.9, "stop": ["END", "FIN"]}
ENDPOINTS = {
    "lmi": endpoint_dialect("lmi"),
    "lmi raw": endpoint_dialect("lmi", raw=True, template=TEMPLATE),
    "openai": endpoint_dialect("openai", served_name="student"),
    "openai raw": endpoint_dialect("openai", served_name="student", raw=True, template=TEMPLATE),
    "tgi": endpoint_dialect("tgi"),
    "tgi raw": endpoint_dialect("tgi", raw=True, template=TEMPLATE),
}
OPENAI_OPTIONS = {"max_tokens": 9, "temperature": 0.5, "top_p": 0.9, "stop": ["END", "FIN"]}
SAMPLED = {"max_new_tokens": 9, "details": True, "do_sample": True, "temperature": 0.5, "top_p": 0.9}
SENT = {
    "lmi": {"messages": MESSAGES, **OPENAI_OPTIONS},
    "lmi raw": {
        "inputs": PROMPT,
        "parameters": {**SAMPLED, "stop": ["END", "FIN"], "stop_sequences": ["END", "FIN"]},
    },
    "openai": {"model": "student", "messages": MESSAGES, **OPENAI_OPTIONS},
    "openai raw": {"model": "student", "prompt": PROMPT, **OPENAI_OPTIONS},
    "tgi": {"messages": MESSAGES, **OPENAI_OPTIONS},
    "tgi raw": {"inputs": PROMPT, "parameters": {**SAMPLED, "stop": ["END", "FIN"]}},
}


def asking(prompt=TURNS, **options):
    return Question.of(prompt, target="m", **options)


def body(call, member="Body"):
    return json.loads(call.params[member])


@pytest.mark.parametrize("way", ENDPOINTS)
def test_an_endpoint_is_sent_every_option_in_its_schemas_words(way):
    asked = asking(system="Be brief.", **ALL_OPTIONS)
    call = ENDPOINTS[way].ask("student", asked)
    assert (call.service, call.operation, call.member) == ("sagemaker-runtime", "invoke_endpoint", "Body")
    assert {key: value for key, value in call.params.items() if key != "Body"} == {
        "EndpointName": "student",
        "ContentType": "application/json",
    }
    assert body(call) == SENT[way]


@pytest.mark.parametrize("way", ENDPOINTS)
def test_half_a_surrogate_pair_is_refused_and_not_sent(way):
    with pytest.raises(SpecError, match="half of a surrogate pair"):
        ENDPOINTS[way].ask("student", asking("a\ud800b", system="Be brief.", max_tokens=9))


@pytest.mark.parametrize("way", ENDPOINTS)
def test_a_stream_is_asked_for_in_the_body_and_its_usage_with_it(way):
    call = ENDPOINTS[way].ask_stream("student", asking(system="Be brief.", **ALL_OPTIONS))
    assert call.api_name == "InvokeEndpointWithResponseStream"
    sent = body(call)
    assert sent.pop("stream") is True
    assert sent.pop("stream_options", None) == (None if "inputs" in sent else {"include_usage": True})
    assert sent == SENT[way]


@pytest.mark.parametrize(
    ("way", "expected"),
    [
        ("lmi", {"temperature": 0.0, "top_p": 1.0}),
        ("openai", {"temperature": 0.0, "top_p": 1.0}),
        ("tgi", {"temperature": 0.0}),
    ],
)
def test_a_full_top_p_is_left_out_only_where_the_server_takes_none(way, expected):
    sent = body(ENDPOINTS[way].ask("student", asking(temperature=0.0, top_p=1.0)))
    assert {key: sent[key] for key in ("temperature", "top_p") if key in sent} == expected


@pytest.mark.parametrize("way", ["lmi raw", "tgi raw"])
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"temperature": 0.0}, {"do_sample": False}),
        ({"temperature": 0, "top_p": 0.5}, {"do_sample": False}),
        ({"temperature": 1.0, "top_p": 1.0}, {"do_sample": True, "temperature": 1.0}),
        ({"top_p": 0.5}, {"do_sample": True, "top_p": 0.5}),
        ({}, {}),
    ],
)
def test_sampling_is_said_outright_and_never_in_values_that_tgi_refuses(way, options, expected):
    sent = body(ENDPOINTS[way].ask("student", asking(max_tokens=9, **options)))["parameters"]
    assert sent == {"max_new_tokens": 9, "details": True, **expected}


@pytest.mark.parametrize("way", ["lmi raw", "tgi raw"])
def test_a_schema_whose_default_is_thirty_tokens_is_never_left_to_it(way):
    with pytest.raises(SpecError, match="30 tokens") as caught:
        ENDPOINTS[way].ask("student", asking(max_tokens=None))
    assert caught.value.field == "max_tokens"


def test_a_completion_is_not_left_to_its_default_of_sixteen():
    for dialect in (ENDPOINTS["openai raw"], imported_dialect("OpenAICompletion")):
        with pytest.raises(SpecError, match="16 tokens"):
            dialect.ask("student", asking(max_tokens=None))


def test_imported_models_are_asked_in_each_of_their_formats():
    asked = asking(system="Be brief.", max_tokens=9, temperature=0.0, top_p=0.9)
    shared = {"temperature": 0.0, "top_p": 0.9}
    expected = {
        "BedrockCompletion": {"prompt": PROMPT, "max_gen_len": 9, **shared},
        "OpenAICompletion": {"prompt": PROMPT, "max_tokens": 9, **shared},
        "OpenAIChatCompletion": {"messages": MESSAGES, "max_tokens": 9, **shared},
    }
    for name, sent in expected.items():
        template = None if name == "OpenAIChatCompletion" else TEMPLATE
        dialect = imported_dialect(name, template=template)
        assert body(dialect.ask(IMPORTED, asked), "body") == sent
        assert body(dialect.ask_stream(IMPORTED, asked), "body") == sent


def test_stop_texts_that_a_format_has_no_word_for_are_refused():
    with pytest.raises(SpecError, match="BedrockCompletion has no stop texts") as caught:
        imported_dialect("BedrockCompletion").ask(IMPORTED, asking("Hi", stop="END"))
    assert caught.value.field == "stop"


def test_without_a_template_a_text_goes_as_it_is_and_a_conversation_nowhere():
    dialect = imported_dialect("BedrockCompletion")
    assert body(dialect.ask(IMPORTED, asking("Once upon")), "body") == {"prompt": "Once upon"}
    with pytest.raises(SpecError, match="conversation of 3 turns"):
        dialect.ask(IMPORTED, asking())


@pytest.mark.parametrize(
    ("make", "field", "advice"),
    [
        (lambda: endpoint_dialect("openai"), "served_name", "404"),
        (lambda: endpoint_dialect("lmi", template=TEMPLATE), "template", "raw=True"),
        (lambda: endpoint_dialect("sse"), "schema", "lmi, openai, tgi"),
        (lambda: imported_dialect("Converse"), "body", "BedrockCompletion"),
        (
            lambda: imported_dialect("OpenAIChatCompletion", template=TEMPLATE),
            "template",
            "Leave the template out",
        ),
    ],
)
def test_a_way_of_asking_that_cannot_work_is_refused_when_it_is_made(make, field, advice):
    with pytest.raises(SpecError, match=advice) as caught:
        make()
    assert caught.value.field == field


def test_an_id_that_answers_nobody_is_refused_by_invoke_model_too():
    with pytest.raises(SpecError, match=r"use 'amazon\.nova-micro-v1:0'"):
        imported_dialect("BedrockCompletion").ask("amazon.nova-micro-v1:0:128k", asking("Hi"))


def read(dialect, value, asked=None, *, member="Body", headers=None):
    answer = Assembly()
    response = {member: json.dumps(value).encode(), "ResponseMetadata": {"HTTPHeaders": headers or {}}}
    answer.add(dialect.read(response, asked or asking(max_tokens=9)))
    return answer


def choice(reason, **more):
    return {"choices": [{"index": 0, "message": {"content": "Hello"}, "finish_reason": reason, **more}]}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (choice("stop", stop_reason=None), "end_turn"),
        (choice("stop", stop_reason=128009), "end_turn"),
        (choice("stop", stop_reason="END"), "stop_sequence"),
        (choice("length"), "max_tokens"),
        (choice("tool_calls"), "tool_use"),
        (choice("content_filter"), "content_filtered"),
        (choice("abort"), "abort"),
    ],
)
def test_reasons_for_stopping_are_told_in_converses_words(value, expected):
    assert read(ENDPOINTS["openai"], value, asking(stop="END")).stop_reason == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (
            [{"generated_text": "Hello", "details": {"finish_reason": "eos_token", "generated_tokens": 2}}],
            ("Hello", "end_turn", Usage(0, 2)),
        ),
        (
            {
                "generated_text": "Hello",
                "details": {"finish_reason": None, "generated_tokens": 9, "prefill": [{}, {}]},
            },
            ("Hello", "max_tokens", Usage(2, 9)),
        ),
        (
            {"generated_text": "Hello", "details": {"finish_reason": "END", "generated_tokens": 2}},
            ("Hello", "stop_sequence", Usage(0, 2)),
        ),
        (
            {"generated_text": "", "details": {"finish_reason": "length", "input_length": 3}},
            ("", "max_tokens", Usage(3, 0)),
        ),
        ({"generated_text": "Hello"}, ("Hello", "end_turn", Usage())),
    ],
    ids=["TGI's list", "LMI without a reason", "a stop text as the reason", "no text", "no details"],
)
def test_a_generated_text_is_read_with_what_its_details_tell(value, expected):
    answer = read(ENDPOINTS["lmi raw"], value, asking(max_tokens=9, stop="END"))
    assert (answer.text, answer.stop_reason, answer.usage) == expected


@pytest.mark.parametrize("name", ["logprob", "log_prob"])
def test_a_stream_of_tokens_leaves_out_special_ones_and_the_repeated_text(name):
    lines = [
        {"index": 1, "token": {"id": 1, "text": "Hel", name: -0.1}, "generated_text": None, "details": None},
        {"index": 2, "token": {"id": 2, "text": "lo", name: -0.1, "special": False}, "generated_text": None},
        {
            "index": 3,
            "token": {"id": 0, "text": "</s>", name: -0.1, "special": True},
            "generated_text": "Hello",
            "details": {"finish_reason": "eos_token", "generated_tokens": 3, "input_length": 4, "seed": None},
        },
    ]
    raw = "".join(f"data:{json.dumps(line)}\n\n" for line in lines).encode()
    pieces = list(ENDPOINTS["tgi raw"].read_stream([{"PayloadPart": {"Bytes": raw}}], asking(max_tokens=9)))
    assert [piece.text for piece in pieces] == ["Hel", "lo", ""]
    assert pieces[-1].stop_reason == "end_turn"
    assert pieces[-1].counts == {"input_tokens": 4, "output_tokens": 3}


def test_tokens_from_the_prefix_cache_are_counted_apart():
    usage = {"prompt_tokens": 10, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}}
    answer = read(ENDPOINTS["openai"], {**choice("stop"), "usage": usage})
    assert answer.usage == Usage(input_tokens=6, output_tokens=2, cache_read_tokens=4)


def test_an_answer_without_text_is_empty():
    value = {"choices": [{"message": {"content": None}, "finish_reason": "tool_calls"}]}
    assert read(ENDPOINTS["lmi"], value).text == ""


def test_bedrocks_headers_count_where_the_body_does_not():
    headers = {
        "x-amzn-bedrock-input-token-count": "7",
        "x-amzn-bedrock-output-token-count": "3",
        "x-amzn-bedrock-invocation-latency": "120",
    }
    dialect = imported_dialect("BedrockCompletion")
    value = {"generation": "Hello", "generation_token_count": 2, "stop_reason": "stop"}
    answer = read(dialect, value, member="body", headers=headers)
    assert (answer.usage, answer.service_latency_s) == (Usage(7, 2), 0.12)


@pytest.mark.parametrize(
    ("way", "value", "missing"),
    [
        ("openai", {"generated_text": "x"}, "choices"),
        ("lmi raw", {"outputs": ["x"]}, "generated_text"),
        ("lmi raw", [], "object"),
        ("tgi", {"choices": [{"message": "x"}]}, "message"),
    ],
)
def test_an_answer_of_another_schema_is_no_answer(way, value, missing):
    with pytest.raises(ServiceError, match=missing) as caught:
        read(ENDPOINTS[way], value)
    assert caught.value.code == "MalformedAnswer"


@pytest.mark.parametrize(
    ("value", "code", "status", "retryable"),
    [
        ({"error": "full", "error_type": "overloaded"}, "overloaded", None, True),
        (
            {"error": {"message": "bad", "type": "BadRequestError", "code": 400}},
            "BadRequestError",
            400,
            False,
        ),
        ({"error": "bad", "code": 424}, "ModelError", 424, False),
        ({"error": {"message": "busy", "code": 503}}, "ModelError", 503, True),
        ({"choices": [{"finish_reason": "error"}]}, "ModelError", None, False),
        ([{"generated_text": "", "details": {"finish_reason": "error"}}], "ModelError", None, False),
    ],
)
def test_an_error_in_an_answers_clothes_is_known(value, code, status, retryable):
    fault = fault_in(value)
    assert (fault.code, fault.status, fault.retryable) == (code, status, retryable)


@pytest.mark.parametrize("value", [choice("stop"), [], "text", {"generated_text": "error"}, {"error": None}])
def test_an_answer_is_no_error(value):
    assert fault_in(value) is None


def test_a_target_shows_who_it_is_and_not_how_it_is_asked():
    assert repr(Target(None, "student", dialect=ENDPOINTS["lmi"])) == "Target('student')"
