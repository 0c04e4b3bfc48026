"""Is the student as good as its teacher? Measured on the same prompts, with intervals, and with a gate.

`tasks` holds what is asked, `answers` how, `metrics` and `scoring` what the answers are worth, `statistics` and
`resampling` how sure one may be, `report` and `verdict` what to make of it, `page` and `plain` how that looks. Targets
are anything with `chat`; this room knows nothing of AWS.
"""

from bedrock_distill.evaluation.answers import Answer, Answers, ChatTarget
from bedrock_distill.evaluation.costs import Prices, TokenPrice
from bedrock_distill.evaluation.metrics import METRICS, Metric
from bedrock_distill.evaluation.report import Report
from bedrock_distill.evaluation.running import evaluate
from bedrock_distill.evaluation.statistics import Estimate
from bedrock_distill.evaluation.verdict import Verdict

__all__ = [
    "METRICS",
    "Answer",
    "Answers",
    "ChatTarget",
    "Estimate",
    "Metric",
    "Prices",
    "Report",
    "TokenPrice",
    "Verdict",
    "evaluate",
]
