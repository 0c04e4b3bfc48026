"""What a plan counts in logs is what a job of the local cloud uses of them, and what `from_logs` writes.

Two filters are at work: ours, which counts and writes, and the cloud's, which reads the request as it was sent.
"""

from __future__ import annotations

import gzip
import io
import json
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from botocore.exceptions import ClientError
from hypothesis import event, given, settings
from hypothesis import strategies as st

from bedrock_distill.harvest import count_logs, from_logs
from bedrock_distill.local.services.bedrock.log_source import LogReader
from bedrock_distill.records.logs import LogQuery, Metadata
from bedrock_distill.records.schema import encode_record
from bedrock_distill.resources import InvocationLogs

TEACHER = "amazon.nova-pro-v1:0"
MODELS = [TEACHER, f"us.{TEACHER}", f"arn:aws:bedrock:us-east-1::foundation-model/{TEACHER}", "acme.own-v1:0"]
CLAUDE = "anthropic.claude-3-haiku-20240307-v1:0"
KEYS, VALUES = ["project", "env", "team"], ["triage", "triage", "", "a b"]
ANY_STOP = ("end", "length", "filtered", "other", None)
FOLDER = "AWSLogs/123456789012/BedrockModelInvocationLogs/us-east-1/2026/11/01/05"

conditions = st.builds(
    lambda key, value, negated: Metadata(key) != value if negated else Metadata(key) == value,
    st.sampled_from(KEYS),
    st.sampled_from(VALUES),
    st.booleans(),
)


@st.composite
def filters(draw):
    """None, one condition, or up to 16 of one kind; rarely many that must all hold, as nothing passes those."""
    any_of = draw(st.booleans())
    parts = draw(st.lists(conditions, max_size=16 if any_of else draw(st.sampled_from([3, 3, 16]))))
    if not parts:
        return None
    found = parts[0]
    for part in parts[1:]:
        found = found | part if any_of else found & part
    return found


texts = st.sampled_from(["Hello?", "Where is my parcel?", "é日\U0001f600", "A" * 300, "short", ""])
USER, ASSISTANT = ({"role": role, "content": [{"text": role}]} for role in ("user", "assistant"))
turns = st.one_of(
    st.just([USER, ASSISTANT, USER]),
    st.just([USER, ASSISTANT]),
    st.lists(st.sampled_from([USER, ASSISTANT]), min_size=1, max_size=3),
)
prompts = st.one_of(
    st.just([USER]),
    st.just([USER]),
    texts.map(lambda text: [{"role": "user", "content": [{"text": text}]}]),
    texts.map(lambda text: [{"role": "user", "content": [{"text": text}]}]),
    turns,
    st.just([{"role": "user", "content": [{"image": {"format": "png"}}]}]),
)
answers = st.builds(
    lambda content, stop: {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": stop,
    },
    st.sampled_from(
        [
            *([[{"text": text}] for text in ("Yes.", "No.", "é", "A" * 200)]),
            [{"toolUse": {"toolUseId": "1", "name": "f", "input": {}}}],
            [{"text": "Look"}, {"toolUse": {"toolUseId": "1", "name": "f", "input": {}}}],
            [],
        ]
    ),
    st.sampled_from(["end_turn", "end_turn", "max_tokens", "guardrail_intervened", "tool_use", "new_reason"]),
)
metadata = st.dictionaries(st.sampled_from(KEYS), st.sampled_from(VALUES)) | st.just({"project": "triage"})
invoked = st.builds(
    lambda text, answer, stop: {
        "operation": "InvokeModel",
        "modelId": CLAUDE,
        "input": {
            "inputBodyJson": {"anthropic_version": "x", "messages": [{"role": "user", "content": text}]}
        },
        "output": {"outputBodyJson": {"content": [{"type": "text", "text": answer}], "stop_reason": stop}},
    },
    texts,
    texts,
    st.sampled_from(["end_turn", "max_tokens"]),
)
conversed = st.builds(
    lambda model, operation, said, answer, error: (
        {
            "operation": operation,
            "modelId": model,
            "input": {"inputBodyJson": {"messages": said, "system": [{"text": "Be kind."}]}},
            "output": {"outputBodyJson": answer},
        }
        | ({"errorCode": "ThrottlingException"} if error else {})
    ),
    st.sampled_from([TEACHER] * 4 + MODELS),
    st.sampled_from(["Converse"] * 4 + ["ConverseStream", "CountTokens"]),
    prompts,
    answers,
    st.sampled_from([False] * 5 + [True]),
)


