"""Rightsizing: what a model needs of GPU memory, and which instances have it. Arithmetic on values; nothing is asked."""

from bedrock_distill.models.sizing.fitting import Need, Split, split_over, splits
from bedrock_distill.models.sizing.formats import ALTERNATIVES, FORMATS, WeightFormat, format_of, weight_bytes
from bedrock_distill.models.sizing.memory import Assumptions, KvDtype, kv_bytes_per_token
from bedrock_distill.models.sizing.parallel import tensor_parallel_degrees, wrong_with_degree
from bedrock_distill.models.sizing.ranking import SizeRow, places, rank
from bedrock_distill.models.sizing.sizes import Alternative, SizeTable, size

__all__ = [
    "ALTERNATIVES",
    "FORMATS",
    "Alternative",
    "Assumptions",
    "KvDtype",
    "Need",
    "SizeRow",
    "SizeTable",
    "Split",
    "WeightFormat",
    "format_of",
    "kv_bytes_per_token",
    "places",
    "rank",
    "size",
    "split_over",
    "splits",
    "tensor_parallel_degrees",
    "weight_bytes",
    "wrong_with_degree",
]
