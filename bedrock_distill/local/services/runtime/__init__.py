"""bedrock-runtime: conversations with teachers, untrained students and deployed custom models."""

from bedrock_distill.local.services.runtime.service import BedrockRuntime

__all__ = ["BedrockRuntime"]
