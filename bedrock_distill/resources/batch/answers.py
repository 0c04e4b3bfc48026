"""What came of one record of a batch inference job: an answer, or an error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bedrock_distill.records.schema import Record

__all__ = ["BatchAnswer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchAnswer:
    """The answer to one prompt, or the error that came instead."""

    record_id: str
    """The line's `recordId`. Of jobs made here it sorts by the prompt's place in the file."""
    prompt: Record | None
    """What was asked, with its system prompt; None where the line does not say, or asks with more than text."""
    text: str | None = None
    """The answer, or None where the record failed."""
    stop_reason: str = ""
    """Why the model stopped, in Converse's words."""
    input_tokens: int = 0
    output_tokens: int = 0
    error_code: str = ""
    """Why the record failed: the service's code, with `RecordError` before a mere number; else an empty string."""
    error: str = ""
    """The error's message, or an empty string."""

    @property
    def failed(self) -> bool:
        """Whether there is no answer."""
        return self.text is None

    @property
    def record(self) -> Record | None:
        """The prompt with the answer as its completion, or None where either is missing."""
        if self.prompt is None or not self.text:
            return None
        return self.prompt.prompt.with_completion(self.text)
