"""Write sample data: customer mail to sort, composed as the demo composes it. samples/triage was written so.

python samples/make_triage.py samples/triage
"""

from __future__ import annotations

import sys
from pathlib import Path

from bedrock_distill.cli.demo.prompts import SYSTEM, split
from bedrock_distill.records.writing import write_records


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    mail = split(600, 100)
    write_records(folder / "prompts.jsonl", mail.train)
    write_records(folder / "heldout.jsonl", mail.held_out)
    (folder / "system.txt").write_text(SYSTEM + "\n", "utf-8")
    print(f"Wrote {len(mail.train)} prompts to learn from and {len(mail.held_out)} to test with to {folder}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "triage"))
