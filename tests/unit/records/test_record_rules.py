import pytest

from bedrock_distill.catalog import load_catalog
from bedrock_distill.errors import SpecError
from bedrock_distill.records.rules import rules_for

NOVA = ("amazon.nova-pro-v1:0", "amazon.nova-micro-v1:0")
LLAMA = ("meta.llama3-1-405b-instruct-v1:0", "meta.llama3-1-70b-instruct-v1:0")


def test_the_limits_are_the_catalogs():
    rules = rules_for(load_catalog(), *NOVA)
    assert (rules.min_prompts, rules.max_prompts) == (100, 15_000)
    assert (rules.max_line_bytes, rules.max_file_bytes, rules.warn_file_bytes) == (16_384, 2 << 30, 1 << 30)


def test_nova_takes_conversations_and_llama_single_turns():
    catalog = load_catalog()
    assert rules_for(catalog, *NOVA).multi_turn
    assert not rules_for(catalog, *LLAMA).multi_turn


def test_the_context_is_the_students_in_training_and_may_be_unknown():
    catalog = load_catalog()
    assert rules_for(catalog, *NOVA).context_tokens == 32_000
    assert rules_for(catalog, *LLAMA).context_tokens == 16_000
    assert rules_for(catalog, LLAMA[0], "meta.llama3-2-1b-instruct-v1:0").context_tokens is None


@pytest.mark.parametrize(
    ("teacher", "student"),
    [
        ("us.amazon.nova-pro-v1:0", "amazon.nova-micro-v1:0:128k"),
        (
            "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-pro-v1:0",
            "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-micro-v1:0:128k",
        ),
    ],
)
def test_models_may_be_named_by_profile_context_variant_or_arn(teacher, student):
    catalog = load_catalog()
    assert rules_for(catalog, teacher, student) == rules_for(catalog, *NOVA)


def test_an_unknown_model_is_refused_with_a_suggestion():
    with pytest.raises(SpecError, match=r"Did you mean amazon\.nova-micro-v1:0"):
        rules_for(load_catalog(), NOVA[0], "amazon.nova-micro-v1")
