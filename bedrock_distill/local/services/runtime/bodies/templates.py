"""Prompts written in a chat template, taken apart into turns.

Text-completion bodies (Llama, Mistral, Titan, DeepSeek) carry a conversation as one string with markers between the
turns. A string without markers is one user message.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bedrock_distill.local.services.runtime.conversation import record_of

if TYPE_CHECKING:
    import re
    from collections.abc import Mapping

    from bedrock_distill.records.schema import Record

__all__ = ["Template"]


@dataclass(frozen=True, slots=True)
class Template:
    """How a family marks its turns."""

    marker: re.Pattern[str]
    """Finds what opens a turn; its first group is a key of `roles`."""
    roles: Mapping[str, str]
    """`system`, `user` or `assistant` by the marker's group."""
    noise: re.Pattern[str]
    """Markers that say nothing about turns, such as begin and end of text."""

    def read(self, prompt: str) -> Record:
        """The conversation inside a prompt. An empty assistant turn at the end asks for the answer and is left out.

        Raises:
            AwsError: ValidationException, if the turns make no conversation.
        """
        marks = list(self.marker.finditer(prompt))
        if not marks:
            return record_of([("user", (self._clean(prompt),))])
        ends = [mark.start() for mark in marks[1:]] + [len(prompt)]
        turns = [
            (self.roles[mark[1]], self._clean(prompt[mark.end() : end]))
            for mark, end in zip(marks, ends, strict=True)
        ]
        if turns[-1] == ("assistant", ""):
            turns.pop()
        return record_of(
            [(role, (text,)) for role, text in turns if role != "system"],
            [text for role, text in turns if role == "system"],
        )

    def _clean(self, text: str) -> str:
        return self.noise.sub("", text).strip()
