"""The index against the shards, and the tensors against the config."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from bedrock_distill.models.checks.subject import gigabytes, some
from bedrock_distill.models.reading import INDEX, is_weights
from bedrock_distill.models.report import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bedrock_distill.models.checks.subject import Subject
    from bedrock_distill.models.reading import Contents

__all__ = ["check_index", "check_tensors"]

_LAYER = re.compile(r"(?:^|\.)(?:layers|h|blocks|block)\.(\d+)\.")
_EMBEDDING = re.compile(r"(?:^|\.)(?:embed_tokens|wte|word_embeddings|shared|embed_in)\.weight$")
_HEAD = ("lm_head.weight", "embed_out.weight", "output.weight")
_VISION = re.compile(r"(?:^|\.)(?:vision\w*|visual|audio\w*|image\w*|vit)\.")


def check_index(subject: Subject) -> Iterator[Finding]:
    """What the index names is there, and what is there it names."""
    contents = subject.contents
    weights = [name for name in contents.top if is_weights(name)]
    if INDEX not in contents.sizes:
        parts = [name for name in weights if re.fullmatch(r"model-\d+-of-\d+\.safetensors", name)]
        if parts and "model.safetensors" not in weights:
            text = f"the weights lie in {len(parts)} shards without {INDEX}: save or download it again"
            yield Finding.error("no-index", text)
            yield from _check_numbering(parts)
        return
    if not contents.shards:
        if INDEX in contents.documents:
            yield Finding.error(
                "bad-index", f"{INDEX}: weight_map must be an object of tensor to file: save it again"
            )
        return
    named = sorted(set(contents.shards.values()))
    missing = [name for name in named if name not in contents.sizes]
    if missing:
        yield Finding.error(
            "shards-missing",
            f"{INDEX} names {len(named)} shards, and {len(missing)} of them are missing: {some(missing)}. "
            "Download or save them again",
        )
    unnamed = [name for name in weights if name not in named]
    if unnamed:
        yield Finding.warning(
            "shards-unnamed",
            f"{some(unnamed)} is not named by {INDEX}: it is left out by some loaders and loaded over the named "
            "tensors by others. Remove it, or save the index again",
        )
    yield from _check_index_against_headers(contents)


def _check_numbering(parts: list[str]) -> Iterator[Finding]:
    """Without an index, the files' own numbers still tell whether one is missing."""
    count = int(parts[0].removesuffix(".safetensors").rpartition("-")[2])
    if count != len(parts):
        yield Finding.error(
            "shards-missing", f"the shards' names say that there are {count}, and {len(parts)} are here"
        )


def _check_index_against_headers(contents: Contents) -> Iterator[Finding]:
    readable = {file for file in contents.shards.values() if file in contents.headers}
    held = {(tensor.name, file) for file in readable for tensor in contents.headers[file].tensors}
    named = {(tensor, file) for tensor, file in contents.shards.items() if file in readable}
    absent = sorted(tensor for tensor, _ in named - held)
    if absent:
        yield Finding.error(
            "index-wrong",
            f"{INDEX} places {len(absent):,} tensors in files that do not hold them: {some(absent)}. "
            "Index and shards come from different saves: save both again",
        )
    surplus = sorted(tensor for tensor, _ in held - named)
    if surplus:
        yield Finding.warning(
            "index-incomplete",
            f"the shards hold {len(surplus):,} tensors that {INDEX} does not place there: {some(surplus)}. "
            "Save the index again",
        )
    metadata = contents.documents[INDEX].get("metadata")
    said = metadata.get("total_size") if isinstance(metadata, dict) else None
    everything_read = readable == set(contents.shards.values())
    actual = sum(tensor.size_bytes for tensor in contents.tensors)
    if isinstance(said, int) and everything_read and said != actual:
        yield Finding.warning(
            "index-size",
            f"{INDEX} says that the tensors take {gigabytes(said)} ({said:,} bytes), and their headers say "
            f"{actual:,}: save the index again",
        )


def check_tensors(subject: Subject) -> Iterator[Finding]:
    """The tensors are those that the config describes."""
    contents, shape = subject.contents, subject.shape
    tensors = [tensor for tensor in contents.tensors if not _VISION.search(tensor.name)]
    twice = [name for name, count in Counter(tensor.name for tensor in tensors).items() if count > 1]
    if twice:
        yield Finding.error(
            "tensor-twice",
            f"{len(twice):,} tensors are in more than one file ({some(twice)}), and loaders differ in which they take",
        )
    # Of a model with unreadable or missing files, the rest would be reported as missing a second time.
    if shape is None or not tensors or contents.broken or _incomplete(contents):
        return
    layers = {int(found[1]) for tensor in tensors if (found := _LAYER.search(tensor.name))}
    if layers and len(layers) < shape.layers:
        yield Finding.error(
            "layers-missing",
            f"config.json says {shape.layers} layers, and the files hold tensors of {len(layers)}: "
            "the checkpoint is incomplete, or the config is another model's",
        )
    embedding = next((t for t in tensors if _EMBEDDING.search(t.name) and len(t.shape) == 2), None)
    rows = embedding.shape[0] if embedding is not None else shape.vocab
    # Multimodal models may have rows beyond the vocabulary, for images.
    if embedding is not None and (rows < shape.vocab or (rows > shape.vocab and not subject.multimodal)):
        yield Finding.error(
            "vocabulary-size",
            f"config.json says vocab_size {shape.vocab}, and {embedding.name} has {rows} rows: loading "
            "fails. Set vocab_size to the rows, or save model and config together",
        )
    heads = any(tensor.name.endswith(_HEAD) for tensor in tensors)
    tied = contents.config.get("tie_word_embeddings", contents.text_config.get("tie_word_embeddings"))
    if embedding is not None and tied is False and not heads:
        yield Finding.error(
            "head-missing",
            "config.json says that the output layer is not tied to the embeddings, and the files hold no "
            "lm_head.weight: it would be made up at random. Set tie_word_embeddings to true if it was tied",
        )
    yield from _check_type(subject)


def _incomplete(contents: Contents) -> bool:
    return any(name not in contents.sizes for name in contents.shards.values())


def _check_type(subject: Subject) -> Iterator[Finding]:
    shape, text = subject.shape, subject.contents.text_config
    if shape is None:
        return
    said = text.get("torch_dtype") or text.get("dtype")
    stated = said.removeprefix("torch.") if isinstance(said, str) else "auto"
    if stated not in {"auto", shape.dtype} and shape.quantization is None:
        yield Finding.warning(
            "dtype-differs",
            f"config.json says {stated} and the weights are {shape.dtype}: loaders convert, which takes time, and "
            f"memory is planned for one of the two. Save the model as {stated}",
        )
    if shape.dtype == "float32" and shape.quantization is None:
        yield Finding.warning(
            "float32",
            f"the weights are float32, {gigabytes(shape.weight_bytes)}: bfloat16 takes half the memory, transfer and "
            "storage, and answers alike. Save it with dtype=torch.bfloat16",
        )
