"""Which image serves: a framework and a version become a URI in a region, and the image of the host that can run it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bedrock_distill.catalog import load_catalog
from bedrock_distill.errors import SpecError
from bedrock_distill.resources.endpoint.containers.published import Published
from bedrock_distill.resources.endpoint.containers.sdk_tables import sdk_images

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bedrock_distill.catalog import Ami, Catalog, Framework, Image

__all__ = ["ContainerImage", "ami_of", "find_image", "find_version", "known_versions", "read_image_uri"]

_LMI = re.compile(r"lmi(\d+)")
_CUDA = re.compile(r"cu(\d+)(\d)(?!\d)")


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerImage:
    """An image that can be named to SageMaker."""

    uri: str
    framework: str
    version: str
    """The framework's version, as the SageMaker SDK counts it; empty for an image of your own."""
    cuda: str
    """CUDA version inside, such as `13.0`; empty where unknown."""
    lmi: int | None = None
    """LMI release of a djl-lmi image."""
    vllm: str = ""
    """Version of the vLLM inside, or an empty string where unknown."""


def known_versions(framework: Framework, catalog: Catalog) -> dict[str, Published]:
    """Every known version of a framework, the newest first.

    A row of a user's own override file wins over the tables of an installed sagemaker-core, which win over the rows that
    ship with this package.
    """
    shipped = {row for row in _shipped_images() if row.framework == framework}
    ours = {row.version: row for row in catalog.images if row.framework == framework}
    fallback = next((row.cuda for row in ours.values()), "")
    merged = {version: _of_row(row, catalog) for version, row in ours.items()}
    for version, image in sdk_images(framework, fallback_cuda=fallback).items():
        row = ours.get(version)
        if row is None or row in shipped:
            known = merged.get(version)
            merged[version] = replace(image, vllm=known.vllm if known else "")
    return dict(sorted(merged.items(), key=lambda entry: _order(entry[0]), reverse=True))


def find_version(framework: Framework, version: str | None, catalog: Catalog) -> Published:
    """A version by its number or alias; the newest where none is given.

    Raises:
        SpecError: If the version is unknown.
    """
    versions = known_versions(framework, catalog)
    if version is None and versions:
        return next(iter(versions.values()))
    found = versions.get(version or "") or next(
        (image for image in versions.values() if version in image.aliases), None
    )
    if found is None:
        raise SpecError(
            f"version {version!r}: {framework} has the versions {', '.join(versions) or '(none)'}. "
            "Add an [[image]] to an override file for another, or give image_uri.",
            field="version",
            value=version,
        )
    return found


def find_image(framework: Framework, version: str | None, region: str, catalog: Catalog) -> ContainerImage:
    """The image of a version in a region.

    Raises:
        SpecError: If the version is unknown, or the region does not have it.
    """
    found = find_version(framework, version, catalog)
    account = found.accounts.get(region)
    if account is None:
        raise SpecError(
            f"region {region!r} has no image of {framework} {found.version}; it is in {', '.join(sorted(found.accounts))}. "
            "Choose another version or region, or give image_uri.",
            field="region",
            value=region,
        )
    release = _LMI.search(found.tag)
    return ContainerImage(
        uri=f"{account}.dkr.ecr.{region}.{_domain(region, catalog)}/{found.repository}:{found.tag}",
        framework=framework,
        version=found.version,
        cuda=found.cuda,
        lmi=int(release[1]) if release else None,
        vllm=found.vllm,
    )


def read_image_uri(uri: str, framework: Framework) -> ContainerImage:
    """An image of the user's own, with what its tag tells."""
    tag = uri.rpartition("/")[2].partition(":")[2]
    cuda, release = _CUDA.search(tag), _LMI.search(tag)
    return ContainerImage(
        uri=uri,
        framework=framework,
        version="",
        cuda=f"{cuda[1]}.{cuda[2]}" if cuda else "",
        lmi=int(release[1]) if release else None,
    )


def ami_of(cuda: str, catalog: Catalog) -> Ami | None:
    """The image of the host for a container's CUDA version, or None where the version is unknown."""
    major = cuda.partition(".")[0]
    return next((row for row in catalog.amis if row.cuda == major), None)


def _of_row(row: Image, catalog: Catalog) -> Published:
    return Published(
        version=row.version,
        repository=row.repository,
        tag=row.tag,
        cuda=row.cuda,
        aliases=row.aliases,
        accounts={
            place.region: place.account for place in catalog.registries if place.region not in row.absent
        },
        vllm=row.vllm,
    )


def _domain(region: str, catalog: Catalog) -> str:
    """The partition's domain: the region's own row, or that of a region of the same partition."""
    partition = _partition(region)
    rows: Mapping[str, str] = {_partition(row.region): row.domain for row in catalog.registries}
    own = {row.region: row.domain for row in catalog.registries}
    return own.get(region) or rows.get(partition) or "amazonaws.com"


def _partition(region: str) -> str:
    return region.rsplit("-", 2)[0]


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))


def _shipped_images() -> tuple[Image, ...]:
    return load_catalog("").images
