"""Where a student's weights come from: random in one of our sizes, or a model directory, whole or with layers taken out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoModelForSeq2SeqLM,
    LlamaConfig,
    LlamaForCausalLM,
)

from bedrock_distill.errors import SpecError
from bedrock_distill.train.attention import register_float32_attention
from bedrock_distill.train.compat import DTYPE, quiet, rope_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from bedrock_distill.train.config import StudentSize

__all__ = ["load_model", "load_speaker", "prune_layers", "random_student", "use_float32_attention"]


def random_student(
    size: StudentSize,
    tokenizer: Any,
    *,
    seed: int,
    rope_theta: float | None = None,
    vocab_size: int | None = None,
) -> Any:
    """A Llama of the given shape with random weights, in float32.

    Args:
        size: The shape.
        tokenizer: Gives the vocabulary and the special tokens.
        seed: The same seed gives the same weights; the global generator is left as it was.
        rope_theta: Base of the rotary angles instead of the size's own.
        vocab_size: Rows of the embedding matrix, where more than the tokenizer has.
    """
    config = LlamaConfig(
        vocab_size=vocab_size or len(tokenizer),
        hidden_size=size.hidden,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        num_key_value_heads=size.kv_heads,
        intermediate_size=size.intermediate,
        max_position_embeddings=size.max_positions,
        tie_word_embeddings=True,
        # Like 1/sqrt(width). The usual 0.02 suits widths in the thousands; in a narrow student it keeps what attention
        # gathers from the prompt far below the residual stream, and hundreds of steps pass before anything is learned.
        initializer_range=size.hidden**-0.5,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        **rope_settings(rope_theta or size.rope_theta),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
    model.generation_config.do_sample = False
    return model


def load_model(model_dir: Path, *, field: str = "init_dir") -> Any:
    """Load a causal LM in float32 from a directory; nothing is downloaded.

    Raises:
        SpecError: There is no such model; `field` is what the message names.
    """
    return _load(model_dir, lambda _config: AutoModelForCausalLM, field)


def load_speaker(model_dir: Path, *, field: str = "model_dir") -> Any:
    """Load whatever answers text with text: a causal LM, an encoder-decoder, or a model of images too, asked text alone.

    Raises:
        SpecError: There is no such model; `field` is what the message names.
    """

    def kind(config: Any) -> Any:
        if getattr(config, "is_encoder_decoder", False):
            return AutoModelForSeq2SeqLM
        names = config.architectures or ()
        sees = any(name.endswith("ForConditionalGeneration") for name in names)
        return AutoModelForImageTextToText if sees else AutoModelForCausalLM

    return _load(model_dir, kind, field)


def _load(model_dir: Path, kind: Callable[[Any], Any], field: str) -> Any:
    try:
        with quiet():
            config = AutoConfig.from_pretrained(str(model_dir), local_files_only=True)
            return kind(config).from_pretrained(
                str(model_dir), local_files_only=True, **{DTYPE: torch.float32}
            )
    except (OSError, ValueError, KeyError) as error:
        raise SpecError(
            f"loading the model in {model_dir}: {error}; give a directory of a Hugging Face causal LM",
            field=field,
            value=str(model_dir),
        ) from error


def prune_layers(model: Any, keep: Sequence[int]) -> None:
    """Keep only these layers, in this order; what a pruned start from a teacher is.

    Raises:
        SpecError: A number is not a layer, or is named twice.
    """
    layers = model.base_model.layers
    if len(set(keep)) != len(keep) or not all(0 <= number < len(layers) for number in keep):
        raise SpecError(
            f"training: keep_layers is {tuple(keep)}, but the model has layers 0 to {len(layers) - 1}, each to be "
            "named once at most",
            field="keep_layers",
            value=tuple(keep),
        )
    model.base_model.layers = torch.nn.ModuleList(layers[number] for number in keep)
    for number, layer in enumerate(model.base_model.layers):
        layer.self_attn.layer_idx = number
    config = model.config
    if getattr(config, "layer_types", None):
        config.layer_types = [config.layer_types[number] for number in keep]
    config.num_hidden_layers = len(keep)


def use_float32_attention(model: Any) -> None:
    """Take attention out of bfloat16 autocast where it is the attention that suffers from it."""
    # The private name is the one that every release since 4.51 reads at each forward pass.
    if model.config._attn_implementation == "sdpa":  # noqa: SLF001
        model.config._attn_implementation = register_float32_attention()  # noqa: SLF001
