"""What holds for every curation."""

import json
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bedrock_distill.records import Record, decode_record, encode_record
from bedrock_distill.records.curation import Recipe, curate, describe
from bedrock_distill.records.curation.clusters import near_duplicates
from bedrock_distill.records.curation.grouping import tied
from bedrock_distill.records.curation.quality import Judge, default_limits
from bedrock_distill.records.curation.recipe import STRATA, TIES
from bedrock_distill.records.curation.selection import choose, golden_count, quotas
from bedrock_distill.records.curation.windows import windows_of
from bedrock_distill.records.reading import read_records
from bedrock_distill.records.splitting import split_of

WORDS = st.sampled_from(
    [
        "order",
        "refund",
        "parcel",
        "invoice",
        "customer",
        "Please",
        "where",
        "when",
        "account",
        "17",
        "über",
        "订单",
    ]
)
TEXT = st.lists(WORDS, min_size=2, max_size=40).map(" ".join).filter(lambda text: len(text) >= 8)
ODD_TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)
RECORDS = st.lists(
    st.builds(Record.of, TEXT, system=st.none() | TEXT, completion=st.none() | TEXT), min_size=1, max_size=25
)
ODD_RECORDS = st.lists(
    st.builds(
        Record.of,
        ODD_TEXT.filter(lambda text: not text.isspace()),
        completion=st.none() | ODD_TEXT.filter(lambda text: not text.isspace()),
    ),
    min_size=1,
    max_size=12,
)
NO_LIMITS = dict.fromkeys(default_limits(), None)
RECIPES = st.builds(
    Recipe,
    max_records=st.none() | st.integers(1, 20),
    seed=st.integers(0, 2**64 - 1),
    limits=st.just(NO_LIMITS),
    near_threshold=st.none() | st.floats(0.3, 1),
    keep_near=st.booleans(),
    strata=st.lists(st.sampled_from(STRATA), unique=True).map(tuple),
    stratum_floor=st.integers(0, 4),
    golden_share=st.floats(0, 1),
    shares=st.sampled_from([{"all": 1.0}, {"train": 0.7, "heldout": 0.3}]),
    keep_together=st.lists(st.sampled_from(TIES), unique=True).map(tuple),
)


def curated(records, recipe, folder, **more):
    """The card, and the bytes of each file."""
    source, out = Path(folder, "source.jsonl"), Path(folder, "out")
    source.write_bytes(b"".join(encode_record(record) + b"\n" for record in records))
    card = curate(source, out, recipe, **more)
    return card, {part.name: (out / part.path).read_bytes() for part in card.parts}


@settings(max_examples=40)
@given(RECORDS, RECIPES, st.randoms(use_true_random=False))
def test_the_order_of_the_input_decides_nothing(records, recipe, random):
    shuffled = records.copy()
    random.shuffle(shuffled)
    with TemporaryDirectory() as folder:
        one, files = curated(records, recipe, folder)
        other, again = curated(shuffled, recipe, folder)
    assert files == again
    ours, theirs = one.to_dict(), other.to_dict()
    assert ours.pop("sources")[0]["records"] == theirs.pop("sources")[0]["records"]
    assert ours == theirs


@settings(max_examples=60)
@given(RECORDS, RECIPES)
def test_what_is_written_was_read_and_no_prompt_is_there_twice(records, recipe):
    with TemporaryDirectory() as folder:
        card, files = curated(records, recipe, folder)
    lines = [line for content in files.values() for line in content.splitlines()]
    assert set(lines) <= set(map(encode_record, records))
    prompts = Counter(encode_record(decode_record(line).prompt) for line in lines)
    assert max(prompts.values()) == 1
    assert len(lines) == card.records
    assert recipe.max_records is None or card.records <= recipe.max_records
    left = [stage.left for stage in card.stages]
    entered = [stage.entered for stage in card.stages]
    assert entered[1:] == left[:-1]
    assert entered[0] == len(records)
    assert left[-1] == card.records
    assert all(stage.entered - stage.left == sum(stage.reasons.values()) for stage in card.stages)
    assert json.loads(json.dumps(card.to_dict()))["records"] == card.records


