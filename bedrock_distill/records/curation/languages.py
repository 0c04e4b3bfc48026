"""Which language a text is in, by py3langid: small, offline, and the same answer every time."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from bedrock_distill.errors import MissingDependencyError

__all__ = ["language_of"]

_MAX_CHARS = 2000
"""A language shows early; longer texts only cost time."""


def language_of(text: str) -> str:
    """The ISO 639-1 code of the language that a text most likely is in.

    Raises:
        MissingDependencyError: If py3langid is not installed.
    """
    code, _ = _classify()(text[:_MAX_CHARS])
    return str(code)


@lru_cache(maxsize=1)
def _classify() -> Any:
    try:
        from py3langid import classify  # noqa: PLC0415 - optional, and it loads a model
    except ImportError as error:
        raise MissingDependencyError(
            "Telling languages apart needs py3langid: pip install 'bedrock-distill[curate]'.", extra="curate"
        ) from error
    return classify
