"""A trained student as a Hugging Face directory that old and new runtimes read alike.

transformers 5 writes names that transformers 4 does not know and passes over without a word: a checkpoint saved by 5.23
and loaded by 4.51 (the release Bedrock's Custom Model Import is built on) falls back to a rope base of 10,000 and does
not find the tokenizer's class. So both spellings are written. With the default rope base the loss would not even show.
"""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

from bedrock_distill.train.compat import quiet

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["export_model"]


def export_model(model: Any, tokenizer: Any, directory: Path) -> Path:
    """Write weights (safetensors), configuration, generation settings, tokenizer and chat template.

    The directory appears complete or not at all; one that is there already is replaced.
    """
    temporary = directory.with_name(f".{directory.name}.writing")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    with quiet():
        model.save_pretrained(temporary)
    tokenizer.save_pretrained(temporary)
    _edit(temporary / "config.json", _both_spellings)
    _edit(temporary / "tokenizer_config.json", lambda settings: _plain_tokenizer(settings, tokenizer))
    for path in temporary.iterdir():
        path.chmod(0o644)  # weights are written 0600, and a server under another user could not read them
    shutil.rmtree(directory, ignore_errors=True)
    temporary.rename(directory)
    return directory


def _edit(path: Path, change: Any) -> None:
    settings = json.loads(path.read_text(encoding="utf-8"))
    change(settings)
    path.write_text(json.dumps(settings, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _both_spellings(config: dict[str, Any]) -> None:
    rope = config.get("rope_parameters")
    if isinstance(rope, dict) and "rope_theta" in rope:
        scaling = {key: value for key, value in rope.items() if key != "rope_theta"}
        config["rope_theta"] = rope["rope_theta"]
        config["rope_scaling"] = None if scaling == {"rope_type": "default"} else scaling
    elif "rope_theta" in config:
        scaling = config.get("rope_scaling") or {"rope_type": "default"}
        config["rope_parameters"] = {"rope_theta": config["rope_theta"], **scaling}
    dtype = config.get("dtype") or config.get("torch_dtype")
    config["dtype"] = config["torch_dtype"] = dtype


def _plain_tokenizer(settings: dict[str, Any], tokenizer: Any) -> None:
    settings["tokenizer_class"] = "PreTrainedTokenizerFast"
    settings["chat_template"] = tokenizer.chat_template
    specials = settings.pop("extra_special_tokens", None)
    if specials:
        settings["additional_special_tokens"] = specials
