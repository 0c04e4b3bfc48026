"""Prompts that the student was trained on: found before anything is asked, because they prove nothing.

Compared is the conversation: system prompt and golden completion left out, so that a prompt is found again under another
instruction as well. A copy is exact where the texts are the same but for letter case and white space, and near where
most of their windows are, the same windows that curation compares prompts by. What many prompts share does not count, so
that prompts of one template are no copies of each other for that; and at both ends something must be the same, so that
two questions about one document are two prompts.

Curation, with millions of records, estimates similarities from sketches. Here one side is small, so that they are counted
out: no copy above the threshold is missed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from bedrock_distill.errors import DataError, Offence, SpecError
from bedrock_distill.evaluation.tasks import records_of
from bedrock_distill.records.tokens import SEPARATOR

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bedrock_distill.evaluation.tasks import EvaluationData, Task
    from bedrock_distill.records.schema import Record

__all__ = ["NEAR", "Copy", "Overlap", "find_overlap", "refuse_overlap"]

NEAR: Final = 0.7
"""Similarity from which a prompt is a near copy: some one word in twenty changed."""

_SHOWN: Final = 10
"""Copies that an error names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A prompt of the evaluation that is in the training data too."""

    prompt: int
    """Which prompt, from 1."""
    record: int
    """Which record of the training data, from 1; the most similar one."""
    kind: Literal["exact", "near"]
    similarity: float
    """Share of their windows that they have in common (Jaccard's), without those that many prompts share; 1 if exact."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """What evaluation and training data have in common."""

    training: str
    """Where the training data came from."""
    prompts: int
    """How many prompts were looked for."""
    records: int
    """Among how many records."""
    copies: tuple[Copy, ...]
    """The prompts that were found, in their order."""

    def __str__(self) -> str:
        exact = sum(copy.kind == "exact" for copy in self.copies)
        return (
            f"{len(self.copies)} of {self.prompts} prompts are in the training data {self.training}: "
            f"{exact} as they are, {len(self.copies) - exact} nearly so."
        )


def find_overlap(task: Task, training: EvaluationData, *, threshold: float = NEAR) -> Overlap:
    """Look for the prompts among the training data.

    Args:
        task: The prompts.
        training: What the student was trained on: a JSONL file of records, an object with the file's `path`, or records.
        threshold: Least similarity of a near copy, above 0 and at most 1.

    Raises:
        DataError: If a line of the training data is no record, or there is none.
        SpecError: If the threshold makes no sense.
    """
    if not 0 < threshold <= 1:
        raise SpecError(
            f"threshold must be above 0 and at most 1, such as 0.7, not {threshold!r}.",
            field="threshold",
            value=threshold,
        )
    source, records = records_of(training)
    trained: dict[bytes, int] = {}
    count = 0
    for count, record in enumerate(records, start=1):
        trained.setdefault(_conversation(record), count)
    if not count:
        raise DataError(f"There is no training data to compare with: {source} holds no records.")
    asked = [_conversation(prompt) for prompt in task.prompts]
    near = _near(asked, trained, threshold)
    copies = (
        Copy(prompt=number, record=trained[text], kind="exact", similarity=1.0)
        if text in trained
        else Copy(prompt=number, record=near[text][0], kind="near", similarity=near[text][1])
        for number, text in enumerate(asked, start=1)
        if text in trained or text in near
    )
    return Overlap(training=source, prompts=len(asked), records=count, copies=tuple(copies))


def refuse_overlap(overlap: Overlap, source: str) -> None:
    """Refuse prompts that were trained on.

    Args:
        overlap: What was found.
        source: Where the prompts came from.

    Raises:
        DataError: Naming the first copies, if there are any.
    """
    if not overlap.copies:
        return
    offences = tuple(
        Offence(
            source,
            None,
            f"prompt {copy.prompt}",
            f"is {'the same as' if copy.kind == 'exact' else f'nearly ({copy.similarity:.2f})'} record {copy.record} of "
            f"{overlap.training}; hold it out of the training, or take it out here",
            f"{copy.kind}-copy",
        )
        for copy in overlap.copies[:_SHOWN]
    )
    raise DataError(
        f"{overlap} What a student was trained on says nothing about it: split the data again (bedrock-distill data split), "
        f"or say that you know (allow_overlap=True, --allow-overlap). The first: {offences[0]}.",
        offences=offences,
        count=len(overlap.copies),
    )


def _conversation(record: Record) -> bytes:
    said = (" ".join(message.text.casefold().split()) for message in record.prompt.messages)
    return SEPARATOR.join(text.encode("utf-8", "surrogatepass") for text in said)


def _near(
    asked: Sequence[bytes], trained: dict[bytes, int], threshold: float
) -> dict[bytes, tuple[int, float]]:
    """For each prompt that is no exact copy but a near one, the most similar record and how similar it is."""
    from bedrock_distill.evaluation.windowing import similar_pairs  # noqa: PLC0415 - loads numpy

    fresh = [text for text in dict.fromkeys(asked) if text not in trained]
    known = list(trained)
    best: dict[bytes, tuple[int, float]] = {}
    for row, place, similarity in similar_pairs(fresh, known, threshold):
        text, record = fresh[row], trained[known[place]]
        if text not in best or (similarity, -record) > (best[text][1], -best[text][0]):
            best[text] = record, similarity
    return best
