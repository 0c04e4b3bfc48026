"""Sizing against an exhaustive search that knows no formula: it deals heads and requests out one by one."""

from __future__ import annotations

from itertools import count, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedrock_distill.catalog import load_catalog
from bedrock_distill.models.shape import ModelShape, Quantization
from bedrock_distill.models.sizing import Assumptions, kv_bytes_per_token, size, tensor_parallel_degrees

CATALOG = load_catalog("")
ASSUMED = Assumptions()
GIB = 2**30


@st.composite
def shapes(draw):
    kv_heads = draw(st.sampled_from([1, 2, 3, 4, 5, 8]))
    heads = kv_heads * draw(st.sampled_from([1, 2, 3, 4, 7, 8]))
    head_dim = draw(st.sampled_from([64, 80, 96, 128, 256]))
    bits = draw(st.sampled_from([None, 4, 8]))
    quantized = bits and Quantization(
        method={4: "awq", 8: "fp8"}[bits],
        bits=bits,
        group_size=draw(st.sampled_from([None, 32, 128])) if bits == 4 else None,
    )
    windowed = draw(st.sampled_from([None, "some", "all"]))
    layers = draw(st.integers(8, 80))
    parameters = draw(st.integers(10**8, 10**11))
    return ModelShape(
        architecture="AnyForCausalLM",
        layers=layers,
        hidden=heads * draw(st.sampled_from([64, 128])),
        heads=heads,
        kv_heads=kv_heads,
        head_dim=head_dim,
        intermediate=draw(st.sampled_from([1000, 4096, 11008, 13824, 14336, 18944])),
        vocab=32000,
        context=131072,
        parameters=parameters,
        weight_bytes=parameters * (bits or 16) // 8,
        dtype="bfloat16",
        quantization=quantized or None,
        sliding_window=None if windowed is None else draw(st.sampled_from([512, 4096])),
        full_layers=None if windowed is None else (0 if windowed == "all" else layers // 2),
    )


def deals_evenly(shape, gpus):
    """Deal query heads out over GPUs, and see whether every GPU needs equally many whole key-value heads."""
    if any(width / gpus != width // gpus for width in (shape.heads, shape.intermediate)):
        return False
    each, per_kv = shape.heads // gpus, shape.heads // shape.kv_heads
    needed = [{query // per_kv for query in range(gpu * each, (gpu + 1) * each)} for gpu in range(gpus)]
    if {len(heads) for heads in needed} != {max(1, shape.kv_heads // gpus)}:
        return False
    group = shape.quantization.group_size if shape.quantization else None
    if group and gpus > 1:
        for width in (shape.heads * shape.head_dim, shape.intermediate):
            borders = [gpu * width // gpus for gpu in range(gpus + 1)]
            if any((end - start) % group for start, end in pairwise(borders)):
                return False
    return True


def most_requests(shape, instance, gpus, context, concurrency):
    """Put one request after the other into a copy over so many GPUs, until one does not fit."""
    memory = instance.gpu_mib * 2**20
    room = memory * ASSUMED.memory_utilization - shape.weight_bytes / gpus
    room -= max(1.5 * GIB, 0.05 * memory) + (0.24 + 0.2 / 128 * concurrency) * GIB
    heads = max(1, shape.kv_heads // gpus)
    token = sum(2 * heads * shape.head_dim * 2 for _ in range(shape.layers))
    kept = min(context, shape.sliding_window) if shape.full_layers == 0 else context
    blocks = next(number for number in count() if number * 16 >= kept)
    free = room // (16 * token)
    placed = 0
    while (free := free - blocks) >= 0:
        placed += 1
    return placed * (instance.gpus // gpus)


@given(shapes(), st.sampled_from([1, 2, 3, 4, 6, 8, 16]))
@settings(deadline=None)
def test_a_degree_is_allowed_exactly_where_heads_and_groups_can_be_dealt_out(shape, gpus):
    expected = [degree for degree in range(1, gpus + 1) if deals_evenly(shape, degree)]
    assert tensor_parallel_degrees(shape, gpus) == expected


@given(
    shapes(),
    st.lists(st.sampled_from(CATALOG.instances), min_size=1, max_size=12, unique=True),
    st.integers(1000, 40_000),
    st.integers(1, 64),
)
@settings(deadline=None, max_examples=200)
def test_an_exhaustive_search_finds_the_same_requests_and_the_same_first_instance(
    shape, instances, context, concurrency
):
    table = size(
        shape, [row.name for row in instances], catalog=CATALOG, context=context, concurrency=concurrency
    )
    least = {"awq": (7, 5), "fp8": (8, 0)}.get(
        shape.quantization.method if shape.quantization else "", (7, 0)
    )
    fitting = []
    for instance in instances:
        row = next(row for row in table.rows if row.instance == instance.name)
        most = max(
            most_requests(shape, instance, degree, context, concurrency)
            for degree in range(1, instance.gpus + 1)
            if deals_evenly(shape, degree)
        )
        runs = CATALOG.gpu(instance.gpu).capability >= least
        assert row.split.requests == most
        assert row.fits == (runs and most >= concurrency)
        assert row.fits == (not row.why_not)
        if row.fits:
            fitting.append((instance.gpus * instance.gpu_mib, instance.vcpus))
            assert row.split.headroom_per_gpu >= 0
    assert len(table.fitting) == len(fitting)
    if fitting:
        first = CATALOG.instance(table.best.instance)
        assert (first.gpus * first.gpu_mib, first.vcpus) == min(fitting)


@given(shapes(), st.sampled_from(CATALOG.instances), st.integers(100, 20_000), st.integers(1, 32))
@settings(deadline=None)
def test_asking_for_less_never_fits_fewer_instances(shape, instance, context, concurrency):
    def fits(context, concurrency):
        names = [instance.name]
        return bool(size(shape, names, catalog=CATALOG, context=context, concurrency=concurrency).fitting)

    if fits(context, concurrency):
        assert fits(context, max(1, concurrency // 2))
        assert fits(context // 2, concurrency)


@given(shapes(), st.sampled_from([1, 2, 4, 8]))
@settings(deadline=None)
def test_the_cache_is_shared_by_gpus_until_each_has_one_head(shape, gpus):
    whole, share = kv_bytes_per_token(shape), kv_bytes_per_token(shape, tensor_parallel=gpus)
    assert whole / min(gpus, shape.kv_heads) <= share <= whole
    assert kv_bytes_per_token(shape, kv_dtype="fp8") * 2 == whole


@pytest.mark.parametrize("gpus", [1, 2, 4, 8])
def test_latent_attention_caches_the_same_on_every_gpu(gpus):
    shape = ModelShape(
        architecture="DeepseekV3ForCausalLM",
        layers=61,
        hidden=7168,
        heads=128,
        kv_heads=128,
        head_dim=128,
        intermediate=2048,
        vocab=129280,
        context=163840,
        parameters=671 * 10**9,
        weight_bytes=671 * 10**9,
        dtype="bfloat16",
        experts=256,
        latent=576,
    )
    assert kv_bytes_per_token(shape, tensor_parallel=gpus) == 61 * 576 * 2
