"""Settings that cannot work are found before anything is created, each with its field, value, rule and remedy."""

from __future__ import annotations

import runpy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from bedrock_distill.catalog import load_catalog
from bedrock_distill.errors import SpecError
from bedrock_distill.resources.endpoint.containers import (
    LMI,
    TGI,
    VLLM,
    Lora,
    Speculation,
    TensorRTLLM,
    choose_instance,
    raise_errors,
)

SHAPES = SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[3] / "model_shapes.py")))
CATALOG = load_catalog("")
LLAMA, AWQ, QWEN, LARGE = (
    SHAPES.LLAMA_3_1_8B,
    SHAPES.LLAMA_3_1_8B_AWQ,
    SHAPES.QWEN_2_5_7B,
    SHAPES.LLAMA_3_3_70B,
)
OWN = "123456789012.dkr.ecr.us-east-1.amazonaws.com/mine:latest"


@pytest.mark.parametrize(
    ("make", "field", "text"),
    [
        (lambda: LMI(quantize="awq"), "quantize", "Input should be 'fp8' or 'bitsandbytes' (got 'awq')"),
        (lambda: VLLM(quantize="gptq"), "quantize", "Input should be 'fp8' or 'bitsandbytes' (got 'gptq')"),
        (lambda: LMI(max_num_seqs=4), "max_num_seqs", "LMI takes: version, image_uri, tensor_parallel"),
        (lambda: LMI(extra={"OPTION_MAX_NUM_SEQS": "4"}), "extra", "set `concurrency`"),
        (lambda: LMI(extra={"OPTION_TENSOR_PARALLEL_SIZE": "4"}), "extra", "set `tensor_parallel`"),
        (lambda: LMI(extra={"HF_MODEL_ID": "a/b"}), "extra", "a second model would be loaded"),
        (lambda: LMI(extra={"OPTION_PIPELINE_PARALLEL_DEGREE": "2"}), "extra", "takes 1 only"),
        (lambda: LMI(extra={"OPTION_ROLLING_BATCH": "vllm"}), "extra", "follows from the version"),
        (lambda: LMI(extra={"OPTION_ENABLE_STREAMING": "true"}), "extra", "is deprecated"),
        (lambda: VLLM(extra={"SM_VLLM_MODEL": "a/b"}), "extra", "names the mounted model"),
        (lambda: TGI(extra={"NUM_SHARD": "2"}), "extra", "set `tensor_parallel`"),
        (lambda: VLLM(served_name="my model"), "served_name", "String should match pattern"),
        (lambda: LMI(memory_utilization=1), "memory_utilization", "less than or equal to 0.98"),
        (lambda: LMI(tensor_parallel=0), "tensor_parallel", "greater than or equal to 1"),
        (lambda: Lora(rank=20), "rank", "vLLM takes 8, 16, 32"),
        (Speculation, "Speculation", "give a draft model, or method='ngram'"),
        (
            lambda: Speculation(draft="d", method="ngram"),
            "Speculation",
            "give a draft model, or method='ngram'",
        ),
        (lambda: TensorRTLLM(lora=Lora()), "lora", "TensorRTLLM takes: "),
        (lambda: TGI(speculation=Speculation(method="ngram")), "speculation", "TGI takes: "),
    ],
)
def test_a_setting_that_no_model_could_make_right_is_refused_at_once(make, field, text):
    with pytest.raises(SpecError) as caught:
        make()
    assert caught.value.field == field
    assert text in str(caught.value)


