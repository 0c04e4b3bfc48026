"""The rows about models that are brought, and that a user's file changes them."""

from __future__ import annotations

import pytest

from bedrock_distill.catalog import load_catalog
from bedrock_distill.errors import SpecError

CATALOG = load_catalog()


def test_each_target_has_one_row():
    assert [target.name for target in CATALOG.targets] == ["model-import", "lmi", "vllm", "tgi"]


def test_no_class_has_two_rows_and_every_row_has_its_source():
    names = [row.name for row in CATALOG.architectures]
    assert len(names) == len(set(names))
    assert all(row.source and row.as_of.year >= 2025 for row in CATALOG.architectures)


def test_what_is_unclear_says_what_the_sources_leave_open():
    for row in CATALOG.architectures:
        unclear = [target.name for target in CATALOG.targets if row.taken_by(target.name) == "unclear"]
        assert row.remark or not unclear, row.name


def test_lmi_takes_what_vllm_takes_unless_its_row_says_otherwise(tmp_path):
    assert CATALOG.architecture("LlamaForCausalLM").taken_by("lmi") == "yes"
    override = tmp_path / "ours.toml"
    override.write_text('[[architecture]]\nname = "LlamaForCausalLM"\nlmi = "unclear"\n')
    row = load_catalog(override).architecture("LlamaForCausalLM")
    assert (row.taken_by("lmi"), row.taken_by("vllm"), row.family) == ("unclear", "yes", "Llama 2 to 3.3")


def test_a_class_that_no_row_describes_is_not_known():
    assert CATALOG.architecture("SomethingNewForCausalLM") is None


def test_a_row_with_another_answer_is_an_error_that_names_it(tmp_path):
    override = tmp_path / "ours.toml"
    override.write_text('[[architecture]]\nname = "LlamaForCausalLM"\nvllm = "maybe"\n')
    with pytest.raises(SpecError, match=r"'LlamaForCausalLM': Invalid enum value 'maybe' - at `\$.vllm`"):
        load_catalog(override)
