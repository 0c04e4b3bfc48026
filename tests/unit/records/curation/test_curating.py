import gzip
import hashlib
import json
from collections import Counter

import pytest

from bedrock_distill.errors import DataError, SpecError
from bedrock_distill.records import Record, encode_record
from bedrock_distill.records.curation import Recipe, curate, describe
from bedrock_distill.records.reading import read_records
from bedrock_distill.records.rules import Rules
from bedrock_distill.records.splitting import split_of
from bedrock_distill.records.writing import write_records

SHARES = {"train": 0.8, "heldout": 0.2}


@pytest.fixture
def records(prose):
    return [
        Record.of(prose.text(25 + number % 50), completion=prose.text(5) if number % 3 == 0 else None)
        for number in range(400)
    ]


@pytest.fixture
def run(tmp_path):
    """Curate records; gives the card and the records of each part."""

    def run(records, recipe=None, **more):
        write_records(tmp_path / "source.jsonl", records)
        if "golden" in more:
            write_records(tmp_path / "golden.jsonl", more["golden"])
            more["golden"] = tmp_path / "golden.jsonl"
        card = curate(tmp_path / "source.jsonl", tmp_path / "out", recipe, **more)
        return card, {part.name: list(read_records(tmp_path / "out" / part.path)) for part in card.parts}

    return run


def stages(card):
    return {stage.name: stage.reasons for stage in card.stages}


def test_good_and_different_records_all_remain(run, records):
    card, parts = run(records)
    assert sorted(map(encode_record, parts["train"])) == sorted(map(encode_record, records))
    assert all(not reasons for reasons in stages(card).values())
    assert (card.records, card.labelled) == (400, 134)


def test_every_record_is_accounted_for(run, records):
    records += records[:30] + [Record.of("hi")] * 3
    card, _ = run(records, Recipe(max_records=200))
    entered = len(records)
    for stage in card.stages:
        assert stage.entered == entered
        assert stage.entered - stage.left == sum(stage.reasons.values())
        entered = stage.left
    assert card.records == entered == 200
    assert stages(card) == {
        "lines that are records": {},
        "quality rules": {"short-prompt": 3},
        "exact duplicates": {"exact-duplicate": 30},
        "near-duplicates": {},
        "selection": {"not-selected": 200},
    }


def test_of_the_same_prompt_the_labelled_record_is_kept(run, records):
    labelled = [record.with_completion("a label") for record in records if record.completion is None]
    _, parts = run([*records, *labelled])
    assert len(parts["train"]) == 400
    assert all(record.completion is not None for record in parts["train"])


def test_labels_that_contradict_each_other_are_counted(run, records):
    card, parts = run(
        [*records, *(record.with_completion("another") for record in records if record.completion)]
    )
    assert card.conflicts == 134
    assert len(parts["train"]) == 400
    assert "134 prompts came with different golden labels" in " ".join(card.warnings)


def test_of_near_duplicates_the_labelled_one_is_kept(run, prose):
    bases = [prose.text(200) for _ in range(60)]
    copies = [Record.of(prose.changed(base, 0.01), completion="label") for base in bases]
    card, parts = run([*map(Record.of, bases), *copies])
    assert stages(card)["near-duplicates"] == {"near-duplicate": 60}
    assert (card.near.clusters, card.near.members, card.near.largest) == (60, 120, 2)
    assert all(record.completion == "label" for record in parts["train"])


def test_near_duplicates_can_be_kept_and_then_stay_together(run, prose):
    texts = [prose.text(200) for _ in range(80)]
    records = [Record.of(prose.changed(text, 0.005)) for text in texts for _ in range(4)]
    card, parts = run(records, Recipe(keep_near=True, shares={"a": 0.5, "b": 0.5}))
    assert card.records == 320
    assert card.near_across == 0
    assert 40 < len(parts["a"]) < 280
    card, _ = run(records, Recipe(keep_near=True, keep_together=(), shares={"a": 0.5, "b": 0.5}))
    assert card.near_across > 40
    assert "near-duplicates lie in more than one part" in " ".join(card.warnings)
    card, _ = run(records, Recipe(near_threshold=None))
    assert (card.records, card.near, card.near_across) == (320, None, None)