BAD = [
    # container, shape, instance, region, field, what is said
    (LMI(), LLAMA, "ml.g5.xlrge", None, "instance", "no GPU instance type 'ml.g5.xlrge'. Did you mean"),
    (LMI(version="0.99.0"), LLAMA, "ml.g5.xlarge", None, "version", "djl-lmi has the versions 0.38.0, "),
    (LMI(), LLAMA, "ml.g5.xlarge", "moon-1", "region", "has no image of djl-lmi 0.38.0"),
    (TensorRTLLM(), LLAMA, "ml.g5.xlarge", "ap-east-2", "region", "has no image of djl-tensorrtllm"),
    (
        LMI(tensor_parallel=8),
        LLAMA,
        "ml.g5.12xlarge",
        None,
        "tensor_parallel",
        "has 4 GPUs; give at most that",
    ),
    (
        LMI(tensor_parallel=8),
        QWEN,
        "ml.g5.48xlarge",
        None,
        "tensor_parallel",
        "28 attention heads are not divisible by 8; ml.g5.48xlarge allows 1, 2, 4",
    ),
    (
        VLLM(tensor_parallel=2),
        replace(AWQ, intermediate=11136),
        "ml.g5.12xlarge",
        None,
        "tensor_parallel",
        "not a multiple of the quantization's group of 128",
    ),
    (LMI(), LLAMA, "ml.g4dn.12xlarge", None, "dtype", "set dtype='float16'"),
    (LMI(dtype="bfloat16"), AWQ, "ml.g4dn.12xlarge", None, "dtype", "the T4 has no bfloat16"),
    (VLLM(quantize="fp8"), AWQ, "ml.g6.xlarge", None, "quantize", "quantized already (awq)"),
    (
        LMI(quantize="fp8", dtype="float16"),
        LLAMA,
        "ml.g4dn.12xlarge",
        None,
        "instance",
        "fp8 weights need compute capability 8.0, the T4 has 7.5",
    ),
    (TensorRTLLM(quantize="fp8"), LLAMA, "ml.g5.12xlarge", None, "quantize", "TensorRT-LLM's fp8 needs"),
    (LMI(context=200_000), LLAMA, "ml.p5.48xlarge", None, "context", "the model takes 131,072 tokens"),
    (LMI(), LARGE, "ml.g5.12xlarge", None, "instance", "choose a larger instance, or quantized weights"),
    (LMI(context=65_536), LLAMA, "ml.g5.xlarge", None, "context", "set context to at most"),
    (
        LMI(version="0.32.0", speculation=Speculation(method="ngram")),
        LLAMA,
        "ml.g6e.xlarge",
        None,
        "speculation",
        "LMI 14",
    ),
    (
        LMI(version="0.32.0", prefill_tokens=1024),
        LLAMA,
        "ml.g6e.xlarge",
        None,
        "prefill_tokens",
        "in one step",
    ),
    (TGI(dtype="float16", quantize="eetq"), LLAMA, "ml.g6e.xlarge", None, "dtype", "TGI takes one of them"),
    (TGI(context=2048, input_tokens=2048), LLAMA, "ml.g6e.xlarge", None, "input_tokens", "must leave room"),
    (TGI(context=2048, prefill_tokens=100), LLAMA, "ml.g6e.xlarge", None, "prefill_tokens", "does not start"),
    (TGI(), LLAMA, "ml.g7e.2xlarge", None, "version", "driver 550, which does not know the RTX PRO 6000"),
    (LMI(extra={"A-B": "1"}), LLAMA, "ml.g6e.xlarge", None, "environment", "is not a variable's name"),
    (LMI(extra={"A": "x" * 2000}), LLAMA, "ml.g6e.xlarge", None, "environment", "SageMaker takes 1,024"),
    (
        LMI(extra={"OPTION_DTYPE": "x"}, dtype="float16"),
        LLAMA,
        "ml.g6e.xlarge",
        None,
        "extra",
        "set the field instead",
    ),
]


