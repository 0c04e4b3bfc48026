"""The distillation itself: what happens in each phase of a customization job.

Validation reads the data as the role would and checks its form; data processing counts the prompts and asks the teacher;
training starts the trainer, writes the artefacts and registers the custom model. The clock decides when each phase runs.
"""

from __future__ import annotations

import shutil
import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from botocore.exceptions import ClientError

from bedrock_distill.catalog import ModelRef, read_model_id
from bedrock_distill.errors import JobFailedError
from bedrock_distill.local.clock import Phase, Phases
from bedrock_distill.local.services.bedrock.arns import custom_model_arn
from bedrock_distill.local.services.bedrock.artefacts import Artefacts
from bedrock_distill.local.services.bedrock.job_access import cannot_read, cannot_write
from bedrock_distill.local.services.bedrock.job_data import JobFailure, Validated, count, label, validate
from bedrock_distill.local.services.bedrock.log_source import LogReader, gather
from bedrock_distill.local.services.bedrock.state import CustomModel, Job, Tables, moment
from bedrock_distill.local.services.bedrock.training import training_config
from bedrock_distill.local.students import weights_dir
from bedrock_distill.local.teachers import Teacher, teacher_for
from bedrock_distill.records.lines import read_chunks
from bedrock_distill.records.rules import Rules, rules_for
from bedrock_distill.uris import S3Uri

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from bedrock_distill.local.world import World
    from bedrock_distill.train.config import TrainConfig
    from bedrock_distill.train.events import TrainEvent, TrainResult

__all__ = ["PHASES", "JobRun", "Trainer", "failure_message"]

PHASES = ("validation", "data_processing", "training")
"""A distillation job's phases, in their order. Fine-tuning has no data processing."""

_INTERNAL = "Encountered an internal error when processing the request."
_LONGEST_MESSAGE = 2048

_FINE_TUNING_PROMPTS = (8, 20_000)
"""Fewest and most samples of a fine-tuning job (AWS's published validator for Nova)."""


class Trainer(Protocol):
    """Who trains: `bedrock_distill.train.launch.launch`, or a stand-in with its signature."""

    def __call__(
        self,
        config: TrainConfig,
        *,
        on_event: Callable[[TrainEvent], None] = ...,
        stop: threading.Event | None = None,
    ) -> TrainResult:
        """Train to the end, or until `stop` is set."""
        ...


