"""The page: one file, well formed, nothing unescaped, nothing fetched."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from bedrock_distill.errors import ThrottledError
from bedrock_distill.evaluation import Judge, TokenPrice
from bedrock_distill.evaluation.page.differences import MOST_SHOWN, marked
from bedrock_distill.evaluation.page.markup import Markup, element, join
from bedrock_distill.evaluation.page.numbers import count, money, p_value, percent, seconds, times
from bedrock_distill.evaluation.page.plots import Distribution, IntervalRow, distribution_plot, interval_plot
from bedrock_distill.evaluation.statistics import Estimate
from bedrock_distill.records.schema import Message, Record

HOSTILE = "<script>alert(1)</script> & \"quotes\" 'too' </style> </pre>"
DOWN = ThrottledError(HOSTILE, code="Throttling<b>")


class Balance(HTMLParser):
    """Fails on a tag that is closed in the wrong place or never."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.links: list[str] = []

    def handle_starttag(self, tag, attributes):
        self.open.append(tag)
        self._note(tag, attributes)

    def handle_startendtag(self, tag, attributes):
        self._note(tag, attributes)

    def _note(self, tag, attributes):
        self.tags.add(tag)
        self.links += [value for name, value in attributes if name in ("src", "href")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def parsed(html: str) -> Balance:
    balance = Balance()
    balance.feed(html)
    balance.close()
    assert balance.open == []
    return balance


@pytest.fixture
def hostile(compared):
    return compared(
        student=[HOSTILE, DOWN, '{"a": 1}', ""],
        teacher=[f'{{"{HOSTILE[:8]}": "b"}}', '{"a": 2}', '{"a": 1}', '{"a": 1}'],
        base=["x"] * 4,
        references=[HOSTILE, None, '{"a": 1}', None],
        prompts=[HOSTILE, "two", "three", "four"],
        system=HOSTILE,
        prices={"student": TokenPrice(input_usd_per_1k=1, output_usd_per_1k=1)},
    )


def test_the_page_is_well_formed_and_fetches_nothing(hostile):
    found = parsed(hostile.to_html(verdict=hostile.check(min_retention=0.9)))
    assert found.links == []
    assert not found.tags & {"script", "link", "iframe", "img", "object"}
    assert "url(" not in hostile.to_html()
    assert "@import" not in hostile.to_html()


def test_slices_are_drawn_with_the_floor_and_what_the_guards_say(compared):
    report = compared(
        student=["a"] * 60 + ["b"] * 30,
        teacher=["a"] * 90,
        slices={"kind<b>": lambda record: HOSTILE if int(record.prompt_text.split()[1]) < 60 else "late"},
    )
    html = report.to_html(verdict=report.check(min_slice_retention=0.8))
    parsed(html)
    assert "Slice by slice" in html
    assert "<script" not in html
    assert "kind&lt;b&gt;" in html
    assert "shown to keep it" in html
    assert "shown to fall short" in html
    assert "asked for: 80.0" in html
    assert "corrected by Holm" in html


def test_slices_without_a_gate_are_drawn_without_guards(compared):
    html = compared(student=["a"], teacher=["a"], slices="messages").to_html()
    parsed(html)
    assert "Slice by slice" in html
    assert "Holm" not in html


def test_an_undefined_slice_is_written_not_drawn(compared):
    report = compared(
        student=["a", "a"],
        teacher=["a", "a"],
        references=["a", None],
        slices={"place": lambda record: record.prompt_text},
    )
    html = report.to_html(verdict=report.check(min_slice_retention=0.8))
    parsed(html)
    assert "too few prompts" in html


def test_no_text_of_anyone_becomes_markup(hostile):
    html = hostile.to_html()
    assert "<script" not in html
    assert "Throttling<b>" not in html
    assert "&lt;script&gt;" in html


def test_the_verdict_comes_first(hostile):
    html = hostile.to_html(verdict=hostile.check(min_retention=0.9))
    assert (
        html.index("The gate is not passed")
        < html.index("Before you rely on this")
        < html.index("Quality</h2>")
    )


@pytest.mark.parametrize(
    ("min_retention", "words"), [(0.9, "The gate is passed"), (0.99, "The gate is not passed")]
)
def test_the_verdict_says_whether_the_gate_is_passed(compared, min_retention, words):
    report = compared(student=["yes"] * 97 + ["no"] * 3, teacher=["yes"] * 100)
    html = report.to_html(verdict=report.check(min_retention=min_retention))
    assert words in html
    assert "The student agrees with the teacher on" in html


def test_without_a_gate_the_page_states_what_was_measured(compared):
    html = compared(student=["a"], teacher=["a"], references=["a"]).to_html()
    assert "Measured" in html
    assert "of the teacher&#x27;s score on the references" in html
    assert "Nowhere: the student matches the teacher" in html


def test_mean_scores_are_not_called_agreement_on_prompts(compared):
    def halves(answer: str, target: str) -> float:
        return 1.0 if answer == target else 0.5

    assert "the student scores" in compared(student=["a", "x"], teacher=["a", "b"], metrics=halves).to_html()


def test_an_undefined_retention_and_a_silent_side_still_make_a_page(compared):
    undefined = compared(student=["a"], teacher=["x"], references=["a"])
    parsed(undefined.to_html(verdict=undefined.check(min_retention=0.9)))
    silent = compared(student=[DOWN, DOWN], teacher=[DOWN, DOWN])
    parsed(silent.to_html(verdict=silent.check(min_retention=0.9)))


def test_the_page_shows_the_first_disagreements_and_says_that_there_are_more(compared):
    n = MOST_SHOWN + 5
    html = compared(student=["x"] * n, teacher=["a"] * n).to_html()
    assert html.count("<article>") == MOST_SHOWN
    assert "report.json has every answer" in html


def test_the_system_prompt_is_shown_where_all_prompts_share_one(speaker):
    from bedrock_distill.evaluation import evaluate

    records = [Record.of(text, system="Be brief.") for text in ("one", "two")]
    target = speaker(str.upper)
    assert "<pre>Be brief.</pre>" in evaluate(target, target, records).to_html()
    assert "each record&#x27;s own" in evaluate(target, target, [*records, "three"]).to_html()


def test_earlier_turns_of_a_conversation_are_there_to_open(speaker):
    from bedrock_distill.evaluation import evaluate

    turns = [Message.of("user", "hello"), Message.of("assistant", "hi"), Message.of("user", "help")]
    report = evaluate(speaker({"help": "a"}), speaker({"help": "b"}), [Record.of(turns)])
    html = report.to_html()
    assert "2 earlier messages" in html
    assert "assistant: hi" in html


def test_an_answer_that_did_not_end_by_itself_says_what_stopped_it(compared, said):
    html = compared(student=[said("x", stop_reason="max_tokens")], teacher=["a"]).to_html()
    assert "stopped by max_tokens" in html


def test_a_notebook_gets_the_result_with_its_own_style(hostile):
    html = hostile._repr_html_()
    parsed(html)
    assert html.startswith('<div class="bd-evaluation"><style>')
    assert "How it was measured" not in html


def test_every_style_rule_stays_inside_the_reports_own_element(hostile):
    css = re.search(r"<style>(.*?)</style>", hostile._repr_html_(), re.DOTALL)[1]
    depth, outside = 0, ""
    for character in css:
        depth -= character == "}"
        outside += character if depth == 0 and character not in "{}" else ""
        depth += character == "{"
    assert outside.split() == [".bd-evaluation"]


def test_differing_words_are_marked_on_both_sides():
    left, right = marked("a red <b> fox", "a blue <b> fox")
    assert left == "a <mark>red</mark> &lt;b&gt; fox"
    assert right == "a <mark>blue</mark> &lt;b&gt; fox"


def test_very_long_answers_are_shown_without_marks():
    long = "word " * 5_000
    assert marked(long, "word") == (long, "word")


def test_elements_escape_what_is_not_markup():
    made = element("p", "<b>", element("i", "x"), [None, "&"], class_="a", data_x='"', hidden=None, x=1.50)
    assert made == '<p class="a" data-x="&quot;" x="1.5">&lt;b&gt;<i>x</i>&amp;</p>'
    assert element("br") == "<br/>"
    assert join("<", Markup("<i/>")) == "&lt;<i/>"


def test_no_text_can_turn_the_direction_of_what_follows_it():
    assert element("li", "a\u202eb\u2066", Markup("c")) == "<li>a[U+202E]b[U+2066]c</li>"
    assert element("li", "مرحبا") == "<li>مرحبا</li>"


def thin(text: str) -> str:
    return text.replace("\N{NARROW NO-BREAK SPACE}", " ")


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (percent(0.9546), "95.5 %"),
        (percent(None), "\N{EN DASH}"),
        (seconds(None), "\N{EN DASH}"),
        (seconds(0.01234), "12.3 ms"),
        (seconds(0.5), "500 ms"),
        (seconds(1.234), "1.23 s"),
        (seconds(1234.5), "1,234 s"),
        (count(1234567), "1 234 567"),
        (money(None), "unknown"),
        (money(0.00123), "0.0012 USD"),
        (money(1234.5), "1,234.50 USD"),
        (times(1, 4), "0.25\N{MULTIPLICATION SIGN}"),
        (times(1, 0), "unknown"),
        (times(None, 2), "unknown"),
        (p_value(0.00001), "p < 0.0001"),
        (p_value(0.05), "p = 0.0500"),
    ],
)
def test_figures_are_written_as_people_read_them(written, text):
    assert thin(written) == text


