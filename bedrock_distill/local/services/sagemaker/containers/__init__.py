"""Serving containers as SageMaker starts them: which one an image is, how it reads its environment, and what kills it."""
