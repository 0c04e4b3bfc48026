"""What an inspection found: findings, a verdict for each target, and the report that holds them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Self, get_args

import msgspec

from bedrock_distill.catalog import TargetName
from bedrock_distill.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bedrock_distill.models.shape import ModelShape

__all__ = ["TARGETS", "Finding", "ModelReport", "Severity", "Verdict"]

TARGETS: tuple[TargetName, ...] = get_args(TargetName)
"""Everything that may serve a model."""

Severity = Literal["error", "warning", "note"]
"""An error is refused by the targets it concerns, or answers wrongly there; a warning may be; a note is good to know."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing about a model that somebody should know."""

    code: str
    """Short stable name, such as `shards-missing`."""
    text: str
    """What is there, what rule it breaks, and what to do."""
    severity: Severity
    targets: tuple[TargetName, ...] = TARGETS
    """Whom it concerns."""

    @classmethod
    def error(cls, code: str, text: str, targets: tuple[TargetName, ...] = TARGETS) -> Self:
        """A finding that these targets refuse."""
        return cls(code, text, "error", targets)

    @classmethod
    def warning(cls, code: str, text: str, targets: tuple[TargetName, ...] = TARGETS) -> Self:
        """A finding that may go wrong in these targets."""
        return cls(code, text, "warning", targets)

    @classmethod
    def note(cls, code: str, text: str, targets: tuple[TargetName, ...] = TARGETS) -> Self:
        """A finding that is good to know."""
        return cls(code, text, "note", targets)

    def __str__(self) -> str:
        concerned = "" if self.targets == TARGETS else f" ({', '.join(self.targets)})"
        return f"{self.severity}: {self.text}{concerned}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a target takes the model."""

    ok: bool
    reasons: tuple[str, ...] = ()
    """Why not; empty where it does."""
    warnings: tuple[str, ...] = ()
    """What may go wrong there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelReport:
    """A model's directory, as far as it can be judged without its weights."""

    where: str
    architecture: str
    """The config's class, such as `LlamaForCausalLM`; empty where it names none."""
    family: str = ""
    """Name for people; empty where the catalog does not know the class."""
    shape: ModelShape | None = None
    """The numbers that decide where it fits; None where config or headers do not tell."""
    files: int
    total_bytes: int
    """Of all files: what a transfer moves."""
    tokenizer_class: str = ""
    chat_template: str = ""
    """The file whose chat template counts; empty where there is none."""
    saved_by: str = ""
    """Release of transformers that wrote the config."""
    region: str | None = None
    """The region that Custom Model Import was judged for; None for any."""
    findings: tuple[Finding, ...] = ()
    titles: Mapping[str, str] = field(default_factory=dict)
    """Targets' names for people."""

    def verdict(self, target: TargetName) -> Verdict:
        """Whether a target takes the model.

        Raises:
            SpecError: If there is no such target.
        """
        if target not in TARGETS:
            raise SpecError(
                f"There is no target {target!r}; there are {', '.join(TARGETS)}.",
                field="target",
                value=target,
            )
        concerning = [finding for finding in self.findings if target in finding.targets]
        reasons = tuple(finding.text for finding in concerning if finding.severity == "error")
        warnings = tuple(finding.text for finding in concerning if finding.severity == "warning")
        return Verdict(not reasons, reasons, warnings)

    def to_dict(self) -> dict[str, Any]:
        """The report as plain values, with the verdicts."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        del plain["titles"]
        plain["verdicts"] = {target: msgspec.to_builtins(self.verdict(target)) for target in TARGETS}
        return plain

    def __str__(self) -> str:
        from bedrock_distill.models.rendering import render  # noqa: PLC0415 - it needs this module

        return render(self)
