"""Pytest fixtures over the local cloud. Installed with the package; nothing is loaded until a test asks for a fixture.

* `local_cloud`: an open `bedrock_distill.local.Cloud`, new for each test.
* `local_session`: a `bedrock_distill.Session` in it.
* `local_bucket`: an S3 bucket in it, as an `S3Uri`.
* `local_server`: the same cloud over HTTP, for other processes: `.url`, `.environment`.

A test says what cloud it wants with a marker that takes the cloud's arguments:

    @pytest.mark.local_cloud(clock="polls", teachers={"amazon.nova-pro-v1:0": answer})
    def test_the_job_passes_through_its_phases(local_session): ...

A module's or a class's marker holds for all its tests; what a nearer marker names goes first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bedrock_distill.local import Cloud
    from bedrock_distill.local.doors.http import Server
    from bedrock_distill.session import Session
    from bedrock_distill.uris import S3Uri

__all__ = ["local_bucket", "local_cloud", "local_server", "local_session"]

_BUCKET = "local-bucket"


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known, so that strict markers accept it."""
    config.addinivalue_line(
        "markers",
        "local_cloud(**options): arguments of bedrock_distill.local.Cloud for the `local_cloud` fixture",
    )


@pytest.fixture
def local_cloud(request: pytest.FixtureRequest) -> Iterator[Cloud]:
    """An open local cloud, made as the test's `local_cloud` markers say."""
    from bedrock_distill.local import Cloud  # noqa: PLC0415 - a plugin loads nothing that is not asked for

    options: dict[str, Any] = {}
    for marker in request.node.iter_markers("local_cloud"):  # the nearest first
        if marker.args:
            raise pytest.UsageError(
                f"{request.node.nodeid}: the marker local_cloud takes named arguments only."
            )
        options = {**marker.kwargs, **options}
    with Cloud(**options) as cloud:
        yield cloud


@pytest.fixture
def local_session(local_cloud: Cloud) -> Session:
    """A session in the local cloud."""
    session: Session = local_cloud.session()
    return session


@pytest.fixture
def local_bucket(local_cloud: Cloud) -> S3Uri:
    """An empty bucket in the local cloud."""
    return local_cloud.bucket(_BUCKET)


@pytest.fixture
def local_server(local_cloud: Cloud) -> Iterator[Server]:
    """The local cloud over HTTP."""
    with local_cloud.serve() as server:
        yield server
