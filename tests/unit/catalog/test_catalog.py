from datetime import date

import pytest

from bedrock_distill.catalog import load_catalog, read_model_id
from bedrock_distill.errors import SpecError

CATALOG = load_catalog()
DEPLOYMENT = "arn:aws:bedrock:us-east-1:123456789012:custom-model-deployment/abcdefghijkl"


@pytest.mark.parametrize(
    ("text", "kind", "model", "suffix"),
    [
        ("amazon.nova-pro-v1:0", "foundation", "amazon.nova-pro-v1:0", ""),
        ("amazon.nova-micro-v1:0:128k", "foundation", "amazon.nova-micro-v1:0", "128k"),
        ("us.amazon.nova-pro-v1:0", "profile", "amazon.nova-pro-v1:0", ""),
        (
            "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-pro-v1:0",
            "foundation",
            "amazon.nova-pro-v1:0",
            "",
        ),
        (
            "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-pro-v1:0",
            "profile",
            "amazon.nova-pro-v1:0",
            "",
        ),
        (
            "arn:aws:bedrock:us-east-1:123456789012:custom-model/amazon.nova-micro-v1:0:128k/abcdefghijkl",
            "custom-model",
            "amazon.nova-micro-v1:0",
            "128k",
        ),
        (
            "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/x1",
            "application-profile",
            "",
            "",
        ),
        (DEPLOYMENT, "custom-model-deployment", "", ""),
        ("NovaLite", "name", "", ""),
        ("", "name", "", ""),
    ],
)
def test_every_way_to_name_a_model_is_told_apart(text, kind, model, suffix):
    ref = read_model_id(text)
    assert (ref.kind, ref.model, ref.suffix) == (kind, model, suffix)


def test_a_model_is_found_whichever_way_it_is_named():
    for text in ("amazon.nova-pro-v1:0", "us.amazon.nova-pro-v1:0", "amazon.nova-pro-v1:0:300k"):
        assert CATALOG.model(text).name == "Nova Pro"
    assert CATALOG.find(DEPLOYMENT) is None


def test_an_unknown_model_suggests_a_near_one():
    with pytest.raises(SpecError, match=r"Did you mean amazon\.nova-pro-v1:0"):
        CATALOG.model("amazon.nova-pro-v1")


def test_every_pair_names_known_models_and_sends_a_suffix_the_student_has():
    for pair in CATALOG.pairs:
        assert CATALOG.find(pair.teacher) is not None
        student = CATALOG.model(pair.student)
        sent = read_model_id(pair.send)
        assert sent.model == student.id
        assert sent.suffix in student.suffixes


def test_every_row_has_a_source_and_a_day():
    for row in (*CATALOG.models, *CATALOG.pairs, *CATALOG.quotas, *CATALOG.prices):
        assert row.source
        assert date(2025, 1, 1) < row.as_of


def test_a_lifecycle_follows_its_dates():
    premier = CATALOG.model("amazon.nova-premier-v1:0")
    assert premier.lifecycle(date(2026, 9, 13)) == "LEGACY"
    assert premier.lifecycle(date(2026, 9, 14)) == "EOL"


def test_a_profile_is_chosen_by_the_regions_geography():
    pro = CATALOG.model("amazon.nova-pro-v1:0")
    assert pro.profile_for("eu-west-1") == "eu.amazon.nova-pro-v1:0"
    assert pro.profile_for("us-west-2") == "us.amazon.nova-pro-v1:0"
    assert pro.profile_for("sa-east-1") is None


def test_a_withdrawn_pair_is_known_but_not_offered():
    haiku = "anthropic.claude-3-haiku-20240307-v1:0"
    sonnet = "anthropic.claude-3-5-sonnet-20240620-v1:0"
    assert CATALOG.pair(sonnet, haiku).withdrawn
    assert CATALOG.students_of(sonnet) == ()


def test_an_unknown_price_is_none():
    assert CATALOG.price("amazon.nova-pro-v1:0", "input_1k_tokens", "us-east-1") is None


def test_a_quota_that_does_not_exist_is_a_slip_in_code():
    assert CATALOG.quota("distillation_min_prompts") == 100
    with pytest.raises(KeyError):
        CATALOG.quota("nonsense")


