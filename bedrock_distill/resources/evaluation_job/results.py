"""What an evaluation job wrote to S3, as plain values.

AWS documents no schema of the results. What is known from its pages is one JSON object a line, in files `…_output.jsonl` under
`<output>/<job name>/<job id>/models/<model>/taskTypes/<task>/datasets/<dataset>/`; so this looks for such lines anywhere in
the job's folder, and takes what it finds of each.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bedrock_distill.aws import ObjectStore
from bedrock_distill.errors import DataError, NotFoundError, Offence
from bedrock_distill.uris import S3Uri

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bedrock_distill.aws import Clients

__all__ = ["EvaluationResult", "read_result_line", "read_results"]

_SIGNS = re.compile(r"[^a-z0-9]")


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationResult:
    """One prompt, the answer, and what it was given."""

    prompt: str
    reference: str | None
    category: str | None
    response: str | None
    """The answer, or None where there is none."""
    model: str
    """Who answered, as the results name it."""
    scores: Mapping[str, float | None]
    """By metric, under the names of the request; None where the result is no number."""
    reasons: Mapping[str, str] = field(default_factory=dict)
    """By metric: the judge's explanation, where there is one."""
    error: str = ""
    """What the line says of a failure, or an empty string."""


def read_results(clients: Clients, description: Mapping[str, Any]) -> list[EvaluationResult]:
    """Read all results of a job.

    Args:
        clients: The gate to AWS.
        description: What GetEvaluationJob answered.

    Raises:
        NotFoundError: If there are none.
        DataError: If a line is no JSON object.
    """
    store = ObjectStore(clients)
    metrics = [
        name
        for each in description["evaluationConfig"].get("automated", {}).get("datasetMetricConfigs", ())
        for name in each["metricNames"]
    ]
    places = _files(store, description)
    found = [
        read_result_line(line, metrics, file=str(uri), number=number)
        for uri in places
        for number, line in enumerate(store.read(uri).decode("utf-8", "replace").split("\n"), 1)
        if line.strip()
    ]
    if not found:
        raise NotFoundError(
            f"The evaluation job {description['jobName']} ({description['status']}) has no results under "
            f"{_folder(description)}: wait until it has completed. If it has, they were moved or deleted: put them back, or "
            f"`bedrock-distill evaluate-jobs delete {description['jobName']}` and evaluate again.",
            service="s3",
            operation="ListObjectsV2",
            code="NoSuchKey",
        )
    return found


def _folder(description: Mapping[str, Any]) -> S3Uri:
    return S3Uri.parse(description["outputDataConfig"]["s3Uri"]).as_prefix


def _files(store: ObjectStore, description: Mapping[str, Any]) -> list[S3Uri]:
    """The files of a job's results: in its own folder, or wherever under the output its id is in the path."""
    folder, job_id = _folder(description), str(description["jobArn"]).rpartition("/")[2]
    for place in (folder / description["jobName"], folder):
        found = [
            uri
            for uri, _ in store.list(place.as_prefix)
            if f"/{job_id}/" in f"/{uri.key}" and uri.key.endswith(".jsonl")
        ]
        outputs = [uri for uri in found if uri.key.endswith("_output.jsonl")]
        if found:
            return sorted(outputs or found)
    return []


def read_result_line(line: str, metrics: Sequence[str], *, file: str, number: int) -> EvaluationResult:
    """Read one line.

    Args:
        line: The line.
        metrics: Names of the metrics that were asked for.
        file: Where it stands, for messages.
        number: Its number from 1.

    Raises:
        DataError: If it is no JSON object.
    """
    try:
        document = json.loads(line)
        if not isinstance(document, dict):
            raise TypeError(f"it is of type {type(document).__name__}")  # noqa: TRY301 - told as the other faults are
    except (ValueError, TypeError, RecursionError) as error:
        offence = Offence(file, number, "", f"is not a JSON object: {error}", "invalid-json")
        raise DataError(
            f"Could not read the results of an evaluation job. {offence}.", offences=(offence,)
        ) from error
    record = _object(document.get("inputRecord"))
    responses = document.get("modelResponses") or record.get("modelResponses") or ()
    response = _object(responses[0]) if isinstance(responses, list) and responses else {}
    scores: dict[str, float | None] = {}
    reasons: dict[str, str] = {}
    for name, score, reason in _scores(_object(document.get("automatedEvaluationResult")), metrics):
        scores[name] = score
        if reason:
            reasons[name] = reason
    return EvaluationResult(
        prompt=_text(record.get("prompt")) or "",
        reference=_text(record.get("referenceResponse")),
        category=_text(record.get("category")),
        response=_text(response.get("response")),
        model=_text(response.get("modelIdentifier")) or "",
        scores=scores,
        reasons=reasons,
        error=_text(document.get("error") or document.get("errorMessage") or response.get("error")) or "",
    )


def _scores(result: Mapping[str, Any], metrics: Sequence[str]) -> Iterator[tuple[str, float | None, str]]:
    listed = result.get("scores")
    for each in map(_object, listed if isinstance(listed, list) else ()):
        name = _named(str(each.get("metricName", "")), metrics)
        details = each.get("evaluatorDetails")
        said = [
            _text(_object(detail).get("explanation"))
            for detail in (details if isinstance(details, list) else ())
        ]
        if name:
            yield name, _number(each.get("result")), " ".join(text for text in said if text)


def _named(name: str, metrics: Sequence[str]) -> str:
    """The request's own name of a metric: results may leave `Builtin.` out, or write it otherwise."""
    plain = _plain(name)
    return next((metric for metric in metrics if _plain(metric) == plain), name)


def _plain(name: str) -> str:
    return _SIGNS.sub("", name.lower().removeprefix("builtin."))


def _number(value: Any) -> float | None:
    """A score; None where it is no finite number."""
    if isinstance(value, bool) or value is None:
        return None if value is None else float(value)
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value)
    # Half a surrogate pair, as of an answer that was cut within a character, could be written into no report.
    return text.encode("utf-8", "replace").decode("utf-8")
