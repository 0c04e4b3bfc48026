import json

import pytest
from click.testing import CliRunner

from bedrock_distill.cli import data_curate
from bedrock_distill.cli.data_curate import card, curate
from bedrock_distill.errors import BedrockDistillError
from bedrock_distill.records import Record
from bedrock_distill.records.curation.recipe import STRATA, TIES
from bedrock_distill.records.reading import read_records
from bedrock_distill.records.writing import write_records

TOPICS = ("refund", "parcel", "invoice", "password", "warranty", "colour", "size", "voucher")
PAIR = ["--teacher", "amazon.nova-pro-v1:0", "--student", "amazon.nova-micro-v1:0:128k"]


@pytest.fixture
def records():
    return [
        Record.of(
            f"Customer {number * 7919 % 10_007} asks about the {TOPICS[number % 8]} of order {number * 104_729 % 99_991}",
            completion=TOPICS[number % 8] if number % 2 else None,
        )
        for number in range(240)
    ]


@pytest.fixture
def source(tmp_path, records):
    path = tmp_path / "source.jsonl"
    write_records(path, [*records, *records[:20], Record.of("hi")])
    return path


@pytest.fixture
def run():
    """Run a command; gives exit code, stdout and stderr."""

    def run(command, *words, refused=None):
        result = CliRunner().invoke(command, list(map(str, words)))
        if isinstance(result.exception, BedrockDistillError):
            assert refused is not None, result.exception
            assert refused in str(result.exception)
        return result.exit_code, result.stdout, result.stderr

    return run


def test_curate_writes_files_and_a_card_and_says_what_became_of_the_records(run, source, tmp_path):
    code, out, err = run(
        curate, source, "--out-dir", tmp_path / "out", "--share", "train=0.8", "--share", "heldout=0.2"
    )
    assert (code, err) == (0, "")
    assert "exact duplicates            260        20      240" in out
    assert "short-prompt            1" in out
    assert f"Card: {tmp_path / 'out' / 'card.md'}" in out
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["card.json", "card.md", "heldout.jsonl", "train.jsonl"]
    parts = [list(read_records(tmp_path / "out" / name)) for name in names[2:]]
    assert sum(map(len, parts)) == 240


def test_curate_prints_the_card_as_one_json_document(run, source, tmp_path):
    code, out, _ = run(
        curate, source, "--out-dir", tmp_path, "--max-records", 100, "--output", "json", "--quiet"
    )
    document = json.loads(out)
    assert code == 0
    assert document["records"] == 100
    assert document["stages"][-1]["reasons"] == {"not-selected": 140}
    assert document == json.loads((tmp_path / "card.json").read_text())


def test_curate_remarks_on_what_bedrock_would_refuse(run, source, tmp_path):
    _, _, err = run(curate, source, "--out-dir", tmp_path, "--max-records", 50)
    assert "Note: train has 50 records; Bedrock takes no fewer than 100 in a job." in err
    assert run(curate, source, "--out-dir", tmp_path, "--max-records", 50, "--quiet")[2] == ""


def test_options_change_the_recipe_of_a_file(run, source, tmp_path):
    (tmp_path / "recipe.toml").write_text(
        "max_records = 30\nseed = 7\n[limits]\nshort-prompt = 20\n[shares]\na = 0.5\nb = 0.5\n"
    )
    words = [curate, source, "--out-dir", tmp_path, "--recipe", tmp_path / "recipe.toml", "--output", "json"]
    recipe = json.loads(run(*words)[1])["recipe"]
    assert (recipe["max_records"], recipe["seed"], recipe["shares"]) == (30, 7, {"a": 0.5, "b": 0.5})
    changes = [
        "--all",
        "--seed",
        0,
        "--share",
        "all=1",
        "--limit",
        "short-prompt=off",
        "--limit",
        "refusal=100",
    ]
    changes += ["--no-near", "--stratum", "labelled", "--keep-together", "system", "--golden-share", "0"]
    recipe = json.loads(run(*words, *changes)[1])["recipe"]
    assert (recipe["max_records"], recipe["seed"], recipe["shares"]) == (None, 0, {"all": 1})
    assert (recipe["limits"]["short-prompt"], recipe["limits"]["refusal"]) == (None, 100)
    assert (recipe["near_threshold"], recipe["strata"], recipe["keep_together"]) == (
        None,
        ["labelled"],
        ["system"],
    )
    assert recipe["golden_share"] == 0


