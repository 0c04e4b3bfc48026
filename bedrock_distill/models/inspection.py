"""Inspecting a model's directory: read what is cheap to read, run every check over it, and report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bedrock_distill.catalog import Catalog, load_catalog
from bedrock_distill.errors import DataError
from bedrock_distill.models.checks.answering import (
    check_generation,
    check_template,
    check_tokenizer_class,
    template_file,
)
from bedrock_distill.models.checks.architecture import (
    check_architecture,
    check_code,
    check_limits,
    check_quantization,
)
from bedrock_distill.models.checks.listing import check_files, other_kind
from bedrock_distill.models.checks.subject import Subject
from bedrock_distill.models.checks.versions import check_nesting, check_rope, check_saved_names
from bedrock_distill.models.checks.weights import check_index, check_tensors
from bedrock_distill.models.config import quantization_of, read_shape
from bedrock_distill.models.reading import TOKENIZER, Contents, read_contents
from bedrock_distill.models.report import Finding, ModelReport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bedrock_distill.models.files import ModelFiles
    from bedrock_distill.models.shape import ModelShape, Quantization

__all__ = ["inspect"]

_CHECKS: tuple[Callable[[Subject], Iterator[Finding]], ...] = (
    check_architecture,
    check_files,
    check_index,
    check_tensors,
    check_limits,
    check_quantization,
    check_rope,
    check_nesting,
    check_saved_names,
    check_tokenizer_class,
    check_template,
    check_generation,
    check_code,
)
_ORDER = ("error", "warning", "note")


def inspect(files: ModelFiles, *, catalog: Catalog | None = None, region: str | None = None) -> ModelReport:
    """Look at a model without its weights: config, tokenizer and generation settings, and the headers of the weights.

    Args:
        files: The model's directory.
        catalog: What is known of architectures and targets. Default: the shipped catalog.
        region: The region that Custom Model Import is meant in. Default: any that has it.

    Raises:
        DataError: If there is no directory, or nothing in it.
        ServiceError: If the directory is on S3, and S3 refuses.
    """
    catalog = catalog if catalog is not None else load_catalog()
    contents = read_contents(files)
    kind = other_kind(contents)
    quantization = quantization_of(contents.text_config)
    shape, missing = (None, []) if kind is not None else _shape(contents, quantization)
    subject = Subject(
        contents=contents,
        catalog=catalog,
        region=region,
        known=catalog.architecture(contents.architecture),
        quantization=quantization,
        shape=shape,
    )
    found = [kind] if kind is not None else [finding for check in _CHECKS for finding in check(subject)]
    found = [*contents.broken, *missing, *found]
    tokenizer = contents.documents.get(TOKENIZER, {})
    return ModelReport(
        where=contents.where,
        architecture=contents.architecture,
        family=subject.known.family if subject.known is not None else "",
        shape=shape,
        files=len(contents.sizes),
        total_bytes=sum(contents.sizes.values()),
        tokenizer_class=str(tokenizer.get("tokenizer_class") or ""),
        chat_template=template_file(contents),
        saved_by=str(contents.config.get("transformers_version") or ""),
        region=region,
        findings=tuple(sorted((f for f in found if f.targets), key=lambda f: _ORDER.index(f.severity))),
        titles={target.name: target.title for target in catalog.targets},
    )


def _shape(contents: Contents, quantization: Quantization | None) -> tuple[ModelShape | None, list[Finding]]:
    """The shape; or none, and a finding that says what it lacks."""
    if not contents.config or not contents.tensors:
        return None, []
    # Families without positions to learn state no length in their config; their tokenizer may.
    longest = contents.documents.get(TOKENIZER, {}).get("model_max_length")
    text = (
        {"model_max_length": longest, **contents.text_config} if _is_length(longest) else contents.text_config
    )
    try:
        return read_shape(contents.architecture, text, contents.tensors, quantization), []
    except DataError as error:
        message = f"{error} Until then nothing can be said on memory and context"
        return None, [Finding.warning("shape-unknown", message)]


def _is_length(value: object) -> bool:
    """Tokenizers without a limit say 1e30."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 100_000_000
