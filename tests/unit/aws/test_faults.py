import boto3
import pytest
from botocore.exceptions import (
    ClientError,
    CredentialRetrievalError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ReadTimeoutError,
    SSOTokenLoadError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)

from bedrock_distill import errors
from bedrock_distill.aws.faults import CODES, RETRYABLE, translate

USED = {
    "bedrock": [
        "CreateModelCustomizationJob",
        "GetModelCustomizationJob",
        "ListModelCustomizationJobs",
        "StopModelCustomizationJob",
        "GetCustomModel",
        "ListCustomModels",
        "DeleteCustomModel",
        "CreateCustomModelDeployment",
        "GetCustomModelDeployment",
        "ListCustomModelDeployments",
        "UpdateCustomModelDeployment",
        "DeleteCustomModelDeployment",
        "GetFoundationModel",
    ],
    "bedrock-runtime": [
        "Converse",
        "ConverseStream",
        "InvokeModel",
        "InvokeModelWithResponseStream",
        "CountTokens",
    ],
    "sagemaker-runtime": ["InvokeEndpoint", "InvokeEndpointWithResponseStream"],
}


def _client_error(code, status=400, message="because"):
    return ClientError(
        {
            "Error": {"Code": code, "Message": message},
            "ResponseMetadata": {"HTTPStatusCode": status, "RequestId": "r-1"},
        },
        "Anything",
    )


def _modelled():
    for service, operations in USED.items():
        client = boto3.client(
            service, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
        )
        for operation in operations:
            for shape in client.meta.service_model.operation_model(operation).error_shapes:
                yield shape.name


def test_every_error_the_models_declare_is_in_the_table():
    assert set(_modelled()) <= set(CODES)


def test_everything_that_is_retried_is_known_or_a_bare_status():
    assert all(code in CODES or code.isdigit() or code.startswith("RequestTimeout") for code in RETRYABLE)


@pytest.mark.parametrize("code", CODES)
def test_a_code_becomes_its_class_with_its_fields(code):
    error = translate(_client_error(code), service="bedrock", operation="GetCustomModel", subject="m")
    assert type(error) is CODES[code]
    assert (error.code, error.status, error.request_id, error.operation) == (
        code,
        400,
        "r-1",
        "GetCustomModel",
    )
    assert "because" in str(error)
    assert "on m" in str(error)


def test_an_unknown_code_is_a_plain_service_error():
    error = translate(_client_error("BrandNewException"), service="bedrock", operation="X")
    assert type(error) is errors.ServiceError
    assert not error.retryable


def test_a_lower_case_code_from_a_stream_is_the_same_error():
    assert isinstance(
        translate(
            _client_error("throttlingException"), service="bedrock-runtime", operation="ConverseStream"
        ),
        errors.ThrottledError,
    )


def test_missing_credentials_say_how_to_get_some():
    error = translate(NoCredentialsError(), service="s3", operation="PutObject")
    assert isinstance(error, errors.AccessDeniedError)
    assert "aws configure" in str(error)


def test_a_missing_region_is_the_specs_fault():
    assert isinstance(translate(NoRegionError(), service="s3", operation="PutObject"), errors.SpecError)


def test_an_unreachable_endpoint_may_be_tried_again_and_a_silent_one_may_not():
    unreachable = EndpointConnectionError(endpoint_url="http://127.0.0.1:1")
    assert translate(unreachable, service="s3", operation="X").retryable
    silent = ReadTimeoutError(endpoint_url="http://127.0.0.1:1")
    assert not translate(silent, service="bedrock-runtime", operation="Converse").retryable


@pytest.mark.parametrize(
    "error",
    [
        UnauthorizedSSOTokenError(),
        SSOTokenLoadError(error_msg="Token for sso does not exist"),
        TokenRetrievalError(provider="sso", error_msg="expired"),
        CredentialRetrievalError(provider="process", error_msg="it failed"),
    ],
)
def test_credentials_that_could_not_be_fetched_are_an_access_error_that_says_how_to_renew_them(error):
    translated = translate(error, service="sts", operation="GetCallerIdentity")
    assert isinstance(translated, errors.AccessDeniedError)
    assert "aws sso login" in str(translated)


