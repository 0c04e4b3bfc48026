"""Training data: the record, reading and writing it, checking it, converting to it, splitting it.

Two ideas run through this room. Lines are judged in bytes and in one pass, so that a file of any size needs the same
memory. And judging is split in two: a fast check that only says yes or "look closer", and a slow look that says what
is wrong, where, and what to do; only offending lines pay for the second.
"""

from bedrock_distill.records.schema import (
    SCHEMA_VERSION,
    Message,
    Record,
    Role,
    TextBlock,
    decode_record,
    encode_record,
)

__all__ = ["SCHEMA_VERSION", "Message", "Record", "Role", "TextBlock", "decode_record", "encode_record"]
