import subprocess
import sys

import pytest


@pytest.mark.slow
def test_the_public_api_passes_mypy_strict_as_its_users_type_it(repository):
    ran = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "tests/typing/api.py"],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout
