"""Curation: which records are worth training on, and what is to be said of them.

`quality` says which records teach nothing good, `windows`, `sketches` and `clusters` find near-duplicates, `selection`
chooses, `grouping` keeps together what belongs together, `redaction` takes out what must not be learned, `card` says what
was done. `curating` does all of it, `describing` only looks.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bedrock_distill.records.curation.card import Card
    from bedrock_distill.records.curation.curating import curate
    from bedrock_distill.records.curation.describing import describe
    from bedrock_distill.records.curation.recipe import Recipe

__all__ = ["Card", "Recipe", "curate", "describe"]

# Imported when asked for: most of this room needs numpy, and redaction, which lives here too, does not.
_HOMES = {"Card": "card", "Recipe": "recipe", "curate": "curating", "describe": "describing"}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
