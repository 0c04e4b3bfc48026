"""Near-duplicates are found, and only those."""

import numpy as np
import pytest

from bedrock_distill.records.curation.clusters import (
    _bands,
    _candidates,
    _keys,
    cluster,
    near_duplicates,
    similarities,
)
from bedrock_distill.records.curation.sketches import BINS, EMPTY, NO_THEME, Frequencies, sketch
from bedrock_distill.records.curation.windows import windows_of


def sketched(texts):
    encoded = [text.encode() for text in texts]
    return sketch(encoded, np.arange(len(encoded)), Frequencies(encoded, themes=True))


def merged(texts, threshold=0.8):
    """How many texts repeat an earlier one."""
    found = near_duplicates(texts, threshold)
    return int(np.count_nonzero(found != np.arange(len(texts))))


def test_copies_with_a_few_words_changed_are_found(prose):
    bases = [prose.text(count) for count in range(70, 870, 2)]
    copies = [prose.changed(text, 0.015) for text in bases]
    found = near_duplicates(bases + copies)
    hits = sum(found[number] == found[number + len(bases)] for number in range(len(bases)))
    assert hits >= 0.97 * len(bases)
    assert len(set(found[: len(bases)].tolist())) == len(bases)  # and no two different texts are merged


def test_a_cluster_is_named_by_its_first_text(prose):
    base = prose.text(300)
    texts = [prose.text(300), base, prose.text(300), prose.changed(base, 0.01), prose.changed(base, 0.01)]
    assert near_duplicates(texts).tolist() == [0, 1, 2, 1, 1]


def test_texts_of_the_same_words_in_another_order_are_different(prose):
    texts = [prose.text(count) for count in range(10, 610, 3)]
    assert merged(texts + [prose.shuffled(text) for text in texts]) == 0


def test_case_and_sentence_marks_make_no_difference():
    texts = ["Where is my refund now?", "where is my Refund now", "Where is my parcel now?"]
    assert near_duplicates(texts).tolist() == [0, 0, 2]


def test_short_prompts_that_differ_in_a_word_are_different():
    texts = [
        f"What is the capital of {country}?"
        for country in ("France", "Spain", "Italy", "Chile", "Peru", "Cuba")
    ]
    assert merged(texts) == 0


def test_texts_without_a_word_are_near_nothing():
    assert near_duplicates(["", "!!!", "", "???"]).tolist() == [0, 1, 0, 3]  # the same is the same
    assert near_duplicates([]).tolist() == []


def test_prompts_of_one_template_are_compared_by_what_varies(prose):
    opening, closing = prose.text(300), prose.text(20)
    varying = [prose.text(25) for _ in range(300)]
    prompts = [f"{opening}\n\n{text}\n\n{closing}" for text in varying]
    assert merged(prompts) == 0
    again = [f"{opening}\n\n{text.upper()}\n\n{closing}" for text in varying[:50]]
    assert merged(prompts + again) == 50


def test_a_long_system_prompt_that_all_share_hides_no_difference(prose):
    system = prose.text(400).encode() + b"\xff"
    texts = [system + prose.text(15).encode() for _ in range(200)]
    sketches = sketch(texts, np.arange(200), Frequencies(texts))
    assert cluster(sketches, 0.8).tolist() == list(range(200))
    assert len(set(sketches.templates.tolist())) == 1


def test_the_same_text_under_two_instructions_makes_two_prompts(prose):
    texts = [prose.text(150) for _ in range(60)]
    orders = ["Translate this letter into French.", "Translate this letter into German."]
    assert merged([f"{order}\n\n{text}" for text in texts for order in orders]) == 0
    assert merged([f"{text}\n\n{order}" for text in texts for order in orders]) == 0


