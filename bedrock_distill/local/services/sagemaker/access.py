"""What an execution role must be able to do, asked of the cloud's own IAM, and the files it then may read."""

from __future__ import annotations

import hashlib
import io
import shutil
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from bedrock_distill.local.model_prefix import ModelPrefix
from bedrock_distill.local.services.bedrock.policies import Request, decide
from bedrock_distill.local.services.bedrock.roles import bucket_policy, read_role
from bedrock_distill.local.services.sagemaker.state import refused
from bedrock_distill.uris import Arn, S3Uri, partition_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bedrock_distill.local.services.bedrock.roles import Role
    from bedrock_distill.local.world import World

__all__ = ["SAGEMAKER", "Access", "DownloadError", "Source", "source_of"]

SAGEMAKER = "sagemaker.amazonaws.com"
"""The service principal that assumes execution roles."""


class DownloadError(RuntimeError):
    """The model's files cannot be brought to the instance."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a container's files lie."""

    uri: S3Uri
    is_prefix: bool
    packed: bool
    """Whether it is a tar.gz to unpack."""


def source_of(container: Mapping[str, Any]) -> Source | None:
    """The place of a container's files; None where it has none."""
    if url := container.get("ModelDataUrl"):
        return Source(S3Uri.parse(url), is_prefix=False, packed=True)
    data = (container.get("ModelDataSource") or {}).get("S3DataSource")
    if data is None:
        return None
    is_prefix = data["S3DataType"] == "S3Prefix"
    return Source(S3Uri.parse(data["S3Uri"]), is_prefix, data["CompressionType"] == "Gzip")


@dataclass(frozen=True, slots=True)
class Access:
    """The checks for one request, in one account and region."""

    world: World
    region: str
    account_id: str

    def role(self, arn: str) -> Role:
        """The role, if SageMaker may assume it.

        Raises:
            AwsError: ValidationException, with AWS's words.
        """
        if Arn.parse(arn).account != self.account_id:
            raise refused("Cross-account pass role is not allowed.")
        role = read_role(self.world, self.region, arn)
        asked = Request(
            "sts:AssumeRole", resource=arn, service=SAGEMAKER, context={"aws:sourceaccount": self.account_id}
        )
        if role is None or decide([role.trust], asked) != "allow":
            raise refused(
                f"Could not assume role {arn}. Please ensure that the role exists and allows principal "
                f"'{SAGEMAKER}' to assume the role."
            )
        return role

    def readable(self, role: Role, source: Source) -> None:
        """Check that a model's files are there and that the role may list and read them.

        Raises:
            AwsError: ValidationException, with AWS's words.
        """
        if not self.files(source):
            raise refused(f"Could not find model data at {source.uri}.")
        if not self._may_read(role, source):
            raise refused(
                f'Could not access model data at {source.uri}. Please ensure that the role "{role.arn}" exists and that its '
                'trust relationship policy allows the action "sts:AssumeRole" for the service principal '
                f'"{SAGEMAKER}". Also ensure that the role has "s3:GetObject" permissions and that the object is '
                f"located in {self.region}. If your Model uses multiple models or uncompressed models, please ensure "
                'that the role has "s3:ListBucket" permission.'
            )

    def files(self, source: Source) -> dict[str, tuple[int, str]]:
        """Key -> bytes and ETag of every object of a source; empty where there is none, or no such bucket."""
        s3 = self.world.client("s3", self.region)
        try:
            if not source.is_prefix:
                head = s3.head_object(Bucket=source.uri.bucket, Key=source.uri.key)
                return {source.uri.key: (head["ContentLength"], head["ETag"])}
            pages = s3.get_paginator("list_objects_v2").paginate(
                Bucket=source.uri.bucket, Prefix=source.uri.key
            )
            return {
                item["Key"]: (item["Size"], item["ETag"])
                for page in pages
                for item in page.get("Contents", ())
                if not item["Key"].endswith("/")
            }
        except ClientError:
            return {}

    def download(self, role_arn: str, source: Source) -> Path:
        """Bring a model's files to this machine: the directory that lies at /opt/ml/model in a container.

        The same objects are brought once.

        Raises:
            DownloadError: If they are gone, or the role may not read them.
        """
        role = read_role(self.world, self.region, role_arn)
        files = self.files(source)
        if role is None or not files or not self._may_read(role, source):
            raise DownloadError(
                f'Failed to download model data for container "container_1" from URL: "{source.uri}". Please ensure that '
                "there is an object located at the URL and that the role passed to CreateModel has permissions to "
                "download the object."
            )
        listing = repr((source, sorted(files.items())))
        directory = self.world.workdir / "sagemaker" / hashlib.sha256(listing.encode()).hexdigest()[:16]
        with self.world.lock:
            if not directory.is_dir():
                self._bring(source, files, directory)
        return directory

    def _bring(self, source: Source, files: Mapping[str, Any], directory: Path) -> None:
        s3 = self.world.client("s3", self.region)
        half = directory.with_suffix(".part")
        shutil.rmtree(half, ignore_errors=True)
        if source.is_prefix and not source.packed:
            ModelPrefix(s3, source.uri).download(half)
        else:
            half.mkdir(parents=True)
            self._bring_one(s3, source, files, half)
        half.rename(directory)

    def _bring_one(self, s3: Any, source: Source, files: Mapping[str, Any], half: Path) -> None:
        """One object: a file as it is, or an archive of them."""
        for key in files:
            body = s3.get_object(Bucket=source.uri.bucket, Key=key)["Body"]
            if source.packed:
                with tarfile.open(fileobj=io.BytesIO(body.read())) as archive:
                    archive.extractall(half, filter="data")
            else:
                with (half / source.uri.name).open("wb") as file:
                    shutil.copyfileobj(body, file, 1 << 20)

    def _may_read(self, role: Role, source: Source) -> bool:
        bucket = f"arn:{partition_of(self.region)}:s3:::{source.uri.bucket}"
        policy = bucket_policy(self.world, self.region, source.uri.bucket)
        example = source.uri / "any-object" if source.is_prefix else source.uri
        may_get = role.may("s3:GetObject", f"{bucket}/{example.key}", resource_policy=policy)
        may_list = not source.is_prefix or role.may(
            "s3:ListBucket", bucket, context={"s3:prefix": source.uri.key}, resource_policy=policy
        )
        return may_get and may_list
