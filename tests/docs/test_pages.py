"""Every `python` and `sh` block of the pages runs, in a folder that holds the samples and what readers bring."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path.relative_to(ROOT)
    for path in [ROOT / "README.md", *ROOT.glob("docs/**/*.md")]
    if "reference" not in path.parts
)
BLOCK = re.compile(r"^```(python|sh)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

NOT_RUN = {
    ("README.md", "sh"): "`make` builds environments: what runs the tests has run it",
    ("CONTRIBUTING.md", "sh"): "the same",
}


def blocks(page, language):
    """The page's blocks of a language, at the line numbers they have in the page."""
    text = (ROOT / page).read_text("utf-8")
    for match in BLOCK.finditer(text):
        if match[1] == language:
            yield text[: match.start(2)].count("\n"), match[2]


def having(language):
    return [
        str(page) for page in PAGES if any(blocks(page, language)) and (str(page), language) not in NOT_RUN
    ]


@pytest.fixture
def readers_folder(tmp_path, student_dir):
    """A working folder with the samples, and the files that pages call yours: an easy job, with recorded answers, and a model."""
    from bedrock_distill.records import Record
    from bedrock_distill.records.writing import write_records

    (tmp_path / "samples").symlink_to(ROOT / "samples")
    shutil.copytree(student_dir, tmp_path / "students" / "triage")
    records = [Record.of("My invoice is wrong", completion="billing")]
    for number in range(360):
        text, topic = (("Invoice {} is wrong", "billing"), ("Parcel {} is late", "shipping"))[number % 2]
        records.append(Record.of(text.format(1000 + number), completion=topic))
    write_records(tmp_path / "answers.jsonl", records)
    prompts = [record.prompt for record in records[1:]]
    write_records(tmp_path / "prompts.jsonl", prompts[:240])
    write_records(tmp_path / "heldout.jsonl", prompts[240:])
    return tmp_path


def run(command, folder):
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "OMP_WAIT_POLICY": "PASSIVE",
    }
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=600
    )


@pytest.mark.slow
@pytest.mark.parametrize("page", having("python"))
def test_the_python_of_a_page_runs_from_top_to_bottom(page, readers_folder):
    lines: list[str] = []
    for start, code in blocks(page, "python"):
        lines += [""] * (start - len(lines)) + code.splitlines()
    script = readers_folder / "page.py"
    script.write_text("\n".join(lines) + "\n", "utf-8")
    ran = run([sys.executable, str(script)], readers_folder)
    assert ran.returncode == 0, f"{page}:\n{ran.stdout}\n{ran.stderr}"


@pytest.mark.slow(seconds=15)
@pytest.mark.parametrize("page", having("sh"))
def test_the_commands_of_a_page_succeed(page, readers_folder):
    for line, code in blocks(page, "sh"):
        ran = run(["bash", "-euo", "pipefail", "-c", code], readers_folder)
        assert ran.returncode == 0, f"{page}:{line}:\n{code}\n{ran.stdout}\n{ran.stderr}"


@pytest.mark.parametrize("page", [str(page) for page in PAGES])
def test_every_link_to_a_file_leads_somewhere(page):
    text = (ROOT / page).read_text("utf-8")
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert ((ROOT / page).parent / target).exists(), f"{page} links to {target}"


@pytest.mark.slow
@pytest.mark.parametrize("sample", sorted(path.name for path in (ROOT / "samples").glob("*.py")))
def test_every_sample_runs(sample, readers_folder):
    ran = run([sys.executable, str(ROOT / "samples" / sample)], readers_folder)
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"
