"""Models that are taken: every architecture on Custom Model Import's list, and what a report says of a sound one."""

from __future__ import annotations

import json

import pytest

from bedrock_distill.catalog import load_catalog
from bedrock_distill.errors import DataError, SpecError
from bedrock_distill.models import Folder, files, inspect

CATALOG = load_catalog()
IMPORTABLE = [row.name for row in CATALOG.architectures if row.model_import == "yes"]
REFUSED = [row.name for row in CATALOG.architectures if row.model_import == "no"]
TARGETS = ("model-import", "lmi", "vllm", "tgi")


def test_a_sound_model_is_taken_by_every_target_without_a_warning(model):
    report = model.report(region="us-west-2")
    assert [str(finding) for finding in report.findings] == []
    assert all(report.verdict(target).ok for target in TARGETS)


def test_a_report_says_what_the_model_is(model):
    report = model.report()
    shape = report.shape
    assert (report.architecture, report.family) == ("LlamaForCausalLM", "Llama 2 to 3.3")
    assert (shape.layers, shape.heads, shape.kv_heads, shape.head_dim) == (2, 4, 2, 4)
    assert (shape.parameters, shape.weight_bytes, shape.dtype) == (1552, 3104, "bfloat16")
    assert (shape.context, shape.vocab, report.tokenizer_class) == (512, 64, "PreTrainedTokenizerFast")
    assert (report.chat_template, report.saved_by, report.files) == ("chat_template.jinja", "4.51.3", 6)
    assert report.total_bytes == sum(path.stat().st_size for path in model.path.iterdir())


def test_a_report_for_people_has_a_line_for_each_target_and_finding(model):
    model.config(architectures=["Gemma3ForCausalLM"])
    lines = str(model.report(region="us-east-1")).splitlines()
    assert "  Custom Model Import in us-east-1  no: 1 error" in lines
    assert "  vLLM                              yes" in lines
    assert any(
        line.startswith("  error: Custom Model Import does not take Gemma3ForCausalLM") for line in lines
    )


def test_a_report_becomes_one_json_document(model):
    document = json.loads(json.dumps(model.report().to_dict()))
    assert document["verdicts"]["vllm"] == {"ok": True, "reasons": [], "warnings": []}
    assert document["shape"]["kv_heads"] == 2


def test_an_unknown_target_is_an_error_that_names_the_known_ones(model):
    with pytest.raises(SpecError, match=r"no target 'sglang'.*model-import, lmi, vllm, tgi"):
        model.report().verdict("sglang")


def test_a_missing_directory_a_file_and_an_empty_directory_are_errors(tmp_path):
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"")
    with pytest.raises(DataError, match=r"does not exist: a model is a directory"):
        Folder(tmp_path / "nothing")
    with pytest.raises(DataError, match="is a file: a model is a directory"):
        Folder(file)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no file"):
        inspect(Folder(tmp_path / "empty"))


@pytest.mark.parametrize("architecture", IMPORTABLE)
def test_every_architecture_of_the_import_guide_is_taken(model, architecture):
    row = CATALOG.architecture(architecture)
    if row.eos_token_ids:
        model.change("generation_config.json", eos_token_id=list(row.eos_token_ids))
        model.config(eos_token_id=row.eos_token_ids[0])
        model.change("tokenizer_config.json", "added_tokens_decoder")
    report = model.config(architectures=[architecture]).report(region="us-east-1")
    assert report.verdict("model-import").ok, report
    assert not report.verdict("model-import").warnings


def test_the_list_is_the_import_guides_twelve():
    assert len(IMPORTABLE) == 12


@pytest.mark.parametrize("architecture", [*REFUSED, "SomethingNewForCausalLM"])
def test_every_architecture_off_the_list_is_refused_with_what_is_on_it(model, architecture):
    (reason,) = model.config(architectures=[architecture]).report().verdict("model-import").reasons
    assert reason.startswith(
        f"Custom Model Import does not take {architecture}; it takes Llama 2 to 3.3, Mistral"
    )


