from __future__ import annotations

import gzip
import io
import itertools
import json

import pytest
from botocore.exceptions import ClientError

from bedrock_distill.local.services.bedrock.log_source import LogReader, gather, passes
from bedrock_distill.records.logs import REASONS
from bedrock_distill.records.reading import read_records

TEACHER = "amazon.nova-pro-v1:0"


class Bucket:
    """An S3 client over a dict of keys."""

    def __init__(self, objects, refusal=None):
        self._objects, self._refusal = objects, refusal

    def get_paginator(self, _name):
        return self

    def paginate(self, *, Bucket, Prefix):  # noqa: N803 - boto3's names
        assert Bucket == "logs"
        yield {"Contents": [{"Key": key} for key in self._objects if key.startswith(Prefix)]}
        yield {}

    def get_object(self, *, Bucket, Key):  # noqa: N803 - boto3's names
        assert Bucket == "logs"
        if self._refusal or Key not in self._objects:
            raise ClientError({"Error": {"Code": self._refusal or "NoSuchKey"}}, "GetObject")
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


TURN = {"role": "user", "content": [{"text": "a"}]}
REPLY = {"role": "assistant", "content": [{"text": "b"}]}
LEFT_OUT = [
    ("failed-call", entry(errorCode="ThrottlingException")),
    ("not-a-log", {"something": "else"}),
    ("no-body", entry(input={})),
    ("no-body", entry(input=None)),
    ("no-body", entry(input={"inputBodyS3Path": "s3://logs/AWSLogs/data/gone.json.gz"})),
    (
        "not-text",
        entry(input={"inputBodyJson": {"messages": [{"role": "user", "content": [{"image": {}}]}]}}),
    ),
    ("multi-turn", entry(input={"inputBodyJson": {"messages": [TURN, REPLY, TURN]}})),
    ("unknown-operation", entry(operation="CountTokens")),
]


@pytest.mark.parametrize(("reason", "line"), LEFT_OUT)
def test_what_is_left_out_is_counted_with_its_reason(reason, line):
    records, left_out = read({"AWSLogs/a": packed(line)})
    assert not records
    assert dict(left_out) == {REASONS[reason]: 1}


def test_a_response_without_text_brings_no_completion():
    records, left_out = read(
        {"AWSLogs/a": packed(entry(output={"outputBodyJson": []}))}, usePromptResponse=True
    )
    assert not records
    assert sum(left_out.values()) == 1


def test_a_line_that_is_not_json_is_counted_and_no_more():
    records, left_out = read({"AWSLogs/a": b"{broken\n\n" + json.dumps(entry()).encode()})
    assert len(records) == 1
    assert left_out[REASONS["broken-line"]] == 1


INVOKED = {
    "operation": "InvokeModel",
    "modelId": "anthropic.claude-3-haiku-20240307-v1:0",
    "input": {
        "inputBodyJson": {
            "anthropic_version": "bedrock-2023-05-31",
            "max_tokens": 100,
            "messages": [{"role": "user", "content": "Hello?"}],
        }
    },
    "output": {
        "outputBodyJson": {
            "type": "message",
            "content": [{"type": "text", "text": "Hi."}],
            "stop_reason": "end_turn",
        }
    },
}


def test_bodies_of_invoke_model_are_read_in_their_models_own_format():
    reader = LogReader(
        Bucket({"AWSLogs/a": packed(entry(**INVOKED))}),
        {"invocationLogSource": {"s3Uri": "s3://logs/AWSLogs/"}, "usePromptResponse": True},
        INVOKED["modelId"],
    )
    (record,) = reader.records()
    assert (record.prompt_text, record.completion) == ("Hello?", "Hi.")


def test_of_a_damaged_object_the_lines_before_the_damage_are_used():
    whole = packed(entry())
    records, left_out = read({"AWSLogs/a.json.gz": whole + b"\x1f\x8b\x08broken", "AWSLogs/b.json.gz": whole})
    assert len(records) == 2
    assert left_out == {"an object that could not be read to its end": 1}


def test_a_refusal_of_s3_is_not_mistaken_for_an_empty_log():
    config = {"invocationLogSource": {"s3Uri": "s3://logs/AWSLogs/"}}
    reader = LogReader(Bucket({"AWSLogs/a": packed(entry())}, refusal="AccessDenied"), config, TEACHER)
    with pytest.raises(ClientError):
        list(reader.records())


@pytest.mark.parametrize("most", [1, 7, 10, 99, 100, 200, None])
def test_of_more_records_than_the_quota_an_even_spread_is_used_the_same_each_time(tmp_path, most):
    objects = {"AWSLogs/a": packed(*(entry(prompt=f"Question {number}?") for number in range(100)))}
    chosen = []
    for name in ("once.jsonl", "again.jsonl"):
        config = {"invocationLogSource": {"s3Uri": "s3://logs/AWSLogs/"}}
        reader = LogReader(Bucket(objects), config, TEACHER)
        gather(reader, tmp_path / name, max_line_bytes=16_384, max_records=most)
        chosen.append([record.prompt_text for record in read_records(tmp_path / name)])
    assert chosen[0] == chosen[1]
    assert len(chosen[0]) == min(most or 100, 100)
    places = [int(text.split()[1].rstrip("?")) for text in chosen[0]]
    gaps = {after - before for before, after in itertools.pairwise(places)}
    assert not gaps or max(gaps) - min(gaps) <= 1
    assert sum(reader.left_out.values()) == 100 - len(places)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again.jsonl", "once.jsonl"]


def test_a_record_longer_than_a_line_may_be_is_left_out_and_counted(tmp_path):
    objects = {"AWSLogs/a": packed(entry(), entry(prompt="x" * 5000))}
    config = {"invocationLogSource": {"s3Uri": "s3://logs/AWSLogs/"}}
    reader = LogReader(Bucket(objects), config, TEACHER)
    gather(reader, tmp_path / "out.jsonl", max_line_bytes=4000, max_records=None)
    assert [record.prompt_text for record in read_records(tmp_path / "out.jsonl")] == ["Hello?"]
    assert reader.left_out == {"longer than 4000 bytes": 1}


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
