"""One way to talk to every target: a foundation model, a profile, a deployment, an imported or provisioned model.

`reply` is what comes back, `request` turns a prompt into a Converse request, `assembly` turns events back into text;
these are pure. `stream` and `target` do the talking, through the gate in `aws`; no AWS library is imported here.
"""

from bedrock_distill.chat.reply import ChatReply, Usage
from bedrock_distill.chat.stream import ChatStream
from bedrock_distill.chat.target import Target
from bedrock_distill.records.schema import Message as ChatMessage

__all__ = ["ChatMessage", "ChatReply", "ChatStream", "Target", "Usage"]