def estimate(value, low, high):
    return Estimate(value=value, low=low, high=high, confidence=0.95, method="Wilson", n=10)


@pytest.mark.parametrize("bounds", [(0.5, 0.4, 0.6), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), (2.5, 1.0, 9.0)])
def test_an_interval_is_drawn_inside_the_plot_whatever_its_size(bounds):
    svg = interval_plot([IntervalRow("a", estimate(*bounds), "student", bound=bounds[1])], threshold=0.9)
    places = [float(place) for place in re.findall(r' (?:x1|x2|cx)="([-\d.]+)"', svg)]
    assert places
    assert all(0 <= place <= 860 for place in places)


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([0.1, 0.2, 0.3], "100 ms"),
        ([0.001, 0.01, 0.1, 1, 10, 100], "1 s"),
        ([0.0, 0.0], "0 ms"),
        ([5.0], "5 s"),
    ],
)
def test_a_distribution_is_drawn_on_an_axis_that_suits_it(values, ticks):
    svg = distribution_plot(
        [Distribution("a", values, "student"), Distribution("b", [], "base")], write=seconds, title="t"
    )
    assert ticks in thin(svg)
    assert svg.count('class="side-') == 1


def test_a_distribution_of_nothing_is_not_drawn():
    assert distribution_plot([Distribution("a", [], "student")], write=seconds, title="t") is None


def test_a_metric_beside_a_judge_keeps_its_scores_on_references(compared, speaker):
    judge = Judge(target=speaker(lambda _: "Both serve.\nVerdict: tie"))
    report = compared(
        student=["a", "x"], teacher=["a", "b"], references=["a", "c"], metrics=[judge, "exact_match"]
    )
    head = report.to_html().partition("<th>Metric</th>")[2].partition("</tr>")[0]
    assert re.findall(r">([^<>]+)</th>", head)[1:] == [
        "Student on references",
        "Teacher on references",
        "Retention",
    ]
