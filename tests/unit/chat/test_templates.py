"""The model's own chat template: the same text as `transformers` makes, from whatever files it lies in."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from bedrock_distill.chat import ChatTemplate
from bedrock_distill.chat.question import Question
from bedrock_distill.chat.templates import prompt_text
from bedrock_distill.errors import DataError, SpecError

# Templates of the kinds that models come with: made for these tests.
CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)

BRACKETS = """{{- bos_token }}
{%- if messages[0]['role'] == 'system' %}
    {%- set preamble = messages[0]['content'] | trim %}
    {%- set rest = messages[1:] %}
{%- else %}
    {%- set preamble = '' %}
    {%- set rest = messages %}
{%- endif %}
{%- for message in rest %}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
        {{- raise_exception('Turns must go user, assistant, user, and so on') }}
    {%- endif %}
    {%- if message['role'] == 'user' %}
        {{- '[ASK] ' + (preamble + '\\n\\n' if loop.first and preamble else '') + message['content'] + ' [/ASK]' }}
    {%- else %}
        {%- generation %}
        {{- ' ' + message['content'] + eos_token }}
        {%- endgeneration %}
    {%- endif %}
{%- endfor %}
"""

HEADERS = """{% macro head(role) %}<|head|>{{ role }}<|/head|>

{% endmacro %}
{{ bos_token }}
{% set state = namespace(seen=0, tools_shown=false) %}
{% for message in messages %}
    {% if message.role not in ('system', 'user', 'assistant', 'tool') %}{% continue %}{% endif %}
    {% set state.seen = state.seen + 1 %}
{{ head(message.role) }}
    {% if tools and not state.tools_shown and message.role == 'user' %}
        {% set state.tools_shown = true %}
Tools you may call:
        {% for tool in tools %}
{{ tool | tojson(indent=2) }}
        {% endfor %}
    {% endif %}
    {% if message.content is string %}
{{ message.content | trim }}
    {% elif message.content is iterable %}
        {% for part in message.content if part.type == 'text' %}{{ part.text }}{% endfor %}

    {% endif %}
    {% for call in message.tool_calls or [] %}
<call>{{ {"name": call.function.name, "arguments": call.function.arguments} | tojson }}</call>
    {% endfor %}
{{ eos_token }}
{% endfor %}
{% if add_generation_prompt %}
{{ head('assistant') }}
{%- endif %}
"""

DATED = """{{ bos_token }}Today is {{ strftime_now("%d %b %Y") }}.
{% for message in messages %}
{% if loop.index > 4 %}{% break %}{% endif %}
{{ message.role | upper }}: {{ message.content }}{{ dict(a=1).items() | list }}
{% endfor %}
{% if enable_thinking is defined and enable_thinking is false %}<think></think>{% endif %}
"""

SCOPES = """{% set said = 'before' %}
{% for message in messages %}{% generation %}{% set said = message.content %}{{ said }}{% endgeneration %}{{ said }}
{% endfor %}{{ unk_token }}|{{ nothing }}|{{ messages | length }}"""

SOURCES = {"chatml": CHATML, "brackets": BRACKETS, "headers": HEADERS, "dated": DATED, "scopes": SCOPES}

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "refund",
            "description": "Give money back <now> & say so: 'é'",
            "parameters": {"type": "object", "properties": {"amount": {"type": "number"}}},
        },
    }
]
TALK = [
    {"role": "system", "content": "  Be brief & <kind>.\n"},
    {"role": "user", "content": "My invoice is wrong 🎉 "},
    {"role": "assistant", "content": "Which one?"},
    {"role": "user", "content": "The 2nd\n"},
]
CALLING = [
    *TALK[:2],
    {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"type": "function", "function": {"name": "refund", "arguments": {"amount": 3}}}],
    },
    {"role": "tool", "content": '{"ok": true}'},
    {"role": "user", "content": [{"type": "text", "text": "Thanks"}, {"type": "image"}]},
]
CASES = {
    "a conversation": (TALK, {}),
    "one turn, and a variable": (TALK[1:2], {"enable_thinking": False}),
    "with tools": (TALK, {"tools": TOOLS}),
}
SPECIAL = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}


@pytest.fixture(scope="module")
def tokenizer():
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE()), **SPECIAL)


class Files:
    """A model's files, from a dictionary."""

    where = "s3://models/student"

    def __init__(self, **files):
        self.files = {
            name.replace("__", "."): text if isinstance(text, str) else json.dumps(text)
            for name, text in files.items()
        }

    def sizes(self):
        return {name: len(text) for name, text in self.files.items()}

    def read(self, name):
        return self.files[name].encode()


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("last", [True, False], ids=["to go on from", "as it is"])
@pytest.mark.parametrize("case", CASES)
def test_the_text_is_the_one_that_transformers_makes(tokenizer, name, last, case):
    talk, options = CASES[case]
    expected = tokenizer.apply_chat_template(
        talk, chat_template=SOURCES[name], tokenize=False, add_generation_prompt=last, **options
    )
    template = ChatTemplate(source=SOURCES[name], tokens=SPECIAL)
    assert template.render(talk, add_generation_prompt=last, **options) == expected


def test_calls_of_tools_and_parts_of_messages_come_out_as_transformers_writes_them(tokenizer):
    expected = tokenizer.apply_chat_template(
        CALLING, chat_template=SOURCES["headers"], tools=TOOLS, tokenize=False, add_generation_prompt=True
    )
    rendered = ChatTemplate(source=SOURCES["headers"], tokens=SPECIAL).render(CALLING, tools=TOOLS)
    assert rendered == expected
    assert "<now> & say so: 'é'" in rendered
    assert "refund" in rendered.rpartition("<call>")[2]


