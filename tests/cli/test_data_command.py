import gzip
import json

import pytest

from bedrock_distill.cli import data
from bedrock_distill.cli.main import main
from bedrock_distill.records import Record
from bedrock_distill.records.reading import read_records
from bedrock_distill.records.shapes import TURNS
from bedrock_distill.records.sources import FORMATS
from bedrock_distill.records.writing import write_records

PAIR = ["--teacher", "amazon.nova-pro-v1:0", "--student", "amazon.nova-micro-v1:0:128k"]
RECORDS = [Record.of(f"prompt {number}", completion="yes" if number < 10 else None) for number in range(120)]


@pytest.fixture
def run(capsys):
    """Run `bedrock-distill data ...`; gives exit code, stdout and stderr."""

    def command(*words):
        with pytest.raises(SystemExit) as leaving:
            main(["data", *map(str, words)])
        shown = capsys.readouterr()
        return leaving.value.code, shown.out, shown.err

    return command


@pytest.fixture
def good(tmp_path):
    path = tmp_path / "good.jsonl"
    write_records(path, RECORDS)
    return path


@pytest.fixture
def bad(tmp_path):
    path = tmp_path / "bad.jsonl"
    path.write_text('{"prompt":"x"}\n' * 30)
    return path


def test_check_says_what_a_good_file_holds_and_exits_with_0(run, good):
    code, out, err = run("check", good, *PAIR)
    assert (code, err) == (0, "")
    assert f"{good}: fine" in out
    assert "valid records 120 (10 labelled)" in out


def test_check_lists_the_first_offences_of_a_bad_file_and_exits_with_2(run, good, bad):
    code, out, err = run("check", good, bad, *PAIR, "--max-offences", 2)
    assert code == 2
    assert f"{bad}: 31 offences" in out
    assert f"{bad}:2: messages: is missing" in out
    assert f"{bad}:3" not in out
    assert "… and 28 more" in out
    assert err == "Error: 1 of 2 files offends against Bedrock's rules.\n"


def test_check_prints_one_json_document(run, good, bad):
    code, out, _ = run("check", good, bad, *PAIR, "--output", "json")
    document = json.loads(out)
    assert code == 2
    assert [file["ok"] for file in document["files"]] == [True, False]
    assert document["files"][1]["counts"] == {"too-few-prompts": 1, "missing-key": 30}


def test_check_applies_the_rules_of_the_pair(run, tmp_path):
    path = tmp_path / "turns.jsonl"
    turns = [*Record.of("a", completion="b").messages, *Record.of("c").messages]
    write_records(path, [Record.of(turns)] * 100)
    llama = ["--teacher", "meta.llama3-1-405b-instruct-v1:0", "--student", "meta.llama3-1-8b-instruct-v1:0"]
    assert run("check", path, *PAIR)[0] == 0
    code, out, _ = run("check", path, *llama)
    assert code == 2
    assert "multi-turn" in out


def test_check_knows_its_models_and_remarks_on_a_pair_that_is_none(run, good):
    code, _, err = run("check", good, "--teacher", "nova", "--student", "amazon.nova-micro-v1:0")
    assert code == 2
    assert "no model 'nova'" in err
    code, _, err = run(
        "check", good, "--teacher", "amazon.nova-lite-v1:0", "--student", "amazon.nova-micro-v1:0"
    )
    assert code == 0
    assert "no pair" in err
    withdrawn = ["--teacher", "anthropic.claude-3-5-sonnet-20240620-v1:0"]
    code, _, err = run("check", good, *withdrawn, "--student", "anthropic.claude-3-haiku-20240307-v1:0")
    assert "not available for Anthropic" in err


