"""What can be built, one module a noun: its spec (what the user writes), its planner, and its handle.

A spec is a frozen pydantic model. A planner is a pure function from a spec and a snapshot of the world to a plan; the
snapshot is taken beside it, with reads only. A handle is what runs in AWS, named by its ARN: anyone may pick it up
tomorrow, from another machine.
"""

from bedrock_distill.resources.custom_model import CustomModel
from bedrock_distill.resources.data import Prompts
from bedrock_distill.resources.deployment import Deployment, DeploymentStatus, OnDemandDeployment
from bedrock_distill.resources.distillation import Distillation, Vpc
from bedrock_distill.resources.job import DistillationJob, JobStatus
from bedrock_distill.resources.spec import Spec

__all__ = [
    "CustomModel",
    "Deployment",
    "DeploymentStatus",
    "Distillation",
    "DistillationJob",
    "JobStatus",
    "OnDemandDeployment",
    "Prompts",
    "Spec",
    "Vpc",
]
