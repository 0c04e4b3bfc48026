"""The scores that are built in."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

import pytest

from bedrock_distill.chat import (
    Agreement,
    ChatReply,
    FitsSchema,
    IsLabel,
    Matches,
    TokenProbability,
    Usage,
    endpoint_dialect,
    imported_dialect,
    score_from,
)
from bedrock_distill.chat.question import Question
from bedrock_distill.errors import SpecError
from bedrock_distill.records.schema import Record
from bedrock_distill.risk import Scored, score_names

RECORD = Record.of("What is it?")


def said(text, logprobs=None):
    return ChatReply(
        text=text,
        stop_reason="end_turn",
        usage=Usage(5, 2),
        latency_s=0.1,
        model_id="student",
        logprobs=logprobs,
    )


@dataclass
class Sampled:
    """Answers with the next of its texts."""

    texts: list[str]

    def chat(self, record, **options):
        assert record == RECORD
        return said(self.texts.pop(0))


@pytest.mark.parametrize(
    ("score", "text", "value"),
    [
        (IsLabel(frozenset({"billing"})), " billing\n", 1),
        (IsLabel(frozenset({"billing"})), "Billing", 0),
        (Matches(r"[A-Z]{2}-\d+"), "AB-12", 1),
        (Matches(r"[A-Z]{2}-\d+"), "AB-12, I think", 0),
        (FitsSchema({"type": "object", "required": ["topic"]}), '{"topic": 1}', 1),
        (FitsSchema({"type": "object", "required": ["topic"]}), "{}", 0),
        (FitsSchema({"type": "object"}), "no JSON", 0),
        (TokenProbability(), "", 0),
    ],
)
def test_validity_is_yes_or_no(score, text, value):
    if isinstance(score, FitsSchema):
        pytest.importorskip("jsonschema", reason="checks against JSON schemas need it")
    assert score(RECORD, said(text, ())) == value


@pytest.mark.parametrize(
    ("answer", "texts", "value"),
    [
        ("billing", ["Billing", " billing", "other", "access"], 0.5),
        ('{"a": 1, "b": 2}', ['{"b":2,"a":1}', '{"a": 1}'], 0.5),
        ("yes", ["no"], 0),
    ],
)
def test_agreement_is_the_share_of_samples_that_say_the_same(answer, texts, value):
    samples = len(texts)
    score = Agreement(Sampled(list(texts)), samples=samples)
    assert score(RECORD, said(answer)) == Scored(value, input_tokens=5 * samples, output_tokens=2 * samples)


def test_agreement_with_no_sample_is_refused():
    with pytest.raises(SpecError, match="at least 1 further sample"):
        Agreement(Sampled([]), samples=0)


def test_token_probability_is_the_geometric_mean():
    assert TokenProbability()(RECORD, said("ab", (math.log(0.9), math.log(0.4)))) == pytest.approx(0.6)


def test_a_target_without_log_probabilities_cannot_be_scored_by_them():
    with pytest.raises(SpecError, match="student brings no log-probabilities"):
        TokenProbability()(RECORD, said("ab"))


SCHEMA = {"type": "object", "required": ["topic"]}


@pytest.mark.parametrize(
    ("name", "score"),
    [
        ("labels:b,a", IsLabel(frozenset({"a", "b"}))),
        ("labels:b, a", IsLabel(frozenset({"a", "b"}))),
        ("regex:a,b:c+", Matches("a,b:c+")),
        (f"schema:{json.dumps(SCHEMA)}", FitsSchema(SCHEMA)),
        ("agreement:3", Agreement(None, samples=3)),
        ("agreement:3,0.5", Agreement(None, samples=3, temperature=0.5)),
        ("logprobs", TokenProbability()),
    ],
)
def test_a_score_is_made_from_its_name_and_from_the_name_that_it_gives_itself(name, score):
    assert score_from([name], None) == score
    assert score_from(score_names(score), None) == score


def test_several_names_make_one_score_that_gives_them_back():
    names = ("regex:a+", "agreement:2,0.7")
    assert score_names(score_from(names, None)) == names


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("labels:", "none is empty"),
        ("labels:a,,b", "none is empty"),
        ("labels:[1, 2]", "labels are texts"),
        ("regex:(", "cannot be read"),
        ("schema:{", "cannot be read"),
        ("agreement:many", "cannot be read"),
        ("agreement:0", "at least 1"),
        ("mine:score", "give the function"),
    ],
)
def test_a_name_that_means_nothing_is_refused(name, said):
    with pytest.raises(SpecError, match=said):
        score_from([name], None)


ASKED = Question.of("Hi", target="x", max_tokens=5)


def test_openais_chat_asks_for_log_probabilities_and_reads_them():
    body = endpoint_dialect("openai", served_name="m", logprobs=True).body
    assert body.write(ASKED, stream=False)["logprobs"] is True
    tokens = {"content": [{"token": "a", "logprob": -0.1}, {"token": "b", "logprob": -0.2}]}
    answer = {"choices": [{"message": {"content": "ab"}, "logprobs": tokens, "finish_reason": "stop"}]}
    assert body.read(answer, ASKED).logprobs == (-0.1, -0.2)


def test_openais_completion_asks_for_log_probabilities_and_reads_them():
    body = imported_dialect("OpenAICompletion", logprobs=True).body
    assert body.write(ASKED, stream=False)["logprobs"] == 1
    answer = {
        "choices": [{"text": "ab", "logprobs": {"token_logprobs": [None, -0.2]}, "finish_reason": "stop"}]
    }
    assert body.read(answer, ASKED).logprobs == (-0.2,)


@pytest.mark.parametrize("dialect", [endpoint_dialect("lmi"), imported_dialect("OpenAIChatCompletion")])
def test_where_nobody_asks_for_them_nothing_is_asked_and_none_is_read(dialect):
    assert "logprobs" not in dialect.body.write(ASKED, stream=False)
    answer = {"choices": [{"message": {"content": "ab"}, "logprobs": None, "finish_reason": "stop"}]}
    assert dialect.body.read(answer, ASKED).logprobs is None


def test_schemas_that_are_not_openais_refuse_to_bring_them():
    with pytest.raises(SpecError, match="OpenAI's schemas"):
        endpoint_dialect("tgi", raw=True, logprobs=True)
    with pytest.raises(SpecError, match="OpenAI's schemas"):
        imported_dialect("BedrockCompletion", logprobs=True)