def test_the_selection_keeps_strata_in_proportion(run, prose):
    systems = ["You sort tickets of a shop into topics.", "You translate letters into plain words."]
    records = [Record.of(prose.text(40), system=systems[number % 4 == 0]) for number in range(1_000)]
    card, parts = run(records, Recipe(max_records=100, strata=("system",)))
    assert Counter(record.system_text for record in parts["train"]) == {systems[0]: 75, systems[1]: 25}
    assert [(row.candidates, row.chosen) for row in card.strata] == [(750, 75), (250, 25)]
    assert "You sort tickets" in card.strata[0].name


def test_a_small_stratum_keeps_its_floor(run, prose):
    records = [Record.of(prose.text(40), completion="x" if number < 6 else None) for number in range(600)]
    card, _ = run(records, Recipe(max_records=60, strata=("labelled",), stratum_floor=6))
    assert card.labelled == 6


def test_golden_records_win_and_make_up_their_share(run, records):
    golden = [record.with_completion("vouched for") for record in records[:50]]
    card, parts = run(records, Recipe(max_records=200), golden=golden)
    assert sum(record.completion == "vouched for" for record in parts["train"]) == 20
    assert card.parts[0].golden == 20
    assert stages(card)["exact duplicates"] == {"prompt-of-a-golden-record": 50}
    assert stages(card)["selection"] == {"not-selected": 170, "golden-beyond-its-share": 30}
    prompts = [encode_record(record.prompt) for record in parts["train"]]
    assert len(set(prompts)) == 200


def test_a_near_duplicate_of_a_golden_record_goes_too(run, prose):
    texts = [prose.text(200) for _ in range(120)]
    golden = [Record.of(prose.changed(text, 0.01), completion="vouched for") for text in texts[:12]]
    card, parts = run([Record.of(text, completion="found") for text in texts], golden=golden)
    assert stages(card)["near-duplicates"] == {"near-duplicate-of-a-golden-record": 12}
    assert Counter(record.completion for record in parts["train"]) == {"found": 108, "vouched for": 12}


def test_too_few_golden_records_are_remarked_on(run, records):
    card, _ = run(records, Recipe(max_records=200), golden=[Record.of("One golden prompt", completion="x")])
    assert card.parts[0].golden == 1
    assert any("10.0% were asked for" in warning for warning in card.warnings)


def test_golden_records_that_stand_alone_are_remarked_on(run, records):
    card, _ = run(records[:9], golden=[record.with_completion("vouched for") for record in records[:9]])
    assert card.parts[0].golden == 9
    assert "All records are golden: no others are left to mix them with." in card.warnings


def test_golden_records_are_not_judged_and_need_a_label(run, records):
    card, _ = run(records, golden=[Record.of("hi", completion="Hello.")])
    assert card.parts[0].golden == 1
    with pytest.raises(DataError, match=r"golden\.jsonl:2: messages: has no golden label"):
        run(records, golden=[Record.of("hi", completion="Hello."), Record.of("hi there")])


def test_records_alone_are_split_as_data_split_does(run, records):
    _, parts = run(records, Recipe(seed=5, shares=SHARES))
    for name, of_part in parts.items():
        assert {split_of(record, 5, SHARES) for record in of_part} == {name}


def test_groups_stay_on_one_side(run, records, tmp_path):
    groups = tmp_path / "groups.jsonl"
    names = [None if number % 10 == 0 else f"session {number % 57}" for number in range(400)]
    groups.write_text("".join(json.dumps(name) + "\n" for name in names))
    _, parts = run(records, Recipe(shares=SHARES), groups=[groups])
    sides = {}
    group_of = {encode_record(record): name for record, name in zip(records, names, strict=True)}
    for name, of_part in parts.items():
        for record in of_part:
            sides.setdefault(group_of[encode_record(record)], set()).add(name)
    assert all(len(names) == 1 for group, names in sides.items() if group is not None)
    assert {side for names in sides.values() for side in names} == {"train", "heldout"}


