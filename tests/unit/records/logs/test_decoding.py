"""Lines that are not as expected: each ends under the word that says why, and none ends the scan."""

from __future__ import annotations

import json

import pytest

from bedrock_distill.records.logs import decode_line
from bedrock_distill.records.logs.decoding import Envelope

NOVA = "amazon.nova-pro-v1:0"
APPLICATION = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123"
REQUEST = {"messages": [{"role": "user", "content": [{"text": "Why?"}]}]}
RESPONSE = {
    "output": {"message": {"role": "assistant", "content": [{"text": "So."}]}},
    "stopReason": "end_turn",
    "usage": {"inputTokens": 3, "outputTokens": 2},
}
CLAUDE = {"messages": [{"role": "user", "content": "Why?"}], "max_tokens": 9}
CLAUDE_SAYS = {"content": [{"type": "text", "text": "So."}], "stop_reason": "end_turn"}


def line(request=REQUEST, response=RESPONSE, **changes):
    record = {
        "schemaType": "ModelInvocationLog",
        "timestamp": "2026-11-01T05:00:00Z",
        "operation": "Converse",
        "modelId": NOVA,
        "input": {"inputBodyJson": request},
        "output": {"outputBodyJson": response},
    } | changes
    return json.dumps(
        {name: value for name, value in record.items() if value is not ...}, separators=(",", ":")
    ).encode()


def spaced(data):
    """The same line as somebody else writes it, which no cheap look understands."""
    return json.dumps(json.loads(data), indent=1).replace("\n", " ").encode()


@pytest.mark.parametrize("written", [lambda data: data, spaced])
def test_a_line_is_read_however_it_is_written(written):
    entry = decode_line(written(line(requestMetadata={"project": "triage"})))
    assert (entry.model_id, entry.operation, entry.timestamp) == (NOVA, "Converse", "2026-11-01T05:00:00Z")
    assert (entry.metadata, entry.reason) == ({"project": "triage"}, None)
    said = entry.exchange
    assert (said.system, said.messages, said.completion, said.stop) == (None, "Why?", "So.", "end")
    assert (said.input_tokens, said.output_tokens) == (3, 2)


BROKEN = [b"", b"{", b"null", b"[]", b'"text"', b"5", b"\xff", b"{}x", line()[:-1], line() + b"}", b"\xef\xbb\xbf" + line()]  # fmt: skip


@pytest.mark.parametrize("data", BROKEN)
def test_what_is_no_object_of_json_is_broken(data):
    assert decode_line(data).reason == "broken-line"


@pytest.mark.parametrize(
    "data",
    [
        line().replace(b"Why?", b"\xff"),
        line().replace(b"Why?", b"\\ud800"),
        line(schemaType="Another").replace(b"So.", b"\xff"),
    ],
)
def test_a_text_that_is_not_unicode_breaks_its_line(data):
    assert decode_line(data).reason == "broken-line"


@pytest.mark.parametrize("answers", [True, False])
def test_half_a_surrogate_pair_breaks_its_line_wherever_it_stands(answers):
    data = line().replace(b"So.", b"\\ud83d")
    assert decode_line(data, answers=answers).reason == "broken-line"
    assert decode_line(line().replace(b"So.", b"\\ud83d\\ude00")).exchange.completion == "\U0001f600"


@pytest.mark.parametrize(
    "data",
    [
        b"{}",
        line(schemaType="Another"),
        line(schemaType=...),
        line(modelId=...),
        line(modelId=""),
        line(modelId=None),
        line(modelId=5),
        line(schemaType=None),
        line(schemaType="Another", operation=5),
    ],
)
def test_an_object_that_is_no_log_record_is_not_a_log(data):
    assert decode_line(data).reason == "not-a-log"
    assert decode_line(spaced(data)).reason == "not-a-log"


@pytest.mark.parametrize("code", ["ThrottlingException", 500])
@pytest.mark.parametrize("bodies", [{}, {"input": ..., "output": ...}, {"output": {}}])
def test_a_failed_call_is_a_failed_call_whatever_else_it_holds(code, bodies):
    entry = decode_line(line(errorCode=code, **bodies))
    assert (entry.reason, entry.exchange, entry.model_id) == ("failed-call", None, NOVA)


