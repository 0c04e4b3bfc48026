"""`models inspect`: what is printed, and the exit code that a pipeline goes by."""

from __future__ import annotations

import json
import struct

import pytest

CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 4,
    "vocab_size": 4,
    "max_position_embeddings": 512,
    "torch_dtype": "bfloat16",
    "eos_token_id": 2,
}
ENTRY = {"dtype": "BF16", "shape": [4, 16], "data_offsets": [0, 128]}


@pytest.fixture
def student(folder):
    directory = folder / "student"
    directory.mkdir()
    header = json.dumps({"model.embed_tokens.weight": ENTRY}).encode()
    (directory / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(128))
    (directory / "config.json").write_text(json.dumps(CONFIG))
    (directory / "tokenizer.json").write_text("{}")
    (directory / "tokenizer_config.json").write_text('{"tokenizer_class": "GPT2TokenizerFast"}')
    (directory / "chat_template.jinja").write_text("x")
    return directory


@pytest.fixture
def gemma(student):
    """A model that Custom Model Import does not take, and containers do."""
    (student / "config.json").write_text(json.dumps(CONFIG | {"architectures": ["Gemma3ForCausalLM"]}))
    return student


def test_a_sound_model_leaves_with_zero_for_every_target(run, student):
    targets = [part for name in ("model-import", "lmi", "vllm", "tgi") for part in ("--target", name)]
    code, printed, said = run("models", "inspect", "student", *targets)
    assert (code, said) == (0, "")
    assert "LlamaForCausalLM (Llama 2 to 3.3)" in printed
    assert "Custom Model Import  yes" in printed


def test_a_target_that_refuses_decides_the_exit_code_only_where_it_is_named(run, gemma):
    assert run("models", "inspect", gemma)[0] == 0
    assert run("models", "inspect", gemma, "--target", "vllm")[0] == 0
    code, printed, said = run("models", "inspect", gemma, "--target", "vllm", "--target", "model-import")
    assert code == 2
    assert "error: Custom Model Import does not take Gemma3ForCausalLM" in printed
    assert said == "Custom Model Import refuses it.\n"


def test_the_report_as_json_is_one_document_whatever_the_verdict(document, gemma):
    report = document("models", "inspect", gemma, "--target", "model-import", code=2)
    assert report["verdicts"]["model-import"]["ok"] is False
    assert report["verdicts"]["lmi"] == {"ok": True, "reasons": [], "warnings": []}
    assert report["shape"]["weight_bytes"] == 128


def test_the_region_is_the_one_that_import_is_judged_for(run, student):
    assert run("models", "inspect", student, "--target", "model-import", "--region", "us-west-2")[0] == 0
    code, printed, _ = run("models", "inspect", student, "--target", "model-import", "--region", "eu-west-1")
    assert code == 2
    assert "Custom Model Import in eu-west-1  no: 1 error" in printed


def test_a_prefix_of_s3_is_inspected_like_a_directory(run, cloud, student):
    s3 = cloud.boto3_session().client("s3")
    for path in student.iterdir():
        s3.put_object(Bucket="local-bucket", Key=f"models/student/{path.name}", Body=path.read_bytes())
    code, printed, _ = run("models", "inspect", "s3://local-bucket/models/student", "--target", "lmi")
    assert code == 0
    assert printed.startswith("s3://local-bucket/models/student/\n")
    assert run("models", "inspect", "s3://local-bucket/models/other")[0] == 2


def test_a_directory_that_is_not_there_is_wrong_usage(run, folder):
    code, _, said = run("models", "inspect", "nowhere")
    assert code == 2
    assert "'nowhere' does not exist: a model is a directory that holds config.json" in said


def test_a_users_catalog_decides(run, gemma, folder):
    (folder / "ours.toml").write_text('[[architecture]]\nname = "Gemma3ForCausalLM"\nmodel_import = "yes"\n')
    assert run("models", "inspect", gemma, "--target", "model-import", "--catalog", "ours.toml")[0] == 0
