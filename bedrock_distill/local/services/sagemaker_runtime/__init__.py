"""The `sagemaker-runtime` service: endpoints asked and answering, each in the schema and framing of its container."""

from bedrock_distill.local.services.sagemaker_runtime.service import SageMakerRuntime

__all__ = ["SageMakerRuntime"]
