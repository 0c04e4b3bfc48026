"""What a user of sagemaker-core would run: its resources against whatever AWS_ENDPOINT_URL names. Prints what it saw as JSON."""

from __future__ import annotations

import json
import sys

import boto3
from sagemaker.core.resources import Endpoint, EndpointConfig, Model
from sagemaker.core.shapes import (
    ContainerDefinition,
    ModelDataSource,
    ProductionVariant,
    S3ModelDataSource,
)


def main(role: str, image: str, ami: str) -> dict[str, object]:
    """Create, ask, update, stream and delete."""
    session = boto3.Session(region_name="us-east-1")
    common = {"session": session, "region": "us-east-1"}
    source = S3ModelDataSource(
        s3_uri="s3://models/student/", s3_data_type="S3Prefix", compression_type="None"
    )
    container = ContainerDefinition(
        image=image,
        environment={"OPTION_MAX_MODEL_LEN": "2048"},
        model_data_source=ModelDataSource(s3_data_source=source),
    )
    model = Model.create(model_name="core", primary_container=container, execution_role_arn=role, **common)
    for name in ("core-1", "core-2"):
        variant = ProductionVariant(
            variant_name="AllTraffic",
            model_name=model.model_name,
            initial_instance_count=1,
            instance_type="ml.g6.xlarge",
            inference_ami_version=ami,
        )
        EndpointConfig.create(endpoint_config_name=name, production_variants=[variant], **common)
    endpoint = Endpoint.create(endpoint_name="core", endpoint_config_name="core-1", **common)
    endpoint.wait_for_status("InService", timeout=60)
    body = {"inputs": "Hi", "parameters": {"max_new_tokens": 6, "do_sample": False}}
    answer = endpoint.invoke(body=json.dumps(body), content_type="application/json")
    # sagemaker-core 2.27's own invoke_with_response_stream fails on every stream: it looks for keys in botocore's EventStream.
    streamed = session.client("sagemaker-runtime").invoke_endpoint_with_response_stream(
        EndpointName="core", Body=json.dumps({**body, "stream": True}), ContentType="application/json"
    )
    raw = b"".join(event["PayloadPart"]["Bytes"] for event in streamed["Body"])
    endpoint.endpoint_config_name = "core-2"
    endpoint.update()
    endpoint.wait_for_status("InService", timeout=60)
    served = endpoint.endpoint_config_name
    listed = [each.endpoint_name for each in Endpoint.get_all(**common)]
    endpoint.delete()
    endpoint.wait_for_delete(timeout=60)
    return {
        "text": json.loads(answer.body.read())["generated_text"],
        "last line": [json.loads(line) for line in raw.splitlines() if line][-1],
        "content type": streamed["ContentType"],
        "served after the update": served,
        "listed": listed,
    }


if __name__ == "__main__":
    json.dump(main(*sys.argv[1:]), sys.stdout)
