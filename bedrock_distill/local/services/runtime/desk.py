"""What the operations share: one request taken in, answered, and logged whether it ends well or not."""

from __future__ import annotations

import contextlib
import json
import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bedrock_distill.local.gateway.errors import AwsError
from bedrock_distill.local.services.runtime.answering import responder_for
from bedrock_distill.local.services.runtime.cold_starts import ColdStarts
from bedrock_distill.local.services.runtime.invocation_logs import InvocationLogs
from bedrock_distill.local.services.runtime.log_records import Invocation, Side
from bedrock_distill.local.services.runtime.resolution import resolve
from bedrock_distill.local.students import Generators, imported_dir

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from bedrock_distill.local.call import Call
    from bedrock_distill.local.services.runtime.answering import Responder
    from bedrock_distill.local.services.runtime.asks import Answer, Ask, Stream
    from bedrock_distill.local.services.runtime.resolution import Target
    from bedrock_distill.local.world import World

__all__ = ["Desk", "Exchange"]

_METADATA_TEXT = re.compile(r"[a-zA-Z0-9\s:_@$#=/+,\-.]{0,256}")


@dataclass(slots=True)
class Exchange:
    """One request on its way through."""

    call: Call
    target: Target
    ask: Ask
    responder: Responder
    at: datetime
    metadata: Mapping[str, str]
    _started: float = field(default_factory=time.perf_counter)

    @property
    def elapsed_ms(self) -> int:
        """Real milliseconds since the request came in: how long the answer really took."""
        return int((time.perf_counter() - self._started) * 1000)

    def answer(self) -> Answer:
        """The whole answer."""
        return self.responder.answer(self.ask)

    def stream(self) -> Stream:
        """The answer in pieces."""
        return self.responder.stream(self.ask)


class Desk:
    """Takes requests in for one cloud."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.logs = InvocationLogs(world)
        self.generators = Generators()
        self._cold_starts = ColdStarts(world.clock, self.generators)

    def open(self, call: Call, read: Callable[[Target], Ask]) -> Exchange:
        """Resolve the model, read the request for it, and find who answers.

        Raises:
            AwsError: For each of AWS's reasons to refuse.
        """
        metadata = _metadata(call.params.get("requestMetadata"))
        target = resolve(self.world, call.params["modelId"], call.region)
        ask = read(target).filled(target.body)
        if target.imported is not None:
            self._cold_starts.check(target.imported.arn, imported_dir(self.world, target.imported.arn))
        responder = responder_for(target, self.generators, self.world.seed)
        return Exchange(call, target, ask, responder, self.world.clock.now(), metadata)

    @contextlib.contextmanager
    def failures_logged(self, call: Call) -> Iterator[None]:
        """A block whose refusals are logged."""
        try:
            yield
        except AwsError as error:
            self.log_failure(call, error)
            raise

    def log_failure(self, call: Call, error: AwsError) -> None:
        """Log a call that failed: its code, and no bodies."""
        try:
            metadata = _metadata(call.params.get("requestMetadata"))
        except AwsError:
            metadata = {}  # it may be what the call was refused for
        self.logs.add(
            Invocation(
                call=call,
                at=self.world.clock.now(),
                asked=Side(),
                error_code=error.code,
                metadata=metadata,
            )
        )

    def log(self, exchange: Exchange, *, asked: Any, answered: Any, tokens: tuple[int, int]) -> None:
        """Log an answered call.

        Args:
            exchange: The call.
            asked: The request's body.
            answered: The response's body; of a stream, the chunks or the assembled whole.
            tokens: Of the input and of the output.
        """
        self.logs.add(
            Invocation(
                call=exchange.call,
                at=exchange.at,
                asked=Side(body=asked, tokens=tokens[0]),
                answered=Side(body=answered, tokens=tokens[1]),
                inference_region=exchange.target.inference_region,
                metadata=exchange.metadata,
            )
        )

    def close(self) -> None:
        """Deliver the logs and unload the models."""
        self.logs.close()
        self.generators.close()


def _metadata(given: str | Mapping[str, str] | None) -> Mapping[str, str]:
    """Request metadata: Converse sends a map that the gateway has checked, InvokeModel a header with JSON in it."""
    if given is None:
        return {}
    if not isinstance(given, str):
        return given
    try:
        document = json.loads(given)
    except ValueError:
        document = None
    texts = [*document.keys(), *document.values()] if isinstance(document, dict) else [None]
    if len(texts) > 32 or not all(isinstance(text, str) and _METADATA_TEXT.fullmatch(text) for text in texts):
        raise AwsError(
            "ValidationException",
            "The request metadata must be a JSON object of at most 16 texts, each of at most 256 letters, digits, "
            "spaces and :_@$#=/+,-.",
        )
    return dict(document)
