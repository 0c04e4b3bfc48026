"""Logs at any size: what lies on a disk or on S3, read in parts, here or on many machines, becomes one file of records.

`sources` says where logs lie, `parts` cuts the work, `partition` does one part, `engines` run it, `repeats` and
`neardups` find what comes twice among the shards, `merging` puts them together, and `running` is all of it.
"""

from bedrock_distill.harvest.report import LogCount, LogReport
from bedrock_distill.harvest.running import count_logs, from_logs

__all__ = ["LogCount", "LogReport", "count_logs", "from_logs"]
