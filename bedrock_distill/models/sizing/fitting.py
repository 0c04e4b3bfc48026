"""What one instance holds of one model: the best way to split it, and what remains for the cache."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from bedrock_distill.models.sizing.formats import embedding_weights, weight_bytes, wrong_with_gpu
from bedrock_distill.models.sizing.memory import (
    BLOCK_TOKENS,
    GIB,
    MIB,
    Assumptions,
    KvDtype,
    blocks_per_request,
    kv_bytes_per_token,
)
from bedrock_distill.models.sizing.parallel import tensor_parallel_degrees, wrong_with_degree

if TYPE_CHECKING:
    from bedrock_distill.catalog import Gpu, Instance
    from bedrock_distill.models.shape import ModelShape
    from bedrock_distill.models.sizing.formats import WeightFormat

__all__ = ["Need", "Split", "least_ms_per_token", "split_over", "splits", "why_not"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What is to be served, and under which assumptions."""

    shape: ModelShape
    held: WeightFormat
    """How the weights are held."""
    context: int
    """Tokens of a request, its answer included."""
    concurrency: int
    """Requests at once."""
    kv_dtype: KvDtype
    copies: bool
    """Whether GPUs that one split leaves over hold more copies of the model, as LMI does."""
    assumptions: Assumptions
    reserved_bytes: int = 0
    """Memory of every GPU that is spoken for besides, such as room for adapters."""

    @property
    def weight_bytes(self) -> int:
        """Bytes of the loaded weights."""
        return weight_bytes(self.shape, self.held)


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """A model over the GPUs of an instance, at one degree of tensor parallelism."""

    tensor_parallel: int
    copies: int
    weights_per_gpu: int
    overhead_per_gpu: int
    kv_per_gpu: int
    """Bytes that remain for the cache; negative where not even the weights fit."""
    headroom_per_gpu: int
    """Bytes that remain when the wanted requests are in the cache; negative where they do not fit."""
    tokens: int
    """Tokens that fit in the caches of all copies."""
    requests: int
    """Requests of the wanted length that fit at once, over all copies."""


def split_over(need: Need, instance: Instance, degree: int) -> Split:
    """What a degree leaves for the cache."""
    gpu_bytes = instance.gpu_mib * MIB
    copies = instance.gpus // degree if need.copies else 1
    share = ceil(need.concurrency / copies)
    weights = ceil(need.weight_bytes / degree)
    overhead = need.assumptions.overhead_bytes(gpu_bytes, need.concurrency) + need.reserved_bytes
    left = need.assumptions.budget_bytes(gpu_bytes) - weights - overhead
    block = BLOCK_TOKENS * kv_bytes_per_token(need.shape, kv_dtype=need.kv_dtype, tensor_parallel=degree)
    each = blocks_per_request(need.shape, need.context)
    blocks = max(left, 0) // block
    return Split(
        tensor_parallel=degree,
        copies=copies,
        weights_per_gpu=weights,
        overhead_per_gpu=overhead,
        kv_per_gpu=left,
        headroom_per_gpu=left - share * each * block,
        tokens=copies * blocks * BLOCK_TOKENS,
        requests=copies * (blocks // each),
    )


def splits(need: Need, instance: Instance) -> list[Split]:
    """Every allowed way to split the model over the instance, the best first.

    Best is what holds the most requests of the wanted length; then what has the most room; then the fewest GPUs that
    must talk to each other.
    """
    degrees = tensor_parallel_degrees(need.shape, instance.gpus, group_size=need.held.group_size)
    found = [split_over(need, instance, degree) for degree in degrees]
    return sorted(
        found, key=lambda split: (-split.requests, -split.tokens, -split.kv_per_gpu, split.tensor_parallel)
    )


def why_not(need: Need, instance: Instance, gpu: Gpu, split: Split | None) -> str:
    """Why an instance does not do for a need; an empty string where it does."""
    if (reason := wrong_with_gpu(gpu, need.held)) is not None:
        return reason
    if split is None:
        return wrong_with_degree(need.shape, 1, group_size=need.held.group_size) or "no degree is allowed"
    if split.kv_per_gpu <= 0:
        held, room = (
            split.weights_per_gpu + split.overhead_per_gpu,
            need.assumptions.budget_bytes(instance.gpu_mib * MIB),
        )
        return (
            f"weights and overhead need {held / GIB:.1f} GiB of each GPU (split over {split.tensor_parallel}), "
            f"{room / GIB:.1f} GiB may be used"
        )
    if not split.requests:
        return f"one request of {need.context:,} tokens does not fit: the cache of a copy holds {split.tokens // split.copies:,}"
    if split.requests < need.concurrency:
        return f"{split.requests} of {need.concurrency} requests fit at once"
    return ""


def least_ms_per_token(need: Need, gpu: Gpu, degree: int) -> float | None:
    """A bound from below on the milliseconds between two tokens of an answer: the weights are read once for each.

    Real servers are slower: the cache is read too, memory is not read at its nominal rate, GPUs talk to each other.
    None where the GPU's bandwidth is unknown, or where only some experts are read and the shape does not say how many.
    Speculative decoding makes several tokens of one reading and is not bound by it.
    """
    if gpu.gb_s is None or need.shape.experts:
        return None
    tables = embedding_weights(need.shape)
    # Only a row a token is read of a separate embedding table.
    unread = tables if tables >= 2 * need.shape.vocab * need.shape.hidden else 0
    return (need.weight_bytes - unread) / degree / (gpu.gb_s * 1e9) * 1e3
