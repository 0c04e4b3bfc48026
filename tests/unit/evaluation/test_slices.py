"""Slices: what prompts may be divided by, and what the gate asks of each kind."""

from __future__ import annotations

import json

import pytest

from bedrock_distill.errors import DataError, GateFailedError, SpecError
from bedrock_distill.evaluation import evaluate
from bedrock_distill.evaluation.slices import MOST_SLICES, slice_task
from bedrock_distill.evaluation.tasks import load_task
from bedrock_distill.records.schema import Message, Record, encode_record


def answers(record) -> str:
    return record.prompt_text


@pytest.fixture
def sliced(speaker):
    """A report on prompts of kinds: `sliced(invoice=(40, 40), parcel=(40, 10))` are prompts asked, and answered rightly."""

    def run(**kinds: tuple[int, int]):
        wrong = {f"{kind} {n}" for kind, (asked, right) in kinds.items() for n in range(right, asked)}
        prompts = [f"{kind} {n}" for kind, (asked, _) in kinds.items() for n in range(asked)]
        return evaluate(
            speaker(lambda text: "no" if text in wrong else "yes", name="student"),
            speaker(lambda _: "yes", name="teacher"),
            prompts,
            slices={"kind": lambda record: record.prompt_text.split()[0]},
        )

    return run


def values(choice, records, **options):
    (found,) = slice_task(load_task(records, **options), choice)
    return found.values


RECORDS = [
    Record.of('{"language": "de", "customer": {"tier": 1}}', system="Be brief.", completion='{"topic": "a"}'),
    Record.of(
        (Message.of("user", "Hi"), Message.of("assistant", "Hello"), Message.of("user", "no JSON")),
        completion="no JSON",
    ),
    Record.of('{"language": true}', completion='{"topic": null}'),
]


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("system", ("Be brief.", "(none)", "(none)")),
        ("messages", ("1", "3", "1")),
        ("prompt.language", ("de", "(none)", "true")),
        ("prompt.customer.tier", ("1", "(none)", "(none)")),
        ("completion.topic", ("a", "(none)", "(none)")),
        ("completion", ('{"topic": "a"}', "no JSON", '{"topic": null}')),
    ],
)
def test_prompts_are_divided_by_any_field_of_their_records(field, expected):
    assert values(field, RECORDS) == expected


def test_a_function_sees_the_record_with_its_completion():
    def first_letter(record: Record) -> str | None:
        return (record.completion or "")[:1] or None

    (found,) = slice_task(load_task([*RECORDS, "a plain prompt"]), first_letter)
    assert (found.name, found.values) == ("first_letter", ("{", "n", "{", "(none)"))


def test_request_metadata_stands_in_the_line_beside_the_record(tmp_path):
    path = tmp_path / "heldout.jsonl"
    line = json.loads(encode_record(Record.of("Hi")))
    lines = [{**line, "requestMetadata": {"tenant": "acme", "a.b": "1"}}, line]
    path.write_text("".join(f"{json.dumps(each)}\n" for each in lines), "utf-8")
    assert values("metadata.tenant", path) == ("acme", "(none)")
    assert values("metadata.a.b", path) == ("1", "(none)")


@pytest.mark.parametrize(
    ("rest", "field"), [({"requestMetadata": {"tenant": 1}}, "requestMetadata"), ({"more": 1}, "more")]
)
def test_a_line_with_wrong_metadata_or_another_key_is_named(tmp_path, rest, field):
    path = tmp_path / "heldout.jsonl"
    good = encode_record(Record.of("Hi"))
    wrong = {**json.loads(good), "requestMetadata": {"tenant": "acme"}, **rest}
    path.write_bytes(good + b"\n\n" + json.dumps(wrong).encode() + b"\n")
    with pytest.raises(DataError) as caught:
        load_task(path)
    assert (caught.value.offences[0].line, caught.value.offences[0].field) == (3, field)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ("colour", "is not a field to slice by"),
        ("metadata", "is not a field to slice by"),
        ("metadata.tenant", "No prompt of records in memory has 'metadata.tenant'"),
        ("prompt", f"at most {MOST_SLICES} can be slices"),
        (["system", "system"], "need names of their own"),
    ],
)
def test_slices_that_would_say_nothing_are_refused_before_anything_is_asked(speaker, choice, message):
    student = speaker(answers)
    records = [Record.of(f"prompt {place}", system="s") for place in range(MOST_SLICES + 1)]
    with pytest.raises(SpecError, match=message) as caught:
        evaluate(student, speaker(answers), records, slices=choice)
    assert caught.value.field == "slices"
    assert student.calls == []


def test_each_slice_has_its_own_retention_the_largest_first(sliced):
    report = sliced(parcel=(40, 10), invoice=(50, 50))
    assert [(each.name, each.n, each.retention.value) for each in report.slices] == [
        ("kind = invoice", 50, 1.0),
        ("kind = parcel", 40, 0.25),
    ]
    assert report.slices[1].retention.low < 0.25 < report.slices[1].retention.high
    assert [each["by"] for each in report.to_dict()["slices"]] == ["kind", "kind"]


def test_retention_of_a_slice_rests_on_its_references_like_that_of_the_whole(compared):
    report = compared(
        student=["a", "x", "a", "x"],
        teacher=["a", "a", "b", "b"],
        references=["a", "a", "a", None],
        slices={"first": lambda record: record.prompt_text in ("prompt 0", "prompt 1")},
    )
    assert [(each.value, each.n, each.retention.value) for each in report.slices] == [
        ("true", 2, 0.5),
        ("false", 1, None),
    ]


