"""Words of a student: the tokenizer learned from a job's data, the one of single bytes, and how a chat is spelled.

A learned vocabulary is small (about a thousand) because a student of a million weights would otherwise be mostly
embeddings. Digits stay single, so that order numbers and amounts are copied rather than memorised.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jinja2 import TemplateError
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from bedrock_distill.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from bedrock_distill.records.schema import Record

__all__ = [
    "CHAT_TEMPLATE",
    "byte_tokenizer",
    "end_ids",
    "learn_tokenizer",
    "load_tokenizer",
    "prompt_text",
    "raw_ids",
    "same_words",
    "token_ids",
]

PADDING, TURN_START, TURN_END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
"""ChatML: understood by every serving stack, and spelled out in the exported tokenizer."""

HEADERS = (*tuple(f"{TURN_START}{role}\n" for role in ("system", "user", "assistant")), f"{TURN_END}\n")
"""What surrounds a turn, each one token: spelled out they would be a third of a short message."""


def _empty_tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _wrap(tokenizer: Tokenizer) -> Any:
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PADDING,
        eos_token=TURN_END,
        additional_special_tokens=[TURN_START, *HEADERS],
        clean_up_tokenization_spaces=False,
        padding_side="left",
        chat_template=CHAT_TEMPLATE,
    )


def learn_tokenizer(texts: Iterable[str], vocab_size: int) -> Any:
    """Learn byte-level BPE from texts; any text at all can be encoded and comes back unchanged.

    Args:
        texts: Read once, not kept.
        vocab_size: Most words to learn, with 256 bytes and 7 special tokens among them.

    Returns:
        A `PreTrainedTokenizerFast` with a chat template.
    """
    tokenizer = _empty_tokenizer()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=2,
        special_tokens=[PADDING, TURN_START, TURN_END, *HEADERS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return _wrap(tokenizer)


def byte_tokenizer() -> Any:
    """One token a byte: what a base model that has seen no data uses."""
    return learn_tokenizer((), vocab_size=3 + len(HEADERS) + 256)


def load_tokenizer(model_dir: Path) -> Any:
    """Load the tokenizer of a model directory; ChatML where it has no chat template.

    Raises:
        SpecError: There is no tokenizer that can be loaded.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(model_dir), local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise SpecError(
            f"loading the tokenizer of {model_dir}: {error}; give a directory that `save_pretrained` wrote",
            field="init_dir",
            value=str(model_dir),
        ) from error
    if tokenizer.chat_template is None:
        tokenizer.chat_template = CHAT_TEMPLATE
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def prompt_text(tokenizer: Any, record: Record) -> str:
    """The prompt as the model reads it, up to where its answer begins.

    Raises:
        SpecError: The chat template does not take such a conversation.
    """
    messages = [{"role": message.role, "content": message.text} for message in record.prompt.messages]
    if record.system_text is not None:
        messages.insert(0, {"role": "system", "content": record.system_text})
    try:
        text: str = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    except TemplateError as error:
        roles = ", ".join(message["role"] for message in messages)
        raise SpecError(
            f"the model's chat template refuses a conversation of {roles}: {error}; write one that it takes",
            field="chat_template",
            value=roles,
        ) from error
    return text


def token_ids(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    """Ids of each text, with nothing added: the chat template has said all that belongs there."""
    encoded: list[list[int]] = tokenizer(list(texts), add_special_tokens=False)["input_ids"]
    return encoded


def raw_ids(tokenizer: Any, text: str) -> list[int]:
    """Ids of a text that is to be gone on with: what the tokenizer puts before every text, but not twice."""
    begun = bool(tokenizer.bos_token) and text.startswith(tokenizer.bos_token)
    ids: list[int] = tokenizer(text, add_special_tokens=not begun)["input_ids"]
    return ids


def end_ids(tokenizer: Any, model: Any) -> frozenset[int]:
    """Every token that ends an answer: the tokenizer's, and those of the model's generation settings."""
    configured = getattr(model.generation_config, "eos_token_id", None)
    ids = {tokenizer.eos_token_id}
    ids.update(configured if isinstance(configured, list | tuple) else [configured])
    return frozenset(number for number in ids if number is not None)


def same_words(one: Any, other: Any) -> bool:
    """Whether an id means the same in both tokenizers, so that logits can be compared."""
    vocabulary: dict[str, int] = one.get_vocab()
    same: bool = vocabulary == other.get_vocab()
    return same
