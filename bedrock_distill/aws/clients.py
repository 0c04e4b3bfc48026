"""The one gate to AWS: every request is checked against the service's model, retried, and its errors translated."""

from __future__ import annotations

import threading
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, InvalidRegionError

from bedrock_distill.aws.faults import translate
from bedrock_distill.aws.retry import RetryPolicy, retrying
from bedrock_distill.aws.streams import EventStream, read_body
from bedrock_distill.aws.wire import check_request
from bedrock_distill.clock import Clock, SystemClock
from bedrock_distill.errors import NotFoundError, ServiceError, SpecError
from bedrock_distill.uris import partition_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from botocore.model import OperationModel

__all__ = ["Clients"]

_RETRY = RetryPolicy()
_READ_TIMEOUT_S = {"bedrock-runtime": 900, "sagemaker-runtime": 80}
"""Seconds without a byte before a request is given up; a long answer may take minutes to begin. SageMaker itself gives a
container up after 60, and its own word for that is worth waiting for."""


class Clients:
    """Clients for one account and region.

    Args:
        profile: AWS profile. Default: boto3's own choice.
        region: Region. Default: the profile's, or what the environment says.
        endpoint_url: Where every request goes instead of AWS, such as a served local cloud.
        boto_session: A session of the caller's to use as it is; excludes `profile`.
        clock: Time for retries and waits. Default: the machine's.

    Raises:
        SpecError: If both `profile` and `boto_session` are given, or the profile does not exist.
    """

    def __init__(
        self,
        *,
        profile: str | None = None,
        region: str | None = None,
        endpoint_url: str | None = None,
        boto_session: boto3.Session | None = None,
        clock: Clock | None = None,
    ) -> None:
        if profile and boto_session:
            raise SpecError(
                "Give either a profile or a boto3 session, not both.", field="profile", value=profile
            )
        try:
            self._session = boto_session or boto3.Session(profile_name=profile, region_name=region)
        except BotoCoreError as error:
            named = f"the AWS profile {profile!r}" if profile else "the AWS configuration of this environment"
            raise SpecError(f"Could not use {named}: {error}", field="profile", value=profile) from error
        self._region = region or self._session.region_name
        self._endpoint_url = endpoint_url
        self._profile, self._borrowed = profile, boto_session is not None
        self.clock: Clock = clock or SystemClock()
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"Clients(region={self._region!r}, endpoint_url={_without_password(self._endpoint_url)!r})"

    @property
    def region(self) -> str:
        """The region that requests go to.

        Raises:
            SpecError: If none is configured.
        """
        if not self._region:
            raise SpecError(
                "No AWS region: give region=…, --region, or set AWS_DEFAULT_REGION (boto3 does not read AWS_REGION).",
                field="region",
            )
        return self._region

    @property
    def endpoint_url(self) -> str | None:
        """Where every request goes instead of AWS, or None."""
        return self._endpoint_url

    @property
    def boto_session(self) -> boto3.Session:
        """The boto3 session that everything here is made from."""
        return self._session

    @property
    def portable(self) -> dict[str, str | None] | None:
        """What makes the same gate in another process; None where a borrowed boto3 session cannot be made again."""
        if self._borrowed:
            return None
        return {"profile": self._profile, "region": self._region, "endpoint_url": self._endpoint_url}

    @property
    def partition(self) -> str:
        """The region's partition, such as `aws`."""
        return partition_of(self.region)

    @cached_property
    def account_id(self) -> str:
        """The account that the credentials belong to; asked of STS once."""
        return str(self.call("sts", "get_caller_identity")["Account"])

    def client(self, service: str) -> Any:
        """The boto3 client of a service, made once. Thread-safe."""
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._make(service)
            return self._clients[service]

    def _make(self, service: str) -> Any:
        # The stubs know clients by literal names only.
        make: Any = self._session.client
        region = self.region
        config = Config(
            # Retries are ours, with the caller's clock; botocore's own would sleep for real.
            retries={"total_max_attempts": 1, "mode": "standard"},
            read_timeout=_READ_TIMEOUT_S.get(service, 60),
            user_agent_extra=f"bedrock-distill/{version('bedrock-distill')}",
            max_pool_connections=64,
        )
        try:
            return make(service, region_name=region, endpoint_url=self._endpoint_url, config=config)
        except InvalidRegionError as error:
            raise SpecError(
                f"Could not use the region {region!r}: {str(error).rstrip('.')}. Write it as in us-east-1.",
                field="region",
                value=region,
            ) from error
        except ValueError as error:
            # botocore has no error of its own for this, and checks only here.
            raise SpecError(
                f"Could not use the endpoint {_without_password(self._endpoint_url)!r}: {error}. "
                "Write it with its scheme, such as http://localhost:4566.",
                field="endpoint_url",
            ) from error
        except BotoCoreError as error:
            raise translate(error, service=service, operation="request") from error

    def check(self, service: str, operation: str, params: Mapping[str, Any]) -> None:
        """Check a request as `call` would, without sending it.

        Raises:
            SpecError: If the service's model refuses it.
        """
        check_request(self._operation(service, operation), params)

    def call(
        self, service: str, operation: str, *, retry: RetryPolicy = _RETRY, subject: str = "", **params: Any
    ) -> dict[str, Any]:
        """Send one request.

        Args:
            service: Service as boto3 names it.
            operation: The client's method, such as `create_model_customization_job`.
            retry: When to try again. Every request this package sends may be repeated safely.
            subject: What it is about, for messages.
            **params: The request, as boto3 takes it.

        Returns:
            boto3's answer.

        Raises:
            SpecError: If the service's model refuses the request; nothing was sent.
            ServiceError: If AWS refused it, failed, or could not be reached; a subclass where there is one.
        """
        model = self._operation(service, operation)
        check_request(model, params)
        method: Callable[..., dict[str, Any]] = getattr(self.client(service), operation)

        def attempt() -> dict[str, Any]:
            try:
                return method(**params)
            except (BotoCoreError, ClientError, HTTPClientError) as error:
                raise translate(error, service=service, operation=model.name, subject=subject) from error

        return retrying(attempt, policy=retry, clock=self.clock)

    def find(
        self, service: str, operation: str, *, subject: str = "", **params: Any
    ) -> dict[str, Any] | None:
        """Like `call`, for asking after one thing by its name: None where there is none of that name."""
        try:
            return self.call(service, operation, subject=subject, **params)
        except NotFoundError:
            return None
        except ServiceError as error:
            # For a name that it does not know, Bedrock may also answer with a ValidationException, and SageMaker always does.
            if error.code != "ValidationException":
                raise
            return None

    def read(
        self,
        service: str,
        operation: str,
        member: str,
        *,
        retry: RetryPolicy = _RETRY,
        subject: str = "",
        **params: Any,
    ) -> dict[str, Any]:
        """Send one request whose answer has a body of bytes, and read it.

        Only the opening is retried, as with `stream`.

        Args:
            service: Service as boto3 names it.
            operation: The client's method, such as `invoke_endpoint`.
            member: The answer's member that holds the body, such as `Body`.
            retry: When to try the opening again.
            subject: What it is about, for messages.
            **params: The request, as boto3 takes it.

        Returns:
            boto3's answer, with the body's bytes in place of the body.
        """
        response = self.call(service, operation, retry=retry, subject=subject, **params)
        name = self._operation(service, operation).name
        return read_body(response, member, service=service, operation=name, subject=subject)

    def stream(
        self,
        service: str,
        operation: str,
        member: str,
        *,
        retry: RetryPolicy = _RETRY,
        subject: str = "",
        **params: Any,
    ) -> EventStream:
        """Send one request whose answer is a stream of events.

        Only the opening is retried: once a byte has come, an error is the caller's to see.

        Args:
            service: Service as boto3 names it.
            operation: The client's method, such as `converse_stream`.
            member: The answer's member that holds the stream, such as `stream`.
            retry: When to try the opening again.
            subject: What it is about, for messages.
            **params: The request, as boto3 takes it.
        """
        response = self.call(service, operation, retry=retry, subject=subject, **params)
        name = self._operation(service, operation).name
        return EventStream(response, member, service=service, operation=name, subject=subject)

    def pages(self, service: str, operation: str, key: str, **params: Any) -> Iterator[dict[str, Any]]:
        """Every item of a listing, page by page.

        Args:
            service: Service as boto3 names it.
            operation: A listing that takes and returns `nextToken` (or S3's continuation token).
            key: The answer's member that holds the items.
            **params: The request.
        """
        token_in, token_out = _TOKENS.get(operation, ("nextToken", "nextToken"))
        page = self.call(service, operation, **params)
        yield from page.get(key, ())
        while token := page.get(token_out):
            page = self.call(service, operation, **{**params, token_in: token})
            yield from page.get(key, ())

    def _operation(self, service: str, operation: str) -> OperationModel:
        client = self.client(service)
        model: OperationModel = client.meta.service_model.operation_model(
            client.meta.method_to_api_mapping[operation]
        )
        return model


def _without_password(url: str | None) -> str | None:
    """A URL as it may be shown: whoever puts a user and password into one does not want them in a log."""
    if url is None:
        return None
    scheme, separator, rest = url.rpartition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{separator}{host.rpartition('@')[2]}{slash}{path}"


_TOKENS = {
    "list_objects_v2": ("ContinuationToken", "NextContinuationToken"),
    "list_roles": ("Marker", "Marker"),
    **dict.fromkeys(
        (
            "describe_scalable_targets",
            "describe_scaling_policies",
            "list_endpoint_configs",
            "list_endpoints",
            "list_inference_components",
            "list_models",
            "list_tags",
        ),
        ("NextToken", "NextToken"),
    ),
}
"""Listings whose tokens are not called `nextToken`: request's name, answer's name."""
