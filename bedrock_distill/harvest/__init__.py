"""Logs at any size: what lies on a disk or on S3, read in parts, here or on many machines, becomes one file of records.

`sources` says where logs lie, `parts` cuts the work, `partition` does one part, `engines` run it, `merging` puts the
shards together, and `from_logs` is all of it.
"""

from bedrock_distill.harvest.from_logs import count_logs, from_logs
from bedrock_distill.harvest.report import LogCount, LogReport

__all__ = ["LogCount", "LogReport", "count_logs", "from_logs"]
