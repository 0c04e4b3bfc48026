"""Ten thousand prompts through throttling, timeouts, dropped connections and three kills: every answer once, none lost."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter

import pytest

from bedrock_distill.evaluation import AnswerCache

PROMPTS, CONCURRENCY, KILLS = 10_000, 4, (2_500, 2_500, 2_500)

RUN = """
import itertools, os, signal, sys
from bedrock_distill.evaluation import TokenPrice
from bedrock_distill.evaluation.asking import Asking
from bedrock_distill.evaluation.cache import AnswerCache
from bedrock_distill.local import Cloud, Fault
from bedrock_distill.records.schema import Record

folder, served_path, prompts, concurrency, die_at = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
served = os.open(served_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
calls = itertools.count(1)  # requests are served by several threads: each call must get a number of its own

def teacher(record):
    number = next(calls)
    os.write(served, record.prompt_text.encode() + b"\\n")
    if number == die_at:
        os.kill(os.getpid(), signal.SIGKILL)
    return record.prompt_text.upper()

faults = [
    Fault(operation="Converse", probability=0.02, seed=die_at, code="ThrottlingException"),
    Fault(operation="Converse", probability=0.01, seed=die_at + 1, code="ModelTimeoutException"),
    Fault(operation="Converse", probability=0.01, seed=die_at + 2, disconnect=True),
]
with Cloud(teachers={"amazon.nova-pro-v1:0": teacher}, faults=faults) as cloud, AnswerCache(folder) as cache:
    asking = Asking(
        concurrency=concurrency, retries=2, stream=False, cache=cache, requests_per_minute=600_000,
        tokens_per_minute=None, prices={"teacher": TokenPrice(input_usd_per_1k=1.0, output_usd_per_1k=2.0)},
        clock=cloud.clock, tell=lambda *_: None,
    )
    answers = asking.side(
        "teacher", cloud.session().model("amazon.nova-pro-v1:0"), [Record.of(f"prompt {n}") for n in range(prompts)],
        system=None, max_tokens=64, temperature=0.0,
    )
assert [each.text for each in answers.answers] == [f"PROMPT {n}" for n in range(prompts)]
print(sum(each.cached for each in answers.answers), sum(each.cost_usd for each in answers.answers))
"""


@pytest.mark.slow
def test_ten_thousand_prompts_through_faults_and_three_kills_are_answered_once_each(tmp_path):
    served, folder, script = tmp_path / "served", tmp_path / "cache", tmp_path / "run.py"
    script.write_text(RUN)

    def run(die_at: int) -> subprocess.CompletedProcess[str]:
        args = [str(folder), str(served), str(PROMPTS), str(CONCURRENCY), str(die_at)]
        return subprocess.run(
            [sys.executable, str(script), *args], capture_output=True, text=True, check=False, timeout=300
        )

    for die_at in KILLS:
        assert run(die_at).returncode == -signal.SIGKILL
    before = len(served.read_bytes().splitlines())
    last = run(0)
    assert last.returncode == 0, last.stderr

    calls = Counter(served.read_bytes().splitlines())
    assert len(calls) == PROMPTS
    # Only what was under way when the process died was asked again, and nothing more than once for each kill.
    assert PROMPTS <= calls.total() <= PROMPTS + CONCURRENCY * len(KILLS)
    with AnswerCache(folder) as cache:
        kept = [answer for _, answer in cache.answers()]
    assert len(kept) == PROMPTS
    cached, cost = last.stdout.split()
    assert before - CONCURRENCY * len(KILLS) <= int(cached) <= before
    tokens = sum(answer.input_tokens + 2 * answer.output_tokens for answer in kept)
    assert float(cost) == pytest.approx(tokens / 1000)

    again = run(1)  # it would die at its first call
    assert again.returncode == 0, again.stderr
    assert again.stdout.split() == [str(PROMPTS), cost]
