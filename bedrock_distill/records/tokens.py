"""How many tokens a text is likely to be, where no tokenizer can be asked.

Bedrock counts tokens only for some models, and neither Nova's nor Llama's tokenizer ships with this package, so every
token figure about data is an estimate and is shown as one. The rule is stated here once: **one token for every four
bytes of UTF-8, rounded up.** English and code come out near the truth; scripts with three bytes a character come out
near one token a character, as most tokenizers have it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bedrock_distill.records.schema import Record

__all__ = [
    "BYTES_PER_TOKEN",
    "SEPARATOR",
    "estimate_record_tokens",
    "estimate_tokens",
    "joined_texts",
]

BYTES_PER_TOKEN = 4
"""Bytes of UTF-8 that the estimate counts as one token."""

SEPARATOR = b"\xff"
"""What stands between the texts of a record where they are joined: a byte that no UTF-8 holds."""


def estimate_tokens(text: str) -> int:
    """Estimated number of tokens of a text: its UTF-8 bytes over four, rounded up; an empty text has none."""
    size = len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
    return -(-size // BYTES_PER_TOKEN)


def estimate_record_tokens(record: Record) -> int:
    """Estimated number of tokens of a record: of its `joined_texts`."""
    return -(-len(joined_texts(record)) // BYTES_PER_TOKEN)


def joined_texts(record: Record) -> bytes:
    """All texts of a record in UTF-8: system prompt, messages in their order, a separator byte between them."""
    texts = [message.text.encode("utf-8", "surrogatepass") for message in record.messages]
    if record.system is not None:
        texts.insert(0, (record.system_text or "").encode("utf-8", "surrogatepass"))
    return SEPARATOR.join(texts)
