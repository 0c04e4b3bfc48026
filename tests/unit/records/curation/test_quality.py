import pytest

from bedrock_distill.records import Record, encode_record
from bedrock_distill.records.curation.quality import RULES, Judge, default_limits
from bedrock_distill.records.schema import Message

PROMPT = "Please tell the customer when the refund was sent."
USUAL = Judge(default_limits())


def broken(record, **limits):
    named = {name.replace("_", "-"): limit for name, limit in limits.items()}
    judge = Judge(default_limits() | named)
    return judge.broken(record, encode_record(record))


@pytest.mark.parametrize(
    "record",
    [
        Record.of(PROMPT),
        Record.of(PROMPT, completion="billing"),
        Record.of("12 * 7 + 5 = ?", completion="89"),
        Record.of("Wo ist meine Bestellung?", system="x"),
        Record.of("请用中文总结这篇文章的主要内容。"),
        Record.of(PROMPT, completion="I'm sorry to hear that. Your refund was sent on Monday."),
        Record.of(PROMPT, completion="I can't make it on Monday, but Tuesday works."),
        Record.of(PROMPT, completion="Unfortunately the parcel was lost. We have sent another one."),
        Record.of(PROMPT, completion="```python\nprint(1)\n```\nThat prints one."),
        Record.of("Summarise: the log says [truncated] in its second line, and goes on."),
        Record.of("Fill in this form:\n\nName: ____________________\n" + "-" * 60),
        Record.of("Which of these is larger?\n" + "\n".join(f"row {n}: {n * n % 97}" for n in range(60))),
        Record.of("Tab\tand\r\nline ends are fine, form feeds \f too"),
    ],
)
def test_good_records_break_no_rule(record):
    assert broken(record) is None


@pytest.mark.parametrize(
    ("rule", "record"),
    [
        ("long-line", Record.of(" ".join(map(str, range(4_000))))),
        ("short-prompt", Record.of("hi")),
        ("replacement-characters", Record.of("Caf\ufffd opens at nine")),
        ("replacement-characters", Record.of(PROMPT, completion="Caf\ufffd")),
        ("control-characters", Record.of("\x1b[31mred\x1b[0m text in a terminal")),
        ("cut-prompt", Record.of(PROMPT + " ...[truncated]")),
        ("cut-prompt", Record.of(PROMPT + "\n<output truncated: 3,000 characters>\n")),
        ("cut-completion", Record.of(PROMPT, completion="Here it is:\n```python\nprint(1)\n")),
        ("few-letters", Record.of("0 17 299 11 00 ---- ==== ++++ 1,000,000 x")),
        ("loop", Record.of(PROMPT, completion="It was sent. " + "And then it was sent again. " * 12)),
        ("loop", Record.of(PROMPT, completion="no " * 100)),
        ("repetitive", Record.of("the same again, " * 90 + "and then an end that is another.")),
        ("refusal", Record.of(PROMPT, completion="I'm sorry, but I can't help with that.")),
        (
            "refusal",
            Record.of(PROMPT, completion="I\u2019m sorry, but as an AI language model I cannot do so."),
        ),
        ("refusal", Record.of(PROMPT, completion="Sorry, I am unable to answer.")),
        ("refusal", Record.of(PROMPT, completion="I cannot provide medical advice.")),
        ("refusal", Record.of(PROMPT, completion="As an AI assistant, I do not have opinions.")),
        ("refusal", Record.of(PROMPT, completion='"I must respectfully decline."')),
        ("echo", Record.of(PROMPT, completion=f"  {PROMPT.upper()}\n")),
    ],
)
def test_each_rule_knows_its_kind(rule, record):
    assert broken(record) == rule


@pytest.mark.parametrize(
    ("rule", "record", "tight", "loose"),
    [
        ("long_line", Record.of(PROMPT), 50, 500),
        ("short_prompt", Record.of(PROMPT), 51, 50),
        ("long_prompt", Record.of(PROMPT), 49, 50),
        ("short_completion", Record.of(PROMPT, completion="abc"), 4, 3),
        ("long_completion", Record.of(PROMPT, completion="abc"), 2, 3),
        ("replacement_characters", Record.of(PROMPT + "\ufffd"), 0, 1),
        ("control_characters", Record.of(PROMPT + "\0\0"), 1, 2),
        ("cut_prompt", Record.of(PROMPT + " [truncated]"), 20, 5),
        ("cut_completion", Record.of(PROMPT, completion="```\n"), 0, 1),
        ("few_letters", Record.of("abcde 12345 67890 12345"), 0.3, 0.2),
        ("loop", Record.of(PROMPT + "And that is where I was going to, last year. " * 6), 6, 7),
        ("repetitive", Record.of("the same again, " * 90 + "and an end."), 0.1, 0.01),
        ("refusal", Record.of(PROMPT, completion="I must decline."), 15, 14),
        ("echo", Record.of(PROMPT, completion=PROMPT), 50, 51),
    ],
)
def test_every_limit_can_be_moved_and_turned_off(rule, record, tight, loose):
    off = dict.fromkeys((each.name.replace("-", "_") for each in RULES), None)
    assert broken(record, **off | {rule: tight}) == rule.replace("_", "-")
    assert broken(record, **off | {rule: loose}) is None
    assert broken(record, **off) is None


def test_the_first_rule_of_the_table_counts():
    assert broken(Record.of("\0", completion="I must decline.")) == "short-prompt"


def test_all_that_the_user_says_is_the_prompt():
    turns = [Message.of("user", "no"), Message.of("assistant", "No?"), Message.of("user", "no, never")]
    assert broken(Record.of(turns)) is None
    assert broken(Record.of(turns), short_prompt=13) == "short-prompt"


def test_reasons_name_the_limits():
    assert USUAL.reasons["long-line"] == "its line has more than 16,384 bytes"
    assert "long-prompt" not in USUAL.reasons  # it is off
