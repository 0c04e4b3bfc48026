"""Asking an asynchronous endpoint: the question is put into S3, and so is the answer, whenever it comes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bedrock_distill.aws import ObjectStore, poll
from bedrock_distill.chat.assembly import Assembly
from bedrock_distill.chat.question import Prompt, Question
from bedrock_distill.chat.reply import ChatReply
from bedrock_distill.errors import AccessDeniedError, NotFoundError, ServiceError, WaitTimeoutError
from bedrock_distill.uris import S3Uri

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bedrock_distill.aws import Clients
    from bedrock_distill.chat.dialects import InvokeEndpoint

__all__ = ["AsyncTarget", "PendingReply"]

_SERVICE = "sagemaker-runtime"


class AsyncTarget:
    """An asynchronous SageMaker endpoint.

    Args:
        clients: The gate to AWS.
        endpoint: The endpoint's name.
        dialect: How its container is asked.
        folder: S3 folder for requests, which the endpoint's role may read.
    """

    def __init__(self, clients: Clients, endpoint: str, *, dialect: InvokeEndpoint, folder: S3Uri) -> None:
        self._clients = clients
        self._dialect = dialect
        self._folder = folder
        self.model_id = endpoint

    def __repr__(self) -> str:
        return f"AsyncTarget({self.model_id!r})"

    def submit(
        self,
        prompt: Prompt,
        *,
        system: str | None = None,
        max_tokens: int | None = 512,
        temperature: float | None = None,
        top_p: float | None = None,
        stop: str | Sequence[str] = (),
        expires_s: int = 21_600,
    ) -> PendingReply:
        """Ask, and return at once.

        Args:
            prompt: As `Target.chat` takes it, and so are the next five.
            system: System prompt.
            max_tokens: Most tokens of the answer.
            temperature: Randomness from 0 to 1.
            top_p: Probability mass to choose from.
            stop: Texts that end the answer.
            expires_s: Seconds after which the request is given up if no instance has taken it, 60 to 21,600.

        Raises:
            SpecError: If the request could never be accepted; nothing was sent.
            ServiceError: If S3 or the endpoint refused it.
        """
        asked = Question.of(
            prompt,
            target=self.model_id,
            system=system,
            max_tokens=max_tokens,
            temperature=temperature,
            top_p=top_p,
            stop=stop,
        )
        params = self._dialect.ask(self.model_id, asked).params
        body: bytes = params.pop("Body")
        digest = hashlib.sha256(body).hexdigest()
        uri = self._folder / f"{digest[:32]}.json"
        ObjectStore(self._clients).put_bytes(body, uri, sha256=digest)
        started_s = self._clients.clock.monotonic()
        answer = self._clients.call(
            _SERVICE,
            "invoke_endpoint_async",
            subject=self.model_id,
            **params,
            InputLocation=str(uri),
            RequestTTLSeconds=expires_s,
        )
        return PendingReply(
            clients=self._clients,
            dialect=self._dialect,
            asked=asked,
            model_id=self.model_id,
            output=S3Uri.parse(answer["OutputLocation"]),
            failure=S3Uri.parse(answer["FailureLocation"]) if answer.get("FailureLocation") else None,
            request_id=answer.get("InferenceId") or "",
            started_s=started_s,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingReply:
    """An answer that will come."""

    clients: Clients
    dialect: InvokeEndpoint
    asked: Question
    model_id: str
    output: S3Uri
    """Where the answer will lie."""
    failure: S3Uri | None
    """Where the reason will lie, if there is no answer."""
    request_id: str
    started_s: float
    """What the clients' clock said when it was asked."""

    def peek(self) -> ChatReply | None:
        """The answer, or None where it has not come yet.

        Raises:
            ServiceError: If the endpoint has failed to answer; the message holds its reason.
        """
        body = self._read(self.output)
        if body is not None:
            return self._reply(body)
        reason = self._read(self.failure) if self.failure is not None else None
        if reason is not None:
            raise ServiceError(
                f"{_SERVICE} InvokeEndpointAsync on {self.model_id}: {reason.decode('utf-8', 'replace').strip()} "
                f"(from {self.failure}).",
                service=_SERVICE,
                operation="InvokeEndpointAsync",
                code="ModelError",
                request_id=self.request_id or None,
            )
        return None

    def result(self, *, timeout_s: float | None = 3600) -> ChatReply:
        """Wait for the answer.

        Args:
            timeout_s: Seconds to wait at most. An endpoint that is scaled to zero takes minutes to come back.

        Raises:
            ServiceError: If the endpoint has failed to answer.
            WaitTimeoutError: If there is no answer when the time is up; it may still come.
        """
        for reply in poll(self.peek, clock=self.clients.clock, timeout_s=timeout_s):
            if reply is not None:
                return reply
        raise WaitTimeoutError(
            f"There is no answer of {self.model_id} at {self.output} after {timeout_s:g} s. It may still come: ask again with "
            "result().",
            status="Waiting",
        )

    def _read(self, uri: S3Uri) -> bytes | None:
        try:
            return ObjectStore(self.clients).read(uri)
        except (NotFoundError, AccessDeniedError):
            # S3 hides what is not there from those who may not list the bucket.
            return None

    def _reply(self, body: bytes) -> ChatReply:
        answer: dict[str, Any] = {"Body": body}
        assembly = Assembly()
        assembly.add(self.dialect.read(answer, self.asked))
        return ChatReply(
            text=assembly.text,
            stop_reason=assembly.stop_reason,
            usage=assembly.usage,
            latency_s=self.clients.clock.monotonic() - self.started_s,
            model_id=self.model_id,
            request_id=self.request_id,
            logprobs=assembly.logprobs,
        )
