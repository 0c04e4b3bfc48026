"""What answers behind the local cloud's endpoints: transformers' continuous batching over a real model directory."""

from bedrock_distill.local.engine.engine import Engine, Engines

__all__ = ["Engine", "Engines"]
