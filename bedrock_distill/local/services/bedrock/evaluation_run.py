"""An evaluation job on its way: the dataset is read, the model is asked, answers are scored, results are written."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from bedrock_distill.local.clock import Phase
from bedrock_distill.local.gateway.errors import AwsError
from bedrock_distill.local.services.bedrock.evaluation_checks import judges_of
from bedrock_distill.local.services.bedrock.evaluation_scores import (
    ACCURACY,
    JUDGED,
    Opinion,
    custom_question,
    judge_question,
    read_custom,
    read_score,
)
from bedrock_distill.local.services.bedrock.job_access import Access, cannot_read, cannot_write
from bedrock_distill.local.services.bedrock.job_data import JobFailure
from bedrock_distill.local.students import Generators
from bedrock_distill.records.schema import Record
from bedrock_distill.uris import S3Uri

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from bedrock_distill.local.services.bedrock.evaluation_state import EvaluationJob
    from bedrock_distill.local.world import World

__all__ = ["MOST_PROMPTS", "EvaluationRun"]

MOST_PROMPTS = 1000
"""Prompts of one dataset (Bedrock user guide)."""

_AT_ONCE = 8
"""Prompts that are dealt with side by side."""

_JUDGE_TOKENS = 512

_LENGTHS = ("maxTokens", "max_tokens", "max_gen_len", "maxTokenCount", "max_completion_tokens")
"""What families call the longest answer, wherever in `inferenceParams` it stands."""


@dataclass(frozen=True, slots=True)
class _Prompt:
    """One line of a dataset."""

    document: Mapping[str, Any]

    @property
    def text(self) -> str:
        return str(self.document["prompt"])

    @property
    def reference(self) -> str | None:
        return self.document.get("referenceResponse")


class EvaluationRun:
    """One job. Make it, take its `phases`, give it its job; the clock does the rest."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._job: EvaluationJob | None = None
        self._generators = Generators()
        self.phases = world.clock.phases([Phase("InProgress", self._evaluate)])

    def start(self, job: EvaluationJob) -> None:
        """Begin; `job` must be in its table."""
        self._job = job
        self.phases.start()

    @property
    def job(self) -> EvaluationJob:
        """The job that this runs."""
        if self._job is None:
            raise RuntimeError("The run has no job yet.")
        return self._job

    def _evaluate(self) -> None:
        try:
            for config in self.job.automated["datasetMetricConfigs"]:
                self._dataset(config)
        except AwsError as error:
            raise JobFailure(error.message) from error
        finally:
            self._generators.close()

    def _dataset(self, config: Mapping[str, Any]) -> None:
        job = self.job
        uri = S3Uri.parse(config["dataset"]["datasetLocation"]["s3Uri"])
        prompts = self._read(uri, config["metricNames"])
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="evaluation") as pool:
            lines = [line for line in pool.map(lambda prompt: self._line(prompt, config), prompts) if line]
        if self.phases.stopping.is_set():
            return
        model = self._model_name.rpartition("/")[2].replace(":", "-")
        place = (
            S3Uri.parse(job.request["outputDataConfig"]["s3Uri"])
            / f"{job.name}/{job.token}/models/{model}/taskTypes/{config['taskType']}"
            / f"datasets/{config['dataset']['name']}/{job.token}_output.jsonl"
        )
        body = "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines).encode()
        try:
            self._s3.put_object(Bucket=place.bucket, Key=place.key, Body=body)
        except ClientError as error:
            raise JobFailure(cannot_write(S3Uri.parse(job.request["outputDataConfig"]["s3Uri"]))) from error

    def _read(self, uri: S3Uri, metrics: list[str]) -> list[_Prompt]:
        job = self.job
        access = Access(self._world, job.region, job.account_id)
        access.readable(access.role(job.request["roleArn"], source_arn=job.arn), uri)
        try:
            text = self._s3.get_object(Bucket=uri.bucket, Key=uri.key)["Body"].read().decode("utf-8")
        except (ClientError, UnicodeDecodeError) as error:
            raise JobFailure(cannot_read(uri)) from error
        lines = [line for line in text.split("\n") if line.strip()]
        if not 1 <= len(lines) <= MOST_PROMPTS:
            raise JobFailure(
                f"The dataset {uri} has {len(lines)} prompts: it must have from 1 to {MOST_PROMPTS}."
            )
        return [self._prompt(uri, number, line, metrics) for number, line in enumerate(lines, 1)]

    def _prompt(self, uri: S3Uri, number: int, line: str, metrics: list[str]) -> _Prompt:
        try:
            document = json.loads(line)
        except ValueError:
            document = None
        if not isinstance(document, dict) or not isinstance(document.get("prompt"), str):
            raise JobFailure(f"Line {number} of the dataset {uri} is not a JSON object with a prompt.")
        if "Builtin.Accuracy" in metrics and not isinstance(document.get("referenceResponse"), str):
            raise JobFailure(f"Line {number} of the dataset {uri} has no referenceResponse.")
        source = self.job.model.get("precomputedInferenceSource")
        if source is not None:
            given = document.get("modelResponses")
            wanted = source["inferenceSourceIdentifier"]
            if not isinstance(given, list) or len(given) != 1 or given[0].get("modelIdentifier") != wanted:
                raise JobFailure(
                    f"Line {number} of the dataset {uri} needs one of modelResponses, with the modelIdentifier {wanted}."
                )
        return _Prompt(document)

    def _line(self, prompt: _Prompt, config: Mapping[str, Any]) -> dict[str, Any] | None:
        """The result of one prompt; None where the job was stopped."""
        if self.phases.stopping.is_set():
            return None
        response, failed = self._respond(prompt)
        known = ("prompt", "referenceResponse", "category")
        line: dict[str, Any] = {
            "automatedEvaluationResult": {
                "scores": []
                if response is None
                else [self._score(metric, prompt, response, config) for metric in config["metricNames"]]
            },
            "inputRecord": {name: prompt.document[name] for name in known if name in prompt.document},
            "modelResponses": []
            if response is None
            else [{"response": response, "modelIdentifier": self._model_name}],
        }
        return line | ({"error": failed} if failed else {})

    def _respond(self, prompt: _Prompt) -> tuple[str | None, str]:
        """The model's answer, or why there is none."""
        model = self.job.model.get("bedrockModel")
        if model is None:
            return str(prompt.document["modelResponses"][0]["response"]), ""
        params = json.loads(model.get("inferenceParams") or "{}")
        found = dict(_flat(params))
        length = next((found[name] for name in _LENGTHS if name in found), None)
        heat = found.get("temperature")
        try:
            return (
                self._ask(
                    model["modelIdentifier"],
                    prompt.text,
                    max_tokens=_number(int, length),
                    temperature=_number(float, heat),
                ),
                "",
            )
        except AwsError as error:
            return None, f"{error.code}: {error.message}"
        except ValueError as error:
            return None, f"ValidationException: {error}"

    def _score(
        self, metric: str, prompt: _Prompt, response: str, config: Mapping[str, Any]
    ) -> dict[str, Any]:
        if metric == "Builtin.Accuracy":
            score = ACCURACY[config["taskType"]](response, prompt.reference or "")
            return {"metricName": metric, "result": score}
        judge, own = judges_of(self.job.automated)
        opinion, judge = self._judged(metric, prompt, response, judge=judge, own=own)
        detail = {"modelIdentifier": judge, "explanation": opinion.reason}
        return {"metricName": metric, "result": opinion.score, "evaluatorDetails": [detail]}

    def _judged(
        self, metric: str, prompt: _Prompt, response: str, *, judge: str, own: str
    ) -> tuple[Opinion, str]:
        """What a judge says, and which judge."""
        asked = (prompt.text, response, prompt.reference)
        try:
            if metric in JUDGED:
                return read_score(self._ask(judge, judge_question(metric, *asked))), judge
            definition = self._definition(metric)
            return read_custom(definition, self._ask(own, custom_question(definition, *asked))), own
        except AwsError as error:
            return Opinion(None, f"{error.code}: {error.message}"), judge if metric in JUDGED else own

    def _definition(self, metric: str) -> Mapping[str, Any]:
        config = self.job.automated["customMetricConfig"]["customMetrics"]
        return next(
            each["customMetricDefinition"]
            for each in config
            if each["customMetricDefinition"]["name"] == metric
        )

    def _ask(
        self,
        model: str,
        text: str,
        *,
        max_tokens: int | None = _JUDGE_TOKENS,
        temperature: float | None = 0.0,
    ) -> str:
        """Ask as Converse does."""
        from bedrock_distill.local.services.runtime.answering import responder_for  # noqa: PLC0415 - the runtime imports this package
        from bedrock_distill.local.services.runtime.asks import Ask, Parameters  # noqa: PLC0415 - see above
        from bedrock_distill.local.services.runtime.resolution import resolve  # noqa: PLC0415 - see above

        target = resolve(self._world, model, self.job.region)
        ask = Ask(Record.of(text), Parameters(max_tokens=max_tokens, temperature=temperature))
        responder = responder_for(target, self._generators, self._world.seed)
        return responder.answer(ask.filled(target.body)).text

    @property
    def _model_name(self) -> str:
        model = self.job.model
        if "bedrockModel" in model:
            return str(model["bedrockModel"]["modelIdentifier"])
        return str(model["precomputedInferenceSource"]["inferenceSourceIdentifier"])

    @property
    def _s3(self) -> Any:
        return self._world.client("s3", self.job.region)


def _number(kind: Callable[[Any], Any], value: Any) -> Any:
    """A number of the model's parameters, which AWS's own examples write as texts."""
    return None if value is None else kind(value)


def _flat(params: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Every member, of objects inside objects too."""
    for name, value in params.items():
        if isinstance(value, dict):
            yield from _flat(value)
        else:
            yield name, value
