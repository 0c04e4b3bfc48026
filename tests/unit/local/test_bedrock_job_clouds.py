"""What is about a whole cloud, so that each test opens its own."""

from __future__ import annotations

import runpy
import threading
from pathlib import Path

from bedrock_distill.local.students import weights_dir

open_stage = runpy.run_path(str(Path(__file__).parent / "bedrock_stage.py"))["open_stage"]


def test_the_same_seed_and_requests_give_the_same_arns():
    def arns():
        with open_stage(seed=7) as stage:
            stage.ready().create()
            job = stage.finish()
            return job["jobArn"], job["outputModelArn"]

    assert arns() == arns()


def test_closing_the_cloud_ends_a_trainer_that_still_runs():
    with open_stage() as stage:
        stage.ready().hold().create()
        assert stage.trainer.entered.wait(20)
        stage.cloud.close()
        assert not any(thread.name == "local-cloud-work" for thread in threading.enumerate())


def test_what_an_earlier_cloud_left_in_a_workdir_does_not_answer_for_a_new_one(tmp_path):
    arns, trained = [], []
    for run in ("first", "second"):
        with open_stage(workdir=tmp_path) as stage:
            stage.ready()
            arns.append(stage.model())
            folder = weights_dir(stage.world, arns[-1])
            assert sorted(path.name for path in folder.iterdir()) == ["config.json"]
            (folder / "run").write_text(run)
            trained.append(folder)
    assert arns[0] == arns[1]  # the same seed makes the same names
    assert [(folder / "run").read_text() for folder in trained] == ["first", "second"]
