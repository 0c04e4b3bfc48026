"""How each container is asked and how it answers: bodies, frames and errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bedrock_distill.local.services.sagemaker_runtime.schemas import lmi, tgi, vllm

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bedrock_distill.local.services.sagemaker_runtime.schemas.asks import Schema

__all__ = ["SCHEMAS"]

SCHEMAS: Mapping[str, Schema] = {
    "lmi": lmi.Lmi(),
    "trtllm": lmi.Lmi(),
    "vllm": vllm.Vllm(),
    "tgi": tgi.Tgi(),
}
"""Schema by container."""
