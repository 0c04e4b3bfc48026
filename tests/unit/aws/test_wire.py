import time

import boto3
import pytest

from bedrock_distill.aws.wire import check_request, violations
from bedrock_distill.errors import SpecError


def _operation(service, name):
    client = boto3.client(service, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    return client.meta.service_model.operation_model(name)


CREATE = _operation("bedrock", "CreateModelCustomizationJob")
GOOD = {
    "jobName": "triage-v3.1",
    "customModelName": "triage_v3",
    "roleArn": "arn:aws:iam::123456789012:role/Distill",
    "baseModelIdentifier": "amazon.nova-micro-v1:0:128k",
    "customizationType": "DISTILLATION",
    "trainingDataConfig": {"s3Uri": "s3://acme/data.jsonl"},
    "outputDataConfig": {"s3Uri": "s3://acme/out/"},
    "customizationConfig": {
        "distillationConfig": {"teacherModelConfig": {"teacherModelIdentifier": "amazon.nova-pro-v1:0"}}
    },
}


def test_a_good_request_passes():
    check_request(CREATE, GOOD)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"jobName": "a_b"}, "jobName: 'a_b' does not match"),
        ({"jobName": "a" * 64}, "64 characters, the most is 63"),
        ({"jobName": "-a"}, "does not match"),
        ({"customModelName": "a--b"}, "customModelName"),
        ({"roleArn": "arn:aws:sts::123456789012:assumed-role/a/b"}, "roleArn"),
        ({"customizationType": "DISTILL"}, "not one of FINE_TUNING"),
        ({"trainingDataConfig": {"s3Uri": "s3://acme/dt=2026/x.jsonl"}}, "trainingDataConfig.s3Uri"),
        ({"jobTags": [{"key": "a", "value": "ü"}]}, r"jobTags\[0\].value"),
        ({"vpcConfig": {"subnetIds": ["s"] * 17, "securityGroupIds": ["g"]}}, "17 items, the most is 16"),
        ({"customizationConfig": {}}, "tagged union"),
        ({"jobName": 3}, "jobName"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_the_service_would_refuse_is_refused_before_it_is_sent(change, says):
    with pytest.raises(SpecError, match=says):
        check_request(CREATE, GOOD | change)


def test_a_missing_member_is_named():
    with pytest.raises(SpecError, match="roleArn"):
        check_request(CREATE, {key: value for key, value in GOOD.items() if key != "roleArn"})


def test_a_filter_map_must_have_exactly_one_entry():
    logs = {
        "invocationLogSource": {"s3Uri": "s3://acme/logs"},
        "requestMetadataFilters": {"equals": {"a": "1", "b": "2"}},
    }
    with pytest.raises(SpecError, match="2 entries, the most is 1"):
        check_request(CREATE, GOOD | {"trainingDataConfig": {"invocationLogsConfig": logs}})


def test_all_violations_are_told_at_once():
    found = list(violations({"jobName": "a_b", "customModelName": "a--b"}, CREATE.input_shape))
    assert len(found) == 2


def test_the_job_names_pattern_is_linear_in_the_name():
    """AWS's own pattern takes 2ⁿ steps for n dashes before a character it refuses; this one counts them in CPU time."""
    before = time.process_time()
    assert list(violations({"jobName": "a" + "-" * 60 + "_"}, CREATE.input_shape))
    # The slow pattern would need years; the bound is there to end the run, not to measure.
    assert time.process_time() - before < 60


def test_patterns_of_related_identifiers_are_linear_too():
    get = _operation("bedrock", "GetModelCustomizationJob")
    assert list(violations({"jobIdentifier": "a" + "-" * 60 + "_"}, get.input_shape))
    batch = _operation("bedrock", "CreateModelInvocationJob")
    assert list(violations({"jobName": "a" + "-" * 60 + "_"}, batch.input_shape))


def test_a_document_may_be_anything_that_json_can_say():
    converse = _operation("bedrock-runtime", "Converse")
    request = {"modelId": "amazon.nova-pro-v1:0", "messages": [{"role": "user", "content": [{"text": "x"}]}]}
    for document in ({"inferenceConfig": {"topK": 1}}, ["a"], "text", 3, True):
        check_request(converse, request | {"additionalModelRequestFields": document})


def test_a_long_value_is_not_repeated_whole_in_the_message():
    with pytest.raises(SpecError) as caught:
        check_request(CREATE, GOOD | {"roleArn": "x" * 2000})
    assert len(str(caught.value)) < 600


def test_a_value_that_the_model_marks_as_sensitive_is_not_repeated_at_all():
    deploy = _operation("bedrock", "CreateModelCustomizationJob")
    shape = deploy.input_shape.members["roleArn"]
    shape.metadata["sensitive"] = True
    try:
        (found,) = violations("secret", shape, "roleArn")
    finally:
        del shape.metadata["sensitive"]
    assert "secret" not in found
    assert "roleArn" in found
