"""What can be built, one module a noun: its spec (what the user writes), its planner, and its handle.

A spec is a frozen pydantic model. A planner is a pure function from a spec and a snapshot of the world to a plan; the
snapshot is taken beside it, with reads only. A handle is what runs in AWS, named by its ARN: anyone may pick it up
tomorrow, from another machine.
"""

from bedrock_distill.resources.batch import BatchAnswer, BatchInference, BatchJob, BatchStatus
from bedrock_distill.resources.custom_model import CustomModel
from bedrock_distill.resources.data import InvocationLogs, Prompts
from bedrock_distill.resources.deployment import Deployment, DeploymentStatus, OnDemandDeployment
from bedrock_distill.resources.distillation import Distillation
from bedrock_distill.resources.emr_application import HarvestApplication
from bedrock_distill.resources.emr_harvest import ServerlessHarvest
from bedrock_distill.resources.emr_run import HarvestRun, HarvestStatus
from bedrock_distill.resources.endpoint import (
    LMI,
    TGI,
    VLLM,
    AsyncInference,
    Endpoint,
    EndpointStatus,
    LiveEndpoint,
    Rollout,
    Scaling,
    TensorRTLLM,
)
from bedrock_distill.resources.evaluation_job import (
    BedrockEvaluation,
    CustomMetric,
    EvaluationJob,
    EvaluationResult,
    EvaluationStatus,
)
from bedrock_distill.resources.invocation_logging import (
    CloudWatchLogs,
    InvocationLogging,
    LoggingOff,
    LoggingRestored,
)
from bedrock_distill.resources.job import DistillationJob, JobStatus
from bedrock_distill.resources.log_delivery import LogDelivery, LoggingStatus
from bedrock_distill.resources.model_copy import CopyStatus, ModelCopy, ModelCopyJob
from bedrock_distill.resources.model_import import ImportedModel, ImportStatus, ModelImport, ModelImportJob
from bedrock_distill.resources.provisioned import Provisioned, ProvisionedStatus, ProvisionedThroughput
from bedrock_distill.resources.spec import Spec
from bedrock_distill.resources.vpc import Vpc

__all__ = [
    "LMI",
    "TGI",
    "VLLM",
    "AsyncInference",
    "BatchAnswer",
    "BatchInference",
    "BatchJob",
    "BatchStatus",
    "BedrockEvaluation",
    "CloudWatchLogs",
    "CopyStatus",
    "CustomMetric",
    "CustomModel",
    "Deployment",
    "DeploymentStatus",
    "Distillation",
    "DistillationJob",
    "Endpoint",
    "EndpointStatus",
    "EvaluationJob",
    "EvaluationResult",
    "EvaluationStatus",
    "HarvestApplication",
    "HarvestRun",
    "HarvestStatus",
    "ImportStatus",
    "ImportedModel",
    "InvocationLogging",
    "InvocationLogs",
    "JobStatus",
    "LiveEndpoint",
    "LogDelivery",
    "LoggingOff",
    "LoggingRestored",
    "LoggingStatus",
    "ModelCopy",
    "ModelCopyJob",
    "ModelImport",
    "ModelImportJob",
    "OnDemandDeployment",
    "Prompts",
    "Provisioned",
    "ProvisionedStatus",
    "ProvisionedThroughput",
    "Rollout",
    "Scaling",
    "ServerlessHarvest",
    "Spec",
    "TensorRTLLM",
    "Vpc",
]
