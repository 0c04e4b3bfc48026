"""From settings to everything a run works with: tokenizer, data, student, objective."""

from __future__ import annotations

import hashlib
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from bedrock_distill.errors import SpecError
from bedrock_distill.train.config import SIZES
from bedrock_distill.train.data import encode_files, epoch_batches, held_out, texts_of
from bedrock_distill.train.events import TrainEvent
from bedrock_distill.train.forward import ResponseLogits
from bedrock_distill.train.objective import CachedLogits, LiveLogits, Objective, Text
from bedrock_distill.train.students import load_model, prune_layers, random_student, use_float32_attention
from bedrock_distill.train.teacher import TeacherCache, directory_digest
from bedrock_distill.train.tokens import learn_tokenizer, load_tokenizer, same_words

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from bedrock_distill.train.config import TrainConfig
    from bedrock_distill.train.data import Encoded

__all__ = ["Setup", "multiplies_bfloat16", "prepare"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What a run works with."""

    tokenizer: Any
    encoded: Encoded
    learn: NDArray[np.int64]
    """Numbers of the records to learn from."""
    held: NDArray[np.int64]
    """Numbers of the records to validate on."""
    model: Any
    forward: ResponseLogits
    objective: Objective
    steps: int
    steps_per_epoch: int
    bfloat16: bool
    fingerprint: str

    def describe(self) -> str:
        """One line for people."""
        arithmetic = "bfloat16 products" if self.bfloat16 else "float32"
        return (
            f"{len(self.learn)} records to learn from, {len(self.held)} held out, {self.encoded.too_long} too long; "
            f"vocabulary {len(self.tokenizer)}, {self.encoded.prefix} tokens common to all; {arithmetic}, "
            f"{torch.get_num_threads()} threads"
        )


def multiplies_bfloat16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the processor multiplies bfloat16 in hardware; without that it is slower than float32 a hundred times."""
    try:
        text = cpuinfo.read_text()
    except OSError:
        return False
    flags = next((line for line in text.splitlines() if line.startswith("flags")), "")
    return not {"amx_bf16", "avx512_bf16"}.isdisjoint(flags.split())


def prepare(config: TrainConfig, asked: Callable[[TrainEvent], None]) -> Setup:
    """Load, learn and build all of it.

    Args:
        config: The settings.
        asked: Called with a `teacher` event for every batch that the teacher reads; may raise to stop.

    Raises:
        SpecError: A directory is not a model, or student and teacher do not share a tokenizer.
        DataError: The data cannot be learned from.
    """
    torch.set_num_threads(config.threads or _processors())
    torch.manual_seed(config.seed)
    bfloat16 = config.dtype == "bfloat16" or (config.dtype == "auto" and multiplies_bfloat16())
    tokenizer = _tokenizer(config)
    files = (config.data,) if config.validation_data is None else (config.data, config.validation_data)
    encoded = encode_files(files, tokenizer, max_tokens=config.max_tokens)
    learn, held = held_out(encoded, config.validation_share, config.seed)
    model = _student(config, tokenizer)
    if bfloat16:
        use_float32_attention(model)
    per_epoch = -(-len(learn) // config.batch_size)
    steps = config.steps if config.steps is not None else max(1, round((config.epochs or 0) * per_epoch))
    fingerprint = f"{config.fingerprint()}-{_digest(encoded)}"
    seen = np.concatenate((_seen(config, encoded, learn, steps), held))
    objective = _objective(config, tokenizer, encoded, seen, bfloat16=bfloat16, asked=asked)
    return Setup(
        tokenizer=tokenizer,
        encoded=encoded,
        learn=learn,
        held=held,
        model=model,
        forward=ResponseLogits(model, bfloat16=bfloat16),
        objective=objective,
        steps=steps,
        steps_per_epoch=per_epoch,
        bfloat16=bfloat16,
        fingerprint=fingerprint,
    )


def _processors() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        return os.cpu_count() or 1


def _digest(encoded: Encoded) -> str:
    digest = hashlib.sha256(encoded.ids.tobytes())
    digest.update(encoded.starts.tobytes())
    digest.update(encoded.responses.tobytes())
    return digest.hexdigest()[:16]


def _seen(config: TrainConfig, encoded: Encoded, learn: NDArray[np.int64], steps: int) -> NDArray[np.int64]:
    """The records that a short run comes to; all of them once it makes a whole pass."""
    if steps * config.batch_size >= len(learn):
        return learn
    batches = epoch_batches(encoded.lengths, learn, batch_size=config.batch_size, seed=config.seed, epoch=0)
    return np.concatenate(batches[:steps])


def _tokenizer(config: TrainConfig) -> Any:
    """The teacher's where logits are compared, the starting model's where there is one, else learned from the data."""
    if config.init_dir is not None:
        own = load_tokenizer(config.init_dir)
        if config.teacher_dir is not None and not same_words(own, load_tokenizer(config.teacher_dir)):
            raise SpecError(
                f"training: the student in {config.init_dir} and the teacher in {config.teacher_dir} have different "
                f"tokenizers, so their logits cannot be compared; use loss='text' on the teacher's answers",
                field="teacher_dir",
                value=str(config.teacher_dir),
            )
        return own
    if config.teacher_dir is not None:
        return load_tokenizer(config.teacher_dir)
    return learn_tokenizer(texts_of(config.data), config.vocab_size)


def _student(config: TrainConfig, tokenizer: Any) -> Any:
    if config.init_dir is None:
        return random_student(SIZES[config.size], tokenizer, seed=config.seed, rope_theta=config.rope_theta)
    model = load_model(config.init_dir)
    if config.keep_layers is not None:
        prune_layers(model, config.keep_layers)
    return model


def _objective(
    config: TrainConfig,
    tokenizer: Any,
    encoded: Encoded,
    seen: NDArray[np.int64],
    *,
    bfloat16: bool,
    asked: Callable[[TrainEvent], None],
) -> Objective:
    vocab_size = len(tokenizer)
    if config.teacher_dir is None:
        return Text(vocab_size)
    if config.top_k is None or config.top_k >= vocab_size:
        teacher = _teacher(config.teacher_dir, bfloat16=bfloat16)
        return LiveLogits(teacher, vocab_size=vocab_size, temperature=config.temperature)
    cache = TeacherCache(
        config.output_dir / "teacher_cache",
        encoded,
        top_k=config.top_k,
        vocab_size=vocab_size,
        temperature=config.temperature,
        key=f"{directory_digest(config.teacher_dir)}-{_digest(encoded)}",
    )
    missing = cache.missing(seen)
    if len(missing):
        teacher = _teacher(config.teacher_dir, bfloat16=bfloat16)
        cache.fill(teacher, encoded, missing, tokenizer.pad_token_id, _telling(asked, len(missing)))
    return CachedLogits(cache)


def _telling(asked: Callable[[TrainEvent], None], count: int) -> Callable[[int, int], None]:
    wall, processor = time.perf_counter(), time.process_time()

    def each(done: int, tokens: int) -> None:
        event = TrainEvent(
            kind="teacher",
            records=done,
            tokens=tokens,
            seconds=time.perf_counter() - wall,
            processor_s=time.process_time() - processor,
            message=f"the teacher has read {done} of {count} records",
        )
        asked(event)

    return each


def _teacher(directory: Path, *, bfloat16: bool) -> ResponseLogits:
    model = load_model(directory, field="teacher_dir").eval().requires_grad_(requires_grad=False)
    if bfloat16:
        use_float32_attention(model)
    return ResponseLogits(model, bfloat16=bfloat16)
