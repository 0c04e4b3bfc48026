"""`bedrock-distill chat`: one prompt, one answer."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TypedDict

import click

from bedrock_distill.cli.common import Settings, common_options, duration, pairs

if TYPE_CHECKING:
    from collections.abc import Callable

    from bedrock_distill.aws.retry import Retry
    from bedrock_distill.chat import ChatReply, ChatStream

__all__ = ["command"]


class _Options(TypedDict):
    """What `chat` and `stream` both take."""

    system: str | None
    max_tokens: int
    temperature: float | None
    top_p: float | None
    stop: tuple[str, ...]
    metadata: dict[str, str]


@click.command("chat")
@click.argument("model")
@click.argument("prompt", required=False)
@click.option("--system", help="System prompt.")
@click.option(
    "--stream/--no-stream",
    default=True,
    show_default=True,
    help="Print the answer while it is being written.",
)
@click.option(
    "--max-tokens",
    type=click.IntRange(min=1),
    default=512,
    show_default=True,
    help="Most tokens of the answer.",
)
@click.option("--temperature", type=float, help="Randomness from 0 to 1. Default: the model's own.")
@click.option("--top-p", type=float, help="Probability mass to choose from. Default: the model's own.")
@click.option(
    "--stop", multiple=True, metavar="TEXT", help="End the answer before this text. May be repeated."
)
@click.option(
    "--metadata",
    multiple=True,
    callback=pairs,
    metavar="KEY=VALUE",
    help="Kept with the call in the invocation log. May be repeated.",
)
@click.option(
    "--wake-timeout",
    type=duration,
    default="15m",
    show_default=True,
    help="Try again for this long while an endpoint is woken from zero instances.",
)
@common_options
def command(
    settings: Settings,
    model: str,
    prompt: str | None,
    system: str | None,
    stream: bool,
    max_tokens: int,
    temperature: float | None,
    top_p: float | None,
    stop: tuple[str, ...],
    metadata: dict[str, str],
    wake_timeout: float,
) -> None:
    """Send one prompt to a model or deployment and print the answer.

    MODEL is a model id, an inference profile, or the ARN of a deployment, an imported or a provisioned model or a
    SageMaker endpoint; endpoint/NAME is short for the last. The ARN of a batch inference job stands for its answers. PROMPT is read from standard input where it is not given.
    Where the model must be loaded first, or an endpoint be woken from zero instances, that is said on stderr and waited for.
    """
    text = _read_prompt() if prompt is None else prompt
    target = settings.session().model(model, on_retry=_tell_of_loading(settings), wake_timeout_s=wake_timeout)
    options = _Options(
        system=system,
        max_tokens=max_tokens,
        temperature=temperature,
        top_p=top_p,
        stop=stop,
        metadata=metadata,
    )
    # A recorded answer is there at once.
    if stream and settings.output == "table" and not getattr(target, "recorded", False):
        reply = _print_pieces(target.stream(text, **options))
    else:
        reply = target.chat(text, **options)
        settings.emit(reply.to_dict(), reply.text)
    _tell(settings, reply)


def _tell_of_loading(settings: Settings) -> Callable[[Retry], None] | None:
    """A note each time the model is not there yet. With `--verbose` the log tells of every kind of retry already."""
    from bedrock_distill.errors import ModelNotReadyError

    def tell(retry: Retry) -> None:
        if retry.wait_at_most_s is not None:
            settings.note(
                f"The endpoint is scaled to zero and is being woken, which takes minutes; trying again in {retry.wait_s:.0f} s "
                f"({retry.waited_s:.0f} s of at most {retry.wait_at_most_s:.0f})."
            )
        elif isinstance(retry.error, ModelNotReadyError):
            settings.note(
                f"The model is being loaded, which takes a minute or more; trying again in {retry.wait_s:.0f} s "
                f"(try {retry.tries + 1} of {retry.of})."
            )

    return None if settings.verbose else tell


def _print_pieces(stream: ChatStream) -> ChatReply:
    try:
        with stream:
            for piece in stream:
                click.echo(piece, nl=False)
    finally:
        # Whatever follows, an error too, begins on a line of its own.
        if stream.text:
            click.echo()
    return stream.reply


def _tell(settings: Settings, reply: ChatReply) -> None:
    first = "" if reply.first_token_s is None else f", the first text after {reply.first_token_s:.2f} s"
    took = "recorded" if reply.latency_s is None else f"{reply.latency_s:.2f} s"
    settings.detail(
        f"{reply.usage.input_tokens} tokens in, {reply.usage.output_tokens} out, {took}{first}, {reply.stop_reason}."
    )
    if reply.stop_reason == "max_tokens":
        settings.note("The answer was cut off at --max-tokens.")


def _read_prompt() -> str:
    if sys.stdin.isatty():
        raise click.UsageError("There is no PROMPT: give it as an argument or pipe it in.")
    return sys.stdin.read().rstrip("\n")
