"""A job run on its way: its role is asked, its entry point is fetched, its driver runs, its output is kept.

The driver's requests are signed with a key that acts as the run's role, so that what the role may not do fails here, too.
"""

from __future__ import annotations

import gzip
import re
import shlex
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Protocol

from botocore.exceptions import ClientError

from bedrock_distill.errors import SpecError
from bedrock_distill.local.clock import Phase, Phases
from bedrock_distill.local.services.bedrock.policies import Request, decide
from bedrock_distill.local.services.bedrock.roles import Role, bucket_policy, read_role
from bedrock_distill.uris import Arn, S3Uri, partition_of

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from bedrock_distill.local.call import Call
    from bedrock_distill.local.services.emr_serverless.state import JobRun
    from bedrock_distill.local.world import World

__all__ = ["DriverWork", "Ended", "Launcher", "RunFailure", "Running", "details_of"]

SERVICE = "emr-serverless.amazonaws.com"
"""The service principal that assumes the role."""

_LASTS_S = {"SUBMITTED": 1.0, "PENDING": 20.0}
"""Seconds under the `real` clock; an application starts meanwhile."""

_LONGEST_DETAILS = 256
_LAST_LINES = 3
_ERROR_LINE = re.compile(r"[\w.]+(Error|Exception|Exit|Interrupt)\b")
_INTERNAL = "The local cloud could not run the job"


class RunFailure(Exception):  # noqa: N818 - AWS's word is that the run has failed
    """Why a run fails, in the words of its `stateDetails`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverWork:
    """What a driver has to do."""

    script: Path
    arguments: tuple[str, ...]
    folder: Path
    """A folder of its own, for scratch files; `stdout` and `stderr` are written there."""
    url: str
    """Where the cloud's services answer."""
    region: str
    access_key: str
    """The key that acts as the run's role."""
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Ended:
    """How a driver ended."""

    code: int
    timed_out: bool = False


class Launcher(Protocol):
    """Who runs drivers: `driver_process.run_driver`, or a stand-in with its signature."""

    def __call__(self, work: DriverWork, *, stopping: Callable[[], bool]) -> Ended:
        """Run the script to its end, or until `stopping()`; raise a RunFailure if it cannot even begin."""
        ...


