"""What a model import job makes of a directory: refused with reasons, or taken with its architecture and needs.

The rules are those of `bedrock_distill.models`, by which a user can ask the same before anything is uploaded.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from bedrock_distill.errors import BedrockDistillError
from bedrock_distill.local.services.bedrock.job_data import JobFailure
from bedrock_distill.models import inspect

if TYPE_CHECKING:
    from pathlib import Path

    from bedrock_distill.catalog import Catalog
    from bedrock_distill.models import ModelFiles

__all__ = [
    "BYTES_PER_UNIT",
    "UNITS_VERSION",
    "Checked",
    "check_model",
    "import_regions",
    "read_as_bedrock_does",
]

BYTES_PER_UNIT = 16_000_000_000
"""Weights that one Custom Model Unit holds. AWS publishes no rule; this one gives the 4 units that its Qwen3-30B sample
names for 61 GB."""

UNITS_VERSION = "v1.0"

_LLAMA3_ROPE = {
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}
"""What Bedrock puts in place of a config's own values for this kind of scaling (user guide)."""


class Checked(NamedTuple):
    """A directory that can be imported."""

    architecture: str
    instruct: bool
    """Whether Converse works on it."""
    chat_template: str
    """The file whose chat template counts, or an empty string."""
    units: int
    """Custom Model Units a copy takes."""


def import_regions(catalog: Catalog) -> tuple[str, ...]:
    """The regions of Custom Model Import."""
    return next((target.regions for target in catalog.targets if target.name == "model-import"), ())


def check_model(files: ModelFiles, catalog: Catalog, region: str) -> Checked:
    """Check a directory as an import job does, without its weights.

    Raises:
        JobFailure: If Custom Model Import does not take it, with every reason.
    """
    try:
        report = inspect(files, catalog=catalog, region=region)
    except BedrockDistillError as error:
        raise JobFailure(str(error)) from error
    verdict = report.verdict("model-import")
    if not verdict.ok:
        raise JobFailure(" ".join(verdict.reasons))
    known = next((row for row in catalog.architectures if row.name == report.architecture), None)
    # No default template is applied, so without one there is no conversation that could be asked.
    instruct = bool(known and known.converse) and bool(report.chat_template)
    weights = report.shape.weight_bytes if report.shape is not None else report.total_bytes
    return Checked(
        architecture=report.architecture,
        instruct=instruct,
        chat_template=report.chat_template,
        units=max(1, -(-weights // BYTES_PER_UNIT)),
    )


def read_as_bedrock_does(directory: Path, checked: Checked) -> None:
    """Change an imported directory to what Bedrock makes of it where transformers by itself reads it otherwise.

    The chat template in `chat_template.json` counts before that of the tokenizer's settings, and the scaling of Llama 3's
    rotary angles has Bedrock's own values.
    """
    if checked.chat_template == "chat_template.json":
        document = json.loads((directory / checked.chat_template).read_text("utf-8"))
        (directory / "chat_template.jinja").write_text(document["chat_template"], "utf-8")
    config_file = directory / "config.json"
    config = json.loads(config_file.read_text("utf-8"))
    scalings = [config.get(name) or {} for name in ("rope_scaling", "rope_parameters")]
    for scaling in scalings:
        if "llama3" in (scaling.get("rope_type"), scaling.get("type")):
            scaling.update(_LLAMA3_ROPE)
    config_file.write_text(json.dumps(config), "utf-8")
