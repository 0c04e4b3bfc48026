"""Distil a cheaper model on Amazon Bedrock, and prove that it is as good.

The public names, loaded when they are first used: importing this package imports no AWS library and no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bedrock_distill import errors, local
    from bedrock_distill.apply.evaluating import gather_answers, report_of_jobs
    from bedrock_distill.catalog import Catalog, load_catalog
    from bedrock_distill.chat import (
        AsyncTarget,
        Cascade,
        CascadeReply,
        ChatReply,
        ChatStream,
        Recorded,
        Target,
        endpoint_dialect,
        imported_dialect,
    )
    from bedrock_distill.errors import BedrockDistillError
    from bedrock_distill.evaluation import AnswerCache, Calibration, Judge, Report, calibrate, evaluate
    from bedrock_distill.harvest import LogReport, count_logs, from_logs
    from bedrock_distill.models import ModelReport
    from bedrock_distill.plan import Plan
    from bedrock_distill.profiling import Assumptions, LearningCurve, Profile, learning_curve, profile
    from bedrock_distill.records import Message, Record
    from bedrock_distill.records.logs import LogQuery, Metadata
    from bedrock_distill.refinement import Gate, Refinement, refine, rollback
    from bedrock_distill.resources import (
        LMI,
        TGI,
        VLLM,
        AsyncInference,
        BatchInference,
        BatchJob,
        BedrockEvaluation,
        CustomMetric,
        Deployment,
        Distillation,
        DistillationJob,
        Endpoint,
        EvaluationJob,
        HarvestApplication,
        HarvestRun,
        ImportedModel,
        InvocationLogging,
        InvocationLogs,
        LiveEndpoint,
        ModelCopy,
        ModelCopyJob,
        ModelImport,
        ModelImportJob,
        OnDemandDeployment,
        Prompts,
        Provisioned,
        ProvisionedThroughput,
        Rollout,
        Scaling,
        ServerlessHarvest,
        TensorRTLLM,
    )
    from bedrock_distill.resources.model_inspection import inspect_model
    from bedrock_distill.session import Session
    from bedrock_distill.uris import Arn, S3Uri

__version__ = "0.1.0"

_HOMES = {
    "AnswerCache": "evaluation",
    "Arn": "uris",
    "Assumptions": "profiling",
    "AsyncInference": "resources",
    "AsyncTarget": "chat",
    "BatchInference": "resources",
    "BatchJob": "resources",
    "BedrockDistillError": "errors",
    "BedrockEvaluation": "resources",
    "Calibration": "evaluation",
    "Cascade": "chat",
    "CascadeReply": "chat",
    "Catalog": "catalog",
    "ChatReply": "chat",
    "ChatStream": "chat",
    "CustomMetric": "resources",
    "Deployment": "resources",
    "Distillation": "resources",
    "DistillationJob": "resources",
    "Endpoint": "resources",
    "EvaluationJob": "resources",
    "Gate": "refinement",
    "HarvestApplication": "resources",
    "HarvestRun": "resources",
    "ImportedModel": "resources",
    "InvocationLogging": "resources",
    "InvocationLogs": "resources",
    "Judge": "evaluation",
    "LMI": "resources",
    "LearningCurve": "profiling",
    "LiveEndpoint": "resources",
    "LogQuery": "records.logs",
    "LogReport": "harvest",
    "Message": "records",
    "Metadata": "records.logs",
    "ModelCopy": "resources",
    "ModelCopyJob": "resources",
    "ModelImport": "resources",
    "ModelImportJob": "resources",
    "ModelReport": "models",
    "OnDemandDeployment": "resources",
    "Plan": "plan",
    "Profile": "profiling",
    "Prompts": "resources",
    "Provisioned": "resources",
    "ProvisionedThroughput": "resources",
    "Record": "records",
    "Recorded": "chat",
    "Refinement": "refinement",
    "Report": "evaluation",
    "Rollout": "resources",
    "S3Uri": "uris",
    "Scaling": "resources",
    "ServerlessHarvest": "resources",
    "Session": "session",
    "TGI": "resources",
    "Target": "chat",
    "TensorRTLLM": "resources",
    "VLLM": "resources",
    "calibrate": "evaluation",
    "count_logs": "harvest",
    "endpoint_dialect": "chat",
    "evaluate": "evaluation",
    "from_logs": "harvest",
    "gather_answers": "apply.evaluating",
    "imported_dialect": "chat",
    "inspect_model": "resources.model_inspection",
    "learning_curve": "profiling",
    "load_catalog": "catalog",
    "refine": "refinement",
    "rollback": "refinement",
    "report_of_jobs": "apply.evaluating",
    "profile": "profiling",
}
"""Public name -> the room it lives in."""

_MODULES = ("errors", "local")
"""Public submodules."""

__all__ = [
    "LMI",
    "TGI",
    "VLLM",
    "AnswerCache",
    "Arn",
    "Assumptions",
    "AsyncInference",
    "AsyncTarget",
    "BatchInference",
    "BatchJob",
    "BedrockDistillError",
    "BedrockEvaluation",
    "Calibration",
    "Cascade",
    "CascadeReply",
    "Catalog",
    "ChatReply",
    "ChatStream",
    "CustomMetric",
    "Deployment",
    "Distillation",
    "DistillationJob",
    "Endpoint",
    "EvaluationJob",
    "Gate",
    "HarvestApplication",
    "HarvestRun",
    "ImportedModel",
    "InvocationLogging",
    "InvocationLogs",
    "Judge",
    "LearningCurve",
    "LiveEndpoint",
    "LogQuery",
    "LogReport",
    "Message",
    "Metadata",
    "ModelCopy",
    "ModelCopyJob",
    "ModelImport",
    "ModelImportJob",
    "ModelReport",
    "OnDemandDeployment",
    "Plan",
    "Profile",
    "Prompts",
    "Provisioned",
    "ProvisionedThroughput",
    "Record",
    "Recorded",
    "Refinement",
    "Report",
    "Rollout",
    "S3Uri",
    "Scaling",
    "ServerlessHarvest",
    "Session",
    "Target",
    "TensorRTLLM",
    "__version__",
    "calibrate",
    "count_logs",
    "endpoint_dialect",
    "errors",
    "evaluate",
    "from_logs",
    "gather_answers",
    "imported_dialect",
    "inspect_model",
    "learning_curve",
    "load_catalog",
    "local",
    "profile",
    "refine",
    "report_of_jobs",
    "rollback",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
