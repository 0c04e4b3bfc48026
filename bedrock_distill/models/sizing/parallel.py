"""Over how many GPUs a model can be split (tensor parallelism): the rules of vLLM."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bedrock_distill.models.shape import ModelShape

__all__ = ["tensor_parallel_degrees", "wrong_with_degree"]


def wrong_with_degree(shape: ModelShape, degree: int, *, group_size: int | None = None) -> str | None:
    """Why a model cannot be split over so many GPUs, or None where it can.

    Args:
        shape: The model.
        degree: GPUs that share its layers.
        group_size: Weights that share a scale, where they are quantized otherwise than the checkpoint says.
    """
    return next(_broken_rules(shape, degree, group_size), None)


def tensor_parallel_degrees(shape: ModelShape, gpus: int, *, group_size: int | None = None) -> list[int]:
    """Every degree up to a number of GPUs that the model can be split over, the smallest first."""
    return [
        degree
        for degree in range(1, gpus + 1)
        if wrong_with_degree(shape, degree, group_size=group_size) is None
    ]


def _broken_rules(shape: ModelShape, degree: int, group_size: int | None) -> Iterator[str]:
    if shape.heads % degree:
        yield f"{shape.heads} attention heads are not divisible by {degree}"
    if not shape.latent and shape.kv_heads % degree and degree % shape.kv_heads:
        yield f"{shape.kv_heads} key-value heads are neither divisible by {degree} nor divide it"
    if shape.intermediate % degree:
        yield f"the feed-forward width {shape.intermediate} is not divisible by {degree}"
    group = group_size or (shape.quantization.group_size if shape.quantization else None)
    # Only the layers whose input is split (attention output, feed-forward output) can cut a group in two.
    for what, width in (("attention", shape.heads * shape.head_dim), ("feed-forward", shape.intermediate)):
        if group and group > 0 and degree > 1 and (width // degree) % group:
            yield (
                f"the {what} width {width} over {degree} GPUs gives {width // degree}, "
                f"which is not a multiple of the quantization's group of {group}"
            )
