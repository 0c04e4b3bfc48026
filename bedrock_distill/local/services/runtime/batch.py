"""The records of a batch inference job, answered as Converse and InvokeModel would answer them.

No invocation is logged: nothing says that Bedrock logs those of batch inference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from bedrock_distill.local.call import Call
from bedrock_distill.local.gateway.models import load_api
from bedrock_distill.local.gateway.validation import validate
from bedrock_distill.local.services.runtime import converse, invoke
from bedrock_distill.local.services.runtime.answering import responder_for
from bedrock_distill.local.services.runtime.desk import Exchange
from bedrock_distill.local.services.runtime.resolution import resolve_batch
from bedrock_distill.local.students import Generators

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bedrock_distill.local.services.runtime.asks import Ask
    from bedrock_distill.local.world import World

__all__ = ["BatchDesk", "Output"]


class Output(NamedTuple):
    """One record's answer."""

    body: dict[str, Any]
    """The `modelOutput`."""
    input_tokens: int
    output_tokens: int


class BatchDesk:
    """Answers one job's records. Thread-safe; close it to unload the model.

    Args:
        world: The cloud.
        model_id: The job's `modelId`.
        region: Where it runs.
        account_id: Whose it is.
        converse: Whether records are Converse's requests; else they are bodies of the model's family.

    Raises:
        AwsError: If nothing answers for the model.
    """

    def __init__(self, world: World, *, model_id: str, region: str, account_id: str, converse: bool) -> None:
        self._world, self._converse = world, converse
        self._region, self._account_id = region, account_id
        self._target = resolve_batch(world, model_id, region)
        self._generators = Generators()
        self._responder = responder_for(self._target, self._generators, world.seed)
        api = load_api("bedrock-runtime")
        assert api is not None  # noqa: S101 - the runtime itself is made of it
        self._shape = api.model.operation_model("Converse").input_shape

    def answer(self, asked: Mapping[str, Any], request_id: str) -> Output:
        """Answer one record.

        Args:
            asked: Its `modelInput`.
            request_id: What stands for a request's id in the answer.

        Raises:
            AwsError: As the runtime refuses and fails.
        """
        ask, params = self._read(asked)
        call = Call(
            service="bedrock-runtime",
            operation="Converse" if self._converse else "InvokeModel",
            params=params,
            region=self._region,
            account_id=self._account_id,
            request_id=request_id,
            caller_arn="",
        )
        filled = ask.filled(self._target.body)
        exchange = Exchange(call, self._target, filled, self._responder, self._world.clock.now(), {})
        answer = exchange.answer()
        respond = converse.response_of if self._converse else invoke.response_of
        return Output(respond(exchange, answer), answer.input_tokens, answer.output_tokens)

    def _read(self, asked: Mapping[str, Any]) -> tuple[Ask, Mapping[str, Any]]:
        if self._converse:
            # The plain id: Converse itself takes no custom model.
            params = {**asked, "modelId": self._target.model_id}
            validate(self._shape, params)
            return converse.ask_of(self._target, params), params
        body = orjson.dumps(asked)
        return invoke.ask_of(self._target, body), {"modelId": self._target.model_id, "body": body}

    def close(self) -> None:
        """Unload the model."""
        self._generators.close()
