"""The driver's process: runs an entry point as `python SCRIPT ARGUMENTS` would, and ends when whoever started it does.

Run as a file, so that nothing of the local cloud is imported beside the script.
"""

from __future__ import annotations

import os
import runpy
import sys
import threading
from pathlib import Path


def _end_with_the_parent() -> None:
    # Past sys.stdin, whose lock a thread that waits in it would hold when the script has ended.
    while os.read(0, 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    del sys.argv[0]
    sys.path[0] = str(Path(sys.argv[0]).parent)
    runpy.run_path(sys.argv[0], run_name="__main__")
