"""The dataset of an evaluation job: one JSON object a line, made of the held-out prompts."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from bedrock_distill.errors import DataError, Offence, SpecError
from bedrock_distill.records.requests import as_one_text, read_requests
from bedrock_distill.records.tokens import estimate_tokens

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bedrock_distill.records.schema import Record
    from bedrock_distill.resources.evaluation_job.spec import BedrockEvaluation

__all__ = ["MOST_PROMPTS", "MOST_PROMPT_BYTES", "Dataset", "make_dataset"]

MOST_PROMPTS = 1000
"""Prompts of one dataset, and of a job with a judge (Bedrock user guide, model-evaluation-prompt-datasets-custom; endpoints and
quotas of Bedrock). Not in the service's model."""

MOST_PROMPT_BYTES = 4 * 1024
"""Size of one prompt (endpoints and quotas of Bedrock). Not verified, so plans warn and do not stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """The lines, and what a plan says of them."""

    text: str
    prompts: int
    references: int
    """How many have a golden completion."""
    unanswered: int
    """How many were left out, for there is no answer of theirs to score."""
    large: int
    """How many prompts are larger than AWS documents."""
    uncategorised: int
    """How many have no category, where one was asked for."""
    tokens: int
    """Estimated tokens of all prompts."""
    reference_tokens: int
    """Estimated tokens of all references."""


def make_dataset(spec: BedrockEvaluation) -> Dataset:
    """Read a spec's prompts, and write the lines that the job reads.

    Raises:
        DataError: If a line is no record, there are none, or a prompt is of a form that evaluation jobs do not take.
        SpecError: If there are not as many answers as prompts.
    """
    path = str(spec.data.path)
    records = list(islice(read_requests(path), spec.limit))
    if not records:
        raise DataError(f"There is nothing to evaluate on: {path} holds no prompts.")
    answers = spec.answers
    if answers is not None and len(answers) != len(records):
        raise SpecError(
            f"There are {len(answers)} answers for the {len(records)} prompts of {path}: give one for each, in their order, and "
            "None where there is none.",
            field="answers",
            value=len(answers),
        )
    if answers is None:
        _refuse_conversations(path, [record for record, _ in records])
    lines = [
        _line(record, metadata, spec, answer)
        for (record, metadata), answer in zip(records, answers or [""] * len(records), strict=True)
        if answer is not None
    ]
    if not lines:
        raise DataError(f"There is nothing to score: no prompt of {path} has an answer.")
    references = [line["referenceResponse"] for line in lines if "referenceResponse" in line]
    return Dataset(
        text="".join(f"{msgspec.json.encode(line).decode()}\n" for line in lines),
        prompts=len(lines),
        references=len(references),
        unanswered=len(records) - len(lines),
        large=sum(len(line["prompt"].encode()) > MOST_PROMPT_BYTES for line in lines),
        uncategorised=0 if spec.category is None else sum("category" not in line for line in lines),
        tokens=sum(estimate_tokens(line["prompt"]) for line in lines),
        reference_tokens=sum(map(estimate_tokens, references)),
    )


def _line(
    record: Record, metadata: Mapping[str, str], spec: BedrockEvaluation, answer: str
) -> dict[str, Any]:
    line: dict[str, Any] = {"prompt": as_one_text(record.prompt)}
    if record.completion is not None:
        line["referenceResponse"] = record.completion
    if spec.category is not None and spec.category in metadata:
        line["category"] = metadata[spec.category]
    if spec.answers is not None:
        line["modelResponses"] = [{"response": answer, "modelIdentifier": spec.label}]
    return line


def _refuse_conversations(path: str, records: list[Record]) -> None:
    """An evaluation job asks with one text and nothing else: what that cannot say would be another question."""
    offences = [
        Offence(
            path,
            None,
            "system" if record.system_text is not None else "messages",
            f"record {number} has {'a system prompt' if record.system_text is not None else 'earlier messages'}",
            "not-one-text",
        )
        for number, record in enumerate(records, 1)
        if record.system_text is not None or len(record.prompt.messages) > 1
    ]
    if offences:
        raise DataError(
            f"An evaluation job asks each prompt as one text, and {len(offences)} of {len(records)} records of {path} have more "
            f"({offences[0].reason}). Ask the model yourself, and give its answers as `answers` with a judge; or put "
            "all into the prompt's text.",
            offences=tuple(offences),
        )
