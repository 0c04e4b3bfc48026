"""Sizing against published figures, and what its table says."""

from __future__ import annotations

import json
import re
import runpy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from bedrock_distill.catalog import load_catalog
from bedrock_distill.errors import SpecError
from bedrock_distill.models.sizing import (
    FORMATS,
    Assumptions,
    kv_bytes_per_token,
    size,
    tensor_parallel_degrees,
    weight_bytes,
    wrong_with_degree,
)
from bedrock_distill.models.sizing.memory import adapter_bytes

SHAPES = SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[2] / "model_shapes.py")))
CATALOG = load_catalog("")
GIB = 2**30


def rows(shape, *instances, **need):
    table = size(shape, instances, catalog=CATALOG, **need)
    return {row.instance: row for row in table.rows}


@pytest.mark.parametrize(
    ("shape", "weights_gib", "kv_kib"),
    [
        (SHAPES.LLAMA_3_2_1B, 2.3, 32),
        (SHAPES.LLAMA_3_2_3B, 6.0, 112),
        (SHAPES.QWEN_2_5_7B, 14.2, 56),
        (SHAPES.LLAMA_3_1_8B, 15.0, 128),
        (SHAPES.QWEN_2_5_14B, 27.5, 192),
        (SHAPES.QWEN_2_5_32B, 61, 256),
        (SHAPES.LLAMA_3_3_70B, 131, 320),
    ],
)
def test_weights_and_cache_are_the_published_ones(shape, weights_gib, kv_kib):
    assert weight_bytes(shape, FORMATS["16-bit"]) / GIB == pytest.approx(weights_gib, rel=0.005, abs=0.05)
    assert kv_bytes_per_token(shape) == kv_kib * 1024


def test_llama_3_8b_caches_131072_bytes_a_token():
    assert kv_bytes_per_token(SHAPES.LLAMA_3_1_8B) == 131_072


def test_a_cache_holds_the_blocks_that_vllm_reported_for_it():
    reported_gib, reported_blocks = 11.12, 5691
    blocks = reported_gib * GIB / (16 * kv_bytes_per_token(SHAPES.LLAMA_3_1_8B))
    assert blocks == pytest.approx(reported_blocks, rel=1e-3)


def test_qwen_2_5_7b_splits_over_1_2_and_4_gpus_and_never_over_8():
    assert tensor_parallel_degrees(SHAPES.QWEN_2_5_7B, 8) == [1, 2, 4]
    assert wrong_with_degree(SHAPES.QWEN_2_5_7B, 8) == "28 attention heads are not divisible by 8"
    assert rows(SHAPES.QWEN_2_5_7B, "ml.g5.48xlarge")["ml.g5.48xlarge"].split.tensor_parallel == 4
    assert rows(SHAPES.QWEN_2_5_7B, "ml.g5.48xlarge")["ml.g5.48xlarge"].split.copies == 2


def test_llama_3_2_3b_splits_over_8_gpus():
    assert wrong_with_degree(SHAPES.LLAMA_3_2_3B, 8) is None


def test_quantization_groups_are_not_cut_in_two():
    assert "group of 128" in wrong_with_degree(replace(SHAPES.LLAMA_3_1_8B_AWQ, intermediate=11008), 4)


@pytest.mark.parametrize(
    ("shape", "fits", "too_small"),
    [
        (SHAPES.LLAMA_2_7B, "ml.g5.4xlarge", "ml.g4dn.4xlarge"),
        (SHAPES.LLAMA_2_13B, "ml.g5.12xlarge", "ml.g5.4xlarge"),
        (SHAPES.LLAMA_2_70B, "ml.p4d.24xlarge", "ml.g5.12xlarge"),
        (SHAPES.LLAMA_3_1_8B, "ml.g5.xlarge", "ml.g4dn.xlarge"),
        (SHAPES.QWEN_2_5_14B, "ml.g6e.xlarge", "ml.g6.xlarge"),
        (SHAPES.QWEN_2_5_32B, "ml.g7e.2xlarge", "ml.g6e.xlarge"),
        (SHAPES.LLAMA_3_3_70B, "ml.p4d.24xlarge", "ml.p5.4xlarge"),
    ],
)
def test_models_fit_the_instances_that_are_recommended_for_them_and_not_those_below(shape, fits, too_small):
    found = rows(shape, fits, too_small, context=2048, concurrency=1)
    assert found[fits].fits, found[fits].why_not
    assert not found[too_small].fits


