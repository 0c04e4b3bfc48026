"""Looking at a model before moving it: its files, its shape, and what takes it."""

from bedrock_distill.models.files import Folder, ModelFiles
from bedrock_distill.models.inspection import inspect
from bedrock_distill.models.report import Finding, ModelReport, Verdict
from bedrock_distill.models.shape import ModelShape, Quantization

__all__ = [
    "Finding",
    "Folder",
    "ModelFiles",
    "ModelReport",
    "ModelShape",
    "Quantization",
    "Verdict",
    "inspect",
]
