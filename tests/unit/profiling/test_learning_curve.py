"""A learning curve says what more examples would bring, and where it cannot tell, it says so."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest

from bedrock_distill.errors import DataError, MissingDependencyError, SpecError
from bedrock_distill.profiling import learning_curve
from bedrock_distill.profiling.learning import split_apart
from bedrock_distill.profiling.saturating import fit_laws, interval_of
from bedrock_distill.profiling.training import LocalStudent
from bedrock_distill.records import Record
from bedrock_distill.train import requirements

SIZES = (50, 100, 200, 400, 800)


@pytest.fixture
def records(traffic):
    """A thousand different records with one right answer."""
    made = traffic(11)
    return [Record.of(made.slot(8, 20), system="Answer.", completion="right") for _ in range(1000)]


def learner(error, *, seed=0):
    """A student whose error after n examples is known: it errs on so many of the prompts, drawn anew each time."""
    rng = random.Random(seed)

    def learn(examples, prompts):
        wrong = error(len(examples))
        return ["wrong" if rng.random() < wrong else "right" for _ in prompts]

    return learn


def test_a_student_that_still_learns_is_worth_more_examples(records):
    curve = learning_curve(records, learn=learner(lambda n: 0.9 * (n / 50) ** -0.5))
    assert curve.tendency == "more helps"
    assert curve.forecasts[1].gain.low > 0
    assert "More examples help" in curve.says


def test_a_student_that_learned_it_all_is_not(records):
    curve = learning_curve(records, learn=learner(lambda n: 0.0))
    assert curve.tendency == "plateau"
    assert "bring little" in curve.says
    assert curve.plateau.low > 0.95


def test_points_that_fluctuate_tell_nothing_and_that_is_said(records):
    errors = iter([0.5, 0.2, 0.45, 0.25, 0.3])
    curve = learning_curve(records, learn=learner(lambda n: next(errors)))
    assert curve.tendency == "cannot tell"
    assert curve.says.startswith("Cannot tell")
    assert curve.enough_at is None


def test_subsets_are_nested_and_nothing_that_is_held_out_is_learned_even_nearly(traffic):
    made = traffic(12)
    texts = [made.slot(40, 60) for _ in range(150)]
    near = [Record.of(f"{text} {tail}", completion="x") for text in texts for tail in ("", "indeed")]
    seen = []
    learning_curve(
        near, learn=lambda examples, prompts: seen.append((examples, prompts)) or ["x"] * len(prompts)
    )
    for (smaller, _), (larger, _) in itertools.pairwise(seen):
        assert larger[: len(smaller)] == smaller
    learned = {record.prompt_text.removesuffix("indeed").strip() for record in seen[-1][0]}
    held = {record.prompt_text.removesuffix("indeed").strip() for record in seen[-1][1]}
    assert learned.isdisjoint(held)
    assert all(record.completion is None for record in seen[-1][1])


def test_the_order_of_records_changes_nothing(records):
    one, other = (split_apart(each, 3) for each in (records, random.Random(1).sample(records, len(records))))
    assert [{record.prompt for record in side} for side in one] == [
        {record.prompt for record in side} for side in other
    ]


def test_the_same_seed_gives_the_same_curve(records):
    curves = [learning_curve(records, learn=learner(lambda n: 0.3), seed=5) for _ in range(2)]
    assert curves[0] == curves[1]


def test_too_few_records_are_refused_and_copies_do_not_count(records):
    few = [*records[:99], *records[:99]]
    with pytest.raises(DataError, match="at least 100"):
        learning_curve(few, learn=learner(lambda n: 0.0))
    with pytest.raises(DataError, match="there are 0"):
        learning_curve([record.prompt for record in records], learn=learner(lambda n: 0.0))


def test_records_that_are_all_nearly_the_same_are_refused(traffic):
    text = traffic(13).slot(80, 80)
    alike = [Record.of(f"{text} {'a' * (1 + n % 9)}{n}", completion="x") for n in range(15)]
    with pytest.raises(DataError, match="near-duplicates"):
        split_apart(alike * 1, 0)


@pytest.mark.parametrize("sizes", [(10, 20), (20, 10, 30), (0, 10, 20), (10, 20, 10_000), (10, 10, 20)])
def test_sizes_that_make_no_curve_are_refused(records, sizes):
    with pytest.raises(SpecError) as refused:
        learning_curve(records, learn=learner(lambda n: 0.0), sizes=sizes)
    assert refused.value.field == "sizes"


def test_the_local_student_trains_as_long_as_suits_the_records(records):
    student = LocalStudent.for_records(records, seed=4)
    assert (student.steps, student.seed) == (504, 4)  # eight passes of 63 steps
    assert student.answer_tokens > len("right")
    assert LocalStudent.for_records(records[:100]).steps == 300
    long = [Record.of("word " * 600, completion="right")] * 1000
    assert LocalStudent.for_records(long).steps < 300


def test_a_record_that_the_local_student_cannot_read_is_refused(records):
    with pytest.raises(DataError, match="leave longer ones out"):
        LocalStudent.for_records([*records, Record.of("word " * 1000, completion="right")])


def test_without_the_trainer_it_is_said_what_to_install(records, monkeypatch):
    monkeypatch.setattr(requirements, "LIBRARIES", ("no_such_library",))
    with pytest.raises(MissingDependencyError) as missing:
        learning_curve(records)
    assert missing.value.extra == "local"


def test_a_metric_above_one_is_refused(records):
    with pytest.raises(SpecError, match="from 0 to 1"):
        learning_curve(records, learn=learner(lambda n: 0.0), metric=lambda answer, target: 2.0)


def test_the_intervals_hold_the_truth_as_often_as_they_say():
    """Laws drawn at random, measured with both kinds of noise, 150 times: 90 % intervals, give or take three errors."""
    rng = np.random.default_rng(7)
    trials, held_out, n = 150, 200, np.array(SIZES)
    hits = np.zeros(3)
    for seed in range(trials):
        plateau = rng.uniform(0, 0.3)
        start, rate = rng.uniform(plateau + 0.1, 0.95), np.exp(rng.uniform(np.log(0.2), np.log(1.5)))

        def error(count, plateau=plateau, start=start, rate=rate):
            return plateau + (start - plateau) * (count / SIZES[0]) ** -rate

        said = np.clip(error(n) + rng.normal(0, 0.01, len(n)), 0, 1)
        wrong = rng.binomial(held_out, said)
        smooth = (wrong + 1) / (held_out + 2)
        laws = fit_laws(SIZES, wrong / held_out, np.sqrt(smooth * (1 - smooth) / held_out), seed=seed)
        last = SIZES[-1]
        for place, (draws, truth) in enumerate(
            (
                (laws.plateau, plateau),
                (laws.error(2 * last), error(2 * last)),
                (laws.error(last) - laws.error(2 * last), error(last) - error(2 * last)),
            )
        ):
            found = interval_of(draws)
            hits[place] += found.low <= truth <= found.high
    assert (hits / trials >= 0.83).all()


def test_many_exact_points_give_the_law_back():
    sizes = [50 * 2**step for step in range(10)]
    laws = fit_laws(sizes, [0.1 + 0.5 * (size / 50) ** -0.7 for size in sizes], [0.001] * 10)
    assert interval_of(laws.plateau).value == pytest.approx(0.1, abs=0.01)
    assert interval_of(laws.error(51_200)).value == pytest.approx(0.1 + 0.5 * 1024**-0.7, abs=0.01)
    # Doubling brings 0.01 where the rest is 0.01 / (1 - 2 ** -0.7).
    assert interval_of(laws.until(0.01)).value == pytest.approx(
        50 * (0.5 * (1 - 2**-0.7) / 0.01) ** (1 / 0.7), rel=0.3
    )


def test_fewer_answers_than_prompts_are_refused(records):
    with pytest.raises(SpecError, match="learn gave 1 answers to"):
        learning_curve(records, learn=lambda examples, prompts: ["yes"])
