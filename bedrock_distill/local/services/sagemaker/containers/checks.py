"""What kills a container on its way to health: missing files, a wrong host, a GPU too small. Functions of values."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from bedrock_distill.errors import DataError
from bedrock_distill.local.services.sagemaker.containers.launch import MOUNTED, CrashError
from bedrock_distill.models.config import quantization_of, read_shape
from bedrock_distill.models.sizing.memory import GIB, MIB, Assumptions, kv_bytes_per_token
from bedrock_distill.models.sizing.parallel import wrong_with_degree

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bedrock_distill.catalog.serving import Ami, Gpu, Instance
    from bedrock_distill.local.services.sagemaker.containers.images import ServingImage
    from bedrock_distill.local.services.sagemaker.containers.launch import Launch
    from bedrock_distill.models.reading import Contents
    from bedrock_distill.models.shape import ModelShape

__all__ = ["check_files", "check_fit", "check_host", "download_s", "startup_s"]

_DOWNLOAD_BYTES_S = 500e6
"""Bytes a second from S3 to an instance. Hundreds of MB/s to a few GB/s are seen; this is an assumption."""
_LOAD_BYTES_S = 200e6
"""Bytes a second from the disk to the GPUs."""
_SERVER_S = 90.0
"""Seconds that a server takes besides: imports, compilation, CUDA graphs."""

_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "spiece.model", "tekken.json")


def download_s(size: int) -> float:
    """Seconds that the files take from S3 to the instance: an assumption."""
    return size / _DOWNLOAD_BYTES_S


def startup_s(size: int) -> float:
    """Seconds from the start of a container to its health: an assumption."""
    return _SERVER_S + size / _LOAD_BYTES_S


def check_host(image: ServingImage, ami_version: str | None, amis: Sequence[Ami]) -> None:
    """End a container whose CUDA does not suit the host's driver. It leaves no word in the log, as on AWS.

    CUDA 13 needs the host's image made for it; CUDA 12 on that image never becomes healthy.

    Raises:
        CrashError: With no lines.
    """
    if image.cuda is None:
        return
    newest = next((row.version for row in amis if row.cuda == "13"), None)
    needs_newest = image.cuda.startswith("13")
    if newest is not None and needs_newest != (ami_version == newest):
        raise CrashError


def check_files(contents: Contents) -> ModelShape:
    """The shape of the model that lies at /opt/ml/model.

    Raises:
        CrashError: If a file is missing or broken, in the words of who reads it.
    """
    names = set(contents.top)
    if "config.json" not in names:
        adapter = "adapter_config.json" in names
        hint = " (This is an adapter: merge it into its base model.)" if adapter else ""
        raise CrashError(f"OSError: {MOUNTED} does not appear to have a file named config.json.{hint}")
    for finding in contents.broken:
        raise CrashError(
            f"safetensors_rust.SafetensorError: Error while deserializing header: {finding.text}"
        )
    missing = sorted(set(contents.shards.values()) - names)
    if missing:
        raise CrashError(f"FileNotFoundError: [Errno 2] No such file or directory: '{MOUNTED}/{missing[0]}'")
    if not contents.weight_files:
        raise CrashError(f"RuntimeError: Cannot find any model weights with `{MOUNTED}`")
    if not names.intersection(_TOKENIZERS):
        raise CrashError(
            f"OSError: Can't load tokenizer for '{MOUNTED}'. It holds none of {', '.join(_TOKENIZERS)}."
        )
    try:
        return read_shape(
            contents.architecture, contents.text_config, contents.tensors, quantization_of(contents.config)
        )
    except DataError as error:
        raise CrashError(f"ValueError: {error}") from error


def check_fit(shape: ModelShape, launch: Launch, instance: Instance, gpu: Gpu) -> None:
    """End a container whose model the instance's GPUs cannot hold or share.

    Raises:
        CrashError: In the words of the server.
    """
    degree = launch.tensor_parallel or instance.gpus
    if degree > instance.gpus:
        raise CrashError(
            f"ValueError: World size ({degree}) is larger than the number of available GPUs ({instance.gpus}) in this node."
        )
    if shape.heads % degree:
        raise CrashError(
            f"ValueError: Total number of attention heads ({shape.heads}) must be divisible by tensor parallel size ({degree})."
        )
    if (rule := wrong_with_degree(shape, degree)) is not None:
        raise CrashError(f"AssertionError: {rule} (tensor parallel size {degree})")
    if launch.dtype in ("bfloat16", "bf16") and not gpu.bf16:
        raise CrashError(
            f"ValueError: Bfloat16 is only supported on GPUs with compute capability of at least 8.0. Your {gpu.name} GPU "
            f"has compute capability {gpu.compute}."
        )
    _check_memory(shape, launch, instance, degree)


def _check_memory(shape: ModelShape, launch: Launch, instance: Instance, degree: int) -> None:
    gpu_bytes = instance.gpu_mib * MIB
    assumed = Assumptions(memory_utilization=launch.memory_share)
    weights = ceil(_loaded_bytes(shape, launch) / degree)
    if weights > gpu_bytes:
        raise CrashError(
            f"torch.OutOfMemoryError: CUDA out of memory. GPU 0 has a total capacity of {gpu_bytes / GIB:.2f} GiB; the weights "
            f"of this rank take {weights / GIB:.2f} GiB."
        )
    left = assumed.budget_bytes(gpu_bytes) - weights - assumed.overhead_bytes(gpu_bytes, launch.sequences)
    tokens = left // kv_bytes_per_token(shape, tensor_parallel=degree)
    if tokens < 1:
        raise CrashError(
            "ValueError: No available memory for the cache blocks. Try increasing `gpu_memory_utilization` when initializing "
            "the engine."
        )
    length = launch.max_length or shape.context
    if length > shape.context:
        raise CrashError(
            f"ValueError: User-specified max_model_len ({length}) is greater than the derived max_model_len "
            f"(max_position_embeddings={shape.context})."
        )
    if length > tokens:
        raise CrashError(
            f"ValueError: The model's max seq len ({length}) is larger than the maximum number of tokens that can be stored in "
            f"KV cache ({tokens}). Try increasing `gpu_memory_utilization` or decreasing `max_model_len` when initializing the "
            "engine."
        )


def _loaded_bytes(shape: ModelShape, launch: Launch) -> float:
    """Bytes of the weights as they lie on the GPUs: float32 is loaded as 16 bits, quantized on the way where told to."""
    halved = (
        shape.dtype == "float32" and shape.quantization is None and launch.dtype not in ("float32", "fp32")
    )
    size = shape.weight_bytes / 2 if halved else float(shape.weight_bytes)
    if launch.quantization is None or shape.quantization is not None:
        return size
    return size / 2 if launch.quantization == "fp8" else size / 3.5
