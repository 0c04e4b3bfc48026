"""What every benchmark's fresh process says of itself."""

from __future__ import annotations

import resource
from pathlib import Path

__all__ = ["cpu_s", "peak_mb"]


def cpu_s():
    """Processor seconds of this process and of its children."""
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in usage)


def peak_mb():
    """Peak resident memory of this process, or of the largest of its children.

    `ru_maxrss` of this process would count its parent's before exec; where there is no /proc it has to do.
    """
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    own = next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) / 1024
