"""Which format the bodies of a call have: by its operation and its model's family, or else by their keys."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

import msgspec

from bedrock_distill.catalog import read_model_id
from bedrock_distill.records.logs.exchange import Reason, Unusable
from bedrock_distill.records.logs.formats.anthropic import ANTHROPIC
from bedrock_distill.records.logs.formats.cohere import COHERE
from bedrock_distill.records.logs.formats.converse import CONVERSE, NOVA
from bedrock_distill.records.logs.formats.form import Format
from bedrock_distill.records.logs.formats.llama import LLAMA
from bedrock_distill.records.logs.formats.openai import OPENAI
from bedrock_distill.records.logs.formats.titan import TITAN

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["FORMATS", "Format", "format_of", "sniff"]

FORMATS: Final[tuple[Format, ...]] = (CONVERSE, NOVA, ANTHROPIC, OPENAI, LLAMA, COHERE, TITAN)
"""Every body format that is known."""

_CONVERSE = frozenset({"Converse", "ConverseStream"})
_INVOKE = frozenset({"InvokeModel", "InvokeModelWithResponseStream"})

_FAMILIES: Final[tuple[tuple[str, Format | Reason], ...]] = (
    ("anthropic.", ANTHROPIC),
    ("amazon.nova-canvas", "image-model"),
    ("amazon.nova-reel", "image-model"),
    ("amazon.nova-2-multimodal-embed", "embedding"),
    ("amazon.nova", NOVA),
    ("amazon.titan-embed", "embedding"),
    ("amazon.titan-image", "image-model"),
    ("amazon.titan", TITAN),
    ("meta.", LLAMA),
    ("cohere.embed", "embedding"),
    ("cohere.rerank", "unknown-format"),
    ("cohere.", COHERE),
    ("mistral.", OPENAI),
    ("deepseek.", OPENAI),
    ("openai.", OPENAI),
    ("qwen.", OPENAI),
    ("stability.", "image-model"),
)
"""Beginning of a model id -> its InvokeModel format, or why it has none. The first that fits."""


@lru_cache(maxsize=4096)
def format_of(operation: str, model_id: str) -> Format | Reason | None:
    """The format of a call's bodies, why there can be none, or None where only the bodies can tell.

    Args:
        operation: As the log has it.
        model_id: As the log has it: plain id, profile id or ARN.
    """
    if operation in _CONVERSE:
        return CONVERSE
    if operation not in _INVOKE:
        return "unknown-operation"
    model = read_model_id(model_id).model
    return next((form for beginning, form in _FAMILIES if model and model.startswith(beginning)), None)


class _Keys(msgspec.Struct, gc=False):
    """The keys that tell formats apart."""

    messages: msgspec.Raw = msgspec.Raw()
    prompt: msgspec.Raw = msgspec.Raw()
    message: msgspec.Raw = msgspec.Raw()
    input_text: msgspec.Raw = msgspec.field(name="inputText", default=msgspec.Raw())
    output: msgspec.Raw = msgspec.Raw()
    block_delta: msgspec.Raw = msgspec.field(name="contentBlockDelta", default=msgspec.Raw())
    block_start: msgspec.Raw = msgspec.field(name="contentBlockStart", default=msgspec.Raw())
    message_start: msgspec.Raw = msgspec.field(name="messageStart", default=msgspec.Raw())
    content: msgspec.Raw = msgspec.Raw()
    type: msgspec.Raw = msgspec.Raw()
    choices: msgspec.Raw = msgspec.Raw()
    outputs: msgspec.Raw = msgspec.Raw()
    generation: msgspec.Raw = msgspec.Raw()
    generations: msgspec.Raw = msgspec.Raw()
    completion: msgspec.Raw = msgspec.Raw()
    text: msgspec.Raw = msgspec.Raw()
    results: msgspec.Raw = msgspec.Raw()
    output_text: msgspec.Raw = msgspec.field(name="outputText", default=msgspec.Raw())
    embedding: msgspec.Raw = msgspec.Raw()
    embeddings: msgspec.Raw = msgspec.Raw()
    embeddings_by_type: msgspec.Raw = msgspec.field(name="embeddingsByType", default=msgspec.Raw())
    images: msgspec.Raw = msgspec.Raw()
    artifacts: msgspec.Raw = msgspec.Raw()
    is_finished: msgspec.Raw = msgspec.Raw()


_SIGNS: Final[tuple[tuple[str, Format | Reason], ...]] = (
    ("embedding", "embedding"),
    ("embeddings", "embedding"),
    ("embeddings_by_type", "embedding"),
    ("images", "image-model"),
    ("artifacts", "image-model"),
    ("choices", OPENAI),
    ("outputs", OPENAI),
    ("generation", LLAMA),
    ("generations", COHERE),
    ("is_finished", COHERE),
    ("results", TITAN),
    ("output_text", TITAN),
    ("output", NOVA),
    ("block_delta", NOVA),
    ("block_start", NOVA),
    ("message_start", NOVA),
    ("completion", ANTHROPIC),
    ("content", ANTHROPIC),
    ("type", ANTHROPIC),
    ("text", COHERE),
)
"""Key of a response, or of its first chunk -> format. The first that fits: `text` alone says least."""

_keys = msgspec.json.Decoder(_Keys | list[_Keys | str]).decode
_REQUESTS: Final[Mapping[str, Format | Reason]] = {
    "input_text": TITAN,
    "message": COHERE,
}
"""Key of a request without a response -> format, where it tells at all."""


def sniff(request: bytes, response: bytes) -> Format:
    """The format that bodies have by their keys.

    Raises:
        Unusable: If it is none that is known, or one that answers no prompt.
    """
    for body, signs in ((response, _SIGNS), (request, tuple(_REQUESTS.items()))):
        if not body or body == b"null":
            continue
        try:
            found = _keys(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise Unusable("unknown-format") from error
        keys = (
            next((item for item in found if isinstance(item, _Keys)), None)
            if isinstance(found, list)
            else found
        )
        for key, form in signs:
            if keys is not None and bytes(getattr(keys, key)) not in (b"", b"null"):
                if isinstance(form, Format):
                    return form
                raise Unusable(form)
    raise Unusable("unknown-format")
