"""One way to talk to every target: a foundation model, a profile, a deployment, an imported or provisioned model, an endpoint.

`question` is what is asked and `reply` what comes back; `dialects` has the ways of asking, `decoding` and `faults` read what
containers answer, `assembly` puts pieces together, `templates` applies the model's own chat template where nobody else does;
all these are pure. `stream`, `target` and `later` do the talking, through the gate in `aws`; `resolving` finds the dialect behind an
id. `recorded` answers from what was answered before. `cascade` is a target made of two: `attempts` asks its student, `scores` say how sure that is, `outcomes` who answered and why.
No AWS library is imported here.
"""

from bedrock_distill.chat.cascade import Cascade
from bedrock_distill.chat.cascade_stream import CascadeStream
from bedrock_distill.chat.dialects import (
    BedrockCompletion,
    Converse,
    Dialect,
    EndpointSchema,
    Generate,
    ImportedFormat,
    InvokeEndpoint,
    InvokeModel,
    OpenAIChat,
    OpenAICompletion,
    endpoint_dialect,
    imported_dialect,
)
from bedrock_distill.chat.later import AsyncTarget, PendingReply
from bedrock_distill.chat.outcomes import CascadeReply, Counts
from bedrock_distill.chat.recorded import Recorded, RecordedFailure
from bedrock_distill.chat.reply import ChatReply, Usage
from bedrock_distill.chat.scores import (
    Agreement,
    FitsSchema,
    IsLabel,
    Lowest,
    Matches,
    TokenProbability,
    score_from,
)
from bedrock_distill.chat.stream import ChatStream
from bedrock_distill.chat.target import Target
from bedrock_distill.chat.templates import ChatTemplate
from bedrock_distill.records.schema import Message as ChatMessage

__all__ = [
    "Agreement",
    "AsyncTarget",
    "BedrockCompletion",
    "Cascade",
    "CascadeReply",
    "CascadeStream",
    "ChatMessage",
    "ChatReply",
    "ChatStream",
    "ChatTemplate",
    "Converse",
    "Counts",
    "Dialect",
    "EndpointSchema",
    "FitsSchema",
    "Generate",
    "ImportedFormat",
    "InvokeEndpoint",
    "InvokeModel",
    "IsLabel",
    "Lowest",
    "Matches",
    "OpenAIChat",
    "OpenAICompletion",
    "PendingReply",
    "Recorded",
    "RecordedFailure",
    "Target",
    "TokenProbability",
    "Usage",
    "endpoint_dialect",
    "imported_dialect",
    "score_from",
]
