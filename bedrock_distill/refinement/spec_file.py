"""A refinement as a TOML file, for the command line and for review in a repository."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from bedrock_distill.errors import SpecError
from bedrock_distill.refinement.spec import Gate, Refinement
from bedrock_distill.resources.jobfile import TABLES, naming, one_table, read_logs

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping

__all__ = ["read_refinement"]


def read_refinement(path: str | os.PathLike[str]) -> Refinement:
    """Read a file that holds the table [refinement], with [refinement.distillation] in it and, if wanted, [refinement.gate].

    Paths are read from the file's own folder.

    Raises:
        SpecError: If the file cannot be read, holds something else, or a field is wrong.
    """
    place = Path(path)
    _, fields = one_table(place, ["refinement"])
    return naming(
        place,
        lambda: Refinement(**{name: _value(name, value, place.parent) for name, value in fields.items()}),
    )


def _value(name: str, value: Any, folder: Path) -> Any:
    if name not in _READERS:
        return value
    kind, read = _READERS[name]
    if not isinstance(value, kind):
        form = "a table" if kind is dict else "a path"
        raise SpecError(f"{name} must be {form} (got {value!r}).", field=name, value=value)
    return read(value, folder)


def _path(value: str, folder: Path) -> Path:
    # An S3 URI stays one, so that the spec can say that it is no local file.
    return Path(value) if value.startswith("s3:") else folder / Path(value).expanduser()


_READERS: Mapping[str, tuple[type, Callable[[Any, Path], Any]]] = {
    "distillation": (dict, TABLES["distillation"].read),
    "gate": (dict, lambda value, _: Gate(**value)),
    "logs": (dict, lambda value, _: read_logs(value)),
    "evaluation": (str, _path),
    "journal": (str, _path),
}
"""Field -> what it must be in the file, and how it becomes the spec's."""
