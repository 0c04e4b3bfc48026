"""A plan is data: frozen steps in order, warnings, an estimate, a fingerprint. Nothing here reads or writes AWS.

`steps` is the vocabulary, `plan` the whole with its JSON round trip, `estimate` what it costs where prices are known,
`render` how people see it. The planners themselves stand beside what they plan, in `resources/`; doing it is `apply/`.
"""

from bedrock_distill.plan.estimate import Estimate, Line, estimate
from bedrock_distill.plan.plan import Plan, PlanWarning, fingerprint_of, make_plan
from bedrock_distill.plan.render import as_html, as_table
from bedrock_distill.plan.steps import CreateResource, EnsureRole, Lookup, StageFile, Step, WaitFor

__all__ = [
    "CreateResource",
    "EnsureRole",
    "Estimate",
    "Line",
    "Lookup",
    "Plan",
    "PlanWarning",
    "StageFile",
    "Step",
    "WaitFor",
    "as_html",
    "as_table",
    "estimate",
    "fingerprint_of",
    "make_plan",
]
