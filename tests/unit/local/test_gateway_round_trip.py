"""Every operation, both ways: what a client sends arrives unchanged, and what a service answers does too."""

from __future__ import annotations

import pytest
from botocore import xform_name

from bedrock_distill.local.cloud import Cloud
from bedrock_distill.local.gateway.models import load_api

SERVICES = ("bedrock", "bedrock-runtime", "sagemaker-runtime")
NEEDS_HTTP_2 = "InvokeModelWithBidirectionalStream"
OPERATIONS = [
    (service, operation)
    for service in SERVICES
    for operation in load_api(service).model.operation_names
    if operation != NEEDS_HTTP_2
]


def _plain(value):
    """An answer with its streams read."""
    value.pop("ResponseMetadata", None)
    return {
        key: list(item)
        if hasattr(item, "get_initial_response")
        else item.read()
        if hasattr(item, "read")
        else item
        for key, item in value.items()
    }


@pytest.fixture(scope="module")
def stand_ins():
    """One cloud and one client for each service, for all the operations: opening them costs more than the calls."""
    fakes = {service: _Anything() for service in SERVICES}
    with Cloud(services=lambda _: fakes) as cloud:
        session = cloud.boto3_session()
        yield {service: (session.client(service), fakes[service]) for service in SERVICES}


class _Anything:
    """Answers every operation with what it was told last."""

    def __getattr__(self, name):
        if name in ("close", "flush"):
            raise AttributeError(name)  # no operations: what a service may have beside them

        def method(call):
            self.call = call
            return self.answer

        return method


@pytest.mark.parametrize(("service", "operation"), OPERATIONS)
def test_an_operation_arrives_and_answers_unchanged(service, operation, stand_ins, make_value):
    model = load_api(service).operation(operation)
    client, stand_in = stand_ins[service]
    for variant in range(2):
        params = make_value(model.input_shape, variant) if model.input_shape else {}
        answer = make_value(model.output_shape, variant) if model.output_shape else {}
        stand_in.answer = answer
        reply = getattr(client, xform_name(operation))(**params)
        assert stand_in.call.params == params
        assert reply["ResponseMetadata"]["HTTPStatusCode"] == model.http.get("responseCode", 200)
        assert reply["ResponseMetadata"]["RequestId"] == stand_in.call.request_id
        assert _plain(reply) == answer
