"""Ways of asking: for each, what is sent, and how what comes back is read. Pure; `chat.target` does the talking.

Converse is a dialect of its own. The others are a door, Bedrock's InvokeModel or SageMaker's InvokeEndpoint, and a body,
the JSON that the model's server speaks: OpenAI's chat or completions, Bedrock's completion, or `inputs` and `parameters`.
"""

from bedrock_distill.chat.dialects.base import Body, Call, Dialect
from bedrock_distill.chat.dialects.converse import Converse
from bedrock_distill.chat.dialects.doors import InvokeEndpoint, InvokeModel
from bedrock_distill.chat.dialects.generate import BedrockCompletion, Generate
from bedrock_distill.chat.dialects.openai import OpenAIChat, OpenAICompletion
from bedrock_distill.chat.dialects.schemas import (
    EndpointSchema,
    ImportedFormat,
    endpoint_dialect,
    imported_dialect,
)

__all__ = [
    "BedrockCompletion",
    "Body",
    "Call",
    "Converse",
    "Dialect",
    "EndpointSchema",
    "Generate",
    "ImportedFormat",
    "InvokeEndpoint",
    "InvokeModel",
    "OpenAIChat",
    "OpenAICompletion",
    "endpoint_dialect",
    "imported_dialect",
]
