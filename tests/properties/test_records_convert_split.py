"""What holds for every conversion and every split."""

import csv
import io
import json
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from bedrock_distill.records import Record, encode_record
from bedrock_distill.records.converting import convert_file
from bedrock_distill.records.reading import read_records
from bedrock_distill.records.splitting import Shares, split_file, split_of

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12).filter(
    lambda text: text.strip() != "" and not text.isspace()
)
SINGLE_TURNS = st.builds(Record.of, TEXT, system=st.none() | TEXT, completion=st.none() | TEXT)
FRACTIONS = st.lists(st.integers(1, 20), min_size=1, max_size=5)


def as_pairs(records):
    rows = ({"prompt": r.prompt_text, "completion": r.completion, "system": r.system_text} for r in records)
    return "".join(json.dumps(row) + "\n" for row in rows)


def as_chats(records):
    def row(record):
        system = [{"role": "system", "content": record.system_text}] if record.system else []
        return {"messages": system + [{"role": m.role, "content": m.text} for m in record.messages]}

    return "".join(json.dumps(row(record), ensure_ascii=False) + "\n" for record in records)


def as_converse(records):
    return "".join(
        encode_record(record).decode().replace('"schemaVersion":"bedrock-conversation-2024",', "", 1) + "\n"
        for record in records
    )


def as_csv(records):
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(["prompt", "completion", "system"])
    writer.writerows([r.prompt_text, r.completion or "", r.system_text or ""] for r in records)
    return out.getvalue()


@settings(max_examples=30, deadline=None)
@given(
    st.lists(SINGLE_TURNS, min_size=1, max_size=6), st.sampled_from([as_pairs, as_chats, as_converse, as_csv])
)
def test_records_written_in_any_format_convert_back_to_themselves(records, write):
    with TemporaryDirectory() as folder:
        source, target = Path(folder, "source"), Path(folder, "target")
        source.write_bytes(write(records).encode())
        report = convert_file(source, target)
        assert list(read_records(target)) == records
        assert report.records == len(records)


@settings(max_examples=30, deadline=None)
@given(st.lists(SINGLE_TURNS, min_size=1, max_size=12), st.data(), st.integers(0, 2**64 - 1))
def test_adding_and_removing_rows_moves_none_of_the_others(records, data, seed):
    shares = {"train": 0.5, "validation": 0.3, "heldout": 0.2}
    some = data.draw(st.lists(st.sampled_from(records), max_size=12))

    def sides(rows, folder):
        source = Path(folder, "source")
        source.write_bytes(b"".join(encode_record(row) + b"\n" for row in rows))
        split_file(source, shares, seed, out_dir=folder)
        return {record: name for name in shares for record in read_records(Path(folder, f"{name}.jsonl"))}

    with TemporaryDirectory() as folder:
        before, after = sides(records, folder), sides(some, folder)
    assert after == {record: before[record] for record in some}
    assert all(before[record] == split_of(record, seed, shares) for record in records)


@settings(max_examples=60, deadline=None)
@given(FRACTIONS, st.integers(0, 2**64 - 1))
def test_every_point_of_the_line_belongs_to_one_share(weights, point):
    total = sum(weights)
    shares = Shares.of({f"part{index}": weight / total for index, weight in enumerate(weights)})
    index = shares.index_of(point)
    assert 0 <= index < len(weights)
    assert (0 if index == 0 else shares.ends[index - 1]) <= point < shares.ends[index]