class Running:
    """One run. Make it, take its `phases`, give it its `run`; the clock does the rest.

    Args:
        world: The cloud.
        call: The request that started it.
        launcher: Who runs the driver.
        slot: Held while it runs, so that runs come one after another instead of against each other.
        timeout_s: Seconds after which it is cancelled.
    """

    def __init__(
        self,
        world: World,
        call: Call,
        *,
        launcher: Launcher,
        slot: threading.Semaphore,
        timeout_s: float,
    ) -> None:
        self._world, self._call, self._launcher, self._slot = world, call, launcher, slot
        self._timeout_s = timeout_s
        self._run: JobRun | None = None
        self._role: Role | None = None
        self._script = b""
        self.phases: Phases = world.clock.phases(
            [
                *(Phase(name, lasts_s=seconds) for name, seconds in _LASTS_S.items()),
                Phase("SCHEDULED", self._admit),
                Phase("RUNNING", self._drive),
            ]
        )

    def start(self, run: JobRun) -> None:
        """Begin; `run` must be in its table."""
        self._run = run
        self.phases.start()

    @property
    def run(self) -> JobRun:
        """The run that this brings on its way."""
        if self._run is None:
            raise RuntimeError("There is no run yet.")
        return self._run

    # Phases -----------------------------------------------------------------------------------------------------

    def _admit(self) -> None:
        submit = self._submit
        self._role = self._assumed()
        self._script = self._read(submit["entryPoint"], what="entry point")
        for archive in _archives(submit.get("sparkSubmitParameters", "")):
            # It is looked for and not unpacked: the driver runs in this very environment.
            self._read(archive, what="archive", whole=False)

    def _drive(self) -> None:
        folder = self._world.workdir / "emr-serverless" / self.run.id
        folder.mkdir(parents=True, exist_ok=True)
        script = folder / S3Uri.parse(self._submit["entryPoint"]).name
        script.write_bytes(self._script)
        try:
            with self._turn(), self._key() as access_key:
                ended = self._launcher(
                    DriverWork(
                        script=script,
                        arguments=tuple(self._submit.get("entryPointArguments", ())),
                        folder=folder,
                        url=self._world.door_url(),
                        region=self._call.region,
                        access_key=access_key,
                        timeout_s=self._timeout_s,
                    ),
                    stopping=self.phases.stopping.is_set,
                )
            self._keep_output(folder)
            if ended.timed_out:
                self.phases.stop()
            elif ended.code != 0 and not self.phases.stopping.is_set():
                raise RunFailure(
                    "Job failed, please check complete logs in configured logging destination. "
                    f"ExitCode: {ended.code}. Last few exceptions: {_last_words(folder / 'stderr')}"
                )
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    # Role and S3 ------------------------------------------------------------------------------------------------

    def _assumed(self) -> Role:
        arn = self._call.params["executionRoleArn"]
        refused = f"Could not assume the job runtime role {arn}"
        if Arn.parse(arn).account != self._call.account_id:
            raise RunFailure(f"{refused}: it is of another account.")
        role = read_role(self._world, self._call.region, arn)
        if role is None:
            raise RunFailure(f"{refused}: there is no such role.")
        context = {"aws:sourceaccount": self._call.account_id, "aws:sourcearn": self.run.application.arn}
        asked = Request("sts:AssumeRole", resource=arn, service=SERVICE, context=context)
        if decide([role.trust], asked) != "allow":
            raise RunFailure(f"{refused}: its trust policy does not let {SERVICE} assume it.")
        return role

    def _may(self, action: str, resource: str, context: Mapping[str, str]) -> bool:
        """Whether the run's role may do something."""
        role = self._role
        bucket = Arn.parse(resource).resource.partition("/")[0] if resource.startswith("arn:") else ""
        policy = bucket_policy(self._world, self._call.region, bucket) if bucket else None
        return role is not None and role.may(action, resource, context=context, resource_policy=policy)

    def _read(self, location: str, *, what: str, whole: bool = True) -> bytes:
        try:
            uri = S3Uri.parse(location)
        except SpecError as error:
            raise RunFailure(
                f"The {what} {location} is not in S3, and the local cloud runs no others."
            ) from error
        resource = f"arn:{partition_of(self._call.region)}:s3:::{uri.bucket}/{uri.key}"
        if not self._may("s3:GetObject", resource, {}):
            raise RunFailure(
                f"Access denied to the {what} {uri}: the role {self._call.params['executionRoleArn']} needs s3:GetObject."
            )
        try:
            if not whole:
                self._s3.head_object(Bucket=uri.bucket, Key=uri.key)
                return b""
            body: bytes = self._s3.get_object(Bucket=uri.bucket, Key=uri.key)["Body"].read()
        except ClientError as error:
            raise RunFailure(f"There is no {what} {uri}.") from error
        return body

    @contextmanager
    def _key(self) -> Iterator[str]:
        """A key that acts as the role while the driver runs."""
        key = f"ASIA{self._world.ids.spawn(self.run.id).token(16).upper()}"
        take_back = self._world.grants.give(key, self._call.params["executionRoleArn"], self._may)
        try:
            yield key
        finally:
            take_back()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Wait for the slot, unless the run is cancelled first."""
        while not self._slot.acquire(timeout=0.1):
            if self.phases.stopping.is_set():
                raise RunFailure("The job run was cancelled.")
        try:
            yield
        finally:
            self._slot.release()

    def _keep_output(self, folder: Path) -> None:
        """Put the driver's output where the run wants it, if its role may."""
        overrides = self._call.params.get("configurationOverrides") or {}
        monitoring = overrides.get("monitoringConfiguration") or {}
        log_uri = (monitoring.get("s3MonitoringConfiguration") or {}).get("logUri")
        if not log_uri:
            return
        place = f"applications/{self.run.application.id}/jobs/{self.run.id}/SPARK_DRIVER/"
        for name in ("stdout", "stderr"):
            uri = S3Uri.parse(log_uri) / f"{place}{name}.gz"
            resource = f"arn:{partition_of(self._call.region)}:s3:::{uri.bucket}/{uri.key}"
            written = folder / name
            if written.exists() and self._may("s3:PutObject", resource, {}):
                self._s3.put_object(Bucket=uri.bucket, Key=uri.key, Body=gzip.compress(written.read_bytes()))

    @property
    def _s3(self) -> Any:
        return self._world.client("s3", self._call.region)

    @property
    def _submit(self) -> dict[str, Any]:
        driver: dict[str, Any] = self._call.params["jobDriver"]
        if "sparkSubmit" not in driver:
            raise RunFailure("The local cloud runs Spark only.")
        submit: dict[str, Any] = driver["sparkSubmit"]
        return submit


def details_of(run: JobRun) -> str:
    """A run's `stateDetails`: why it failed or was cancelled, and the state's name where there is nothing to tell."""
    error = run.phases.error
    if run.state == "FAILED" and error is not None:
        known = isinstance(error, RunFailure)
        text = str(error) if known else f"{_INTERNAL}: {type(error).__name__}: {error}"
        return " ".join(text.split())[:_LONGEST_DETAILS]
    return run.state


def _archives(parameters: str) -> Iterator[str]:
    """The archives that spark-submit is told to bring, without the names they get."""
    words = shlex.split(parameters)
    for flag, value in pairwise(words):
        name, _, configured = value.partition("=")
        listed = configured if flag == "--conf" and name == "spark.archives" else ""
        listed = value if flag == "--archives" else listed
        yield from (each.partition("#")[0] for each in listed.split(",") if each)


def _last_words(stderr: Path) -> str:
    """The error that a driver ended with."""
    if not stderr.exists():
        return "(it said nothing)"
    lines = [line for line in stderr.read_text("utf-8", "replace").splitlines() if line.strip()]
    traces = [number for number, line in enumerate(lines) if line.startswith("Traceback (most recent")]
    if traces:
        # What ends a traceback need not be called an error.
        ends = [number for number in range(traces[-1] + 1, len(lines)) if not lines[number][0].isspace()][:1]
    else:
        ends = [number for number, line in enumerate(lines) if _ERROR_LINE.match(line)][-1:]
    return " ".join(lines[ends[0] if ends else -_LAST_LINES :]) or "(it said nothing)"