def _override(tmp_path, text):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return path


def test_an_override_changes_the_fields_it_names_and_adds_rows(tmp_path):
    path = _override(
        tmp_path,
        """
        [[model]]
        id = "amazon.nova-pro-v1:0"
        status = "LEGACY"
        [[price]]
        model = "amazon.nova-pro-v1:0"
        kind = "input_1k_tokens"
        usd = 1
        source = "our contract"
        as_of = 2026-11-01
        [[price]]
        model = "amazon.nova-pro-v1:0"
        kind = "input_1k_tokens"
        region = "eu-west-1"
        usd = 2.5
        source = "our contract"
        as_of = 2026-11-01
        """,
    )
    mine = load_catalog(path)
    assert mine.model("amazon.nova-pro-v1:0").status == "LEGACY"
    assert mine.model("amazon.nova-pro-v1:0").name == "Nova Pro"
    assert mine.price("us.amazon.nova-pro-v1:0", "input_1k_tokens", "us-east-1").usd == 1.0
    assert mine.price("amazon.nova-pro-v1:0", "input_1k_tokens", "eu-west-1").usd == 2.5
    assert load_catalog().model("amazon.nova-pro-v1:0").status == "ACTIVE"


def test_the_environment_may_name_the_override(tmp_path, monkeypatch):
    monkeypatch.setenv(
        "BEDROCK_DISTILL_CATALOG",
        str(_override(tmp_path, '[[model]]\nid = "amazon.nova-pro-v1:0"\nname = "Mine"')),
    )
    assert load_catalog().model("amazon.nova-pro-v1:0").name == "Mine"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[model]]\nid = 'x.y'\n", "missing required field"),
        ("[[model]]\nid = 'amazon.nova-pro-v1:0'\ncolour = 'red'\n", "colour"),
        ("[[model]]\nid = 'amazon.nova-pro-v1:0'\nstatus = 'GONE'\n", "GONE"),
        ("[[model]]\nid = 'amazon.nova-pro-v1:0'\neol_on = 'soon'\n", "eol_on"),
        ("[[teacher]]\nid = 'x'\n", "unknown table 'teacher'"),
        ("model = 3\n", "unknown table 'model'"),
        ("not toml", "Could not read"),
    ],
)
def test_a_wrong_override_says_what_is_wrong_and_where(tmp_path, text, says):
    with pytest.raises(SpecError, match=says):
        load_catalog(_override(tmp_path, text))


def test_an_override_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(SpecError, match="Could not read"):
        load_catalog(tmp_path / "absent.toml")


@pytest.mark.parametrize("text", ["model = [1]\n", 'price = ["x"]\n', "pair = [[1]]\n"])
def test_rows_that_are_no_tables_are_refused(tmp_path, text):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(SpecError, match=r"\[\[model\]\]"):
        load_catalog(path)


def test_a_row_that_an_override_adds_twice_is_one_row(tmp_path):
    path = tmp_path / "mine.toml"
    row = '[[price]]\nmodel = "m"\nkind = "input_1k_tokens"\nusd = {}\nsource = "x"\nas_of = 2026-11-01\n'
    path.write_text(row.format(1.0) + row.format(2.0))
    (price,) = [price for price in load_catalog(path).prices if price.model == "m"]
    assert price.usd == 2.0


@pytest.mark.parametrize("usd", ["-1.0", "nan", "inf"])
def test_a_price_is_a_number_from_zero(tmp_path, usd):
    path = tmp_path / "mine.toml"
    path.write_text(
        f'[[price]]\nmodel = "m"\nkind = "input_1k_tokens"\nusd = {usd}\nsource = "x"\nas_of = 2026-11-01\n'
    )
    with pytest.raises(SpecError, match="usd"):
        load_catalog(path)


def test_a_profile_is_not_one_of_another_partition():
    model = load_catalog().model("amazon.nova-pro-v1:0")
    assert model.profile_for("us-gov-west-1") is None
    assert model.profile_for("us-west-2") == "us.amazon.nova-pro-v1:0"