def test_a_date_is_the_one_that_is_given():
    template = ChatTemplate(source=SOURCES["dated"])
    rendered = template.render(TALK, now=datetime(2026, 2, 3, tzinfo=UTC))
    assert rendered.startswith("Today is 03 Feb 2026.")


def test_a_template_may_refuse_a_conversation():
    with pytest.raises(SpecError, match="Turns must go user, assistant"):
        ChatTemplate(source=SOURCES["brackets"]).render([TALK[1], TALK[1]])


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ messages.append(1) }}",
        "{{ namespace(__init__=1) }}",
        "{% set n = namespace() %}{% set n._x = 1 %}",
        "{{ messages[0].content + 1 }}",
        "{{ messages[0].nothing.at_all }}",
        "{{ 1 / 0 }}",
    ],
)
def test_a_template_cannot_leave_its_sandbox_or_fail_in_words_of_its_own(source):
    with pytest.raises(SpecError, match="refuses this conversation"):
        ChatTemplate(source=source).render(TALK)


def test_a_broken_template_is_the_models_fault_and_says_the_line():
    with pytest.raises(DataError, match="line 2"):
        ChatTemplate(source="{{ bos_token }}\n{% if %}").render(TALK)


def test_the_template_is_found_where_the_loaders_look_first():
    config = {
        "chat_template": "third",
        "bos_token": {"content": "<s>"},
        "eos_token": "</s>",
        "pad_token": None,
    }
    files = {"tokenizer_config__json": config}
    assert ChatTemplate.of(Files(**files)) == ChatTemplate(
        source="third", tokens={"bos_token": "<s>", "eos_token": "</s>"}
    )
    files["chat_template__json"] = {"chat_template": "second"}
    assert ChatTemplate.of(Files(**files)).source == "second"
    files["chat_template__jinja"] = "first"
    assert ChatTemplate.of(Files(**files)).source == "first"


def test_of_several_templates_the_default_is_taken():
    named = [{"name": "tool_use", "template": "tools"}, {"name": "default", "template": "plain"}]
    assert ChatTemplate.of(Files(tokenizer_config__json={"chat_template": named})).source == "plain"


@pytest.mark.parametrize(
    "files",
    [{}, {"tokenizer_config__json": {}}, {"tokenizer_config__json": {"chat_template": [{"name": "other"}]}}],
)
def test_a_model_without_a_template_is_refused_with_the_places_that_were_looked_at(files):
    with pytest.raises(DataError, match=r"s3://models/student has no chat template: no chat_template\.jinja"):
        ChatTemplate.of(Files(**files))


def test_a_file_that_is_no_json_object_is_named():
    with pytest.raises(DataError, match=r"s3://models/student/tokenizer_config\.json is not a JSON object"):
        ChatTemplate.of(Files(tokenizer_config__json="[]"))


FIRST = {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}]}


@pytest.mark.parametrize(
    ("config", "processor", "expected"),
    [
        ({"add_bos_token": True}, None, "hi"),
        ({"add_bos_token": False}, FIRST, "<s>hi"),
        ({}, FIRST, "hi"),
        ({}, {"type": "Sequence", "processors": [{"type": "ByteLevel"}, FIRST]}, "hi"),
        ({}, {"type": "ByteLevel"}, "<s>hi"),
        ({}, None, "<s>hi"),
    ],
)
def test_a_prompt_has_no_first_token_that_the_tokenizer_puts_there_itself(config, processor, expected):
    config = {"chat_template": "{{ bos_token }}hi", "bos_token": "<s>", **config}
    template = ChatTemplate.of(
        Files(tokenizer_config__json=config, tokenizer__json={"post_processor": processor})
    )
    assert template.render(TALK) == "<s>hi"
    assert template.prompt(TALK) == expected


def test_the_same_tokens_reach_the_model_as_when_it_was_trained():
    """Encoding the prompt as any text is encoded gives what `transformers` gives for the conversation."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.WordLevel({"<s>": 0, "hi": 1, "<unk>": 2}, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    fast = PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", unk_token="<unk>")
    source = "{{ bos_token }}{{ messages[0].content }}"
    talk = [{"role": "user", "content": "hi hi"}]
    trained = fast(
        fast.apply_chat_template(talk, chat_template=source, tokenize=False), add_special_tokens=False
    )
    files = Files(
        tokenizer__json=backend.to_str(), tokenizer_config__json={"chat_template": source, "bos_token": "<s>"}
    )
    assert fast(ChatTemplate.of(files).prompt(talk))["input_ids"] == trained["input_ids"]


def test_without_a_template_only_a_text_can_be_sent():
    assert prompt_text(Question.of("Once upon", target="m"), None) == "Once upon"
    with pytest.raises(SpecError, match=r"conversation of 2 turns.*ChatTemplate\.of"):
        prompt_text(Question.of("Hi", target="m", system="Be brief."), None)


def test_jinja_is_loaded_by_whoever_renders_and_asked_for_by_name_where_it_is_missing():
    script = (
        "import sys; sys.modules['jinja2'] = None\n"
        "from bedrock_distill.chat import ChatTemplate\n"
        "from bedrock_distill.errors import MissingDependencyError\n"
        "template = ChatTemplate(source='{{ messages }}')\n"
        "try: template.render([])\n"
        "except MissingDependencyError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "pip install 'jinja2>=3.1.6'" in done.stdout
