"""The page in a real browser: nothing runs, nothing is fetched, it fits, it prints, and it suits the dark."""

from __future__ import annotations

import json
import os
import re
import shutil
import struct
import subprocess
import zlib
from html import escape
from typing import TYPE_CHECKING

import pytest

from bedrock_distill.evaluation import Judge, TokenPrice

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

NAMES = ("chromium", "chromium-browser", "google-chrome")

ATTACKS = (
    '<script>document.title="owned"</script>',
    '<img src="http://127.0.0.1:9/pixel.png" onerror="document.title=\'owned\'">',
    "</pre></style></svg><svg onload=\"document.title='owned'\">",
    '<link rel="stylesheet" href="http://127.0.0.1:9/x.css">',
)
LONG = "Donaudampfschifffahrtsgesellschaft" * 12
TEXTS = (
    *ATTACKS,
    LONG,
    "مرحبا، أين طلبي رقم 4711؟ \u202eabc",
    "注文の品がまだ届きません。" * 30,
    "👩‍👩‍👧‍👦 zalgo z̸̢͈͎a̵͓l̷͈g̶͎o",
)

MEASURE = """<!doctype html><meta charset="utf-8"><body><iframe width="{width}" height="900" srcdoc="{page}"></iframe>
<script>
document.querySelector("iframe").onload = event => {{
  const page = event.target.contentDocument, root = page.documentElement;
  const top = found => page.querySelector(found).getBoundingClientRect().top;
  const wide = [...page.querySelectorAll("body *")].filter(each =>
    each.getBoundingClientRect().right > {width} + 1 && !each.closest(".wide, .plot, pre"));
  const out = document.createElement("pre");
  out.id = "measured";
  out.textContent = JSON.stringify({{
    title: page.title, width: root.scrollWidth, wide: wide.map(each => each.outerHTML.slice(0, 80)),
    verdict: top(".verdict"), others: [...page.querySelectorAll("section:not(.verdict)")].map(
      each => each.getBoundingClientRect().top),
    badge: page.querySelector(".badge").textContent,
  }});
  document.body.append(out);
}};
</script>"""


class Browser:
    """Chromium, driven by its command line."""

    def __init__(self, binary: str, folder: Path) -> None:
        self.binary, self.folder = binary, folder
        self.log = ""

    def run(self, page: Path, *options: str) -> str:
        done = subprocess.run(
            [
                self.binary,
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--hide-scrollbars",
                "--no-first-run",
                "--disable-background-networking",
                "--enable-logging=stderr",
                f"--user-data-dir={self.folder / 'profile'}",
                *options,
                page.as_uri(),
            ],
            capture_output=True,
            encoding="utf-8",
            check=True,
            timeout=120,
        )
        self.log = done.stderr
        return done.stdout

    def measure(self, html: str, width: int) -> dict:
        page = self.folder / "measure.html"
        page.write_text(MEASURE.format(width=width, page=escape(html)), encoding="utf-8")
        dom = self.run(page, "--virtual-time-budget=2000", "--dump-dom")
        found = re.search(r'<pre id="measured">(.*?)</pre>', dom, re.DOTALL)
        assert found, dom[-500:]
        return json.loads(found[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))

    def photograph(self, page: Path, name: str, *options: str, size: str = "500,400") -> list[bytes]:
        picture = self.folder / name
        self.run(page, f"--screenshot={picture}", f"--window-size={size}", *options)
        return rows_of(picture.read_bytes())


@pytest.fixture
def browser(tmp_path):
    binary = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if binary is None:
        pytest.skip("no chromium here: install one, or name its binary in CHROMIUM")
    return Browser(binary, tmp_path)


@pytest.fixture
def report(compared, speaker):
    """A report with every section, on texts that are long, foreign and hostile."""
    n = 120
    prompts = [f"{TEXTS[place % len(TEXTS)]} {place}" for place in range(n)]
    teacher = [
        json.dumps({"queue": TEXTS[place % len(TEXTS)], "urgent": place % 3 == 0}) for place in range(n)
    ]
    student = [
        json.dumps({"queue": ATTACKS[0]}) if place % 12 == 0 else each for place, each in enumerate(teacher)
    ]
    price = {"input_usd_per_1k": 0.001, "output_usd_per_1k": 0.004}
    return compared(
        student=student,
        teacher=teacher,
        base=[f"{ATTACKS[1]} {LONG}"] * n,
        references=teacher[:110] + [None] * 10,
        prompts=prompts,
        system=ATTACKS[2],
        metrics=["json_equal", Judge(target=speaker(lambda _: "Verdict: A", name="judge"))],
        slices={"kind": lambda record: record.prompt_text.rsplit(" ", 1)[0][:60]},
        prices={"student": TokenPrice(**price), "teacher": TokenPrice(**price)},
    )


