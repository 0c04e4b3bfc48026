"""Who answers an `Ask`: a teacher that gives text, or a model that generates it token by token."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import xxhash

from bedrock_distill.errors import BedrockDistillError, SpecError
from bedrock_distill.local.gateway.errors import AwsError
from bedrock_distill.local.services.runtime.asks import DEFAULT_MAX_TOKENS, Answer, Stream
from bedrock_distill.local.teachers import HuggingFaceTeacher
from bedrock_distill.records.schema import Record, encode_record
from bedrock_distill.records.tokens import BYTES_PER_TOKEN, estimate_tokens

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bedrock_distill.local.services.runtime.asks import Ask
    from bedrock_distill.local.services.runtime.resolution import Target
    from bedrock_distill.local.students import Generators
    from bedrock_distill.local.teachers import Teacher
    from bedrock_distill.train.generation import Generated, Generator

__all__ = ["Responder", "estimate_prompt", "responder_for"]

_SMALLEST_TOP_P = 1e-6


class Responder(Protocol):
    """Answers asks whose parameters are filled."""

    def answer(self, ask: Ask) -> Answer:
        """The whole answer."""
        ...

    def stream(self, ask: Ask) -> Stream:
        """The answer in pieces. Together the pieces are the text that `answer` gives."""
        ...


def responder_for(target: Target, generators: Generators, seed: int) -> Responder:
    """The responder behind a target.

    Raises:
        AwsError: ModelErrorException, if a model's weights cannot be loaded here.
    """
    voice = target.voice
    try:
        if isinstance(voice, Path):
            return _GeneratorResponder(generators.get(voice), seed)
        if isinstance(voice, HuggingFaceTeacher):
            return _GeneratorResponder(voice.generator, seed)
    except BedrockDistillError as error:
        raise AwsError("ModelErrorException", str(error), originalStatusCode=500) from error
    return _TeacherResponder(voice, target.model_id)


def estimate_prompt(prompt: Record | str) -> int:
    """Estimated tokens of a prompt, for models whose tokenizer nobody has."""
    if isinstance(prompt, str):
        return estimate_tokens(prompt)
    texts = [message.text for message in prompt.messages]
    return sum(estimate_tokens(text) for text in [prompt.system_text or "", *texts])


class _TeacherResponder:
    """A teacher that gives its text at once; limits are applied to the text, and tokens are estimated."""

    def __init__(self, teacher: Teacher, model_id: str) -> None:
        self._teacher = teacher
        self._model_id = model_id

    def answer(self, ask: Ask) -> Answer:
        return _clip(self._text(ask.prompt), ask)

    def stream(self, ask: Ask) -> Stream:
        answer = self.answer(ask)
        return Stream(answer.input_tokens, _in_pieces(answer))

    def _text(self, prompt: Record | str) -> str:
        try:
            text = self._teacher.answer(Record.of(prompt) if isinstance(prompt, str) else prompt)
        except AwsError:
            raise
        except Exception as error:
            raise AwsError(
                "ModelErrorException",
                f"The teacher for {self._model_id} failed: {type(error).__name__}: {error}",
                originalStatusCode=500,
                resourceName=self._model_id,
            ) from error
        if not isinstance(text, str):
            raise AwsError(
                "ModelErrorException",
                f"The teacher for {self._model_id} answered with {type(text).__name__}, not with a text.",
                originalStatusCode=500,
                resourceName=self._model_id,
            )
        return text


class _GeneratorResponder:
    """A model that generates; the same ask and seed give the same text."""

    def __init__(self, generator: Generator, seed: int) -> None:
        self._generator = generator
        self._seed = seed

    def answer(self, ask: Ask) -> Answer:
        try:
            [generated] = self._generator.generate([ask.prompt], **self._settings(ask))
        except BedrockDistillError as error:
            raise _refused(error) from error
        return _of_generated(generated, ask)

    def stream(self, ask: Ask) -> Stream:
        try:
            input_tokens = self._generator.count_tokens(ask.prompt)
            # Asked for here and not in the iterator: what is refused is refused before the stream begins.
            events = self._generator.stream(ask.prompt, **self._settings(ask))
        except BedrockDistillError as error:
            raise _refused(error) from error
        return Stream(input_tokens, _from_generator(events, ask))

    def _settings(self, ask: Ask) -> dict[str, Any]:
        given = ask.parameters
        return {
            "max_tokens": given.max_tokens or DEFAULT_MAX_TOKENS,
            "temperature": given.temperature or 0.0,
            # AWS takes a top_p of 0: nothing but the likeliest token.
            "top_p": 1.0 if given.top_p is None else max(given.top_p, _SMALLEST_TOP_P),
            "stop": tuple(stop for stop in given.stop if stop),
            "seed": self._seed_of(ask),
        }

    def _seed_of(self, ask: Ask) -> int:
        """A seed that depends on the prompt and not on how many calls came before it."""
        prompt = ask.prompt
        data = prompt.encode("utf-8", "surrogatepass") if isinstance(prompt, str) else encode_record(prompt)
        return xxhash.xxh32_intdigest(data, seed=self._seed & 0xFFFFFFFF) >> 1


def _of_generated(generated: Generated, ask: Ask) -> Answer:
    stop = ask.parameters.stop
    return Answer(
        text=generated.text,
        stop_reason=generated.stop_reason,
        input_tokens=generated.input_tokens,
        output_tokens=generated.output_tokens,
        # The generator does not say which sequence it met; with one there is no doubt.
        stop_sequence=stop[0] if generated.stop_reason == "stop_sequence" and len(stop) == 1 else None,
    )


def _from_generator(events: Iterator[str | Generated], ask: Ask) -> Iterator[str | Answer]:
    try:
        for event in events:
            yield event if isinstance(event, str) else _of_generated(event, ask)
    except BedrockDistillError as error:
        raise AwsError(
            "ModelStreamErrorException", str(error), originalStatusCode=500, originalMessage=str(error)
        ) from error


def _refused(error: BedrockDistillError) -> AwsError:
    """A prompt that does not fit, or not into the chat template, is the caller's to change; the rest is the model's failure."""
    if isinstance(error, SpecError) and error.field == "prompt":
        return AwsError("ValidationException", f"Input is too long for requested model. ({error})")
    if isinstance(error, SpecError) and error.field == "chat_template":
        return AwsError("ValidationException", str(error))
    return AwsError("ModelErrorException", str(error), originalStatusCode=500)


def _clip(text: str, ask: Ask) -> Answer:
    """Apply the longest answer and the stop sequences to a finished text: whichever comes first ends it."""
    given = ask.parameters
    allowed = (given.max_tokens or DEFAULT_MAX_TOKENS) * BYTES_PER_TOKEN
    data = text.encode("utf-8", "surrogatepass")
    kept = text if len(data) <= allowed else data[:allowed].decode("utf-8", "ignore")
    found = [(kept.find(stop), stop) for stop in given.stop if stop and stop in kept]
    stopped_at, stop_sequence = min(found, default=(len(kept), None))
    kept_text = kept[:stopped_at]
    return Answer(
        text=kept_text,
        stop_reason="stop_sequence" if found else "end_turn" if kept == text else "max_tokens",
        input_tokens=estimate_prompt(ask.prompt),
        output_tokens=estimate_tokens(kept_text),
        stop_sequence=stop_sequence,
    )


_PIECE = re.compile(r"\s*\S{1,12}|\s+$")
"""About a token or two, with the space before it, as models stream."""


def _in_pieces(answer: Answer) -> Iterator[str | Answer]:
    yield from _PIECE.findall(answer.text)
    yield answer
