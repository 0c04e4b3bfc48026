"""`data profile` as a command: what it is told, what it says, and what it refuses."""

from __future__ import annotations

import gzip
import json
import sys

import pytest

from bedrock_distill.cli.main import main

PRO, MICRO = "amazon.nova-pro-v1:0", "amazon.nova-micro-v1:0"


def line(project, system, prompt, answer):
    record = {
        "schemaType": "ModelInvocationLog",
        "schemaVersion": "1.0",
        "timestamp": "2026-11-01T05:00:00Z",
        "operation": "Converse",
        "modelId": PRO,
        "requestMetadata": {"project": project},
        "input": {
            "inputBodyJson": {
                "system": [{"text": system}],
                "messages": [{"role": "user", "content": [{"text": prompt}]}],
            }
        },
        "output": {
            "outputBodyJson": {
                "output": {"message": {"role": "assistant", "content": [{"text": answer}]}},
                "stopReason": "end_turn",
                "usage": {"inputTokens": 1000, "outputTokens": 100},
            }
        },
    }
    return json.dumps(record).encode() + b"\n"


@pytest.fixture
def source(tmp_path):
    lines = [
        line(
            "triage",
            "Sort this mail into billing or shipping.",
            f"My order {n} is wrong",
            ("billing", "shipping")[n % 2],
        )
        for n in range(120)
    ]
    lines += [
        line(
            "chat", "Be a kind and patient companion, please.", f"Tell me about day {n}", f"Day {n} was good"
        )
        for n in range(40)
    ]
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "one.json.gz").write_bytes(gzip.compress(b"".join(lines)))
    return folder


@pytest.fixture
def run(capsys):
    """Run a command; gives exit code, stdout and stderr."""

    def run(*words):
        with pytest.raises(SystemExit) as left:
            main(["data", "profile", *map(str, words)])
        told = capsys.readouterr()
        return left.value.code or 0, told.out, told.err

    return run


def priced(usd=1):
    kinds = {
        PRO: ("input_1k_tokens", "output_1k_tokens"),
        MICRO: ("input_1k_tokens", "output_1k_tokens", "training_1k_tokens"),
    }
    return [
        word
        for model, names in kinds.items()
        for name in names
        for word in ("--price", f"{model}:{name}={usd if model == PRO else usd / 10}")
    ]


def test_a_table_is_printed_with_groups_savings_and_remarks(run, source):
    code, told, _ = run(source, "--by", "metadata.project", "--teacher", PRO, "--student", MICRO, *priced())
    assert code == 0
    rows = [row for row in told.splitlines() if "project=" in row]
    assert ["project=triage" in rows[0], "project=chat" in rows[1]] == [True, True]
    assert "2 labels" in rows[0]
    assert "pay-back" in told
    assert "unknown" not in told


def test_the_document_has_exact_numbers(run, source):
    options = (
        "--student-share",
        1,
        "--logged-answers",
        "--evaluation-prompts",
        0,
        "--examples",
        100,
        "--passes",
        3,
    )
    code, told, _ = run(
        source,
        "--teacher",
        PRO,
        "--student",
        MICRO,
        *priced(),
        *options,
        "--hosting-usd-per-day",
        2,
        "--output",
        "json",
    )
    assert code == 0
    first = json.loads(told)["groups"][0]
    assert (first["calls"], first["input_tokens"], first["output_tokens"], first["usd"]) == (
        120,
        120_000,
        12_000,
        132.0,
    )
    assert first["saving"]["usd_per_day"] == pytest.approx(132.0 - 13.2 - 2)
    assert first["saving"]["one_off_usd"] == pytest.approx(100 * 1.1 * 3 * 0.1)


def test_what_is_asked_for_selects_calls(run, source):
    for options, calls in (
        (("--where", "project=chat"), 40),
        (("--where-not", "project=chat"), 120),
        (("--where", "project=chat", "--where", "project=triage", "--any"), 160),
        (("--model", f"us.{PRO}", "--operation", "Converse"), 160),
        (("--since", "2026-11-01T05", "--until", "2026-11-01T05:01"), 160),
    ):
        code, told, _ = run(source, *options, "--output", "json")
        assert (code, json.loads(told)["calls"]) == (0, calls)
    code, _, err = run(source, "--exact-model", "other")
    assert code == 2
    assert "160 not-selected" in err


def test_groups_are_made_by_keys_alone_where_templates_are_not_wanted(run, source):
    for options, groups in (
        ((), 2),
        (("--no-templates",), 1),
        (("--no-templates", "--by", "metadata.project"), 2),
        (("--max-groups", 1), 2),
    ):
        _, told, _ = run(source, *options, "--output", "json")
        assert len(json.loads(told)["groups"]) == groups


@pytest.mark.parametrize(
    ("name", "beginning"), [("p.md", "## Profile"), ("p.html", "<!doctype html>"), ("p.json", "{")]
)
def test_the_profile_is_written_as_the_suffix_says(run, source, tmp_path, name, beginning):
    out = tmp_path / name
    code, _, err = run(source, "--out", out)
    assert code == 0
    assert out.read_text("utf-8").startswith(beginning)
    assert str(out) in err


def test_a_file_lays_prices_over_the_catalog(run, source, tmp_path):
    rows = "".join(
        f'[[price]]\nmodel = "{PRO}"\nkind = "{kind}"\nusd = 1.0\nregion = "us-east-1"\nsource = "ours"\nas_of = 2026-11-01\n'
        for kind in ("input_1k_tokens", "output_1k_tokens")
    )
    (tmp_path / "prices.toml").write_text(rows)
    for region, usd in (("us-east-1", 132.0), ("eu-west-1", None)):
        _, told, _ = run(
            source, "--catalog", tmp_path / "prices.toml", "--region", region, "--output", "json"
        )
        assert json.loads(told)["groups"][0]["usd"] == usd


def test_a_curve_without_a_trainer_says_what_to_install_before_anything_is_read(run, source, monkeypatch):
    from bedrock_distill.train import requirements

    monkeypatch.setattr(requirements, "LIBRARIES", ("no_such_library",))
    code, told, err = run(source, "--curve", 1)
    assert (code, told) == (2, "")
    assert "pip install 'bedrock-distill[local]'" in err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--by", "project"), "metadata.KEY"),
        (("--price", "amazon.nova-pro-v1:0=1"), "a profile knows"),
        (("--price", "cheap"), "MODEL:KIND=USD"),
        (("--price", "m:input_1k_tokens=-1"), "MODEL:KIND=USD"),
        (("--out", "profile.txt"), "ends in none of"),
        (("--out", "no/such/folder/p.md"), "no folder"),
        (("--where", "project"), "KEY=VALUE"),
        (("--student-share", "0"), "student-share"),
        (("--examples", "15001"), "examples"),
        (("--max-groups", "0"), "max-groups"),
        (("--since", "2026-11-02", "--until", "2026-11-01"), "not before until"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(run, source, options, said):
    code, told, err = run(source, *options)
    assert (code, told) == (2, "")
    assert said in err


def test_a_source_that_is_not_there_is_named(run, tmp_path):
    code, _, err = run(tmp_path / "nowhere")
    assert code == 2
    assert "nowhere" in err


def test_help_loads_no_heavy_library(run):
    before = set(sys.modules)
    code, told, _ = run("--help")
    assert code == 0
    assert "--curve GROUP" in told
    assert not {"torch", "boto3"} & (set(sys.modules) - before)