def test_convert_check_and_split_follow_one_another(run, tmp_path):
    source, records = tmp_path / "source.csv", tmp_path / "records.jsonl"
    source.write_text(
        "id,prompt,completion\n" + "".join(f"{n},question {n},answer {n}\n" for n in range(150))
    )
    code, out, _ = run("convert", source, "--out", records, "--system", "Be brief.")
    assert code == 0
    assert "Wrote 150 records (150 labelled)" in out
    assert "No place in a record for: id (150 rows)." in out
    assert next(read_records(records)) == Record.of("question 0", completion="answer 0", system="Be brief.")
    assert run("check", records, *PAIR)[0] == 0
    code, out, _ = run(
        *(
            "split",
            records,
            "--out-dir",
            tmp_path / "parts",
            "--share",
            "train=0.9",
            "--share",
            "heldout=0.1",
        ),
        *("--seed", 3, *PAIR, "--output", "json"),
    )
    parts = json.loads(out)["parts"]
    assert code == 0
    assert [part["name"] for part in parts] == ["train", "heldout"]
    assert sum(part["records"] for part in parts) == 150


def test_convert_takes_its_system_prompt_from_a_file(run, tmp_path):
    (tmp_path / "system.txt").write_text("Be brief.\n")
    (tmp_path / "source").write_bytes(gzip.compress(b"Hello\n"))
    run("convert", tmp_path / "source", "--out", tmp_path / "out", "--system", f"@{tmp_path / 'system.txt'}")
    assert list(read_records(tmp_path / "out")) == [Record.of("Hello", system="Be brief.")]
    code, _, err = run("convert", tmp_path / "source", "--out", tmp_path / "out", "--system", "@nowhere")
    assert code == 2
    assert "nowhere" in err


def test_convert_reports_rows_it_cannot_convert_and_exits_with_2(run, tmp_path):
    source, out_file = tmp_path / "source", tmp_path / "out.jsonl"
    source.write_text('{"prompt":"x"}\n{"question":"y"}\n')
    code, out, err = run("convert", source, "--out", out_file)
    assert (code, out) == (2, "")
    assert f"{source}:2: prompt: is missing" in err
    assert not out_file.exists()
    code, out, _ = run("convert", source, "--out", out_file, "--skip-bad")
    assert code == 0
    assert "Left out 1 row:" in out
    assert f"{source}:2: prompt: is missing" in out


def test_convert_has_options_for_names_turns_and_completions(run, tmp_path):
    source, out_file = tmp_path / "source", tmp_path / "out.jsonl"
    turns = [{"role": role, "content": role} for role in ("user", "assistant", "user", "assistant")]
    source.write_text(json.dumps({"messages": turns}) + '\n{"q":"x","a":"y","s":"z"}\n')
    names = ["--prompt-field", "q", "--completion-field", "a", "--system-field", "s"]
    run("convert", source, "--out", out_file, "--turns", "last", "--drop-completions", *names)
    assert list(read_records(out_file)) == [Record.of("user"), Record.of("x", system="z")]


def test_split_leaves_out_bad_lines_only_when_told_to(run, good, tmp_path):
    with good.open("ab") as stream:
        stream.write(b"{}\n")
    words = ["split", good, "--out-dir", tmp_path, "--share", "all=1"]
    assert run(*words)[0] == 2
    code, out, _ = run(*words, "--skip-bad")
    assert code == 0
    assert "Left out 1 line:" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--share", "train"], "not NAME=FRACTION"),
        (["--share", "a=0.5", "--share", "a=0.5"], "given twice"),
        (["--share", "a=0.5"], "add up to 0.5"),
        (["--share", "a=1", "--teacher", "amazon.nova-pro-v1:0"], "go together"),
    ],
)
def test_split_refuses_wrong_usage_with_2(run, good, tmp_path, words, message):
    code, _, err = run("split", good, "--out-dir", tmp_path, *words)
    assert code == 2
    assert message in err


def test_a_file_that_is_not_there_exits_with_2(run, tmp_path):
    for words in (
        ["check", tmp_path / "no", *PAIR],
        ["convert", tmp_path / "no", "--out", tmp_path / "x"],
        ["split", tmp_path / "no", "--out-dir", tmp_path, "--share", "all=1"],
    ):
        code, _, err = run(*words)
        assert code == 2
        assert "No such file" in err


def test_the_choices_offered_are_those_of_the_library():
    assert data._FORMATS == FORMATS
    assert data._TURNS == TURNS
