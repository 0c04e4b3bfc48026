"""Lines with the groups they were given in a file beside them: what belongs together, such as the calls of a session."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import xxhash

from bedrock_distill.errors import DataError, Offence
from bedrock_distill.records.lines import read_lines

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator

__all__ = ["NumberedLines"]


class NumberedLines:
    """Lines, to be iterated over once, and beside the last one that was given its number and the hash of its group.

    Args:
        lines: The lines.
        source: The file they are from, for errors.
        groups: A file with a JSON string, number or null for each of them, or None.

    Attributes:
        number: The last line's number, from 1.
        session: The hash of its group, or zero.
    """

    def __init__(self, lines: Iterable[bytes], source: str, groups: str | os.PathLike[str] | None) -> None:
        self._lines, self._source = iter(lines), source
        self._path = None if groups is None else str(groups)
        self._groups = iter(()) if groups is None else iter(read_lines(groups))
        self._failed: DataError | None = None
        self.number = self.session = 0

    def __iter__(self) -> Iterator[bytes]:
        """The lines, up to the first without a group that can be read; `finish` says so."""
        for line in self._lines:
            self.number += 1
            if self._path is not None:
                try:
                    self.session = self._read(next(self._groups, None))
                except DataError as error:
                    # Not raised from here: whoever checks the lines would take it for an error in them.
                    self._failed = error
                    return
            yield line

    def _read(self, line: bytes | None) -> int:
        if line is None:
            raise self._uneven("fewer")
        try:
            value = msgspec.json.decode(line, type=str | int | None)
        except msgspec.MsgspecError as error:
            reason = f"must be the group of line {self.number} of {self._source}, a JSON string, number or null: {error}"
            offence = Offence(str(self._path), self.number, "", reason, "bad-group")
            raise DataError(f"Could not read groups. {offence}.", offences=(offence,)) from error
        # Zero stands for no group, so a group's hash must not be zero.
        return 0 if value is None else xxhash.xxh3_64_intdigest(str(value).encode()) or 1

    def finish(self) -> None:
        """Say that the lines are at their end.

        Raises:
            DataError: If the group of a line could not be read, or there are more or fewer groups than lines.
        """
        if self._failed is not None:
            raise self._failed
        if self._path is not None and next(self._groups, None) is not None:
            raise self._uneven("more")

    def _uneven(self, how: str) -> DataError:
        return DataError(
            f"{self._path} has {how} lines than {self._source}; it must name a group, or null, for each of them."
        )
