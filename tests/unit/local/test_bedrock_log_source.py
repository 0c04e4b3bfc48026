from __future__ import annotations

import gzip
import io
import json

import pytest

from bedrock_distill.local.services.bedrock.log_source import LogReader, passes

TEACHER = "amazon.nova-pro-v1:0"


class Bucket:
    """An S3 client over a dict of keys."""

    def __init__(self, objects):
        self._objects = objects

    def get_paginator(self, _name):
        return self

    def paginate(self, *, Bucket, Prefix):  # noqa: N803 - boto3's names
        assert Bucket == "logs"
        yield {"Contents": [{"Key": key} for key in self._objects if key.startswith(Prefix)]}
        yield {}

    def get_object(self, *, Bucket, Key):  # noqa: N803 - boto3's names
        assert Bucket == "logs"
        return {"Body": io.BytesIO(self._objects[Key])}


def entry(prompt="Hello?", answer="Hi.", **changes):
    body = {"messages": [{"role": "user", "content": [{"text": prompt}]}], "system": [{"text": "Be kind."}]}
    said = {
        "output": {"message": {"role": "assistant", "content": [{"text": answer}]}},
        "stopReason": "end_turn",
    }
    return {
        "schemaType": "ModelInvocationLog",
        "operation": "Converse",
        "modelId": TEACHER,
        "requestMetadata": {"project": "triage"},
        "input": {"inputContentType": "application/json", "inputBodyJson": body},
        "output": {"outputContentType": "application/json", "outputBodyJson": said},
    } | changes


def packed(*entries):
    return gzip.compress(b"\n".join(json.dumps(each).encode() for each in entries))


def read(objects, **config):
    source = {"invocationLogSource": {"s3Uri": "s3://logs/AWSLogs/"}}
    reader = LogReader(Bucket(objects), {**source, **config}, TEACHER)
    return list(reader.records()), reader.left_out


def test_prompts_are_read_with_their_system_prompt_and_without_the_answer():
    (record,), left_out = read({"AWSLogs/a.json.gz": packed(entry())})
    assert (record.prompt_text, record.system_text, record.completion) == ("Hello?", "Be kind.", None)
    assert not left_out


def test_with_the_logged_responses_the_answer_is_the_completion():
    (record,), _ = read({"AWSLogs/a.json.gz": packed(entry())}, usePromptResponse=True)
    assert record.completion == "Hi."


@pytest.mark.parametrize(
    "other",
    [
        "us.amazon.nova-pro-v1:0",
        "amazon.nova-lite-v1:0",
        f"arn:aws:bedrock:us-east-1::foundation-model/{TEACHER}",
    ],
)
def test_logged_responses_count_only_where_the_model_id_is_exactly_the_teachers(other):
    records, left_out = read({"AWSLogs/a": packed(entry(modelId=other))}, usePromptResponse=True)
    assert not records
    assert left_out["answered by another model than the teacher"] == 1
    assert len(read({"AWSLogs/a": packed(entry(modelId=other))})[0]) == 1


def test_bodies_that_were_too_large_for_the_line_are_fetched_from_their_own_object():
    body = entry()["input"]["inputBodyJson"]
    objects = {
        "AWSLogs/a.json.gz": packed(
            entry(input={"inputBodyS3Path": "s3://logs/AWSLogs/data/1_input.json.gz"})
        ),
        "AWSLogs/data/1_input.json.gz": gzip.compress(json.dumps(body).encode()),
    }
    (record,), left_out = read(objects)
    assert record.prompt_text == "Hello?"
    assert not left_out


def test_markers_and_separate_bodies_are_not_read_as_records():
    records, left_out = read(
        {"AWSLogs/x/amazon-bedrock-logs-permission-check": b"", "AWSLogs/data/1.gz": b"no"}
    )
    assert not records
    assert not left_out


LEFT_OUT = [
    ("failed invocation", entry(errorCode="ThrottlingException")),
    ("not an invocation log record", {"something": "else"}),
    ("not a single-turn text prompt", entry(input={})),
    ("not a single-turn text prompt", entry(input=None)),
    (
        "not a single-turn text prompt",
        entry(input={"inputBodyJson": {"messages": [{"role": "user", "content": [{"image": {}}]}]}}),
    ),
    (
        "not a single-turn text prompt",
        entry(input={"inputBodyJson": {"messages": [{"role": "user", "content": [{"text": "a"}]}] * 3}}),
    ),
    ("operation InvokeModel, which the local cloud does not read", entry(operation="InvokeModel")),
]


@pytest.mark.parametrize(("reason", "line"), LEFT_OUT)
def test_what_is_left_out_is_counted_with_its_reason(reason, line):
    records, left_out = read({"AWSLogs/a": packed(line)})
    assert not records
    assert dict(left_out) == {reason: 1}


def test_a_response_without_text_brings_no_completion():
    records, left_out = read(
        {"AWSLogs/a": packed(entry(output={"outputBodyJson": []}))}, usePromptResponse=True
    )
    assert not records
    assert left_out["no text in the response"] == 1


def test_a_line_that_is_not_json_is_counted_and_no_more():
    records, left_out = read({"AWSLogs/a": b"{broken\n\n" + json.dumps(entry()).encode()})
    assert len(records) == 1
    assert left_out["not an invocation log record"] == 1


METADATA = {"project": "triage", "stage": "prod"}
FILTERS = [
    ({"equals": {"project": "triage"}}, True),
    ({"equals": {"project": "other"}}, False),
    ({"notEquals": {"project": "other"}}, True),
    ({"notEquals": {"missing": "x"}}, True),
    ({"notEquals": {"project": "triage"}}, False),
    ({"andAll": [{"equals": {"project": "triage"}}, {"notEquals": {"stage": "test"}}]}, True),
    ({"andAll": [{"equals": {"project": "triage"}}, {"equals": {"stage": "test"}}]}, False),
    ({"orAll": [{"equals": {"project": "other"}}, {"equals": {"stage": "prod"}}]}, True),
    ({"orAll": [{"equals": {"project": "other"}}]}, False),
]


@pytest.mark.parametrize(("filters", "passing"), FILTERS)
def test_metadata_filters_are_one_condition_all_of_many_or_any_of_many(filters, passing):
    assert passes(filters, METADATA) is passing
    records, left_out = read(
        {"AWSLogs/a": packed(entry(requestMetadata=METADATA))}, requestMetadataFilters=filters
    )
    assert len(records) == passing
    assert left_out["filtered out by request metadata"] == (not passing)
