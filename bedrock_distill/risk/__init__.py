"""How far a student may be trusted alone: a threshold with a stated bound of the risk, and an alarm where it stops to hold.

`control` chooses the threshold and draws the curve of risk and cost, `drift` watches whether what comes still looks like what
it was chosen on, `policy` is both as a small file. Pure: numbers in, numbers out. Whoever answers (`chat`) and whoever measures
(`evaluation`) use it; it knows neither.
"""

from bedrock_distill.risk.control import Choice, Example, Point, choose, curve
from bedrock_distill.risk.drift import DriftAlarm, Histogram, histogram
from bedrock_distill.risk.policy import Policy
from bedrock_distill.risk.scored import Scored, as_scored, score_names

__all__ = [
    "Choice",
    "DriftAlarm",
    "Example",
    "Histogram",
    "Point",
    "Policy",
    "Scored",
    "as_scored",
    "choose",
    "curve",
    "histogram",
    "score_names",
]