def test_the_first_row_is_the_smallest_instance_that_fits():
    table = size(SHAPES.LLAMA_3_1_8B, catalog=CATALOG, context=8192, concurrency=1)
    assert table.best.instance == "ml.g5.xlarge"
    assert [row.fits for row in table.rows] == sorted((row.fits for row in table.rows), reverse=True)


def test_where_prices_are_known_the_cheapest_comes_first(tmp_path):
    file = tmp_path / "prices.toml"
    price = '[[price]]\nmodel = "{}"\nkind = "instance_hour"\nusd = {}\nsource = "an example"\nas_of = 2026-11-01\n'
    file.write_text(price.format("ml.g6e.xlarge", 2) + price.format("ml.g6.12xlarge", 1.5))
    table = size(SHAPES.LLAMA_3_1_8B, catalog=load_catalog(file))
    assert [row.instance for row in table.rows[:2]] == ["ml.g6.12xlarge", "ml.g6e.xlarge"]
    assert table.rows[0].usd_per_hour == 1.5
    assert "1.500" in str(table)


@pytest.mark.parametrize(
    ("shape", "instance", "need", "reason"),
    [
        (
            SHAPES.LLAMA_3_3_70B,
            "ml.g5.xlarge",
            {},
            r"weights and overhead need .* GiB of each GPU \(split over 1\)",
        ),
        (
            SHAPES.LLAMA_3_1_8B,
            "ml.g5.xlarge",
            {"context": 65536},
            "one request of 65,536 tokens does not fit",
        ),
        (SHAPES.LLAMA_3_1_8B, "ml.g5.xlarge", {"concurrency": 40}, "of 40 requests fit at once"),
        (
            SHAPES.LLAMA_3_1_8B,
            "ml.g4dn.xlarge",
            {"quantize": "fp8"},
            "fp8 weights need compute capability 8.0",
        ),
        (
            SHAPES.LLAMA_3_1_8B,
            "ml.g6.12xlarge",
            {"latency_s": 1},
            r"token takes at least 12\.\d ms, 3\.9 ms are wanted",
        ),
    ],
)
def test_an_instance_that_does_not_do_says_why(shape, instance, need, reason):
    row = rows(shape, instance, **need)[instance]
    assert not row.fits
    assert re.search(reason, row.why_not), row.why_not


@pytest.mark.parametrize(
    ("shape", "instance", "need", "note"),
    [
        (SHAPES.LLAMA_3_2_1B, "ml.g4dn.xlarge", {}, 'no bfloat16: set dtype="float16"'),
        (SHAPES.LLAMA_3_1_8B, "ml.g5.xlarge", {"quantize": "fp8"}, "saves memory only"),
        (SHAPES.LLAMA_3_1_8B_AWQ, "ml.g4dn.xlarge", {}, "no Marlin kernels"),
        (SHAPES.QWEN_2_5_7B, "ml.g5.48xlarge", {"copies": False}, "4 GPUs stay idle"),
        (SHAPES.LLAMA_3_3_70B, "ml.g6e.12xlarge", {}, ""),
        (
            replace(SHAPES.QWEN_2_5_14B, weight_bytes=17 * GIB),
            "ml.g5.xlarge",
            {},
            "less memory than the weights",
        ),
    ],
)
def test_what_to_know_of_an_instance_is_noted(shape, instance, need, note):
    notes = "; ".join(rows(shape, instance, **need)[instance].notes)
    assert note in notes
    assert bool(note) == bool(notes)


def test_the_alternatives_are_the_formats_that_a_16_bit_checkpoint_can_take():
    table = size(SHAPES.LLAMA_3_1_8B, catalog=CATALOG)
    sizes = {other.format: other.weight_bytes / GIB for other in table.alternatives}
    assert list(sizes) == ["fp8", "int8", "4-bit", "bitsandbytes"]
    # 6.98B weights in linear layers and 1.05B in two tables: one byte each, and two.
    assert sizes["fp8"] == pytest.approx((6.98 + 2 * 1.05) * 1e9 / GIB, rel=0.01)
    assert sizes["4-bit"] < sizes["bitsandbytes"] < sizes["fp8"] < table.weight_bytes / GIB


def test_a_shared_embedding_table_is_counted_once():
    shape = SHAPES.LLAMA_3_2_1B
    table_bytes = 2 * shape.vocab * shape.hidden
    linear = shape.parameters - shape.vocab * shape.hidden
    assert weight_bytes(shape, FORMATS["fp8"]) == linear + table_bytes


