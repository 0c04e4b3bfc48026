"""What a finished job leaves under its output prefix, in AWS's layout.

Documented (user guide, model-customization-analyze): the two metrics files. Observed by others: the manifest, the
validated prompts. The prompt insights are documented as existing, under a name that is not; theirs here is ours.
"""

from __future__ import annotations

import csv
import io
import json
import math
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from bedrock_distill.errors import Offence
    from bedrock_distill.train.events import StepMetric
    from bedrock_distill.uris import S3Uri

__all__ = ["Artefacts", "FileTally"]

_MANIFEST = (
    "fileName",
    "totalProcessedRecordCount",
    "acceptedRecordCount",
    "partiallyAcceptedRecordCount",
    "rejectedRecordCount",
)


class FileTally(NamedTuple):
    """One input file's line in the manifest."""

    name: str
    processed: int
    accepted: int
    rejected: int


class Artefacts:
    """Writes one job's artefacts.

    Args:
        s3: A boto3 S3 client.
        output: The job's output prefix.
        token: The last part of the job's ARN.
    """

    def __init__(self, s3: Any, output: S3Uri, token: str) -> None:
        self._s3 = s3
        self._root = output / f"model-customization-job-{token}"

    def input_report(self, tallies: Sequence[FileTally], rejected: Iterable[Offence]) -> None:
        """Write the manifest, and why records were rejected."""
        rows = [(*tally[:3], 0, tally.rejected) for tally in tallies]
        self._put("input_data_report/manifest.report.csv", _csv([_MANIFEST, *rows]))
        lines = [json.dumps({"recordNumber": o.line, "field": o.field, "reason": o.reason}) for o in rejected]
        if lines:
            self._put("input_data_report/prompt_insights.jsonl", "\n".join([*lines, ""]).encode())

    def validated_prompts(self, name: str, path: Path) -> None:
        """Copy the accepted lines of an input file."""
        target = self._root / f"validated_data/{name}/validated_prompts.jsonl"
        with path.open("rb") as stream:
            self._s3.put_object(Bucket=target.bucket, Key=target.key, Body=stream)

    def metrics(self, steps: Sequence[StepMetric]) -> None:
        """Write the losses step by step, and the validation losses where there are any."""
        training = [(m.step, m.epoch, m.training_loss) for m in steps if m.training_loss is not None]
        validation = [(m.step, m.epoch, m.validation_loss) for m in steps if m.validation_loss is not None]
        self._put("training_artifacts/step_wise_training_metrics.csv", _losses("training_loss", training))
        if validation:
            self._put(
                "validation_artifacts/post_fine_tuning_validation/validation_metrics.csv",
                _losses("validation_loss", validation),
            )

    def _put(self, name: str, body: bytes) -> None:
        target = self._root / name
        self._s3.put_object(Bucket=target.bucket, Key=target.key, Body=body)


def _losses(column: str, rows: Iterable[tuple[int, float, float]]) -> bytes:
    header = ("step_number", "epoch_number", column, "perplexity")
    return _csv([header, *((step, epoch, loss, _perplexity(loss)) for step, epoch, loss in rows)])


def _perplexity(loss: float) -> float:
    return math.exp(loss) if loss < 700 else math.inf  # beyond that a float has no room


def _csv(rows: Iterable[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
