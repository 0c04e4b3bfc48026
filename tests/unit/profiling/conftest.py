"""Logs with groups that are known beforehand, and what must be found in them."""

from __future__ import annotations

import gzip
import json
import random
from datetime import UTC, datetime, timedelta

import pytest

PRO, LITE = "amazon.nova-pro-v1:0", "amazon.nova-lite-v1:0"
LABELS = ("billing", "shipping", "other")
START = datetime(2026, 11, 1, tzinfo=UTC)


class Traffic:
    """Calls of known groups. The same seed makes the same calls."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.words = [
            "".join(self.rng.choices("abcdefghijklmnop", k=self.rng.randint(2, 9))) for _ in range(3000)
        ]

    def slot(self, least, most):
        """Words that vary."""
        return " ".join(self.rng.choices(self.words, k=self.rng.randint(least, most)))

    def triage(self):
        """A short system prompt, free user text, labels."""
        return "You are a triage bot.", self.slot(5, 40), self.rng.choice(LABELS)

    def extract(self):
        """A date in the system prompt, an instruction before the text, JSON of one schema."""
        answer = {"name": self.slot(1, 2), "date": self.slot(1, 1), "amount": self.rng.randint(1, 999)}
        day = self.rng.randint(10, 30)
        return (
            f"You read invoices. Today is 2026-11-{day}.",
            f"Extract name, date and amount as JSON from this invoice: {self.slot(20, 60)}",
            json.dumps(answer),
        )

    def translate(self):
        """No system prompt, a slot with two values in the midst of the instruction, free text."""
        language = self.rng.choice(["French", "German"])
        order = f"Please translate this message into {language}, and keep all names as they are: "
        return None, order + self.slot(10, 40), self.slot(10, 40)

    def chat(self):
        """Nothing fixed at all."""
        return None, self.slot(8, 60), self.slot(30, 120)

    def calls(self, shares, count, kinds=("triage", "extract", "translate", "chat")):
        """The kind of each call, and what was asked and answered."""
        chosen = self.rng.choices(kinds, shares, k=count)
        return [(kind, *getattr(self, kind)()) for kind in chosen]


def _line(
    system, prompt, answer, *, at=START, model=PRO, metadata=None, usage=(100, 10), stop="end_turn", turns=()
):
    said = [{"role": role, "content": [{"text": text}]} for role, text in turns]
    body = {"messages": [{"role": "user", "content": [{"text": prompt}]}, *said]}
    if system is not None:
        body["system"] = [{"text": system}]
    response = {
        "output": {"message": {"role": "assistant", "content": [{"text": answer}]}},
        "stopReason": stop,
    }
    if usage is not None:
        response["usage"] = {"inputTokens": usage[0], "outputTokens": usage[1]}
    record = {
        "schemaType": "ModelInvocationLog",
        "schemaVersion": "1.0",
        "timestamp": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "operation": "Converse",
        "modelId": model,
        "input": {"inputBodyJson": body},
        "output": {"outputBodyJson": response},
    }
    if metadata is not None:
        record["requestMetadata"] = metadata
    return json.dumps(record).encode()


@pytest.fixture
def line():
    """Makes a line of a log."""
    return _line


@pytest.fixture
def traffic():
    """Makes `Traffic` of a seed."""
    return Traffic


@pytest.fixture
def write(tmp_path):
    """Write lines as packed objects whose names tell no time; returns the folder."""
    made = 0

    def write(lines, *, objects=3):
        nonlocal made
        made += 1
        folder = tmp_path / f"logs{made}"
        folder.mkdir()
        for number in range(objects):
            data = b"\n".join([*lines[number::objects], b""])
            (folder / f"{number:04}.json.gz").write_bytes(gzip.compress(data, 1, mtime=0))
        return folder

    return write


@pytest.fixture
def planted(traffic, line, write):
    """Logs of 2,000 calls over ten days in four groups of known size, and how many calls of each kind there are."""
    calls = traffic(1).calls((50, 25, 15, 10), 2000)
    lines = [
        line(*call, at=START + timedelta(minutes=7.2 * number), metadata={"project": kind})
        for number, (kind, *call) in enumerate(calls)
    ]
    counts = {}
    for kind, *_ in calls:
        counts[kind] = counts.get(kind, 0) + 1
    return write(lines), counts, lines
