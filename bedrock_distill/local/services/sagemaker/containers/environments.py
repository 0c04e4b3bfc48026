"""How each container reads its environment. Written from the containers' own sources, not from what this package sends."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bedrock_distill.local.services.sagemaker.containers.launch import MOUNTED, CrashError, Launch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bedrock_distill.local.services.sagemaker.containers.images import ServingImage
    from bedrock_distill.local.services.sagemaker.containers.launch import Family

__all__ = ["read_launch"]

_LMI_ALIASES = {
    "HF_MODEL_ID": "model_id",
    "HF_REVISION": "revision",
    "HF_MODEL_TRUST_REMOTE_CODE": "trust_remote_code",
    "TENSOR_PARALLEL_DEGREE": "tensor_parallel_degree",
}
_LMI_FOREIGN = {"max_num_seqs": "max_rolling_batch_size", "tensor_parallel_size": "tensor_parallel_degree"}
"""vLLM's own names of what LMI has a name for; LMI's handler takes any value of them for a conflict."""
_ASYNC_SINCE = 17
"""LMI release from which the asynchronous handler answers unless told otherwise."""

VLLM_QUANTIZATIONS = frozenset(
    [
        "awq",
        "awq_marlin",
        "gptq",
        "gptq_marlin",
        "fp8",
        "fbgemm_fp8",
        "ptpc_fp8",
        "bitsandbytes",
        "compressed-tensors",
        "experts_int8",
        "gguf",
        "mxfp4",
        "modelopt",
        "modelopt_fp4",
        "moe_wna16",
        "torchao",
        "quark",
        "auto-round",
        "inc",
        "rtn",
        "petit_nvfp4",
        "bitblas",
        "gptq_bitblas",
        "hqq",
    ]
)
"""What vLLM takes as `--quantization`."""
TGI_QUANTIZATIONS = frozenset(
    [
        "awq",
        "compressed-tensors",
        "eetq",
        "exl2",
        "gptq",
        "marlin",
        "bitsandbytes",
        "bitsandbytes-nf4",
        "bitsandbytes-fp4",
        "fp8",
    ]
)
TRTLLM_QUANTIZATIONS = frozenset({"awq", "fp8", "smoothquant"})


def read_launch(
    image: ServingImage, environment: Mapping[str, str], properties: str, *, mounted: bool
) -> Launch:
    """What a container's environment comes to.

    Args:
        image: The container.
        environment: Its environment.
        properties: Text of `serving.properties` beside the weights, which LMI prefers to the environment; else empty.
        mounted: Whether SageMaker put files at /opt/ml/model.

    Raises:
        CrashError: If the container ends over it; the lines are its own.
    """
    readers: dict[Family, Callable[..., Launch]] = {"lmi": _lmi, "trtllm": _lmi, "vllm": _vllm, "tgi": _tgi}
    return readers[image.family](image, environment, properties, mounted)


def _lmi(image: ServingImage, environment: Mapping[str, str], properties: str, mounted: bool) -> Launch:  # noqa: FBT001 - one signature for a table
    options = {
        name.removeprefix("OPTION_").lower(): value
        for name, value in environment.items()
        if name.startswith("OPTION_")
    }
    options |= {option: environment[name] for name, option in _LMI_ALIASES.items() if name in environment}
    options |= _serving_properties(properties)
    for name, own in _LMI_FOREIGN.items():
        if name in options:
            raise CrashError(
                f"ValueError: Both the DJL {own} and vLLM {name} configs have been set with conflicting values. "
                f"We currently only support setting the DJL {own} config"
            )
    if options.get("pipeline_parallel_degree", "1") != "1":
        raise CrashError(
            "ValueError: pipeline_parallel_degree other than 1 is not supported by the vLLM handler"
        )
    model = options.get("model_id", MOUNTED)
    on_s3 = model.startswith("s3://")
    if not on_s3:
        _must_be_here(model, mounted=mounted)
    degree = options.get("tensor_parallel_degree", "max")
    quantization = options.get("quantize") or options.get("quantization")
    _must_be_known(quantization, TRTLLM_QUANTIZATIONS if image.family == "trtllm" else VLLM_QUANTIZATIONS)
    rolling_batch = options.get("rolling_batch", "disable" if (image.lmi or 0) >= _ASYNC_SINCE else "auto")
    return Launch(
        family=image.family,
        tensor_parallel=None if degree == "max" else _integer("tensor_parallel_degree", degree),
        max_length=_optional(options, "max_model_len"),
        memory_share=_share(options.get("gpu_memory_utilization", "0.9")),
        sequences=_integer("max_rolling_batch_size", options.get("max_rolling_batch_size", "32")),
        quantization=quantization,
        dtype=options.get("dtype", "auto"),
        served_name=model,
        rolling=image.family == "lmi" and rolling_batch != "disable",
        s3_model=model if on_s3 else None,
    )


def _serving_properties(text: str) -> dict[str, str]:
    lines = (line.strip() for line in text.splitlines())
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {
        name.strip().removeprefix("option."): value.strip()
        for name, _, value in pairs
        if name.strip().startswith("option.")
    }


def _vllm(image: ServingImage, environment: Mapping[str, str], _: str, mounted: bool) -> Launch:  # noqa: FBT001 - see _lmi
    arguments = {
        name.removeprefix("SM_VLLM_").lower(): value
        for name, value in environment.items()
        if name.startswith("SM_VLLM_")
    }
    model = arguments.get("model") or (MOUNTED if mounted else environment.get("HF_MODEL_ID", ""))
    _must_be_here(model or MOUNTED, mounted=mounted)
    _must_be_known(arguments.get("quantization"), VLLM_QUANTIZATIONS)
    if arguments.get("pipeline_parallel_size", "1") != "1":
        raise CrashError(
            "ValueError: the local cloud has one instance a copy: pipeline_parallel_size must be 1"
        )
    return Launch(
        family=image.family,
        tensor_parallel=_integer("tensor_parallel_size", arguments.get("tensor_parallel_size", "1")),
        max_length=_optional(arguments, "max_model_len"),
        memory_share=_share(arguments.get("gpu_memory_utilization", "0.9")),
        sequences=_integer("max_num_seqs", arguments.get("max_num_seqs", "256")),
        quantization=arguments.get("quantization"),
        dtype=arguments.get("dtype", "auto"),
        served_name=_first_name(arguments.get("served_model_name"), model or MOUNTED),
        asks_name=True,
    )


def _first_name(given: str | None, model: str) -> str:
    """One name, or a JSON list of them, of which the first counts here."""
    if given and given.startswith("["):
        names = json.loads(given)
        return str(names[0])
    return given or model


def _tgi(image: ServingImage, environment: Mapping[str, str], _: str, mounted: bool) -> Launch:  # noqa: FBT001 - see _lmi
    model = environment.get("HF_MODEL_ID") or environment.get("MODEL_ID")
    if not model:
        raise CrashError("HF_MODEL_ID must be set")
    _must_be_here(model, mounted=mounted)
    quantization = environment.get("HF_MODEL_QUANTIZE") or environment.get("QUANTIZE")
    if quantization and quantization not in TGI_QUANTIZATIONS:
        listed = ", ".join(sorted(TGI_QUANTIZATIONS))
        raise CrashError(
            f"error: invalid value '{quantization}' for '--quantize <QUANTIZE>'  [possible values: {listed}]"
        )
    total = _optional(environment, "MAX_TOTAL_TOKENS")
    most_input = _optional(environment, "MAX_INPUT_TOKENS") or _optional(environment, "MAX_INPUT_LENGTH")
    if total is not None and most_input is not None and most_input >= total:
        raise CrashError('Error: ArgumentValidation("`max_input_tokens must be < `max_total_tokens`")')
    shards = environment.get("SM_NUM_GPUS") or environment.get("NUM_SHARD") or "1"
    return Launch(
        family=image.family,
        tensor_parallel=_integer("num_shard", shards),
        max_length=total,
        most_input=most_input,
        memory_share=_share(environment.get("CUDA_MEMORY_FRACTION", "1.0")),
        sequences=_integer("max_concurrent_requests", environment.get("MAX_CONCURRENT_REQUESTS", "128")),
        quantization=quantization,
        dtype=environment.get("DTYPE", "auto"),
        served_name="tgi",
    )


def _must_be_here(model: str, *, mounted: bool) -> None:
    if model.rstrip("/") == MOUNTED and mounted:
        return
    if model.startswith("/"):
        raise CrashError(f"OSError: {model} does not appear to have a file named config.json.")
    if model.startswith("s3://"):
        raise CrashError(
            f"huggingface_hub.errors.HFValidationError: Repo id must be in the form 'repo_name' or 'namespace/repo_name': '{model}'"
        )
    raise CrashError(
        f"OSError: We couldn't connect to 'https://huggingface.co' to load the files of {model}, and couldn't find them in the "
        "cached files. (The local cloud has no network: mount the model with ModelDataSource.)"
    )


def _must_be_known(quantization: str | None, known: frozenset[str]) -> None:
    if quantization and quantization not in known:
        raise CrashError(
            f"ValueError: Unknown quantization method: {quantization}. Must be one of {sorted(known)}."
        )


def _integer(name: str, text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise CrashError(f"error: argument {name}: invalid positive int value: {text!r}")
    return value


def _optional(values: Mapping[str, Any], name: str) -> int | None:
    text = values.get(name)
    return None if text in (None, "", "-1") else _integer(name, str(text))


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1:
        raise CrashError(f"ValueError: GPU memory utilization must be less than 1.0. Got {text}.")
    return value
