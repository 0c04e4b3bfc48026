"""The `comprehend` service: the one operation that redaction asks."""

from __future__ import annotations

from bedrock_distill.local.services.comprehend.service import Comprehend

__all__ = ["Comprehend"]
