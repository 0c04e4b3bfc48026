import json
import subprocess
import sys

import click
import pytest

import bedrock_distill
from bedrock_distill import errors
from bedrock_distill.cli.main import COMMANDS, EXIT_CODES, cli, exit_code

HEAVY = ["boto3", "botocore", "torch", "transformers", "moto", "sagemaker", "pydantic", "tenacity"]


def _loaded_after(code):
    script = f"import sys, json; {code}; print(json.dumps([n for n in {HEAVY!r} if n in sys.modules]))"
    return json.loads(subprocess.run([sys.executable, "-c", script], check=True, capture_output=True).stdout)


def test_importing_the_package_loads_nothing_heavy():
    assert _loaded_after("import bedrock_distill") == []


def test_importing_the_command_line_loads_nothing_heavy():
    assert _loaded_after("import bedrock_distill.cli.main") == []


def test_the_catalog_needs_no_aws_library():
    assert _loaded_after("import bedrock_distill as bd; bd.load_catalog()") == []


@pytest.mark.parametrize("name", [name for name in bedrock_distill.__all__ if name != "__version__"])
def test_every_public_name_can_be_had(name):
    assert getattr(bedrock_distill, name) is not None


def test_public_names_are_sorted_and_no_others_are_there():
    # As the linter sorts: names in capitals first.
    in_order = sorted(bedrock_distill.__all__, key=lambda name: (not name.isupper(), name))
    assert in_order == bedrock_distill.__all__
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = bedrock_distill.nonsense


def test_the_function_evaluate_stays_a_function_after_its_room_is_imported():
    import bedrock_distill.evaluation

    assert callable(bedrock_distill.evaluate)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_the_summary_that_help_shows(name):
    command = cli.get_command(click.Context(cli), name)
    assert command.get_short_help_str(limit=200) == COMMANDS[name][1]


def test_every_error_has_an_exit_code():
    for name in errors.__all__:
        cls = getattr(errors, name)
        if not issubclass(cls, errors.BedrockDistillError):
            continue
        error = cls("x", limit_usd=1.0, estimate_usd=None) if cls is errors.OverBudgetError else cls("x")
        assert exit_code(error) in range(1, 6)


def test_a_more_special_error_comes_before_its_parent_in_the_table():
    seen = []
    for name, _ in EXIT_CODES:
        cls = getattr(errors, name)
        assert not any(issubclass(cls, earlier) for earlier in seen), name
        seen.append(cls)
