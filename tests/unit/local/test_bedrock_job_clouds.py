"""What is about a whole cloud, so that each test opens its own."""

from __future__ import annotations

import runpy
import threading
from pathlib import Path

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
