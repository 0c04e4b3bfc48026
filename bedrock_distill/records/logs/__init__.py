"""Bedrock's model invocation logs: decoding, filters and the scan of their lines.

Pure: lines come in as bytes, records go out. Where lines come from is the matter of `harvest`.
"""

from bedrock_distill.records.logs.decoding import Entry, decode_line
from bedrock_distill.records.logs.exchange import REASONS, Exchange
from bedrock_distill.records.logs.filters import Condition, Filter, Metadata
from bedrock_distill.records.logs.query import LogQuery

__all__ = ["REASONS", "Condition", "Entry", "Exchange", "Filter", "LogQuery", "Metadata", "decode_line"]