def test_a_slice_without_any_reference_is_undefined_and_misses_the_guard(compared):
    report = compared(
        student=["a"] * 30,
        teacher=["a"] * 30,
        references=["a"] * 29 + [None],
        slices={"last": lambda record: record.prompt_text == "prompt 29"},
    )
    empty = report.slices[1]
    assert (empty.value, empty.n, empty.retention) == ("true", 0, None)
    verdict = report.check(min_slice_retention=0.8)
    assert "Slice last = true: retention undefined on 0 prompts; too few" in verdict.failures[0]


def test_a_broken_slice_fails_the_gate_that_the_average_passes(sliced):
    report = sliced(invoice=(400, 400), parcel=(30, 12))
    assert report.check(min_retention=0.9).passed
    with pytest.raises(GateFailedError) as caught:
        report.gate(min_retention=0.9, min_slice_retention=0.8)
    (failure,) = caught.value.failures
    assert failure.startswith(
        "Slice kind = parcel: retention 40.00% on 30 prompts; shown to fall short of 80.00%"
    )


def test_a_slice_that_only_measured_low_passes_unless_every_slice_must_be_shown(sliced):
    report = sliced(invoice=(400, 400), parcel=(30, 23))
    assert report.check(min_slice_retention=0.8).passed
    strict = report.check(min_slice_retention=0.8, every_slice_shown=True)
    assert [guard.state for guard in strict.guards] == ["kept", "open"]
    assert "nor to keep it" in strict.failures[0]


def test_a_slice_too_small_to_notice_anything_fails(sliced):
    report = sliced(invoice=(400, 400), parcel=(2, 2))
    verdict = report.check(min_slice_retention=0.8)
    (failure,) = verdict.failures
    assert "too few to notice even a student that is always wrong" in failure
    needed = verdict.guards[1].needed
    assert f"at least {needed} that the teacher is right on" in failure
    enough = sliced(invoice=(400, 400), parcel=(needed, 0)).check(min_slice_retention=0.8)
    assert [guard.state for guard in enough.guards] == ["kept", "short"]


def test_the_more_slices_the_more_it_takes_to_call_one_short(sliced):
    few = sliced(parcel=(30, 17), a=(60, 60)).check(min_slice_retention=0.8)
    many = sliced(parcel=(30, 17), **{f"k{n}": (60, 60) for n in range(20)}).check(min_slice_retention=0.8)
    states = [
        next(guard.state for guard in verdict.guards if guard.name == "kind = parcel")
        for verdict in (few, many)
    ]
    assert states == ["short", "open"]


def test_a_retention_of_every_slice_without_slices_fails(compared):
    verdict = compared(student=["a"], teacher=["a"]).check(min_slice_retention=0.8)
    assert "no slices were measured" in verdict.failures[0]


def test_graded_scores_are_guarded_too(speaker):
    def half(answer: str, _target: str) -> float:
        return 0.3 if answer == "bad" else 0.95

    report = evaluate(
        speaker(lambda text: "bad" if text.startswith("parcel") else "good"),
        speaker(lambda _: "good"),
        [f"{kind} {n}" for kind in ("invoice", "parcel") for n in range(80)],
        metrics=half,
        slices={"kind": lambda record: record.prompt_text.split()[0]},
    )
    verdict = report.check(min_slice_retention=0.8)
    assert [(guard.name, guard.state) for guard in verdict.guards] == [
        ("kind = invoice", "kept"),
        ("kind = parcel", "short"),
    ]


def test_the_table_names_every_slice(sliced):
    printed = str(sliced(parcel=(40, 10), invoice=(50, 50))).splitlines()
    assert [line.split()[:5] for line in printed if line.startswith("kind")] == [
        ["kind", "=", "invoice", "50", "1.000"],
        ["kind", "=", "parcel", "40", "0.250"],
    ]


def test_a_slice_that_sees_enough_among_two_is_blind_among_twenty(sliced):
    few = sliced(parcel=(9, 9), a=(60, 60)).check(min_slice_retention=0.8)
    many = sliced(parcel=(9, 9), **{f"k{n}": (60, 60) for n in range(20)}).check(min_slice_retention=0.8)
    states = [
        next(guard.state for guard in verdict.guards if guard.name == "kind = parcel")
        for verdict in (few, many)
    ]
    assert states == ["open", "blind"]


def test_long_values_that_begin_alike_keep_names_of_their_own(speaker):
    def lengthy(record):
        return f"You are a helpful assistant of a large company. {'Be polite. ' * 9}Tenant {record.prompt_text[-1]}"

    report = evaluate(
        speaker(lambda text: text), speaker(lambda text: text), ["one 1", "two 2"], slices=lengthy
    )
    assert len({found.name for found in report.slices}) == 2
    assert all(len(found.name) <= len("lengthy = ") + 60 for found in report.slices)


def test_what_a_function_raises_says_on_which_prompt():
    def tenant(record):
        return {"one": "a"}[record.prompt_text]

    with pytest.raises(KeyError) as caught:
        slice_task(load_task(["one", "two"]), tenant)
    assert "on the prompt 'two'" in caught.value.__notes__[0]
