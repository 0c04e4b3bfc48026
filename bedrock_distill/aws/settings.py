"""Reading and replacing settings: values of which AWS keeps exactly one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bedrock_distill.aws.retry import RetryPolicy
from bedrock_distill.errors import DataError, ServiceError

if TYPE_CHECKING:
    from bedrock_distill.aws.clients import Clients
    from bedrock_distill.plan.settings import Setting

__all__ = ["Settings"]


class Settings:
    """Settings through the gate."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def read(self, setting: Setting) -> Any:
        """The value now, or None where there is none.

        Raises:
            DataError: If what AWS keeps is no JSON object.
            ServiceError: If AWS cannot be asked.
        """
        where: dict[str, Any] = setting.where
        try:
            answer = self._clients.call(setting.service, setting.get, subject=_subject(setting), **where)
        except ServiceError as error:
            if not setting.absent or error.code != setting.absent:
                raise
            return None
        value = answer.get(setting.member)
        return _decoded(setting, value) if setting.text and value is not None else value or None

    def check(self, setting: Setting, value: Any) -> None:
        """Check the request that `write` would send, without sending it.

        Raises:
            SpecError: If the service's model refuses it.
        """
        operation, params = _request(setting, value)
        self._clients.check(setting.service, operation, params)

    def write(self, setting: Setting, value: Any, *, retry: RetryPolicy | None = None) -> None:
        """Replace the value; None removes it."""
        operation, params = _request(setting, value)
        self._clients.call(
            setting.service, operation, retry=retry or RetryPolicy(), subject=_subject(setting), **params
        )


def _request(setting: Setting, value: Any) -> tuple[str, dict[str, Any]]:
    if value is None:
        return setting.delete, dict(setting.where)
    # The smallest form: AWS counts a policy's characters.
    sent = json.dumps(value, separators=(",", ":"), ensure_ascii=False) if setting.text else value
    return setting.put, {**setting.where, setting.member: sent}


def _decoded(setting: Setting, text: Any) -> Any:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise DataError(f"What {setting.get} answers for {_subject(setting)} is no JSON: {error}.") from error
    if not isinstance(value, dict):
        raise DataError(f"What {setting.get} answers for {_subject(setting)} is no JSON object.")
    return value


def _subject(setting: Setting) -> str:
    return next(iter(setting.where.values()), "")
