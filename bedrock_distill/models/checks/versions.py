"""What one release of transformers writes and another one passes over without a word, or fails on.

A config saved by transformers 5 keeps the rotary base in `rope_parameters`; 4.51.3 looks for `rope_theta` beside it,
finds nothing and takes its default: the model loads, and answers nonsense.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bedrock_distill.models.reading import TOKENIZER
from bedrock_distill.models.report import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bedrock_distill.catalog import TargetName
    from bedrock_distill.models.checks.subject import Subject

__all__ = ["check_nesting", "check_rope", "check_saved_names"]

_USUAL_BASE = 10000.0
"""What most classes of transformers 4 take where a config states no base."""


def _by_release(subject: Subject) -> list[tuple[Severity, tuple[TargetName, ...], str]]:
    """Targets whose transformers is known to be of release 4, and those whose image decides."""
    old = tuple(target for target in subject.targets if target.transformers.startswith("4"))
    if subject.known is not None and subject.known.newer_than:
        # A target that takes the class all the same does so with something newer than it says.
        old = ()
    names = subject.named(*old)
    others = tuple(target.name for target in subject.targets if target.name not in names)
    release = " and ".join(sorted({target.transformers for target in old}))
    sure: list[tuple[Severity, tuple[TargetName, ...], str]] = (
        [("error", names, f"transformers {release}")] if old else []
    )
    return [*sure, ("warning", others, "an image that brings transformers 4")]


def check_rope(subject: Subject) -> Iterator[Finding]:
    """Rotary settings that an older release does not see, and those that Custom Model Import sets itself."""
    text = subject.contents.text_config
    yield from _hidden_rope(subject, text)
    scaling = text.get("rope_scaling") or text.get("rope_parameters")
    if isinstance(scaling, dict) and scaling.get("rope_type", scaling.get("type")) == "llama3":
        for target in subject.targets:
            changed = [
                f"{name} {scaling.get(name)} becomes {value:g}"
                for name, value in target.llama3_rope.items()
                if scaling.get(name) != value
            ]
            if changed:
                yield Finding.warning(
                    "llama3-rope",
                    f"{target.title} sets the rope_scaling of Llama 3 itself: {', '.join(changed)}. Compare answers "
                    "to long prompts before and after",
                    (target.name,),
                )


def _hidden_rope(subject: Subject, text: Mapping[str, Any]) -> Iterator[Finding]:
    written = text.get("rope_parameters")
    if not isinstance(written, dict):
        return
    default = subject.known.rope_theta if subject.known is not None else _USUAL_BASE
    # Models whose layers differ have one set of values for each kind of layer.
    kinds = [value for value in written.values() if isinstance(value, dict)] or [written]
    hidden: list[str] = []
    for values in kinds:
        theta = values.get("rope_theta")
        usual = {default} if values is written else {default, _USUAL_BASE}
        if "rope_theta" not in text and isinstance(theta, (int, float)) and theta not in usual:
            hidden.append(f"rope_theta {theta:,.0f} silently becomes {default:,.0f}")
        if not text.get("rope_scaling"):
            if (kind := values.get("rope_type", "default")) != "default":
                hidden.append(f"the {kind} scaling is left out")
            if "mrope_section" in values:
                hidden.append("mrope_section is left out")
    if not hidden:
        return
    for severity, targets, release in _by_release(subject):
        yield Finding(
            "rope-hidden",
            "config.json states its rotary settings only in rope_parameters, as transformers 5 saves them; "
            f"{release} does not read that: {', '.join(dict.fromkeys(hidden))}, and the answers go wrong. Write "
            "rope_theta (and rope_scaling) beside it as well",
            severity,
            targets,
        )


def check_nesting(subject: Subject) -> Iterator[Finding]:
    """Numbers of the language model that newer releases keep in `text_config`, where older ones do not look."""
    config = subject.contents.config
    if (
        subject.known is None
        or not subject.known.flat_config
        or not isinstance(config.get("text_config"), dict)
    ):
        return
    if "hidden_size" in config:
        return
    for severity, targets, release in _by_release(subject):
        yield Finding(
            "config-nested",
            f"config.json keeps the language model's numbers in text_config; {release} looks for them beside it, and "
            "takes those of the 72B model instead. Copy the entries of text_config to the top as well",
            severity,
            targets,
        )


def check_saved_names(subject: Subject) -> Iterator[Finding]:
    """Names that came with transformers 5."""
    contents = subject.contents
    tokenizer = contents.documents.get(TOKENIZER, {})
    kind = tokenizer.get("tokenizer_class")
    if kind == "TokenizersBackend":
        for severity, targets, release in _by_release(subject):
            yield Finding(
                "tokenizer-class-new",
                "tokenizer_config.json: tokenizer_class is TokenizersBackend, as transformers 5 saves it, and "
                f'{release} fails on it: write "PreTrainedTokenizerFast", which reads the same tokenizer.json',
                severity,
                targets,
            )
    if isinstance(tokenizer.get("extra_special_tokens"), list):
        for severity, targets, release in _by_release(subject):
            yield Finding(
                "special-tokens-list",
                "tokenizer_config.json: extra_special_tokens is a list, as transformers 5 saves it, and "
                f"{release} fails on it: rename it to additional_special_tokens",
                severity,
                targets,
            )
    text = contents.text_config
    if text.get("dtype") and not text.get("torch_dtype"):
        old = tuple(target.name for target in subject.targets if target.transformers.startswith("4"))
        yield Finding.warning(
            "dtype-hidden",
            "config.json says dtype and not torch_dtype, the only one that transformers before 4.56 reads: write both",
            old,
        )
    saved = contents.config.get("transformers_version")
    if isinstance(saved, str) and saved[:1].isdigit() and int(saved.partition(".")[0]) >= 5:
        yield Finding.note(
            "saved-by-5",
            f"saved by transformers {saved}: older releases in serving images may read it otherwise",
        )