@settings(max_examples=40)
@given(RECORDS, RECORDS, RECIPES)
def test_golden_records_are_never_contradicted(records, golden, recipe):
    golden = [record.with_completion("golden") for record in golden]
    with TemporaryDirectory() as folder:
        path = Path(folder, "golden.jsonl")
        path.write_bytes(b"".join(encode_record(record) + b"\n" for record in golden))
        try:
            card, files = curated(records, recipe, folder, golden=path)
        except ValueError:  # everything is golden, and no golden record was wanted
            assert recipe.golden_share == 0 or recipe.max_records is not None
            return
    written = [decode_record(line) for content in files.values() for line in content.splitlines()]
    vouched = {encode_record(record.prompt) for record in golden}
    assert all(record.completion == "golden" for record in written if encode_record(record.prompt) in vouched)
    assert sum(part.golden for part in card.parts) <= len(vouched)


@settings(max_examples=40)
@given(RECORDS, st.data(), st.integers(0, 2**64 - 1))
def test_groups_are_never_torn(records, data, seed):
    names = data.draw(st.lists(st.none() | st.integers(0, 4), min_size=len(records), max_size=len(records)))
    shares = {"train": 0.5, "validation": 0.3, "heldout": 0.2}
    recipe = Recipe(seed=seed, limits=NO_LIMITS, near_threshold=None, shares=shares, max_records=None)
    first = {}
    for record, name in zip(records, names, strict=True):
        first.setdefault(encode_record(record), set()).add(name)
    with TemporaryDirectory() as folder:
        groups = Path(folder, "groups.jsonl")
        groups.write_text("".join(json.dumps(name) + "\n" for name in names))
        _, files = curated(records, recipe, folder, groups=groups)
    sides = {}
    for part, content in files.items():
        for line in content.splitlines():
            if len(first[line]) == 1 and (name := next(iter(first[line]))) is not None:
                sides.setdefault(name, set()).add(part)
            elif first[line] == {None}:
                assert split_of(line, seed, shares) == part
    assert all(len(parts) == 1 for parts in sides.values())


@settings(max_examples=40)
@given(ODD_RECORDS)
def test_nothing_that_is_a_record_is_too_odd(records):
    with TemporaryDirectory() as folder:
        card, files = curated(records, Recipe(limits=NO_LIMITS), folder)
        paths = [Path(folder, "out", part.path) for part in card.parts]
        again = describe(paths)
        assert sum(len(list(read_records(path))) for path in paths) == card.records
    assert again.records == card.records == sum(content.count(b"\n") for content in files.values())
    assert again.duplicates == 0
    card.to_markdown().encode("utf-8")


@given(ODD_TEXT, st.none() | ODD_TEXT)
def test_a_judge_has_an_answer_to_every_record(prompt, completion):
    record = Record.of(prompt, completion=completion)
    judge = Judge(default_limits())
    assert judge.broken(record, encode_record(record)) in {None, *judge.reasons}


def slow_windows(text):
    """The windows of a text, in plain Python."""
    kinds = [
        4 if 0xE0 <= byte < 0xF8
        else 0 if byte >= 0xF8
        else 1 if byte >= 0x80 or chr(byte).islower()
        else 2 if chr(byte).isdigit()
        else 3 if chr(byte).isupper()
        else 0
        for byte in text
    ]  # fmt: skip
    folded = bytes(0 if byte in b" \t\n\r\v\f.,;:?!\"'" or byte >= 0xF8 else byte for byte in text.lower())
    starts = [place for place, kind in enumerate(kinds) if kind > (kinds[place - 1] if place else 0)]
    return [(folded[start:] + bytes(16))[:16] for start in starts]


