"""From a batch to logits, doing only the work that the loss needs.

What a general trainer computes and no loss looks at is left out: at positions that predict no response token, the
projection to the vocabulary and the last layer's feed-forward; and the prompt tokens that all records share. Those are
run once a batch, and every record attends to the same keys and values. Gradients are those of the plain computation up
to rounding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from transformers import DynamicCache

from bedrock_distill.train.compat import cache_argument

if TYPE_CHECKING:
    from bedrock_distill.train.data import Batch

__all__ = ["ResponseLogits", "attends_fully"]


def attends_fully(config: Any) -> bool:
    """Whether every layer sees all earlier tokens, so that a shared beginning can be computed once."""
    kinds = getattr(config, "layer_types", None) or ()
    windowed = getattr(config, "sliding_window", None) is not None
    return not windowed and all(kind == "full_attention" for kind in kinds)


class ResponseLogits:
    """A causal LM, asked only for the logits that predict response tokens."""

    def __init__(self, model: Any, *, bfloat16: bool) -> None:
        self.model = model
        self._cache = cache_argument(model)
        self._bfloat16 = bfloat16
        self._share = attends_fully(model.config)
        self._positions: torch.Tensor | None = None
        self._shape = torch.Size()
        model.get_output_embeddings().register_forward_pre_hook(self._pick)
        last = getattr(getattr(model.base_model, "layers", [None])[-1], "mlp", None)
        if last is not None and type(last).__name__.endswith(
            "MLP"
        ):  # dense: one tensor in, one out, each position by itself
            last.register_forward_pre_hook(self._pick)
            last.register_forward_hook(self._spread)

    def _pick(self, _module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        """Hand a module only the wanted positions: [B, T, D] becomes [1, N, D]."""
        if self._positions is None:
            return inputs
        self._shape = inputs[0].shape
        return (inputs[0].flatten(0, 1)[self._positions].unsqueeze(0),)

    def _spread(
        self, _module: torch.nn.Module, _inputs: tuple[torch.Tensor, ...], output: torch.Tensor
    ) -> torch.Tensor:
        """Put what came of them back among nothings: [1, N, D] becomes [B, T, D] again."""
        if self._positions is None:
            return output
        wide = output.new_zeros(self._shape).flatten(0, 1)
        return wide.index_copy(0, self._positions, output[0]).view(self._shape)

    def __call__(self, batch: Batch) -> torch.Tensor:
        """Logits in float32, [N, V]."""
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self._bfloat16):
            if batch.prefix.shape[1] and self._share:
                logits = self._after_prefix(batch)
            else:
                rows = len(batch.ids)
                ids = torch.cat((batch.prefix.expand(rows, -1), batch.ids), dim=1)
                shift = (batch.positions // batch.ids.shape[1] + 1) * batch.prefix.shape[1]
                logits = self._run(batch.positions + shift, input_ids=ids, use_cache=False)
        return logits.float()

    def _after_prefix(self, batch: Batch) -> torch.Tensor:
        rows, length = batch.ids.shape
        shared = batch.prefix.shape[1]
        cache = DynamicCache()
        self.model.base_model(input_ids=batch.prefix, use_cache=True, **{self._cache: cache})
        cache.batch_repeat_interleave(rows)
        # True: may look. All of the prefix, and of the rest what stands before. Padding stands at the end, where
        # nothing that counts looks at it, so one mask serves every record.
        mask = torch.ones(1, 1, length, shared + length, dtype=torch.bool).tril(shared)
        return self._run(
            batch.positions,
            input_ids=batch.ids,
            attention_mask=mask,
            use_cache=True,
            **{self._cache: cache},
        )

    def _run(self, positions: torch.Tensor, **inputs: Any) -> torch.Tensor:
        self._positions = positions
        try:
            logits: torch.Tensor = self.model(**inputs).logits[0]
        finally:
            self._positions = None
        return logits
