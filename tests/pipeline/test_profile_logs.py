"""A profile of logs in a bucket, and a learning curve of a student that is really trained."""

from __future__ import annotations

import random
import runpy
from datetime import timedelta
from pathlib import Path

import bedrock_distill as bd
from bedrock_distill.local import Cloud
from bedrock_distill.profiling.training import LocalStudent
from bedrock_distill.records import Record

make_logs = runpy.run_path(str(Path(__file__).parent.parent / "logs_truth.py"))["make_logs"]


def test_a_bucket_of_more_than_a_thousand_keys_is_profiled_as_its_copy_on_a_disk_is(tmp_path):
    truth = make_logs(
        tmp_path, seed=8, records=1100, objects=1100, step=timedelta(minutes=9), bucket="acme-logs"
    )
    with Cloud() as cloud:
        cloud.bucket("acme-logs")
        s3 = cloud.boto3_session().client("s3")
        for path in tmp_path.rglob("*"):
            if path.is_file():
                key = path.relative_to(tmp_path).as_posix()
                s3.put_object(Bucket="acme-logs", Key=key, Body=path.read_bytes())
        there = bd.profile("s3://acme-logs/", by=("metadata.project",), session=cloud.session()).to_dict()
    here = bd.profile(tmp_path, by=("metadata.project",)).to_dict()
    for document in (there, here):
        for name in ("seconds", "source"):
            del document[name]
    assert there == here
    assert there["objects"] == len(truth.objects)
    assert there["scanned"] == len(truth.records)
    assert (
        there["skipped"].get("no-body", 0) == truth.skipped()["no-body"]
    )  # so bodies beside the logs were found


def test_a_student_that_is_trained_here_draws_a_learning_curve():
    rng = random.Random(0)
    words = [
        "alpha",
        "beta",
        "gamma",
        "delta",
        "epsilon",
        "zeta",
        "eta",
        "theta",
        "iota",
        "kappa",
        "lambda",
        "omicron",
        "sigma",
        "tau",
        "upsilon",
    ]
    topics = {"invoice": "billing", "parcel": "shipping"}

    def record():
        topic = rng.choice(sorted(topics))
        said = [topic, *rng.choices(words, k=8)]
        rng.shuffle(said)
        return Record.of(" ".join(said), completion=topics[topic])

    student = LocalStudent(steps=15, answer_tokens=12)
    curve = bd.learning_curve([record() for _ in range(200)], learn=student, sizes=(20, 60, 150))
    assert [point.examples for point in curve.points] == [20, 60, 150]
    assert curve.points[-1].agreement > 0  # it answers with labels, which untrained weights do not
    assert curve.held_out == 40