@pytest.mark.parametrize(
    "bodies",
    [
        {"input": ..., "output": ...},
        {"input": None, "output": None},
        {"input": {"inputContentType": "application/json"}},
        {"input": {"inputBodyJson": None}},
        {"input": {"inputBodyS3Path": "s3://acme-logs/AWSLogs/x/data/id_input.json.gz"}},
    ],
)
@pytest.mark.parametrize("answers", [True, False])
def test_without_the_request_there_is_no_body(bodies, answers):
    assert decode_line(line(**bodies), answers=answers).reason == "no-body"


@pytest.mark.parametrize(
    "output", [..., None, {}, {"outputBodyJson": None}, {"outputBodyS3Path": "s3://acme/x"}]
)
def test_without_the_answer_the_prompt_is_there_all_the_same(output):
    entry = decode_line(line(output=output))
    assert (entry.reason, entry.exchange.messages, entry.exchange.completion) == (None, "Why?", None)
    assert entry.exchange.answer_reason == "no-body"
    assert decode_line(line(output=output), answers=False).exchange.answer_reason is None


def test_bodies_that_overflowed_are_fetched_by_their_paths():
    store = {"s3://a/in": json.dumps(REQUEST).encode(), "s3://a/out": json.dumps(RESPONSE).encode()}
    asked = []

    def overflow(uri):
        asked.append(uri)
        return store.get(uri)

    data = line(input={"inputBodyS3Path": "s3://a/in"}, output={"outputBodyS3Path": "s3://a/out"})
    assert decode_line(data, overflow).exchange.completion == "So."
    assert asked == ["s3://a/in", "s3://a/out"]
    asked.clear()
    assert decode_line(data, overflow, answers=False).exchange.messages == "Why?"
    assert asked == ["s3://a/in"], "an answer that nobody wants is not fetched"
    lost = decode_line(line(output={"outputBodyS3Path": "s3://a/lost"}), overflow).exchange
    assert (lost.messages, lost.answer_reason) == ("Why?", "no-body")


def test_an_inline_body_goes_before_a_path():
    data = line(input={"inputBodyJson": REQUEST, "inputBodyS3Path": "s3://a/in"})
    assert decode_line(data, lambda _: b"{}").exchange.messages == "Why?"


@pytest.mark.parametrize("body", [b"", b"\xff", b"{", b"[" * 5000, b'["\xff"]', b"{}", b"null", b'"text"'])
@pytest.mark.parametrize("model", [NOVA, APPLICATION])
@pytest.mark.parametrize("answers", [True, False])
def test_a_damaged_body_of_its_own_is_a_reason_and_no_crash(body, model, answers):
    data = line(modelId=model, operation="InvokeModel", input={"inputBodyS3Path": "s3://a/in"})
    entry = decode_line(data, lambda _: body, answers=answers)
    assert (entry.exchange, entry.reason in {"broken-line", "unknown-format", "no-prompt"}) == (None, True)
    data = line(modelId=model, operation="InvokeModel", output={"outputBodyS3Path": "s3://a/out"})
    decoded = decode_line(data, lambda _: body)
    assert (decoded.exchange, decoded.reason in {"broken-line", "unknown-format"}) == (None, True)


@pytest.mark.parametrize("raw", [b'["\xff"]', b'{"\xff":1}', b"[" * 5000 + b"]" * 5000, b'["\\ud800"]'])
@pytest.mark.parametrize("side", ["inputBodyJson", "outputBodyJson"])
def test_an_odd_body_of_an_unknown_model_is_a_reason_and_no_crash(raw, side):
    data = line("IN", "OUT", modelId="own", operation="InvokeModel")
    data = data.replace(b'"IN"', raw if side == "inputBodyJson" else b"{}")
    data = data.replace(b'"OUT"', raw if side == "outputBodyJson" else b"{}")
    assert decode_line(data).reason in {"broken-line", "unknown-format"}


