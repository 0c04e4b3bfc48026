"""The Spark engine with toy functions, on a Spark of this machine. Skipped only where pyspark or Java is missing."""

from __future__ import annotations

import os
import signal
import threading
from functools import partial
from pathlib import Path

import pytest

from bedrock_distill.errors import (
    DataError,
    JobFailedError,
    MissingDependencyError,
    Offence,
    ServiceError,
    SpecError,
)
from bedrock_distill.harvest.engines.spark import SparkEngine
from bedrock_distill.plan.estimate import Line

spark = pytest.mark.usefixtures("needs_spark")


@pytest.fixture(scope="module")
def engine():
    # One job a time holds two parts, so that a few parts are several jobs.
    with SparkEngine("local[2]", parts_a_job=2) as engine:
        yield engine


# Functions travel by name, and no executor can import this file: those made inside of functions travel whole.


def doubled():
    def double(part):
        return part * 2

    return double


def failing(error_type, **fields):
    def fail(part):
        if part == 3:
            raise error_type("part 3 is no good", **fields)
        return part

    return fail


def held(folder):
    """Parts that say that they began, and, but for 0, end only when they are let go, which these tests never do."""

    def hold(part):
        import threading
        from pathlib import Path

        Path(folder, f"began-{part}").touch()
        for _ in range(6000 if part else 0):
            threading.Event().wait(0.01)
        Path(folder, f"ended-{part}").touch()
        return part

    return hold


def wait_for(path):
    for _ in range(6000):
        if path.exists():
            return
        threading.Event().wait(0.01)
    raise AssertionError(f"{path.name} never came")


@spark
def test_results_come_in_the_order_of_the_parts(engine):
    assert list(engine.map(doubled(), list(range(7)))) == [0, 2, 4, 6, 8, 10, 12]


@spark
def test_parts_are_looked_at_as_they_are_sent(engine):
    sent = []

    def parts():
        for number in range(100):
            sent.append(number)
            yield number

    results = engine.map(doubled(), parts())
    assert next(results) == 0
    assert len(sent) < 10
    results.close()


@spark
def test_structs_go_out_and_come_back_whole(engine):
    line = partial(Line, quantity=1.0, unit="call", unit_usd=None, source="é")
    parts = [line(what="first"), line(what="second")]
    assert list(engine.map(lambda part: part, parts)) == parts


@spark
def test_no_parts_are_no_work():
    with SparkEngine("local[2]") as idle:
        assert list(idle.map(doubled(), iter(()))) == []
        assert idle._own is None, "Spark was started for nothing"


@spark
def test_an_error_of_ours_arrives_whole_with_the_executors_traceback_as_its_cause(engine):
    offence = Offence(file="s3://logs/a.gz", line=7, field="modelId", reason="is a number")
    with pytest.raises(DataError, match="part 3 is no good") as caught:
        list(engine.map(failing(DataError, offences=(offence,)), [1, 2, 3]))
    assert caught.value.offences == (offence,)
    assert "in fail" in str(caught.value.__cause__)


@spark
def test_what_came_before_the_part_that_failed_has_been_handed_over(engine):
    results = engine.map(failing(DataError), [1, 2, 3, 4])
    before = [next(results), next(results)]
    with pytest.raises(DataError):
        next(results)
    assert before == [1, 2]


@spark
def test_any_other_error_names_the_part_and_the_reason(engine):
    with pytest.raises(JobFailedError, match=r"The part 3 failed.*KeyError: 'part 3 is no good'") as caught:
        list(engine.map(failing(KeyError), [1, 2, 3]))
    assert caught.value.reason == "KeyError: 'part 3 is no good'"


@spark
def test_a_worker_that_dies_is_an_error_of_ours_and_the_next_map_works(engine):
    def die(part):
        import os

        if part == 2:
            os._exit(9)
        return part

    with pytest.raises(JobFailedError, match="Spark could not run the parts"):
        list(engine.map(die, [1, 2, 3]))
    assert list(engine.map(doubled(), [1])) == [2]


@spark
def test_leaving_early_stops_what_runs(engine, tmp_path):
    results = engine.map(held(str(tmp_path)), [0, 0, 1, 2, 3])
    assert next(results) == 0
    wait_for(tmp_path / "began-1")
    results.close()
    # Both slots are free again, though nobody let the parts go.
    assert list(engine.map(doubled(), [1, 2])) == [2, 4]
    assert not list(tmp_path.glob("ended-[1-9]"))


@spark
def test_ctrl_c_stops_the_parts_and_leaves_the_engine_usable(engine, tmp_path):
    # Python's own, for whoever starts the tests in a shell's background has them ignore Ctrl-C.
    before = signal.default_int_handler
    outer = signal.signal(signal.SIGINT, before)

    def interrupt():
        wait_for(tmp_path / "began-1")
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        list(engine.map(held(str(tmp_path)), [1, 2, 3]))
    assert signal.getsignal(signal.SIGINT) is before
    assert list(engine.map(doubled(), [1, 2])) == [2, 4]
    assert not list(tmp_path.glob("ended-*"))
    signal.signal(signal.SIGINT, outer)


