"""The gateway: AWS's wire protocol on one side, plain methods on the other, with botocore's models in between."""

from bedrock_distill.local.gateway.errors import AwsError

__all__ = ["AwsError"]
