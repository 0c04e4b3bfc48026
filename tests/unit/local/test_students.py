"""Students: which size stands for which model, their untrained weights, and the generators that are loaded."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bedrock_distill.catalog import load_catalog
from bedrock_distill.errors import SpecError
from bedrock_distill.local.cloud import Cloud
from bedrock_distill.local.students import STANDS_FOR, Generators, base_dir, is_student, size_for, weights_dir
from bedrock_distill.local.world import TrainingSettings
from bedrock_distill.train.config import SIZES

MICRO, LITE, PRO = "amazon.nova-micro-v1:0", "amazon.nova-lite-v1:0", "amazon.nova-pro-v1:0"


@pytest.fixture
def world():
    with Cloud() as cloud:
        yield cloud.world


def test_every_student_of_the_catalog_has_a_size_of_its_own():
    students = {pair.student for pair in load_catalog().pairs}
    assert students <= STANDS_FOR.keys()
    assert set(STANDS_FOR.values()) <= SIZES.keys()


def test_a_bigger_model_is_never_played_by_a_smaller_student(world):
    sizes = [size_for(world, model).parameters(1024) for model in (MICRO, LITE, PRO)]
    assert sizes == sorted(set(sizes))


@pytest.mark.parametrize(
    "name",
    [
        MICRO,
        f"{MICRO}:128k",
        f"us.{MICRO}",
        f"arn:aws:bedrock:us-east-1:123456789012:custom-model/{MICRO}:128k/abcdefghijkl",
    ],
)
def test_a_student_is_the_same_however_the_model_is_named(world, name):
    assert size_for(world, name) is SIZES[STANDS_FOR[MICRO]]


def test_the_clouds_settings_may_ask_for_one_size_for_all():
    with Cloud(training=TrainingSettings(size="tiny")) as cloud:
        assert {size_for(cloud.world, model).name for model in STANDS_FOR} == {"tiny"}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"size": "huge"}, "no student size 'huge'; there are: tiny, small"),
        ({"overrides": {"colour": "red"}}, "no setting 'colour'; there are: data, "),
    ],
)
def test_what_the_trainer_does_not_have_is_refused_before_any_job(settings, said):
    with pytest.raises(SpecError, match=said):
        TrainingSettings(**settings)


def test_a_teacher_whose_own_teacher_has_ended_is_no_student(world):
    assert is_student(world, MICRO)
    # Nova Pro is a student of Nova Premier alone, and Premier's life has ended.
    assert not is_student(world, PRO)
    assert not is_student(world, "no.such-model-v1:0")


def test_two_custom_models_never_share_a_directory(world):
    arn = "arn:aws:bedrock:{}:123456789012:custom-model/amazon.nova-micro-v1:0:128k/abcdefghijkl"
    assert weights_dir(world, arn.format("us-east-1")) != weights_dir(world, arn.format("us-west-2"))
    assert weights_dir(world, arn.format("us-east-1")) == weights_dir(world, arn.format("us-east-1"))
    assert weights_dir(world, arn.format("us-east-1")).is_relative_to(world.workdir)


def weights_of(seed, model):
    with Cloud(seed=seed, training=TrainingSettings(size="tiny")) as cloud:
        return (base_dir(cloud.world, model) / "model.safetensors").read_bytes()


def test_untrained_weights_follow_from_the_model_and_the_seed():
    assert weights_of(0, MICRO) == weights_of(0, f"us.{MICRO}")
    assert weights_of(0, MICRO) != weights_of(1, MICRO)
    assert weights_of(0, MICRO) != weights_of(0, LITE)


def test_untrained_weights_are_made_once():
    with Cloud(training=TrainingSettings(size="tiny")) as cloud:
        first = base_dir(cloud.world, MICRO)
        made = (first / "config.json").stat().st_mtime_ns
        assert base_dir(cloud.world, MICRO) == first
        assert (first / "config.json").stat().st_mtime_ns == made


def test_a_generator_is_loaded_once_for_a_directory_and_closed_with_the_rest():
    generators = Generators()
    with Cloud(training=TrainingSettings(size="tiny")) as cloud:
        directory = base_dir(cloud.world, MICRO)
        assert generators.get(directory) is generators.get(Path(directory))
        generators.close()
        with pytest.raises(RuntimeError, match="closed"):
            generators.get(directory)


def test_who_asks_for_one_model_does_not_wait_until_another_is_loaded(monkeypatch, tmp_path):
    gate, begun = threading.Event(), threading.Event()

    class Stub:
        def __init__(self, directory):
            self.directory = directory
            if directory.name == "slow":
                begun.set()
                assert gate.wait(20)

        def close(self):
            pass

    monkeypatch.setattr("bedrock_distill.train.generation.Generator", Stub)
    generators = Generators()
    with ThreadPoolExecutor(2) as pool:
        slow = [pool.submit(generators.get, tmp_path / "slow") for _ in range(2)]
        assert begun.wait(20)
        assert generators.get(tmp_path / "fast").directory.name == "fast"
        gate.set()
        assert slow[0].result() is slow[1].result()
    generators.close()
    with pytest.raises(RuntimeError, match="closed"):
        generators.get(tmp_path / "fast")
