"""Where a serving student comes from: an append-only list of events, one S3 object each.

An event is written where none is yet (S3's conditional put), so that two machines that refine the same student at once
cannot both go on: the second is told. Everything else is read off the events: the open round, what serves, what it learned.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

import msgspec

from bedrock_distill.aws import ObjectStore
from bedrock_distill.errors import ConflictError, DataError, PlanError
from bedrock_distill.evaluation.notebook import Printed
from bedrock_distill.records.digest import digest_file
from bedrock_distill.uris import S3Uri

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bedrock_distill.aws import Clients

__all__ = [
    "Distilled",
    "Ended",
    "Event",
    "Judged",
    "Kept",
    "Lineage",
    "LineageStore",
    "Opened",
    "Promoted",
    "RolledBack",
    "Stored",
]

_MOST_EVENTS: Final = 99_999


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a round, as it was staged."""

    uri: str
    sha256: str
    records: int


class _Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event"):
    number: int
    """Its place in the list, from 1."""
    at: datetime
    """When it was written."""
    version: str
    """Version of this package that wrote it."""
    round: int
    """The round that it belongs to, from 1."""


class Opened(_Event, frozen=True, kw_only=True, tag="opened"):
    """A round began: traffic was read, and its data chosen."""

    since: datetime | None
    """Where the window of traffic begins; None is as far back as logs go. Of its first hour counts what no round had seen."""
    until: datetime
    """Where it ends."""
    deployment: str
    """ARN of what is refined."""
    serving: str
    """ARN of the model that served then."""
    training: Stored
    """What the candidate learns from."""
    evaluation: Stored
    """What it is compared on."""
    looked_at: Stored
    """Fingerprints of all prompts that were read, a line each: those of its last hour are read once more by the next."""
    chosen: dict[str, int]
    """How many prompts are new in training, by the reason that weighed most."""
    held_out: int
    """How many prompts are new in the evaluation."""


class Distilled(_Event, frozen=True, kw_only=True, tag="distilled"):
    """The job made a model."""

    plan: str
    """Fingerprint of the job's plan."""
    job: str
    model: str


class Judged(_Event, frozen=True, kw_only=True, tag="judged"):
    """The candidate was compared with the serving student and the teacher."""

    passed: bool
    verdict: dict[str, Any]
    """The gate's verdict, with all figures."""
    report: str
    """S3 URI of the report as a page; `report.json` lies beside it."""
    retention: float | None
    """The candidate's."""
    serving_retention: float | None
    """That of the student that served, on the same prompts."""


class Promoted(_Event, frozen=True, kw_only=True, tag="promoted"):
    """The deployment serves the candidate."""

    deployment: str
    before: str
    after: str


class Kept(_Event, frozen=True, kw_only=True, tag="kept"):
    """The gate was not passed, and the deployment serves what it served."""

    deployment: str
    serving: str
    why: tuple[str, ...]
    by: dict[str, Any]
    """The gate, and the metric."""


class Ended(_Event, frozen=True, kw_only=True, tag="ended"):
    """The round came to no end of its own: the job failed, the deployment was changed from outside, or the candidate deleted."""

    why: str


class RolledBack(_Event, frozen=True, kw_only=True, tag="rolled-back"):
    """The deployment serves an earlier model again."""

    deployment: str
    before: str
    after: str


Event: TypeAlias = Opened | Distilled | Judged | Promoted | Kept | Ended | RolledBack

_Kind = TypeVar("_Kind", Opened, Distilled, Judged, Promoted, Kept, Ended, RolledBack)
_CLOSING: Final = (Promoted, Kept, Ended)


@dataclass(frozen=True, slots=True)
class Lineage(Printed):
    """All events of a name, in their order."""

    name: str
    events: tuple[Event, ...] = ()

    @property
    def open_round(self) -> Opened | None:
        """The round that is under way, or None."""
        for event in reversed(self.events):
            if isinstance(event, _CLOSING):
                return None
            if isinstance(event, Opened):
                return event
        return None

    @property
    def rounds(self) -> int:
        """How many rounds were opened."""
        return sum(isinstance(event, Opened) for event in self.events)

    @property
    def serving(self) -> str | None:
        """ARN of the model that the deployment was last made to serve, or None where that was not done here."""
        for event in reversed(self.events):
            if isinstance(event, (Promoted, RolledBack)):
                return event.after
        return None

    def of_round(self, number: int, kind: type[_Kind]) -> _Kind | None:
        """A round's event of a kind, or None."""
        return next(
            (event for event in self.events if isinstance(event, kind) and event.round == number), None
        )

    def opened_for(self, model: str) -> Opened | None:
        """The round that made a model, or None where it was made elsewhere, as the first is."""
        for event in self.events:
            if isinstance(event, Distilled) and event.model == model:
                return self.of_round(event.round, Opened)
        return None

    @property
    def last_opened(self) -> Opened | None:
        """The last round's beginning, whatever became of it."""
        return next((event for event in reversed(self.events) if isinstance(event, Opened)), None)

    def turned_down(self, plan: str, *, serving: str, by: dict[str, Any]) -> Kept | None:
        """Where a plan's candidate was kept from taking another's place already, by the same gate; None where it was not."""
        for event in self.events:
            if isinstance(event, Kept) and (event.serving, event.by) == (serving, by):
                made = self.of_round(event.round, Distilled)
                if made is not None and made.plan == plan:
                    return event
        return None

    def before(self, model: str) -> str | None:
        """What the deployment served before a model was promoted, or None where it never was."""
        for event in reversed(self.events):
            if isinstance(event, Promoted) and event.after == model:
                return event.before
        return None

    @property
    def models(self) -> tuple[str, ...]:
        """Every model that the deployment has served, the first one first."""
        served = (
            model
            for event in self.events
            if isinstance(event, Promoted)
            for model in (event.before, event.after)
        )
        return tuple(dict.fromkeys(served))

    def to_dict(self) -> dict[str, Any]:
        """The lineage as JSON types."""
        events: list[dict[str, Any]] = [msgspec.to_builtins(event) for event in self.events]
        return {"name": self.name, "serving": self.serving, "rounds": self.rounds, "events": events}

    def __repr__(self) -> str:
        return f"<Lineage {self.name!r}: {self.rounds} rounds, serving {self.serving}>"

    def __str__(self) -> str:
        return "\n".join(map(_line, self.events)) or f"There is no round of {self.name!r} yet."


