"""Prompts, specs and plans of batch inference jobs, without a cloud."""

from __future__ import annotations

from datetime import date

import pytest

from bedrock_distill.aws.objects import BucketState
from bedrock_distill.catalog import load_catalog
from bedrock_distill.plan import RequestForm
from bedrock_distill.records import Record
from bedrock_distill.records.digest import digest_file
from bedrock_distill.records.writing import write_records
from bedrock_distill.resources import BatchInference, Prompts
from bedrock_distill.resources.batch.lines import tally_requests
from bedrock_distill.resources.batch.plan import plan_batch
from bedrock_distill.resources.batch.survey import BatchSurvey
from bedrock_distill.resources.survey import Place, callable_id
from bedrock_distill.uris import S3Uri

ACCOUNT, DAY = "123456789012", date(2026, 11, 24)
CATALOG = load_catalog()
PRO = "amazon.nova-pro-v1:0"


@pytest.fixture
def prompts(tmp_path):
    path = tmp_path / "prompts.jsonl"
    write_records(path, (Record.of(f"Question {i}?", completion="known") for i in range(120)))
    return path


@pytest.fixture
def make_spec(prompts):
    """A spec that works, with changes."""

    def make(*, data=prompts, **changes):
        fields = {"name": "triage", "model": PRO, "output": "s3://acme/batch"} | changes
        return BatchInference(data=Prompts(data), **fields)

    return make


@pytest.fixture
def make_plan(make_spec):
    """The plan of a spec with changes, in a world with changes."""

    def make(*, survey=None, catalog=CATALOG, **changes):
        spec = make_spec(**changes)
        form = RequestForm(
            invocation=spec.invocation,
            body="nova" if spec.invocation == "InvokeModel" else "",
            system=spec.system,
            max_tokens=spec.max_tokens,
            temperature=spec.temperature,
        )
        found = {
            "place": Place(region="us-east-1", account_id=ACCOUNT, partition="aws"),
            "today": DAY,
            "model_id": callable_id(spec.model, catalog, "us-east-1"),
            "model_status": None,
            "form": form,
            "requests": tally_requests(spec.data.path, form),
            "source_sha256": digest_file(spec.data.path).sha256,
            "uri": S3Uri.parse("s3://acme/batch/staged/0123456789abcdef-prompts.jsonl"),
            "staged": False,
            "bucket": BucketState("acme", exists=True, region="us-east-1"),
            "fingerprint": "0123456789ab",
        } | (survey or {})
        return plan_batch(spec, BatchSurvey(**found), catalog)

    return make
