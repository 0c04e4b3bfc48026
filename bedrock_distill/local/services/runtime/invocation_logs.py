"""Model invocation logging: records gathered and delivered to S3 and CloudWatch Logs, in AWS's layout.

A record waits until a batch is full, a moment has passed, or somebody calls `flush`; AWS delivers within minutes, too.
Delivery never fails a call: what cannot be delivered is dropped with a warning, as AWS drops it.
"""

from __future__ import annotations

import gzip
import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from bedrock_distill.local.services.bedrock.invocation_logging import log_root
from bedrock_distill.local.services.bedrock.state import logging_configuration
from bedrock_distill.local.services.runtime.log_records import log_record
from bedrock_distill.uris import S3Uri

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bedrock_distill.local.services.runtime.log_records import Invocation
    from bedrock_distill.local.world import World

__all__ = ["BATCH_RECORDS", "DELIVERY_S", "LOG_STREAM", "InvocationLogs"]

BATCH_RECORDS = 200
"""Records that wait at most before they are delivered."""

DELIVERY_S = 1.0
"""Real seconds after which waiting records are delivered."""

LOG_STREAM = "aws/bedrock/modelinvocations"
"""CloudWatch's log stream, by AWS's name."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Waiting:
    invocation: Invocation
    configuration: Mapping[str, Any]
    """The logging configuration at the time of the call."""


class InvocationLogs:
    """Gathers invocations and delivers them. Thread-safe."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._ids = world.ids.spawn("invocation-logs")
        self._waiting: list[_Waiting] = []
        self._timer: threading.Timer | None = None
        self._closed = False
        self._lock = threading.Lock()
        self._delivering = threading.RLock()

    def add(self, invocation: Invocation) -> None:
        """Log an invocation, if logging is on in its region."""
        configuration = logging_configuration(self._world, invocation.call.region)
        if configuration is None:
            return
        with self._lock:
            if self._closed:
                return
            self._waiting.append(_Waiting(invocation, configuration))
            full = len(self._waiting) >= BATCH_RECORDS
            if not full and self._timer is None:
                self._timer = threading.Timer(DELIVERY_S, self.flush)
                self._timer.daemon = True
                self._timer.start()
        if full:
            self.flush()

    def flush(self) -> None:
        """Deliver everything that waits; it is in its destination when this returns."""
        with self._delivering:
            with self._lock:
                batch, self._waiting = self._waiting, []
                if self._timer is not None:
                    self._timer.cancel()
                    self._timer = None
            for group in _grouped(batch):
                self._deliver(group)

    def close(self) -> None:
        """Deliver what waits and take no more."""
        with self._lock:
            self._closed = True
        self.flush()

    def _deliver(self, group: list[_Waiting]) -> None:
        configuration, region = group[0].configuration, group[0].invocation.call.region
        text = configuration.get("textDataDeliveryEnabled", True)
        invocations = [waiting.invocation for waiting in group]
        try:
            if place := configuration.get("s3Config"):
                self._to_s3(place, invocations, region, text=text)
            if place := configuration.get("cloudWatchConfig"):
                self._to_cloudwatch(place, invocations, region, text=text)
        except Exception as error:  # noqa: BLE001 - a call that was answered does not fail for its log
            _log.warning("%d invocation log records were not delivered: %s", len(group), error)

    def _to_s3(
        self, place: Mapping[str, Any], invocations: list[Invocation], region: str, *, text: bool
    ) -> None:
        folder = _folder(place, invocations[0])
        lines = bytearray()
        for invocation in invocations:
            record, large = log_record(invocation, text=text, overflow=_overflow(folder, invocation))
            self._put_large(large, region)
            lines += orjson.dumps(record) + b"\n"
        stamp = invocations[0].at.strftime("%Y%m%dT%H%M%S%f")[:-3] + "Z"
        self._put(folder / f"{stamp}_{self._ids.token(16)}.json.gz", bytes(lines), region)

    def _to_cloudwatch(
        self, place: Mapping[str, Any], invocations: list[Invocation], region: str, *, text: bool
    ) -> None:
        large_place = place.get("largeDataDeliveryS3Config")
        events: list[dict[str, Any]] = []
        for invocation in invocations:
            overflow = _overflow(_folder(large_place, invocation), invocation) if large_place else None
            record, large = log_record(invocation, text=text, overflow=overflow)
            self._put_large(large, region)
            events.append(
                {"timestamp": int(invocation.at.timestamp() * 1000), "message": orjson.dumps(record).decode()}
            )
        client = self._world.client("logs", region)
        stream = {"logGroupName": place["logGroupName"], "logStreamName": LOG_STREAM}
        try:
            client.create_log_stream(**stream)
        except client.exceptions.ResourceAlreadyExistsException:
            _log.debug("%s is there already.", LOG_STREAM)
        client.put_log_events(**stream, logEvents=events)

    def _put_large(self, bodies: Mapping[str, bytes], region: str) -> None:
        for uri, body in bodies.items():
            self._put(S3Uri.parse(uri), body, region)

    def _put(self, uri: S3Uri, data: bytes, region: str) -> None:
        # A fixed time in the header: the same records make the same bytes.
        packed = gzip.compress(data, mtime=0)
        self._world.client("s3", region).put_object(
            Bucket=uri.bucket, Key=uri.key, Body=packed, ContentType="application/json"
        )


def _grouped(batch: list[_Waiting]) -> list[list[_Waiting]]:
    """Records that share an object: one region, one configuration, one hour."""
    groups: dict[tuple[str, bytes, str], list[_Waiting]] = {}
    for waiting in batch:
        settings = orjson.dumps(waiting.configuration, option=orjson.OPT_SORT_KEYS)
        key = (waiting.invocation.call.region, settings, waiting.invocation.at.strftime("%Y%m%d%H"))
        groups.setdefault(key, []).append(waiting)
    return list(groups.values())


def _folder(place: Mapping[str, Any], invocation: Invocation) -> S3Uri:
    call = invocation.call
    return log_root(place, call.account_id) / f"{call.region}/{invocation.at:%Y/%m/%d/%H}/"


def _overflow(folder: S3Uri, invocation: Invocation) -> dict[str, str]:
    data = folder / "data/"
    return {side: str(data / f"{invocation.call.request_id}_{side}.json.gz") for side in ("input", "output")}