class JobRun:
    """One job on its way. Make it, take its `phases`, give it its `job`; the clock does the rest.

    Args:
        world: The cloud.
        trainer: Who trains.
        slot: Held while training, so that jobs train one after another instead of against each other.
        kind: Customization type.
        teacher: The teacher as it was named; None for fine-tuning.
    """

    def __init__(
        self,
        world: World,
        *,
        trainer: Trainer,
        slot: threading.Semaphore,
        kind: str,
        teacher: ModelRef | None,
    ) -> None:
        self._world, self._trainer, self._slot, self._teacher = world, trainer, slot, teacher
        self._halt = threading.Event()
        self._validated: Validated | None = None
        self._job: Job | None = None
        self._left_out: Counter[str] = Counter()
        work = {"validation": self._validate, "data_processing": self._process, "training": self._train}
        if kind == "FINE_TUNING":
            del work["data_processing"]
        self.phases = world.clock.phases(
            [Phase(name, step) for name, step in work.items()], on_change=self._changed
        )

    def start(self, job: Job) -> None:
        """Begin; `job` must be in its table."""
        self._job = job
        self.phases.start()

    @property
    def job(self) -> Job:
        """The job that this runs."""
        if self._job is None:
            raise RuntimeError("The run has no job yet.")
        return self._job

    # Phases -----------------------------------------------------------------------------------------------------

    def _validate(self) -> None:
        job, folder = self.job, self._folder
        folder.mkdir(parents=True, exist_ok=True)
        name, uri, chunks = self._source()
        self._validated = validate(chunks, self._rules, name=name, uri=uri, target=folder / "accepted.jsonl")
        with self._writing():
            self._artefacts.input_report([self._validated.tally], self._validated.rejected)
            self._artefacts.validated_prompts(name, self._validated.path)
        if job.kind == "FINE_TUNING":
            count(self._validated, self._rules, noun="samples")
            self._label(None)

    def _process(self) -> None:
        assert self._validated is not None  # noqa: S101 - validation comes first
        self._count(self._validated)
        self._label(self._find_teacher())

    def _train(self) -> None:
        job = self.job
        config = training_config(
            self._world,
            job.base_id,
            start_arn=job.start_arn,
            folder=self._folder,
            teacher=self._named_teacher(),
        )
        with self._turn():
            result = self._launch(config)
        self._check_stopped()
        if result.model_dir is None:
            raise JobFailure(
                f"Training took longer than {self._world.training.timeout_s:g} s and was stopped."
            )
        with self._writing():
            self._artefacts.metrics(result.step_metrics)
        self._register(result, result.model_dir)

    # Data -------------------------------------------------------------------------------------------------------

    def _source(self) -> tuple[str, str, Iterable[bytes]]:
        """The training data: a name for AWS's messages, a URI for ours, and the bytes."""
        config = self.job.request["trainingDataConfig"]
        if "s3Uri" not in config:
            return self._logs(config["invocationLogsConfig"])
        uri = S3Uri.parse(config["s3Uri"])
        try:
            body = self._s3.get_object(Bucket=uri.bucket, Key=uri.key)["Body"]
        except ClientError as error:
            raise JobFailure(cannot_read(uri)) from error
        return uri.name, str(uri), body.iter_chunks(1 << 18)

    def _logs(self, config: dict[str, Any]) -> tuple[str, str, Iterable[bytes]]:
        """The logs under the prefix, gathered into one file."""
        uri = config["invocationLogSource"]["s3Uri"]
        # What was said to a model in this cloud a moment ago is in the logs by the time a job reads them.
        self._world.flush()
        reader = LogReader(self._s3, config, self._teacher.text if self._teacher else "")
        target, rules = self._folder / "from-logs.jsonl", self._rules
        try:
            gather(reader, target, max_line_bytes=rules.max_line_bytes, max_records=rules.max_prompts)
        except ClientError as error:
            raise JobFailure(cannot_read(S3Uri.parse(uri))) from error
        self._left_out = reader.left_out
        return "invocation-logs.jsonl", uri, read_chunks(target)

    def _count(self, validated: Validated) -> None:
        """Count the prompts; of logs, the refusal also says what was not used of them."""
        try:
            count(validated, self._rules)
        except JobFailure as failure:
            if not self._left_out:
                raise
            why = "; ".join(f"{number} {reason}" for reason, number in self._left_out.most_common(5))
            raise JobFailure(f"{failure} (of the invocation logs, these were not used: {why})") from failure

    def _label(self, teacher: Teacher | None) -> None:
        """Write `training.jsonl`: every accepted record with a completion."""
        limits = self.job.request.get("customizationConfig", {}).get("distillationConfig", {})
        label(
            self._folder / "accepted.jsonl",
            self._folder / "training.jsonl",
            teacher=teacher,
            max_tokens=limits.get("teacherModelConfig", {}).get("maxResponseLengthForInference"),
            stopping=self.phases.stopping.is_set,
        )

    @property
    def _rules(self) -> Rules:
        catalog, base = self._world.catalog, self.job.base_id
        if self._teacher is not None:
            return rules_for(catalog, self._teacher.model, base)
        fewest, most = _FINE_TUNING_PROMPTS
        return replace(rules_for(catalog, base, base), min_prompts=fewest, max_prompts=most)

    # Teacher and trainer ----------------------------------------------------------------------------------------

    def _named_teacher(self) -> Teacher | None:
        return teacher_for(self._world.teachers, self._teacher.text) if self._teacher is not None else None

    def _find_teacher(self) -> Teacher | None:
        """The teacher. A file in which every record has its golden label needs none, so the lack is told late."""
        if self._teacher is None:
            return None
        return self._named_teacher() or _NoTeacher(self._teacher.text)

    def _launch(self, config: TrainConfig) -> TrainResult:
        overtime = threading.Timer(self._world.training.timeout_s, self._halt.set)
        overtime.daemon = True
        overtime.start()
        try:
            return self._trainer(config, on_event=lambda _event: None, stop=self._halt)
        except JobFailedError as error:
            raise JobFailure(f"{_INTERNAL} {error}") from error
        finally:
            overtime.cancel()

    def _check_stopped(self) -> None:
        """Nothing, unless the job is stopped.

        Raises:
            JobFailure: If it is.
        """
        if self.phases.stopping.is_set():
            raise JobFailure("The job was stopped.")

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Wait for the slot, unless the job is stopped first."""
        while not self._slot.acquire(timeout=0.1):
            self._check_stopped()
        try:
            self._check_stopped()  # the slot may have come free after the job was stopped
            yield
        finally:
            self._slot.release()

    def _register(self, result: TrainResult, model_dir: Path) -> None:
        """Make the custom model."""
        job, world = self.job, self._world
        arn = custom_model_arn(job.region, job.account_id, job.base_id, self._fresh_token())
        home = weights_dir(world, arn)
        home.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(model_dir, home)
        tables = Tables(world, job.region)
        with world.lock:
            job.outcome.training_loss = result.training_loss
            job.outcome.validation_loss = result.validation_loss
            job.outcome.model_arn = arn
            model = CustomModel(
                arn=arn, name=job.model_name, serial=tables.next_serial(), job=job, created=moment(world)
            )
            tables.models.put(arn, model)
            tags = job.request.get("customModelTags") or ()
            tables.tags.put(arn, {tag["key"]: tag["value"] for tag in tags})

    def _fresh_token(self) -> str:
        """The model's id, from the job's own: the order in which jobs finish then changes no name."""
        return self._world.ids.spawn(f"custom-model/{self.job.token}").token()

    # The rest ---------------------------------------------------------------------------------------------------

    def _changed(self, phases: Phases) -> None:
        """Called by the clock at every change."""
        if phases.stopping.is_set():
            self._halt.set()
        job = self._job
        if job is None:
            return
        job.outcome.modified = self._world.clock.now()
        if phases.outcome == "running":
            return
        shutil.rmtree(self._folder, ignore_errors=True)
        if phases.outcome != "done" and job.outcome.model_arn:
            # It was stopped between the model's birth and the end: a stopped job has no model.
            Tables(self._world, job.region).models.delete(job.outcome.model_arn)
            shutil.rmtree(weights_dir(self._world, job.outcome.model_arn), ignore_errors=True)
            job.outcome.model_arn = ""

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """S3's refusals while artefacts are written, in AWS's words."""
        try:
            yield
        except ClientError as error:
            raise JobFailure(cannot_write(self._output)) from error

    @property
    def _output(self) -> S3Uri:
        return S3Uri.parse(self.job.request["outputDataConfig"]["s3Uri"])

    @property
    def _artefacts(self) -> Artefacts:
        return Artefacts(self._s3, self._output, self.job.token)

    @property
    def _s3(self) -> Any:
        return self._world.client("s3", self.job.region)

    @property
    def _folder(self) -> Path:
        return self._world.workdir / "jobs" / self.job.token


class _NoTeacher:
    """Stands where the cloud was given no teacher for a model."""

    def __init__(self, model_id: str) -> None:
        self._model_id = model_id

    def answer(self, prompt: object) -> str:  # noqa: ARG002 - the protocol's signature
        """Fail, saying what to do."""
        plain = read_model_id(self._model_id).model
        raise JobFailure(
            f"The local cloud has no teacher for {self._model_id}. Give it one, such as "
            f"Cloud(teachers={{{plain!r}: a function, a recording or a model directory}}), or a completion in every record."
        )


def failure_message(phases: Phases) -> str:
    """A failed job's `failureMessage`; an empty string for any other."""
    if phases.outcome != "failed" or phases.error is None:
        return ""
    error = phases.error
    text = str(error) if isinstance(error, JobFailure) else f"{_INTERNAL} {type(error).__name__}: {error}"
    return text[:_LONGEST_MESSAGE]
