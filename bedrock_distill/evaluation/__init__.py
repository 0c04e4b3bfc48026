"""Is the student as good as its teacher? Measured on the same prompts, with intervals, and with a gate.

`tasks` holds what is asked, and `overlap` what of it was trained on. `asking` and `gathering` say how it is asked (`cache`
and `pacing` help), `metrics`, `judging` and `scoring` what the answers are worth. `statistics` and `resampling` say how sure
one may be, `noninferiority` against a margin, `planning` with how many prompts, `sequential` and `early` when one may stop;
`slices` and `guards` what holds of each kind of prompt; `external` and `grading` take what another service asked and scored.
`report` and `verdict` say what to make of it, `page`, `plain`,
`markdown` and `junit` how that looks. Targets are anything with `chat`; this room knows nothing of AWS.
"""

from bedrock_distill.evaluation.answers import Answer, Answers, ChatTarget
from bedrock_distill.evaluation.cache import AnswerCache
from bedrock_distill.evaluation.calibrating import Calibration, calibrate
from bedrock_distill.evaluation.costs import Prices, TokenPrice
from bedrock_distill.evaluation.early import EarlyVerdict, judge_early
from bedrock_distill.evaluation.external import (
    ExternalAnswer,
    ExternalMetric,
    ExternalSide,
    external_report,
)
from bedrock_distill.evaluation.judging import Judge, Judgement, JudgeSummary
from bedrock_distill.evaluation.metrics import METRICS, Metric, embedding_similarity
from bedrock_distill.evaluation.overlap import Overlap, find_overlap
from bedrock_distill.evaluation.report import Report
from bedrock_distill.evaluation.running import evaluate
from bedrock_distill.evaluation.sequential import Look, decide_early
from bedrock_distill.evaluation.slices import SliceResult
from bedrock_distill.evaluation.statistics import Estimate
from bedrock_distill.evaluation.verdict import Verdict

__all__ = [
    "METRICS",
    "Answer",
    "AnswerCache",
    "Answers",
    "Calibration",
    "ChatTarget",
    "EarlyVerdict",
    "Estimate",
    "ExternalAnswer",
    "ExternalMetric",
    "ExternalSide",
    "Judge",
    "JudgeSummary",
    "Judgement",
    "Look",
    "Metric",
    "Overlap",
    "Prices",
    "Report",
    "SliceResult",
    "TokenPrice",
    "Verdict",
    "calibrate",
    "decide_early",
    "embedding_similarity",
    "evaluate",
    "external_report",
    "find_overlap",
    "judge_early",
]
