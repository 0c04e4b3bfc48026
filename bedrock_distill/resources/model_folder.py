"""A model's directory, looked at before anything moves: what it is, which files go, where they go, and whether they are there."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from bedrock_distill.aws import FolderStage
from bedrock_distill.aws.model_files import S3Folder
from bedrock_distill.aws.parts import digest_files
from bedrock_distill.errors import DataError, SpecError, StalePlanError
from bedrock_distill.models import Folder, inspect
from bedrock_distill.plan import FolderFile, StageFolder
from bedrock_distill.resources.data import stamp
from bedrock_distill.uris import S3Uri

if TYPE_CHECKING:
    from bedrock_distill.aws import Clients
    from bedrock_distill.catalog import Catalog
    from bedrock_distill.models import ModelReport

__all__ = ["FoundModel", "check_model_source", "find_model"]

_SHIPPED = (
    "*.safetensors",
    "*.safetensors.index.json",
    "config.json",
    "generation_config.json",
    "chat_template.jinja",
    "chat_template.json",
    "tokenizer*.json",
    "tokenizer*.model",
    "*.tiktoken",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.*",
    "merges.txt",
    "spiece.model",
    "*processor_config.json",
    "quantize_config.json",
    "quant_config.json",
    "hf_quant_config.json",
    "recipe.yaml",
)
"""Files that serving reads. Others in the directory (training states, pickled weights, pictures) stay where they are."""

_CODE = ("*.py",)
"""What models bring whose architecture transformers does not have."""

_UNSAFE = re.compile(r"[^-_.a-zA-Z0-9]+")
"""What may not be in the URI of a request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundModel:
    """What was found of a model."""

    uri: S3Uri
    """The prefix it is served from, with a slash at its end; a local directory is staged there."""
    report: ModelReport
    """What it is, and what takes it."""
    identity: str
    """What makes two models the same: a digest of every file's name and content."""
    path: Path | None = None
    """The local directory, or None where the model lies in S3."""
    files: tuple[FolderFile, ...] = ()
    """What is staged of the local directory."""
    staged: bool = True
    """Whether all of it is there."""

    def stage(self, kms_key_id: str | None) -> list[StageFolder]:
        """The step that stages it; none where it lies in S3."""
        if self.path is None:
            return []
        return [
            StageFolder(
                path=str(self.path),
                uri=str(self.uri),
                files=self.files,
                kms_key_id=kms_key_id,
                done=self.staged,
            )
        ]


def check_model_source(value: str) -> str:
    """A directory on this machine as an absolute path, or an S3 prefix with a slash at its end."""
    if value.startswith("s3:/"):
        return str(S3Uri.parse(value).as_prefix)
    path = Path(value).expanduser().absolute()
    if not path.is_dir():
        raise ValueError(
            "there is no such directory; give a model's directory, or an s3:// prefix that holds one"
        )
    return str(path)


def find_model(
    source: str,
    clients: Clients,
    catalog: Catalog,
    *,
    staging: S3Uri | None,
    kms_key_id: str | None,
    with_code: bool = False,
) -> FoundModel:
    """Look at a model, and take the digests of its files.

    Args:
        source: A directory or an S3 prefix, as `check_model_source` leaves it.
        clients: The gate to AWS.
        catalog: Facts about architectures.
        staging: S3 folder under which a local directory is staged.
        kms_key_id: The key it is encrypted with there.
        with_code: Whether the model's own Python files go, too, for a server that may run them.

    Raises:
        DataError: If files cannot be read, or are no model.
        SpecError: If a local directory is given and no place to stage it.
        StalePlanError: If a file changes while it is read.
    """
    if source.startswith("s3:"):
        return _in_s3(S3Uri.parse(source), clients, catalog)
    if staging is None:
        raise SpecError(
            f"The model {source} lies on this machine, and AWS reads models from S3: say where to stage it, as in "
            'staging="s3://BUCKET/models/".',
            field="staging",
        )
    path = Path(source)
    report = inspect(Folder(path), catalog=catalog, region=clients.region)
    names = _shipped(path, (*_SHIPPED, *_CODE) if with_code else _SHIPPED)
    paths = [path / name for name in names]
    before = [stamp(each) for each in paths]
    digests = digest_files(paths)
    if [stamp(each) for each in paths] != before:
        raise StalePlanError(f"{path} changed while it was read: plan again when it is complete.")
    files = tuple(
        FolderFile(name=name, size_bytes=size, digest=digest)
        for name, (size, digest) in zip(names, digests, strict=True)
    )
    identity = _identity(
        [f"{file.name}:{file.size_bytes}:{file.digest}" for file in files] + [kms_key_id or ""]
    )
    name = _UNSAFE.sub("-", path.name).strip("-.") or "model"
    uri = (staging / "models" / f"{name[:60]}-{identity[:12]}").as_prefix
    missing = FolderStage(clients).missing(files, uri, kms_key_id=kms_key_id)
    return FoundModel(uri=uri, report=report, identity=identity, path=path, files=files, staged=not missing)


def _in_s3(prefix: S3Uri, clients: Clients, catalog: Catalog) -> FoundModel:
    report = inspect(S3Folder(clients, prefix), catalog=catalog, region=clients.region)
    listed = clients.pages(
        "s3", "list_objects_v2", "Contents", Bucket=prefix.bucket, Prefix=prefix.as_prefix.key
    )
    facts = [f"{item['Key']}:{item['Size']}:{item['ETag']}" for item in listed]
    return FoundModel(uri=prefix.as_prefix, report=report, identity=_identity([prefix.bucket, *facts]))


def _shipped(folder: Path, patterns: tuple[str, ...]) -> list[str]:
    names = sorted(
        path.name
        for path in folder.iterdir()
        if path.is_file() and any(fnmatchcase(path.name, pattern) for pattern in patterns)
    )
    if not names:
        raise DataError(
            f"{folder} holds no file of a Hugging Face model: no config.json, no *.safetensors, no tokenizer."
        )
    return names


def _identity(facts: list[str]) -> str:
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()
