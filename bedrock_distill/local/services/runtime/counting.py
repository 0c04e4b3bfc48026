"""CountTokens: AWS counts for some Claude models only, called by their plain id."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from bedrock_distill.catalog import read_model_id
from bedrock_distill.local.gateway.errors import AwsError
from bedrock_distill.local.services.runtime.answering import estimate_prompt
from bedrock_distill.local.services.runtime.bodies import FORMATS
from bedrock_distill.local.services.runtime.converse import read_converse

if TYPE_CHECKING:
    from bedrock_distill.local.call import Call
    from bedrock_distill.local.world import World

__all__ = ["count_tokens"]

_COUNTED = re.compile(r"anthropic\.claude-(?:3-5-|3-7-|haiku-4|sonnet-4|opus-4-\d{8}|opus-4-[156])")
"""Claude models whose tokens AWS counts on this endpoint: user guide, count-tokens and model cards; later models that
launch with cross-region profiles only are counted elsewhere."""


def count_tokens(world: World, call: Call) -> dict[str, Any]:
    """The input tokens of a request, by this package's stated estimate.

    Raises:
        AwsError: ValidationException for a model whose tokens AWS does not count, or a profile of one.
    """
    ref = read_model_id(call.params["modelId"])
    model = world.catalog.find(ref)
    if model is None:
        raise AwsError("ValidationException", "The provided model identifier is invalid.")
    if ref.kind != "foundation" or ref.suffix or not _COUNTED.match(model.id):
        raise AwsError("ValidationException", "The provided model doesn't support counting tokens.")
    if model.lifecycle(world.clock.now().date()) == "EOL":
        raise AwsError(
            "ResourceNotFoundException",
            "This model version has reached the end of its life. Please refer to the AWS documentation for more "
            "details.",
        )
    asked = call.params["input"]
    if "invokeModel" in asked:
        ask = FORMATS[model.body].read(asked["invokeModel"]["body"])
    else:
        ask = read_converse(asked["converse"])
    return {"inputTokens": estimate_prompt(ask.prompt)}
