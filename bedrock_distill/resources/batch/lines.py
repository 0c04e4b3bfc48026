"""From a file of prompts to the lines of a batch inference job: `{"recordId": …, "modelInput": …}`, one a prompt.

Read twice from the same file with the same form, the lines are the same to the byte: planning digests them, applying writes
them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from bedrock_distill.records.requests import read_requests
from bedrock_distill.records.tokens import estimate_tokens
from bedrock_distill.resources.batch.bodies import BODIES, Talk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bedrock_distill.plan import RequestForm
    from bedrock_distill.records.schema import Record

__all__ = ["RequestTally", "model_input", "record_id", "tally_requests", "write_requests"]

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_PLACE_DIGITS, _CONTENT_DIGITS = 5, 6
"""A record's id has 11 letters and digits (user guide, batch-inference-data): 5 say its place, 6 its content."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestTally:
    """What the requests of a file come to."""

    records: int
    size_bytes: int
    sha256: str
    longest_line_bytes: int
    prompt_tokens: int
    """Tokens of all prompts, estimated."""


def tally_requests(path: Path, form: RequestForm) -> RequestTally:
    """Make the requests of a file, and keep only their sums.

    Raises:
        DataError: If a line of the file is no record.
    """
    digest, records, size, longest, tokens = hashlib.sha256(), 0, 0, 0, 0
    for line, prompt in _requests(path, form):
        digest.update(line)
        records, size, longest = records + 1, size + len(line), max(longest, len(line))
        tokens += sum(estimate_tokens(text) for text in (_system(prompt, form), *_texts(prompt)))
    return RequestTally(
        records=records,
        size_bytes=size,
        sha256=digest.hexdigest(),
        longest_line_bytes=longest,
        prompt_tokens=tokens,
    )


def write_requests(path: Path, form: RequestForm, target: Path) -> str:
    """Make the requests of a file, write them to another, and return the digest of what was written.

    Raises:
        DataError: If a line of the file is no record.
        OSError: If the target cannot be written.
    """
    digest = hashlib.sha256()
    with target.open("wb") as stream:
        for line, _ in _requests(path, form):
            digest.update(line)
            stream.write(line)
    return digest.hexdigest()


def record_id(place: int, content: bytes) -> str:
    """The id of a record: it sorts by the record's place, and another content has another."""
    number = int.from_bytes(hashlib.sha256(content).digest()[:8], "big")
    return _digits(place, _PLACE_DIGITS) + _digits(number, _CONTENT_DIGITS)


def model_input(prompt: Record, form: RequestForm) -> dict[str, Any]:
    """The request of one prompt; a completion is left out."""
    system, messages = _system(prompt, form), prompt.prompt.messages
    if form.invocation == "InvokeModel":
        return BODIES[form.body](Talk(system, messages, form.max_tokens, form.temperature))
    blocks = prompt.system if form.system is None else None
    inference: dict[str, Any] = {"maxTokens": form.max_tokens}
    if form.temperature is not None:
        inference["temperature"] = form.temperature
    asked: dict[str, Any] = {
        "messages": [
            {"role": turn.role, "content": [{"text": block.text} for block in turn.content]}
            for turn in messages
        ],
        "inferenceConfig": inference,
    }
    if system:
        asked["system"] = [{"text": block.text} for block in blocks] if blocks else [{"text": system}]
    return asked


def _requests(path: Path, form: RequestForm) -> Iterator[tuple[bytes, Record]]:
    # What a held-out prompt says of its request is for slices, and no part of what is asked.
    for place, (record, _) in enumerate(read_requests(str(path))):
        body = msgspec.json.encode(model_input(record, form))
        name = record_id(place, body).encode()
        yield b'{"recordId":"' + name + b'","modelInput":' + body + b"}\n", record.prompt


def _system(prompt: Record, form: RequestForm) -> str:
    return (prompt.system_text or "") if form.system is None else form.system


def _texts(prompt: Record) -> Iterator[str]:
    return (message.text for message in prompt.messages)


def _digits(number: int, count: int) -> str:
    digits = ""
    for _ in range(count):
        number, digit = divmod(number, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return digits