_SAYS: Final[dict[type, str]] = {
    Opened: "{training.records:,} records to learn from, {evaluation.records:,} to compare on",
    Distilled: "{model}",
    Judged: "{report}",
    Promoted: "{after} in place of {before}",
    Kept: "{serving} stays",
    Ended: "{why}",
    RolledBack: "{after} again, in place of {before}",
}


def _line(event: Event) -> str:
    kind = event.__struct_config__.tag
    values = {name: getattr(event, name) for name in event.__struct_fields__}
    return (
        f"{event.at:%Y-%m-%d %H:%M}  round {event.round}  {kind:<11}  {_SAYS[type(event)].format(**values)}"
    )


class LineageStore:
    """The events of a name in the output bucket, and the files of its rounds."""

    def __init__(self, clients: Clients, folder: S3Uri, name: str, *, kms_key: str | None = None) -> None:
        self._clients, self._store, self._kms_key = clients, ObjectStore(clients), kms_key
        self.folder = (folder / f"lineage/{name}").as_prefix
        self.lineage = Lineage(name)

    def read(self) -> Lineage:
        """All events there are.

        Raises:
            DataError: If an object there is no event, or one is missing.
            ServiceError: If S3 refuses.
        """
        folder = (self.folder / "events").as_prefix
        # The console marks a folder with an empty object of the folder's own name.
        uris = sorted(uri for uri, _ in self._store.list(folder) if uri != folder)
        self.lineage = replace(self.lineage, events=tuple(self._read(uris)))
        return self.lineage

    def _read(self, uris: list[S3Uri]) -> Iterator[Event]:
        for number, uri in enumerate(uris, start=1):
            try:
                event: Event = msgspec.json.decode(self._store.read(uri), type=Event)
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                raise DataError(
                    f"{uri} is no event of a lineage: {error}. Was it written by a newer version?"
                ) from error
            if event.number != number:
                raise DataError(
                    f"{uri} is event {event.number}, and event {number} is not there: a lineage is only ever added to. "
                    "Put back what was deleted, or refine under another name."
                )
            yield event

    def append(self, kind: type[_Kind], **facts: Any) -> _Kind:
        """Write an event after those that were read, and return it.

        Raises:
            ConflictError: If somebody else has written one in the meantime.
            PlanError: If the lineage is full.
        """
        number = len(self.lineage.events) + 1
        if number > _MOST_EVENTS:
            raise PlanError(
                f"The lineage {self.lineage.name!r} has {_MOST_EVENTS} events: go on under another name."
            )
        event = kind(number=number, at=self._clients.clock.now(), version=_version(), **facts)
        uri = self.folder / f"events/{number:05}.json"
        body = msgspec.json.format(msgspec.json.encode(event), indent=1)
        try:
            self._store.put_new(body, uri, kms_key_id=self._kms_key)
        except ConflictError as error:
            raise ConflictError(
                f"Somebody else is refining {self.lineage.name!r}: {uri} was written since this run began. "
                "Let one run at a time go on; start again to see where it stands.",
                service="s3",
                operation="PutObject",
                code=error.code,
            ) from error
        self.lineage = replace(self.lineage, events=(*self.lineage.events, event))
        return event

    def put(self, path: Path, name: str, *, records: int, sha256: str | None = None) -> Stored:
        """Put a file of a round there; `sha256` is its digest, where that is known."""
        uri, sha256 = self.folder / name, sha256 or digest_file(path).sha256
        self._store.put_file(path, uri, sha256=sha256, kms_key_id=self._kms_key)
        return Stored(uri=str(uri), sha256=sha256, records=records)

    def get(self, stored: Stored, path: Path) -> Path:
        """A file of a round, on this machine.

        Raises:
            DataError: If it is not what was put there.
            NotFoundError: If it is gone.
        """
        body = self._store.read(S3Uri.parse(stored.uri))
        if hashlib.sha256(body).hexdigest() != stored.sha256:
            raise DataError(
                f"{stored.uri} is not what the lineage says it is (SHA-256 {stored.sha256}): "
                "somebody has changed it. Put the old version back, or refine under another name."
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.{os.getpid()}")
        part.write_bytes(body)
        part.replace(path)  # whole or not at all, where two runs fetch it at once
        return path


def _version() -> str:
    from bedrock_distill import __version__  # noqa: PLC0415 - the package's own root

    return __version__
