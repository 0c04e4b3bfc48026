"""Inspecting a model wherever it lies: a directory of this machine, or a prefix of S3."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bedrock_distill.catalog import Catalog, load_catalog
from bedrock_distill.models import Folder, ModelReport, inspect

if TYPE_CHECKING:
    import os

    from bedrock_distill.models import ModelFiles
    from bedrock_distill.session import Session

__all__ = ["inspect_model"]


def inspect_model(
    where: str | os.PathLike[str],
    *,
    session: Session | None = None,
    region: str | None = None,
    catalog: Catalog | str | os.PathLike[str] | None = None,
) -> ModelReport:
    """Look at a model before moving it: its files, its shape, and which targets take it.

    Only config files and the headers of the weights are read; on S3, by ranged requests.

        report = bd.inspect_model("s3://bucket/student/")
        if not report.verdict("model-import").ok:
            print(report)

    Args:
        where: A directory, or an S3 URI of a prefix.
        session: Whose account reads an S3 URI. Default: boto3's own choice.
        region: The region that Custom Model Import is meant in. Default: any that has it.
        catalog: A `Catalog`, or a file laid over the shipped one. Default: the session's, else the shipped one.

    Raises:
        DataError: If there is no such directory, or nothing in it.
        SpecError: If it is not an S3 URI.
        ServiceError: If S3 refuses.
    """
    if catalog is None and session is not None:
        catalog = session.catalog
    if not isinstance(catalog, Catalog):
        catalog = load_catalog(catalog)
    files: ModelFiles
    if "://" in str(where):
        from bedrock_distill.aws import Clients  # noqa: PLC0415 - boto3 only where S3 is asked
        from bedrock_distill.aws.model_files import S3Folder  # noqa: PLC0415

        files = S3Folder(session.clients if session is not None else Clients(), str(where))
    else:
        files = Folder(where)
    return inspect(files, catalog=catalog, region=region)
