"""The plan as a whole: a value with a fingerprint, and a JSON form that can be reviewed, stored and applied later."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from bedrock_distill.errors import OverBudgetError, PlanError
from bedrock_distill.plan.estimate import Estimate
from bedrock_distill.plan.steps import CreateListed, CreateResource, Step

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Plan", "PlanWarning", "fingerprint_of", "make_plan"]

PLAN_VERSION = 1
"""Version of the JSON form."""

Kind = Literal[
    "distillation",
    "deployment",
    "provisioned",
    "import",
    "copy",
    "endpoint",
    "scaling",
    "logging",
    "harvest",
    "batch",
    "evaluation",
]
"""What a plan is about."""


class PlanWarning(msgspec.Struct, frozen=True, kw_only=True):
    """Something the reader of a plan should know before applying it."""

    code: str
    """Short stable name, such as `legacy-teacher`."""
    text: str
    """What it is, why it matters, what to do."""
    blocks: bool = False
    """Whether AWS would refuse or waste the work: such a plan is not applied unless forced."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What would be done, in order, and what it costs. Made by `Session.plan`, done by `Session.apply`."""

    version: int = PLAN_VERSION
    kind: Kind
    name: str
    """The spec's name."""
    region: str
    account_id: str
    fingerprint: str
    """12 hex digits that stand for the spec, the data's content, the account and the region."""
    facts: dict[str, str]
    """What the reader wants to see at the top: teacher, student, prompts."""
    steps: tuple[Step, ...]
    warnings: tuple[PlanWarning, ...]
    estimate: Estimate
    seal: str = ""
    """Digest of all the rest: a plan file that was edited by hand is refused."""

    @property
    def blockers(self) -> tuple[PlanWarning, ...]:
        """Warnings that stop an apply."""
        return tuple(warning for warning in self.warnings if warning.blocks)

    @property
    def creates(self) -> CreateResource | CreateListed:
        """The step that makes what the plan is about: the one that is named so, or the last that creates something.

        Plans of kind `logging` have none, for they only change settings.
        """
        created = [step for step in self.steps if isinstance(step, CreateResource | CreateListed)]
        named = [step for step in created if step.kind == self.kind]
        return (named or created)[-1]

    def within(self, limit_usd: float) -> Plan:
        """The same plan, if its estimate is known and within a budget.

        Raises:
            OverBudgetError: If it is above, or a price that it needs is unknown.
        """
        total = self.estimate.total_usd
        if total is None:
            unknown = ", ".join(line.what for line in self.estimate.lines if line.usd is None)
            raise OverBudgetError(
                f"The cost of {self.name!r} cannot be held against {limit_usd:.2f} USD: unknown for {unknown}. "
                "Add the prices to a catalog override (docs/how-to/catalog.md).",
                limit_usd=limit_usd,
                estimate_usd=None,
            )
        # Said this way round, a limit that is no number lets nothing through.
        if not total <= limit_usd:
            raise OverBudgetError(
                f"{self.name!r} is estimated at {total:.2f} USD, above the limit of {limit_usd:.2f} USD.",
                limit_usd=limit_usd,
                estimate_usd=total,
            )
        return self

    def to_json(self) -> str:
        """The plan as a JSON document."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> Plan:
        """Read what `to_json` wrote.

        Raises:
            PlanError: If the text is no plan of this version, or was changed after it was made.
        """
        try:
            # The version first: another one may hold what this release cannot read.
            version = msgspec.json.decode(text, type=_Head).version
            if version != PLAN_VERSION:
                raise PlanError(
                    f"This plan has version {version}, and this release reads {PLAN_VERSION}: plan again."
                )
            plan = msgspec.json.decode(text, type=cls)
        except msgspec.DecodeError as error:
            raise PlanError(f"This is not a plan: {error}. Make one with `bedrock-distill plan`.") from error
        if plan.seal != _seal(plan):
            raise PlanError("This plan was changed after it was made. Change the spec, and plan again.")
        return plan

    def to_dict(self) -> dict[str, Any]:
        """The plan as plain dicts and lists."""
        document: dict[str, Any] = msgspec.to_builtins(self)
        return document

    def __str__(self) -> str:
        from bedrock_distill.plan.render import as_table  # noqa: PLC0415 - rendering needs plans, not the reverse

        return as_table(self)

    def __repr__(self) -> str:
        # At a prompt all of it would fill screens; `print` and notebooks show the table.
        return (
            f"<Plan {self.name!r} {self.fingerprint}: {len(self.steps)} steps, {len(self.warnings)} warnings, "
            f"{len(self.blockers)} of them STOP>"
        )

    def _repr_html_(self) -> str:
        from bedrock_distill.plan.render import as_html  # noqa: PLC0415 - as above

        return as_html(self)


class _Head(msgspec.Struct):
    """What every version's plan begins with."""

    version: int


def fingerprint_of(intent: Mapping[str, Any]) -> str:
    """12 hex digits that stand for what is wanted; equal intents have equal fingerprints."""
    return hashlib.sha256(msgspec.json.encode(intent, order="sorted")).hexdigest()[:12]


def make_plan(
    *,
    kind: Kind,
    name: str,
    region: str,
    account_id: str,
    fingerprint: str,
    facts: Mapping[str, str],
    steps: Sequence[Step],
    warnings: Sequence[PlanWarning],
    estimate: Estimate,
) -> Plan:
    """A sealed plan."""
    plan = Plan(
        kind=kind,
        name=name,
        region=region,
        account_id=account_id,
        fingerprint=fingerprint,
        facts=dict(facts),
        steps=tuple(steps),
        warnings=tuple(warnings),
        estimate=estimate,
    )
    # Through JSON once, so that a plan made here equals the same plan read back (1 and 1.0 are equal, but not as text).
    plan = msgspec.json.decode(msgspec.json.encode(plan), type=Plan)
    return msgspec.structs.replace(plan, seal=_seal(plan))


def _seal(plan: Plan) -> str:
    open_plan = msgspec.structs.replace(plan, seal="")
    return hashlib.sha256(msgspec.json.encode(open_plan, order="sorted")).hexdigest()
