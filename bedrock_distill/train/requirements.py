"""Whether the trainer's libraries are installed, asked without loading them."""

from __future__ import annotations

from importlib.util import find_spec

from bedrock_distill.errors import MissingDependencyError

__all__ = ["require_trainer"]

LIBRARIES = ("torch", "transformers", "tokenizers", "safetensors")


def require_trainer() -> None:
    """Return where a student can be trained and asked.

    Raises:
        MissingDependencyError: A library is missing; the message has the pip line.
    """
    missing = [name for name in LIBRARIES if find_spec(name) is None]
    if missing:
        raise MissingDependencyError(
            f"Training a student needs {', '.join(missing)}, not installed here. "
            "Install with: pip install 'bedrock-distill[local]'",
            extra="local",
        )
