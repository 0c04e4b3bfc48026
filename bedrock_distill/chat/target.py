"""A model that can be asked, whatever kind of id or ARN names it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Protocol

from bedrock_distill.chat.assembly import Assembly
from bedrock_distill.chat.dialects import Converse
from bedrock_distill.chat.faults import placed
from bedrock_distill.chat.question import Prompt, Question
from bedrock_distill.chat.reply import ChatReply
from bedrock_distill.chat.stream import ChatStream
from bedrock_distill.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bedrock_distill.aws.retry import Retry
    from bedrock_distill.chat.dialects import Call, Dialect
    from bedrock_distill.chat.stream import Events

__all__ = ["Runtime", "Target"]


class Runtime(Protocol):
    """The gate to AWS, as far as chatting needs it; `aws.Clients` is one."""

    def call(self, service: str, operation: str, *, subject: str = "", **params: Any) -> dict[str, Any]:
        """Send one request, with retries, and return boto3's answer."""
        ...

    def read(
        self, service: str, operation: str, member: str, *, subject: str = "", **params: Any
    ) -> dict[str, Any]:
        """Send one request whose answer has a body, and return the answer with the body's bytes."""
        ...

    def stream(
        self, service: str, operation: str, member: str, *, subject: str = "", **params: Any
    ) -> Events:
        """Send one request whose answer is a stream; only its opening is retried."""
        ...


class Target:
    """Anything that answers a prompt: a model of Bedrock's by its id or ARN, or a SageMaker endpoint by its name.

    Args:
        clients: The gate to AWS.
        model_id: Model id or ARN, as `modelId` takes it, or an endpoint's name.
        name: What reports and messages call it. Default: the model id.
        dialect: How it is asked; see `endpoint_dialect` and `imported_dialect`. Default: Converse.
        on_retry: Told each time before a request is tried again, such as while the model is being loaded.
        wake_timeout_s: Seconds to go on trying while an endpoint is woken from zero instances. Default: 900.
        timer: A monotonic clock in seconds, for latencies. These are measured, not waited for, so that the default is the
            machine's own even where waiting is simulated.
    """

    def __init__(
        self,
        clients: Runtime,
        model_id: str,
        *,
        name: str | None = None,
        dialect: Dialect | None = None,
        on_retry: Callable[[Retry], None] | None = None,
        wake_timeout_s: float | None = None,
        timer: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._clients = clients
        self._timer = timer
        self._on_retry = on_retry
        self._wake_timeout_s = wake_timeout_s
        self.dialect: Dialect = dialect or Converse()
        self.model_id = model_id
        self.name = name or model_id

    def __repr__(self) -> str:
        return (
            f"Target({self.model_id!r})"
            if self.name == self.model_id
            else f"Target({self.model_id!r}, name={self.name!r})"
        )

    def impatient(self) -> Target:
        """The same target, which raises what went wrong at once instead of trying again; for callers that have another."""

        def give_up(retry: Retry) -> None:
            raise retry.error

        return Target(
            self._clients,
            self.model_id,
            name=self.name,
            dialect=self.dialect,
            on_retry=give_up,
            timer=self._timer,
        )

    def chat(
        self,
        prompt: Prompt,
        *,
        system: str | None = None,
        max_tokens: int | None = 512,
        temperature: float | None = None,
        top_p: float | None = None,
        stop: str | Sequence[str] = (),
        metadata: Mapping[str, str] | None = None,
    ) -> ChatReply:
        """Ask, and wait for the whole answer.

        Args:
            prompt: A user's text, a record (its completion is left out), or the messages of a conversation.
            system: System prompt. Default: the record's, if the prompt is a record. An empty text sends none.
            max_tokens: Most tokens of the answer. None leaves it to the model.
            temperature: Randomness from 0 to 1. None leaves it to the model.
            top_p: Probability mass to choose from. None leaves it to the model.
            stop: Texts that end the answer.
            metadata: Keys and values that the invocation log keeps with the call, to filter by later. At most 16.

        Raises:
            SpecError: If the request could never be accepted; nothing was sent.
            ServiceError: If AWS refused it or failed, after the retries that made sense; a subclass where there is one.
        """
        asked = self._question(
            prompt,
            system=system,
            max_tokens=max_tokens,
            temperature=temperature,
            top_p=top_p,
            stop=stop,
            metadata=metadata,
        )
        call = self.dialect.ask(self.model_id, asked)
        started_s = self._timer()
        response = self._send(call)
        latency_s = self._timer() - started_s
        request_id = response.get("ResponseMetadata", {}).get("RequestId", "")
        answer = Assembly()
        try:
            answer.add(self.dialect.read(response, asked))
        except ServiceError as error:
            raise placed(
                error,
                service=call.service,
                operation=call.api_name,
                target=self.name,
                request_id=request_id,
            ) from error
        return ChatReply(
            text=answer.text,
            stop_reason=answer.stop_reason,
            usage=answer.usage,
            latency_s=latency_s,
            service_latency_s=answer.service_latency_s,
            model_id=self.model_id,
            request_id=request_id,
            logprobs=answer.logprobs,
        )

    def stream(
        self,
        prompt: Prompt,
        *,
        system: str | None = None,
        max_tokens: int | None = 512,
        temperature: float | None = None,
        top_p: float | None = None,
        stop: str | Sequence[str] = (),
        metadata: Mapping[str, str] | None = None,
    ) -> ChatStream:
        """Ask, and read the answer while it is being written. Arguments and errors are those of `chat`.

        The request is sent at once, and retried only until the first byte comes.

        Returns:
            The pieces of text, to iterate; its `reply` holds the whole answer after the end.
        """
        asked = self._question(
            prompt,
            system=system,
            max_tokens=max_tokens,
            temperature=temperature,
            top_p=top_p,
            stop=stop,
            metadata=metadata,
        )
        call = self.dialect.ask_stream(self.model_id, asked)
        started_s = self._timer()
        events = self._clients.stream(
            call.service, call.operation, call.member, subject=self.name, **self._retry(), **call.params
        )
        return ChatStream(
            events,
            self.dialect.read_stream(events, asked),
            call=call,
            model_id=self.model_id,
            name=self.name,
            timer=self._timer,
            started_s=started_s,
        )

    def _question(self, prompt: Prompt, **options: Any) -> Question:
        return Question.of(prompt, target=self.model_id, **options)

    def _send(self, call: Call) -> dict[str, Any]:
        if not call.member:
            return self._clients.call(
                call.service, call.operation, subject=self.name, **self._retry(), **call.params
            )
        return self._clients.read(
            call.service, call.operation, call.member, subject=self.name, **self._retry(), **call.params
        )

    def _retry(self) -> dict[str, Any]:
        """The gate's own patience, unless someone wants another, or to be told of it."""
        wanted = {"on_retry": self._on_retry, "wake_timeout_s": self._wake_timeout_s}
        given: dict[str, Any] = {name: value for name, value in wanted.items() if value is not None}
        if not given:
            return {}
        from bedrock_distill.aws.retry import RetryPolicy  # noqa: PLC0415 - loads tenacity, as the gate does

        return {"retry": RetryPolicy(**given)}
