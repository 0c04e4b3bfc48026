"""InvokeEndpointAsync: a request from S3 or inline, its answer or its failure to S3."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from bedrock_distill.errors import SpecError
from bedrock_distill.local.clock import Phase
from bedrock_distill.local.gateway.errors import AwsError
from bedrock_distill.local.services.sagemaker_runtime.routing import Place, invalid, route
from bedrock_distill.uris import S3Uri

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bedrock_distill.local.call import Call
    from bedrock_distill.local.world import World

__all__ = ["Asynchronous"]

_DEFAULT_AT_ONCE = 4
"""Requests that an instance gets at the same time where the configuration does not say."""


class Asynchronous:
    """Requests that are answered to S3.

    Args:
        world: The cloud.
        answer: Gives the whole answer to a request and its content type; raises an AwsError where the container refuses.
        no_capacity: Told where a request finds no instance: it waits, and something may wake one.
    """

    def __init__(
        self,
        world: World,
        answer: Callable[[Call, Place, Mapping[str, Any]], tuple[bytes, str]],
        no_capacity: Callable[[str, Sequence[str]], None],
    ) -> None:
        self._world = world
        self._no_capacity = no_capacity
        self._answer = answer
        self._ids = world.ids.spawn("sagemaker-runtime/inferences")
        self._slots: dict[str, threading.Semaphore] = {}

    def invoke(self, call: Call) -> dict[str, Any]:
        """Take a request in."""
        params = call.params
        place = route(self._world, call)
        config = place.async_config
        if config is None:
            raise invalid(
                f"Endpoint {place.endpoint.name} does not have AsyncInferenceConfig: use InvokeEndpoint."
            )
        if bool(params.get("InputLocation")) == bool(params.get("Body")):
            raise invalid("Exactly one of InputLocation and Body must be given.")
        inference_id = params.get("InferenceId") or self._ids.uuid()
        places = _places(config["OutputConfig"], params, self._ids.uuid())
        if place.variant.instances == 0:
            self._no_capacity(call.region, place.counters)
        work = self._work(call, place, places)
        if self._world.clock.mode == "polls":
            work()  # nobody describes an inference, so nothing would ever move it
        else:
            self._world.clock.phases([Phase("Processing", work)]).start()
        answer = {"InferenceId": inference_id, "OutputLocation": str(places["output"])}
        return answer | ({"FailureLocation": str(places["failure"])} if "failure" in places else {})

    def _work(self, call: Call, place: Place, places: Mapping[str, S3Uri]) -> Callable[[], None]:
        slot = self._slot(place)

        def run() -> None:
            try:
                with slot:
                    body, content_type = self._answer(call, place, {**call.params, "Body": self._input(call)})
            except AwsError as error:
                if "failure" in places:
                    self._put(call, places["failure"], error.message.encode(), "text/plain")
                return
            self._put(call, places["output"], body, content_type)

        return run

    def _slot(self, place: Place) -> threading.Semaphore:
        client = (place.async_config or {}).get("ClientConfig") or {}
        at_once = client.get("MaxConcurrentInvocationsPerInstance", _DEFAULT_AT_ONCE) * max(
            place.variant.instances, 1
        )
        with self._world.lock:
            return self._slots.setdefault(place.endpoint.arn, threading.Semaphore(at_once))

    def _input(self, call: Call) -> bytes:
        if body := call.params.get("Body"):
            return bytes(body)
        location = call.params["InputLocation"]
        try:
            uri = S3Uri.parse(location)
            found = self._world.client("s3", call.region).get_object(Bucket=uri.bucket, Key=uri.key)
            data: bytes = found["Body"].read()
        except (SpecError, ClientError) as error:
            raise invalid(f"Unable to download the input {location}: {error}") from error
        return data

    def _put(self, call: Call, uri: S3Uri, body: bytes, content_type: str) -> None:
        self._world.client("s3", call.region).put_object(
            Bucket=uri.bucket, Key=uri.key, Body=body, ContentType=content_type
        )


def _places(output: Mapping[str, Any], params: Mapping[str, Any], name: str) -> dict[str, S3Uri]:
    """Where the answer and the failure go."""
    extension, filename = params.get("S3OutputPathExtension"), params.get("Filename")
    places = {}
    for what, path, ending in (
        ("output", output.get("S3OutputPath"), ".out"),
        ("failure", output.get("S3FailurePath"), "-error.out"),
    ):
        if path:
            folder = S3Uri.parse(path) / extension if extension else S3Uri.parse(path)
            places[what] = folder / (filename or f"{name}{ending}")
    if "output" not in places:
        raise invalid("The endpoint's AsyncInferenceConfig has no S3OutputPath.")
    return places
