"""What commands that ask models share: how they are asked, and what that costs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from bedrock_distill.chat import Recorded, Target
    from bedrock_distill.evaluation import TokenPrice
    from bedrock_distill.session import Session

__all__ = ["asking_options", "target_prices", "token_prices"]


def asking_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options --system, --max-tokens and --temperature."""
    options = (
        click.option("--system", help="System prompt of every call. Default: each record's own."),
        click.option(
            "--max-tokens",
            type=click.IntRange(min=1),
            default=512,
            show_default=True,
            help="Most tokens of an answer.",
        ),
        click.option(
            "--temperature",
            default="0",
            show_default=True,
            metavar="X",
            callback=_temperature,
            help="Randomness from 0 to 1, or `none` for models that refuse the setting.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def _temperature(_: click.Context, __: click.Parameter, value: str) -> float | None:
    if value.lower() == "none":
        return None
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise click.BadParameter(f"{value!r} is neither a number nor `none`.")
    return number


def token_prices(session: Session, models: Mapping[str, str]) -> dict[str, TokenPrice]:
    """Token prices of the models that the catalog has a price for.

    Args:
        session: Whose catalog and region.
        models: Each model as the catalog names it -> the id that its answers carry.
    """
    from bedrock_distill.evaluation import TokenPrice

    found = {}
    for model_id, asked_as in models.items():
        prompt = session.catalog.price(model_id, "input_1k_tokens", session.clients.region)
        answer = session.catalog.price(model_id, "output_1k_tokens", session.clients.region)
        if prompt and answer:
            found[asked_as] = TokenPrice(input_usd_per_1k=prompt.usd, output_usd_per_1k=answer.usd)
    return found


def target_prices(session: Session, targets: Mapping[str, Target | Recorded]) -> dict[str, TokenPrice]:
    """Token prices of targets, each under the id that its answers carry; recorded answers at the price of the model that gave them.

    Args:
        session: Whose catalog and region.
        targets: Each target by the id that it was asked for with.
    """
    found: dict[str, TokenPrice] = {}
    for model_id, target in targets.items():
        found |= token_prices(session, {getattr(target, "of_model", "") or model_id: target.model_id})
    return found
