"""Bringing a container up: its files, its environment, its host, its GPUs, and the engine that answers in its place.

What would end the container on AWS ends it here: with AWS's reason, and with the container's own words in the endpoint's
log. What starts is a real model, loaded by `local.engine`.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from bedrock_distill.errors import DataError
from bedrock_distill.local.engine import Engines
from bedrock_distill.local.services.sagemaker import container_logs
from bedrock_distill.local.services.sagemaker.access import Access, DownloadError, Source, source_of
from bedrock_distill.local.services.sagemaker.containers.checks import (
    check_files,
    check_fit,
    check_host,
    download_s,
    startup_s,
)
from bedrock_distill.local.services.sagemaker.containers.environments import read_launch
from bedrock_distill.local.services.sagemaker.containers.images import read_image
from bedrock_distill.local.services.sagemaker.containers.launch import CrashError
from bedrock_distill.local.services.sagemaker.state import Served, Tables, served_in
from bedrock_distill.models.files import Folder
from bedrock_distill.models.reading import read_contents
from bedrock_distill.uris import S3Uri

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from bedrock_distill.local.services.sagemaker.containers.launch import Launch
    from bedrock_distill.local.world import World

__all__ = ["Hosting", "HostingError", "Order", "Watcher"]

log = logging.getLogger(__name__)

_DEFAULT_TIMEOUT_S = 300
"""Seconds that AWS gives a download and a container's start where the variant names none."""


class HostingError(RuntimeError):
    """A container did not come up; the text is the `FailureReason`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A container to bring up."""

    endpoint: str
    variant: str
    container: Mapping[str, Any]
    """Image, Environment and where the files lie, as CreateModel has them."""
    role_arn: str
    settings: Mapping[str, Any]
    """The variant, with its instance type, host image and timeouts."""
    region: str
    account_id: str
    accelerators: int | None = None
    """GPUs that the container sees; None for all of the instance's."""


class Watcher(Protocol):
    """Who acts on what happens at endpoints: auto scaling."""

    def asked(self, region: str, names: Sequence[str]) -> None:
        """A request has come."""
        ...

    def found_no_capacity(self, region: str, names: Sequence[str]) -> None:
        """A request has come, and no copy was there."""
        ...

    def looked(self, region: str) -> None:
        """Somebody looks."""
        ...


