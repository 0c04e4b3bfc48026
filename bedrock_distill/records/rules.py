"""What Bedrock demands of training data for one teacher and one student, as a value made from the catalog."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bedrock_distill.records.lines import KEEP_BYTES

if TYPE_CHECKING:
    from bedrock_distill.catalog import Catalog

__all__ = ["PUBLISHED_VALIDATOR_FILE_BYTES", "Rules", "rules_for"]

PUBLISHED_VALIDATOR_FILE_BYTES = 1 << 30
"""What AWS's published dataset validator accepts (1 GB). The quota is higher, so beyond this we warn and no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The limits that `checking` applies. Sizes in bytes, contexts in tokens; None means that nobody states a limit."""

    min_prompts: int = 1
    """Fewest valid records a file may hold."""
    max_prompts: int | None = None
    """Most valid records a file may hold."""
    max_line_bytes: int = 16 * 1024
    """Longest line, without its newline."""
    max_file_bytes: int | None = None
    """Largest file, unpacked."""
    warn_file_bytes: int | None = None
    """File size from which the report carries a warning."""
    multi_turn: bool = True
    """Whether a conversation may have more than one user message."""
    context_tokens: int | None = None
    """Longest record the student can be trained on, by the estimate of `tokens.py`."""
    family: str = ""
    """The student's family for messages, such as `llama`, or an empty string."""

    @property
    def kept_line_bytes(self) -> int:
        """Longest line that can be valid: `max_line_bytes`, or what readers keep of a line if that is less."""
        return min(self.max_line_bytes, KEEP_BYTES)


def rules_for(catalog: Catalog, teacher: str, student: str) -> Rules:
    """The rules for a teacher and a student, however they are named (id, context variant, profile or ARN).

    A conversation may have several turns only where both families take them. Whether the two are a pair that Bedrock
    offers is the plan's question, not the data's.

    Raises:
        SpecError: If the catalog does not know one of the models.
    """
    teacher_model, student_model = catalog.model(teacher), catalog.model(student)
    return Rules(
        min_prompts=catalog.quota("distillation_min_prompts"),
        max_prompts=catalog.quota("distillation_max_prompts"),
        max_line_bytes=catalog.quota("distillation_max_line_bytes"),
        max_file_bytes=catalog.quota("distillation_max_file_bytes"),
        warn_file_bytes=PUBLISHED_VALIDATOR_FILE_BYTES,
        multi_turn=teacher_model.turns == "multi" and student_model.turns == "multi",
        context_tokens=student_model.training_context_tokens,
        family=student_model.family,
    )
