"""What a request asks for: which service, which operation, with what, in which region."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from bedrock_distill.local.gateway.errors import AwsError
from bedrock_distill.local.gateway.models import Api, Routed, load_api
from bedrock_distill.local.gateway.parsing import parse_request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bedrock_distill.local.gateway.wire import WireRequest

__all__ = ["Hint", "NotServedError", "Target", "Targets"]

_VIRTUAL_HOST = re.compile(r"(?P<bucket>.+)\.(?P<host>s3[.-].*amazonaws\.com.*)")
_REGION_IN_HOST = re.compile(r"\.(?P<region>[a-z]{2}(?:-[a-z]+)+-\d)\.")
_CBOR_PATH = re.compile(r"/service/[^/]+/operation/(?P<operation>[^/]+)")


class NotServedError(Exception):
    """A request for a service that the local cloud does not have."""

    def __init__(self, service: str, operation: str, signing_name: str, served: tuple[str, ...]) -> None:
        super().__init__(service, operation)
        self.service = service
        self.operation = operation
        self.signing_name = signing_name
        self.served = served

    def __str__(self) -> str:
        asked = f" (asked for {self.operation})" if self.operation else ""
        return (
            f"The local cloud has no service {self.service!r}{asked}. It has {', '.join(self.served)}. "
            "Nothing was sent to AWS."
        )


@dataclass(frozen=True, slots=True)
class Hint:
    """What an SDK says it is about to send."""

    service: str
    """The service id, hyphenated, as botocore's events carry it (`cloudwatch-logs`)."""
    operation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a request asks for."""

    service: str
    """Service as boto3 names it."""
    operation: str
    """Operation as the API names it; empty if the request looks like none."""
    params: Mapping[str, Any]
    region: str
    signing_name: str
    api: Api | None
    """The model of one of our services; None if the neighbour answers."""
    refusal: AwsError | None = None
    """Why the request cannot even be read."""


class Targets:
    """Finds what requests ask for.

    Args:
        ours: Our services, as boto3 names them.
        neighbours: The neighbour's services, as boto3 names them.
        region: The region of requests that name none.
    """

    def __init__(self, ours: tuple[str, ...], neighbours: tuple[str, ...], region: str) -> None:
        self._ours = [api for name in ours if (api := load_api(name)) is not None]
        self._neighbours = neighbours
        self._region = region
        self._served = tuple(sorted({*(api.name for api in self._ours), *neighbours}))

    def find(self, request: WireRequest, hint: Hint | None = None) -> Target:
        """What `request` asks for.

        Raises:
            NotServedError: If no service here is meant.
        """
        signature = request.signature
        signing_name = signature.service if signature else ""
        found = _REGION_IN_HOST.search(request.host)
        region = (signature.region if signature else None) or (found["region"] if found else self._region)
        if target := self._find_ours(request, hint, signing_name, region):
            return target
        service = self._find_neighbour(request, hint, signing_name)
        if service is None:
            service = hint.service if hint else signing_name or request.host
            operation = hint.operation if hint else _operation_on_the_wire(request)
            raise NotServedError(service, operation, signing_name, self._served)
        operation, params = _read_foreign(service, request)
        return Target(
            service=service,
            operation=(hint.operation if hint else "") or operation,
            params=params,
            region=region,
            signing_name=signing_name or service,
            api=None,
        )

    def _find_ours(
        self, request: WireRequest, hint: Hint | None, signing_name: str, region: str
    ) -> Target | None:
        """Ours by name if the SDK says so; else whichever service of that signing name has such an operation."""
        if hint is not None:
            candidates = [api for api in self._ours if _event_name(api) == hint.service]
        else:
            candidates = [api for api in self._ours if signing_name in (api.signing_name, "")]
        for api in candidates:
            routed = api.route(request)
            if routed is not None:
                return _ours(api, routed, request, signing_name, region)
        if not candidates or (hint is None and not signing_name):
            return None
        return _unknown_operation(candidates[0], hint, request, region)

    def _find_neighbour(self, request: WireRequest, hint: Hint | None, signing_name: str) -> str | None:
        for name in self._neighbours:
            api = load_api(name)
            if api is None:
                continue
            if hint is not None:
                if _event_name(api) == hint.service:
                    return name
            elif signing_name == api.signing_name:
                return name
        if hint is None and not signing_name:
            # Nobody signed: an action of STS, or a public object of S3.
            return "sts" if b"Action=AssumeRoleWith" in request.body else "s3"
        return None


def _event_name(api: Api) -> str:
    return str(api.model.service_id.hyphenize())


def _ours(api: Api, routed: Routed, request: WireRequest, signing_name: str, region: str) -> Target:
    params: Mapping[str, Any] = {}
    refusal = None
    try:
        params = parse_request(api, routed, request)
    except AwsError as error:
        refusal = error
    return Target(
        service=api.name,
        operation=routed.operation,
        params=params,
        region=region,
        signing_name=signing_name,
        api=api,
        refusal=refusal,
    )


def _unknown_operation(api: Api, hint: Hint | None, request: WireRequest, region: str) -> Target:
    asked = f"{request.method} {request.path}"
    return Target(
        service=api.name,
        operation=hint.operation if hint else "",
        params={},
        region=region,
        signing_name=api.signing_name,
        api=api,
        refusal=AwsError(
            "UnknownOperationException", f"{api.name} has no operation like {asked}.", status=404
        ),
    )


def _operation_on_the_wire(request: WireRequest) -> str:
    """The operation's name, where the protocol carries it."""
    if target := request.header("x-amz-target"):
        return target.rpartition(".")[2]
    if found := _CBOR_PATH.search(request.path):
        return found["operation"]
    return _form(request).get("Action", "")


def _read_foreign(service: str, request: WireRequest) -> tuple[str, Mapping[str, Any]]:
    """Operation and parameters of a request to the neighbour, as far as they can be told without its protocol."""
    named = _operation_on_the_wire(request)
    if named:
        return named, _foreign_params(request)
    api = load_api(service)
    if api is None:
        return "", {}
    request = _path_style(request) if service == "s3" else request
    routed = api.route(request)
    if routed is None:
        return "", {}
    # The body is left out: it may be large, and is XML where it is not an object's bytes.
    try:
        return routed.operation, parse_request(api, routed, replace(request, body=b""))
    except AwsError:
        return routed.operation, routed.labels


def _foreign_params(request: WireRequest) -> Mapping[str, Any]:
    if request.header("x-amz-target") is not None:
        try:
            value = json.loads(request.body or b"{}")
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}
    return {name: value for name, value in _form(request).items() if name not in ("Action", "Version")}


def _form(request: WireRequest) -> dict[str, str]:
    """The fields of a query-protocol request, from its body or its URL."""
    content_type = request.header("content-type") or ""
    if content_type.startswith("application/x-www-form-urlencoded"):
        return dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
    return dict(request.query) if "Action" in dict(request.query) else {}


def _path_style(request: WireRequest) -> WireRequest:
    """The same request with the bucket at the beginning of the path instead of in the host's name."""
    found = _VIRTUAL_HOST.fullmatch(request.host)
    if found is None:
        return request
    parts = urlsplit(request.url)
    return replace(
        request, url=urlunsplit(parts._replace(netloc=found["host"], path=f"/{found['bucket']}{parts.path}"))
    )