@pytest.mark.parametrize("architecture", REFUSED)
def test_a_refused_architecture_is_told_which_containers_take_it(model, architecture):
    report = model.config(architectures=[architecture]).report()
    taking = [
        row.title for row in CATALOG.targets if CATALOG.architecture(architecture).taken_by(row.name) == "yes"
    ]
    assert (
        f"SageMaker endpoints take it, with {', '.join(taking)}" in report.verdict("model-import").reasons[0]
    )
    assert report.verdict("vllm").ok


def test_what_no_source_says_is_a_warning_and_no_refusal(model):
    report = model.config(architectures=["Qwen2MoeForCausalLM"]).report()
    verdict = report.verdict("model-import")
    assert verdict.ok
    assert "no source says whether Custom Model Import takes Qwen2MoeForCausalLM" in verdict.warnings[0]


def test_a_users_catalog_adds_an_architecture(model, tmp_path):
    override = tmp_path / "ours.toml"
    override.write_text(
        '[[architecture]]\nname = "OursForCausalLM"\nfamily = "Ours"\nmodel_import = "no"\nvllm = "yes"\ntgi = "no"\n'
        'source = "our own image"\nas_of = 2026-11-24\n'
    )
    report = model.config(architectures=["OursForCausalLM"]).report(catalog=load_catalog(override))
    assert [report.verdict(target).ok for target in TARGETS] == [False, True, True, False]


@pytest.mark.parametrize(
    ("architecture", "region", "taken"),
    [
        ("LlamaForCausalLM", "eu-central-1", True),
        ("LlamaForCausalLM", "eu-west-3", False),
        ("GptOssForCausalLM", "us-west-2", False),
    ],
)
def test_a_region_decides_over_import_and_over_nothing_else(model, architecture, region, taken):
    report = model.config(architectures=[architecture]).report(region=region)
    regions = [finding for finding in report.findings if finding.code == "region"]
    assert bool(regions) is not taken
    assert all(f"not in {region}" in finding.text for finding in regions)
    assert all(finding.targets == ("model-import",) for finding in regions)


def test_shards_named_by_their_index_are_one_model(model, made):
    names = list(made.tensors)
    first, second = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
    model.remove("model.safetensors")
    model.tensors({name: made.tensors[name] for name in names[:2]}, first)
    model.tensors({name: made.tensors[name] for name in names[2:]}, second)
    placed = {name: first if name in names[:2] else second for name in names}
    report = model.write("model.safetensors.index.json", made.index(placed, total=3104)).report(
        region="us-east-1"
    )
    assert report.findings == ()
    assert report.shape.parameters == 1552


def test_a_multimodal_models_numbers_are_those_of_its_language_part(model):
    model.config("hidden_size", "num_attention_heads", architectures=["MllamaForConditionalGeneration"])
    report = model.config(text_config={"hidden_size": 16, "num_attention_heads": 8, "head_dim": 2}).report()
    assert (report.shape.heads, report.shape.head_dim) == (8, 2)
    assert "MllamaForConditionalGeneration takes images beside text" in str(report)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"quant_method": "awq", "bits": 4, "group_size": 128}, ("awq", 4, 128)),
        ({"quant_method": "gptq", "bits": 8, "group_size": -1}, ("gptq", 8, None)),
        ({"quant_method": "fp8", "weight_block_size": [128, 128]}, ("fp8", 8, 128)),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, ("bitsandbytes", 4, None)),
        ({"quant_method": "mxfp4"}, ("mxfp4", 4, 32)),
        (
            {
                "quant_method": "compressed-tensors",
                "config_groups": {"group_0": {"weights": {"num_bits": 4, "group_size": 64}}},
            },
            ("compressed-tensors", 4, 64),
        ),
    ],
)
def test_quantization_is_read_as_each_method_writes_it(model, config, expected):
    found = model.config(quantization_config=config).report().shape.quantization
    assert (found.method, found.bits, found.group_size) == expected


Q = "model.layers.0.self_attn.q_proj."


