"""The bedrock-runtime service: one method an operation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bedrock_distill.local.services.runtime import converse, counting, invoke
from bedrock_distill.local.services.runtime.desk import Desk

if TYPE_CHECKING:
    from bedrock_distill.local.call import Call
    from bedrock_distill.local.world import World

__all__ = ["BedrockRuntime"]


class BedrockRuntime:
    """Answers for teachers, untrained students and deployed custom models."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._desk = Desk(world)

    def converse(self, call: Call) -> dict[str, Any]:
        """A conversation's next message."""
        return converse.converse(self._desk, call)

    def converse_stream(self, call: Call) -> dict[str, Any]:
        """A conversation's next message, in pieces."""
        return converse.converse_stream(self._desk, call)

    def invoke_model(self, call: Call) -> dict[str, Any]:
        """A model's answer, in its family's body format."""
        return invoke.invoke_model(self._desk, call)

    def invoke_model_with_response_stream(self, call: Call) -> dict[str, Any]:
        """A model's answer, in its family's chunks."""
        return invoke.invoke_model_with_response_stream(self._desk, call)

    def count_tokens(self, call: Call) -> dict[str, Any]:
        """The input tokens of a request."""
        return counting.count_tokens(self._world, call)

    def flush(self) -> None:
        """Deliver the invocation logs that wait; they are in S3 when this returns."""
        self._desk.logs.flush()

    def close(self) -> None:
        """Deliver the invocation logs and unload the models."""
        self._desk.close()
