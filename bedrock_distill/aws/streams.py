"""Answers that arrive in parts, with their errors translated and their connections always closed."""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Self

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from urllib3.exceptions import HTTPError

from bedrock_distill.aws.faults import translate
from bedrock_distill.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["EventStream", "read_body"]


class EventStream:
    """An answer that arrives as events; iterate it, and close it (or use it as a context manager).

    Args:
        response: boto3's answer.
        member: The member that holds the stream.
        service: Service as boto3 names it.
        operation: Operation as the API names it.
        subject: What the request was about, for messages.
    """

    def __init__(
        self, response: dict[str, Any], member: str, *, service: str, operation: str, subject: str = ""
    ) -> None:
        self._events = response[member]
        self._where = {"service": service, "operation": operation, "subject": subject}
        self.response = {key: value for key, value in response.items() if key != member}
        """The rest of the answer, such as `ResponseMetadata`."""

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Each event as boto3 gives it.

        Raises:
            ServiceError: If the service reports an error in the stream, or the connection is cut.
        """
        with _translated(**self._where):
            yield from self._events

    def close(self) -> None:
        """Give the connection back. Safe to call twice."""
        self._events.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_body(
    response: dict[str, Any], member: str, *, service: str, operation: str, subject: str = ""
) -> dict[str, Any]:
    """boto3's answer with its body read, and the connection given back.

    Args:
        response: boto3's answer.
        member: The member that holds the body.
        service: Service as boto3 names it.
        operation: Operation as the API names it.
        subject: What the request was about, for messages.

    Raises:
        ServiceError: If the connection is cut before the body's end. It is not asked for again: the answer was made.
    """
    with _translated(service, operation, subject), closing(response[member]) as body:
        return {**response, member: body.read()}


@contextmanager
def _translated(service: str, operation: str, subject: str) -> Iterator[None]:
    """Errors of an answer that has begun, as this package's."""
    try:
        yield
    except (BotoCoreError, ClientError, HTTPClientError) as error:
        raise translate(error, service=service, operation=operation, subject=subject) from error
    except HTTPError as error:
        raise ServiceError(
            f"{service} {operation} on {subject}: the connection was cut in mid-stream: {error}",
            service=service,
            operation=operation,
            code=type(error).__name__,
            retryable=True,
        ) from error
