"""Model directories made by hand: a small, sound Llama, and whatever a test changes about it."""

from __future__ import annotations

import json
import struct
from math import prod

import pytest

from bedrock_distill.models import Folder, inspect
from bedrock_distill.models.headers import BITS

CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 32,
    "vocab_size": 64,
    "max_position_embeddings": 512,
    "rope_theta": 500000.0,
    "torch_dtype": "bfloat16",
    "tie_word_embeddings": True,
    "eos_token_id": 2,
    "transformers_version": "4.51.3",
}
TOKENIZER = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "eos_token": "</s>",
    "added_tokens_decoder": {"2": {"content": "</s>", "special": True}},
    "chat_template": "{{ messages }}",
}
TENSORS = {
    "model.embed_tokens.weight": ("BF16", (64, 16)),
    "model.layers.0.self_attn.q_proj.weight": ("BF16", (16, 16)),
    "model.layers.1.self_attn.q_proj.weight": ("BF16", (16, 16)),
    "model.norm.weight": ("BF16", (16,)),
}


def safetensors(tensors, *, metadata=None):
    """The bytes of a file that holds these tensors, all zeros: name -> (type, shape)."""
    entries, at = {} if metadata is None else {"__metadata__": metadata}, 0
    for name, (dtype, shape) in tensors.items():
        size = prod(shape) * BITS[dtype] // 8
        entries[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    header = json.dumps(entries).encode()
    return struct.pack("<Q", len(header)) + header + bytes(at)


def index(placed, total=None):
    """A shard index: tensor -> file."""
    return {"metadata": {} if total is None else {"total_size": total}, "weight_map": placed}


class Model:
    """A directory, and ways to change it."""

    def __init__(self, path):
        self.path = path
        self.write("config.json", CONFIG)
        self.write("generation_config.json", {"eos_token_id": 2})
        self.write("tokenizer.json", {})
        self.write("tokenizer_config.json", TOKENIZER)
        self.write("chat_template.jinja", "{{ messages }}")
        self.write("model.safetensors", safetensors(TENSORS))

    def write(self, name, content):
        """A file with bytes, text, or a JSON document."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, (dict, list)):
            content = json.dumps(content)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return self

    def remove(self, *names):
        for name in names:
            (self.path / name).unlink()
        return self

    def change(self, name, *without, **values):
        """A JSON file with entries set, and entries removed."""
        document = json.loads((self.path / name).read_text()) | values
        return self.write(name, {key: value for key, value in document.items() if key not in without})

    def config(self, *without, **values):
        return self.change("config.json", *without, **values)

    def tensors(self, tensors, name="model.safetensors"):
        return self.write(name, safetensors(tensors))

    def report(self, **settings):
        return inspect(Folder(self.path), **settings)

    def found(self, code, **settings):
        """The findings of a code, as they are shown."""
        return [str(finding) for finding in self.report(**settings).findings if finding.code == code]


@pytest.fixture
def model(tmp_path):
    """A sound Llama: every target takes it without a warning."""
    path = tmp_path / "student"
    path.mkdir()
    return Model(path)


@pytest.fixture
def made():
    """What tests need to write files of their own."""

    class Made:
        tensors = TENSORS
        safetensors = staticmethod(safetensors)
        index = staticmethod(index)

    return Made
