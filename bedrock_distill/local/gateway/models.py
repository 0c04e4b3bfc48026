"""botocore's service models, loaded once, and which request belongs to which operation."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from botocore.exceptions import UnknownServiceError
from botocore.loaders import Loader
from botocore.model import OperationNotFoundError, ServiceModel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bedrock_distill.local.gateway.wire import WireRequest

__all__ = ["Api", "Route", "Routed", "load_api"]

_LABEL = re.compile(r"\{([^}+]+)(\+?)\}")


@dataclass(frozen=True, slots=True)
class Route:
    """How one REST operation looks on the wire."""

    operation: str
    method: str
    pattern: re.Pattern[str]
    labels: tuple[str, ...]
    query: tuple[tuple[str, str], ...]
    """Query parameters that are part of the route, such as `list-type=2`."""
    needs_query: frozenset[str]
    needs_headers: frozenset[str]
    literals: int
    """How many characters of the path are fixed: the more specific of two routes has more."""

    def matches(self, request: WireRequest) -> re.Match[str] | None:
        """The match of the path, if method, path and fixed query parameters agree."""
        if request.method != self.method:
            return None
        found = self.pattern.fullmatch(request.path)
        if found is None or any(pair not in request.query for pair in self.query):
            return None
        return found

    def closeness(self, request: WireRequest) -> tuple[bool, int, int]:
        """How well a matching request fits; the greatest wins.

        Members that the operation requires in the query or the headers tell apart operations that share a path, such as
        PutObject, UploadPart and CopyObject.
        """
        names = {name for name, _ in request.query}
        has_all = self.needs_query <= names and all(request.header(name) for name in self.needs_headers)
        return (
            has_all,
            self.literals,
            len(self.query) + len(self.needs_query) + len(self.needs_headers),
        )


@dataclass(frozen=True, slots=True)
class Routed:
    """The operation a request is for, and what its path says."""

    operation: str
    labels: dict[str, str]


class Api:
    """One service as botocore's model describes it.

    Args:
        name: The service as boto3 names it.
        model: Its model.
    """

    def __init__(self, name: str, model: Any) -> None:
        self.name = name
        self.model = model
        self.signing_name: str = model.signing_name
        self.protocol: str = _protocol(model)
        self.target_prefix: str = model.metadata.get("targetPrefix", "")
        self.json_version: str = model.metadata.get("jsonVersion", "1.0")
        modelled = {shape.name for shape in getattr(model, "error_shapes", ())}
        self.validation_error = next(
            (name for name in ("ValidationException", "ValidationError") if name in modelled),
            "ValidationException",
        )
        """What the service calls a request that breaks its model."""
        self._routes = list(_routes(model)) if self.protocol.startswith("rest-") else []

    def operation(self, name: str) -> Any | None:
        """The OperationModel, or None if this version of botocore has no such operation."""
        try:
            return self.model.operation_model(name)
        except OperationNotFoundError:
            return None

    def route(self, request: WireRequest) -> Routed | None:
        """Find the operation of a request; None if no operation looks like it."""
        if not self._routes:
            prefix, _, name = (request.header("x-amz-target") or "").rpartition(".")
            return Routed(name, {}) if prefix == self.target_prefix and self.operation(name) else None
        found = [(route, match) for route in self._routes if (match := route.matches(request))]
        if not found:
            return None
        route, match = max(found, key=lambda pair: pair[0].closeness(request))
        values = (unquote(value) for value in match.groups())
        return Routed(route.operation, dict(zip(route.labels, values, strict=True)))


@cache
def load_api(name: str) -> Api | None:
    """The model of a service as boto3 names it, or None if botocore has none."""
    # Read anew, not shared with clients: botocore's S3 client takes the bucket out of its model's paths.
    try:
        raw = Loader().load_service_model(name, "service-2")
    except UnknownServiceError:
        return None
    return Api(name, ServiceModel(raw, name))


def _protocol(model: Any) -> str:
    """The protocol botocore will speak; older versions know only the one in the metadata."""
    return str(getattr(model, "resolved_protocol", None) or model.metadata["protocol"])


def _routes(model: Any) -> Iterator[Route]:
    for name in model.operation_names:
        operation = model.operation_model(name)
        path, _, query = operation.http["requestUri"].partition("?")
        needs_query, needs_headers = _required(operation)
        pairs = tuple(_pair(part) for part in query.split("&")) if query else ()
        yield Route(
            operation=name,
            method=operation.http["method"],
            pattern=re.compile(_path_pattern(path)),
            labels=tuple(label for label, _ in _LABEL.findall(path)),
            query=pairs,
            needs_query=needs_query,
            needs_headers=needs_headers,
            literals=len(_LABEL.sub("", path)),
        )


def _pair(part: str) -> tuple[str, str]:
    name, _, value = part.partition("=")
    return name, value


def _path_pattern(path: str) -> str:
    pattern, position = "", 0
    for label in _LABEL.finditer(path):
        pattern += re.escape(path[position : label.start()])
        pattern += "(.+)" if label[2] else "([^/]+)"
        position = label.end()
    return pattern + re.escape(path[position:]) + "/?"


def _required(operation: Any) -> tuple[frozenset[str], frozenset[str]]:
    """Query parameters and headers that the operation requires."""
    shape = operation.input_shape
    if shape is None:
        return frozenset(), frozenset()
    required = [shape.members[name] for name in shape.required_members]
    wanted = {
        where: frozenset(
            member.serialization["name"]
            for member in required
            if member.serialization.get("location") == where
        )
        for where in ("querystring", "header")
    }
    return wanted["querystring"], wanted["header"]
