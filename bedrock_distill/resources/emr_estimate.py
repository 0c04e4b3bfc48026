"""What a harvest will use, from the bytes of its logs, with the arithmetic in words.

The measured figures: one core converts a record in 12 to 25 us, the reading of an object costs 0.2 to 1.3 ms beside it (with
obstore, with boto3), and a record is 1,560 bytes in a gzipped log (5.1 TB raw, 1.56 TB gzipped for a thousand million). Here
the dearer end is taken each time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bedrock_distill.plan.estimate import Use
from bedrock_distill.plan.listed import size_in_words
from bedrock_distill.resources.emr_harvest import CORES

if TYPE_CHECKING:
    from bedrock_distill.catalog import PriceKind
    from bedrock_distill.resources.emr_harvest import ServerlessHarvest

__all__ = ["DRIVER_GB", "GB_A_VCPU", "SERVICE", "Work", "uses_of", "work_of"]

SERVICE = "emr-serverless"
"""The name under which a catalog override states its prices, and `s3` for requests."""

BYTES_A_RECORD = 1560
CPU_S_A_RECORD = 25e-6
CPU_S_AN_OBJECT = 1.3e-3
ENGINE = 1.1
"""CPU with Spark over CPU in a process pool, without its start: 1.02 to 1.11 were seen."""

START_MINUTES = 2
"""For workers to start and unpack the environment; our assumption, AWS states no number."""
MINUTES_AN_EXECUTOR = 1
"""Work that makes one more executor worth starting."""

GB_A_VCPU = 2
"""The least that EMR Serverless takes for a worker of four vCPUs: a part needs some 100 MB."""
DRIVER_GB = 16


@dataclass(frozen=True, slots=True)
class Work:
    """How much a harvest has to do, and what it will use for it."""

    objects: int
    size_bytes: int
    complete: bool
    """Whether all objects were counted; otherwise everything here is the least."""
    executor_vcpus: int
    """vCPUs that run parts."""

    @property
    def records(self) -> float:
        """How many records there may be."""
        return self.size_bytes / BYTES_A_RECORD

    @property
    def cpu_hours(self) -> float:
        """CPU time of the conversion itself, on whatever machine."""
        return (self.records * CPU_S_A_RECORD + self.objects * CPU_S_AN_OBJECT) / 3600

    @property
    def hours(self) -> float:
        """How long it takes with these executors, their start included."""
        return self.cpu_hours * ENGINE / self.executor_vcpus + START_MINUTES / 60

    @property
    def vcpu_hours(self) -> float:
        """What is billed: every worker, the driver too, from its start to the end."""
        return (self.executor_vcpus + CORES) * self.hours

    @property
    def gb_hours(self) -> float:
        """Memory that is billed beside it."""
        return (self.executor_vcpus * GB_A_VCPU + DRIVER_GB) * self.hours

    @property
    def in_words(self) -> str:
        """The arithmetic."""
        return (
            f"{size_in_words(self.size_bytes)} / {BYTES_A_RECORD:,} B = {self.records:,.0f} records x "
            f"{CPU_S_A_RECORD * 1e6:.0f} us + {self.objects:,} objects x {CPU_S_AN_OBJECT * 1e3:.1f} ms = "
            f"{self.cpu_hours:,.2f} CPU hours; x {ENGINE} / {self.executor_vcpus} vCPUs + {START_MINUTES} min to start = "
            f"{self.hours * 60:,.0f} min; x {self.executor_vcpus + CORES} vCPUs with the driver = "
            f"{self.vcpu_hours:,.1f} vCPU-hours"
        )


def work_of(spec: ServerlessHarvest, *, objects: int, size_bytes: int, complete: bool) -> Work:
    """How much a spec has to do, on as many executors as have a minute's work each, up to its limit."""
    one = Work(objects, size_bytes, complete, CORES)
    wanted = math.ceil(one.cpu_hours * ENGINE * 60 / CORES / MINUTES_AN_EXECUTOR)
    return Work(objects, size_bytes, complete, min(spec.executor_vcpus, CORES * max(1, wanted)))


def uses_of(work: Work) -> list[Use]:
    """What a plan shows under cost."""
    bound = "estimated" if work.complete else "at least"

    def use(what: str, model: str, kind: PriceKind, quantity: float, unit: str) -> Use:
        return Use(what=f"{what} ({bound})", model=model, kind=kind, quantity=quantity, unit=unit)

    # Every object is read once; a listing shows a thousand, and what is written is little beside it.
    return [
        use("workers", SERVICE, "vcpu_hour", work.vcpu_hours, "vCPU-hours"),
        use("workers' memory", SERVICE, "memory_gb_hour", work.gb_hours, "GB-hours"),
        use("reading the logs", "s3", "get_1k_requests", work.objects / 1000, "1k GET requests"),
        use(
            "listing the logs",
            "s3",
            "put_1k_requests",
            math.ceil(work.objects / 1000) / 1000,
            "1k LIST requests",
        ),
    ]