def test_different_questions_about_one_document_are_different_prompts(prose):
    documents = [prose.text(400) for _ in range(20)]
    asked = [f"{document}\n\nQuestion: {prose.text(10)}" for document in documents for _ in range(8)]
    assert merged(asked) <= 0.03 * len(asked)
    first = [f"Question: {prose.text(10)}\n\n{document}" for document in documents for _ in range(8)]
    assert merged(first) <= 0.03 * len(first)


def test_the_threshold_decides(prose):
    base = prose.text(400)
    texts = [base, prose.changed(base, 0.06)]
    assert merged(texts, 0.9) == 0
    assert merged(texts, 0.4) == merged(texts, 0.05) == 1


def test_the_estimate_is_near_the_truth(prose):
    texts, true = [], []
    for percent in range(1, 20):
        base = prose.text(500)
        texts += [base, prose.changed(base, percent / 100)]
        windows = windows_of([text.encode() for text in texts[-2:]])
        ours, theirs = (set(part.tolist()) for part in np.split(windows.hashes, windows.bounds[1:-1]))
        true.append(len(ours & theirs) / len(ours | theirs))
    places = np.arange(0, len(texts), 2)
    errors = similarities(sketched(texts), places, places + 1) - true
    assert abs(errors.mean()) < 0.03
    assert np.abs(errors).max() < 4 * (0.25 / BINS) ** 0.5


def test_a_large_cluster_is_one_cluster(prose):
    base = prose.text(200)
    texts = [prose.changed(base, 0.005) for _ in range(15)] + [prose.text(200) for _ in range(200)]
    assert len(set(near_duplicates(texts)[:15].tolist())) == 1


def test_each_of_many_clusters_is_found_whole(prose):
    families = [prose.text(200) for _ in range(200)]
    texts = [prose.changed(family, 0.005) for family in families for _ in range(10)]
    assert merged(texts) >= 0.98 * 9 * len(families)


def test_of_many_short_prompts_hardly_any_have_to_be_compared():
    rng = np.random.default_rng(3)
    numbers = rng.integers(1 << 40, size=(20_000, 12))
    sketches = sketched([" ".join(map(str, row)) for row in numbers])
    keys = _keys(sketches, np.arange(len(numbers)), _bands(0.8))
    assert sum(len(left) for each in keys for left, _ in _candidates(each)) < 100


@pytest.mark.parametrize("order", [1, -1])
def test_rows_are_filled_wherever_they_are_wanted(prose, order):
    texts = [prose.text(30).encode() for _ in range(40)]
    rows = np.arange(40)[::order]
    straight, other = (
        sketch(texts, np.arange(40), Frequencies(texts)),
        sketch(texts, rows, Frequencies(texts)),
    )
    for name in ("bins", "edges", "frames", "templates", "themes"):
        assert np.array_equal(getattr(straight, name), getattr(other, name)[rows])


def test_a_record_is_known_by_a_rare_long_word():
    texts = [f"the customer asks about {topic} and so on" for topic in ["invoices", "warranty"] * 3]
    themes = sketched(texts).themes
    assert len({*themes[::2].tolist()}) == len({*themes[1::2].tolist()}) == 1
    assert NO_THEME not in themes


def test_what_many_prompts_share_is_left_out_of_their_sketches(prose):
    template = prose.text(100)
    texts = [f"{template} {prose.text(20)}" for _ in range(100)]
    sketches = sketched(texts)
    assert (sketches.bins != EMPTY).sum(axis=1).max() < 40
    assert 0 not in sketches.frames


def test_counts_are_of_prompts_and_not_of_repeats():
    text = b"again and again and again and again and again and again and again and again and again"
    frequencies = Frequencies([text] * 20)
    assert frequencies.prompts == 20
    assert frequencies.of(windows_of([text]).hashes).max() == 20


def test_what_few_prompts_hold_is_not_common(prose):
    frequencies = Frequencies([prose.text(50).encode() for _ in range(40)])
    hashes = windows_of([prose.text(50).encode()]).hashes
    assert not len(frequencies.common_among(hashes))
    assert frequencies.of(hashes).max() < frequencies.common