class Hosting:
    """What the services around endpoints share: the engines, and how many requests are under way.

    Args:
        world: The cloud.
        engines: Loads the models.
    """

    def __init__(self, world: World, engines: Engines | None = None) -> None:
        self.engines = engines or Engines()
        self._world = world
        self._busy: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._watchers: list[Watcher] = []

    def start(self, order: Order) -> Served:
        """Bring a container up and load its model.

        Raises:
            HostingError: If it does not become healthy.
        """
        try:
            served = self._start(order)
        except DownloadError as error:
            raise HostingError(str(error)) from error
        except CrashError as crash:
            container_logs.write(self._world, order, crash.lines)
            if not crash.lines:
                log.warning(
                    "The container of %s died before its first word: its CUDA does not suit InferenceAmiVersion %s.",
                    order.endpoint,
                    order.settings.get("InferenceAmiVersion"),
                )
            raise HostingError(_unhealthy(order)) from crash
        container_logs.write(
            self._world, order, [f"Model {served.launch.served_name} is loaded; ready to serve."]
        )
        return served

    def unload_unused(self) -> None:
        """Unload the models that no endpoint and no inference component serves any more."""
        used = {
            served.directory
            for region in self._world.store.regions("sagemaker/endpoints")
            for served in served_in(Tables(self._world, region))
        }
        self.engines.keep(used)

    def watch(self, watcher: Watcher) -> None:
        """Tell a watcher what happens from now on."""
        self._watchers.append(watcher)

    def asked(self, region: str, names: Sequence[str]) -> None:
        """Say that a request has come to a copy; it is counted already."""
        for watcher in self._watchers:
            watcher.asked(region, names)

    def found_no_capacity(self, region: str, names: Sequence[str]) -> None:
        """Say that a request has come and no copy was there."""
        for watcher in self._watchers:
            watcher.found_no_capacity(region, names)

    def looked(self, region: str) -> None:
        """Say that somebody looks at what runs: what time alone changes is brought up to date."""
        for watcher in self._watchers:
            watcher.looked(region)

    def in_flight(self, name: str) -> int:
        """Requests under way at `endpoint/<name>/variant/<name>` or `inference-component/<name>`."""
        with self._lock:
            return self._busy[name]

    @contextmanager
    def counted(self, *names: str) -> Iterator[None]:
        """A block in which one more request is under way."""
        self._count(names, 1)
        try:
            yield
        finally:
            self._count(names, -1)

    def _count(self, names: tuple[str, ...], step: int) -> None:
        with self._lock:
            for name in names:
                self._busy[name] += step

    def close(self) -> None:
        """Unload the models."""
        self.engines.close()

    def _start(self, order: Order) -> Served:
        access = Access(self._world, order.region, order.account_id)
        catalog = self._world.catalog
        image = read_image(order.container["Image"], catalog)
        if image is None:
            raise CrashError(
                f"The local cloud cannot stand in for the image {order.container['Image']}: it has LMI, TensorRT-LLM, vLLM and TGI."
            )
        source = source_of(order.container)
        directory = self._fetch(access, order, source) if source is not None else None
        check_host(image, order.settings.get("InferenceAmiVersion"), catalog.amis)
        launch = read_launch(
            image,
            order.container.get("Environment") or {},
            _properties(directory),
            mounted=directory is not None,
        )
        if launch.s3_model is not None:
            prefix = Source(S3Uri.parse(launch.s3_model).as_prefix, is_prefix=True, packed=False)
            directory = self._fetch(access, order, prefix)
        if directory is None:
            raise CrashError("OSError: /opt/ml/model does not appear to have a file named config.json.")
        self._check(order, launch, directory)
        return Served(directory=directory, launch=launch)

    def _fetch(self, access: Access, order: Order, source: Source) -> Path:
        size = sum(length for length, _ in access.files(source).values())
        allowed = order.settings.get("ModelDataDownloadTimeoutInSeconds", _DEFAULT_TIMEOUT_S)
        if download_s(size) > allowed:
            raise DownloadError(
                f'Failed to download model data for container "container_1" from URL: "{source.uri}". {size:,} bytes were not '
                f"downloaded within {allowed} seconds (ModelDataDownloadTimeoutInSeconds)."
            )
        return access.download(order.role_arn, source)

    def _check(self, order: Order, launch: Launch, directory: Path) -> None:
        try:
            contents = read_contents(Folder(directory))
        except DataError as error:
            raise CrashError(f"OSError: {error}") from error
        shape = check_files(contents)
        catalog = self._world.catalog
        name = order.settings.get("InstanceType", "")
        instance = next((row for row in catalog.instances if row.name == name), None)
        if instance is None:
            raise CrashError(
                "RuntimeError: Failed to infer device type: no CUDA GPUs are available. "
                f"(The catalog has no GPU instance type {name}.)"
            )
        seen = msgspec.structs.replace(instance, gpus=order.accelerators or instance.gpus)
        check_fit(shape, launch, seen, catalog.gpu(instance.gpu))
        allowed = order.settings.get("ContainerStartupHealthCheckTimeoutInSeconds", _DEFAULT_TIMEOUT_S)
        if startup_s(shape.weight_bytes) > allowed:
            raise CrashError("INFO Loading safetensors checkpoint shards")
        try:
            self.engines.get(directory)
        except Exception as error:
            # Whatever the framework says of a model that it cannot load is what the container would say.
            raise CrashError(f"{type(error).__name__}: {error}") from error


def _properties(directory: Path | None) -> str:
    path = directory / "serving.properties" if directory is not None else None
    return path.read_text("utf-8", "replace") if path is not None and path.is_file() else ""


def _unhealthy(order: Order) -> str:
    return (
        f"The primary container for production variant {order.variant} did not pass the ping health check. "
        "Please check CloudWatch logs for this endpoint."
    )
