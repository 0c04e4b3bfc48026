"""What cannot work, or may not do what is meant: one rule a function, each with what to do instead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bedrock_distill.errors import SpecError
from bedrock_distill.models.sizing import (
    Need,
    split_over,
    tensor_parallel_degrees,
    wrong_with_degree,
)
from bedrock_distill.models.sizing.fitting import why_not
from bedrock_distill.models.sizing.formats import wrong_with_gpu
from bedrock_distill.models.sizing.memory import GIB, MIB
from bedrock_distill.resources.endpoint.containers.environment import written
from bedrock_distill.resources.endpoint.containers.images import ami_of
from bedrock_distill.resources.endpoint.containers.lmi import ASYNC_BY_REQUEST, LMI, TensorRTLLM
from bedrock_distill.resources.endpoint.containers.problems import Problem
from bedrock_distill.resources.endpoint.containers.tgi import TGI
from bedrock_distill.resources.endpoint.containers.vllm_engine import VllmEngine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from bedrock_distill.catalog import Catalog, Gpu, Instance
    from bedrock_distill.models.shape import ModelShape
    from bedrock_distill.models.sizing import Split
    from bedrock_distill.resources.endpoint.containers.settings import Container

__all__ = ["check"]

_BLACKWELL = (10, 0)
_BLACKWELL_DRIVER = 570
"""First branch of NVIDIA's driver that knows Blackwell GPUs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """A container on an instance."""

    container: Container
    instance: Instance
    gpu: Gpu
    catalog: Catalog
    region: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _ModelCase:
    """A model in a container on an instance."""

    container: Container
    instance: Instance
    gpu: Gpu
    shape: ModelShape
    need: Need


def check(
    container: Container,
    shape: ModelShape | None,
    instance: Instance | str,
    *,
    catalog: Catalog,
    region: str | None,
) -> list[Problem]:
    """Every problem of a container's settings; see `Container.check`."""
    try:
        row = catalog.instance(instance) if isinstance(instance, str) else instance
        case = _Case(
            container=container, instance=row, gpu=catalog.gpu(row.gpu), catalog=catalog, region=region
        )
    except SpecError as error:
        return [Problem("instance", instance, error.message)]
    found = [problem for rule in _RULES for problem in rule(case)]
    if shape is None:
        return found
    model = _ModelCase(
        container=container, instance=row, gpu=case.gpu, shape=shape, need=container.need(shape)
    )
    found += [problem for rule in _MODEL_RULES for problem in rule(model)]
    if any(problem.severity == "error" for problem in found):
        # How much fits says nothing where the settings are wrong already.
        return found
    return [*found, *_memory(model), *_environment(model, catalog)]


def _image(case: _Case) -> Iterator[Problem]:
    container = case.container
    try:
        if case.region is not None:
            container.image(case.region, case.catalog)
        elif container.image_uri is None:
            container.published(case.catalog)
    except SpecError as error:
        yield Problem(error.field or "version", error.value, error.message)


def _host(case: _Case) -> Iterator[Problem]:
    try:
        cuda = case.container.cuda(case.catalog)
    except SpecError:
        return  # `_image` has said it
    row = ami_of(cuda, case.catalog)
    if row is None:
        yield Problem(
            "image_uri",
            case.container.image_uri,
            "its tag does not tell its CUDA version, and the wrong host image ends without a log; name the host image "
            "(InferenceAmiVersion) yourself",
            "warning",
        )
        return
    family = case.instance.family
    if row.families and family not in row.families:
        yield Problem(
            "instance",
            case.instance.name,
            f"AWS lists the host image {row.version}, which CUDA {cuda} needs, for {', '.join(row.families)}, not for "
            f"{family}; choose one of those, or try it with a short startup timeout",
            "warning",
        )
    if case.gpu.capability >= _BLACKWELL and int(row.driver) < _BLACKWELL_DRIVER:
        yield Problem(
            "version",
            case.container.version,
            f"its CUDA {cuda} needs the host image {row.version} with driver {row.driver}, which does not know the "
            f"{case.gpu.name}; choose a version with CUDA 13",
        )


