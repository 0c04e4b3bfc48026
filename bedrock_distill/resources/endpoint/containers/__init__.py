"""Serving containers: typed settings that become exactly the right environment, image and host."""

from bedrock_distill.resources.endpoint.containers.choosing import Choice, choose_instance
from bedrock_distill.resources.endpoint.containers.images import ContainerImage
from bedrock_distill.resources.endpoint.containers.lmi import LMI, TensorRTLLM
from bedrock_distill.resources.endpoint.containers.problems import Problem, raise_errors
from bedrock_distill.resources.endpoint.containers.settings import (
    MOUNTED,
    Container,
    Dialect,
    Lora,
    Speculation,
)
from bedrock_distill.resources.endpoint.containers.tgi import TGI
from bedrock_distill.resources.endpoint.containers.timeouts import Timeouts, timeouts
from bedrock_distill.resources.endpoint.containers.vllm import VLLM

__all__ = [
    "LMI",
    "MOUNTED",
    "TGI",
    "VLLM",
    "Choice",
    "Container",
    "ContainerImage",
    "Dialect",
    "Lora",
    "Problem",
    "Speculation",
    "TensorRTLLM",
    "Timeouts",
    "choose_instance",
    "raise_errors",
    "timeouts",
]
