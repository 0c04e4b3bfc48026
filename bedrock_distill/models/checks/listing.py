"""Files that are missing, that are too many, and directories that are no model at all."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from bedrock_distill.models.checks.subject import gigabytes, some
from bedrock_distill.models.reading import ADAPTER, CONFIG, INDEX, TOKENIZER, WEIGHTS, is_weights
from bedrock_distill.models.report import TARGETS, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bedrock_distill.models.checks.subject import Subject
    from bedrock_distill.models.reading import Contents

__all__ = ["check_files", "other_kind"]

_PICKLED = ("pytorch_model*.bin", "*.pt", "*.pth", "*.ckpt", "consolidated*.bin")
_READ = (WEIGHTS, INDEX, "pytorch_model.bin", "pytorch_model.bin.index.json")
"""Files of which transformers reads the first that is there (`modeling_utils`); beside none of them it loads no weights."""
_LIKE_WEIGHTS = ("*.safetensors", "*.bin", "*.pt", "*.pth", "*.ckpt")
_SHARD = re.compile(r"model-\d+-of-\d+\.safetensors")
"""What lies there as shards lacks its index, which is told in its own words."""
_TRAINING = (
    "optimizer*", "scheduler.pt", "rng_state*", "trainer_state.json", "training_args.bin", "scaler.pt",
    "global_step*", "latest", "zero_to_fp32.py", "events.out.tfevents*",
)  # fmt: skip
_OTHER_FORMATS = ("*.gguf", "*.ggml", "*.onnx", "*.h5", "*.msgpack", "*.tflite", "*.ot")
_ARCHIVES = ("*.tar.gz", "*.tgz", "*.tar", "*.zip")
_VOCABULARIES = (
    "tokenizer.json",
    "tokenizer.model",
    "spiece.model",
    "vocab.json",
    "vocab.txt",
    "tekken.json",
)
_RIVALS = ("tokenizer.model", "tokenizer.model.v3", "spiece.model", "vocab.json", "vocab.txt", "tekken.json")
"""Vocabularies of which a model has one: a second comes from another model, and loaders differ in which they take."""


def other_kind(contents: Contents) -> Finding | None:
    """What a directory is instead, where it holds no model; the other checks have nothing to look at then."""
    top, here = contents.top, contents.where
    weights = [name for name in top if is_weights(name) or _matches(name, _PICKLED)]
    if ADAPTER in contents.sizes and not weights:
        base = contents.documents.get(ADAPTER, {}).get("base_model_name_or_path") or "its base model"
        return Finding.error(
            "adapter-only",
            f"{here} holds only an adapter (adapter_config.json), trained on {base}. Merge it into the base model "
            "and save the result: PeftModel.from_pretrained(base, adapter).merge_and_unload().save_pretrained(…), "
            "with the tokenizer beside it",
        )
    if weights or CONFIG in contents.sizes:
        return None
    nested = sorted({name.rpartition("/")[0] for name in contents.sizes if name.endswith("/" + CONFIG)})
    if nested:
        return Finding.error(
            "nested", f"{here} holds no config.json, but {some(nested)} does: name that directory"
        )
    if other := [name for name in top if _matches(name, _OTHER_FORMATS)]:
        return Finding.error(
            "other-format",
            f"{here} holds {some(other)} and no safetensors. Take the model's own safetensors, or convert: "
            "AutoModelForCausalLM.from_pretrained(…, gguf_file=…) reads GGUF, save_pretrained(…) writes safetensors",
        )
    if packed := [name for name in top if _matches(name, _ARCHIVES)]:
        return Finding.error(
            "archive", f"{here} holds an archive, {some(packed)}: unpack it and name the directory inside"
        )
    return Finding.error(
        "no-model", f"{here} holds no config.json and no weights: it is not a Hugging Face model directory"
    )


def check_files(subject: Subject) -> Iterator[Finding]:
    """Files that should be there, and files that should not."""
    contents = subject.contents
    if CONFIG not in contents.sizes:
        yield Finding.error("no-config", "config.json is missing: nothing can tell what the weights are")
    yield from _check_weight_formats(subject)
    yield from _check_tokenizer_files(contents)
    yield from _check_superfluous(contents)
    empty = [name for name in contents.top if contents.sizes[name] == 0]
    if empty:
        yield Finding.warning(
            "empty-file", f"{some(empty)} is empty, or a link that leads nowhere: save or download it again"
        )


def _check_weight_formats(subject: Subject) -> Iterator[Finding]:
    contents = subject.contents
    pickled = [name for name in contents.top if _matches(name, _PICKLED) and not _matches(name, _TRAINING)]
    safe = contents.weight_files
    if odd := _oddly_named(contents):
        yield Finding.error(
            "weights-name",
            f"{some(odd)} has a name that transformers does not read: it reads {WEIGHTS} or the shards that {INDEX} names "
            "(pickled: pytorch_model.bin, or those of pytorch_model.bin.index.json). Rename it, or save the model again with "
            "save_pretrained(…)",
        )
    elif not safe and not pickled:
        yield Finding.error("no-weights", "there is no *.safetensors file: the weights are missing")
    if pickled and not safe:
        strict = subject.named(*(target for target in subject.targets if target.safetensors_only))
        save = "load the model and save it again with save_pretrained(…), which writes safetensors"
        text = f"the weights are pickled ({some(pickled)})"
        yield Finding.error(
            "pickled", f"{text}, and Custom Model Import takes only safetensors: {save}", strict
        )
        yield Finding.warning(
            "pickled",
            f"{text}: unpickling runs code out of the file, and is slow. Better {save}",
            tuple(name for name in TARGETS if name not in strict),
        )
    elif pickled:
        yield _superfluous(contents, "pickled-too", pickled, "the weights once more, pickled")


def _oddly_named(contents: Contents) -> list[str]:
    """What looks like weights, where nothing has a name that is read."""
    if any(name in contents.sizes for name in _READ):
        return []
    return [
        name
        for name in contents.top
        if _matches(name, _LIKE_WEIGHTS)
        and not _matches(name, ("adapter_*", *_TRAINING))
        and not _SHARD.fullmatch(name)
    ]


def _check_tokenizer_files(contents: Contents) -> Iterator[Finding]:
    if not any(name in contents.sizes for name in _VOCABULARIES):
        yield Finding.error(
            "no-tokenizer",
            "there is no tokenizer (tokenizer.json or tokenizer.model): save it beside the weights with "
            "tokenizer.save_pretrained(…)",
        )
    elif "tokenizer.json" not in contents.sizes and "tokenizer.model" not in contents.sizes:
        yield Finding.warning(
            "slow-tokenizer",
            "there is neither tokenizer.json nor tokenizer.model, which Custom Model Import asks for: load the "
            "tokenizer and save it again with save_pretrained(…)",
            ("model-import",),
        )
    if TOKENIZER not in contents.sizes:
        text = "tokenizer_config.json is missing, which names the tokenizer's class and special tokens"
        yield Finding.error(
            "no-tokenizer-config", f"{text}; Custom Model Import asks for it", ("model-import",)
        )
        yield Finding.warning("no-tokenizer-config", text, ("lmi", "vllm", "tgi"))
    rivals = [name for name in _RIVALS if name in contents.sizes]
    if len(rivals) > 1:
        yield Finding.warning(
            "several-tokenizers",
            f"there are several vocabularies ({', '.join(rivals)}), and loaders differ in which they take: "
            "keep the one that the model was trained with",
        )


def _check_superfluous(contents: Contents) -> Iterator[Finding]:
    training = [name for name in contents.sizes if _matches(name.rpartition("/")[2], _TRAINING)]
    if training:
        yield _superfluous(contents, "training-state", training, "the state of a training run")
    other = [name for name in contents.top if _matches(name, _OTHER_FORMATS)]
    if other:
        yield _superfluous(contents, "other-format", other, "the weights in another format")
    doubled = [name for name in contents.top if is_weights(name) and name not in contents.weight_files]
    if doubled and not contents.shards:
        yield _superfluous(contents, "weights-twice", doubled, "weights that loaders pass over or take twice")
    if ADAPTER in contents.sizes:
        yield Finding.warning(
            "adapter-beside",
            "an adapter lies beside the weights (adapter_config.json), and some loaders apply it: remove its files "
            "if it is merged, or merge it",
        )
    nested = [name for name in contents.sizes if "/" in name and name not in training]
    hidden = [name for name in nested if name.startswith(".")]
    if hidden:
        yield _superfluous(contents, "hidden-files", hidden, "leftovers of git or of a download")
    if visible := [name for name in nested if name not in hidden]:
        yield _superfluous(contents, "subfolders", visible, "files in folders, which no target reads")


def _superfluous(contents: Contents, code: str, names: list[str], what: str) -> Finding:
    size = gigabytes(sum(contents.sizes[name] for name in names))
    return Finding.warning(
        code, f"{some(names)} ({size}): {what}. They are moved and stored for nothing: remove them"
    )


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
