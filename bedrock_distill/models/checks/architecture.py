"""Whether a target knows the model's class, and the limits it sets: region, size, context, custom code, quantization."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bedrock_distill.models.checks.subject import gigabytes, some
from bedrock_distill.models.reading import CONFIG
from bedrock_distill.models.report import TARGETS, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bedrock_distill.models.checks.subject import Subject

__all__ = ["check_architecture", "check_code", "check_limits", "check_quantization"]

_NOT_GENERATIVE = re.compile(
    r"(?<!LMHead)(?<!Chat)(?<!LM)Model$|For(SequenceClassification|TokenClassification|QuestionAnswering|MaskedLM|MultipleChoice|"
    r"ImageClassification|RewardModel)\w*$"
)
"""Classes that end in vectors or scores, and not in text."""


def check_architecture(subject: Subject) -> Iterator[Finding]:
    """Who takes the class, and who does not."""
    contents = subject.contents
    if CONFIG not in contents.documents:
        return
    name = contents.architecture
    if not name:
        yield Finding.error(
            "no-architecture",
            f"config.json: architectures is {contents.config.get('architectures')!r}, and must name the model's "
            'class, such as ["LlamaForCausalLM"]',
        )
        return
    if not contents.config.get("model_type"):
        yield Finding.error("no-model-type", 'config.json: model_type is missing: add it, such as "llama"')
    # Sentence Transformers makes embedding models of classes that otherwise answer, and leaves this file beside them.
    embeds = "modules.json" in contents.sizes
    if embeds or (subject.known is None and _NOT_GENERATIVE.search(name)):
        text = f"{name} gives vectors or scores and not text"
        yield Finding.error("not-generative", f"{text}: it cannot be chatted with", ("model-import", "tgi"))
        yield Finding.warning(
            "not-generative",
            f"{text}: the container serves it as a pooling model, without chat",
            ("lmi", "vllm"),
        )
        return
    if subject.known is None:
        yield from _unknown(subject, name)
        return
    for target in subject.targets:
        answer = subject.known.taken_by(target.name)
        if answer == "yes":
            continue
        remark = (
            f" ({subject.known.remark})" if subject.known.remark and target.name != "model-import" else ""
        )
        if answer == "unclear":
            remark = f": {subject.known.remark}" if subject.known.remark else ""
            text = f"no source says whether {target.title} takes {name}{remark}"
            yield Finding.warning("architecture-unclear", text, (target.name,))
        elif target.name == "model-import":
            yield Finding.error("architecture", _not_importable(subject, name), ("model-import",))
        else:
            yield Finding.error(
                "architecture", f"{target.title} does not take {name}{remark}", (target.name,)
            )
    if subject.multimodal:
        yield Finding.note("multimodal", f"{name} takes images beside text")


def _unknown(subject: Subject, name: str) -> Iterator[Finding]:
    if not subject.catalog.architectures:
        return
    yield Finding.error("architecture", _not_importable(subject, name), ("model-import",))
    yield Finding.warning(
        "architecture-unknown",
        f"the catalog does not know {name}: look it up in the list of the container's makers, and add an "
        "[[architecture]] to an override file (docs/how-to/catalog.md)",
        ("lmi", "vllm", "tgi"),
    )


def _not_importable(subject: Subject, name: str) -> str:
    rows = subject.catalog.architectures
    families = ", ".join(row.family for row in rows if row.model_import == "yes")
    known = subject.known
    elsewhere = [t.title for t in subject.targets if known is not None and known.taken_by(t.name) == "yes"]
    advice = f". SageMaker endpoints take it, with {', '.join(elsewhere)}" if elsewhere else ""
    return f"Custom Model Import does not take {name}; it takes {families}{advice}"


def check_limits(subject: Subject) -> Iterator[Finding]:
    """Region, bytes and context."""
    known, shape = subject.known, subject.shape
    size = sum(subject.contents.sizes.get(name, 0) for name in subject.contents.weight_files)
    for target in subject.targets:
        regions = (known.model_import_regions if known is not None else ()) or target.regions
        if regions and target.name == "model-import":
            yield from _region(subject, target.title, regions)
        limit = target.max_multimodal_bytes if subject.multimodal else target.max_text_bytes
        if limit is not None and size > limit:
            kind = "multimodal" if subject.multimodal else "text"
            yield Finding.error(
                "too-large",
                f"the weights take {gigabytes(size)}, and {target.title} takes {kind} models up to "
                f"{gigabytes(limit)}: quantize them, or serve the model on SageMaker",
                (target.name,),
            )
        if shape is not None and target.max_context is not None and shape.context > target.max_context:
            yield Finding.error(
                "context",
                f"config.json says a context of {shape.context:,} tokens, and {target.title} takes up to "
                f"{target.max_context:,}: lower max_position_embeddings, if prompts are shorter",
                (target.name,),
            )


def _region(subject: Subject, title: str, regions: tuple[str, ...]) -> Iterator[Finding]:
    if subject.known is not None and subject.known.model_import == "no":
        return
    what = (
        subject.known.family if subject.known is not None and subject.known.model_import_regions else "models"
    )
    places = f"{title} takes {what} in {', '.join(regions)}"
    if subject.region is None:
        yield Finding.note("regions", places, ("model-import",))
    elif subject.region not in regions:
        yield Finding.error(
            "region",
            f"{places}, not in {subject.region}: import there, and copy the model to another of them if need be",
            ("model-import",),
        )


def check_code(subject: Subject) -> Iterator[Finding]:
    """Code that comes with the model."""
    contents = subject.contents
    maps = [document.get("auto_map") for document in contents.documents.values()]
    references = [str(value) for found in maps if isinstance(found, dict) for value in found.values()]
    if not references:
        return
    refusing = [target for target in subject.targets if not target.custom_code]
    text = f"the model brings code of its own (auto_map: {some(references)})"
    yield Finding.error(
        "custom-code",
        f"{text}, and Custom Model Import runs none: convert it to a class of transformers, or serve it on SageMaker",
        subject.named(*refusing),
    )
    yield Finding.warning(
        "custom-code",
        f"{text}: read it, then allow it with trust_remote_code in the container's settings",
        tuple(name for name in TARGETS if name not in subject.named(*refusing)),
    )
    # `repository--module.Class` is fetched from the hub, `module.Class` lies here.
    local = {reference.partition(".")[0] + ".py" for reference in references if "--" not in reference}
    if missing := sorted(name for name in local if name not in contents.sizes and name.isascii()):
        yield Finding.error("code-missing", f"auto_map names code that is not here: {some(missing)}")
    if remote := [reference for reference in references if "--" in reference]:
        yield Finding.warning(
            "code-elsewhere",
            f"auto_map fetches code from the hub ({some(remote)}), which an endpoint without network cannot: "
            "save the files beside the weights",
        )


def check_quantization(subject: Subject) -> Iterator[Finding]:
    """Quantized weights, and who reads them."""
    said = subject.contents.text_config.get("quantization_config")
    if not isinstance(said, dict):
        return
    method = str(said.get("quant_method", "")) or "unknown"
    if subject.quantization is None:
        yield Finding.warning(
            "quantization-unknown",
            f"config.json: quantization_config (quant_method {method!r}) does not say how many bits a weight has, so "
            "parameters are counted as stored",
        )
    if subject.known is not None and subject.known.quantization == method:
        return
    for target in subject.targets:
        if not target.quantizations:
            text = f"no rule is published on quantized weights ({method}) in {target.title}: try it, or save them in bfloat16"
            yield Finding.warning("quantized", text, (target.name,))
        elif method not in target.quantizations:
            yield Finding.warning(
                "quantized",
                f"{target.title} is known to read {', '.join(target.quantizations)}, and these weights are {method}",
                (target.name,),
            )