def _degree(case: _Case) -> Iterator[Problem]:
    degree, gpus = case.container.tensor_parallel, case.instance.gpus
    if degree is None:
        return
    if degree > gpus:
        yield Problem(
            "tensor_parallel", degree, f"{degree}: {case.instance.name} has {gpus} GPUs; give at most that"
        )
    elif idle := gpus % degree if case.container.copies else gpus - degree:
        yield Problem(
            "tensor_parallel",
            degree,
            f"{degree} leaves {idle} of {gpus} GPUs idle; choose a smaller instance or another degree",
            "warning",
        )


def _release(case: _Case) -> Iterator[Problem]:
    container = case.container
    if not isinstance(container, LMI):
        return
    try:
        release = container.release(case.catalog)
    except SpecError:
        return  # `_image` has said it
    if release is None or release >= ASYNC_BY_REQUEST:
        return
    if container.speculation is not None:
        yield Problem(
            "speculation",
            container.version,
            f"LMI {release} has no speculative_config, LMI {ASYNC_BY_REQUEST} is the first with it; choose a newer version",
        )
    if container.prefill_tokens is not None and container.prefill_tokens < container.context_for(None):
        yield Problem(
            "prefill_tokens",
            container.prefill_tokens,
            f"{container.prefill_tokens:,}: the vLLM of LMI {release} reads a prompt in one step and does not start where that "
            f"is less than context ({container.context_for(None):,}); leave it out, or choose a newer version",
        )


def _draft(case: _Case) -> Iterator[Problem]:
    container = case.container
    if isinstance(container, VllmEngine) and container.speculation and container.speculation.draft:
        yield Problem(
            "speculation",
            container.speculation.draft,
            "the weights and the cache of the draft are not counted in what fits; leave room for them",
            "warning",
        )


def _legacy(case: _Case) -> Iterator[Problem]:
    container = case.container
    if isinstance(container, TGI):
        yield Problem(
            "container",
            "TGI",
            "it is in maintenance; its makers recommend vLLM: VLLM(...) or LMI(...)",
            "warning",
        )
        if container.dtype != "auto" and container.quantize not in (None, "bitsandbytes", "bitsandbytes-nf4"):
            yield Problem(
                "dtype",
                container.dtype,
                f"{container.dtype} with quantize={container.quantize!r}: TGI takes one of them; leave dtype out",
            )
    if isinstance(container, TensorRTLLM):
        yield Problem(
            "container",
            "TensorRTLLM",
            "its image has not been released anew since 0.33.0; newer architectures need LMI(...) or VLLM(...)",
            "warning",
        )


def _types(case: _Case) -> Iterator[Problem]:
    container, gpu = case.container, case.gpu
    if container.dtype == "bfloat16" and not gpu.bf16:
        yield Problem(
            "dtype",
            "bfloat16",
            f"the {gpu.name} has no bfloat16; set dtype='float16' or choose another instance",
        )
    if isinstance(container, VllmEngine) and container.kv_dtype == "fp8" and not gpu.fp8:
        yield Problem(
            "kv_dtype",
            "fp8",
            f"the {gpu.name} does not compute in fp8: the cache is converted at every step, which costs time",
            "warning",
        )
    if isinstance(container, TensorRTLLM) and container.quantize == "fp8" and not gpu.fp8:
        yield Problem(
            "quantize",
            "fp8",
            f"TensorRT-LLM's fp8 needs a GPU that has it, the {gpu.name} does not; choose awq",
        )


_RULES: tuple[Callable[[_Case], Iterable[Problem]], ...] = (
    _image,
    _host,
    _degree,
    _release,
    _draft,
    _legacy,
    _types,
)


def _auto_dtype(case: _ModelCase) -> Iterator[Problem]:
    if case.container.dtype == "auto" and case.shape.dtype == "bfloat16" and not case.gpu.bf16:
        yield Problem(
            "dtype",
            "auto",
            f"the weights are bfloat16, which the {case.gpu.name} does not have, and the server would not start; set "
            "dtype='float16' and check the answers, or choose another instance",
        )


