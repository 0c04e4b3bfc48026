"""The executor: walks a plan's steps and makes each one true.

Every step looks before it acts, and acts so that a second time changes nothing: objects by their digest, roles by their
policy, resources by a name and a client token that the plan's fingerprint decides, settings by their value. So a crash
between any two calls costs nothing but the time to apply again.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, assert_never

import msgspec

from bedrock_distill.apply.configuring import configure, take_back, wait_until_ready
from bedrock_distill.apply.journal import Journal, JournalEntry
from bedrock_distill.apply.listed import create_listed
from bedrock_distill.apply.requests import stage_requests
from bedrock_distill.aws import FolderStage, ObjectStore, RetryPolicy, Roles, Settings
from bedrock_distill.errors import (
    AccessDeniedError,
    ConflictError,
    JobFailedError,
    PlanError,
    ServiceError,
    StalePlanError,
)
from bedrock_distill.plan import (
    Configure,
    CreateListed,
    CreateResource,
    EnsureRole,
    Plan,
    PutSetting,
    StageFile,
    StageFolder,
    StageRequests,
    StageText,
    Step,
    WaitFor,
)
from bedrock_distill.records.digest import digest_file
from bedrock_distill.resources.data import stamp
from bedrock_distill.uris import S3Uri

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from bedrock_distill.aws import Clients

__all__ = ["ApplyEvent", "Executor"]

_log = logging.getLogger("bedrock_distill")


_NOT_SPREAD = re.compile(
    r"assume|role.*(invalid|not exist)|could not validate .*permissions|perms missing|role .*is not authorized to perform: bedrock:",
    re.IGNORECASE | re.DOTALL,
)
"""What Bedrock says while IAM has not yet spread a new role, its trust or its policy (it words each differently)."""


def _role_not_spread(error: ServiceError) -> bool:
    # What AWS said, without the name of the job before it, which is the user's to choose.
    said = error.message.partition(error.code)[2]
    return (
        error.code in ("ValidationException", "AccessDeniedException")
        and _NOT_SPREAD.search(said) is not None
    )


def _taken(error: ServiceError) -> bool:
    """Whether what was to be made is there. SageMaker says of a name that is taken that the request is invalid."""
    if isinstance(error, ConflictError):
        return True
    return error.code == "ValidationException" and "already exist" in error.message


_ROLE_SPREAD = RetryPolicy(attempts=12, wait_initial_s=2.0, wait_max_s=10.0, also=_role_not_spread)
"""A new role is refused until IAM has spread it, which takes 10 to 30 seconds; about 90 are allowed."""

_ROLE_SETTLES_S = 20.0
"""What is found by listing is accepted with a role that is not spread yet, and fails afterwards: so a new role is given time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyEvent:
    """What the executor is doing."""

    step: Step
    event: Literal["started", "progress", "made", "found"]
    bytes_done: int = 0
    """For `progress` of what is staged: bytes that are there so far."""


