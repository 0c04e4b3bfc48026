"""The public API as its users type it. Checked by mypy and pyright, never run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import bedrock_distill as bd
from bedrock_distill.resources import CustomModel, JobStatus

job: bd.Distillation = bd.Distillation(
    name="triage",
    teacher="amazon.nova-pro-v1:0",
    student="amazon.nova-micro-v1:0",
    data=bd.Prompts(Path("prompts.jsonl")),
    output="s3://acme-ml/distill/",
    max_response_tokens=200,
    tags={"team": "support"},
)
session: bd.Session = bd.Session(region="us-east-1")
plan: bd.Plan = session.plan(job)
copy: bd.Plan = bd.Plan.from_json(plan.to_json()).within(40.0)
run: bd.DistillationJob = session.job("triage-0123")
status: JobStatus = run.status()
events: Iterator[JobStatus] = run.events(timeout_s=60)
model: CustomModel = run.result(timeout_s=6 * 3600, on_change=lambda state: print(state.phase))
student: bd.Target = session.deploy(bd.OnDemandDeployment(model=model.arn, name="triage"))
reply: bd.ChatReply = student.chat("My invoice is wrong", max_tokens=50)
text: str = reply.text
with student.stream("My invoice is wrong") as stream:
    for piece in stream:
        text += piece
report: bd.Report = bd.evaluate(
    student, teacher=session.model("amazon.nova-pro-v1:0"), data=bd.Prompts("heldout.jsonl")
)
report.gate(min_retention=0.9, alpha=0.05)
found: bd.Profile = bd.profile("s3://acme-logs/bedrock", by=("metadata.project",), session=session)
curve: bd.LearningCurve = bd.learning_curve([bd.Record.of("My invoice is wrong", completion="billing")])
uri: bd.S3Uri = bd.S3Uri.parse("s3://acme-ml/distill") / "x"
catalog: bd.Catalog = bd.load_catalog()
try:
    session.attach("arn:aws:bedrock:us-east-1:123456789012:custom-model/x/y")
except bd.errors.NotFoundError as error:
    code: str = error.code