def _quantize(case: _ModelCase) -> Iterator[Problem]:
    chosen = getattr(case.container, "quantize", None)
    stored = case.shape.quantization
    if chosen is not None and stored is not None:
        yield Problem(
            "quantize",
            chosen,
            f"{chosen!r}: the weights are quantized already ({stored.method}), and the server sees that; leave it out",
        )
        return
    held = case.need.held
    if (reason := wrong_with_gpu(case.gpu, held)) is not None:
        yield Problem("instance", case.instance.name, f"{reason}; choose an instance with a newer GPU")
    elif held.fast_with is not None and not getattr(case.gpu, held.fast_with):
        yield Problem("instance", case.instance.name, f"the {case.gpu.name}: {held.slow}", "warning")


def _length(case: _ModelCase) -> Iterator[Problem]:
    asked = case.container.context
    if asked is not None and asked > case.shape.context:
        yield Problem(
            "context",
            asked,
            f"{asked:,}: the model takes {case.shape.context:,} tokens (max_position_embeddings); give at most that",
        )
    container = case.container
    if isinstance(container, TGI):
        whole, longest = container.context_for(case.shape), container.longest_prompt(case.shape)
        if longest >= whole:
            yield Problem(
                "input_tokens",
                longest,
                f"{longest:,}: a prompt must leave room for an answer in context={whole:,}; give less",
            )
        if container.prefill_tokens is not None and container.prefill_tokens < longest:
            yield Problem(
                "prefill_tokens",
                container.prefill_tokens,
                f"{container.prefill_tokens:,}: TGI does not start where it is below the longest prompt, {longest:,}; "
                "give at least that",
            )


def _divisible(case: _ModelCase) -> Iterator[Problem]:
    group = case.need.held.group_size
    allowed = tensor_parallel_degrees(case.shape, case.instance.gpus, group_size=group)
    degree = case.container.tensor_parallel
    if degree is not None and degree not in allowed and degree <= case.instance.gpus:
        reason = wrong_with_degree(case.shape, degree, group_size=group)
        yield Problem(
            "tensor_parallel",
            degree,
            f"{degree}: {reason}; {case.instance.name} allows {', '.join(map(str, allowed)) or 'none'}",
        )


_MODEL_RULES: tuple[Callable[[_ModelCase], Iterable[Problem]], ...] = (
    _auto_dtype,
    _quantize,
    _length,
    _divisible,
)


def _memory(case: _ModelCase) -> Iterator[Problem]:
    need, instance = case.need, case.instance
    split = split_over(need, instance, case.container.degree(case.shape, instance))
    if split.requests < 1:
        reason = why_not(need, instance, case.gpu, split)
        if split.kv_per_gpu <= 0:
            yield Problem(
                "instance",
                instance.name,
                f"{reason}; choose a larger instance, or quantized weights (`endpoints size`)",
            )
        else:
            most = split.tokens // split.copies
            yield Problem(
                "context",
                need.context,
                f"{reason}; set context to at most {most:,}, or choose a larger instance",
            )
    elif split.requests < need.concurrency:
        yield Problem("concurrency", need.concurrency, _waiting(need, split), "warning")
    if instance.memory_mib * MIB < case.shape.weight_bytes:
        yield Problem(
            "instance",
            instance.name,
            f"the host has {instance.memory_mib * MIB / GIB:.0f} GiB of memory, the weights {case.shape.weight_bytes / GIB:.1f}; "
            "loading may be slow or fail, prefer a larger size of the family",
            "warning",
        )


def _waiting(need: Need, split: Split) -> str:
    return (
        f"{need.concurrency}: {split.requests} requests of {need.context:,} tokens fit into the cache at once; longer ones "
        "wait or are interrupted. Lower context or concurrency, or choose a larger instance"
    )


def _environment(case: _ModelCase, catalog: Catalog) -> Iterator[Problem]:
    degree = case.container.degree(case.shape, case.instance)
    own = written(case.container.variables(case.shape, degree, None, catalog))
    yield from case.container.environment_problems(own)
