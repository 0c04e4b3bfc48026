import pytest

from bedrock_distill.errors import SpecError
from bedrock_distill.records.curation import Recipe
from bedrock_distill.records.curation.quality import default_limits


def test_a_recipe_survives_its_plain_form():
    recipe = Recipe(
        limits={"refusal": None, "short-prompt": 20}, languages=("en",), shares={"a": 0.5, "b": 0.5}
    )
    again = Recipe.of(recipe.to_dict())
    assert again.to_dict() == recipe.to_dict()
    assert again.all_limits() == default_limits() | {"refusal": None, "short-prompt": 20}


def test_a_recipe_is_read_from_toml(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text(
        'max_records = 500\nstrata = ["labelled"]\n[limits]\nrefusal = "off"\nshort-prompt = 20\n[shares]\nall = 1\n'
    )
    recipe = Recipe.load(path)
    assert (recipe.max_records, recipe.strata, dict(recipe.shares)) == (500, ("labelled",), {"all": 1})
    assert recipe.limits == {"refusal": None, "short-prompt": 20}


@pytest.mark.parametrize(
    ("values", "field", "message"),
    [
        ({"max_records": 0}, "max_records", "at least 1"),
        ({"seed": -1}, "seed", "from 0 to"),
        ({"near_threshold": 0}, "near_threshold", "above 0"),
        ({"near_threshold": 1.5}, "near_threshold", "at most 1"),
        ({"golden_share": 2}, "golden_share", "from 0 to 1"),
        ({"stratum_floor": -1}, "stratum_floor", "at least 0"),
        ({"strata": ["topic"]}, "strata", "knows no 'topic'"),
        ({"keep_together": ["user"]}, "keep_together", "there is cluster, session"),
        ({"limits": {"short": 3}}, "limits", "knows no 'short'"),
        ({"limits": {"refusal": "no"}}, "limits.refusal", 'a number, or "off"'),
        ({"shares": {"a": 0.5}}, "shares", "add up to 0.5"),
        ({"max": 3}, None, "knows no 'max'"),
        ({"max_records": "many"}, "max_records", "must be a number or null"),
        ({"max_records": True}, "max_records", "must be a number"),
        ({"skip_bad": 1}, "skip_bad", "must be true or false"),
        ({"languages": "en"}, "languages", "must be a list of names"),
    ],
)
def test_a_wrong_value_is_refused_with_its_name_and_rule(values, field, message):
    with pytest.raises(SpecError, match=message) as refusal:
        Recipe.of(values)
    assert refusal.value.field == field


def test_a_recipe_that_cannot_be_read_says_why(tmp_path):
    with pytest.raises(SpecError, match="No such file"):
        Recipe.load(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("max_records = ")
    with pytest.raises(SpecError, match=r"bad\.toml"):
        Recipe.load(tmp_path / "bad.toml")
