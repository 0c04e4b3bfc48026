"""The journal: one file a plan, one line an event, so that a later look knows what was made and when.

It is a memory, not the truth: what is there is always asked of AWS. An apply on another machine, without the journal,
ends in the same place. Only what was replaced is nowhere else: a setting's earlier value is read here to put it back. A
journal that cannot be written (a read-only container) is therefore a warning, not an error.
"""

from __future__ import annotations

import logging
import os
import tempfile
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bedrock_distill.plan import Plan

__all__ = ["Journal", "JournalEntry", "default_state_dir", "replacements"]

_log = logging.getLogger("bedrock_distill")


class JournalEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event of an apply."""

    at: datetime
    step: str
    """Id of the plan's step."""
    event: Literal["started", "made", "found", "done"]
    """`made`: this apply made it; `found`: it was there."""
    arn: str | None = None
    """What the step stands for in AWS, where it has an ARN or a URI."""
    before: Any = None
    """As a setting is about to be replaced: its value so far, None where it has none."""
    after: Any = None
    """The value it is to have."""


class Journal:
    """The journal of one plan.

    Args:
        folder: Where journals are kept.
        plan: Whose journal it is.
    """

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.path = folder / f"{plan.region}-{plan.account_id}" / f"{plan.name}-{plan.fingerprint}.jsonl"
        self._writable = True

    def write(self, entry: JournalEntry) -> None:
        """Append an entry and see it to the disk."""
        if not self._writable:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as file:
                file.write(msgspec.json.encode(entry) + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            self._writable = False
            _log.warning("No journal is kept (%s); the apply goes on, and can be repeated safely.", error)

    def entries(self) -> Iterator[JournalEntry]:
        """What was written so far; a last line that a crash cut short is passed over."""
        return _entries(self.path)


def replacements(
    folder: Path, *, region: str, account_id: str, plan_name: str, step_id: str
) -> list[JournalEntry]:
    """How the plans of one name set out to change a setting, newest first.

    Args:
        folder: Where journals are kept.
        region: Where they were applied.
        account_id: Whose.
        plan_name: The plans' name.
        step_id: The step that puts the setting.
    """
    paths = sorted((folder / f"{region}-{account_id}").glob(f"{plan_name}-*.jsonl"))
    found = [
        entry
        for path in paths
        for entry in _entries(path)
        if entry.step == step_id and entry.event == "started"
    ]
    return sorted(found, key=lambda entry: entry.at)[::-1]


def _entries(path: Path) -> Iterator[JournalEntry]:
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return
    for number, line in enumerate(lines, 1):
        try:
            yield msgspec.json.decode(line, type=JournalEntry)
        except msgspec.DecodeError:
            if number != len(lines):
                _log.warning("%s:%d is no journal entry; passed over.", path, number)


def default_state_dir() -> Path:
    """Where journals are kept unless the caller says otherwise: the user's state directory (XDG)."""
    base = Path(os.environ.get("XDG_STATE_HOME", ""))
    if not base.is_absolute():
        try:
            base = Path.home() / ".local" / "state"
        except RuntimeError:
            # A container's user may have no home at all.
            base = Path(tempfile.gettempdir())
    return base / "bedrock-distill" / "journal"
