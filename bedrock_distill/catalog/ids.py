"""What a model identifier is: a plain id, a context variant, an inference profile, or the ARN of any of these."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from bedrock_distill.errors import SpecError
from bedrock_distill.uris import Arn

__all__ = ["IdKind", "ModelRef", "read_model_id"]

IdKind = Literal[
    "foundation",
    "profile",
    "application-profile",
    "custom-model",
    "imported-model",
    "provisioned-model",
    "custom-model-deployment",
    "name",
]

_SUFFIX = re.compile(r"(?P<id>[a-z0-9-]+\.[a-z0-9.-]+:\d+):(?P<suffix>\d+[km]|mm)")
_PROFILE = re.compile(r"(?P<geography>us|eu|apac|global|us-gov|jp|au|ca)\.(?P<id>[a-z0-9-]+\.[a-z0-9.:-]+)")
_PLAIN = re.compile(r"[a-z0-9-]+\.[a-z0-9.-]+(:\d+)?")

_ARN_KINDS: dict[str, IdKind] = {
    "foundation-model": "foundation",
    "inference-profile": "profile",
    "application-inference-profile": "application-profile",
    "custom-model": "custom-model",
    "imported-model": "imported-model",
    "provisioned-model": "provisioned-model",
    "custom-model-deployment": "custom-model-deployment",
}


@dataclass(frozen=True, slots=True)
class ModelRef:
    """An identifier, read."""

    text: str
    """As it was written."""
    kind: IdKind
    model: str
    """The plain foundation model id inside it, or an empty string where it does not tell."""
    suffix: str = ""
    """Context variant, such as `128k`."""
    geography: str = ""
    """A profile's geography, such as `us`."""


def read_model_id(text: str) -> ModelRef:
    """Tell what an identifier is. Never fails: what fits nothing is a `name`."""
    if Arn.looks_like(text) and text.count(":") >= 5:
        try:
            arn = Arn.parse(text)
        except SpecError:
            return ModelRef(text, "name", "")
        kind = _ARN_KINDS.get(arn.kind)
        if kind is None:
            return ModelRef(text, "name", "")
        inner = _read_bare(arn.resource_id)
        if kind in ("foundation", "profile"):
            return ModelRef(text, kind, inner.model, inner.suffix, inner.geography)
        if kind == "custom-model":
            base = _read_bare(arn.resource_id.rpartition("/")[0])
            return ModelRef(text, kind, base.model, base.suffix)
        return ModelRef(text, kind, "")
    return _read_bare(text)


def _read_bare(text: str) -> ModelRef:
    if match := _PROFILE.fullmatch(text):
        return ModelRef(text, "profile", match["id"], geography=match["geography"])
    if match := _SUFFIX.fullmatch(text):
        return ModelRef(text, "foundation", match["id"], suffix=match["suffix"])
    if _PLAIN.fullmatch(text):
        return ModelRef(text, "foundation", text)
    return ModelRef(text, "name", "")
