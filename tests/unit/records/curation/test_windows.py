import numpy as np
import pytest

from bedrock_distill.records.curation.windows import BATCH_BYTES, batched, windows_of
from bedrock_distill.records.tokens import SEPARATOR


def hashes(*texts):
    """The windows of each text, as sets."""
    windows = windows_of([text if isinstance(text, bytes) else text.encode() for text in texts])
    return [
        set(windows.hashes[start:end].tolist())
        for start, end in zip(windows.bounds[:-1], windows.bounds[1:], strict=True)
    ]


def test_a_window_begins_at_each_word():
    ((found),) = hashes("one two three four")
    assert len(found) == 4


def test_scripts_without_blanks_have_a_window_at_each_character():
    (found,) = hashes("请用中文总结")
    assert len(found) == 6


def test_words_with_accents_are_one_word_each():
    (found,) = hashes("für März прошлый")
    assert len(found) == 3


@pytest.mark.parametrize(
    "variant",
    [
        "where is my refund",
        "Where is my refund?",
        "WHERE IS MY REFUND!",
        "Where\tis\nmy refund",
        "“Where is my refund”"[1:-1],
    ],
)
def test_case_white_space_and_sentence_marks_count_for_nothing(variant):
    plain, same = hashes("Where is my refund", variant)
    assert plain == same


@pytest.mark.parametrize(
    ("one", "other"), [("3 + 4", "3 - 4"), ("a_b(c)", "a_b[c]"), ("order 17", "order 18")]
)
def test_other_marks_and_digits_count(one, other):
    ours, theirs = hashes(one, other)
    assert ours != theirs


def test_windows_do_not_depend_on_what_else_is_in_the_batch():
    alone = [hashes(text)[0] for text in ("first text", "", "second text", "!?")]
    assert hashes("first text", "", "second text", "!?") == alone
    assert alone[1] == alone[3] == set()


def test_no_window_reaches_from_one_part_of_a_text_into_the_next():
    system, user = b"Be brief and polite", b"Where is my refund"
    (both,) = hashes(system + SEPARATOR + user)
    assert both == set().union(*hashes(system, user))


def test_a_text_knows_which_of_its_windows_reach_beyond_its_end():
    windows = windows_of([b"a word and another and one more", b"short"])
    assert windows.whole[0] == 4  # "another and one m" is the last that is whole
    assert windows.whole[1] == windows.bounds[1]  # none of it


def test_long_words_are_known_by_their_first_letters():
    windows = windows_of([b"the invoices and the invoiced sums"])
    places, stems = windows.long_words()
    assert len(places) == 2
    assert len(set(stems.tolist())) == 1


def test_batches_hold_all_texts_in_their_order():
    texts = [bytes([65 + number % 26]) * (number * 997 % 20_000) for number in range(200)]
    batches = list(batched(texts))
    assert [text for batch in batches for text in batch] == texts
    assert all(sum(map(len, batch[:-1])) < BATCH_BYTES for batch in batches)


def test_many_windows_have_as_many_hashes():
    numbers = b" ".join(b"%d" % number for number in range(20_000))
    windows = windows_of([numbers])
    assert len(np.unique(windows.hashes)) == len(windows.hashes) == 20_000
