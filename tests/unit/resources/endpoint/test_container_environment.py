"""Typed settings become exactly the environment that each container's makers mean."""

from __future__ import annotations

import json
import runpy
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
    timeouts,
)

SHAPES = SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[3] / "model_shapes.py")))
CATALOG = load_catalog("")
LLAMA, AWQ = SHAPES.LLAMA_3_1_8B, SHAPES.LLAMA_3_1_8B_AWQ


def environment(container, shape=LLAMA, **more):
    return container.environment(shape, tensor_parallel=2, catalog=CATALOG, **more)


def test_lmi_says_everything_that_its_defaults_get_wrong():
    assert environment(LMI()) == {
        "HF_MODEL_ID": "/opt/ml/model",
        "OPTION_TENSOR_PARALLEL_DEGREE": "2",
        "OPTION_MAX_ROLLING_BATCH_SIZE": "32",
        "OPTION_MAX_MODEL_LEN": "8192",
        "OPTION_GPU_MEMORY_UTILIZATION": "0.9",
        "OPTION_MODEL_LOADING_TIMEOUT": "760",
        "SERVING_FAIL_FAST": "true",
    }


def test_lmi_takes_every_setting_of_vllm():
    container = LMI(
        context=4096,
        concurrency=64,
        dtype="bfloat16",
        quantize="fp8",
        kv_dtype="fp8",
        memory_utilization=0.85,
        prefill_tokens=4096,
        prefix_caching=False,
        speculation=Speculation(draft="/opt/ml/model/draft", method="eagle3", tokens=3),
        lora=Lora(adapters=8, rank=32, cpu_adapters=16),
        tool_parser="hermes",
        reasoning_parser="deepseek_r1",
        chat_template="/opt/ml/model/tools.jinja",
        trust_remote_code=True,
        extra={"OPTION_ENFORCE_EAGER": "true"},
    )
    found = environment(container)
    assert json.loads(found.pop("OPTION_SPECULATIVE_CONFIG")) == {
        "model": "/opt/ml/model/draft",
        "method": "eagle3",
        "num_speculative_tokens": 3,
    }
    assert found == {
        "HF_MODEL_ID": "/opt/ml/model",
        "OPTION_TENSOR_PARALLEL_DEGREE": "2",
        "OPTION_MAX_ROLLING_BATCH_SIZE": "64",
        "OPTION_MAX_ROLLING_BATCH_PREFILL_TOKENS": "4096",
        "OPTION_MAX_MODEL_LEN": "4096",
        "OPTION_GPU_MEMORY_UTILIZATION": "0.85",
        "OPTION_DTYPE": "bf16",
        "OPTION_QUANTIZE": "fp8",
        "OPTION_KV_CACHE_DTYPE": "fp8",
        "OPTION_ENABLE_PREFIX_CACHING": "false",
        "OPTION_ENABLE_LORA": "true",
        "OPTION_MAX_LORAS": "8",
        "OPTION_MAX_LORA_RANK": "32",
        "OPTION_MAX_CPU_LORAS": "16",
        "OPTION_ENABLE_AUTO_TOOL_CHOICE": "true",
        "OPTION_TOOL_CALL_PARSER": "hermes",
        "OPTION_REASONING_PARSER": "deepseek_r1",
        "OPTION_CHAT_TEMPLATE": "/opt/ml/model/tools.jinja",
        "OPTION_TRUST_REMOTE_CODE": "true",
        "OPTION_ENFORCE_EAGER": "true",
        "OPTION_MODEL_LOADING_TIMEOUT": "760",
        "SERVING_FAIL_FAST": "true",
    }


ASYNC = {
    "OPTION_ASYNC_MODE": "true",
    "OPTION_ROLLING_BATCH": "disable",
    "OPTION_ENTRYPOINT": "djl_python.lmi_vllm.vllm_async_service",
}
ROLLING = {"OPTION_ROLLING_BATCH": "vllm", "OPTION_OUTPUT_FORMATTER": "jsonlines"}


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("0.38.0", {}),
        ("0.36.0", {}),
        ("0.35.0", {}),
        ("0.34.0", ASYNC),
        ("0.33.0", ASYNC),
        ("0.32.0", ROLLING),
        ("0.28.0", ROLLING),
        ("latest", {}),
    ],
)
def test_lmi_is_put_into_async_mode_as_its_release_wants_it(version, expected):
    found = environment(LMI(version=version))
    named = {*ASYNC, *ROLLING}
    assert {name: value for name, value in found.items() if name in named} == expected


