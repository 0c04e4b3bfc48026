"""Distil from what callers have asked already: switch logging on, let traffic come, learn from the logs. Offline."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import bedrock_distill as bd
from bedrock_distill.cli.demo.triage import answer  # stands for Nova Pro
from bedrock_distill.records.reading import read_records
from bedrock_distill.resources import InvocationLogs

PROMPTS = Path(__file__).parent / "triage" / "prompts.jsonl"
TEACHER, STUDENT = "amazon.nova-pro-v1:0", "amazon.nova-micro-v1:0"

# A few steps of training are enough to see the way; on AWS there is no cloud, and session = bd.Session(region="us-east-1").
with bd.local.Cloud(
    teachers={TEACHER: answer}, training=bd.local.TrainingSettings(overrides={"steps": 20})
) as cloud:
    cloud.bucket("acme-logs")
    cloud.bucket("acme-ml")
    session = cloud.session()
    session.apply(session.plan(bd.InvocationLogging(bucket="acme-logs", prefix="bedrock")))

    # Your applications, as they call the teacher every day. The metadata is what a job can choose by.
    teacher = session.model(TEACHER)
    for number, record in enumerate(islice(read_records(PROMPTS), 130)):
        teacher.chat(record, max_tokens=60, metadata={"project": "triage" if number < 120 else "tests"})
    cloud.flush()  # AWS delivers within minutes

    job = bd.Distillation(
        name="triage",
        teacher=TEACHER,
        student=STUDENT,
        data=InvocationLogs(
            "s3://acme-logs/bedrock", where=bd.Metadata("project") == "triage", use_responses=True
        ),
        output="s3://acme-ml/distill/",
    )
    plan = session.plan(job)
    print(plan)
    model = session.apply(plan).result()
    print(f"Learned from the logs: {model.arn}")
