"""Small logs on a disk, made line by line, so that a test says itself what must come out."""

from __future__ import annotations

import gzip
import json

import pytest

ROOT = "AWSLogs/123456789012/BedrockModelInvocationLogs/us-east-1"
NOVA = "amazon.nova-pro-v1:0"


class Lines:
    """Lines of logs and the trees they lie in."""

    @staticmethod
    def line(prompt, answer="So.", *, at="2026-11-01T05:00:00Z", **changes):
        """A line of Converse."""
        said = {"message": {"role": "assistant", "content": [{"text": answer}]}}
        record = {
            "schemaType": "ModelInvocationLog",
            "timestamp": at,
            "operation": "Converse",
            "modelId": NOVA,
            "input": {"inputBodyJson": {"messages": [{"role": "user", "content": [{"text": prompt}]}]}},
            "output": {"outputBodyJson": {"output": said, "stopReason": "end_turn"}},
        } | changes
        return json.dumps(record, separators=(",", ":")).encode()

    @staticmethod
    def packed(*lines):
        """An object of these lines."""
        return gzip.compress(b"".join(line + b"\n" for line in lines))

    @staticmethod
    def key(number, *, hour=5, day="2026/11/01"):
        """Where Bedrock would put an object."""
        return f"{ROOT}/{day}/{hour:02}/{day.replace('/', '')}T{hour:02}0000000Z_{number:016x}.json.gz"

    @staticmethod
    def record(prompt, answer=None):
        """A record, as it stands in the file."""
        turns = [("user", prompt)] + ([("assistant", answer)] if answer else [])
        messages = [{"role": role, "content": [{"text": text}]} for role, text in turns]
        return {"schemaVersion": "bedrock-conversation-2024", "messages": messages}

    @staticmethod
    def put(root, tree):
        """Write objects below a folder, and return the folder."""
        for name, data in tree.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return root

    @staticmethod
    def read(path):
        """The records of a file."""
        return [json.loads(line) for line in path.read_bytes().splitlines()]

    @classmethod
    def many(cls, objects=12, lines=5):
        """Objects with repeats within and between them: question 0 of each hour is the same."""
        return {
            cls.key(number, hour=number % 24): cls.packed(
                *(cls.line(f"Question {number * at}?", f"Answer {number}.{at}") for at in range(lines))
            )
            for number in range(objects)
        }


@pytest.fixture
def logs():
    """The maker of lines and trees."""
    return Lines
