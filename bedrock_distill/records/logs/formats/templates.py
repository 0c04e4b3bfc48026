"""Prompts that carry their chat template as text, as the text-completion bodies have them, and back to messages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from bedrock_distill.records.logs.formats.blocks import Turn, prompt_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from bedrock_distill.records.logs.exchange import Prompt

__all__ = ["prompt_of_template"]

_HEADERS: Final = {
    "<|start_header_id|>": ("<|end_header_id|>", "\n\n", "<|eot_id|>"),
    "<|header_start|>": ("<|header_end|>", "\n\n", "<|eot|>"),
    "<|im_start|>": ("\n", "", "<|im_end|>"),
}
"""What begins a turn -> what ends its role, what stands before its text, what ends it. Llama 3, Llama 4, ChatML."""

_MARKED: Final = (
    (re.compile(r"<\uff5c(User|Assistant)\uff5c>"), {"User": "user", "Assistant": "assistant"}),
    (
        re.compile(r"(?:\A\s*|\n\n)(Human|Assistant):"),
        {"Human": "user", "Assistant": "assistant"},
    ),
    (re.compile(r"(?:\A|\n)(User|Bot):"), {"User": "user", "Bot": "assistant"}),
)
"""A mark before each turn -> roles. DeepSeek, Claude's text completions, Titan."""

_BEGIN = re.compile(r"\A(?:<\|begin_of_text\|>|<\uff5cbegin\u2581of\u2581sentence\uff5c>|<s>)")
_INST = re.compile(r"\[INST\](.*?)\[/INST\]", re.DOTALL)
_SYS = re.compile(r"<<SYS>>\n?(.*?)\n?<</SYS>>\s*", re.DOTALL)
_THINK = re.compile(r"\s*<think>\s*\Z")
_END = re.compile(r"<\uff5cend\u2581of\u2581sentence\uff5c>\s*\Z")


def prompt_of_template(prompt: str) -> tuple[str | None, Prompt]:
    """System prompt and messages of a templated prompt; a prompt without a template is one user message.

    Raises:
        Unusable: If there is no text.
    """
    body = _BEGIN.sub("", prompt, count=1)
    # A template shows at the beginning; a text that merely speaks of one is a text.
    for read in (_by_headers, _by_instructions, _by_marks):
        if turns := read(body, begun=len(body) < len(prompt)):
            return prompt_of([turn for turn in turns if turn.content or turn.role != "assistant"])
    return prompt_of([Turn("user", body)])


def _by_headers(body: str, *, begun: bool) -> list[Turn]:  # noqa: ARG001 - as its neighbours are called
    for begin, (role_end, lead, end) in _HEADERS.items():
        if body.lstrip().startswith(begin):
            turns = []
            for piece in body.split(begin)[1:]:
                role, _, text = piece.partition(role_end)
                turns.append(Turn(role.strip(), text.partition(end)[0].removeprefix(lead)))
            return turns
    return []


def _by_instructions(body: str, *, begun: bool) -> list[Turn]:  # noqa: ARG001 - as its neighbours are called
    """`[INST] … [/INST]`, with `<<SYS>>` inside the first: Llama 2 and Mistral."""
    turns: list[Turn] = []
    at = 0
    if not body.lstrip().startswith("[INST]"):
        return turns
    for found in _INST.finditer(body):
        if answer := body[at : found.start()].replace("</s>", "").replace("<s>", "").strip():
            turns.append(Turn("assistant", answer))
        text = found.group(1)
        if system := _SYS.search(text):
            turns.append(Turn("system", system.group(1)))
            text = text[: system.start()] + text[system.end() :]
        turns.append(Turn("user", text.strip()))
        at = found.end()
    if turns and (rest := body[at:].replace("</s>", "").strip()):
        turns.append(Turn("assistant", rest))
    return turns


def _by_marks(body: str, *, begun: bool) -> list[Turn]:
    for mark, roles in _MARKED:
        first = mark.search(body)
        # DeepSeek's system prompt stands before its first mark, and after the mark that begins every prompt.
        if first is None or (first.start() and not begun):
            continue
        pieces = mark.split(body)
        if roles.get(pieces[-2]) != "assistant":
            continue
        turns = [Turn("system", pieces[0].strip())] if pieces[0].strip() else []
        strip: Callable[[str], str] = lambda text: _END.sub("", _THINK.sub("", text)).strip()  # noqa: E731
        turns += [
            Turn(roles[role], strip(text)) for role, text in zip(pieces[1::2], pieces[2::2], strict=True)
        ]
        return turns
    return []
