"""The beginning of a round: the traffic read, what is to be learned and compared on chosen, and both written to files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from bedrock_distill.errors import DataError
from bedrock_distill.evaluation.metrics import choose_metrics
from bedrock_distill.evaluation.overlap import find_overlap
from bedrock_distill.evaluation.tasks import load_task
from bedrock_distill.records.reading import read_records
from bedrock_distill.records.requests import METADATA_KEY
from bedrock_distill.records.schema import Record, encode_record
from bedrock_distill.records.writing import write_records
from bedrock_distill.refinement.choosing import Vocabulary, choose, in_order, learnable, place_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from bedrock_distill.evaluation.answers import ChatTarget
    from bedrock_distill.evaluation.asking import Asking
    from bedrock_distill.refinement.choosing import Choice
    from bedrock_distill.refinement.spec import Refinement
    from bedrock_distill.refinement.traffic import Asked, Traffic

__all__ = ["ROUND_KEY", "RoundData", "agreement_by", "ask_teacher", "choose_from", "write_round"]

ROUND_KEY: Final = "refined-in"
"""Key of the metadata that says in which round a prompt came into the evaluation; 0 is the file that was given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundData:
    """What a round learns from and compares on, on this machine."""

    training: Path
    training_records: int
    evaluation: Path
    evaluation_records: int


def agreement_by(metric: str | None, texts: Sequence[str]) -> Callable[[str, str], float]:
    """How far an answer agrees with the teacher's, from 0 to 1, by the metric that will decide.

    Args:
        metric: Its name. None chooses as `evaluate` does.
        texts: Answers of the teacher's, to choose by.
    """
    return choose_metrics(metric, texts)[0].score


def ask_teacher(
    traffic: Traffic, spec: Refinement, teacher: ChatTarget, vocabulary: Vocabulary, asking: Asking
) -> int:
    """Put prompts to the teacher that only the student has answered, to find where they disagree.

    Half are those with the most words that are rare in training, half are drawn at random. Answers are added to the traffic.

    Returns:
        How many calls failed; their prompts stay as they were.
    """
    alone = [
        each.prompt
        for each in traffic.asked.values()
        if each.student is not None and each.teacher is None and learnable(each.prompt, spec)
    ]
    at_random = in_order(alone, spec.seed)
    strangest = sorted(at_random, key=lambda prompt: -vocabulary.novelty(prompt))[: spec.ask_teacher // 2]
    chosen = list(dict.fromkeys([*strangest, *at_random]))[: spec.ask_teacher]
    if not chosen:
        return 0
    answers = asking.side(
        "teacher",
        teacher,
        chosen,
        system=None,
        max_tokens=spec.distillation.max_response_tokens,
        temperature=0.0,
    )
    for prompt, answer in zip(chosen, answers.answers, strict=True):
        if answer.text is not None:
            traffic.at(prompt).teacher = answer.text
    return answers.failures.total()


def choose_from(
    asked: Sequence[Asked], spec: Refinement, training: Sequence[Record], evaluation: Sequence[Record]
) -> Choice:
    """What a round adds, compared by the metric that will decide."""
    texts = [each.teacher for each in asked if each.teacher is not None]
    return choose(
        asked, spec, training=training, evaluation=evaluation, agreement=agreement_by(spec.metric, texts)
    )


def write_round(
    choice: Choice, spec: Refinement, training: Path, evaluation: Path, *, number: int, folder: Path
) -> RoundData:
    """Write what a round learns from and compares on: what there was, thinned out evenly where there is too much, and the new.

    Args:
        choice: What is new.
        spec: How much there may be.
        training: What was learned so far.
        evaluation: What was compared on so far.
        number: The round's.
        folder: Where the files go.
    """
    folder.mkdir(parents=True, exist_ok=True)
    new = [each.prompt for each in choice.new]
    old = list(read_records(training))
    learned = [*(old[place] for place in _thinned(old, spec.max_training - len(new), spec.seed)), *new]
    task = load_task(str(evaluation))
    known = [
        (record if gold is None else record.with_completion(gold), {ROUND_KEY: "0", **metadata})
        for record, gold, metadata in zip(task.prompts, task.references, task.metadata, strict=True)
    ]
    kept = _thinned(task.prompts, spec.max_evaluation - len(choice.held_out), spec.seed)
    compared = [known[place] for place in kept]
    compared += [(record, {ROUND_KEY: str(number)}) for record in choice.held_out]
    compared = _apart_from(compared, learned)
    data = RoundData(
        training=folder / "training.jsonl",
        training_records=write_records(folder / "training.jsonl", learned),
        evaluation=folder / "evaluation.jsonl",
        evaluation_records=len(compared),
    )
    data.evaluation.write_bytes(b"".join(_line(record, metadata) for record, metadata in compared))
    return data


_Compared = list[tuple[Record, dict[str, str]]]


def _apart_from(compared: _Compared, learned: Sequence[Record]) -> _Compared:
    """What is compared on, without what is learned or nearly so.

    Windows that many texts share say nothing of copies, and which these are depends on all texts together. So what was found
    apart while it was chosen is looked at once more, as the evaluation will look at it, until nothing is found.
    """
    while compared:
        overlap = find_overlap(load_task([record for record, _ in compared]), learned)
        if not overlap.copies:
            return compared
        copies = {copy.prompt - 1 for copy in overlap.copies}
        compared = [each for place, each in enumerate(compared) if place not in copies]
    raise DataError(
        "Every prompt to compare on is in the training data, or nearly so: there is nothing to compare candidates on. Give an "
        "evaluation file of prompts that the student was not trained on."
    )


def _thinned(records: Sequence[Record], most: int, seed: int) -> list[int]:
    """The places of as many as there is room for, drawn by a hash, in the order they had.

    Not by the hash that new ones were drawn by: all of those come early in its order, and would push out what was there.
    """
    another = (seed + 1) % (1 << 64)
    drawn = sorted(range(len(records)), key=lambda place: place_of(records[place], another))
    return sorted(drawn[: max(most, 0)])


def _line(record: Record, metadata: Mapping[str, str]) -> bytes:
    fields: dict[str, Any] = msgspec.json.decode(encode_record(record), type=dict[str, msgspec.Raw])
    return msgspec.json.encode(fields | {METADATA_KEY: dict(metadata)}) + b"\n"
