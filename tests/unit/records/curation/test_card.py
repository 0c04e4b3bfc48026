import json

import numpy as np
import pytest

from bedrock_distill.errors import SpecError
from bedrock_distill.records import Record
from bedrock_distill.records.curation import Recipe, curate, describe
from bedrock_distill.records.curation.card import Spread
from bedrock_distill.records.writing import write_records


@pytest.fixture
def write(tmp_path):
    def write(name, records):
        write_records(tmp_path / name, records)
        return tmp_path / name

    return write


def test_a_spread_has_the_values_that_are_there():
    values = np.arange(1, 101)[::-1]
    assert Spread.of(values) == Spread(min=1, median=50, p95=95, max=100, total=5_050)
    assert Spread.of(np.array([7])) == Spread(7, 7, 7, 7, 7)
    assert Spread.of(np.array([])) is None


def test_lengths_are_those_of_the_texts(write):
    card = describe([write("a", [Record.of("four", system="six...", completion="abc"), Record.of("é" * 20)])])
    assert card.prompt_chars == Spread(10, 10, 10, 20, 30)
    assert card.completion_chars == Spread(3, 3, 3, 3, 3)
    assert (card.tokens.min, card.tokens.max) == (4, 10)  # 15 bytes with two separators, 40 bytes


def test_what_files_share_is_found(write, prose):
    texts = [prose.text(200) for _ in range(40)]
    one = write("one", list(map(Record.of, texts)))
    other = write(
        "other",
        [
            *map(Record.of, texts[:3]),
            *(Record.of(prose.changed(text, 0.01)) for text in texts[3:8]),
            *(Record.of(prose.text(200)) for _ in range(20)),
        ],
    )
    card = describe([one, other])
    assert (card.exact_across, card.duplicates) == (3, 3)
    assert card.near_across == 8  # an exact copy is a near one too
    warnings = " ".join(card.warnings)
    assert "3 prompts stand in more than one part" in warnings
    assert "8 groups of near-duplicates lie in more than one part" in warnings
    assert describe([one, other], near_threshold=None).near_across is None


def test_many_copies_of_a_prompt_are_not_taken_for_a_template(write, prose):
    texts = [prose.text(100) for _ in range(30)]
    rows = [Record.of(text) for text in texts for _ in range(40)]
    card = describe([write("one", rows), write("other", [Record.of(text.upper()) for text in texts])])
    assert (card.duplicates, card.exact_across, card.near_across) == (30 * 39, 0, 30)
    assert (card.near.clusters, card.near.members, card.templates) == (30, 60, ())


def test_files_that_bedrock_would_refuse_are_remarked_on(write, prose):
    small = describe([write("small", [Record.of(prose.text(20)) for _ in range(40)])])
    assert any("40 records; Bedrock takes no fewer than 100" in warning for warning in small.warnings)
    long = describe([write("long", [Record.of(" ".join(map(str, range(5_000))))] * 2)])
    assert any("Bedrock takes at most 16,384 in a line" in warning for warning in long.warnings)
    many = describe([write("many", [Record.of(f"question {number}") for number in range(15_001)])])
    assert any("15,001 records; Bedrock takes at most 15,000" in warning for warning in many.warnings)


def test_templates_are_shown_by_what_they_share(write, prose):
    rows = [
        Record.of(f"Sort this ticket, please: {prose.text(20)}", system="You sort tickets.")
        for _ in range(90)
    ]
    rows += [
        Record.of(f"{prose.text(20)} That was all; translate it into French, please.") for _ in range(30)
    ]
    card = describe([write("a", rows)])
    assert card.templates[0].text.startswith("You sort tickets. Sort this ticket, please:")
    assert card.templates[0].records == 90
    assert card.templates[1].text.endswith("That was all; translate it into French, please.")
    assert any("90 of 120 records are of one template" in warning for warning in card.warnings)


def test_lumpy_splits_are_remarked_on(write, tmp_path, prose):
    source = write("a", [Record.of(prose.text(20), system="Be brief.") for _ in range(200)])
    recipe = Recipe(shares={"train": 0.8, "heldout": 0.2}, keep_together=("system",))
    card = curate(source, tmp_path / "out", recipe)
    assert sorted(part.records for part in card.parts) == [0, 200]
    assert any("were asked for" in warning for warning in card.warnings)


def test_the_page_shows_what_the_card_knows(write, tmp_path, prose):
    source = write("a|b", [Record.of(prose.text(20), completion="| a *label*") for _ in range(150)])
    card = curate(source, tmp_path / "out", Recipe(max_records=120, shares={"train": 0.8, "heldout": 0.2}))
    page = card.to_markdown()
    headings = [line for line in page.splitlines() if line.startswith("#")]
    assert headings == [
        "# Dataset card",
        "## Files",
        "## Sources",
        "## From the sources to the files",
        "## Lengths",
        "## Selection",
        "## Near-duplicates",
        "## Recipe",
    ]
    assert "**120 records** in 2 files, 120 of them with a golden label (100.0%)" in page
    assert "| not-selected: there are more than were asked for | 30 |" in page
    assert r"a\|b`" in page
    assert json.dumps(card.recipe, indent=2) in page
    tables = [line for line in page.splitlines() if line.startswith("|")]
    assert all(line.endswith(" |") for line in tables)


def test_every_column_of_every_table_has_a_cell(write, tmp_path, prose):
    golden = write("golden", [Record.of(prose.text(20), completion="x") for _ in range(20)])
    source = write("a", [Record.of(f"Sort this ticket, please: {prose.text(20)}") for _ in range(150)])
    page = curate(source, tmp_path / "out", Recipe(max_records=120), golden=golden).to_markdown()
    for table in page.split("\n\n"):
        if table.startswith("| "):
            assert len({row.replace(r"\|", "").count("|") for row in table.splitlines()}) == 1


def test_no_file_or_a_wrong_threshold_is_refused(write):
    with pytest.raises(SpecError, match="no file to describe"):
        describe([])
    with pytest.raises(SpecError, match="not above 0"):
        describe([write("a", [Record.of("x")])], near_threshold=0)


def test_an_empty_file_has_a_card_too(write):
    card = describe([write("empty", [])])
    assert (card.records, card.prompt_chars, card.templates) == (0, None, ())
    assert "**0 records** in 1 file." in card.to_markdown()
