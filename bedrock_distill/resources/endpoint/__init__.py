"""SageMaker endpoints: a Hugging Face model in a serving container, on an instance that fits, scaled.

`containers/` holds the settings of each container; `spec` is what is wanted, `choosing` finds the instance, `requests` and
`scaling` are what AWS is asked, `survey` looks, `plan` puts all together; `handle` is what runs, `made` knows what plans have made, and `removal` ends it.
"""

from bedrock_distill.resources.endpoint.containers import LMI, TGI, VLLM, TensorRTLLM
from bedrock_distill.resources.endpoint.handle import EndpointStatus, LiveEndpoint, endpoint_arn, endpoints
from bedrock_distill.resources.endpoint.made import unused_parts
from bedrock_distill.resources.endpoint.plan import plan_endpoint, plan_endpoint_in
from bedrock_distill.resources.endpoint.spec import CONTAINERS, AsyncInference, Endpoint, Rollout, Scaling

__all__ = [
    "CONTAINERS",
    "LMI",
    "TGI",
    "VLLM",
    "AsyncInference",
    "Endpoint",
    "EndpointStatus",
    "LiveEndpoint",
    "Rollout",
    "Scaling",
    "TensorRTLLM",
    "endpoint_arn",
    "endpoints",
    "plan_endpoint",
    "plan_endpoint_in",
    "unused_parts",
]
