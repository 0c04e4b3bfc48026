"""What decides how the model is asked and when it stops: tokenizer class, chat template, end-of-sequence tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bedrock_distill.models.checks.subject import some
from bedrock_distill.models.reading import CONFIG, GENERATION, TEMPLATE, TEMPLATE_JSON, TOKENIZER
from bedrock_distill.models.report import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bedrock_distill.models.checks.subject import Subject
    from bedrock_distill.models.reading import Contents

__all__ = ["check_generation", "check_template", "check_tokenizer_class", "template_file"]


def template_file(contents: Contents) -> str:
    """The file whose chat template counts: the first of three; empty where there is none."""
    return next(iter(_templates(contents)), "")


def _templates(contents: Contents) -> dict[str, Any]:
    """The chat template of every file that has one, the one that counts first."""
    written = {
        TEMPLATE: contents.template,
        TEMPLATE_JSON: contents.documents.get(TEMPLATE_JSON, {}).get("chat_template"),
        TOKENIZER: contents.documents.get(TOKENIZER, {}).get("chat_template"),
    }
    return {name: template for name, template in written.items() if template}


def check_tokenizer_class(subject: Subject) -> Iterator[Finding]:
    """Whether Custom Model Import takes the tokenizer's class."""
    tokenizer = subject.contents.documents.get(TOKENIZER)
    if tokenizer is None:
        return
    kind = tokenizer.get("tokenizer_class")
    if not kind:
        yield Finding.warning(
            "no-tokenizer-class",
            "tokenizer_config.json names no tokenizer_class, so it follows from the model's type: write it down",
            ("model-import",),
        )
        return
    for target in subject.targets:
        # The class that transformers 5 writes has a finding of its own, which says more.
        if target.tokenizer_classes and kind not in target.tokenizer_classes and kind != "TokenizersBackend":
            yield Finding.error(
                "tokenizer-class",
                f"tokenizer_config.json: {target.title} does not take the tokenizer_class {kind!r}; it takes "
                f"{', '.join(target.tokenizer_classes)}. Where tokenizer.json is there, "
                "PreTrainedTokenizerFast reads it too",
                (target.name,),
            )


def check_template(subject: Subject) -> Iterator[Finding]:
    """One chat template, no more and no less."""
    contents = subject.contents
    found = _templates(contents)
    if not found:
        yield Finding.warning(
            "no-chat-template",
            "there is no chat template, and no target has a default: chats fail, or reach the model as bare text. "
            "Write the one it was trained with into tokenizer_config.json, which every target reads, unless the model is "
            "only asked to complete text",
        )
    if len({str(template) for template in found.values()}) > 1:
        yield Finding.warning(
            "several-chat-templates",
            f"{', '.join(found)} hold different chat templates: the first counts, and runtimes that do not know it take "
            "another. Keep one, or write the same into all",
        )
    for target in subject.targets:
        read = target.template_files or tuple(found)
        if found and not any(name in found for name in read):
            yield Finding.warning(
                "template-unread",
                f"{target.title} looks for a chat template in {' and '.join(read)}, and this one is in "
                f"{', '.join(found)}: copy it there too, or chats fail",
                (target.name,),
            )
    if TEMPLATE_JSON in contents.documents and TEMPLATE_JSON not in found:
        yield Finding.warning(
            "bad-chat-template", f'{TEMPLATE_JSON} has no template under "chat_template": it does nothing'
        )
    if isinstance(contents.documents.get(TOKENIZER, {}).get("chat_template"), list):
        yield Finding.warning(
            "named-chat-templates",
            "tokenizer_config.json holds several named chat templates, and not every runtime can choose: keep one",
        )


def check_generation(subject: Subject) -> Iterator[Finding]:
    """When the model stops."""
    contents = subject.contents
    if CONFIG not in contents.documents:
        return
    settings = contents.documents.get(GENERATION, {})
    stops, trained = _ids(settings.get("eos_token_id")), _ids(contents.text_config.get("eos_token_id"))
    wanted = set(subject.known.eos_token_ids) if subject.known is not None else set()
    if wanted and stops != wanted:
        yield Finding.error(
            "eos-wanted",
            f"generation_config.json: eos_token_id is {sorted(stops)}, and Custom Model Import wants "
            f"{sorted(wanted)} for {contents.architecture}",
            ("model-import",),
        )
    if not stops and not trained:
        yield Finding.warning(
            "no-eos",
            "neither generation_config.json nor config.json has an eos_token_id: answers run on until the limit. "
            "Add the token that ends an answer",
        )
    elif stops and trained and not stops & trained:
        yield Finding.warning(
            "eos-differs",
            f"eos_token_id is {sorted(stops)} in generation_config.json and {sorted(trained)} in config.json: runtimes "
            "differ in which they take. Write the same into both",
        )
    yield from _check_tokenizer_ids(
        contents, stops or trained, subject.shape.vocab if subject.shape else None
    )


def _check_tokenizer_ids(contents: Contents, stops: set[int], vocab: int | None) -> Iterator[Finding]:
    """The tokenizer's end of sequence is one of those, and its added tokens have rows in the model."""
    tokenizer = contents.documents.get(TOKENIZER, {})
    added = _added_tokens(tokenizer)
    beyond = sorted(token for token, number in added.items() if vocab is not None and number >= vocab)
    if beyond:
        yield Finding.error(
            "token-beyond-vocabulary",
            f"tokenizer_config.json adds tokens beyond the model's {vocab:,} ({some(beyond)}): a prompt that holds one "
            "crashes. Call model.resize_token_embeddings(len(tokenizer)) and save again",
        )
    ending = tokenizer.get("eos_token")
    text = ending.get("content") if isinstance(ending, dict) else ending
    if isinstance(text, str) and stops and text in added and added[text] not in stops:
        yield Finding.warning(
            "eos-of-tokenizer",
            f"the tokenizer ends with {text!r} (id {added[text]}), and the model stops at {sorted(stops)}: answers may "
            "run on. Add the id to eos_token_id in generation_config.json if it ends an answer",
        )


def _added_tokens(tokenizer: Mapping[str, Any]) -> dict[str, int]:
    written = tokenizer.get("added_tokens_decoder")
    if not isinstance(written, dict):
        return {}
    return {
        entry["content"]: int(number)
        for number, entry in written.items()
        if number.isdecimal() and isinstance(entry, dict) and isinstance(entry.get("content"), str)
    }


def _ids(value: object) -> set[int]:
    """One id or a list of them; config files have both."""
    listed = value if isinstance(value, list) else [value]
    return {number for number in listed if isinstance(number, int) and not isinstance(number, bool)}
