"""A harvest on EMR Serverless: converting invocation logs to training data on many machines, as the user writes it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from pydantic import Field, field_validator, model_validator

from bedrock_distill.resources import fields
from bedrock_distill.resources.spec import Spec, check_name, short_name
from bedrock_distill.uris import Arn, S3Uri

if TYPE_CHECKING:
    from bedrock_distill.records.logs.query import LogQuery
    from bedrock_distill.resources.survey import Place

__all__ = ["CORES", "ServerlessHarvest", "folder_of", "intent_of", "job_document"]

CORES = 4
"""vCPUs of the driver, and of each executor."""

_APPLICATION_ID = re.compile(r"[0-9a-z]{1,64}")
_KEY_ARN = re.compile(r"arn:aws(-[^:]+)?:kms:[a-z0-9-]+:[0-9]{12}:key/[a-zA-Z0-9-]+")
_MOST_KEYS = 16

_WANTED = ("name", "logs", "output", "query", "max_records", "seed", "distinct", "near_duplicates", "edition")
"""Fields that say what is harvested; the others say with what."""


class ServerlessHarvest(Spec):
    """Convert invocation logs on EMR Serverless: Spark that AWS runs, billed by what its workers use.

    One machine comes first: docs/explanation/past-one-machine.md says when it is worth leaving.
    """

    name: str
    """Yours to choose; application, run and role are named after it."""
    logs: str
    """S3 URI of the prefix that the invocation logs lie under."""
    output: str
    """S3 URI of a folder. Each harvest has a folder of its own in it, for results, work and Spark's logs."""
    query: dict[str, Any] = Field(default_factory=dict)
    """Which records to take, with the fields of `LogQuery`; a `LogQuery` is taken, too. Default: every text prompt."""
    max_records: int | None = Field(default=None, ge=1)
    """Stop at so many records, taken from a sample of the logs. Default: all of them."""
    seed: int = 0
    """Another seed, another sample."""
    distinct: bool = True
    """Leave out records whose prompt came before."""
    near_duplicates: bool = False
    """Leave out records whose prompt is nearly that of one before, too; the driver finds them among all."""
    environment: str | None = None
    """S3 URI of a packed Python environment (.tar.gz) with this package in it. A plan without one says how to build it."""
    application: str | None = None
    """Id of an application of yours to run in. Default: one is made, that stops by itself when idle."""
    role: str | None = None
    """ARN of the role the run assumes. Default: one is made with the least policy that works."""
    release: str = "emr-spark-8.0.0"
    """EMR release of the application that is made: Spark 4.0 with Python 3.11 to 3.13. It must have the environment's Python."""
    architecture: Literal["X86_64", "ARM64"] = "X86_64"
    """Of the application that is made; the environment must be built for it."""
    max_vcpus: int = Field(default=64, ge=2 * CORES, le=4000)
    """Most vCPUs in use at a time, the driver's four among them."""
    idle_minutes: int = Field(default=15, ge=1, le=10080)
    """Minutes without a run after which the application that is made stops by itself."""
    driver_disk_gb: int = Field(default=20, ge=20, le=200)
    """Disk of the driver, where the records are put together: it must hold them all. Beyond 20 GB it is billed."""
    timeout_minutes: int = Field(default=720, ge=1, le=10080)
    """Minutes after which a run is cancelled."""
    kms_keys: tuple[str, ...] = Field(default=(), max_length=_MOST_KEYS)
    """ARNs of KMS keys that the logs or the output are encrypted with, for the role that is made."""
    cloudwatch: bool = False
    """Send the driver's output to CloudWatch Logs, too; it goes to S3 in any case."""
    edition: str = Field(default="", max_length=64)
    """Any text. The same logs, query and edition are the same harvest: change it to convert again what has come since."""
    tags: dict[str, str] = Field(default_factory=dict)

    @field_validator("name")
    @classmethod
    def _name(cls, value: str) -> str:
        return check_name(value)

    @field_validator("query", mode="before")
    @classmethod
    def _query(cls, value: object) -> object:
        from bedrock_distill.records.logs.query import LogQuery  # noqa: PLC0415 - only harvests need it

        if isinstance(value, dict):
            fields_of = LogQuery.__struct_fields__
            if strange := sorted(set(map(str, value)) - set(fields_of)):
                raise ValueError(f"has no fields {', '.join(strange)}; it takes: {', '.join(fields_of)}")
            try:
                value = msgspec.convert(value, LogQuery)
            except msgspec.ValidationError as error:
                raise ValueError(f"is not a query: {error}") from error
        return msgspec.to_builtins(value) if isinstance(value, LogQuery) else value

    @field_validator("logs")
    @classmethod
    def _logs(cls, value: str) -> str:
        return str(S3Uri.parse(value).as_prefix)

    @field_validator("environment")
    @classmethod
    def _environment(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r".+\.(tar\.gz|tgz|zip)", S3Uri.parse(value).key):
            raise ValueError("must be the S3 URI of a .tar.gz, .tgz or .zip archive; Spark unpacks no others")
        if value is not None and re.search(r"[\s#,]", value):
            raise ValueError("must have no spaces, commas or # in its key: Spark reads those as its own")
        return value

    @field_validator("application")
    @classmethod
    def _application(cls, value: str | None) -> str | None:
        if value is None:
            return None
        found = Arn.parse(value).resource.rpartition("/")[2] if Arn.looks_like(value) else value
        if not _APPLICATION_ID.fullmatch(found):
            raise ValueError("must be an application's id, such as 00abcdefghijklmn, or its ARN")
        return found

    @field_validator("kms_keys")
    @classmethod
    def _kms_keys(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if strange := [key for key in value if not _KEY_ARN.fullmatch(key)]:
            raise ValueError(
                f"must be ARNs of keys, not of aliases: IAM takes nothing else (got {strange[0]!r})"
            )
        return value

    _output = field_validator("output")(fields.check_output)
    _role = field_validator("role")(fields.check_role)
    _tags = field_validator("tags")(fields.check_tags)

    @model_validator(mode="after")
    def _apart(self) -> ServerlessHarvest:
        if self.output.startswith(self.logs):
            raise ValueError(
                f"output {self.output} lies under logs {self.logs}: results would be read as logs the next time"
            )
        return self

    @property
    def logs_uri(self) -> S3Uri:
        """`logs` as a URI."""
        return S3Uri.parse(self.logs)

    @property
    def output_uri(self) -> S3Uri:
        """`output` as a URI."""
        return S3Uri.parse(self.output)

    @property
    def log_query(self) -> LogQuery:
        """`query` as an object."""
        from bedrock_distill.records.logs.query import LogQuery  # noqa: PLC0415 - only harvests need it

        return msgspec.convert(self.query, LogQuery)

    @property
    def executor_vcpus(self) -> int:
        """Most vCPUs that run parts: whole executors beside the driver."""
        return (self.max_vcpus - CORES) // CORES * CORES


def intent_of(spec: ServerlessHarvest, place: Place, *, entry_sha256: str, release: str) -> dict[str, Any]:
    """What makes two harvests the same: what is read, what is taken of it, and by which code.

    How many machines do it, and in which application and role, is not among it: where a run has failed, the next attempt
    goes on with its work, whatever was changed of those.

    Args:
        spec: What is wanted.
        place: Where.
        entry_sha256: Digest of the entry script.
        release: This package's version.
    """
    wanted = {name: getattr(spec, name) for name in _WANTED}
    code = {"entry": entry_sha256, "release": release}
    return {
        "kind": "harvest",
        "spec": wanted,
        "code": code,
        "region": place.region,
        "account": place.account_id,
    }


def folder_of(spec: ServerlessHarvest, fingerprint: str) -> S3Uri:
    """The harvest's own folder in the output: every attempt works there, and finds what an earlier one has done."""
    return spec.output_uri / f"{short_name(spec.name, fingerprint)}/"


def job_document(spec: ServerlessHarvest, place: Place, fingerprint: str) -> str:
    """What the entry script is told, as JSON."""
    from bedrock_distill.harvest.document import JobDocument  # noqa: PLC0415 - it brings the whole harvest with it

    folder = folder_of(spec, fingerprint)
    return JobDocument(
        region=place.region,
        logs=spec.logs,
        records=str(folder / "records.jsonl"),
        report=str(folder / "report.json"),
        work=str(folder / "work/"),
        query=spec.log_query,
        max_records=spec.max_records,
        seed=spec.seed,
        distinct=spec.distinct,
        near_duplicates=spec.near_duplicates,
    ).to_json()