class Executor:
    """Applies plans.

    Args:
        clients: The gate to AWS.
        state_dir: Where journals are kept.
        on_event: Told what happens, for progress displays.
    """

    def __init__(
        self, clients: Clients, *, state_dir: Path, on_event: Callable[[ApplyEvent], None] | None = None
    ) -> None:
        self._clients = clients
        self._state_dir = state_dir
        self._tell = on_event or (lambda _: None)

    def apply(self, plan: Plan, *, force: bool = False) -> str:
        """Make every step of a plan true, but for waits.

        Args:
            plan: The plan.
            force: Go on in spite of warnings that block.

        Returns:
            The ARN of what the plan creates; empty where it only changes settings.

        Raises:
            PlanError: If a warning blocks, or the plan is for another account or region.
            StalePlanError: If the data, or a setting that is to be replaced, has changed since the plan was made.
            ServiceError: If AWS refuses a step. What was done stays, and applying again goes on from there.
        """
        self._check(plan, force=force)
        journal = Journal(self._state_dir, plan)
        arn, done, made, new_role = "", dict[str, str](), list[CreateResource](), False
        for step in plan.steps:
            if isinstance(step, WaitFor):
                continue
            self._tell(ApplyEvent(step=step, event="started"))
            journal.write(_beginning(step, self._clients.clock.now()))
            if isinstance(step, CreateListed) and step.needs_role and new_role:
                self._clients.clock.sleep(_ROLE_SETTLES_S)
            event, result = self._take(step, done, made)
            new_role |= isinstance(step, EnsureRole) and event == "made"
            done[step.id] = result
            journal.write(JournalEntry(at=self._clients.clock.now(), step=step.id, event=event, arn=result))
            self._tell(ApplyEvent(step=step, event=event))
            if isinstance(step, CreateResource | CreateListed) and step.id == plan.creates.id:
                arn = result
        return arn

    def _take(
        self, step: Step, done: dict[str, str], made: list[CreateResource]
    ) -> tuple[Literal["made", "found"], str]:
        """Do a step; where a creation fails, what this apply made before it is taken back as far as its steps say how."""
        if not isinstance(step, CreateResource):
            try:
                return self._do(step, done)
            except ServiceError as error:
                if billed := [f"{each.kind} {each.name}" for each in made if each.bills]:
                    raise error.advised(
                        f"The {' and the '.join(billed)}, made just now, can bill already: apply again when this is mended, or "
                        "delete it."
                    ) from error
                raise
        try:
            event, result = self._create(step)
            if event == "made":
                made.append(step)
            wait_until_ready(step, self._clients)
        except (ServiceError, JobFailedError):
            # After a crash there is nobody to do this; then what was made is found by the next try.
            take_back(made, self._clients)
            raise
        except KeyboardInterrupt:
            if billed := [f"{each.kind} {each.name}" for each in made if each.bills]:
                _log.warning(
                    "Stopped in the middle. The %s stays, and can bill already: apply again, and it goes on from there, or "
                    "delete it.",
                    " and the ".join(billed),
                )
            raise
        return event, result

    def _check(self, plan: Plan, *, force: bool) -> None:
        here = (self._clients.region, self._clients.account_id)
        if here != (plan.region, plan.account_id):
            raise PlanError(
                f"The plan {plan.name!r} is for account {plan.account_id} in {plan.region}, and this session is for "
                f"account {here[1]} in {here[0]}: plan again here, or use the other session."
            )
        if plan.blockers and not force:
            reasons = "; ".join(f"{warning.code}: {warning.text}" for warning in plan.blockers)
            raise PlanError(
                f"The plan {plan.name!r} cannot work: {reasons} Mend that and plan again; if you know better, apply it with "
                "force."
            )

    def _do(self, step: Step, done: dict[str, str]) -> tuple[Literal["made", "found"], str]:
        match step:
            case StageFile():
                return self._stage(step)
            case StageRequests():
                return stage_requests(step, self._clients, self._progress(step))
            case StageText():
                return self._stage_text(step)
            case StageFolder():
                return self._stage_folder(step)
            case EnsureRole():
                return self._role(step)
            case CreateResource():
                return self._create(step)
            case CreateListed():
                retry = _ROLE_SPREAD if step.needs_role else RetryPolicy()
                return create_listed(step, self._clients, done=done, retry=retry)
            case Configure():
                result = configure(step, self._clients, done=done)
                wait_until_ready(step, self._clients)
                return result
            case PutSetting():
                return self._put(step)
            case WaitFor():
                return "found", ""
            case _ as never:
                assert_never(never)

    def _stage(self, step: StageFile) -> tuple[Literal["made", "found"], str]:
        uri = S3Uri.parse(step.uri)
        store = ObjectStore(self._clients)
        held = store.holds(uri, sha256=step.sha256, size_bytes=step.size_bytes, kms_key_id=step.kms_key_id)
        if held:
            return "found", step.uri
        path = Path(step.path)
        before = stamp(path)
        if not path.is_file():
            raise StalePlanError(f"The planned file {step.path} is gone: restore it, or plan again.")
        if digest_file(path).sha256 != step.sha256:
            raise StalePlanError(f"{step.path} has changed since the plan was made: plan again.")
        store.put_file(
            path, uri, sha256=step.sha256, kms_key_id=step.kms_key_id, on_bytes=self._progress(step)
        )
        if stamp(path) != before:
            # What lies there now carries the planned digest and may have other content: it must not be found again.
            store.delete(uri)
            raise StalePlanError(f"{step.path} changed while it was being staged: plan again.")
        return "made", step.uri

    def _stage_folder(self, step: StageFolder) -> tuple[Literal["made", "found"], str]:
        stage = FolderStage(self._clients, on_bytes=self._progress(step))
        sent = stage.put(Path(step.path), step.files, S3Uri.parse(step.uri), kms_key_id=step.kms_key_id)
        return "made" if sent else "found", step.uri

    def _progress(self, step: Step) -> Callable[[int], None]:
        """Adds up the bytes of a step, and tells the sum."""
        sent = 0

        def count(size: int) -> None:
            nonlocal sent
            sent += size
            self._tell(ApplyEvent(step=step, event="progress", bytes_done=sent))

        return count

    def _stage_text(self, step: StageText) -> tuple[Literal["made", "found"], str]:
        uri, body, store = S3Uri.parse(step.uri), step.text.encode(), ObjectStore(self._clients)
        if store.holds(uri, sha256=step.sha256, size_bytes=len(body), kms_key_id=step.kms_key_id):
            return "found", step.uri
        store.put_bytes(body, uri, sha256=step.sha256, kms_key_id=step.kms_key_id)
        return "made", step.uri

    def _role(self, step: EnsureRole) -> tuple[Literal["made", "found"], str]:
        roles = Roles(self._clients)
        try:
            found = roles.find(step.name)
            if found is not None and found.policy == step.policy:
                return "found", found.arn
            arn = roles.ensure(
                step.name,
                trust=step.trust,
                policy=step.policy,
                tags=step.tags,
                description="Made by bedrock-distill, for the service that its trust policy names.",
            )
        except AccessDeniedError as error:
            raise error.advised(
                "Or name a role of yours in the spec (role = arn:aws:iam::ACCOUNT:role/NAME): then IAM is not asked at all."
            ) from error
        return "made", arn

    def _create(self, step: CreateResource) -> tuple[Literal["made", "found"], str]:
        found = self._find(step)
        if found is not None:
            return "found", found
        try:
            arn = self._send(step, step.request)
        except ServiceError as error:
            if not _taken(error):
                raise
            # It was made between the look and the call: by an apply beside this one, or by a try whose answer got lost.
            found = self._find(step)
            if found is None:
                raise
            return "found", found
        return "made", self._renewed(step, arn)

    def _send(self, step: CreateResource, request: dict[str, Any]) -> str:
        policy = _ROLE_SPREAD if step.needs_role else RetryPolicy()
        answer = self._clients.call(step.service, step.operation, retry=policy, subject=step.name, **request)
        return str(answer[step.arn])

    def _renewed(self, step: CreateResource, arn: str) -> str:
        """The ARN, or that of another if it is of something that was deleted.

        A token that was used before is answered with what was made then, also where that has been deleted since. The name
        is free again, so that nothing can be made twice by a token of its own.
        """
        token = step.request.get("clientRequestToken")
        if token is None or self._find(step) is not None:
            return arn
        moment = f"{self._clients.clock.now():%Y%m%dT%H%M%S%f}"
        try:
            return self._send(step, {**step.request, "clientRequestToken": f"{token}-{moment}"})
        except ServiceError as error:
            if not _taken(error):
                raise
            return arn  # it is there, and the look came too early to see it

    def _put(self, step: PutSetting) -> tuple[Literal["made", "found"], str]:
        settings = Settings(self._clients)
        now = settings.read(step.setting)
        if step.setting.same(now, step.after):
            return "found", step.name
        if not step.setting.same(now, step.before):
            # AWS has no conditional put: what somebody did since the look would be lost without a trace.
            raise StalePlanError(
                f"The {step.name} has changed since the plan was made, and putting it replaces all of it: plan again."
            )

        def not_spread(error: ServiceError) -> bool:
            return (
                bool(step.patience) and error.code == "ValidationException" and step.patience in error.message
            )

        settings.write(step.setting, step.after, retry=RetryPolicy(also=not_spread))
        return "made", step.name

    def _find(self, step: CreateResource) -> str | None:
        look = step.lookup
        named: dict[str, Any] = {look.parameter: step.name}
        answer = self._clients.find(step.service, look.operation, subject=step.name, **named)
        if answer is None:
            return None
        strange = {key: answer[key] for key, value in look.same.items() if answer.get(key, value) != value}
        if strange:
            raise ConflictError(
                f"There is another {step.kind} named {step.name} in this account ({strange}): "
                "choose another name in the spec, and plan again.",
                service=step.service,
                operation=look.operation,
                code="ConflictException",
            )
        return str(answer[look.arn])


def _beginning(step: Step, at: datetime) -> JournalEntry:
    """The entry before a step is done. A setting's two values are kept before it is replaced: after a crash it is too late."""
    entry = JournalEntry(at=at, step=step.id, event="started")
    if isinstance(step, PutSetting):
        return msgspec.structs.replace(entry, before=step.before, after=step.after)
    return entry
