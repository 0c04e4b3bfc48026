"""Turning what AWS and the network answer into this package's errors. One table, one function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import botocore.exceptions
from botocore.exceptions import (
    ClientError,
    CredentialRetrievalError,
    EventStreamError,
    HTTPClientError,
    NoAuthTokenError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ReadTimeoutError,
    RefreshWithMFAUnsupportedError,
    SSOError,
    TokenRetrievalError,
)
from botocore.exceptions import (
    ConnectionError as BotoConnectionError,
)

from bedrock_distill.errors import (
    AccessDeniedError,
    BedrockDistillError,
    ConflictError,
    ModelNotReadyError,
    NotFoundError,
    QuotaExceededError,
    ScaledToZeroError,
    ServiceError,
    SpecError,
    ThrottledError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CODES", "RETRYABLE", "translate"]

CODES: dict[str, type[ServiceError]] = {
    "AccessDenied": AccessDeniedError,
    "AccessDeniedException": AccessDeniedError,
    "UnrecognizedClientException": AccessDeniedError,
    "InvalidClientTokenId": AccessDeniedError,
    "InvalidSignatureException": AccessDeniedError,
    "SignatureDoesNotMatch": AccessDeniedError,
    "ExpiredToken": AccessDeniedError,
    "ExpiredTokenException": AccessDeniedError,
    "RequestExpired": AccessDeniedError,
    "InvalidAccessKeyId": AccessDeniedError,
    "MissingAuthenticationToken": AccessDeniedError,
    "Forbidden": AccessDeniedError,
    "403": AccessDeniedError,
    "NoSuchBucket": NotFoundError,
    "NoSuchKey": NotFoundError,
    "NoSuchEntity": NotFoundError,
    "NoSuchUpload": NotFoundError,
    "NotFound": NotFoundError,
    "404": NotFoundError,
    "ResourceNotFoundException": NotFoundError,
    "ResourceNotFound": NotFoundError,
    "Throttling": ThrottledError,
    "ThrottlingException": ThrottledError,
    "TooManyRequestsException": ThrottledError,
    "SlowDown": ThrottledError,
    "RequestLimitExceeded": ThrottledError,
    "429": ThrottledError,
    "ProvisionedThroughputExceededException": ThrottledError,
    "LimitExceeded": QuotaExceededError,
    "LimitExceededException": QuotaExceededError,
    "ResourceLimitExceeded": QuotaExceededError,
    "ServiceQuotaExceededException": QuotaExceededError,
    "TooManyTagsException": QuotaExceededError,
    "ModelNotReadyException": ModelNotReadyError,
    "ConflictException": ConflictError,
    "ConditionalRequestConflict": ConflictError,
    "PreconditionFailed": ConflictError,
    "EntityAlreadyExists": ConflictError,
    "BucketAlreadyExists": ConflictError,
    "BucketAlreadyOwnedByYou": ConflictError,
    "ResourceInUse": ConflictError,
    "ResourceInUseException": ConflictError,
    "OperationAborted": ConflictError,
    "DeleteConflict": ConflictError,
    "ConcurrentModification": ConflictError,
    # Known to the models, with no class of their own: the caller can only read them.
    "ValidationException": ServiceError,
    "ValidationError": ServiceError,
    "InternalServerException": ServiceError,
    "InternalFailure": ServiceError,
    "InternalError": ServiceError,
    "ServiceUnavailable": ServiceError,
    "ServiceUnavailableException": ServiceError,
    "ServiceFailure": ServiceError,
    "ModelTimeoutException": ServiceError,
    "ModelErrorException": ServiceError,
    "ModelStreamErrorException": ServiceError,
    "ModelError": ServiceError,
    "ModelStreamError": ServiceError,
    "InternalDependencyException": ServiceError,
    "InternalStreamFailure": ServiceError,
}
"""AWS's error code -> class. A code that is not here becomes a plain `ServiceError`."""

RETRYABLE = frozenset(
    {
        "InternalDependencyException",
        "InternalError",
        "InternalFailure",
        "InternalServerException",
        "InternalStreamFailure",
        "ModelNotReadyException",
        "ModelTimeoutException",
        "OperationAborted",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceFailure",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "ConcurrentModification",
        "429",
        "500",
        "502",
        "503",
        "504",
    }
)
"""Codes after which the same request may succeed."""

_SERVER_FAULTS = frozenset({500, 502, 503, 504})
"""Statuses that say, whatever the code, that it was not the request's fault."""

_ASKED_ONCE = frozenset({"bedrock-runtime", "sagemaker-runtime"})
"""Services whose answers are paid for each time. All else that is sent changes nothing, or carries a token or a name that
makes a second request the same as the first."""

_NO_CREDENTIALS: tuple[type[Exception], ...] = (
    NoCredentialsError,
    PartialCredentialsError,
    CredentialRetrievalError,
    NoAuthTokenError,
    RefreshWithMFAUnsupportedError,
    SSOError,
    TokenRetrievalError,
    # `aws login` came late: older releases of botocore lack its errors.
    *filter(None, [getattr(botocore.exceptions, "LoginError", None)]),
)
"""What botocore raises where it has no credentials to sign with."""

_BAD_CREDENTIALS = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
"""Codes that refuse who is asking, whatever is asked."""

