"""`endpoints size`: an 8B model of which only config and header exist; its weights are a hole in a file."""

from __future__ import annotations

import json
import struct

import pytest

from bedrock_distill.cli.main import COMMANDS

CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 4096,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "intermediate_size": 14336,
    "vocab_size": 128256,
    "max_position_embeddings": 131072,
    "torch_dtype": "bfloat16",
}
LAYER = {
    "self_attn.q_proj": (4096, 4096),
    "self_attn.k_proj": (1024, 4096),
    "self_attn.v_proj": (1024, 4096),
    "self_attn.o_proj": (4096, 4096),
    "mlp.gate_proj": (14336, 4096),
    "mlp.up_proj": (14336, 4096),
    "mlp.down_proj": (4096, 14336),
    "input_layernorm": (4096,),
    "post_attention_layernorm": (4096,),
}


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setitem(COMMANDS, "endpoints", ("bedrock_distill.cli.endpoints", "Size a model."))


@pytest.fixture
def llama(folder):
    tensors = {f"model.layers.{n}.{name}.weight": shape for n in range(32) for name, shape in LAYER.items()}
    tensors |= {
        "model.embed_tokens.weight": (128256, 4096),
        "lm_head.weight": (128256, 4096),
        "model.norm.weight": (4096,),
    }
    entries, at = {}, 0
    for name, shape in tensors.items():
        width, *rest = shape
        size = 2 * width * (rest[0] if rest else 1)
        entries[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    header = json.dumps(entries).encode()
    directory = folder / "llama"
    directory.mkdir()
    with (directory / "model.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        file.truncate(8 + len(header) + at)
    (directory / "config.json").write_text(json.dumps(CONFIG))
    return directory


def test_the_table_begins_with_the_smallest_instance_that_fits(run, llama):
    code, printed, _ = run("endpoints", "size", llama, "--concurrency", "2")
    assert code == 0
    first = printed.splitlines()[4]
    assert "8.03B parameters: 16-bit weights of 14.96 GiB (from the headers)" in printed
    assert "131,072 bytes of cache a token" in printed
    assert first.startswith("ml.g5.xlarge, 2xlarge, 4xlarge")


def test_json_holds_every_row_with_its_split(document, llama):
    found = document(
        "endpoints", "size", llama, "--context", "4096", "--instances", "g5.xlarge,ml.g5.12xlarge"
    )
    assert [row["instance"] for row in found["rows"]] == ["ml.g5.12xlarge", "ml.g5.xlarge"]
    assert found["rows"][0]["split"]["tensor_parallel"] == 4
    assert found["rows"][1]["why_not"] == "6 of 8 requests fit at once"
    assert found["kv_bytes_per_token"] == 131072


def test_quantizing_and_a_small_cache_make_it_fit(document, llama):
    found = document(
        "endpoints", "size", llama, "--instances", "g5.xlarge", "--quantize", "4-bit", "--kv-dtype", "fp8"
    )
    assert found["estimated"]
    assert found["rows"][0]["fits"]


def test_no_fitting_instance_leaves_with_two_and_says_what_to_do(run, llama):
    code, printed, said = run("endpoints", "size", llama, "--instances", "g4dn.xlarge")
    assert code == 2
    assert "(no instance fits)" in printed
    assert "No instance fits: ask for a shorter context" in said


def test_latency_rules_slow_memory_out(document, llama):
    found = document(
        "endpoints", "size", llama, "--instances", "g6.12xlarge", "--p95-latency", "1", "--output-tokens", "100",
        code=2,
    )  # fmt: skip
    assert "ms are wanted" in found["rows"][0]["why_not"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--context", "200000"), "context 200,000: this model takes 1 to 131,072 tokens"),
        (("--instances", "g5.huge"), "no GPU instance type 'g5.huge'"),
    ],
)
def test_what_cannot_be_asked_is_said(run, llama, options, said):
    code, _, errors = run("endpoints", "size", llama, *options)
    assert code == 2
    assert said in errors


def test_a_directory_without_a_model_says_why_it_cannot_be_sized(run, folder):
    (folder / "empty").mkdir()
    (folder / "empty" / "readme.txt").write_text("nothing")
    code, _, errors = run("endpoints", "size", folder / "empty")
    assert code == 2
    assert "cannot be sized" in errors


def test_a_prefix_of_s3_is_sized_like_a_directory(run, cloud, folder):
    s3 = cloud.boto3_session().client("s3")
    entry = {"dtype": "BF16", "shape": [4, 16], "data_offsets": [0, 128]}
    header = json.dumps({"model.embed_tokens.weight": entry}).encode()
    weights = struct.pack("<Q", len(header)) + header + bytes(128)
    small = CONFIG | {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 4, "vocab_size": 4}
    for name, body in (("config.json", json.dumps(small).encode()), ("model.safetensors", weights)):
        s3.put_object(Bucket="local-bucket", Key=f"models/tiny/{name}", Body=body)
    code, printed, _ = run("endpoints", "size", "s3://local-bucket/models/tiny")
    assert code == 0
    assert "LlamaForCausalLM" in printed
