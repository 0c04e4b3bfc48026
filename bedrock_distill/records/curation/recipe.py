"""The recipe: everything that decides what becomes of the data, as one value. The same data and recipe, the same bytes."""

from __future__ import annotations

import tomllib
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from bedrock_distill.errors import SpecError
from bedrock_distill.records.curation.quality import default_limits
from bedrock_distill.records.splitting import Shares

if TYPE_CHECKING:
    import os
    from collections import Counter
    from collections.abc import Mapping

__all__ = ["MAX_RECORDS", "STRATA", "TIES", "Recipe", "Redactor"]

MAX_RECORDS: Final = 15_000
"""What Bedrock takes in one distillation job."""

STRATA: Final = ("template", "length", "labelled", "system")
"""What a selection can keep in proportion."""

TIES: Final = ("cluster", "session", "template", "system")
"""What can keep records on one side of a split: being near-duplicates; the group they were given; the text that their
prompts open or close with; the system prompt."""

_SEEDS = 1 << 64


class Redactor(Protocol):
    """Takes out of a text what must not be learned."""

    def redact(self, text: str) -> tuple[str, Counter[str]]:
        """The text without it, and how much of which kind was taken out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How to curate. The defaults make a file for one Bedrock job."""

    max_records: int | None = MAX_RECORDS
    """Most records to keep, golden ones included; None keeps all."""
    seed: int = 0
    """Another seed, another selection and another split. From 0 to 2**64 - 1."""
    limits: Mapping[str, float | None] = field(default_factory=dict)
    """Limits of the quality rules that are not to be the usual ones, by name; None turns a rule off."""
    languages: tuple[str, ...] = ()
    """ISO 639 codes of the languages to keep; empty keeps all, and looks at none."""
    near_threshold: float | None = 0.8
    """Least similarity of near-duplicates, above 0 and at most 1; None does not look for them."""
    keep_near: bool = False
    """Keep near-duplicates, and only keep them together in the split."""
    strata: tuple[str, ...] = ("template", "length")
    """What the selection keeps in proportion: any of `STRATA`."""
    stratum_floor: int = 5
    """Fewest records of a stratum that are kept, as far as it has them and the maximum allows."""
    golden_share: float = 0.1
    """Share of the result that golden records make up, as far as there are enough of them."""
    shares: Mapping[str, float] = field(default_factory=lambda: {"train": 1.0})
    """Name and share of each file to write; they add up to one."""
    keep_together: tuple[str, ...] = ("cluster", "session")
    """What keeps records on one side of the split: any of `TIES`."""
    skip_bad: bool = False
    """Leave out lines that are no records, and count them, instead of failing."""

    def __post_init__(self) -> None:
        """Refuse what cannot be done.

        Raises:
            SpecError: If a value is out of range, or a name is not known.
        """
        _within(
            "max_records", self.max_records, self.max_records is None or self.max_records >= 1, "at least 1"
        )
        _within("seed", self.seed, 0 <= self.seed < _SEEDS, "from 0 to 2**64 - 1")
        near = self.near_threshold
        _within("near_threshold", near, near is None or 0 < near <= 1, "above 0 and at most 1")
        _within("stratum_floor", self.stratum_floor, self.stratum_floor >= 0, "at least 0")
        _within("golden_share", self.golden_share, 0 <= self.golden_share <= 1, "from 0 to 1")
        _known("limits", self.limits, tuple(default_limits()))
        _known("strata", self.strata, STRATA)
        _known("keep_together", self.keep_together, TIES)
        Shares.of(self.shares)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Recipe:
        """A recipe from plain values, as JSON or TOML have them.

        Raises:
            SpecError: If a key is not known, or a value is of the wrong type or out of range.
        """
        _known("", values, tuple(each.name for each in fields(cls)))
        given: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
        }
        for key, value in given.items():
            kinds = _KINDS[key]
            if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
                names = " or ".join(_NAMES[kind] for kind in kinds)
                raise SpecError(
                    f"The recipe's {key} is {value!r}, but must be {names}.", field=key, value=value
                )
        if "limits" in given:
            # TOML has no null: `off` stands for it.
            given["limits"] = {name: _limit(name, value) for name, value in given["limits"].items()}
        return cls(**given)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Recipe:
        """Read a recipe from a TOML file.

        Raises:
            SpecError: If the file cannot be read, or says something wrong.
        """
        try:
            return cls.of(tomllib.loads(Path(path).read_text("utf-8")))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise SpecError(f"Could not read the recipe {str(path)!r}: {error}.", value=str(path)) from error

    def all_limits(self) -> dict[str, float | None]:
        """The limit of every quality rule, given or usual."""
        return default_limits() | dict(self.limits)

    def to_dict(self) -> dict[str, Any]:
        """The recipe as plain values, every limit among them."""
        return {**asdict(self), "limits": self.all_limits(), "shares": dict(self.shares)}


_NAMES: Final[dict[type, str]] = {
    int: "a number",
    float: "a number",
    bool: "true or false",
    tuple: "a list of names",
    dict: "a table",
    type(None): "null",
}
_KINDS: Final[dict[str, tuple[type, ...]]] = {
    "max_records": (int, type(None)),
    "seed": (int,),
    "limits": (dict,),
    "languages": (tuple,),
    "near_threshold": (float, int, type(None)),
    "keep_near": (bool,),
    "strata": (tuple,),
    "stratum_floor": (int,),
    "golden_share": (float, int),
    "shares": (dict,),
    "keep_together": (tuple,),
    "skip_bad": (bool,),
}


def _limit(name: str, value: object) -> float | None:
    if value is None or value is False or value == "off":
        return None
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    raise SpecError(
        f'The limit {name} is {value!r}, but must be a number, or "off".', field=f"limits.{name}", value=value
    )


def _within(name: str, value: object, fine: bool, rule: str) -> None:  # noqa: FBT001 - a verdict
    if not fine:
        raise SpecError(f"The recipe's {name} is {value!r}, but must be {rule}.", field=name, value=value)


def _known(name: str, given: Any, known: tuple[str, ...]) -> None:
    for each in given:
        if each not in known:
            where = f"{name}: " if name else ""
            raise SpecError(
                f"{where}the recipe knows no {each!r}; there is {', '.join(known)}.",
                field=name or None,
                value=each,
            )