def rows_of(png: bytes) -> list[bytes]:
    """The pixels of a PNG of 8 bits a channel, row by row; the first three bytes of each pixel are its colour."""
    width, height, depth, kind = struct.unpack(">IIBB", png[16:26])
    assert depth == 8
    step = {2: 3, 6: 4}[kind]
    data, place = b"", 8
    while place < len(png):
        (size,) = struct.unpack(">I", png[place : place + 4])
        data += png[place + 8 : place + 8 + size] if png[place + 4 : place + 8] == b"IDAT" else b""
        place += size + 12
    raw, line = zlib.decompress(data), width * step + 1
    rows, above = [], bytes(width * step)
    for start in range(0, height * line, line):
        above = _unfiltered(raw[start], raw[start + 1 : start + line], above, step)
        rows.append(above)
    return [row if step == 3 else b"".join(row[at : at + 3] for at in range(0, len(row), 4)) for row in rows]


def _unfiltered(kind: int, line: bytes, above: bytes, step: int) -> bytes:
    if kind == 0:
        return line
    out = bytearray(line)
    for at, value in enumerate(line):
        left = out[at - step] if at >= step else 0
        corner = above[at - step] if at >= step else 0
        up = above[at]
        if kind == 4:
            guess = left + up - corner
            near = min((left, up, corner), key=lambda each: abs(guess - each))
        else:
            near = (0, left, up, (left + up) // 2)[kind]
        out[at] = (value + near) & 255
    return bytes(out)


def brightness(rows: list[bytes]) -> tuple[int, int]:
    """Of the page's edge, which is background, and the spread over the whole picture."""
    values = b"".join(rows[::8])
    return sum(rows[2][:3]) // 3, max(values) - min(values)


def saved(report, folder: Path, verdict) -> Path:
    page = report.save(folder / "report", verdict=verdict).html
    return page.rename(page.with_name("page.html"))


@pytest.mark.parametrize(("floor", "badge"), [(0.8, "The gate is passed"), (0.99, "The gate is not passed")])
def test_the_verdict_comes_first_nothing_runs_and_a_narrow_window_holds_the_page(
    report, browser, floor, badge
):
    verdict = report.check(min_retention=floor, min_slice_retention=0.8)
    found = browser.measure(report.to_html(verdict=verdict), 400)
    assert found["badge"] == badge
    assert found["title"].startswith("Evaluation: ")
    assert all(found["verdict"] < other for other in found["others"])
    assert found["width"] <= 400, found["wide"]
    assert "CONSOLE" not in browser.log


def test_the_measure_sees_a_script_that_runs_and_a_page_that_is_too_wide(browser):
    html = '<section class="verdict"><p class="badge">b</p><p style="width: 900px">w</p></section>'
    found = browser.measure(html + '<script>document.title="owned"; console.log(1)</script>', 400)
    assert found["title"] == "owned"
    assert found["width"] > 400
    assert "CONSOLE" in browser.log


def test_it_is_light_or_dark_as_the_reader_likes_and_asks_nobody_for_anything(report, browser):
    page = saved(report, browser.folder, report.check(min_retention=0.99, min_slice_retention=0.8))
    net = browser.folder / "net.json"
    light, light_spread = brightness(browser.photograph(page, "light.png", f"--log-net-log={net}"))
    dark, dark_spread = brightness(
        browser.photograph(page, "dark.png", "--blink-settings=preferredColorScheme=0")
    )
    assert light > 200
    assert dark < 80
    assert min(light_spread, dark_spread) > 100
    assert "127.0.0.1:9" not in net.read_text(encoding="utf-8", errors="replace")


def test_it_prints(report, browser):
    page = saved(report, browser.folder, report.check(min_retention=0.8))
    paper = browser.folder / "report.pdf"
    browser.run(page, f"--print-to-pdf={paper}", "--no-pdf-header-footer")
    written = paper.read_bytes()
    assert written.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type\s*/Page\b", written)) >= 3