@spark
def test_a_session_that_was_handed_in_is_used_and_not_stopped(engine):
    context = engine._context()
    with SparkEngine(session=context) as guest:
        assert list(guest.map(doubled(), [1, 2])) == [2, 4]
    assert context.parallelize([1]).count() == 1


@spark
def test_a_second_spark_in_one_process_is_refused_with_what_to_do(engine):
    list(engine.map(doubled(), [1]))
    with SparkEngine("local[1]") as second, pytest.raises(SpecError, match="session="):
        list(second.map(doubled(), [1]))


@spark
def test_a_part_that_fails_for_the_moment_is_tried_again(engine, tmp_path):
    engine.close()  # it starts again when it is next asked
    folder = str(tmp_path)

    def fail_at_first(part):
        from pathlib import Path

        tries = Path(folder, f"tries-{part}")
        tries.write_text((tries.read_text() if tries.exists() else "") + "x")
        if len(tries.read_text()) < 3:
            raise OSError("the disk is not there yet")
        return part

    def fail_for_good(part):
        raise OSError("the disk is gone")

    with SparkEngine("local[2, 3]") as patient:
        assert list(patient.map(fail_at_first, [1, 2])) == [1, 2]
        with pytest.raises(JobFailedError, match="OSError: the disk is gone"):
            list(patient.map(fail_for_good, [1]))


@spark
def test_spark_is_quiet(engine, capfd):
    list(engine.map(doubled(), list(range(8))))
    with pytest.raises(DataError):
        list(engine.map(failing(DataError), [3]))
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")


@spark
def test_executors_with_another_release_are_refused():
    from bedrock_distill.harvest.engines.spark import _Task

    with pytest.raises(SpecError, match=r"the driver has 0\.0\.7"):
        _Task(doubled(), "0.0.7", attempts=1)(1).value()


@spark
@pytest.mark.parametrize(
    ("error", "tried_again"),
    [
        (OSError("disk"), True),
        (ServiceError("slow down", code="SlowDown", retryable=True), True),
        (ServiceError("no", code="AccessDenied", retryable=False), False),
        (DataError("no"), False),
    ],
)
def test_only_what_may_pass_is_left_to_spark_to_try_again(error, tried_again):
    from bedrock_distill.harvest.engines.spark import _Task

    def fail(_):
        raise error

    task = _Task(fail, _release(), attempts=4)
    if tried_again:
        with pytest.raises(type(error)):
            task(1)
    else:
        assert task(1).error is error
    assert _Task(fail, _release(), attempts=1)(1).error is not None


def _release():
    from importlib.metadata import version

    return version("bedrock-distill")


@pytest.mark.parametrize(
    ("master", "tries"), [("local", 1), ("local[2]", 1), ("local[*, 3]", 3), ("spark://host:7077", 4)]
)
def test_how_often_spark_tries_a_part(master, tries):
    from bedrock_distill.harvest.engines.spark import _attempts

    class Context:
        def __init__(self):
            self.master = master

        def getConf(self):  # noqa: N802 - Spark's name
            return {}

    assert _attempts(Context()) == tries


def test_without_pyspark_the_error_says_what_to_install(monkeypatch):
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "pyspark" else find(name, *rest)
    )
    with pytest.raises(MissingDependencyError, match=r"bedrock-distill\[scale\]") as caught:
        SparkEngine("local[2]")
    assert caught.value.extra == "scale"


@pytest.mark.parametrize("home", [None, "/no/such/jdk"])
def test_without_java_the_error_says_what_to_install(monkeypatch, home):
    pytest.importorskip("pyspark")
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    if home:
        monkeypatch.setenv("JAVA_HOME", home)
    with pytest.raises(MissingDependencyError, match="JDK 17"):
        SparkEngine("local[2]")


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("FindException: Module jdk.incubator.vector not found", "lacks the module"),
        ("java.lang.UnsupportedClassVersionError: org/apache/spark", "too old"),
    ],
)
def test_a_java_that_cannot_run_spark_is_named_as_the_reason(said, meant, tmp_path):
    from bedrock_distill.harvest.engines.spark_start import not_started

    with Path(tmp_path, "words").open("w+b") as words:
        words.write(said.encode())
        assert meant in str(not_started(RuntimeError("JAVA_GATEWAY_EXITED"), words))


def test_a_session_and_a_master_contradict_each_other():
    with pytest.raises(SpecError, match="not both"):
        SparkEngine("local[2]", session=object())
    with pytest.raises(SpecError, match="1 or more"):
        SparkEngine("local[2]", parts_a_job=0)
