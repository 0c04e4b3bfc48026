"""Stand-ins for services, a stage that tests share, and values made up from botocore's models."""

from __future__ import annotations

import contextlib
import re
import re._constants as sre
import re._parser as sre_parser
import runpy
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bedrock_distill.local.cloud import Cloud
from bedrock_distill.local.gateway import patterns

_here = Path(__file__).parent
_open_stage, _open_emr = (
    runpy.run_path(str(_here / name))["open_stage"] for name in ("bedrock_stage.py", "emr_stage.py")
)


class Fake:
    """A service whose methods are what a test says; it remembers the calls it got."""

    def __init__(self, **methods):
        self.calls = []
        self.methods = methods
        self._lock = threading.Lock()

    def __getattr__(self, name):
        if name not in self.__dict__.get("methods", {}):
            raise AttributeError(name)
        answer = self.methods[name]

        def method(call):
            with self._lock:
                self.calls.append(call)
            return answer(call) if callable(answer) else answer

        return method


@pytest.fixture
def fake():
    """Makes a service: `fake(converse=answer_or_function)`."""
    return Fake


@pytest.fixture
def open_cloud(request):
    """Opens a cloud with the services given by boto3's names, and closes it after the test."""
    opened = []

    def make(services=None, **options):
        cloud = Cloud(services=lambda _: {"bedrock": Fake(), **(services or {})}, **options).open()
        opened.append(cloud)
        return cloud

    yield make
    for cloud in opened:
        cloud.close()


@pytest.fixture(scope="module")
def shared():
    """A stage that the tests of a file share and empty: opening a cloud takes longer than most of them do."""
    with _open_stage() as stage:
        yield stage


@pytest.fixture
def open_emr():
    """Opens clouds for EMR Serverless, each with its client, and closes them after the test."""
    with contextlib.ExitStack() as opened:
        yield lambda *args, **options: opened.enter_context(_open_emr(*args, **options))


def text_for(pattern, low, high):
    """A short text that fits a pattern and a length."""
    compiled = patterns._compiled(pattern)
    if compiled is None:
        return "a" * max(low, 1)
    low = max(low, 1)  # an empty text cannot stand in a path
    for extra in range(low + 3):
        text = _spell(sre_parser.parse(compiled.pattern), extra)
        if low <= len(text) <= high and compiled.fullmatch(text):
            return text
    raise AssertionError(f"No text was found for {pattern!r} of {low} to {high} characters.")


def _spell(nodes, extra):
    return "".join(_SPELL[kind](value, extra) for kind, value in nodes)


def _one_of(options, _):
    if options[0][0] is sre.NEGATE:
        compiled = {chr(code) for code in range(33, 127)}
        for kind, value in options[1:]:
            if kind is sre.LITERAL:
                compiled.discard(chr(value))
        return min(compiled - set("\"'"))
    for kind, value in options:
        if kind is sre.LITERAL:
            return chr(value)
        if kind is sre.RANGE:
            # A control character would fit, but headers and labels do not carry it.
            return "a" if value[0] <= ord("a") <= value[1] else chr(max(value[0], 33))
        if kind is sre.CATEGORY:
            return _CATEGORIES[value]
    raise AssertionError(options)


_CATEGORIES = {
    sre.CATEGORY_DIGIT: "1",
    sre.CATEGORY_WORD: "w",
    sre.CATEGORY_SPACE: " ",
    sre.CATEGORY_NOT_SPACE: "s",
}
_SPELL = {
    sre.LITERAL: lambda value, _: chr(value),
    sre.NOT_LITERAL: lambda value, _: "b" if value == ord("a") else "a",
    sre.ANY: lambda _, __: "a",
    sre.AT: lambda _, __: "",
    sre.IN: _one_of,
    sre.BRANCH: lambda value, extra: _spell(value[1][extra % len(value[1])], extra),
    sre.SUBPATTERN: lambda value, extra: _spell(value[3], extra),
    sre.MAX_REPEAT: lambda value, extra: _spell(value[2], extra) * min(value[0] + extra, value[1]),
    sre.MIN_REPEAT: lambda value, extra: _spell(value[2], extra) * min(value[0] + extra, value[1]),
    sre.ASSERT: lambda _, __: "",
    sre.ASSERT_NOT: lambda _, __: "",
}


def made_up(shape, variant=0, seen=()):
    """A value that fits a shape: every member is there, and unions take a different member for each variant."""
    if getattr(shape, "is_document_type", False):
        return {"a": [1, "b", None]}
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    kind = shape.type_name
    if kind == "structure":
        return _structure(shape, variant, seen)
    if kind == "list":
        return [made_up(shape.member, variant, seen) for _ in range(max(low or 1, 1))]
    if kind == "map":
        return {made_up(shape.key, variant, seen): made_up(shape.value, variant, seen)}
    if kind == "string":
        if getattr(shape, "enum", None):
            return shape.enum[variant % len(shape.enum)]
        if pattern := shape.metadata.get("pattern"):
            return text_for(pattern, low or 0, high or 10_000)
        return "é-text".ljust(low or 0, "x")[: high or 10_000]
    if kind in ("integer", "long"):
        return int(low if low is not None else 7)
    if kind in ("float", "double"):
        return float(low if low is not None else 0.25)
    return {
        "boolean": variant % 2 == 0,
        "blob": b"\x00\xffblob".ljust(low or 0, b"x"),
        "timestamp": datetime(2026, 3, 4, 5, 6, 7, 250_000 if _has_fractions(shape) else 0, tzinfo=UTC),
    }[kind]


def _has_fractions(shape):
    return shape.serialization.get("timestampFormat") != "rfc822"


def _structure(shape, variant, seen):
    names = list(shape.members)
    if getattr(shape, "is_tagged_union", False):
        plain = [name for name in names if shape.members[name].name not in seen] or names
        names = [plain[variant % len(plain)]]
    value = {}
    for name in names:
        member = shape.members[name]
        if member.serialization.get("eventstream"):
            value[name] = _events(member, variant)
        elif _innermost(member).name not in seen or name in shape.required_members:
            value[name] = made_up(member, variant, (*seen, shape.name))
    return value


def _innermost(shape):
    while shape.type_name in ("list", "map"):
        shape = shape.member if shape.type_name == "list" else shape.value
    return shape


def _events(stream, variant):
    return [
        {name: made_up(member, variant)}
        for name, member in stream.members.items()
        if not member.metadata.get("exception")
    ]


@pytest.fixture
def make_value():
    """Makes up a value for a botocore shape."""
    return made_up


@pytest.fixture
def make_text():
    """Makes up a text for a pattern and a length."""
    return text_for


ARN = "arn:aws:bedrock:us-east-1:123456789012:custom-model-deployment/abcdefghijkl"


@pytest.fixture
def deployment_arn():
    """An ARN as it stands in a path."""
    assert re.fullmatch(r"[^?#]+", ARN)
    return ARN
