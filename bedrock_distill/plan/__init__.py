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
    CreateListed,
    CreateResource,
    EnsureRole,
    FolderFile,
    Listing,
    Lookup,
    StageFile,
    StageFolder,
    StageText,
    Step,
    WaitFor,
)

__all__ = [
    "CreateListed",
    "CreateResource",
    "EnsureRole",
    "Estimate",
    "FolderFile",
    "Line",
    "Listing",
    "Lookup",
    "Plan",
    "PlanWarning",
    "PutSetting",
    "Setting",
    "StageFile",
    "StageFolder",
    "StageText",
    "Step",
    "WaitFor",
    "as_html",
    "as_table",
    "estimate",
    "fingerprint_of",
    "make_plan",
    "same_json",
]
