import subprocess
import sys


def test_the_reference_pages_say_what_the_code_says(repository):
    ran = subprocess.run(
        [sys.executable, "docs/generate_reference.py", "--check"],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