def test_templates_and_system_prompts_can_stay_on_one_side(run, prose):
    texts = [
        f"{order} this letter for me, please: {prose.text(30)}"
        for order in prose.words[-40:]
        for _ in range(20)
    ]
    recipe = Recipe(shares={"a": 0.5, "b": 0.5}, keep_together=("system",))
    _, parts = run([Record.of(text, system=f"You do {text.split()[0]}.") for text in texts], recipe)
    systems = [{record.system_text for record in part} for part in parts.values()]
    assert not systems[0] & systems[1]
    assert all(systems)
    _, parts = run(
        list(map(Record.of, texts)), Recipe(shares={"a": 0.5, "b": 0.5}, keep_together=("template",))
    )
    orders = [{record.prompt_text.split()[0] for record in part} for part in parts.values()]
    assert not orders[0] & orders[1]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["1"] * 399, "has fewer lines"),
        (["1"] * 401, "has more lines"),
        (["[]"] * 400, r"groups\.jsonl:1: must be the group of line 1"),
        (["session"] * 400, r"groups\.jsonl:1: must be"),
    ],
)
def test_groups_must_match_the_lines(run, records, tmp_path, lines, message):
    groups = tmp_path / "groups.jsonl"
    groups.write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match=message):
        run(records, groups=[groups])
    with pytest.raises(SpecError, match="1 sources and 2 files of groups"):
        run(records, groups=[groups, groups])


def test_bad_and_blank_lines_do_not_shift_the_groups(tmp_path, records):
    source, groups = tmp_path / "source.jsonl", tmp_path / "groups.jsonl"
    source.write_bytes(b"{}\n\n" + b"".join(encode_record(record) + b"\n" for record in records))
    groups.write_text('"bad"\n"blank"\n' + "".join(f"{number // 2}\n" for number in range(400)))
    card = curate(source, tmp_path / "out", Recipe(skip_bad=True, shares=SHARES), groups=groups)
    assert stages(card)["lines that are records"] == {"offending-line": 1}
    side = {
        encode_record(record): name
        for name in SHARES
        for record in read_records(tmp_path / f"out/{name}.jsonl")
    }
    lines = list(map(encode_record, records))
    assert all(side[one] == side[other] for one, other in zip(lines[::2], lines[1::2], strict=True))


def test_a_line_that_is_no_record_fails_unless_it_may_be_left_out(run, tmp_path, records):
    (tmp_path / "source.jsonl").write_bytes(encode_record(records[0]) + b"\n{}\n")
    with pytest.raises(DataError, match=r"source\.jsonl:2.*--skip-bad"):
        curate(tmp_path / "source.jsonl", tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_rules_of_a_pair_are_applied(run, records):
    with pytest.raises(DataError, match="1 of 401 lines offend"):
        run([*records, Record.of("x" * 4_000)], rules=Rules(context_tokens=500))


def test_if_nothing_is_left_nothing_is_written(run, tmp_path):
    with pytest.raises(DataError, match=r"Nothing is left of 3 lines \(3 short-prompt\)"):
        run([Record.of("hi")] * 3)
    assert not list((tmp_path / "out").iterdir())
    with pytest.raises(DataError, match="Nothing is left of 0 lines: check"):
        run([])


def test_if_the_disk_refuses_old_files_stay(run, records, tmp_path):
    run(records)
    before = (tmp_path / "out/train.jsonl").read_bytes()
    (tmp_path / "out/card.md").unlink()
    (tmp_path / "out/card.md").mkdir()
    with pytest.raises(DataError, match=r"card\.md"):
        run(records[:200])
    assert [path.name for path in (tmp_path / "out").iterdir() if path.name.startswith(".")] == []
    assert len(before.splitlines()) == 400
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match="Could not make the folder"):
        curate(tmp_path / "source.jsonl", tmp_path / "file" / "out")


