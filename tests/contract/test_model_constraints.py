"""Every constraint of the service models, broken one at a time, for every operation and through both doors.

The tables of refusals beside this file say what AWS refuses for reasons of its own. What it refuses because the model says so
(missing, type, enum, pattern, length, range, union) is told by the model, so the bad inputs are made from it: a new
constraint in a new botocore is held here the day it comes.
"""

from __future__ import annotations

import copy
import json
import re
import runpy
from pathlib import Path

import pytest
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError

from bedrock_distill.local.cloud import Cloud
from bedrock_distill.local.gateway.models import load_api
from bedrock_distill.local.gateway.patterns import matches

_made_up = runpy.run_path(str(Path(__file__).parents[1] / "unit" / "local" / "conftest.py"))["made_up"]

SERVICES = (
    "application-autoscaling",
    "bedrock",
    "bedrock-runtime",
    "comprehend",
    "emr-serverless",
    "sagemaker",
    "sagemaker-runtime",
)
CODES = {"sagemaker-runtime": "ValidationError"}
"""What a service calls a request that breaks its model, where it is not a ValidationException."""
MISSING = object()
WRONG_TYPES = {
    "structure": "text",
    "list": "text",
    "map": "text",
    "string": 7,
    "integer": "many",
    "long": "many",
    "float": "much",
    "double": "much",
    "boolean": "perhaps",
    "timestamp": "yesterday",
}
TOO_MUCH = 1_000_000
"""Longer values than this are left out: they test the machine more than the rule."""


def breaches(shape, value, path=()):
    """Bad inputs: where, what is put there, and the rule that it breaks. One rule at a time."""
    if getattr(shape, "is_document_type", False) or shape.serialization.get("eventstream"):
        return
    carried = shape.serialization.get("location")
    if path and shape.type_name in WRONG_TYPES and not (carried and shape.type_name == "string"):
        yield path, WRONG_TYPES[shape.type_name], "type"
    if getattr(shape, "enum", None):
        yield path, "NO_SUCH_VALUE", "enum"
    yield from _ranges(shape, path)
    pattern = shape.metadata.get("pattern")
    if pattern and (text := _text_against(shape, pattern)):
        yield path, text, "pattern"
    yield from _inside(shape, value, path)


def _ranges(shape, path):
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    kind = shape.type_name
    if kind in ("integer", "long", "float", "double"):
        yield from (
            (path, bound + step, "range") for bound, step in ((low, -1), (high, 1)) if bound is not None
        )
    elif kind in ("string", "blob", "list"):
        # An empty text in a path would be another path, and an empty list in a query is no list.
        place = shape.serialization.get("location")
        least = 2 if place == "uri" or (place == "querystring" and kind == "list") else 1
        if low is not None and low >= least:
            yield path, _of_length(shape, low - 1), "length"
        if high is not None and high < TOO_MUCH:
            yield path, _of_length(shape, high + 1), "length"
    elif kind == "map" and low:
        yield path, {}, "length"


def _of_length(shape, length):
    if shape.type_name == "list":
        return [_made_up(shape.member)] * length
    return "a" * length if shape.type_name == "string" else b"a" * length


def _text_against(shape, pattern):
    """A text of a good length that the pattern refuses; None if it takes all of these."""
    low, high = max(shape.metadata.get("min") or 1, 1), shape.metadata.get("max") or TOO_MUCH
    texts = (letter * low for letter in "!é ~|")
    return next((text for text in texts if len(text) <= high and not matches(pattern, text)), None)


def _inside(shape, value, path):
    if shape.type_name == "structure":
        yield from _members(shape, value, path)
    elif shape.type_name == "list" and value:
        yield from breaches(shape.member, value[0], (*path, 0))
    elif shape.type_name == "map" and value:
        key = next(iter(value))
        yield from breaches(shape.value, value[key], (*path, key))


def _members(shape, value, path):
    if getattr(shape, "is_tagged_union", False):
        yield path, {}, "union"
    for name in shape.required_members:
        # botocore itself makes up an idempotency token that is missing.
        made_up = shape.members[name].metadata.get("idempotencyToken")
        if shape.members[name].serialization.get("location") != "uri" and not made_up:
            yield (*path, name), MISSING, "missing"
    for name, item in value.items():
        yield from breaches(shape.members[name], item, (*path, name))


def broken(params, path, bad):
    """A copy of the parameters with one value replaced."""
    result = copy.deepcopy(params)
    inner = result
    for step in path[:-1]:
        inner = inner[step]
    if bad is MISSING:
        inner.pop(path[-1], None)
    else:
        inner[path[-1]] = bad
    return result


@pytest.fixture(scope="module", params=["process", "http"])
def clients(request):
    """Clients that check nothing themselves, through either door."""
    with Cloud() as cloud:
        url = cloud.serve().url if request.param == "http" else None
        config = Config(parameter_validation=False, retries={"total_max_attempts": 1})
        session = cloud.boto3_session()
        yield {name: session.client(name, endpoint_url=url, config=config) for name in SERVICES}


def served(service):
    """The operations that the local cloud has and that take parameters."""
    with Cloud() as cloud:
        ours = cloud._running[service]
        return [
            name
            for name in load_api(service).model.operation_names
            if hasattr(ours, xform_name(name)) and load_api(service).operation(name).input_shape.members
        ]


OPERATIONS = [(service, operation) for service in SERVICES for operation in served(service)]


def send(client, operation, params, breach):
    """Call with one value replaced: in the parameters, or on the wire where botocore could not write such a value."""
    path, bad, rule = breach
    call = getattr(client, xform_name(operation))
    if rule != "type":
        return call(**broken(params, path, bad))
    place = client.meta.service_model.operation_model(operation).input_shape.members[path[0]].serialization

    def rewrite(params, **_):
        if place.get("location") == "querystring":
            params["url"] = re.sub(rf"\b{place['name']}=[^&]*", f"{place['name']}={bad}", params["url"])
        elif place.get("location") == "header":
            params["headers"][place["name"]] = str(bad)
        else:
            params["body"] = json.dumps(broken(json.loads(params["body"]), path, bad)).encode()

    client.meta.events.register("before-call", rewrite)
    try:
        return call(**params)
    finally:
        client.meta.events.unregister("before-call", rewrite)


@pytest.mark.parametrize(("service", "operation"), OPERATIONS)
def test_what_the_model_forbids_is_refused_by_its_name(clients, service, operation):
    shape = load_api(service).operation(operation).input_shape
    params = _made_up(shape)
    bad_inputs = list(breaches(shape, params))
    assert bad_inputs
    taken = [bad for bad in bad_inputs if not _is_refused(clients[service], operation, params, bad)]
    assert taken == []


def _is_refused(client, operation, params, breach):
    """Whether it is refused as AWS would: with the service's own error for it, naming the member."""
    try:
        send(client, operation, params, breach)
    except ClientError as error:
        answer = error.response
    else:
        return False
    name = [step for step in breach[0] if isinstance(step, str)][-1]
    outcome = (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"])
    code = CODES.get(client.meta.service_model.service_name, "ValidationException")
    return outcome == (code, 400) and name in answer["Error"]["Message"]