@pytest.mark.parametrize(
    "operation", ["CountTokens", "ApplyGuardrail", "InvokeModelWithBidirectionalStream", ""]
)
def test_an_operation_that_answers_no_prompt_is_unknown(operation):
    assert decode_line(line(operation=operation)).reason == "unknown-operation"


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("amazon.titan-embed-text-v2:0", "embedding"),
        ("cohere.embed-english-v3", "embedding"),
        ("amazon.nova-canvas-v1:0", "image-model"),
        ("stability.sd3-large-v1:0", "image-model"),
        ("cohere.rerank-v3-5:0", "unknown-format"),
    ],
)
def test_models_that_say_nothing_are_told_by_name(model, reason):
    assert decode_line(line(operation="InvokeModel", modelId=model)).reason == reason


@pytest.mark.parametrize("model", [APPLICATION, "own", "acme.own-v1:0"])
@pytest.mark.parametrize("answers", [True, False])
@pytest.mark.parametrize(
    ("request_", "response"),
    [
        (CLAUDE, CLAUDE_SAYS),
        (REQUEST, RESPONSE),
        ({"prompt": "Why?"}, {"generation": "So.", "stop_reason": "stop"}),
        (CLAUDE, {"choices": [{"message": {"content": "So."}, "finish_reason": "stop"}]}),
        ({"inputText": "Why?"}, {"results": [{"outputText": "So.", "completionReason": "FINISH"}]}),
        ({"message": "Why?"}, {"text": "So.", "finish_reason": "COMPLETE"}),
        (CLAUDE, [{"type": "message_start"}, {"delta": {"type": "text_delta", "text": "So."}}, {"delta": {"stop_reason": "end_turn"}}]),
    ],
)  # fmt: skip
def test_where_the_model_does_not_tell_the_keys_of_the_bodies_do(model, answers, request_, response):
    """Also where only the prompt is wanted: an application inference profile is called like any model."""
    entry = decode_line(line(request_, response, modelId=model, operation="InvokeModel"), answers=answers)
    assert (entry.reason, entry.exchange.messages) == (None, "Why?")
    assert entry.exchange.completion == ("So." if answers else None)
    assert entry.exchange.stop == ("end" if answers else None)


def test_where_the_models_format_does_not_fit_the_keys_tell():
    entry = decode_line(
        line(CLAUDE, CLAUDE_SAYS, operation="InvokeModel", modelId="meta.llama3-8b-instruct-v1:0")
    )
    assert entry.exchange.completion == "So."


@pytest.mark.parametrize(
    "response", [{"embedding": [0.1]}, {"images": ["aGk="]}, {"artifacts": [{}]}, {"sum": 1}, [], 7]
)
def test_bodies_of_unknown_models_without_an_answer_are_told_by_their_keys(response):
    entry = decode_line(line({"prompt": "Why?"}, response, modelId="own", operation="InvokeModel"))
    reasons = {"embedding": "embedding", "images": "image-model", "artifacts": "image-model"}
    wanted = next((reasons[key] for key in response if key in reasons), "unknown-format") if isinstance(response, dict) else "unknown-format"  # fmt: skip
    assert entry.reason == wanted


@pytest.mark.parametrize(
    "changes", [{"timestamp": 5}, {"requestMetadata": {"a": 1}}, {"input": 5}, {"input": []}]
)
def test_a_member_of_an_unheard_of_type_makes_a_format_unknown_and_keeps_what_is_sound(changes):
    entry = decode_line(line(**({"requestMetadata": {"project": "triage"}} | changes)))
    assert (entry.reason, entry.model_id, entry.operation) == ("unknown-format", NOVA, "Converse")
    assert entry.metadata == ({} if "requestMetadata" in changes else {"project": "triage"})


def test_a_line_nested_beyond_measure_is_a_reason_and_no_crash():
    for count in (200, 900, 5000, 100_000):
        deep = b'{"identity":' + b"[" * count + b"]" * count + b"," + line()[1:]
        assert decode_line(deep).reason in {None, "broken-line"}


def test_a_reader_without_a_word_of_the_bodies_leaves_the_envelope_empty():
    assert decode_line(b"{").envelope == Envelope()
