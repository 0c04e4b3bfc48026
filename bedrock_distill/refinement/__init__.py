"""Keeping a student good as its traffic changes: round after round from new logs to a better student, and back.

`spec` says what is refined, `traffic` what came in, and `choosing` what of it teaches most; `finding` puts these together for
a round to come, and `opening` writes it to files. `steps` are the steps of a round, `serving` what the last one changes, and
`running` their order; `lineage` remembers all of it in the output bucket, and `outcomes` are what callers get.
"""

from bedrock_distill.refinement.choosing import Candidate, Choice
from bedrock_distill.refinement.lineage import Lineage
from bedrock_distill.refinement.outcomes import Outcome, Outlook
from bedrock_distill.refinement.running import lineage, outlook, refine, rollback
from bedrock_distill.refinement.spec import Gate, Refinement

__all__ = [
    "Candidate",
    "Choice",
    "Gate",
    "Lineage",
    "Outcome",
    "Outlook",
    "Refinement",
    "lineage",
    "outlook",
    "refine",
    "rollback",
]
