import json

import pytest

from bedrock_distill.errors import DataError, SpecError
from bedrock_distill.records import Record, encode_record
from bedrock_distill.records.reading import read_records
from bedrock_distill.records.rules import Rules
from bedrock_distill.records.splitting import split_file, split_of
from bedrock_distill.records.writing import write_records

SHARES = {"train": 0.8, "validation": 0.1, "heldout": 0.1}
RECORDS = [
    Record.of(f"prompt {number}", completion=f"{number}" if number % 3 else None) for number in range(2_000)
]


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "data.jsonl"
    write_records(path, RECORDS)
    return path


def test_every_record_lands_in_exactly_one_part_in_its_order(source, tmp_path):
    report = split_file(source, SHARES, 7, out_dir=tmp_path / "parts")
    parts = {part.name: list(read_records(part.path)) for part in report.parts}
    assert [part.records for part in report.parts] == [len(parts[name]) for name in SHARES]
    for name, records in parts.items():
        assert records == [record for record in RECORDS if split_of(record, 7, SHARES) == name]
    assert sum(map(len, parts.values())) == len(RECORDS)


def test_shares_are_met_on_average(source, tmp_path):
    report = split_file(source, SHARES, 7, out_dir=tmp_path)
    for part in report.parts:
        deviation = (part.share * (1 - part.share) * len(RECORDS)) ** 0.5
        assert abs(part.records - part.share * len(RECORDS)) < 4 * deviation


def test_lines_are_copied_as_they_are(tmp_path):
    line = b'{ "messages": [{"content": [{"text": "\\u00e9"}], "role": "user"}], "schemaVersion": "bedrock-conversation-2024" }'
    (tmp_path / "data.jsonl").write_bytes(b"\n" + line)
    split_file(tmp_path / "data.jsonl", {"all": 1}, out_dir=tmp_path)
    assert (tmp_path / "all.jsonl").read_bytes() == line + b"\n"


def test_records_with_the_same_prompt_stay_together_however_labelled():
    for record in RECORDS[:200]:
        sides = {
            split_of(twin, 1, SHARES) for twin in (record, record.prompt, record.with_completion("other"))
        }
        assert len(sides) == 1


def test_a_split_is_the_same_on_every_machine_and_in_every_process():
    sides = [split_of(encode_record(record), 0, SHARES)[0] for record in RECORDS[:40]]
    assert "".join(sides) == "ttttttttvttttthttttttttttttttvthttvtvvhh"


def test_another_seed_is_another_split():
    sides = [[split_of(record, seed, SHARES) for record in RECORDS[:200]] for seed in (0, 1)]
    assert sides[0] != sides[1]


def test_a_bad_line_fails_the_split_and_writes_nothing(source, tmp_path):
    with source.open("ab") as stream:
        stream.write(b'{"prompt": "x"}\n')
    with pytest.raises(
        DataError, match=r"1 of 2,001 lines offend.*:2001: messages: is missing.*--skip-bad"
    ) as caught:
        split_file(source, SHARES, out_dir=tmp_path / "parts")
    assert caught.value.count == 1
    assert list((tmp_path / "parts").iterdir()) == []


def test_bad_lines_can_be_left_out_and_are_reported(source, tmp_path):
    with source.open("ab") as stream:
        stream.write(b'{"prompt": "x"}\n')
    report = split_file(source, SHARES, out_dir=tmp_path / "parts", skip_bad=True)
    assert sum(part.records for part in report.parts) == 2_000
    assert report.check.counts == {"missing-key": 1}
    assert json.loads(json.dumps(report.to_dict()))["parts"][0]["name"] == "train"


def test_rules_check_the_lines_on_the_way_and_rules_about_the_file_do_not_stop_it(source, tmp_path):
    rules = Rules(min_prompts=10_000, multi_turn=False)
    assert split_file(source, SHARES, out_dir=tmp_path, rules=rules).check.counts == {"too-few-prompts": 1}
    with pytest.raises(DataError, match="more than the 20 a line may have"):
        split_file(source, SHARES, out_dir=tmp_path, rules=Rules(max_line_bytes=20))


def test_a_broken_gzip_stream_fails_even_when_bad_lines_may_be_skipped(tmp_path):
    import gzip

    path = tmp_path / "data.gz"
    path.write_bytes(gzip.compress(b"\n".join(map(encode_record, RECORDS)))[:-20])
    with pytest.raises(DataError, match="gzip"):
        split_file(path, SHARES, out_dir=tmp_path, skip_bad=True)
    assert [entry.name for entry in tmp_path.iterdir()] == ["data.gz"]


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ({"train": 0.9, "heldout": 0.2}, r"add up to 1\.1"),
        ({}, "add up to 0"),
        ({"train": 1.2, "heldout": -0.2}, "train=1.2"),
        ({"train": float("nan")}, "train=nan"),
        ({"../train": 1}, "cannot name a file"),
        ({"": 1}, "cannot name a file"),
    ],
)
def test_wrong_shares_are_refused(source, tmp_path, shares, message):
    with pytest.raises(SpecError, match=message):
        split_file(source, shares, out_dir=tmp_path)


def test_a_seed_out_of_range_is_refused(source, tmp_path):
    with pytest.raises(SpecError, match="seed -1"):
        split_file(source, SHARES, -1, out_dir=tmp_path)
