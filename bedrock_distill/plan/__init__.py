"""A plan is data: frozen steps in order, warnings, an estimate, a fingerprint. Nothing here reads or writes AWS.

`steps` is the vocabulary (`settings` one word of it), `plan` the whole with its JSON round trip, `estimate` what it costs
where prices are known, `render` how people see it. The planners themselves stand beside what they plan, in `resources/`;
doing it is `apply/`.
"""

from bedrock_distill.plan.estimate import Estimate, Line, estimate
from bedrock_distill.plan.plan import Plan, PlanWarning, fingerprint_of, make_plan
from bedrock_distill.plan.render import as_html, as_table
from bedrock_distill.plan.settings import PutSetting, Setting, same_json
from bedrock_distill.plan.steps import (
    Configure,
    CreateListed,
    CreateResource,
    EnsureRole,
    FolderFile,
    Listing,
    LookAt,
    Lookup,
    Ready,
    RequestForm,
    StageFile,
    StageFolder,
    StageRequests,
    StageText,
    Step,
    Undo,
    WaitFor,
)

__all__ = [
    "Configure",
    "CreateListed",
    "CreateResource",
    "EnsureRole",
    "Estimate",
    "FolderFile",
    "Line",
    "Listing",
    "LookAt",
    "Lookup",
    "Plan",
    "PlanWarning",
    "PutSetting",
    "Ready",
    "RequestForm",
    "Setting",
    "StageFile",
    "StageFolder",
    "StageRequests",
    "StageText",
    "Step",
    "Undo",
    "WaitFor",
    "as_html",
    "as_table",
    "estimate",
    "fingerprint_of",
    "make_plan",
    "same_json",
]
