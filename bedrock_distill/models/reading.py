"""Reading a model's directory: its JSON files and safetensors headers, and a finding for each that cannot be read."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from bedrock_distill.errors import DataError
from bedrock_distill.models.headers import Header, Tensor, read_header
from bedrock_distill.models.report import Finding

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bedrock_distill.models.files import ModelFiles

__all__ = [
    "ADAPTER",
    "CONFIG",
    "GENERATION",
    "INDEX",
    "TEMPLATE",
    "TEMPLATE_JSON",
    "TOKENIZER",
    "WEIGHTS",
    "Contents",
    "is_weights",
    "read_contents",
]

CONFIG = "config.json"
TOKENIZER = "tokenizer_config.json"
GENERATION = "generation_config.json"
WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
ADAPTER = "adapter_config.json"
TEMPLATE_JSON = "chat_template.json"
TEMPLATE = "chat_template.jinja"

_DOCUMENTS = (CONFIG, TOKENIZER, GENERATION, INDEX, ADAPTER, TEMPLATE_JSON)
_MOST_JSON_BYTES = 64 * 1024 * 1024
"""The largest index of a published model has some 10 MB."""
_READERS = 8
"""Headers read at the same time: on S3 each takes two round trips, and a large model has a hundred files."""


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What was read of a model's directory."""

    where: str
    sizes: Mapping[str, int]
    """Bytes of every file."""
    documents: Mapping[str, Mapping[str, Any]]
    """The JSON files that are there and could be read."""
    template: str
    """The text of `chat_template.jinja`; empty where there is none."""
    headers: Mapping[str, Header]
    """Of every safetensors file at the top that could be read."""
    broken: tuple[Finding, ...]
    """What could not be read."""

    @property
    def config(self) -> Mapping[str, Any]:
        """`config.json`; empty where there is none."""
        return self.documents.get(CONFIG, {})

    @cached_property
    def text_config(self) -> Mapping[str, Any]:
        """The part of the config that describes the language model: in multimodal models it has a place of its own."""
        nested = (self.config.get(name) for name in ("text_config", "llm_config", "language_config"))
        part = next((value for value in nested if isinstance(value, dict)), {})
        return {**self.config, **part}

    @property
    def architecture(self) -> str:
        """The first of the config's `architectures`; empty where there is none."""
        named = self.config.get("architectures")
        return named[0] if isinstance(named, list) and named and isinstance(named[0], str) else ""

    @cached_property
    def top(self) -> tuple[str, ...]:
        """Names of the files that lie in the directory itself."""
        return tuple(name for name in self.sizes if "/" not in name)

    @cached_property
    def shards(self) -> Mapping[str, str]:
        """Tensor -> file, as the index says; empty where there is no index or it is malformed."""
        placed = self.documents.get(INDEX, {}).get("weight_map")
        if not isinstance(placed, dict) or not all(isinstance(file, str) for file in placed.values()):
            return {}
        return placed

    @cached_property
    def weight_files(self) -> tuple[str, ...]:
        """The safetensors files that a loader takes: what the index names, else `model.safetensors`, else all there are."""
        present = [name for name in self.top if is_weights(name)]
        if self.shards:
            named = set(self.shards.values())
            return tuple(name for name in present if name in named)
        if WEIGHTS in present:
            return (WEIGHTS,)
        # Mistral's own releases hold the same weights a second time, under this name.
        return tuple(name for name in present if not name.startswith("consolidated")) or tuple(present)

    @cached_property
    def tensors(self) -> tuple[Tensor, ...]:
        """Every tensor of those files."""
        return tuple(
            tensor
            for file in self.weight_files
            if file in self.headers
            for tensor in self.headers[file].tensors
        )


def is_weights(name: str) -> bool:
    """Whether a file holds a model's weights: an adapter's do not count."""
    return name.endswith(".safetensors") and not name.startswith("adapter_")


def read_contents(files: ModelFiles) -> Contents:
    """Read what can be read.

    Raises:
        DataError: If there is nothing there.
        ServiceError: If the directory is on S3, and S3 refuses.
    """
    sizes = files.sizes()
    if not sizes:
        raise DataError(
            f"{files.where} holds no file. A model is a directory that holds config.json and *.safetensors."
        )
    documents: dict[str, Mapping[str, Any]] = {}
    headers: dict[str, Header] = {}
    broken: list[Finding] = []
    for name in _DOCUMENTS:
        if name in sizes:
            try:
                documents[name] = _document(files, name, sizes[name])
            except DataError as error:
                broken.append(Finding.error("bad-json", str(error)))
    template = files.read(TEMPLATE).decode("utf-8", "replace") if sizes.get(TEMPLATE) else ""
    weights = [name for name in sizes if "/" not in name and name.endswith(".safetensors")]
    with ThreadPoolExecutor(_READERS) as pool:
        read = pool.map(lambda name: _header(files, name, sizes[name]), weights)
        for name, found in zip(weights, read, strict=True):
            if isinstance(found, Header):
                headers[name] = found
            else:
                broken.append(found)
    return Contents(
        where=files.where,
        sizes=sizes,
        documents=documents,
        template=template,
        headers=headers,
        broken=tuple(broken),
    )


def _header(files: ModelFiles, name: str, size: int) -> Header | Finding:
    try:
        return read_header(files, name, size)
    except DataError as error:
        return Finding.error(error.offences[0].code if error.offences else "unreadable", str(error))


def _document(files: ModelFiles, name: str, size: int) -> Mapping[str, Any]:
    if size > _MOST_JSON_BYTES:
        raise DataError(f"{name}: {size:,} bytes are too many for such a file.")
    try:
        document = json.loads(files.read(name))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{name}: not JSON: {error}. Save or download the file again.") from error
    if not isinstance(document, dict):
        raise DataError(f"{name}: {type(document).__name__} where a JSON object belongs.")
    return document
