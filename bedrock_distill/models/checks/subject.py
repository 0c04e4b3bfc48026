"""What every check looks at: what was read, and what the catalog knows of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bedrock_distill.catalog import Architecture, Catalog, ServingTarget, TargetName
    from bedrock_distill.models.reading import Contents
    from bedrock_distill.models.shape import ModelShape, Quantization

__all__ = ["Subject", "gigabytes", "some"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A model to be judged."""

    contents: Contents
    catalog: Catalog
    region: str | None
    known: Architecture | None
    """The catalog's row of the model's class."""
    quantization: Quantization | None
    shape: ModelShape | None

    @property
    def targets(self) -> tuple[ServingTarget, ...]:
        """The rules of every target that the catalog knows."""
        return self.catalog.targets

    @property
    def multimodal(self) -> bool:
        """Whether it takes more than text."""
        if self.known is not None:
            return self.known.modality == "multimodal"
        return any(name in self.contents.config for name in ("vision_config", "audio_config"))

    def named(self, *targets: ServingTarget) -> tuple[TargetName, ...]:
        """The names of targets."""
        return tuple(target.name for target in targets)


def some(names: list[str] | tuple[str, ...], most: int = 3) -> str:
    """Names for a message: the first few, and how many more."""
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest:,} more" if rest > 0 else "")


def gigabytes(size: int) -> str:
    """Bytes for people, in units of a thousand, as AWS states its limits."""
    if size >= 1_000_000_000:
        return f"{size / 1_000_000_000:,.1f} GB"
    return f"{size / 1_000_000:,.1f} MB" if size >= 1_000_000 else f"{size:,} bytes"
