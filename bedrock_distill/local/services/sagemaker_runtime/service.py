"""The sagemaker-runtime service: one method an operation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import xxhash

from bedrock_distill.errors import BedrockDistillError
from bedrock_distill.local.gateway.errors import AwsError
from bedrock_distill.local.services.sagemaker.container_logs import group_arn, group_of
from bedrock_distill.local.services.sagemaker_runtime.asynchronous import Asynchronous
from bedrock_distill.local.services.sagemaker_runtime.cutting import cut
from bedrock_distill.local.services.sagemaker_runtime.routing import NO_CAPACITY, Place, invalid, route
from bedrock_distill.local.services.sagemaker_runtime.schemas import SCHEMAS
from bedrock_distill.local.services.sagemaker_runtime.schemas.asks import (
    JSON,
    Ask,
    ContainerError,
    Request,
    no_answer,
)
from bedrock_distill.train.answers import Generated

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bedrock_distill.local.call import Call
    from bedrock_distill.local.services.sagemaker.hosting import Hosting
    from bedrock_distill.local.services.sagemaker_runtime.schemas.asks import Schema
    from bedrock_distill.local.world import World

__all__ = ["SageMakerRuntime"]

_ROUTE = "route="


class SageMakerRuntime:
    """Answers from what endpoints serve.

    Args:
        world: The cloud.
        hosting: What this service shares with SageMaker.
    """

    def __init__(self, world: World, hosting: Hosting) -> None:
        self._world = world
        self._hosting = hosting
        self._asynchronous = Asynchronous(world, self._body, hosting.found_no_capacity)

    def invoke_endpoint(self, call: Call) -> dict[str, Any]:
        """A container's whole answer; one that it streams comes in one piece."""
        place = self._place(call)
        with self._hosting.counted(*place.counters):
            self._hosting.asked(call.region, place.counters)
            schema, ask = self._ask(call, place, call.params)
            body = self._whole(schema, ask, call, place)
        content_type = schema.stream_type if ask.stream else JSON
        return {"Body": body, "ContentType": content_type, **_about(call, place)}

    def invoke_endpoint_with_response_stream(self, call: Call) -> dict[str, Any]:
        """A container's answer, in parts as it writes them; one that it does not stream is one part."""
        place = self._place(call)
        with self._hosting.counted(*place.counters):
            self._hosting.asked(call.region, place.counters)
            schema, ask = self._ask(call, place, call.params)
            if not ask.stream:
                frames: Iterator[bytes] = iter([self._whole(schema, ask, call, place)])
            else:
                # Asked for here and not while it is read: what is refused is refused before the stream begins.
                frames = self._frames(schema, ask, self._events(schema, ask, call, place))
        seed = xxhash.xxh32_intdigest(call.params["Body"], seed=self._world.seed & 0xFFFFFFFF)
        content_type = schema.stream_type if ask.stream else JSON
        return {
            "Body": self._parts(cut(frames, seed), place),
            "ContentType": content_type,
            **_about(call, place),
        }

    def invoke_endpoint_async(self, call: Call) -> dict[str, Any]:
        """Take a request in; its answer is written to S3."""
        return self._asynchronous.invoke(call)

    def close(self) -> None:
        """Unload the models."""
        self._hosting.close()

    def _place(self, call: Call) -> Place:
        place = route(self._world, call)
        if place.async_config is not None:
            raise invalid(f"Endpoint {place.endpoint.name} is asynchronous: use InvokeEndpointAsync.")
        if place.served is None:
            self._hosting.found_no_capacity(call.region, place.counters)
            raise invalid(NO_CAPACITY)
        return place

    def _body(self, call: Call, place: Place, params: Mapping[str, Any]) -> tuple[bytes, str]:
        """The whole answer to a request taken in earlier, and its content type."""
        with self._hosting.counted(*place.counters):
            schema, ask = self._ask(call, place, params)
            return self._whole(schema, ask, call, place), schema.stream_type if ask.stream else JSON

    def _ask(self, call: Call, place: Place, params: Mapping[str, Any]) -> tuple[Schema, Ask]:
        """The request, as the container understands it.

        Raises:
            AwsError: ModelError, if the container refuses it.
        """
        served = place.served
        if served is None:
            raise invalid(NO_CAPACITY)
        schema = SCHEMAS[served.launch.family]
        try:
            ask = schema.read(
                Request(
                    body=bytes(params["Body"]),
                    launch=served.launch,
                    engine=self._hosting.engines.get(served.directory),
                    request_id=call.request_id,
                    created=int(self._world.clock.now().timestamp()),
                    route=_route_of(params.get("CustomAttributes", "")),
                    content_type=params.get("ContentType") or JSON,
                )
            )
        except ContainerError as error:
            raise _model_error(call, place, error) from error
        return schema, ask

    def _events(self, schema: Schema, ask: Ask, call: Call, place: Place) -> Iterator[str | Generated]:
        try:
            return ask.request.engine.answer(ask.ids, ask.sampling)
        except BedrockDistillError as error:
            raise _model_error(call, place, schema.failure(str(error))) from error

    def _whole(self, schema: Schema, ask: Ask, call: Call, place: Place) -> bytes:
        events = self._events(schema, ask, call, place)
        if ask.stream:
            return b"".join(self._frames(schema, ask, events))
        try:
            answer = next((event for event in events if isinstance(event, Generated)), None)
        except BedrockDistillError as error:
            raise _model_error(call, place, schema.failure(str(error))) from error
        return schema.whole(ask, answer if answer is not None else no_answer())

    def _frames(self, schema: Schema, ask: Ask, events: Iterator[str | Generated]) -> Iterator[bytes]:
        """What the container writes; where the engine fails in the middle, its last frame says so."""
        try:
            yield from schema.frames(ask, events)
        except BedrockDistillError as error:
            yield schema.broken(str(error))
        finally:
            close = getattr(events, "close", None)
            if close is not None:
                close()

    def _parts(self, pieces: Iterator[bytes], place: Place) -> Iterator[dict[str, Any]]:
        # Counted while it is read: a stream under way is a request under way.
        with self._hosting.counted(*place.counters):
            try:
                for piece in pieces:
                    yield {"PayloadPart": {"Bytes": piece}}
            finally:
                close = getattr(pieces, "close", None)
                if close is not None:
                    close()


def _about(call: Call, place: Place) -> dict[str, Any]:
    about = {"InvokedProductionVariant": place.variant.name}
    attributes = call.params.get("CustomAttributes")
    return about | ({"CustomAttributes": attributes} if attributes else {})


def _route_of(attributes: str) -> str:
    parts = (part.strip() for part in attributes.split(","))
    return next((part.removeprefix(_ROUTE) for part in parts if part.startswith(_ROUTE)), "")


def _model_error(call: Call, place: Place, error: ContainerError) -> AwsError:
    """A container's refusal, wrapped as SageMaker wraps it."""
    region, name = call.region, place.endpoint.name
    whose = "client" if error.status < 500 else "server"
    return AwsError(
        "ModelError",
        f'Received {whose} error ({error.status}) from primary with message "{error.body}". See '
        f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}#logEventViewer:group={group_of(name)} "
        f"in account {call.account_id} for more information.",
        OriginalStatusCode=error.status,
        OriginalMessage=error.body,
        LogStreamArn=group_arn(name, region, call.account_id),
    )
