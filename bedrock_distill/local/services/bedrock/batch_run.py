"""A batch inference job on its way: validated, scheduled, answered, written.

The clock decides when each phase runs. The answers come from what Converse and InvokeModel would ask; those of one job may be
under way at once, and its output is in no order that anybody should rely on.
"""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import orjson
from botocore.exceptions import ClientError

from bedrock_distill.local.clock import Phase, Phases
from bedrock_distill.local.gateway.errors import AwsError
from bedrock_distill.local.services.bedrock.batch_input import (
    InputFile,
    InputRecord,
    input_uris,
    read_input,
    within_quotas,
)
from bedrock_distill.local.services.bedrock.batch_state import BatchJob, JobExpired
from bedrock_distill.local.services.bedrock.job_access import Access, cannot_read, cannot_write
from bedrock_distill.local.services.bedrock.job_data import JobFailure
from bedrock_distill.uris import S3Uri

if TYPE_CHECKING:
    from bedrock_distill.local.services.runtime.batch import BatchDesk, Output
    from bedrock_distill.local.world import World

__all__ = ["BatchRun", "input_of", "output_of"]

_AT_ONCE = 8
"""Records that are answered side by side."""

_TOLD = 10
"""How often a job tells of its progress: each time wakes who waits, and what they wait moves the cloud's clock on."""

_STATUSES = {
    "ValidationException": 400,
    "AccessDeniedException": 403,
    "ResourceNotFoundException": 404,
    "ModelErrorException": 424,
    "ThrottlingException": 429,
    "ModelNotReadyException": 429,
}
"""The runtime's errors -> their HTTP statuses, which are the `errorCode` of a record."""

_MAY_PASS = 429
"""From this status on, the same record may be answered another time."""


def input_of(request: Any) -> S3Uri:
    """Where a job's input lies."""
    return S3Uri.parse(request["inputDataConfig"]["s3InputDataConfig"]["s3Uri"])


def output_of(request: Any) -> S3Uri:
    """The prefix that a job's answers go to."""
    return S3Uri.parse(request["outputDataConfig"]["s3OutputDataConfig"]["s3Uri"])


class BatchRun:
    """One job. Make it, take its `phases`, give it its job; the clock does the rest."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._lock = threading.Lock()
        self._job: BatchJob | None = None
        self._files: list[InputFile] = []
        self.phases = world.clock.phases(
            [
                Phase("Submitted", lasts_s=1.0),
                Phase("Validating", self._validate),
                Phase("Scheduled", self._take_turn),
                Phase("InProgress", self._answer),
            ],
            on_change=self._changed,
        )

    def start(self, job: BatchJob) -> None:
        """Begin; `job` must be in its table."""
        self._job = job
        self.phases.start()

    @property
    def job(self) -> BatchJob:
        """The job that this runs."""
        if self._job is None:
            raise RuntimeError("The run has no job yet.")
        return self._job

    # Phases -----------------------------------------------------------------------------------------------------

    def _validate(self) -> None:
        job = self.job
        access = Access(self._world, job.region, job.account_id)
        source = input_of(job.request)
        ids = self._world.ids.spawn(f"batch-records/{job.token}")
        try:
            role = access.role(job.request["roleArn"], source_arn=job.arn)
            for name, uri in input_uris(self._s3, source):
                access.readable(role, uri)
                self._files.append(read_input(self._s3, name, uri, ids))
        except AwsError as error:
            raise JobFailure(error.message) from error
        except ClientError as error:
            raise JobFailure(cannot_read(source)) from error
        job.tally.total = within_quotas(job.arn, self._files, self._world.catalog.quota)

    def _take_turn(self) -> None:
        if self._late:
            raise JobExpired(f"The job was scheduled and did not begin within its {self.job.hours} hours.")

    def _answer(self) -> None:
        from bedrock_distill.local.services.runtime.batch import BatchDesk  # noqa: PLC0415 - the runtime imports this package

        job = self.job
        try:
            desk = BatchDesk(
                self._world,
                model_id=job.request["modelId"],
                region=job.region,
                account_id=job.account_id,
                converse=job.converse,
            )
        except AwsError as error:
            raise JobFailure(error.message) from error
        try:
            for file in self._files:
                with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="batch") as pool:
                    lines = [
                        line
                        for line in pool.map(lambda record: self._line(desk, record), file.records)
                        if line
                    ]
                # AWS promises no order, so that nobody gets used to one here.
                random.Random(f"{job.token}/{file.name}").shuffle(lines)  # noqa: S311 - not a secret
                self._put(f"{file.name}.out", b"".join(lines))
        finally:
            desk.close()
        tally = job.tally
        tokens = {"inputTokenCount": tally.input_tokens, "outputTokenCount": tally.output_tokens}
        self._put("manifest.json.out", orjson.dumps({**tally.counts, **tokens}))

    # The rest ---------------------------------------------------------------------------------------------------

    def _line(self, desk: BatchDesk, record: InputRecord) -> bytes | None:
        """The output line of one record; None where it is not asked any more."""
        job = self.job
        if self.phases.stopping.is_set():
            return None
        if self._late:
            job.tally.cut = True
            return None
        line: dict[str, Any] = {"recordId": record.record_id, "modelInput": record.asked}
        output: Output | None = None
        try:
            output = desk.answer(record.asked, request_id=f"{job.token}-{record.record_id}")
            line["modelOutput"] = output.body
        except AwsError as error:
            line["error"] = _error(error)
        self._count(output)
        return orjson.dumps(line) + b"\n"

    def _count(self, output: Output | None) -> None:
        tally = self.job.tally
        with self._lock:
            tally.processed += 1
            tally.answered += output is not None
            tally.failed += output is None
            if output is not None:
                tally.input_tokens += output.input_tokens
                tally.output_tokens += output.output_tokens
            tell = tally.processed % max(1, (tally.total or 0) // _TOLD) == 0
        if tell:
            self._world.clock.progressed()

    @property
    def _late(self) -> bool:
        return self._world.clock.now() >= self.job.expires

    def _put(self, name: str, body: bytes) -> None:
        job = self.job
        place = output_of(job.request) / job.token / name
        key = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": job.kms_arn} if job.kms_arn else {}
        try:
            self._s3.put_object(Bucket=place.bucket, Key=place.key, Body=body, **key)
        except ClientError as error:
            raise JobFailure(cannot_write(output_of(job.request))) from error

    def _changed(self, phases: Phases) -> None:
        """Called by the clock at every change."""
        if self._job is not None:
            self._job.tally.modified = self._world.clock.now()
        if phases.outcome != "running":
            self._files = []

    @property
    def _s3(self) -> Any:
        return self._world.client("s3", self.job.region)


def _error(error: AwsError) -> dict[str, Any]:
    status = error.status or _STATUSES.get(error.code, 500)
    return {
        "errorCode": status,
        "errorMessage": f"{error.code}: {error.message}",
        "expired": False,
        "retryable": status >= _MAY_PASS,
    }
