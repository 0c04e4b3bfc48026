"""Provisioned throughput: capacity for one model that is paid by the hour, used or not.

`spec` is what is wanted, `plan` what would be done, `handle` what runs.
"""

from bedrock_distill.resources.provisioned.handle import (
    Provisioned,
    ProvisionedStatus,
    provisioned_throughputs,
)
from bedrock_distill.resources.provisioned.plan import plan_provisioned, plan_provisioned_in
from bedrock_distill.resources.provisioned.spec import ProvisionedThroughput

__all__ = [
    "Provisioned",
    "ProvisionedStatus",
    "ProvisionedThroughput",
    "plan_provisioned",
    "plan_provisioned_in",
    "provisioned_throughputs",
]