@given(st.lists(ODD_TEXT | TEXT | st.just(""), min_size=1, max_size=8))
def test_windows_are_those_of_a_plain_walk(texts):
    encoded = [text.encode() for text in texts]
    windows = windows_of(encoded)
    slow = [slow_windows(text) for text in encoded]
    assert np.diff(windows.bounds).tolist() == list(map(len, slow))
    pairs = set(zip((each for text in slow for each in text), windows.hashes.tolist(), strict=True))
    assert len({content for content, _ in pairs}) == len({number for _, number in pairs}) == len(pairs)
    alone = [windows_of([text]) for text in encoded]
    assert windows.hashes.tolist() == [each for one in alone for each in one.hashes.tolist()]
    assert windows.long_words()[1].tolist() == [
        each for one in alone for each in one.long_words()[1].tolist()
    ]


@given(st.lists(TEXT, min_size=1, max_size=10), st.floats(0.05, 1))
def test_the_same_text_is_always_a_near_duplicate_of_itself(texts, threshold):
    found = near_duplicates(texts * 2, threshold)
    assert found[: len(texts)].tolist() == found[len(texts) :].tolist()
    assert (found <= np.arange(2 * len(texts))).all()
    assert (found[found] == found).all()


@given(st.lists(st.integers(1, 500), min_size=1, max_size=12), st.integers(0, 3_000), st.integers(0, 30))
def test_quotas_add_up_and_are_fair(sizes, total, floor):
    array = np.array(sizes)
    taken = quotas(array, total, floor)
    assert taken.sum() == min(total, sum(sizes))
    assert (taken <= array).all()
    if np.minimum(array, floor).sum() <= total:
        assert (taken >= np.minimum(array, floor)).all()
    order = np.argsort(array, kind="stable")
    assert (np.diff(taken[order]) >= -1).all()  # the larger gets no less, but for one of rounding


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 6), st.integers(0, 2**64 - 1)), min_size=1, max_size=60
    ),
    st.integers(0, 70),
)
def test_no_second_of_a_theme_is_chosen_before_a_first_of_another(rows, total):
    kinds = sorted({row[0] for row in rows})
    strata = np.array([kinds.index(row[0]) for row in rows])
    themes, order = (
        np.array([row[1] for row in rows], np.uint32),
        np.array([row[2] for row in rows], np.uint64),
    )
    chosen = set(choose(strata, themes, order, total, 1).tolist())
    assert len(chosen) == min(total, len(rows))
    for stratum in range(len(kinds)):
        counts = {}
        for place in np.flatnonzero(strata == stratum):
            have, picked = counts.get(themes[place], (0, 0))
            counts[themes[place]] = have + 1, picked + (int(place) in chosen)
        most = max(picked for _, picked in counts.values())
        assert all(picked >= min(have, most - 1) for have, picked in counts.values())


@given(st.integers(0, 500), st.integers(0, 500), st.floats(0, 1), st.none() | st.integers(1, 600))
def test_golden_records_never_exceed_their_share_where_there_are_others(others, golden, share, total):
    count = golden_count(others, golden, share, total)
    assert 0 <= count <= golden
    written = count + (others if total is None else min(others, total - count))
    assert total is None or written <= total
    if others and share < 1:
        assert count <= share * written + 1e-6


@given(st.lists(st.lists(st.integers(0, 5), min_size=12, max_size=12), min_size=0, max_size=3))
def test_tied_records_are_those_that_a_walk_reaches(columns):
    groups = tied([np.array(column, np.uint64) for column in columns], 12)
    for start in range(12):
        reached, waiting = {start}, [start]
        while waiting:
            at = waiting.pop()
            more = {
                row for column in columns if column[at] for row in range(12) if column[row] == column[at]
            } - reached
            reached |= more
            waiting += more
        assert groups[start] == min(reached)
