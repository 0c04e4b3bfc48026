"""The rows of the catalog about models that are brought: architectures, and what the places that serve them take."""

from __future__ import annotations

from datetime import date
from typing import Literal

import msgspec

__all__ = ["Architecture", "ServingTarget", "Taken", "TargetName"]

TargetName = Literal["model-import", "lmi", "vllm", "tgi"]
"""Custom Model Import, and the three containers of SageMaker endpoints."""

Taken = Literal["yes", "no", "unclear"]
"""Whether a target takes an architecture; `unclear` where no source says, which warns and does not refuse."""


class Architecture(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model class, as `architectures` in a config names it, and who takes it."""

    name: str
    """Such as `LlamaForCausalLM`."""
    family: str
    """Name for people, such as `Llama 2 to 3.3`."""
    modality: Literal["text", "multimodal"] = "text"
    model_import: Taken
    model_import_regions: tuple[str, ...] = ()
    """Regions that import it, where they are fewer than those of Custom Model Import."""
    converse: bool | None = None
    """Whether Converse works on it once imported; None where no source says."""
    vllm: Taken
    lmi: Taken | None = None
    """None for the same as vLLM, which LMI runs."""
    tgi: Taken
    remark: str = ""
    """What to know about an answer of `no` or `unclear`."""
    rope_theta: float = 10000.0
    """The rotary base that transformers 4 takes where a config states none."""
    flat_config: bool = False
    """Whether transformers 4.51.3 looks for the language model's numbers at the top of the config, not in a part of it."""
    newer_than: str = ""
    """A release of transformers that does not have the class yet, where that matters."""
    quantization: str = ""
    """How its published weights are quantized, where they always are."""
    eos_token_ids: tuple[int, ...] = ()
    """End-of-sequence ids that Custom Model Import wants in generation_config.json."""
    source: str
    as_of: date

    def taken_by(self, target: TargetName) -> Taken:
        """Whether a target takes it."""
        answers: dict[str, Taken] = {
            "model-import": self.model_import,
            "lmi": self.lmi or self.vllm,
            "vllm": self.vllm,
            "tgi": self.tgi,
        }
        return answers[target]


class ServingTarget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A place that serves models, and its rules for a model directory."""

    name: TargetName
    title: str
    """Name for people."""
    regions: tuple[str, ...] = ()
    """Regions that have it; empty where the rule is not about the model."""
    transformers: str = ""
    """Release of transformers that it reads models with; empty where that depends on the image."""
    safetensors_only: bool = False
    custom_code: bool = False
    """Whether it can be told to run code that comes with the model."""
    max_text_bytes: int | None = None
    max_multimodal_bytes: int | None = None
    max_context: int | None = None
    tokenizer_classes: tuple[str, ...] = ()
    """The only tokenizer classes it takes; empty for any."""
    template_files: tuple[str, ...] = ()
    """Files that it looks for a chat template in, the first before the others; empty for those of transformers."""
    quantizations: tuple[str, ...] = ()
    """Methods of quantized weights that it reads; empty where no source says."""
    llama3_rope: dict[str, float] = {}
    """What it takes in place of the values in a config's `rope_scaling` of type llama3."""
    source: str
    as_of: date