def test_golden_records_and_groups_are_files(run, source, records, tmp_path):
    write_records(
        tmp_path / "golden.jsonl", [record.with_completion("vouched for") for record in records[:30]]
    )
    (tmp_path / "groups.jsonl").write_text("".join(f"{number // 10}\n" for number in range(261)))
    words = [
        "--golden",
        tmp_path / "golden.jsonl",
        "--groups",
        tmp_path / "groups.jsonl",
        "--golden-share",
        "0.1",
    ]
    code, out, _ = run(
        curate, source, "--out-dir", tmp_path / "out", *words, "--output", "json", "--max-records", 150
    )
    assert code == 0
    assert json.loads(out)["parts"][0]["golden"] == 15


def test_personal_data_is_replaced_first(run, tmp_path):
    pytest.importorskip("phonenumbers")
    write_records(
        tmp_path / "source.jsonl", [Record.of(f"Write to anna{n}@example.org, please") for n in range(3)]
    )
    code, out, _ = run(
        curate,
        tmp_path / "source.jsonl",
        "--out-dir",
        tmp_path / "out",
        "--redact",
        "email",
        "--output",
        "json",
    )
    document = json.loads(out)
    assert code == 0
    assert document["redacted"] == {"email": 3}
    assert document["records"] == 1  # they were all the same but for the address


def test_rules_of_a_pair_are_applied_on_the_way(run, source, tmp_path):
    with source.open("ab") as stream:
        stream.write(b"{}\n")
    words = [curate, source, "--out-dir", tmp_path / "out", *PAIR]
    assert run(*words, refused="1 of 262 lines offend")[0] != 0
    code, out, _ = run(*words, "--skip-bad")
    assert code == 0
    assert "offending-line" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--teacher", "amazon.nova-pro-v1:0"], "go together"),
        (["--limit", "short-prompt"], "not RULE=NUMBER"),
        (["--limit", "short-prompt=few"], "not RULE=NUMBER"),
        (["--share", "train"], "not NAME=FRACTION"),
        (["--near-threshold", "0"], "0<x<=1"),
        (["--keep-together", "user"], "'user' is not one of"),
    ],
)
def test_curate_refuses_wrong_usage_with_2(run, source, tmp_path, words, message):
    code, _, err = run(curate, source, "--out-dir", tmp_path, *words)
    assert code == 2
    assert message in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--limit", "short=3"], "knows no 'short'"),
        (["--share", "train=0.5"], "add up to 0.5"),
        (["--recipe", "nowhere.toml"], "nowhere.toml"),
        (["--groups", "a", "--groups", "b"], "1 sources and 2 files of groups"),
    ],
)
def test_a_wrong_recipe_is_an_error_of_its_own(run, source, tmp_path, words, message):
    assert run(curate, source, "--out-dir", tmp_path / "out", *words, refused=message)[0] != 0


def test_card_shows_a_page_or_a_document(run, source, tmp_path):
    code, out, _ = run(card, source, "--markdown", tmp_path / "page.md")
    assert code == 0
    assert out.startswith("# Dataset card\n\n**261 records** in 1 file")
    assert "20 records have the prompt of an earlier one" in out
    assert (tmp_path / "page.md").read_text() == out.removesuffix("\n")
    document = json.loads(run(card, source, source, "--no-near", "--output", "json")[1])
    assert (document["records"], document["exact_across"], document["near"]) == (522, 241, None)


def test_card_tells_languages_when_asked(run, source):
    pytest.importorskip("py3langid")
    document = json.loads(run(card, source, "--languages", "--output", "json")[1])
    assert sum(document["languages"].values()) == 261
    assert document["languages"]["en"] > 200
    assert json.loads(run(card, source, "--output", "json")[1])["languages"] is None


def test_card_leaves_bad_lines_out_only_when_told_to(run, source):
    with source.open("ab") as stream:
        stream.write(b"{}\n")
    assert run(card, source, refused="1 of 262 lines offend")[0] != 0
    assert run(card, source, "--skip-bad")[0] == 0


def test_the_choices_offered_are_those_of_the_library():
    assert data_curate._TIES == TIES
    assert data_curate._STRATA == STRATA


def test_comprehend_redacts_what_this_machine_left(run, tmp_path, monkeypatch):
    from bedrock_distill.local import Cloud

    text = "My name is Jo Doe, my key is AKIAIOSFODNN7EXAMPLE, and I ask for help with my invoice."
    write_records(tmp_path / "source.jsonl", [Record.of(text)])
    with Cloud() as cloud:
        server = cloud.serve()
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        code, out, _ = run(
            curate,
            tmp_path / "source.jsonl",
            "--out-dir",
            tmp_path / "out",
            "--redact",
            "secrets,comprehend",
            "--endpoint-url",
            server.url,
            "--output",
            "json",
        )
    assert code == 0
    assert json.loads(out)["redacted"].keys() >= {"name", "aws-access-key"}
