"""What a container makes of its image and environment, and what its instance's GPUs hold: values in, a launch or a crash out."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from bedrock_distill.catalog import load_catalog
from bedrock_distill.local.services.sagemaker.containers.checks import (
    check_fit,
    check_host,
    download_s,
    startup_s,
)
from bedrock_distill.local.services.sagemaker.containers.environments import read_launch
from bedrock_distill.local.services.sagemaker.containers.images import ServingImage, read_image
from bedrock_distill.local.services.sagemaker.containers.launch import CrashError, Launch
from bedrock_distill.models.shape import ModelShape, Quantization

CATALOG = load_catalog()
HOST = "763104351884.dkr.ecr.us-east-1.amazonaws.com"
LLAMA_8B = ModelShape(
    architecture="LlamaForCausalLM", layers=32, hidden=4096, heads=32, kv_heads=8, head_dim=128, intermediate=14336,
    vocab=128_256, context=131_072, parameters=8_030_261_248, weight_bytes=16_060_522_496, dtype="bfloat16",
)  # fmt: skip
QWEN_7B = replace(
    LLAMA_8B, architecture="Qwen2ForCausalLM", layers=28, hidden=3584, heads=28, kv_heads=4, intermediate=18944,
    context=32_768, weight_bytes=15_231_233_024,
)  # fmt: skip
LLAMA_70B = replace(
    LLAMA_8B, layers=80, hidden=8192, heads=64, intermediate=28672, weight_bytes=141_107_412_992
)


def fit(shape, instance, **launch):
    row = CATALOG.instance(instance)
    settings = {"family": "vllm", "tensor_parallel": 1, "max_length": 8192, **launch}
    check_fit(shape, Launch(**settings), row, CATALOG.gpu(row.gpu))


@pytest.mark.parametrize(
    ("shape", "instance", "launch"),
    [
        (LLAMA_8B, "g6e.xlarge", {}),
        (LLAMA_8B, "g6.12xlarge", {"tensor_parallel": 4}),
        (LLAMA_8B, "g6.12xlarge", {"tensor_parallel": None}),
        (QWEN_7B, "g6e.xlarge", {"max_length": None}),
        (LLAMA_70B, "p5.48xlarge", {"tensor_parallel": 8}),
        (LLAMA_8B, "g6.xlarge", {"quantization": "fp8"}),
        (replace(LLAMA_8B, weight_bytes=5_700_000_000, quantization=Quantization(method="awq", bits=4, group_size=128)),
         "g5.xlarge", {}),
        (replace(LLAMA_8B, dtype="float32", weight_bytes=32_121_044_992), "g6e.xlarge", {}),
    ],
)  # fmt: skip
def test_a_model_that_fits_starts(shape, instance, launch):
    fit(shape, instance, **launch)


@pytest.mark.parametrize(
    ("shape", "instance", "launch", "words"),
    [
        (LLAMA_70B, "g6e.xlarge", {}, "CUDA out of memory"),
        (LLAMA_8B, "g6.xlarge", {"memory_share": 0.7}, "No available memory for the cache blocks"),
        (LLAMA_8B, "g6.xlarge", {"max_length": None}, r"max seq len \(131072\) is larger than the maximum number"),
        (LLAMA_8B, "g6e.xlarge", {"max_length": 200_000}, r"max_model_len \(200000\) is greater"),
        (QWEN_7B, "g5.48xlarge", {"tensor_parallel": None}, r"attention heads \(28\) must be divisible by .* \(8\)"),
        (LLAMA_8B, "g6.xlarge", {"tensor_parallel": 2}, r"World size \(2\) is larger .* \(1\)"),
        (LLAMA_8B, "g4dn.12xlarge", {"tensor_parallel": 4, "dtype": "bfloat16"}, "Your T4 GPU has compute capability 7.5"),
        (replace(LLAMA_8B, intermediate=14_335), "g6.12xlarge", {"tensor_parallel": 2}, "14335 is not divisible by 2"),
    ],
)  # fmt: skip
def test_a_model_that_does_not_fit_crashes_in_the_servers_words(shape, instance, launch, words):
    with pytest.raises(CrashError) as crash:
        fit(shape, instance, **launch)
    assert re.search(words, str(crash.value))


@pytest.mark.parametrize(
    ("tag", "image"),
    [
        ("djl-inference:0.36.0-lmi27.0.0-cu130", ServingImage("lmi", "13.0", 27)),
        ("djl-inference:0.99.0-lmi40.0.0-cu128", ServingImage("lmi", "12.8", 40)),
        ("djl-inference:0.33.0-tensorrtllm0.21.0-cu128", ServingImage("trtllm", "12.8")),
        ("djl-inference:0.29.0-neuronx-sdk2.19.1", None),
        ("vllm:0.30.0-gpu-py312-cu130-ubuntu24.04-sagemaker", ServingImage("vllm", "13.0")),
        ("vllm:server-sagemaker-cuda-v2.6", ServingImage("vllm", "13.0")),
        (
            "huggingface-vllm:0.29.0-transformers5.15.0-gpu-py312-cu130-ubuntu24.04-v1.0",
            ServingImage("vllm", "13.0"),
        ),
        (
            "huggingface-pytorch-tgi-inference:2.7.0-tgi3.3.6-gpu-py311-cu124-ubuntu22.04",
            ServingImage("tgi", "12.4"),
        ),
        ("pytorch-inference:2.6.0-gpu-py312-cu126", None),
    ],
)
def test_an_image_is_told_by_its_repository_and_tag(tag, image):
    assert read_image(f"{HOST}/{tag}", CATALOG) == image


def launch_of(family, environment, properties="", *, mounted=True, lmi=27):
    return read_launch(ServingImage(family, "13.0", lmi), environment, properties, mounted=mounted)


def test_lmi_takes_all_gpus_and_vllm_one_where_nothing_is_said():
    assert launch_of("lmi", {}).tensor_parallel is None
    assert launch_of("vllm", {}).tensor_parallel == 1
    assert launch_of("tgi", {"HF_MODEL_ID": "/opt/ml/model"}).tensor_parallel == 1


def test_lmi_reads_its_aliases_and_prefers_its_file():
    environment = {
        "TENSOR_PARALLEL_DEGREE": "2",
        "OPTION_MAX_MODEL_LEN": "100",
        "OPTION_MAX_ROLLING_BATCH_SIZE": "8",
        "OPTION_GPU_MEMORY_UTILIZATION": "0.8",
        "OPTION_QUANTIZE": "fp8",
    }
    launch = launch_of("lmi", environment, "# theirs\noption.max_model_len=200\nengine=Python\n")
    assert (launch.tensor_parallel, launch.max_length, launch.sequences) == (2, 200, 8)
    assert (launch.memory_share, launch.quantization) == (0.8, "fp8")


@pytest.mark.parametrize(
    ("lmi", "environment", "rolling"),
    [(27, {}, False), (27, {"OPTION_ROLLING_BATCH": "vllm"}, True), (15, {}, True),
     (15, {"OPTION_ROLLING_BATCH": "disable"}, False)],
)  # fmt: skip
def test_lmis_handler_follows_from_its_release_and_rolling_batch(lmi, environment, rolling):
    assert launch_of("lmi", environment, lmi=lmi).rolling is rolling


def test_vllm_prefers_its_own_model_then_what_is_mounted():
    assert launch_of("vllm", {"HF_MODEL_ID": "acme/hub"}).served_name == "/opt/ml/model"
    with pytest.raises(CrashError, match="acme/hub"):
        launch_of("vllm", {"SM_VLLM_MODEL": "acme/hub"})
    with pytest.raises(CrashError, match="acme/hub"):
        launch_of("vllm", {"HF_MODEL_ID": "acme/hub"}, mounted=False)
    assert launch_of("vllm", {"SM_VLLM_SERVED_MODEL_NAME": '["a", "b"]'}).served_name == "a"


def test_lmi_may_bring_a_prefix_itself():
    assert launch_of("lmi", {"HF_MODEL_ID": "s3://models/x/"}, mounted=False).s3_model == "s3://models/x/"


@pytest.mark.parametrize(
    ("cuda", "version", "starts"),
    [
        ("13.0", "al2023-ami-sagemaker-inference-gpu-4-1", True),
        ("13.0", None, False),
        ("12.8", None, True),
        ("12.8", "al2-ami-sagemaker-inference-gpu-3-1", True),
        ("12.8", "al2023-ami-sagemaker-inference-gpu-4-1", False),
        (None, None, True),
    ],
)
def test_the_hosts_image_must_suit_the_containers_cuda(cuda, version, starts):
    image = ServingImage("vllm", cuda)
    if starts:
        check_host(image, version, CATALOG.amis)
        return
    with pytest.raises(CrashError) as crash:
        check_host(image, version, CATALOG.amis)
    assert crash.value.lines == ()


def test_what_takes_long_is_bytes():
    assert download_s(140 * 10**9) > 250
    assert startup_s(140 * 10**9) > 600 > startup_s(16 * 10**9)
