"""The `application-autoscaling` service, for SageMaker's variants and inference components: targets, policies, and acting on them."""

from bedrock_distill.local.services.application_autoscaling.service import ApplicationAutoScaling

__all__ = ["ApplicationAutoScaling"]
