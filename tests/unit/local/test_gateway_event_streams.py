"""Event streams: the frames themselves, and how they end."""

from __future__ import annotations

import boto3
import pytest
from botocore.eventstream import EventStreamBuffer
from botocore.exceptions import EventStreamError

from bedrock_distill.local.gateway.errors import AwsError
from bedrock_distill.local.gateway.eventstream import encode_event, encode_frame, encode_stream
from bedrock_distill.local.gateway.models import load_api

STREAM = load_api("bedrock-runtime").model.shape_for("ConverseStreamOutput")
MESSAGES = [{"role": "user", "content": [{"text": "hi"}]}]
START = {"messageStart": {"role": "assistant"}}
DELTA = {"contentBlockDelta": {"delta": {"text": "héllo"}, "contentBlockIndex": 0}}
STOP = {"messageStop": {"stopReason": "end_turn"}}


def _frames(data):
    buffer = EventStreamBuffer()
    buffer.add_data(data)
    return list(buffer)


def test_a_frame_is_read_back_by_botocore():
    (message,) = _frames(encode_frame({":event-type": "é", "b": ""}, b"\x00payload"))
    assert message.headers == {":event-type": "é", "b": ""}
    assert message.payload == b"\x00payload"


def test_an_empty_frame_is_a_frame():
    (message,) = _frames(encode_frame({}, b""))
    assert (message.headers, message.payload) == ({}, b"")


def test_a_known_frame_has_the_bytes_that_the_format_says():
    assert encode_frame({}, b"").hex() == "000000100000000005c248eb7d98c8ff"


def test_events_come_one_frame_each():
    frames = list(encode_stream(STREAM, iter([START, DELTA, STOP])))
    kinds = [_frames(frame)[0].headers[":event-type"] for frame in frames]
    assert kinds == ["messageStart", "contentBlockDelta", "messageStop"]


def test_a_frame_is_sent_before_the_next_event_is_asked_for():
    asked = []

    def events():
        for event in (START, DELTA, STOP):
            asked.append(event)
            yield event

    stream = encode_stream(STREAM, events())
    next(stream)
    assert asked == [START]


def test_whoever_makes_the_events_is_told_when_the_reader_leaves():
    left = []

    def events():
        try:
            yield START
            yield DELTA
        finally:
            left.append(True)

    stream = encode_stream(STREAM, events())
    next(stream)
    stream.close()
    assert left == [True]


def _answering(events):
    return lambda _: {"stream": events()}


def _read():
    client = boto3.client("bedrock-runtime")
    return iter(client.converse_stream(modelId="amazon.nova-pro-v1:0", messages=MESSAGES)["stream"])


def test_an_error_in_mid_stream_reaches_the_client_as_an_event_stream_error(fake, open_cloud):
    def events():
        yield START
        raise AwsError("ModelStreamErrorException", "The model stumbled.")

    cloud = open_cloud({"bedrock-runtime": fake(converse_stream=_answering(events))})
    stream = _read()
    assert next(stream) == START
    with pytest.raises(EventStreamError) as caught:
        next(stream)
    assert caught.value.response["Error"] == {
        "Code": "modelStreamErrorException",
        "Message": "The model stumbled.",
    }
    assert cloud.calls.last.code == "ModelStreamErrorException"


def test_an_error_that_the_stream_does_not_model_is_an_error_frame(fake, open_cloud):
    def events():
        yield START
        raise AwsError("AccessDeniedException", "Not any more.")

    cloud = open_cloud({"bedrock-runtime": fake(converse_stream=_answering(events))})
    stream = _read()
    next(stream)
    with pytest.raises(EventStreamError, match="Not any more"):
        next(stream)
    assert cloud.calls.last.code == "AccessDeniedException"


def test_a_slip_of_the_service_in_mid_stream_is_an_internal_error(fake, open_cloud, caplog):
    def events():
        yield START
        raise ZeroDivisionError

    cloud = open_cloud({"bedrock-runtime": fake(converse_stream=_answering(events))})
    stream = _read()
    next(stream)
    with pytest.raises(EventStreamError, match="internalServerException"):
        next(stream)
    assert "ZeroDivisionError" in caplog.text
    assert cloud.calls.last.code == "InternalServerException"


def test_an_event_that_the_model_does_not_have_is_a_slip():
    with pytest.raises(TypeError, match="contentBlockDelta"):
        encode_event(STREAM, {"surprise": {}})
