"""The whole way, offline: distil a student of a rule-based teacher, ask it, and hold it against the teacher."""

from __future__ import annotations

from pathlib import Path

import bedrock_distill as bd
from bedrock_distill.cli.demo.triage import answer  # stands for Nova Pro

SAMPLES = Path(__file__).parent / "triage"
TEACHER, STUDENT = "amazon.nova-pro-v1:0", "amazon.nova-micro-v1:0"

with bd.local.Cloud(
    teachers={TEACHER: answer}
) as cloud:  # on AWS: no cloud, and session = bd.Session(region="us-east-1")
    cloud.bucket("acme-ml")
    session = cloud.session()
    job = bd.Distillation(
        name="triage",
        teacher=TEACHER,
        student=STUDENT,
        data=bd.Prompts(SAMPLES / "prompts.jsonl"),
        output="s3://acme-ml/distill/",
    )
    plan = session.plan(job)
    print(plan)
    model = session.apply(plan).result()
    student = session.deploy(bd.OnDemandDeployment(model=model))
    print(student.chat("I was charged twice, please send the money back today", temperature=0).text)
    report = bd.evaluate(
        student, teacher=session.model(TEACHER), data=bd.Prompts(SAMPLES / "heldout.jsonl"), max_tokens=40
    )
    print(report)