def test_only_lmi_15_must_be_told_twice_that_a_model_reasons():
    for version, told in (("0.33.0", True), ("0.34.0", False), ("0.38.0", False)):
        found = environment(LMI(version=version, reasoning_parser="deepseek_r1"))
        assert ("OPTION_ENABLE_REASONING" in found) == told


def test_the_release_is_read_from_the_tag_of_an_image_of_ones_own():
    own = "123456789012.dkr.ecr.us-east-1.amazonaws.com/mine:0.34.0-lmi16.0.0-cu128"
    assert environment(LMI(image_uri=own))["OPTION_ASYNC_MODE"] == "true"


@pytest.mark.parametrize("container", [LMI(), VLLM(), TGI(), TensorRTLLM()])
def test_a_quantized_checkpoint_is_not_told_its_own_method_where_that_would_slow_it(container):
    found = environment(container, AWQ)
    named = [name for name in found if "QUANTI" in name]
    assert named == (["HF_MODEL_QUANTIZE"] if isinstance(container, TGI) else [])


@pytest.mark.parametrize("container", [LMI(), VLLM(), TGI(), TensorRTLLM()])
def test_the_model_is_named_once_whether_mounted_or_from_the_hub(container):
    for hub, expected in ((None, "/opt/ml/model"), ("acme/student", "acme/student")):
        found = environment(container, hub_model=hub)
        named = {name: value for name, value in found.items() if name.endswith(("MODEL_ID", "VLLM_MODEL"))}
        assert list(named.values()) == [expected]


@pytest.mark.parametrize("container", [LMI(), VLLM(), TGI(), TensorRTLLM()])
def test_network_isolation_keeps_the_container_from_asking_the_hub(container):
    assert environment(container, network_isolation=True)["HF_HUB_OFFLINE"] == "1"
    assert "HF_HUB_OFFLINE" not in environment(container)
    with pytest.raises(SpecError, match="cannot reach the hub; stage the model in S3"):
        environment(container, hub_model="acme/student", network_isolation=True)


def test_vllm_is_given_its_own_flags():
    container = VLLM(
        served_name="student",
        quantize="bitsandbytes",
        dtype="float16",
        prefix_caching=True,
        speculation=Speculation(method="ngram"),
        lora=Lora(),
        tool_parser="llama3_json",
    )
    assert environment(container) == {
        "SM_VLLM_MODEL": "/opt/ml/model",
        "SM_VLLM_SERVED_MODEL_NAME": "student",
        "SM_VLLM_TENSOR_PARALLEL_SIZE": "2",
        "SM_VLLM_MAX_MODEL_LEN": "8192",
        "SM_VLLM_MAX_NUM_SEQS": "32",
        "SM_VLLM_GPU_MEMORY_UTILIZATION": "0.9",
        "SM_VLLM_DTYPE": "float16",
        "SM_VLLM_QUANTIZATION": "bitsandbytes",
        "SM_VLLM_ENABLE_PREFIX_CACHING": "true",
        "SM_VLLM_SPECULATIVE_CONFIG": '{"method":"ngram","num_speculative_tokens":4}',
        "SM_VLLM_ENABLE_LORA": "true",
        "SM_VLLM_MAX_LORAS": "4",
        "SM_VLLM_MAX_LORA_RANK": "16",
        "SM_VLLM_ENABLE_AUTO_TOOL_CHOICE": "true",
        "SM_VLLM_TOOL_CALL_PARSER": "llama3_json",
    }


def test_vllm_is_told_no_by_a_flag_of_its_own_because_false_leaves_the_flag_out():
    found = environment(VLLM(prefix_caching=False))
    assert found["SM_VLLM_NO_ENABLE_PREFIX_CACHING"] == "true"
    assert "SM_VLLM_ENABLE_PREFIX_CACHING" not in found


