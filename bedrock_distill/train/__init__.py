"""The student trainer: distils a teacher's text or logits into a small causal LM, in a process of its own.

`TrainConfig` says what to do, `launch` does it. Both, and everything imported here, work without torch installed.
"""

from bedrock_distill.train.config import SIZES, StudentSize, TrainConfig
from bedrock_distill.train.events import StepMetric, TrainEvent, TrainResult
from bedrock_distill.train.launch import launch

__all__ = ["SIZES", "StepMetric", "StudentSize", "TrainConfig", "TrainEvent", "TrainResult", "launch"]
