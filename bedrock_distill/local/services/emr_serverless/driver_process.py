"""Runs a driver in a process of its own, with a Spark of its own on this machine, against the cloud's HTTP door."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bedrock_distill.errors import MissingDependencyError
from bedrock_distill.harvest.engines.spark_start import require_spark
from bedrock_distill.local.doors.environment import client_environment
from bedrock_distill.local.services.emr_serverless.running import DriverWork, Ended, RunFailure

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["run_driver"]

_LOOK_EVERY_S = 0.1
_GRACE_S = 10.0
"""How long a driver may take to end when it is asked to."""
_MOST_CORES = 4


def run_driver(work: DriverWork, *, stopping: Callable[[], bool]) -> Ended:
    """Run an entry point to its end, or until it is to stop.

    Args:
        work: What to run.
        stopping: Whether it is to stop.

    Raises:
        RunFailure: If there is no Spark on this machine.
    """
    try:
        require_spark()
    except MissingDependencyError as error:
        raise RunFailure(f"The local cloud has no Spark to run this with. {error.message}") from error
    # Standard input is a pipe that nobody writes to: it ends when this process does, and so does the driver then.
    command = [sys.executable, str(Path(__file__).with_name("driver.py")), str(work.script), *work.arguments]
    with (work.folder / "stdout").open("wb") as out, (work.folder / "stderr").open("wb") as err:
        process = subprocess.Popen(  # noqa: S603 - this interpreter, and a script of the cloud's user
            command,
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=err,
            cwd=work.folder,
            env=_environment(work),
            start_new_session=True,
        )
        try:
            timed_out = _follow(process, stopping, deadline=time.monotonic() + work.timeout_s)
        finally:
            _end(process)
    return Ended(process.returncode, timed_out=timed_out)


def _follow(process: subprocess.Popen[bytes], stopping: Callable[[], bool], *, deadline: float) -> bool:
    """Wait until it has ended or is to end; returns whether its time was up."""
    while not stopping():
        try:
            process.wait(_LOOK_EVERY_S)
        except subprocess.TimeoutExpired:
            if time.monotonic() > deadline:
                return True
        else:
            return False
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask, wait, insist; what the driver has started goes with it."""
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_S)
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()
    if process.stdin is not None:
        process.stdin.close()


def _environment(work: DriverWork) -> dict[str, str]:
    """This process's, but for AWS, where the driver is the run's role in this cloud and nothing else."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYSPARK_"))}
    paths = [str(Path(__file__).parents[4]), *filter(None, [own.get("PYTHONPATH")])]
    cores = min(_MOST_CORES, os.cpu_count() or 1)
    return {
        **own,
        **client_environment(work.url, work.region),
        "AWS_ACCESS_KEY_ID": work.access_key,
        "AWS_ALLOW_HTTP": "true",  # for clients that speak only TLS unless they are told
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "PYTHONPATH": os.pathsep.join(paths),
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_SUBMIT_ARGS": f"--master local[{cores}] pyspark-shell",
        "SPARK_LOCAL_DIRS": str(work.folder / "spark"),
    }
