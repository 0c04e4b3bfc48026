"""The service models' patterns, in Python."""

from __future__ import annotations

import re

import pytest

from bedrock_distill.local.gateway.models import load_api
from bedrock_distill.local.gateway.patterns import matches

JOB_NAME = r"[a-zA-Z0-9](-*[a-zA-Z0-9\+\-\.])*"
SERVICES = ("bedrock", "bedrock-runtime", "sagemaker", "sagemaker-runtime")


def _patterns(service):
    model = load_api(service).model
    found = {model.shape_for(name).metadata.get("pattern") for name in model.shape_names}
    return sorted(found - {None})


@pytest.mark.parametrize("name", ["a", "a-b", "a--b", "a-", "9+.-", "triage-v3.1", "A" * 63, "a" + "-" * 62])
def test_job_names_that_aws_takes_match(name):
    assert matches(JOB_NAME, name)


@pytest.mark.parametrize("name", ["", "-a", "a_b", "a b", "a" + "-" * 60 + "_", "ä", "a\n"])
def test_job_names_that_aws_refuses_do_not_match(name):
    assert not matches(JOB_NAME, name)


@pytest.mark.parametrize("text", ["a", "a-", "a-b+c.d", "a+-", "-", "a_", "a--.--b", "a b"])
def test_the_rewritten_job_name_pattern_says_the_same_as_the_original(text):
    assert matches(JOB_NAME, text) == (re.fullmatch(JOB_NAME, text) is not None)


HOSTILE = [
    "-" * 63 + "!",
    "a" * 200 + "!",
    "a-" * 100 + "!",
    "a." * 60 + "!",
    "a:" * 60 + "!",
    "arn:aws:bedrock:" + "a-" * 90,
]


@pytest.mark.parametrize("service", SERVICES)
def test_no_pattern_of_the_services_takes_forever(service):
    # A pattern that tries every way to split these texts would not end while anyone waits.
    for pattern in _patterns(service):
        for text in HOSTILE:
            matches(pattern, text)


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        (r"\p{L}[\p{L}\p{M}0-9_]*( [\p{L}\p{M}0-9_]+)*", "Größe 9", "9a"),
        (r"\p{ASCII}*", "abc~", "é"),
        (r"\A\S[\p{Print}]*\z", "a b", " b"),
        (r"arn:[\p{Alnum}\-]+:lambda", "arn:aws-cn:lambda", "arn:aws_cn:lambda"),
        (r".*(?:[ \r\n\t].*)*.*", "any\ntext\r\nat all", None),
        (r"^[a-z]+$", "abc", "abc\n"),
    ],
)
def test_javas_patterns_mean_in_python_what_they_mean_in_java(pattern, good, bad):
    assert matches(pattern, good)
    assert bad is None or not matches(pattern, bad)


def test_a_pattern_that_python_cannot_read_refuses_nothing():
    assert matches(r"([\p{L}]*)${1,128}", "anything")


@pytest.mark.parametrize("service", SERVICES[:2])
def test_for_every_pattern_of_bedrock_a_text_is_known_that_matches(service, make_text):
    for pattern in _patterns(service):
        assert matches(pattern, make_text(pattern, 1, 3000))
