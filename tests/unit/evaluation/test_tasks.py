"""What is asked, wherever it lies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from bedrock_distill.errors import DataError, SpecError
from bedrock_distill.evaluation.tasks import load_task
from bedrock_distill.records.schema import Record, encode_record

if TYPE_CHECKING:
    from pathlib import Path

RECORDS = [
    Record.of("one", system="Be brief.", completion="1"),
    Record.of("two"),
    Record.of("three", completion="3"),
]


@dataclass
class InFile:
    path: Path


@pytest.fixture
def heldout(tmp_path):
    path = tmp_path / "heldout.jsonl"
    path.write_bytes(b"".join(encode_record(record) + b"\n" for record in RECORDS))
    return path


def test_a_path_an_object_with_a_path_and_records_are_the_same_task(heldout):
    found = [load_task(data) for data in (heldout, str(heldout), InFile(heldout), iter(RECORDS))]
    assert {task.prompts for task in found} == {tuple(record.prompt for record in RECORDS)}
    assert {task.references for task in found} == {("1", None, "3")}
    assert [task.source for task in found] == ["heldout.jsonl"] * 3 + ["records in memory"]


def test_no_prompt_gives_its_reference_away():
    assert all(record.completion is None for record in load_task(RECORDS).prompts)


def test_plain_texts_are_prompts():
    assert load_task(["one", "two"]).prompts == (Record.of("one"), Record.of("two"))


@pytest.mark.parametrize(
    ("limit", "kept", "cut"), [(2, 2, True), (3, 3, False), (9, 3, False), (None, 3, False)]
)
def test_a_limit_keeps_the_first_and_says_whether_it_left_some_out(limit, kept, cut):
    task = load_task(RECORDS, limit=limit)
    assert (len(task.prompts), task.cut) == (kept, cut)


def test_repeated_prompts_are_counted():
    assert load_task(["one", "two", "one", "one"]).repeated == 2


def test_no_prompts_at_all_are_refused():
    with pytest.raises(DataError, match="holds no prompts"):
        load_task([])


def test_data_in_s3_is_refused_with_the_way_out():
    with pytest.raises(SpecError, match="aws s3 cp"):
        load_task("s3://acme-ml/heldout.jsonl")


def test_a_line_that_is_no_record_is_named(tmp_path):
    path = tmp_path / "broken.jsonl"
    path.write_bytes(encode_record(RECORDS[0]) + b"\n{}\n")
    with pytest.raises(DataError) as caught:
        load_task(path)
    assert caught.value.offences[0].line == 2


class Table:
    """As pandas has it: going over it gives the columns' names."""

    columns = ("prompt", "completion")

    def __iter__(self):
        return iter(self.columns)


@pytest.mark.parametrize("data", [Table(), {"prompt": ["one"], "completion": ["1"]}, 5])
def test_a_table_is_not_taken_for_its_columns_names(data):
    with pytest.raises(SpecError, match="From columns make records"):
        load_task(data)


@pytest.mark.parametrize("item", [None, float("nan"), ("two", "2"), {"prompt": "two"}])
def test_an_item_that_is_no_prompt_is_named(item):
    with pytest.raises(DataError, match=r"Prompt 2 is a .*neither a text nor a Record"):
        load_task(["one", item])


def test_prompts_with_several_references_are_counted():
    records = [Record.of("one", completion=text) for text in ("1", "1", "I")]
    assert load_task([*records, *RECORDS]).contradicted == 1
    assert load_task([*records[:2], *RECORDS]).contradicted == 0