@st.composite
def logs(draw):
    """Objects by key: lines of a log in Bedrock's order, some broken, some with their bodies in objects of their own."""
    objects, lines = {}, []
    for number, call in enumerate(
        draw(st.lists(conversed | conversed | conversed | invoked, min_size=6, max_size=20))
    ):
        line = {"schemaType": "ModelInvocationLog", "timestamp": "2026-11-01T05:00:00Z", **call}
        line["requestMetadata"] = draw(metadata)
        where = draw(st.sampled_from(["inline"] * 12 + ["apart", "missing", "broken"]))
        if where in ("apart", "missing"):
            key = f"{FOLDER}/data/{number}_input.json.gz"
            if where == "apart":
                objects[key] = gzip.compress(json.dumps(line["input"]["inputBodyJson"]).encode())
            line["input"] = {"inputBodyS3Path": f"s3://logs/{key}"}
        text = json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode()
        lines.append(text[:-5] if where == "broken" else text)
    cut = draw(st.integers(0, len(lines)))
    for name, part in (("a", lines[:cut]), ("b", lines[cut:])):
        body = gzip.compress(b"\n".join(part))
        damaged = draw(st.sampled_from([False] * 7 + [True]))
        objects[f"{FOLDER}/{name}.json.gz"] = body[:-4] if damaged else body
    return objects


class Bucket:
    """An S3 client over a dict of keys."""

    def __init__(self, objects):
        self._objects = objects

    def get_paginator(self, _name):
        return self

    def paginate(self, *, Bucket, Prefix):  # noqa: N803 - boto3's names
        yield {"Contents": [{"Key": key} for key in sorted(self._objects) if key.startswith(Prefix)]}

    def get_object(self, *, Bucket, Key):  # noqa: N803 - boto3's names
        if Key not in self._objects:
            raise ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObject")
        return {"Body": io.BytesIO(self._objects[Key])}


@settings(max_examples=150)
@given(
    objects=logs(),
    where=filters(),
    use_responses=st.sampled_from([True, True, False]),
    teacher=st.sampled_from([TEACHER, TEACHER, MODELS[1], CLAUDE]),
)
def test_the_count_is_what_a_job_uses_and_what_from_logs_writes(objects, where, use_responses, teacher):
    spec = InvocationLogs("s3://logs", where=where, use_responses=use_responses)
    config = {"invocationLogSource": {"s3Uri": spec.source}, "usePromptResponse": use_responses}
    if spec.where is not None:
        config["requestMetadataFilters"] = spec.where
    used = Counter(encode_record(record) for record in LogReader(Bucket(objects), config, teacher).records())
    with TemporaryDirectory() as folder:
        root, out = Path(folder, "logs"), Path(folder, "records.jsonl")
        for key, body in objects.items():
            path = root / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)
        count = count_logs(root, where=spec.filter, responses=use_responses)
        query = LogQuery(
            where=spec.filter,
            exact_model=teacher if use_responses else None,
            responses=use_responses,
            stops=ANY_STOP if use_responses else (),
        )
        report = from_logs(root, out, query=query, distinct=False)
        written = Counter(out.read_bytes().splitlines())
    counted = count.pairs_of(teacher) if use_responses else count.prompts
    event(f"records used: {min(used.total(), 3)}, responses: {use_responses}")
    assert counted == used.total()
    assert written == used
    assert report.written == counted