def test_packed_sources_are_read_and_fingerprinted_as_they_lie(tmp_path, records):
    packed = gzip.compress(b"".join(encode_record(record) + b"\n" for record in records))
    (tmp_path / "a.gz").write_bytes(packed)
    write_records(tmp_path / "b.jsonl", records[:10])
    card = curate([tmp_path / "a.gz", tmp_path / "b.jsonl"], tmp_path / "out")
    assert [source.records for source in card.sources] == [400, 10]
    assert card.sources[0].sha256 == hashlib.sha256(packed).hexdigest()
    assert card.records == 400


class Shouting:
    """Takes capital letters out, text by text."""

    def redact(self, text):
        shouted = sum(map(str.isupper, text))
        return text.lower(), Counter(capital=shouted) if shouted else Counter()


class Emptying:
    def redact(self, text):
        return ("", Counter(all=1)) if "secret" in text else (text, Counter())


def test_texts_are_redacted_before_anything_else_looks_at_them(run):
    records = [
        Record.of("Where is ORDER seven?", system="Be Brief."),
        Record.of("where is order seven?", system="be brief."),
    ]
    card, parts = run(records, redactor=Shouting())
    assert card.redacted == {"capital": 8}
    assert parts["train"] == [records[1]]
    assert stages(card)["exact duplicates"] == {"exact-duplicate": 1}


def test_a_record_of_which_redaction_leaves_nothing_is_left_out(run):
    card, _ = run([Record.of("this is all secret"), Record.of("this is not")], redactor=Emptying())
    assert stages(card)["quality rules"] == {"nothing-left": 1}


def test_a_redactor_of_whole_records_is_asked_for_them(run):
    class Whole(Shouting):
        def redact_record(self, record):
            return Record.of("something else entirely"), Counter(whole=1)

    card, parts = run([Record.of("Where is it?")], redactor=Whole())
    assert (card.redacted, parts["train"]) == ({"whole": 1}, [Record.of("something else entirely")])


def test_prompts_in_other_languages_are_left_out(run):
    pytest.importorskip("py3langid")
    english = "Where is my refund? I sent the parcel back two weeks ago and have heard nothing."
    german = "Wo bleibt meine Erstattung? Das Paket habe ich vor zwei Wochen zurückgeschickt."
    card, parts = run(
        [Record.of(english), Record.of(german), Record.of("OK, 17 then")], Recipe(languages=("en",))
    )
    assert [record.prompt_text for record in parts["train"]].count(german) == 0
    assert stages(card)["quality rules"] == {"language": 1}
    assert card.languages == {"": 1, "en": 1}


def test_the_card_and_its_page_lie_beside_the_files(run, records, tmp_path):
    card, _ = run(records, Recipe(shares=SHARES))
    assert json.loads((tmp_path / "out/card.json").read_text()) == json.loads(json.dumps(card.to_dict()))
    assert (tmp_path / "out/card.md").read_text() == card.to_markdown()
    for part in card.parts:
        content = (tmp_path / "out" / part.path).read_bytes()
        assert part.sha256 == hashlib.sha256(content).hexdigest()
        assert (part.size_bytes, part.records) == (len(content), content.count(b"\n"))
        assert part.longest_line_bytes == max(map(len, content.splitlines()))


def test_a_curated_set_described_again_says_the_same(run, records, tmp_path):
    card, _ = run(records, Recipe(shares=SHARES, max_records=300))
    again = describe([tmp_path / "out" / part.path for part in card.parts])
    assert (again.records, again.labelled) == (card.records, card.labelled)
    assert (again.prompt_chars, again.completion_chars, again.tokens) == (
        card.prompt_chars,
        card.completion_chars,
        card.tokens,
    )
    assert [part.sha256 for part in again.parts] == [part.sha256 for part in card.parts]
    assert (again.exact_across, again.near_across, again.duplicates) == (0, 0, 0)