def test_quantized_weights_are_counted_and_have_no_alternatives():
    table = size(SHAPES.LLAMA_3_1_8B_AWQ, catalog=CATALOG)
    assert (table.format, table.weight_bytes, table.estimated) == ("4-bit", 5_730_000_000, False)
    assert table.alternatives == ()
    with pytest.raises(SpecError, match="quantized already"):
        size(SHAPES.LLAMA_3_1_8B_AWQ, catalog=CATALOG, quantize="fp8")


def test_float32_weights_are_loaded_as_16_bits():
    shape = SHAPES.LLAMA_3_2_1B
    doubled = replace(shape, dtype="float32", weight_bytes=2 * shape.weight_bytes)
    assert size(doubled, catalog=CATALOG).weight_bytes == shape.weight_bytes


def test_a_window_on_every_layer_bounds_the_cache_and_one_on_some_does_not():
    windowed = replace(SHAPES.LLAMA_3_1_8B, sliding_window=4096, full_layers=0)
    mixed = replace(windowed, full_layers=8)
    need = {"context": 32768, "concurrency": 1}
    [one], [some], [full] = (
        size(shape, ["ml.g6e.xlarge"], catalog=CATALOG, **need).rows
        for shape in (windowed, mixed, SHAPES.LLAMA_3_1_8B)
    )
    assert one.split.requests >= 8 * full.split.requests
    assert some.split.requests == full.split.requests


def test_latency_is_the_time_to_read_the_weights_and_unknown_where_bandwidth_or_experts_are():
    [row] = size(SHAPES.LLAMA_3_1_8B, ["ml.g6e.xlarge"], catalog=CATALOG).rows
    read = (SHAPES.LLAMA_3_1_8B.weight_bytes - 2 * 128256 * 4096 * 2 // 2) / 864e9 * 1e3
    assert row.least_ms_per_token == pytest.approx(read, rel=0.04)
    [unknown] = size(SHAPES.LLAMA_3_1_8B, ["ml.g7e.2xlarge"], catalog=CATALOG, latency_s=0.001).rows
    assert unknown.least_ms_per_token is None
    assert unknown.fits, "what is unknown does not rule an instance out"
    [experts] = size(replace(SHAPES.LLAMA_3_1_8B, experts=8), ["ml.p5.48xlarge"], catalog=CATALOG).rows
    assert experts.least_ms_per_token is None


def test_an_adapter_is_as_large_as_its_two_matrices_on_every_layer():
    # 41.9M values of rank 16 on an 8B Llama, as PEFT counts them with all linear layers as targets.
    assert adapter_bytes(SHAPES.LLAMA_3_1_8B, rank=16) == 2 * 41_943_040


def test_assumptions_can_be_changed_and_are_said():
    tight = size(
        SHAPES.LLAMA_3_1_8B,
        ["ml.g5.xlarge"],
        catalog=CATALOG,
        assumptions=Assumptions(memory_utilization=0.8),
    )
    usual = size(SHAPES.LLAMA_3_1_8B, ["ml.g5.xlarge"], catalog=CATALOG)
    assert tight.rows[0].split.tokens < usual.rows[0].split.tokens
    assert "A server may use 80% of a GPU's memory." in tight.assumptions


def test_the_table_prints_and_becomes_json():
    table = size(SHAPES.LLAMA_3_1_8B, catalog=CATALOG)
    text = str(table)
    assert "131,072 bytes of cache a token" in text
    assert "ml.g6e.xlarge, 2xlarge, 4xlarge, 8xlarge, 16xlarge" in text
    assert "Do not fit:" in text
    assert "Assumed:" in text
    document = json.loads(json.dumps(table.to_dict()))
    assert document["rows"][0]["split"]["tensor_parallel"] == 1
    assert document["alternatives"][0]["best"]["instance"]


@pytest.mark.parametrize(
    ("need", "field", "rule"),
    [
        ({"context": 200_000}, "context", "1 to 131,072 tokens"),
        ({"context": 0}, "context", "1 to 131,072 tokens"),
        ({"concurrency": 0}, "concurrency", "at least 1"),
        ({"output_tokens": 0}, "output_tokens", "at least 1"),
        ({"latency_s": 0}, "latency_s", "more than 0"),
        ({"quantize": "awq"}, "quantize", "one of fp8, int8, 4-bit, bitsandbytes"),
        ({"instances": ["ml.g5.nano"]}, "instance", "no GPU instance type"),
    ],
)
def test_a_need_out_of_range_is_refused_with_its_rule(need, field, rule):
    with pytest.raises(SpecError, match=rule) as caught:
        size(SHAPES.LLAMA_3_1_8B, catalog=CATALOG, **need)
    assert caught.value.field == field