@pytest.mark.parametrize(("container", "shape", "instance", "region", "field", "text"), BAD)
def test_a_container_that_would_crash_is_refused_with_what_to_do(  # noqa: PLR0917 - a row of the table
    container, shape, instance, region, field, text
):
    problems = container.check(shape, instance, catalog=CATALOG, region=region)
    errors = [problem for problem in problems if problem.severity == "error"]
    assert [problem.field for problem in errors] == [field]
    assert text in str(errors[0])
    with pytest.raises(SpecError) as caught:
        raise_errors(problems, what="LMI on ml.g5.xlarge")
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("container", "shape", "instance", "field", "text"),
    [
        (LMI(quantize="fp8"), LLAMA, "ml.g5.12xlarge", "instance", "fp8 saves memory only"),
        (LMI(dtype="float16"), AWQ, "ml.g4dn.12xlarge", "instance", "no Marlin kernels"),
        (
            LMI(tensor_parallel=3),
            replace(SHAPES.LLAMA_3_2_3B, kv_heads=24, intermediate=8190),
            "ml.g6.12xlarge",
            "tensor_parallel",
            "leaves 1 of 4 GPUs idle",
        ),
        (VLLM(tensor_parallel=2), LLAMA, "ml.g6.12xlarge", "tensor_parallel", "leaves 2 of 4 GPUs idle"),
        (LMI(kv_dtype="fp8", concurrency=1), LLAMA, "ml.g5.xlarge", "kv_dtype", "does not compute in fp8"),
        (LMI(), LLAMA, "ml.g5.xlarge", "concurrency", "requests of 8,192 tokens fit into the cache at once"),
        (LMI(), LLAMA, "ml.g7e.2xlarge", "instance", "AWS lists the host image"),
        (LMI(image_uri=OWN), LLAMA, "ml.g6e.xlarge", "image_uri", "name the host image"),
        (
            VLLM(speculation=Speculation(draft="/opt/ml/model/draft")),
            LLAMA,
            "ml.g6e.xlarge",
            "speculation",
            "not counted",
        ),
        (
            LMI(lora=Lora(adapters=8, rank=128), concurrency=20),
            LLAMA,
            "ml.g6e.xlarge",
            "concurrency",
            "fit into the cache",
        ),
        (TGI(), LLAMA, "ml.g6e.12xlarge", "container", "its makers recommend vLLM"),
        (TensorRTLLM(), LLAMA, "ml.g6e.12xlarge", "container", "not been released anew"),
        (
            LMI(concurrency=1, context=512),
            replace(SHAPES.QWEN_2_5_14B, weight_bytes=17 * 2**30),
            "ml.g5.xlarge",
            "instance",
            "the host has 16 GiB of memory",
        ),
    ],
)
def test_what_may_not_do_what_is_meant_is_a_warning(container, shape, instance, field, text):
    problems = container.check(shape, instance, catalog=CATALOG)
    assert not [problem for problem in problems if problem.severity == "error"]
    assert any(problem.field == field and text in problem.text for problem in problems), problems
    raise_errors(problems, what="this")


@pytest.mark.parametrize("container", [LMI(concurrency=8), VLLM(concurrency=8)])
def test_settings_that_work_have_nothing_said_of_them(container):
    for instance in ("ml.g6e.xlarge", "ml.g5.12xlarge", "ml.p4d.24xlarge"):
        assert container.check(LLAMA, instance, catalog=CATALOG, region="eu-central-1") == []


def test_without_a_model_only_what_does_not_depend_on_it_is_checked():
    assert LMI().check(None, "ml.g4dn.xlarge", catalog=CATALOG) == []
    [problem] = LMI(tensor_parallel=2).check(None, "ml.g4dn.xlarge", catalog=CATALOG)
    assert problem.field == "tensor_parallel"


def test_all_errors_are_said_in_one_message():
    container = LMI(tensor_parallel=8, context=200_000, quantize="fp8")
    with pytest.raises(SpecError) as caught:
        raise_errors(container.check(AWQ, "ml.g4dn.xlarge", catalog=CATALOG), what="The endpoint")
    assert str(caught.value).startswith("The endpoint cannot work: ")
    for field in ("tensor_parallel", "context", "quantize"):
        assert f"{field}: " in str(caught.value)


def test_auto_takes_the_smallest_instance_that_nothing_speaks_against():
    chosen = choose_instance(LMI(concurrency=8), LLAMA, catalog=CATALOG, region="us-east-1")
    # g7 is smaller, and no host image is listed for it; a T4 would need another dtype.
    assert chosen.instance == "ml.g6e.xlarge"
    assert chosen.problems == ()


def test_auto_takes_a_warning_where_nothing_else_fits():
    chosen = choose_instance(TGI(concurrency=8), LLAMA, catalog=CATALOG, instances=["ml.g6e.xlarge"])
    assert [problem.field for problem in chosen.problems] == ["container"]


@pytest.mark.parametrize(
    ("container", "instances", "said"),
    [
        (
            LMI(concurrency=4000, context=131_072),
            None,
            r"ml\.p6-b300\.48xlarge: \d+ of 4000 requests fit at once",
        ),
        (LMI(), ["ml.g4dn.12xlarge"], r"ml\.g4dn\.12xlarge: .*set dtype='float16'"),
    ],
)
def test_auto_says_why_no_instance_does(container, instances, said):
    with pytest.raises(SpecError, match=said) as caught:
        choose_instance(container, LLAMA, catalog=CATALOG, instances=instances)
    assert (caught.value.field, caught.value.value) == ("instance", "auto")
