"""The model's own chat template, for ways of asking that take a prompt and apply none."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from bedrock_distill.chat.question import Question, turns
from bedrock_distill.errors import DataError, MissingDependencyError, SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import jinja2

    from bedrock_distill.models import ModelFiles

__all__ = ["ChatTemplate", "prompt_text"]

_OLDEST = (3, 1, 6)
"""Older releases of jinja2 have ways out of their sandbox that are known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatTemplate:
    """A chat template with the special tokens that it may write.

    Rendering needs jinja2.
    """

    source: str
    """The template's text."""
    tokens: Mapping[str, str] = field(default_factory=dict)
    """Special tokens by their names in the template, such as `bos_token`."""
    adds_bos: bool = False
    """Whether the model's tokenizer puts the beginning-of-sequence token before whatever it reads. A server that is sent a
    prompt tokenizes it so, and the template's own token would then be a second one."""

    @classmethod
    def of(cls, files: ModelFiles) -> ChatTemplate:
        """The template in a model's files.

        `chat_template.jinja` goes before `chat_template.json`, and that before `tokenizer_config.json`.

        Args:
            files: Where the model lies, such as `models.Folder(path)`.

        Raises:
            DataError: If there is none, or a file is not what its name says.
        """
        names = files.sizes()
        config = _json_object(files, "tokenizer_config.json") if "tokenizer_config.json" in names else {}
        tokens = {
            name: text
            for name, value in config.items()
            if name.endswith("_token") and (text := _token(value)) is not None
        }
        return cls(
            source=_source(files, names, config),
            tokens=tokens,
            adds_bos=_adds_bos(files, names, config, tokens),
        )

    def render(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        tools: Sequence[Mapping[str, Any]] | None = None,
        add_generation_prompt: bool = True,
        now: datetime | None = None,
        **variables: Any,
    ) -> str:
        """A conversation as the one text that the model was trained to read.

        Args:
            messages: Turns as `{"role": …, "content": …}`, and whatever else the template reads.
            tools: JSON schemas of the tools that the model may call.
            add_generation_prompt: End with the head of the assistant's turn, for the model to go on from.
            now: What templates that write a date take for now. Default: the machine's time.
            **variables: Further variables of the template, such as `enable_thinking`.

        Raises:
            SpecError: If the template refuses the conversation.
            DataError: If the template itself is broken.
            MissingDependencyError: If jinja2 is missing or too old.
        """
        template = _compiled(self.source)
        moment = now or datetime.now().astimezone()
        try:
            return template.render(
                messages=[dict(message) for message in messages],
                tools=tools,
                documents=None,
                add_generation_prompt=add_generation_prompt,
                strftime_now=moment.strftime,
                **{**self.tokens, **variables},
            )
        except _refusals() as error:
            raise SpecError(
                f"The model's chat template refuses this conversation: {error}.", field="prompt"
            ) from error

    def prompt(self, messages: Sequence[Mapping[str, Any]]) -> str:
        """What to send to a server that tokenizes a prompt as it tokenizes any text."""
        text = self.render(messages)
        return text.removeprefix(self.tokens.get("bos_token", "")) if self.adds_bos else text


def prompt_text(asked: Question, template: ChatTemplate | None) -> str:
    """The question as one text.

    Raises:
        SpecError: If there is no template and the question is more than a user's text, or the template refuses it.
    """
    messages = turns(asked)
    if template is not None:
        return template.prompt(messages)
    if len(messages) > 1:
        raise SpecError(
            f"This way of asking sends one text as it is, and this prompt is a conversation of {len(messages)} turns "
            "(a system prompt is one). Give the model's chat template (ChatTemplate.of), or ask in a schema of messages.",
            field="prompt",
        )
    return messages[0]["content"]


@lru_cache(maxsize=32)
def _compiled(source: str) -> jinja2.Template:
    try:
        import jinja2  # noqa: PLC0415 - only for whoever renders a template

        from bedrock_distill.chat.sandbox import compile_template  # noqa: PLC0415 - needs jinja2
    except ImportError as error:
        raise _missing("is not installed") from error
    if tuple(int(part) for part in jinja2.__version__.split(".")[:3]) < _OLDEST:
        raise _missing(f"is {jinja2.__version__}, whose sandbox is known to leak")
    try:
        return compile_template(source)
    except jinja2.TemplateSyntaxError as error:
        raise DataError(
            f"The chat template is no template: line {error.lineno}: {error.message}. Correct the model's "
            "chat_template.jinja or tokenizer_config.json."
        ) from error


def _missing(what: str) -> MissingDependencyError:
    return MissingDependencyError(
        f"Applying a chat template needs jinja2, which {what}. Install it with: pip install 'jinja2>=3.1.6'"
    )


def _refusals() -> tuple[type[Exception], ...]:
    """What a template raises: on purpose, or because a turn lacks what it reads."""
    import jinja2  # noqa: PLC0415 - a template was compiled already

    return (jinja2.TemplateError, TypeError, ValueError, AttributeError, LookupError, ArithmeticError)


def _source(files: ModelFiles, names: Mapping[str, int], config: Mapping[str, Any]) -> str:
    if "chat_template.jinja" in names:
        return files.read("chat_template.jinja").decode()
    given = (
        _json_object(files, "chat_template.json").get("chat_template")
        if "chat_template.json" in names
        else config.get("chat_template")
    )
    if isinstance(given, list):  # several, by name
        named = {each.get("name"): each.get("template") for each in given if isinstance(each, dict)}
        given = named.get("default")
    if isinstance(given, str):
        return given
    raise DataError(
        f"{files.where} has no chat template: no chat_template.jinja, and neither chat_template.json nor "
        "tokenizer_config.json has a `chat_template` (one text, or a list with one named `default`). Add the template that "
        "the model was trained with, or ask with a raw prompt."
    )


def _token(value: Any) -> str | None:
    """A special token: its text, or the table of an added token."""
    text = value.get("content") if isinstance(value, dict) else value
    return text if isinstance(text, str) else None


def _adds_bos(
    files: ModelFiles, names: Mapping[str, int], config: Mapping[str, Any], tokens: Mapping[str, str]
) -> bool:
    bos = tokens.get("bos_token")
    if bos is None:
        return False
    said = config.get("add_bos_token")
    if isinstance(said, bool):
        return said
    if "tokenizer.json" not in names:
        return False
    return bos in _put_first(_decoded(files, "tokenizer.json", _Tokenizer).post_processor)


class _Tokenizer(msgspec.Struct):
    post_processor: Any = None


def _put_first(processor: Any) -> list[str]:
    """Tokens that a tokenizer's post-processor puts before a text."""
    if not isinstance(processor, dict):
        return []
    inner = [token for each in processor.get("processors", ()) for token in _put_first(each)]
    first: Any = next(iter(processor.get("single", ())), {})
    special = first.get("SpecialToken", {}) if isinstance(first, dict) else {}
    return [*inner, *([special["id"]] if "id" in special else [])]


def _json_object(files: ModelFiles, name: str) -> dict[str, Any]:
    value: dict[str, Any] = _decoded(files, name, dict[str, Any])
    return value


def _decoded(files: ModelFiles, name: str, shape: Any) -> Any:
    try:
        return msgspec.json.decode(files.read(name), type=shape)
    except msgspec.MsgspecError as error:
        raise DataError(f"{files.where}/{name} is not a JSON object: {error}.") from error