@pytest.mark.parametrize(
    ("config", "packed"),
    [
        ({"quant_method": "awq", "bits": 4}, {"qweight": ("I32", (16, 2)), "qzeros": ("I32", (1, 2)), "scales": ("F16", (1, 16))}),
        ({"quant_method": "gptq", "bits": 8}, {"qweight": ("I32", (4, 16)), "g_idx": ("I32", (16,)), "scales": ("F16", (1, 16))}),
        ({"quant_method": "fp8"}, {"weight": ("F8_E4M3", (16, 16)), "weight_scale_inv": ("F32", (1, 1))}),
        (
            {"quant_method": "compressed-tensors", "config_groups": {"group_0": {"weights": {"num_bits": 4}}}},
            {"weight_packed": ("I32", (16, 2)), "weight_scale": ("BF16", (16, 1)), "weight_shape": ("I64", (2,))},
        ),
        (
            {"quant_method": "bitsandbytes", "load_in_4bit": True},
            {"weight": ("U8", (128, 1)), "weight.absmax": ("U8", (4,)), "weight.quant_map": ("F32", (16,)),
             "weight.nested_absmax": ("F32", (1,)), "weight.quant_state.bitsandbytes__nf4": ("U8", (80,))},
        ),
        ({"quant_method": "bitsandbytes", "load_in_8bit": True}, {"weight": ("I8", (16, 16)), "SCB": ("F32", (16,))}),
        ({"quant_method": "mxfp4"}, {"proj_blocks": ("U8", (8, 1, 16)), "proj_scales": ("U8", (8, 1))}),
    ],
    ids=lambda value: value.get("quant_method"),
)  # fmt: skip
def test_packed_weights_are_counted_as_the_weights_they_stand_for(model, made, config, packed):
    """A layer of 16 by 16 weights, as each method stores it."""
    unpacked = {name: kind for name, kind in made.tensors.items() if not name.startswith(Q)}
    model.config(quantization_config=config)
    shape = model.tensors(unpacked | {Q + name: kind for name, kind in packed.items()}).report().shape
    assert shape.parameters == 1552
    assert shape.dtype == "bfloat16"


@pytest.mark.parametrize(
    ("config", "windowed"),
    [
        ({"sliding_window": 128}, (128, 0)),
        ({"sliding_window": None}, (None, None)),
        ({"model_type": "qwen2", "sliding_window": 128, "use_sliding_window": False}, (None, None)),
        ({"model_type": "qwen2", "sliding_window": 128, "use_sliding_window": True, "max_window_layers": 1}, (128, 1)),
        ({"model_type": "gemma2", "sliding_window": 128}, (128, 1)),
        ({"model_type": "gpt_oss", "sliding_window": 128, "layer_types": ["sliding_attention", "full_attention"]}, (128, 1)),
    ],
)  # fmt: skip
def test_layers_that_see_a_window_are_told_from_those_that_see_all(model, config, windowed):
    shape = model.config(**config).report().shape
    assert (shape.sliding_window, shape.full_layers) == windowed


def test_a_language_models_chat_class_is_no_embedding_model(model):
    codes = {finding.code for finding in model.config(architectures=["InternVLChatModel"]).report().findings}
    assert codes == {"architecture", "architecture-unknown", "regions"}


def test_the_length_of_a_model_without_positions_is_its_tokenizers(model):
    model.config("max_position_embeddings").change("tokenizer_config.json", model_max_length=4096)
    assert model.report().shape.context == 4096
    unlimited = model.change("tokenizer_config.json", model_max_length=10**30).report()
    assert unlimited.shape is None


def test_a_directory_of_too_many_files_is_no_model(model, monkeypatch):
    monkeypatch.setattr(files, "MOST_FILES", 5)
    with pytest.raises(DataError, match="holds more than 5 files, so it is not one model's directory"):
        model.report()


def test_a_file_that_cannot_be_read_is_a_finding_that_names_it(model):
    model.remove("config.json")
    (model.path / "config.json").symlink_to("nowhere")
    (found,) = model.found("bad-json")
    assert "config.json: cannot be read: No such file or directory" in found


def test_an_index_beside_the_only_file_is_checked_like_any_other(model, made):
    model.write(
        "model.safetensors.index.json",
        made.index(dict.fromkeys(made.tensors, "model.safetensors"), total=3104),
    )
    assert model.report(region="us-east-1").findings == ()
