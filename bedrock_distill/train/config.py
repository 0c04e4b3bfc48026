"""What a training run is asked to do, as plain values: student sizes, the run's settings, and the rules between them.

Nothing here imports torch, so that a caller can describe and check a run before anything heavy is loaded.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, get_args

from bedrock_distill.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SIZES", "Dtype", "Loss", "StudentSize", "TrainConfig"]

Loss = Literal["text", "forward_kl", "jensen_shannon", "reverse_kl"]
"""`text`: cross-entropy on the teacher's words. The others compare distributions and need `teacher_dir`."""

Dtype = Literal["auto", "bfloat16", "float32"]
"""Type of the matrix products; weights and optimizer state are always float32."""

LOSSES: tuple[Loss, ...] = get_args(Loss)
NEED_WARM_START: tuple[Loss, ...] = ("jensen_shannon", "reverse_kl")
"""From random weights these two pull towards whatever the student already says, and stay there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StudentSize:
    """Shape of a student trained from random weights (a Llama with tied embeddings)."""

    name: str
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    intermediate: int
    learning_rate: float
    """Peak learning rate that suits this shape from random weights."""
    rope_theta: float = 10_000.0
    max_positions: int = 4096

    def parameters(self, vocab_size: int) -> int:
        """Number of weights with a vocabulary of `vocab_size`, embeddings counted once."""
        head_size = self.hidden // self.heads
        attention = 2 * self.hidden * self.hidden + 2 * self.hidden * self.kv_heads * head_size
        feed_forward = 3 * self.hidden * self.intermediate
        norms = 2 * self.hidden
        return self.layers * (attention + feed_forward + norms) + self.hidden + vocab_size * self.hidden


SIZES: Mapping[str, StudentSize] = MappingProxyType(
    {
        size.name: size
        for size in (
            StudentSize(
                name="tiny", hidden=64, layers=2, heads=4, kv_heads=2, intermediate=192, learning_rate=6e-3
            ),
            StudentSize(
                name="small", hidden=128, layers=4, heads=4, kv_heads=2, intermediate=352, learning_rate=3e-3
            ),
            StudentSize(
                name="base", hidden=256, layers=6, heads=8, kv_heads=4, intermediate=768, learning_rate=1e-3
            ),
            StudentSize(
                name="large", hidden=512, layers=8, heads=8, kv_heads=4, intermediate=1408, learning_rate=6e-4
            ),
        )
    }
)
"""About 0.16, 0.9, 5 and 24 million weights with the default vocabulary."""

_PRETRAINED_LEARNING_RATE = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """Settings of one run. The same settings, data and machine give the same weights, bit for bit.

    Raises:
        SpecError: A value, or two values together, break a rule; the message names the field.
    """

    data: Path
    """Records with completions, JSON lines in the `bedrock-conversation-2024` form."""
    output_dir: Path
    """Where `model/`, `checkpoint/`, `teacher_cache/` and `metrics.jsonl` are written; one run, one directory."""
    size: str = "small"
    """A name in `SIZES`; not used when `init_dir` is given."""
    rope_theta: float | None = None
    """Base of the rotary position angles; None takes the size's own. Only from random weights."""
    init_dir: Path | None = None
    """A Hugging Face causal LM to start from; its tokenizer is kept."""
    keep_layers: tuple[int, ...] | None = None
    """Layers of `init_dir` to keep, in order (a pruned start); None keeps all."""
    loss: Loss = "text"
    teacher_dir: Path | None = None
    """A Hugging Face causal LM whose logits teach; only for losses other than `text`."""
    top_k: int | None = 8
    """Teacher probabilities kept per token, with the rest in one tail bucket, computed once; None: all, every step."""
    temperature: float = 1.0
    """Softens both distributions; the loss is scaled by its square so that gradients keep their size."""
    warm_start_steps: int = 0
    """Steps of forward KL before `jensen_shannon` or `reverse_kl` take over."""
    steps: int | None = None
    """Optimizer steps; give this or `epochs`."""
    epochs: float | None = None
    batch_size: int = 16
    """Records per optimizer step."""
    micro_batch_size: int | None = None
    """Records per forward pass; smaller saves memory and changes nothing else. None: the whole batch."""
    learning_rate: float | None = None
    """Peak; None takes the size's own, or 1e-4 from `init_dir`."""
    warmup_share: float = 0.1
    """Share of the steps over which the learning rate rises."""
    weight_decay: float = 0.01
    max_gradient_norm: float = 1.0
    validation_share: float = 0.0
    """Share of the records held out for the validation loss."""
    validation_data: Path | None = None
    """A file of its own for the validation loss, instead of a share."""
    validate_every: int | None = None
    """Steps between validations; None: at the end only."""
    max_tokens: int = 1024
    """Longest prompt and completion together, in tokens; longer records are left out and counted, never cut."""
    vocab_size: int = 1024
    """Cap on the vocabulary learned from the data; at least 300 (256 bytes and the special tokens)."""
    seed: int = 0
    dtype: Dtype = "auto"
    """`auto`: bfloat16 where the processor multiplies it in hardware, else float32."""
    checkpoint_every: int | None = None
    """Steps between checkpoints; None: only when stopped."""
    threads: int | None = None
    """Threads of the matrix products; None: the processors this process may use."""

    def __post_init__(self) -> None:
        for name, holds, rule in _RULES:
            if not holds(self):
                raise SpecError(
                    f"training: {name} is {getattr(self, name)!r}; {rule}",
                    field=name,
                    value=getattr(self, name),
                )

    @property
    def peak_learning_rate(self) -> float:
        """The learning rate after warm-up, defaults resolved."""
        if self.learning_rate is not None:
            return self.learning_rate
        return _PRETRAINED_LEARNING_RATE if self.init_dir is not None else SIZES[self.size].learning_rate

    def to_json(self) -> str:
        """One JSON object; `from_json` reads it back to an equal value."""
        return json.dumps(asdict(self), default=str, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> TrainConfig:
        """Read what `to_json` wrote.

        Raises:
            SpecError: An unknown key, or a value that breaks a rule.
        """
        values: dict[str, Any] = json.loads(text)
        unknown = set(values) - {field.name for field in fields(cls)}
        if unknown:
            raise SpecError(
                f"training: unknown setting {', '.join(sorted(unknown))}; remove it", field=min(unknown)
            )
        for name in _PATHS:
            if values.get(name) is not None:
                values[name] = Path(values[name])
        if values.get("keep_layers") is not None:
            values["keep_layers"] = tuple(values["keep_layers"])
        return cls(**values)

    def fingerprint(self) -> str:
        """Changes when anything changes that the weights depend on; a checkpoint carries it."""
        values = asdict(self)
        for name in ("output_dir", "checkpoint_every"):
            del values[name]
        return hashlib.sha256(json.dumps(values, default=str, sort_keys=True).encode()).hexdigest()[:16]


_PATHS = ("data", "output_dir", "init_dir", "teacher_dir", "validation_data")

_WARM_START = (
    "jensen_shannon and reverse_kl do not learn from random weights; begin with warm_start_steps of forward KL "
    "(a third of the steps is a fair start), or give init_dir, or use forward_kl"
)

_RULES: tuple[tuple[str, Any, str], ...] = (
    ("size", lambda c: c.size in SIZES, f"choose one of {', '.join(SIZES)}"),
    ("loss", lambda c: c.loss in LOSSES, f"choose one of {', '.join(LOSSES)}"),
    ("dtype", lambda c: c.dtype in get_args(Dtype), f"choose one of {', '.join(get_args(Dtype))}"),
    ("steps", lambda c: (c.steps is None) != (c.epochs is None), "give either steps or epochs"),
    ("steps", lambda c: c.steps is None or c.steps >= 1, "it must be at least 1"),
    ("epochs", lambda c: c.epochs is None or c.epochs > 0, "it must be above 0"),
    ("batch_size", lambda c: c.batch_size >= 1, "it must be at least 1"),
    (
        "micro_batch_size",
        lambda c: c.micro_batch_size is None or 1 <= c.micro_batch_size <= c.batch_size,
        "it must be between 1 and batch_size",
    ),
    (
        "learning_rate",
        lambda c: c.learning_rate is None or 0 < c.learning_rate < 1,
        "it must be above 0 and below 1",
    ),
    ("warmup_share", lambda c: 0 <= c.warmup_share < 1, "it must be at least 0 and below 1"),
    ("weight_decay", lambda c: c.weight_decay >= 0, "it must not be negative"),
    ("max_gradient_norm", lambda c: c.max_gradient_norm > 0, "it must be above 0"),
    ("validation_share", lambda c: 0 <= c.validation_share < 1, "it must be at least 0 and below 1"),
    (
        "validation_data",
        lambda c: c.validation_data is None or c.validation_share == 0,
        "give either validation_data or validation_share",
    ),
    ("validate_every", lambda c: c.validate_every is None or c.validate_every >= 1, "it must be at least 1"),
    (
        "checkpoint_every",
        lambda c: c.checkpoint_every is None or c.checkpoint_every >= 1,
        "it must be at least 1",
    ),
    ("max_tokens", lambda c: c.max_tokens >= 8, "it must be at least 8"),
    (
        "max_tokens",
        lambda c: c.init_dir is not None or c.max_tokens <= SIZES[c.size].max_positions,
        "a student trained from random weights reads at most 4096 tokens; lower it or give init_dir",
    ),
    ("vocab_size", lambda c: c.vocab_size >= 300, "it must be at least 300"),
    ("threads", lambda c: c.threads is None or c.threads >= 1, "it must be at least 1"),
    ("temperature", lambda c: c.temperature > 0, "it must be above 0"),
    ("top_k", lambda c: c.top_k is None or c.top_k >= 1, "it must be at least 1, or null for all"),
    (
        "teacher_dir",
        lambda c: (c.loss == "text") == (c.teacher_dir is None),
        "a loss on logits needs the teacher's model directory, and the loss 'text' has no use for one",
    ),
    ("warm_start_steps", lambda c: c.warm_start_steps >= 0, "it must not be negative"),
    (
        "warm_start_steps",
        lambda c: c.loss not in NEED_WARM_START or c.init_dir is not None or c.warm_start_steps > 0,
        _WARM_START,
    ),
    (
        "warm_start_steps",
        lambda c: c.loss in NEED_WARM_START or c.warm_start_steps == 0,
        "only jensen_shannon and reverse_kl have a warm start",
    ),
    (
        "keep_layers",
        lambda c: c.keep_layers is None or (c.init_dir is not None and len(c.keep_layers) > 0),
        "it names layers of init_dir; give both, and at least one layer",
    ),
    ("rope_theta", lambda c: c.rope_theta is None or c.rope_theta > 0, "it must be above 0"),
    (
        "rope_theta",
        lambda c: c.rope_theta is None or c.init_dir is None,
        "init_dir brings its own; leave it out",
    ),
)
"""Field, what must hold, and what to do when it does not."""
