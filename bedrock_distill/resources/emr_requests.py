"""What is asked of EMR Serverless and IAM for a harvest. Pure: a spec in, requests and documents out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bedrock_distill.plan import fingerprint_of
from bedrock_distill.resources.emr_estimate import DRIVER_GB, GB_A_VCPU
from bedrock_distill.resources.emr_harvest import CORES, folder_of
from bedrock_distill.resources.emr_policies import LOG_GROUP, harvest_policy, harvest_trust
from bedrock_distill.resources.spec import short_name
from bedrock_distill.uris import S3Uri

if TYPE_CHECKING:
    from bedrock_distill.resources.emr_harvest import ServerlessHarvest
    from bedrock_distill.resources.survey import Place

__all__ = [
    "application_name",
    "application_request",
    "is_named_after",
    "role_documents",
    "run_request",
]

_SHORT = 8
"""Digits of a fingerprint in a name."""

_DISK_GB = 20
"""What every worker has without being paid for."""

_HEAP_GB = 4
"""Java's share of a worker's memory. The work is done in Python beside it, from the overhead."""

_PYTHON = "./environment/bin/python"
"""The interpreter in the archive, once Spark has unpacked it under this name."""


def application_request(spec: ServerlessHarvest, *, deleted_before: int) -> dict[str, Any]:
    """The request to CreateApplication.

    Args:
        spec: What is wanted.
        deleted_before: How many applications of this name were deleted: a token that made one of them makes no other.
    """
    return {
        "name": application_name(spec),
        "clientToken": f"bedrock-distill-{_application_fingerprint(spec)}-{deleted_before + 1}",
        **_application_settings(spec),
        "tags": {"bedrock-distill": spec.name, **spec.tags},
    }


def application_name(spec: ServerlessHarvest) -> str:
    """Name of the application that is made: harvests of one name that need the same settings share one."""
    return short_name(spec.name, _application_fingerprint(spec))


def is_named_after(spec: ServerlessHarvest, name: str) -> bool:
    """Whether an application's name may have been made from this spec's, with whatever settings."""
    base, _, fingerprint = name.rpartition("-")
    return base == short_name(spec.name, "").rstrip("-") and len(fingerprint) == _SHORT


def _application_fingerprint(spec: ServerlessHarvest) -> str:
    return fingerprint_of({"name": spec.name, **_application_settings(spec)})


def _application_settings(spec: ServerlessHarvest) -> dict[str, Any]:
    workers = spec.executor_vcpus // CORES + 1
    memory = spec.executor_vcpus * GB_A_VCPU + DRIVER_GB
    return {
        "releaseLabel": spec.release,
        "type": "SPARK",
        "architecture": spec.architecture,
        "maximumCapacity": {
            "cpu": f"{spec.executor_vcpus + CORES} vCPU",
            "memory": f"{memory} GB",
            "disk": f"{(workers - 1) * _DISK_GB + spec.driver_disk_gb} GB",
        },
        "autoStartConfiguration": {"enabled": True},
        "autoStopConfiguration": {"enabled": True, "idleTimeoutMinutes": spec.idle_minutes},
    }


def run_request(
    spec: ServerlessHarvest,
    *,
    fingerprint: str,
    attempt: int,
    deleted_before: int,
    role_arn: str,
    entry: S3Uri,
    document: S3Uri,
) -> dict[str, Any]:
    """The request to StartJobRun, but for the application's id.

    Args:
        spec: What is wanted.
        fingerprint: The plan's.
        attempt: Which try this is.
        deleted_before: As for the application: in another one, this is another request.
        role_arn: The role the run assumes.
        entry: The staged entry script.
        document: The staged job document.
    """
    monitoring: dict[str, Any] = {
        "s3MonitoringConfiguration": {"logUri": str(folder_of(spec, fingerprint) / "logs/")}
    }
    if spec.cloudwatch:
        monitoring["cloudWatchLoggingConfiguration"] = {
            "enabled": True,
            "logGroupName": LOG_GROUP,
            "logStreamNamePrefix": short_name(spec.name, fingerprint, attempt),
        }
    settings = _spark_settings(spec)
    return {
        "name": short_name(spec.name, fingerprint, attempt),
        "clientToken": f"bedrock-distill-{fingerprint}-{_where(spec, deleted_before)}-{attempt}",
        "executionRoleArn": role_arn,
        "jobDriver": {
            "sparkSubmit": {
                "entryPoint": str(entry),
                "entryPointArguments": [str(document)],
                "sparkSubmitParameters": " ".join(f"--conf {key}={value}" for key, value in settings.items()),
            }
        },
        "configurationOverrides": {"monitoringConfiguration": monitoring},
        "executionTimeoutMinutes": spec.timeout_minutes,
        "tags": {"bedrock-distill": spec.name, "bedrock-distill:plan": fingerprint, **spec.tags},
    }


def _where(spec: ServerlessHarvest, deleted_before: int) -> str:
    """Stands for the application in a run's token, whose id is not known yet."""
    name = spec.application or application_name(spec)
    return fingerprint_of({"application": name, "deleted": deleted_before})[:_SHORT]


def _spark_settings(spec: ServerlessHarvest) -> dict[str, str]:
    settings = {
        "spark.driver.cores": str(CORES),
        "spark.driver.memory": f"{_HEAP_GB}g",
        "spark.driver.memoryOverhead": f"{DRIVER_GB - _HEAP_GB}g",
        "spark.emr-serverless.driver.disk": f"{spec.driver_disk_gb}g",
        "spark.executor.cores": str(CORES),
        "spark.executor.memory": f"{_HEAP_GB}g",
        "spark.executor.memoryOverhead": f"{CORES * GB_A_VCPU - _HEAP_GB}g",
        "spark.dynamicAllocation.maxExecutors": str(spec.executor_vcpus // CORES),
    }
    if spec.environment is not None:
        settings |= {
            "spark.archives": f"{spec.environment}#environment",
            "spark.emr-serverless.driverEnv.PYSPARK_DRIVER_PYTHON": _PYTHON,
            "spark.emr-serverless.driverEnv.PYSPARK_PYTHON": _PYTHON,
            "spark.executorEnv.PYSPARK_PYTHON": _PYTHON,
        }
    return settings


def role_documents(spec: ServerlessHarvest, place: Place) -> tuple[dict[str, Any], dict[str, Any]]:
    """Trust and permissions of the role that is made for a harvest."""
    policy = harvest_policy(
        partition=place.partition,
        region=place.region,
        account_id=place.account_id,
        logs=spec.logs_uri,
        output=spec.output_uri,
        environment=S3Uri.parse(spec.environment) if spec.environment else None,
        kms_key_arns=spec.kms_keys,
        cloudwatch=spec.cloudwatch,
    )
    return harvest_trust(account_id=place.account_id), policy