@pytest.mark.parametrize(
    "code", ["ExpiredToken", "ExpiredTokenException", "RequestExpired", "InvalidAccessKeyId"]
)
def test_credentials_that_are_no_good_are_not_blamed_on_permissions(code):
    error = translate(_client_error(code, 403), service="bedrock", operation="X")
    assert isinstance(error, errors.AccessDeniedError)
    assert "credentials" in str(error)
    assert "model is granted" not in str(error)


def test_only_bedrock_is_said_to_grant_models():
    said = str(translate(_client_error("AccessDenied", 403), service="iam", operation="GetRole"))
    assert "model" not in said


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_server_error_without_a_known_code_may_be_tried_again(status):
    error = translate(_client_error("Unheard", status), service="bedrock", operation="X")
    assert error.retryable


def test_a_bare_429_is_throttling():
    error = translate(_client_error("429", 429), service="bedrock", operation="X")
    assert isinstance(error, errors.ThrottledError)
    assert error.retryable


def test_a_silent_answer_of_the_control_plane_may_be_asked_for_again():
    """Every such request carries a token or changes nothing, so a second one is never a second job."""
    silent = ReadTimeoutError(endpoint_url="http://127.0.0.1:1")
    assert translate(silent, service="bedrock", operation="GetModelCustomizationJob").retryable
    assert translate(silent, service="bedrock", operation="CreateModelCustomizationJob").retryable


def _model_error(**more):
    error = _client_error("ModelError", 424, "Received server error (500) from primary.")
    error.response.update(more)
    return translate(error, service="sagemaker-runtime", operation="InvokeEndpoint", subject="student")


def test_a_containers_answer_and_its_log_are_in_the_message():
    said = str(
        _model_error(
            OriginalStatusCode=500,
            OriginalMessage="CUDA out of memory",
            LogStreamArn="arn:aws:logs:us-east-1:123456789012:log-group:/aws/sagemaker/Endpoints/student",
        )
    )
    assert "The container answered 500: CUDA out of memory" in said
    assert "log group /aws/sagemaker/Endpoints/student." in said


def test_what_the_service_repeats_is_not_repeated_again():
    said = str(_model_error(OriginalStatusCode=500, OriginalMessage="Received server error (500)"))
    assert said.count("Received server error (500)") == 1


@pytest.mark.parametrize(
    ("status", "retryable"), [(429, True), (503, True), (500, False), (424, False), (0, False)]
)
def test_only_a_busy_container_is_asked_again(status, retryable):
    assert _model_error(OriginalStatusCode=status).retryable is retryable


def test_an_answer_of_an_endpoint_is_paid_for_too():
    silent = ReadTimeoutError(endpoint_url="http://127.0.0.1:1")
    assert not translate(silent, service="sagemaker-runtime", operation="InvokeEndpoint").retryable


def test_a_component_without_a_copy_is_scaled_to_zero_and_can_be_asked_again():
    error = _client_error(
        "ValidationError", 400, "Inference Component has no capacity to process this request."
    )
    translated = translate(error, service="sagemaker-runtime", operation="InvokeEndpoint")
    assert isinstance(translated, errors.ScaledToZeroError)
    assert translated.retryable


def test_a_model_that_there_is_not_is_not_found_under_whatever_code():
    error = _client_error("ValidationException", 400, "The provided model identifier is invalid.")
    translated = translate(
        error, service="bedrock-runtime", operation="Converse", subject="amazon.nova-por-v1:0"
    )
    assert isinstance(translated, errors.NotFoundError)
    assert not translated.retryable
    assert "Check the id and the region." in str(translated)
