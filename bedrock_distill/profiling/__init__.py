"""What traffic is worth distilling: groups of calls in invocation logs, measured, scored, and what a student would save.

`calls` reads lines, `templates` tells which prompts share their fixed text, `sampling` and `counting` keep what a profile
needs in memory that does not grow, `measuring`, `scoring` and `saving` say what it means, `assembling` puts it together and
`running` is all of it. `learning` trains small students to see what more examples would bring (`saturating`, `training`).
"""

from bedrock_distill.profiling.learning import LearningCurve, learning_curve
from bedrock_distill.profiling.report import Group, Profile
from bedrock_distill.profiling.running import profile
from bedrock_distill.profiling.saving import Assumptions, Saving

__all__ = ["Assumptions", "Group", "LearningCurve", "Profile", "Saving", "learning_curve", "profile"]
