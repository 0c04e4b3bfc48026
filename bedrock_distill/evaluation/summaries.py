"""What one side's answers took: time, tokens, money, failures."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bedrock_distill.evaluation.metrics import parse_json
from bedrock_distill.evaluation.statistics import quantile
from bedrock_distill.evaluation.wording import is_refusal

if TYPE_CHECKING:
    from bedrock_distill.evaluation.answers import Answers
    from bedrock_distill.evaluation.costs import TokenPrice

__all__ = ["SideSummary", "summarise"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SideSummary:
    """One side's answers in numbers."""

    name: str
    model_id: str
    calls: int
    failures: dict[str, int]
    """Calls that failed, by error code."""
    stop_reasons: dict[str, int]
    """Answers by why the model stopped."""
    empty: int
    """Answers without any text."""
    json_share: float | None
    """Share of the answers that are JSON, or None where there is no answer."""
    latency_p50_s: float | None
    """Half the answers took less; None where there is no answer."""
    latency_p95_s: float | None
    """Nineteen in twenty took less."""
    first_token_p50_s: float | None
    """Half the answers began within so many seconds; None where none was streamed."""
    first_token_p95_s: float | None
    """Nineteen in twenty began within that."""
    refusals: int
    """Answers that refuse to answer, by the rule of `wording.is_refusal`."""
    cached: int
    """Answers that were asked before, and came from the cache."""
    seconds: float
    """How long all calls took, several at a time."""
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    """What the answers cost, each counted once whenever it was asked; None where the price or some tokens are unknown."""
    spent_usd: float | None
    """What this run spent on them: nothing for those from the cache, nor for those that were recorded."""
    recorded: bool = False
    """Whether the answers were recorded before: they have no latencies, and this run's settings had no part in them."""

    @property
    def failed(self) -> int:
        """How many calls failed."""
        return sum(self.failures.values())

    @property
    def output_tokens_mean(self) -> float | None:
        """Output tokens of an answer, or None where there is no answer."""
        return self.output_tokens / (self.calls - self.failed) if self.calls > self.failed else None

    @property
    def cost_usd_mean(self) -> float | None:
        """What an answer cost, or None where there is no answer or no price."""
        if self.cost_usd is None or self.calls == self.failed:
            return None
        return self.cost_usd / (self.calls - self.failed)

    @property
    def failed_share(self) -> float:
        """Share of the calls that failed."""
        return self.failed / self.calls


def summarise(answers: Answers, price: TokenPrice | None) -> SideSummary:
    """Count one side's answers.

    Args:
        answers: The answers, at least one call.
        price: What the model charges, or None where that is unknown.
    """
    if not all(answer.counted or answer.failed for answer in answers.answers):
        price = None  # a price for nobody knows how many tokens
    texts = [text for text in answers.texts if text is not None]
    latencies = sorted(answer.latency_s for answer in answers.answers if answer.latency_s is not None)
    begun = sorted(answer.first_token_s for answer in answers.answers if answer.first_token_s is not None)
    afresh = [answer for answer in answers.answers if not (answer.cached or answers.recorded)]
    input_tokens = sum(answer.input_tokens for answer in answers.answers)
    output_tokens = sum(answer.output_tokens for answer in answers.answers)
    return SideSummary(
        name=answers.name,
        model_id=answers.model_id,
        calls=len(answers.answers),
        failures=dict(answers.failures.most_common()),
        stop_reasons=dict(
            Counter(answer.stop_reason for answer in answers.answers if not answer.failed).most_common()
        ),
        empty=sum(not text.strip() for text in texts),
        json_share=sum(parse_json(text) is not None for text in texts) / len(texts) if texts else None,
        latency_p50_s=quantile(latencies, 0.5) if latencies else None,
        latency_p95_s=quantile(latencies, 0.95) if latencies else None,
        first_token_p50_s=quantile(begun, 0.5) if begun else None,
        first_token_p95_s=quantile(begun, 0.95) if begun else None,
        refusals=sum(map(is_refusal, texts)),
        cached=sum(answer.cached for answer in answers.answers),
        seconds=answers.seconds,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cost_usd=None if price is None else price.cost_usd(input_tokens, output_tokens),
        spent_usd=None
        if price is None
        else price.cost_usd(
            sum(answer.input_tokens for answer in afresh), sum(answer.output_tokens for answer in afresh)
        ),
        recorded=answers.recorded,
    )
