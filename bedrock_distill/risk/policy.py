"""What a calibration found, as a small file: enough to route by, to watch for drift, and to say where it came from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self, TypeAlias

import msgspec

from bedrock_distill.errors import DataError, SpecError

if TYPE_CHECKING:
    import os

__all__ = ["Policy"]


_Counts: TypeAlias = dict[Annotated[int, msgspec.Meta(ge=0, le=1000)], Annotated[int, msgspec.Meta(ge=0)]]


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When the student answers, and why that is safe."""

    version: Literal[1] = 1
    """Version of this file's layout."""
    threshold: float | None
    """The student answers from this score on; None: never."""
    alpha: float
    """Bound of the risk: the mean loss over all requests."""
    confidence: float | None
    """Share of calibration sets for which the bound holds; None: it holds on average over them."""
    score: tuple[str, ...]
    """Names of the score's parts; of several, the lowest counts."""
    metric: str
    """Name of the metric that the losses come from."""
    student: str
    """Model id of the student that was calibrated."""
    teacher: str
    """Model id of its teacher."""
    made_at: str
    """When, in ISO 8601."""
    examples: int
    """How many examples it rests on."""
    student_share: float
    """Share of them that the student answers."""
    risk: float
    """Their mean loss."""
    scores: _Counts
    """Their scores in thousandths, with how many there are of each; what drift is measured against."""
    losses: _Counts
    """The losses of the answers that the student gave, in the same way."""

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Self:
        """Read a file.

        Raises:
            DataError: If it is no policy, or cannot be read.
        """
        try:
            text = Path(path).read_bytes()
        except OSError as error:
            raise DataError(f"Could not read the policy {str(path)!r}: {error.strerror or error}.") from error
        return cls.from_json(text, source=str(path))

    @classmethod
    def from_json(cls, text: str | bytes, *, source: str = "<policy>") -> Self:
        """Read a document.

        Args:
            text: The document.
            source: Where it came from, for messages.

        Raises:
            DataError: If it is no policy.
        """
        try:
            policy = msgspec.json.decode(text, type=cls)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise DataError(
                f"{source} is not a cascade's policy: {error}. Write one with `bedrock-distill cascade calibrate`."
            ) from error
        for field in ("threshold", "alpha", "confidence", "student_share", "risk"):
            value = getattr(policy, field)
            if value is not None and not 0 <= value <= 1:
                raise DataError(f"{source}: {field} is {value}; it must lie from 0 to 1.")
        return policy

    def to_json(self) -> str:
        """The policy as a JSON document."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1).decode()

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the file, in place of any that is there.

        Raises:
            DataError: If it cannot be written.
        """
        place = Path(path)
        try:
            place.write_text(self.to_json() + "\n", encoding="utf-8")
        except OSError as error:
            raise DataError(
                f"Could not write the policy {str(path)!r}: {error.strerror or error}."
            ) from error
        return place

    def check_score(self, names: tuple[str, ...]) -> None:
        """Refuse a score other than the one that was calibrated: the threshold means nothing for it.

        Raises:
            SpecError: If the names differ.
        """
        if names != self.score:
            raise SpecError(
                f"This policy's threshold was chosen for the score {' & '.join(self.score)}, not for {' & '.join(names)}. "
                "Give that score, or calibrate again with this one.",
                field="score",
                value=names,
            )
