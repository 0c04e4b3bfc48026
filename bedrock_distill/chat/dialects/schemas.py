"""The dialect for a container's schema, or for a body format of an imported model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from bedrock_distill.chat.dialects.doors import InvokeEndpoint, InvokeModel
from bedrock_distill.chat.dialects.generate import BedrockCompletion, Generate
from bedrock_distill.chat.dialects.openai import OpenAIChat, OpenAICompletion
from bedrock_distill.errors import SpecError

if TYPE_CHECKING:
    from bedrock_distill.chat.dialects.base import Body
    from bedrock_distill.chat.templates import ChatTemplate

__all__ = ["EndpointSchema", "ImportedFormat", "endpoint_dialect", "imported_dialect"]

EndpointSchema = Literal["lmi", "openai", "tgi"]
"""How a container is asked: LMI's way, OpenAI's (vLLM, SGLang), or TGI's."""
ImportedFormat = Literal["BedrockCompletion", "OpenAICompletion", "OpenAIChatCompletion"]
"""InvokeModel's bodies for imported models, by AWS's names."""


def endpoint_dialect(
    schema: EndpointSchema,
    *,
    served_name: str = "",
    component: str = "",
    raw: bool = False,
    template: ChatTemplate | None = None,
    logprobs: bool = False,
) -> InvokeEndpoint:
    """How an endpoint is asked.

    Args:
        schema: What its container speaks.
        served_name: The name that the container gave the model; `openai` needs it.
        component: The inference component to ask, on an endpoint that has them.
        raw: Send a prompt instead of messages. The container applies no chat template then.
        template: With `raw`, what turns a conversation into the prompt; None sends the user's text as it is.
        logprobs: Ask for the log-probability of each token, for `ChatReply.logprobs`; in OpenAI's schemas only.

    Raises:
        SpecError: If the schema is unknown, or something it needs is missing or useless.
    """
    _check_known(schema, EndpointSchema, "schema")
    if schema == "openai" and not served_name:
        raise SpecError(
            "The schema 'openai' needs served_name: vLLM answers 404 to any model name but the one it serves "
            "(its served-model-name, or the model's path where none was set).",
            field="served_name",
        )
    if template is not None and not raw:
        raise SpecError(
            "A template is applied to raw prompts only; in the messages schema the container applies its own. "
            "Give raw=True with it, or leave it out.",
            field="template",
        )
    body = _endpoint_body(schema, served_name, raw=raw, template=template, logprobs=logprobs)
    return InvokeEndpoint(body, component)


def _endpoint_body(
    schema: EndpointSchema, served_name: str, *, raw: bool, template: ChatTemplate | None, logprobs: bool
) -> Body:
    if not raw:
        return OpenAIChat(model=served_name, full_top_p=schema != "tgi", logprobs=logprobs)
    if schema == "openai":
        return OpenAICompletion(template=template, model=served_name, logprobs=logprobs)
    _refuse_logprobs("inputs and parameters", logprobs=logprobs)
    return Generate(template=template, server=schema)


def imported_dialect(
    body: ImportedFormat, *, template: ChatTemplate | None = None, logprobs: bool = False
) -> InvokeModel:
    """How an imported model is asked through InvokeModel; `Converse` asks those that understand it.

    Args:
        body: The body's format. Models imported before 2025-11-11 know only BedrockCompletion.
        template: What turns a conversation into the prompt where the format takes one; None sends the user's text as it is.
        logprobs: Ask for the log-probability of each token, for `ChatReply.logprobs`; in OpenAI's formats only.

    Raises:
        SpecError: If the format is unknown, or is given a template that it has no use for.
    """
    _check_known(body, ImportedFormat, "body")
    if body == "OpenAIChatCompletion":
        if template is not None:
            raise SpecError(
                "OpenAIChatCompletion takes messages, and Bedrock applies the model's template. Leave the template out.",
                field="template",
            )
        return InvokeModel(OpenAIChat(logprobs=logprobs))
    if body == "OpenAICompletion":
        return InvokeModel(OpenAICompletion(template=template, logprobs=logprobs))
    _refuse_logprobs(body, logprobs=logprobs)
    return InvokeModel(BedrockCompletion(template=template))


def _refuse_logprobs(schema: str, *, logprobs: bool) -> None:
    if logprobs:
        raise SpecError(
            f"Log-probabilities are read in OpenAI's schemas, not in {schema}. Ask in one of those, or leave logprobs out.",
            field="logprobs",
            value=logprobs,
        )


def _check_known(value: str, choices: object, field: str) -> None:
    known = get_args(choices)
    if value not in known:
        raise SpecError(f"{field}={value!r} is none of {', '.join(known)}.", field=field, value=value)
