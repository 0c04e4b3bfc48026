"""Answers that were given before, as a target: those of a batch inference job, or of a file of records with completions.

Whoever asks gets the recorded answer to the same prompt under the same system prompt. How it is asked now, with how many tokens
or at which temperature, changes nothing any more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from bedrock_distill.chat.question import Prompt, Question
from bedrock_distill.chat.reply import ChatReply, Usage
from bedrock_distill.errors import DataError, NotRecordedError, ServiceError, SpecError
from bedrock_distill.records.reading import read_records
from bedrock_distill.records.schema import Record

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Sequence

    from bedrock_distill.chat.stream import ChatStream
    from bedrock_distill.records.schema import Message, TextBlock
    from bedrock_distill.resources import BatchAnswer, BatchJob

__all__ = ["Recorded", "RecordedFailure"]

_SHOWN = 60

_Said: TypeAlias = "tuple[tuple[str, str], ...]"
"""Role and text of each message."""


@dataclass(frozen=True, slots=True)
class RecordedFailure:
    """What came in place of an answer when it was recorded."""

    code: str
    message: str


_Answer: TypeAlias = str | ChatReply | RecordedFailure
"""A reply, its text alone, or what came in its place."""


class Recorded:
    """A target that answers from memory. Safe for threads; there is nothing to wait for, and no latency to measure.

    Example:
        `Recorded({"My invoice is wrong": "billing"}, model_id="by-hand")`

    Args:
        answers: Each prompt, a user's text or a record, with the reply or the failure that it had; a mapping, or pairs. Of the
            same prompt more than once, the first reply counts.
        model_id: What tells these answers from all others, such as the ARN of the job that gave them.
        name: What reports and messages call them. Default: the model id.
        of_model: Id of the model that gave them, to price their tokens by, or an empty string.

    Raises:
        SpecError: If an answer is neither a text nor a reply nor a failure.
    """

    recorded = True
    """What evaluation asks, to say so in its report."""

    def __init__(
        self,
        answers: Mapping[str | Record, _Answer] | Iterable[tuple[str | Record, _Answer]],
        *,
        model_id: str,
        name: str | None = None,
        of_model: str = "",
    ) -> None:
        self.model_id = model_id
        self.name = name or model_id
        self.of_model = of_model
        self._found: dict[tuple[str, _Said], ChatReply | RecordedFailure] = {}
        for prompt, answer in answers.items() if isinstance(answers, Mapping) else answers:
            record = prompt.prompt if isinstance(prompt, Record) else Record.of(prompt)
            key = _key(record.system or (), record.messages)
            if not isinstance(answer, (str, ChatReply, RecordedFailure)):
                raise SpecError(
                    f"The answer to {_shown(key)} is a {type(answer).__name__}, neither a text nor a reply: leave the prompt out "
                    "where there is none.",
                    field="answers",
                    value=answer,
                )
            if isinstance(self._found.get(key), ChatReply):
                continue
            self._found[key] = (
                _reply(answer, of_model=of_model or model_id) if isinstance(answer, str) else answer
            )
        self._said = frozenset(said for _, said in self._found)

    @classmethod
    def from_file(
        cls, path: str | os.PathLike[str], *, name: str | None = None, of_model: str = ""
    ) -> Recorded:
        """The completions of a JSONL file of records, as answers to their prompts. Records without one are passed over.

        Args:
            path: The file, such as `bedrock-distill batch answers --out` writes.
            name: What reports call the answers. Default: the file's name.
            of_model: Id of the model that gave them, or an empty string.

        Raises:
            DataError: If a line is no record, or no record has a completion.
        """
        found = [record for record in read_records(path) if record.completion is not None]
        if not found:
            raise DataError(
                f"{path}: no record has a completion, so there is nothing to answer with. Each must end with an assistant message."
            )
        digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()[:16]
        model_id = f"recorded/{digest}"  # what is in the file is what counts, wherever it lies
        replies = ((record, record.completion or "") for record in found)
        return cls(replies, model_id=model_id, name=name or Path(path).name, of_model=of_model)

    @classmethod
    def from_job(cls, job: BatchJob, *, name: str | None = None) -> Recorded:
        """The answers of a batch inference job that is over; records that failed fail again, with their own code.

        Args:
            job: The job.
            name: What reports call the answers. Default: the model's id and the job's.

        Raises:
            WaitTimeoutError: If the job is not over.
            JobFailedError: If it has written nothing.
            DataError: If its output is not there, or holds no prompt that can be asked.
        """
        given = job.answers()
        state = job.status()
        answers = [(each.prompt, _of(each, state.model_id)) for each in given if each.prompt is not None]
        if not answers:
            raise DataError(
                f"The output of {job.arn} holds no prompt of text alone, so no answer in it can be found again."
            )
        name = name or f"{state.model_id}, recorded by {state.name or job.arn.rpartition('/')[2]}"
        return cls(answers, model_id=job.arn, name=name, of_model=state.model_id)

    def __len__(self) -> int:
        """How many prompts have an answer or a failure."""
        return len(self._found)

    def __repr__(self) -> str:
        return f"<Recorded {self.name!r}: {len(self)} prompts>"

    def impatient(self) -> Recorded:
        """The same target: nothing is tried again here."""
        return self

    def chat(
        self,
        prompt: Prompt,
        *,
        system: str | None = None,
        max_tokens: int | None = None,  # noqa: ARG002 - as targets are called; the answer is what it is
        temperature: float | None = None,  # noqa: ARG002 - see above
        top_p: float | None = None,  # noqa: ARG002 - see above
        stop: str | Sequence[str] = (),  # noqa: ARG002 - see above
        metadata: Mapping[str, str] | None = None,  # noqa: ARG002 - see above
    ) -> ChatReply:
        """The recorded answer to a prompt.

        Args:
            prompt: A user's text, a record (its completion is left out), or the messages of a conversation.
            system: System prompt. Default: the record's, if the prompt is a record.
            max_tokens: Taken and not used, as all that follows: the answer was given before.
            temperature: See above.
            top_p: See above.
            stop: See above.
            metadata: See above.

        Raises:
            SpecError: If there is nothing to ask.
            NotRecordedError: If there is no answer to this prompt.
            ServiceError: If the record failed when it was asked; the code is that of the recording.
        """
        asked = Question.of(prompt, target=self.name, system=system)
        key = _key(asked.system, asked.messages)
        found = self._found.get(key)
        if isinstance(found, RecordedFailure):
            raise ServiceError(
                f"{self.name} holds no answer to {_shown(key)}, but what came in its place: {found.message or found.code}",
                code=found.code,
            )
        if found is None:
            raise self._missing(key)
        return found

    def stream(self, prompt: Prompt, **options: object) -> ChatStream:  # noqa: ARG002 - as targets are called
        """Refuse: a recorded answer does not come piece by piece.

        Raises:
            SpecError: Always.
        """
        raise SpecError(
            f"{self.name} are recorded answers, and these do not stream: ask without.",
            field="stream",
            value=True,
        )

    def _missing(self, key: tuple[str, _Said]) -> NotRecordedError:
        hint = (
            "It is recorded under another system prompt: ask with that one."
            if key[1] in self._said
            else f"The recording has {len(self):,} prompts: ask those, or record this one, too."
        )
        return NotRecordedError(f"{self.name} holds no answer to {_shown(key)}. {hint}", code="NotRecorded")


def _key(system: Sequence[TextBlock], messages: Sequence[Message]) -> tuple[str, _Said]:
    """What makes two prompts the same: the system prompt's text, and each message's role and text.

    White space around a text is none of it: some models' templates take it away before the model is asked.
    """
    said = tuple((message.role, message.text.strip()) for message in messages)
    return "".join(block.text for block in system).strip(), said


def _of(answer: BatchAnswer, model_id: str) -> ChatReply | RecordedFailure:
    if answer.text is None:
        return RecordedFailure(answer.error_code or "RecordError", answer.error)
    usage = Usage(answer.input_tokens, answer.output_tokens)
    return _reply(
        answer.text,
        of_model=model_id,
        stop_reason=answer.stop_reason,
        usage=usage,
        request_id=answer.record_id,
    )


def _reply(
    text: str,
    *,
    of_model: str,
    stop_reason: str = "",
    usage: Usage | None = None,
    request_id: str = "",
) -> ChatReply:
    return ChatReply(
        text=text,
        # It is whole, whatever ended it.
        stop_reason=stop_reason or "end_turn",
        usage=usage or Usage(),
        latency_s=None,
        model_id=of_model,
        request_id=request_id,
    )


def _shown(key: tuple[str, _Said]) -> str:
    """The last message, as far as it helps to recognise it."""
    text = key[1][-1][1] if key[1] else ""
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")