def test_tgi_is_told_its_lengths():
    assert environment(TGI(context=4096, concurrency=200)) == {
        "HF_MODEL_ID": "/opt/ml/model",
        "SM_NUM_GPUS": "2",
        "MAX_INPUT_TOKENS": "4095",
        "MAX_TOTAL_TOKENS": "4096",
        "MAX_BATCH_PREFILL_TOKENS": "4095",
        "MAX_CONCURRENT_REQUESTS": "200",
        "CUDA_MEMORY_FRACTION": "0.9",
    }


@pytest.mark.parametrize(
    ("version", "input_name", "messages"),
    [
        ("3.3.6", "MAX_INPUT_TOKENS", False),
        ("3.3", "MAX_INPUT_TOKENS", False),
        ("2.4.0", "MAX_INPUT_TOKENS", True),
        ("1.4.5", "MAX_INPUT_LENGTH", True),
        ("1.1.0", "MAX_INPUT_LENGTH", False),
    ],
)
def test_tgi_names_its_settings_by_version(version, input_name, messages):
    found = environment(TGI(version=version))
    assert input_name in found
    assert ("MESSAGES_API_ENABLED" in found) == messages


def test_tensorrt_llm_runs_by_itself_since_0_33_and_by_mpi_before():
    new, old = environment(TensorRTLLM(quantize="fp8")), environment(TensorRTLLM(version="0.32.0"))
    assert new["OPTION_QUANTIZE"] == "fp8"
    assert new["OPTION_MAX_INPUT_LEN"] == "8192"
    assert new["OPTION_MAX_NUM_TOKENS"] == "16384"
    assert "OPTION_ROLLING_BATCH" not in new
    assert (old["OPTION_ROLLING_BATCH"], old["OPTION_MPI_MODE"]) == ("trtllm", "true")


@pytest.mark.parametrize("container", [LMI(), VLLM(), TGI(), TensorRTLLM()])
def test_the_length_is_always_said(container):
    short = environment(container, SHAPES.LLAMA_2_7B)
    assert any(value in ("4096", "4095") for value in short.values())
    assert any(value in ("8192", "8191") for value in environment(container, None).values())


def test_the_degree_is_the_one_that_was_set_or_the_one_that_holds_most():
    assert LMI().degree(SHAPES.QWEN_2_5_7B, "ml.g5.48xlarge", CATALOG) == 4
    assert LMI(tensor_parallel=2).degree(SHAPES.QWEN_2_5_7B, "ml.g5.48xlarge", CATALOG) == 2


@pytest.mark.parametrize(
    ("extra", "reason"),
    [
        (
            {"OPTION_MAX_MODEL_LEN": "10"},
            "OPTION_MAX_MODEL_LEN: set from a field of LMI; set the field instead",
        ),
        ({"1X": "a"}, "'1X' is not a variable's name"),
        ({"A-B": "a"}, "'A-B' is not a variable's name"),
        ({f"X{number}": "a" for number in range(94)}, "101 variables: SageMaker takes 100"),
        ({"LONG": "x" * 1025}, "LONG has 1,025 characters: SageMaker takes 1,024; put a file"),
    ],
)
def test_an_environment_that_sagemaker_would_refuse_is_refused_first(extra, reason):
    with pytest.raises(SpecError) as caught:
        environment(LMI(extra=extra))
    assert reason in str(caught.value)


def test_a_chat_template_that_is_too_long_for_a_variable_says_where_to_put_it():
    with pytest.raises(SpecError, match=r"OPTION_CHAT_TEMPLATE has 2,000 characters.*under /opt/ml/model"):
        environment(LMI(chat_template="{" * 2000))


def test_timeouts_follow_from_the_bytes_and_stay_within_what_sagemaker_takes():
    assert timeouts(0) == timeouts(10**6)
    small, large, huge = timeouts(16 * 10**9), timeouts(141 * 10**9), timeouts(10**12)
    assert (small.download_s, small.startup_s) == (460, 760)
    assert (large.download_s, large.startup_s) == (1710, 2010)
    assert (huge.download_s, huge.startup_s) == (3600, 3600)
    assert TensorRTLLM().timeouts(16 * 10**9).startup_s == 760 + 1800
