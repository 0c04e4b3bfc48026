import inspect
import pickle

import pytest

from bedrock_distill import errors
from bedrock_distill.errors import BedrockDistillError, DataError, Offence, ServiceError

CLASSES = [
    value
    for value in vars(errors).values()
    if inspect.isclass(value) and issubclass(value, BedrockDistillError)
]


def _arguments(cls):
    required = {"limit_usd": 1.0, "estimate_usd": 2.0}
    names = inspect.signature(cls.__init__).parameters
    return {name: value for name, value in required.items() if name in names}


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_error_survives_pickling_with_its_fields(cls):
    error = cls("what happened", **_arguments(cls))
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is cls
    assert vars(copy) == vars(error)
    assert str(copy) == "what happened"


def test_fields_set_by_keyword_survive_pickling():
    error = ServiceError(
        "no", service="s3", operation="PutObject", code="SlowDown", status=503, retryable=True
    )
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.code, copy.status, copy.retryable) == ("SlowDown", 503, True)


@pytest.mark.parametrize(
    ("cls", "builtin"),
    [
        ("SpecError", ValueError),
        ("DataError", ValueError),
        ("AccessDeniedError", PermissionError),
        ("NotFoundError", LookupError),
        ("WaitTimeoutError", TimeoutError),
        ("MissingDependencyError", ImportError),
    ],
)
def test_errors_are_the_builtins_that_callers_already_catch(cls, builtin):
    assert issubclass(getattr(errors, cls), builtin)


def test_every_error_is_exported_and_drawn_in_the_tree():
    assert {cls.__name__ for cls in CLASSES} <= set(errors.__all__)
    assert all(cls.__name__ in errors.__doc__ for cls in CLASSES)


def test_an_offence_reads_like_a_compiler_message():
    assert (
        str(Offence("a.jsonl", 3, "messages[0].role", "unknown role"))
        == "a.jsonl:3: messages[0].role: unknown role"
    )
    assert str(Offence("a.jsonl", None, "", "too large")) == "a.jsonl: too large"


def test_a_data_error_counts_what_it_shows_unless_told_of_more():
    offence = Offence("a", 1, "", "bad")
    assert DataError("x", offences=(offence,)).count == 1
    assert DataError("x", offences=(offence,), count=9).count == 9