_RENEW = "Renew the credentials (aws sso login, aws configure, or a fresh session token) and mind the machine's clock."

_HINTS: dict[type[ServiceError], str] = {
    AccessDeniedError: "Check that the credentials may do this.",
    ThrottledError: "Retries were used up; wait, or ask for a higher quota.",
    QuotaExceededError: "Delete what is no longer needed, or ask for a higher quota in Service Quotas.",
    ModelNotReadyError: "The model is being loaded: it is unloaded when nobody asks for a while. Loading goes on, "
    "and the same request works within minutes.",
}

_BUSY = frozenset({429, 503})
"""Statuses by which a container says that it has too much to do just now."""

_SAID: dict[str, tuple[type[ServiceError], str]] = {
    # SageMaker, while an inference component has no copy.
    "no capacity to process this request": (
        ScaledToZeroError,
        (
            "The endpoint is scaled to zero, and asking wakes it if its scaling was set up for that: the same request works when an "
            "instance is there, which takes minutes. For how long it is tried again is wake_timeout_s (--wake-timeout)."
        ),
    ),
    # Bedrock's runtime, of a model that there is not, or not in this region.
    "model identifier is invalid": (
        NotFoundError,
        "Check the id and the region. Some models are asked by the id of an inference profile, such as us.amazon.nova-pro-v1:0.",
    ),
}
"""Words of messages whose code has many meanings -> what they mean, and what to do."""

_TOO_SLOW = "timed out"


def translate(error: Exception, *, service: str, operation: str, subject: str = "") -> BedrockDistillError:
    """The error of this package that says what a botocore error means.

    Args:
        error: What botocore raised.
        service: Service as boto3 names it.
        operation: Operation as the API names it.
        subject: What the request was about, for the message.
    """
    doing = f"{service} {operation}" + (f" on {subject}" if subject else "")
    if isinstance(error, (ClientError, EventStreamError)):
        return _answered(error, service, operation, doing)
    if isinstance(error, _NO_CREDENTIALS):
        said = str(error).rstrip(".")
        return AccessDeniedError(
            f"{doing} was not sent: {said}. Configure or renew the credentials (aws configure, aws sso login, "
            "AWS_PROFILE, or a role).",
            service=service,
            operation=operation,
            code=type(error).__name__,
        )
    if isinstance(error, NoRegionError):
        return SpecError(
            f"{doing} was not sent: no region. Give one (region=…, --region, or AWS_DEFAULT_REGION).",
            field="region",
        )
    reachable = isinstance(error, (HTTPClientError, BotoConnectionError))
    return ServiceError(
        f"{doing} got no answer: {error}"
        + (" Check the network, the region and the endpoint." if reachable else ""),
        service=service,
        operation=operation,
        code=type(error).__name__,
        # A read timeout may mean that the work is being done: asking a model again could pay for it twice.
        retryable=reachable and not (isinstance(error, ReadTimeoutError) and service in _ASKED_ONCE),
    )


def _answered(error: ClientError, service: str, operation: str, doing: str) -> ServiceError:
    # The stubs know the members that all errors have; SageMaker's has more.
    response: Mapping[str, Any] = {**error.response}
    details = response.get("Error", {})
    metadata = response.get("ResponseMetadata", {})
    code = str(details.get("Code", "")) or "Unknown"
    # The operation's event stream names its errors in camel case where the model names them in Pascal case.
    code = code[:1].upper() + code[1:]
    request_id = metadata.get("RequestId")
    said = details.get("Message") or details.get("message") or "no message"
    by_code = CODES.get(code, ServiceError)
    cls, hint = next(
        (meaning for words, meaning in _SAID.items() if words in said), (by_code, _HINTS.get(by_code, ""))
    )
    where = f" (request {request_id})" if request_id else ""
    if code in _BAD_CREDENTIALS:
        hint = _RENEW
    if cls is AccessDeniedError and code not in _BAD_CREDENTIALS and service.startswith("bedrock"):
        hint += " Access to the model must be granted in this region, too."
    status = metadata.get("HTTPStatusCode")
    if code == "ModelError":
        said = _container_said(response, said)
    return cls(
        f"{doing}: {code}{where}: {said}" + (f" {hint}" if hint else ""),
        service=service,
        operation=operation,
        code=code,
        status=status,
        request_id=request_id,
        retryable=code in RETRYABLE
        or issubclass(cls, ModelNotReadyError)
        or response.get("OriginalStatusCode") in _BUSY
        or (code not in CODES and status in _SERVER_FAULTS),
    )


def _container_said(response: Mapping[str, Any], said: str) -> str:
    """SageMaker's sentence about a container that answered with an error, with the container's own words and its log."""
    status, words = response.get("OriginalStatusCode"), str(response.get("OriginalMessage") or "")
    log = str(response.get("LogStreamArn") or "").partition(":log-group:")[2].partition(":")[0]
    parts = [said]
    if words and words not in said:
        parts.append(f"The container answered {status}: {words}")
    if _TOO_SLOW in said:
        parts.append("A container has 60 s to answer: stream the answer, or ask for fewer tokens.")
    if log:
        parts.append(f"Its log is in CloudWatch, log group {log}.")
    return " ".join(parts)
