"""The composed messages: the same for a seed, all different, balanced, and split so that nothing leaks."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from itertools import islice

import pytest

from bedrock_distill.catalog import load_catalog
from bedrock_distill.cli.demo import prompts
from bedrock_distill.cli.demo.triage import CATEGORIES, answer, triage
from bedrock_distill.records.checking import check_lines
from bedrock_distill.records.rules import rules_for
from bedrock_distill.records.schema import encode_record

LANGUAGES = ("en", "de", "es", "fr", "pt", "it")


@pytest.fixture(scope="module")
def split():
    return prompts.split(1_600, 300, seed=7)


def texts(records):
    return [record.prompt_text for record in records]


def phrases(part, language):
    bank = prompts._table(language)
    concerns = bank["concerns"] if part == "familiar" else bank.get("held_out", {}).get("concerns", {})
    return [phrase for theme in concerns.values() for phrase in theme]


def as_pattern(phrase):
    """What the phrase may have become, whatever filled its braces."""
    pieces = re.split(r"(\{\w+\}|\[[^\]]*\])", phrase)
    return re.compile("".join(".*?" if piece[:1] in {"{", "["} else re.escape(piece) for piece in pieces))


def test_there_are_well_over_150_hand_written_main_sentences_all_different():
    written = [phrase for language in LANGUAGES for phrase in phrases("familiar", language)]
    assert len(written) == len(set(written))
    assert len(written) >= 350


def test_a_seed_gives_the_same_messages_in_another_process():
    code = (
        "from bedrock_distill.cli.demo.prompts import split;"
        "print(repr([r.prompt_text for r in split(200, 30, seed=3).train]).encode('ascii', 'backslashreplace').decode())"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": hashes},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hashes in ("1", "2")
    }
    assert len(runs) == 1
    here = repr(texts(prompts.split(200, 30, seed=3).train)).encode("ascii", "backslashreplace").decode()
    assert runs == {here + "\n"}


def test_another_seed_gives_other_messages():
    assert texts(prompts.split(200, 30, seed=1).train) != texts(prompts.split(200, 30, seed=2).train)


def test_no_message_comes_twice_nor_on_both_sides_of_the_split(split):
    train, held_out = texts(split.train), texts(split.held_out)
    assert (len(train), len(held_out)) == (1_600, 300)
    assert len({*train, *held_out}) == 1_900


def test_more_messages_move_none_to_the_other_side():
    few, many = prompts.split(300, 60, seed=5), prompts.split(900, 180, seed=5)
    assert not set(texts(few.held_out)) & set(texts(many.train))
    assert not set(texts(few.train)) & set(texts(many.held_out))


def test_a_part_of_the_held_out_messages_is_worded_as_no_training_message_is(split):
    assert len(split.new_wording) == 60
    assert split.new_wording <= set(texts(split.held_out))
    train = "\0".join(texts(split.train)).lower()
    kept = [as_pattern(phrase.lower()) for phrase in phrases("held out", "en")]
    assert len(kept) >= 25
    assert [pattern.pattern for pattern in kept if pattern.search(train)] == []


def test_records_carry_the_system_prompt_and_one_user_message_and_nothing_of_how_they_were_made(split):
    for record in (*split.train[:200], *split.held_out):
        assert record.system_text == prompts.SYSTEM
        assert [message.role for message in record.messages] == ["user"]
        assert record.completion is None


def test_no_brace_or_bracket_of_a_phrase_is_left_unfilled(split):
    assert [text for text in texts((*split.train, *split.held_out)) if re.search(r"[{}\[\]|]", text)] == []


@pytest.mark.parametrize("side", ["train", "held_out"])
def test_no_single_answer_is_right_for_a_tenth_of_the_messages(split, side):
    records = getattr(split, side)
    answers = Counter(map(answer, records))
    assert answers.most_common(1)[0][1] < 0.10 * len(records)
    assert len(answers) >= 30


def test_every_category_has_its_share(split):
    shares = Counter(triage(text).category for text in texts(split.train))
    assert set(shares) == set(CATEGORIES)
    assert min(shares.values()) >= 0.05 * len(split.train)
    assert max(shares.values()) <= 0.15 * len(split.train)


def test_messages_are_of_all_lengths_and_languages():
    messages = [message.text for message in islice(prompts.compose(seed=7), 6_000)]
    words = sorted(len(text.split()) for text in messages)
    assert words[0] <= 2
    assert words[-1] >= 110
    assert words[len(words) // 2] <= 25
    joined = " ".join(messages)
    for sign in ("Rechnung", "factura", "facture", "fatura", "fattura", "€", "£", "₹", "R$", "CHF", "Fwd:"):
        assert sign in joined


def test_the_teacher_reads_the_concern_that_was_written_in_nearly_every_main_sentence():
    read = [
        (theme, triage(re.sub(r"\[([^|\]]*)\|?[^\]]*\]", r"\1", phrase)).category, phrase)
        for language in LANGUAGES
        for theme, written in prompts._table(language)["concerns"].items()
        for phrase in written
    ]
    astray = [row for row in read if row[0] != row[1]]
    assert len(astray) <= 0.02 * len(read), astray


def test_bedrock_would_take_the_messages(split):
    report = check_lines(
        map(encode_record, split.train),
        rules_for(load_catalog(), "amazon.nova-pro-v1:0", "amazon.nova-micro-v1:0"),
        "prompts.jsonl",
    )
    assert report.ok
