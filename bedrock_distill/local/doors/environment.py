"""Environment variables that keep AWS's SDKs inside the local cloud."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ACCESS_KEY", "SECRET_KEY", "UNSET", "Environment", "client_environment", "misleading"]

ACCESS_KEY = "AKIALOCALCLOUD000000"
"""The access key of the local cloud's own user; any other key works as well."""

SECRET_KEY = "local-cloud"  # noqa: S105 - it opens nothing: signatures are not checked
_CREDENTIALS = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
_HARMLESS = {
    "AWS_EC2_METADATA_DISABLED": "true",  # no search for an instance's role
    "BOTO_DISABLE_CRT": "true",  # awscrt's S3 client ignores endpoints and botocore's events: it would go to AWS
}
_MISLEADING = (
    # endpoints other than the cloud's
    "AWS_ENDPOINT_URL",
    # API keys: botocore sends them only over TLS, and they go before the signature
    "AWS_BEARER_TOKEN_",
    # other ways to credentials
    "AWS_CONTAINER_",
    "AWS_DEFAULT_PROFILE",
    "AWS_PROFILE",
    "AWS_ROLE_ARN",
    "AWS_SECURITY_TOKEN",
    "AWS_SESSION_TOKEN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    # endpoints of another form
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_USE_FIPS_ENDPOINT",
)
"""Beginnings of the names of variables that would lead a client elsewhere."""


UNSET = (
    "AWS_BEARER_TOKEN_BEDROCK",
    "AWS_DEFAULT_PROFILE",
    "AWS_ENDPOINT_URL_BEDROCK",
    "AWS_ENDPOINT_URL_BEDROCK_RUNTIME",
    "AWS_ENDPOINT_URL_IAM",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL_STS",
    "AWS_PROFILE",
    "AWS_SESSION_TOKEN",
)
"""What another process should not have in its environment, where no value of ours can undo it."""


def misleading(environ: Mapping[str, str]) -> list[str]:
    """The variables in `environ` that would lead a client past the local cloud."""
    return sorted(name for name in environ if name.startswith(_MISLEADING))


def client_environment(url: str, region: str) -> dict[str, str]:
    """What another process exports to work with the local cloud at `url`."""
    return {
        "AWS_ENDPOINT_URL": url,
        **_CREDENTIALS,
        "AWS_DEFAULT_REGION": region,
        "AWS_REGION": region,
        **_HARMLESS,
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }


class Environment:
    """This process's environment while the cloud is open: fake credentials, a region, and nothing that leads elsewhere.

    Args:
        region: The default region.
    """

    def __init__(self, region: str) -> None:
        self._wanted = {
            **_CREDENTIALS,
            "AWS_DEFAULT_REGION": region,
            "AWS_REGION": region,
            # A user's own files may name endpoints, regions and programs that make credentials.
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
            **_HARMLESS,
        }
        self._before: dict[str, str | None] | None = None

    def enter(self) -> None:
        """Set and clear what has to be, remembering what was there."""
        touched = [*self._wanted, *misleading(os.environ)]
        self._before = {name: os.environ.get(name) for name in touched}
        for name in misleading(os.environ):
            del os.environ[name]
        os.environ.update(self._wanted)

    def leave(self) -> None:
        """Put everything back as it was."""
        for name, value in (self._before or {}).items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        self._before = None
