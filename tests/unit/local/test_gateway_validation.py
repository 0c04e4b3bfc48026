"""What AWS refuses, in its words."""

from __future__ import annotations

import math

import pytest

from bedrock_distill.local.gateway.errors import AwsError
from bedrock_distill.local.gateway.models import load_api
from bedrock_distill.local.gateway.validation import find_violations, validate

CREATE = {
    "jobName": "job",
    "customModelName": "model",
    "roleArn": "arn:aws:iam::123456789012:role/r",
    "baseModelIdentifier": "amazon.nova-micro-v1:0:128k",
    "customizationType": "DISTILLATION",
    "trainingDataConfig": {"s3Uri": "s3://bucket/a"},
    "outputDataConfig": {"s3Uri": "s3://bucket/b"},
}
LOGS = {"invocationLogSource": {"s3Uri": "s3://bucket/logs"}}


TYPES = sorted(load_api("bedrock").model.shape_for("CustomizationType").enum)


def _shape(operation, service="bedrock"):
    return load_api(service).operation(operation).input_shape


def _violations(changes, base=CREATE):
    merged = {key: value for key, value in (base | changes).items() if value is not ...}
    return list(find_violations(_shape("CreateModelCustomizationJob"), merged))


def test_a_good_request_breaks_nothing():
    assert _violations({}) == []


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"jobName": ...}, "Value null at 'jobName' failed to satisfy constraint: Member must not be null"),
        ({"jobName": 5}, "Value '5' at 'jobName' failed to satisfy constraint: Member must be a string"),
        ({"jobTags": {}}, "Value at 'jobTags' failed to satisfy constraint: Member must be a list"),
        (
            {"jobName": "under_score"},
            (
                "Value 'under_score' at 'jobName' failed to satisfy constraint: "
                r"Member must satisfy regular expression pattern: [a-zA-Z0-9](-*[a-zA-Z0-9\+\-\.])*"
            ),
        ),
        (
            {"jobName": "a" * 64},
            (
                f"Value '{'a' * 64}' at 'jobName' failed to satisfy constraint: "
                "Member must have length less than or equal to 63"
            ),
        ),
        (
            {"customizationType": "MAGIC"},
            (
                "Value 'MAGIC' at 'customizationType' failed to satisfy constraint: "
                f"Member must satisfy enum value set: [{', '.join(TYPES)}]"
            ),
        ),
        (
            {"jobTags": [{"key": "k", "value": "v"}, {"key": "", "value": "v"}]},
            (
                "Value '' at 'jobTags.2.member.key' failed to satisfy constraint: "
                "Member must have length greater than or equal to 1"
            ),
        ),
        (
            {"trainingDataConfig": {"invocationLogsConfig": {"invocationLogSource": {}}}},
            (
                "Value at 'trainingDataConfig.invocationLogsConfig.invocationLogSource' failed to satisfy constraint: "
                "Member must have exactly one of [s3Uri] set, not 0"
            ),
        ),
        (
            {
                "trainingDataConfig": {
                    "invocationLogsConfig": LOGS
                    | {"requestMetadataFilters": {"equals": {"a": "b"}, "notEquals": {"a": "b"}}}
                }
            },
            (
                "Value at 'trainingDataConfig.invocationLogsConfig.requestMetadataFilters' failed to satisfy constraint: "
                "Member must have exactly one of [equals, notEquals, andAll, orAll] set, not 2"
            ),
        ),
    ],
)
def test_a_broken_constraint_is_named_in_awss_words(changes, sentence):
    assert sentence in _violations(changes)


def test_maps_are_held_to_their_size_as_the_client_is_not():
    filters = {"equals": {"a": "b", "c": "d"}}
    violations = _violations(
        {"trainingDataConfig": {"invocationLogsConfig": LOGS | {"requestMetadataFilters": filters}}}
    )
    assert len(violations) == 1
    assert violations[0].endswith("Member must have length less than or equal to 1")


def test_several_violations_are_counted_and_listed():
    with pytest.raises(AwsError) as caught:
        validate(_shape("CreateModelCustomizationJob"), {"jobName": "a b"})
    assert caught.value.code == "ValidationException"
    assert caught.value.message.startswith("6 validation errors detected: Value null at ")
    assert caught.value.message.count("; ") == 5


@pytest.mark.parametrize(
    ("config", "end"),
    [
        ({"maxTokens": 0}, "greater than or equal to 1"),
        ({"temperature": 1.5}, "less than or equal to 1"),
        ({"topP": -0.1}, "greater than or equal to 0"),
        ({"temperature": math.nan}, "greater than or equal to 0"),
        ({"maxTokens": True}, "be an integer"),
        ({"maxTokens": 2.5}, "be an integer"),
        ({"temperature": "warm"}, "be a number"),
    ],
)
def test_numbers_are_held_to_type_and_range(config, end):
    params = {"modelId": "amazon.nova-pro-v1:0", "inferenceConfig": config}
    violations = list(find_violations(_shape("Converse", "bedrock-runtime"), params))
    assert violations
    assert violations[0].endswith(end)


def test_a_whole_number_is_a_number():
    params = {"modelId": "amazon.nova-pro-v1:0", "inferenceConfig": {"temperature": 1}}
    assert list(find_violations(_shape("Converse", "bedrock-runtime"), params)) == []


def test_a_null_in_a_list_is_refused():
    params = {"modelId": "amazon.nova-pro-v1:0", "messages": [None]}
    assert list(find_violations(_shape("Converse", "bedrock-runtime"), params)) == [
        "Value null at 'messages.1.member' failed to satisfy constraint: Member must not be null"
    ]


def test_secrets_are_not_repeated():
    shape = load_api("bedrock").model.shape_for("GuardrailName")
    assert shape.metadata["sensitive"]
    (violation,) = find_violations(shape, "my secret!", "name")
    assert violation.startswith("Value at 'name' failed to satisfy constraint: ")
    assert "secret" not in violation


def test_a_long_value_is_shown_in_part():
    violations = _violations({"roleArn": "x" * 100_000})
    assert all(len(text) < 2_000 for text in violations)
