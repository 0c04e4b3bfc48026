"""What all serving containers share: the settings, how they are checked, and how they become an environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, field_validator

from bedrock_distill.catalog import Catalog, Framework, load_catalog
from bedrock_distill.errors import SpecError
from bedrock_distill.models.sizing import Assumptions, Need, format_of, splits
from bedrock_distill.resources.endpoint.containers.environment import environment_problems, written
from bedrock_distill.resources.endpoint.containers.images import (
    ContainerImage,
    ami_of,
    find_image,
    find_version,
    read_image_uri,
)
from bedrock_distill.resources.endpoint.containers.problems import Problem
from bedrock_distill.resources.endpoint.containers.timeouts import Timeouts, timeouts
from bedrock_distill.resources.spec import Spec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bedrock_distill.catalog import Instance
    from bedrock_distill.models.shape import ModelShape
    from bedrock_distill.models.sizing.formats import WeightFormat
    from bedrock_distill.resources.endpoint.containers.published import Published

__all__ = ["MOUNTED", "Container", "Dialect", "Dtype", "Lora", "Speculation"]

MOUNTED = "/opt/ml/model"
"""Where SageMaker puts the model's files."""

Dialect = Literal["lmi", "openai", "tgi"]
"""How a container is asked and how it streams: LMI's `inputs` or `messages` with JSON lines; OpenAI's bodies with
server-sent events; TGI's `inputs` or `messages` with server-sent events."""

Dtype = Literal["auto", "float16", "bfloat16"]
"""What unquantized weights are computed in; `auto` is what the checkpoint says."""

_DEFAULT_CONTEXT = 8192
_LORA_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""What vLLM takes."""


class Lora(Spec):
    """Adapters served beside the model."""

    adapters: int = Field(default=4, ge=1)
    """Adapters in GPU memory at once."""
    rank: int = 16
    """Highest rank of any adapter."""
    cpu_adapters: int | None = Field(default=None, ge=1)
    """Adapters kept in the host's memory."""

    @field_validator("rank")
    @classmethod
    def _rank(cls, value: int) -> int:
        if value not in _LORA_RANKS:
            raise ValueError(
                f"vLLM takes {', '.join(map(str, _LORA_RANKS))}: the next one above your adapters' own"
            )
        return value


class Speculation(Spec):
    """Speculative decoding: a draft proposes tokens, the model checks several at once."""

    tokens: int = Field(default=4, ge=1, le=32)
    """Tokens proposed at a time."""
    draft: str | None = None
    """The draft model: a directory under /opt/ml/model, or a hub id. Not for the method `ngram`."""
    method: str | None = None
    """vLLM's name of the method, such as `ngram`, `eagle3` or `draft_model`. Default: vLLM's own choice for the draft."""

    def model_post_init(self, _: Any, /) -> None:
        """Hold the two ways to speculate apart."""
        if (self.draft is None) != (self.method == "ngram"):
            raise SpecError(
                f"draft {self.draft!r} with method {self.method!r}: give a draft model, or method='ngram' without one",
                field="draft",
                value=self.draft,
            )

    def config(self) -> dict[str, object]:
        """As vLLM's `speculative_config`."""
        given = {"model": self.draft, "method": self.method, "num_speculative_tokens": self.tokens}
        return {name: value for name, value in given.items() if value is not None}


class Container(Spec):
    """Settings that every serving container has."""

    dialect: ClassVar[Dialect]
    copies: ClassVar[bool]
    """Whether the container starts more copies of the model on GPUs that one copy leaves over."""
    reserved: ClassVar[Mapping[str, str]] = {}
    """Variables that must not be set by hand -> what to do instead."""

    version: str | None = None
    """Version of the image, as the SageMaker SDK counts it. Default: the newest known."""
    image_uri: str | None = None
    """An image of your own, in place of AWS's."""
    tensor_parallel: int | None = Field(default=None, ge=1)
    """GPUs that share one copy of the model. Default: what holds the most requests on the instance."""
    context: int | None = Field(default=None, ge=1)
    """Tokens of a request with its answer. Default: the model's own, but at most 8,192."""
    concurrency: int = Field(default=32, ge=1, le=4096)
    """Requests worked on at once; further ones wait."""
    dtype: Dtype = "auto"
    memory_utilization: float = Field(default=0.90, ge=0.1, le=0.98)
    """Share of a GPU's memory that the server may use."""
    trust_remote_code: bool = False
    """Whether Python files of the model's directory may run."""
    extra: dict[str, str] = Field(default_factory=dict)
    """Further environment variables, as they are."""

    @field_validator("extra")
    @classmethod
    def _extra(cls, value: dict[str, str]) -> dict[str, str]:
        for name in value:
            if (advice := cls.reserved.get(name)) is not None:
                raise ValueError(f"{name} cannot be set by hand: {advice}")
        return value

    @property
    def framework(self) -> Framework:
        """The family of images, as the SageMaker SDK names it."""
        raise NotImplementedError

    def image(self, region: str, catalog: Catalog | None = None) -> ContainerImage:
        """The image in a region.

        Raises:
            SpecError: If the version is unknown, or the region does not have it.
        """
        if self.image_uri is not None:
            return read_image_uri(self.image_uri, self.framework)
        return find_image(self.framework, self.version, region, catalog or load_catalog())

    def ami(self, catalog: Catalog | None = None) -> str | None:
        """The host's image (InferenceAmiVersion) that runs this container; None where its CUDA version is unknown."""
        known = catalog or load_catalog()
        row = ami_of(self.cuda(known), known)
        return row.version if row else None

    def cuda(self, catalog: Catalog) -> str:
        """CUDA version inside the image; empty where unknown."""
        if self.image_uri is not None:
            return read_image_uri(self.image_uri, self.framework).cuda
        return self.published(catalog).cuda

    def published(self, catalog: Catalog) -> Published:
        """The version of the image.

        Raises:
            SpecError: If it is unknown.
        """
        return find_version(self.framework, self.version, catalog)

    def context_for(self, shape: ModelShape | None) -> int:
        """Tokens of a request that the server is told.

        It is always told: left to itself it takes the model's own, and does not start where the cache is too small for it.
        """
        if self.context is not None:
            return self.context
        return min(shape.context, _DEFAULT_CONTEXT) if shape else _DEFAULT_CONTEXT

    def held(self, shape: ModelShape) -> WeightFormat:
        """How the server holds the weights."""
        return format_of(shape)

    def need(self, shape: ModelShape) -> Need:
        """What these settings need of an instance."""
        return Need(
            shape=shape,
            held=self.held(shape),
            context=self.context_for(shape),
            concurrency=self.concurrency,
            kv_dtype="auto",
            copies=self.copies,
            assumptions=Assumptions(memory_utilization=self.memory_utilization),
        )

    def degree(self, shape: ModelShape, instance: Instance | str, catalog: Catalog | None = None) -> int:
        """The degree of tensor parallelism on an instance: the one that was set, or the one that holds the most.

        Raises:
            SpecError: If the instance type is unknown, or no degree is allowed.
        """
        if self.tensor_parallel is not None:
            return self.tensor_parallel
        row = (catalog or load_catalog()).instance(instance) if isinstance(instance, str) else instance
        best = next(iter(splits(self.need(shape), row)), None)
        if best is None:
            raise SpecError(
                f"No degree of tensor parallelism is allowed for {shape.architecture} on {row.name}",
                field="tensor_parallel",
            )
        return best.tensor_parallel

    def environment(
        self,
        shape: ModelShape | None = None,
        *,
        tensor_parallel: int,
        hub_model: str | None = None,
        network_isolation: bool = False,
        catalog: Catalog | None = None,
    ) -> dict[str, str]:
        """The environment that makes the container do what these settings say.

        Args:
            shape: The model, or None where it was not looked at.
            tensor_parallel: What `degree` says.
            hub_model: A model of the Hugging Face hub, where no files are mounted.
            network_isolation: Whether the container has no network.
            catalog: Where images stand. Default: the shipped one.

        Raises:
            SpecError: If SageMaker would refuse the environment, a variable is set twice, or the version is unknown.
        """
        if hub_model is not None and network_isolation:
            raise SpecError(
                f"hub_model {hub_model!r} under network isolation: the container cannot reach the hub; stage the model in "
                "S3, or leave network isolation out",
                field="hub_model",
                value=hub_model,
            )
        own = written(self.variables(shape, tensor_parallel, hub_model, catalog or load_catalog()))
        own |= {"HF_HUB_OFFLINE": "1"} if network_isolation else {}
        for problem in self.environment_problems(own):
            raise SpecError(str(problem), field=problem.field, value=problem.value)
        return own | self.extra

    def environment_problems(self, own: Mapping[str, str]) -> Iterator[Problem]:
        """What is wrong with the container's own variables and the further ones together."""
        twice = sorted(own.keys() & self.extra.keys())
        if twice:
            name = type(self).__name__
            yield Problem(
                "extra", twice, f"{', '.join(twice)}: set from a field of {name}; set the field instead"
            )
        yield from environment_problems({**own, **self.extra})

    def variables(
        self, shape: ModelShape | None, tensor_parallel: int, hub_model: str | None, catalog: Catalog
    ) -> dict[str, object]:
        """The container's own variables; None leaves one out."""
        raise NotImplementedError

    def timeouts(self, weight_bytes: int) -> Timeouts:
        """How long the endpoint may take to download the model and to start."""
        return timeouts(weight_bytes)

    def check(
        self,
        shape: ModelShape | None,
        instance: Instance | str,
        *,
        catalog: Catalog | None = None,
        region: str | None = None,
    ) -> list[Problem]:
        """What is wrong with these settings for a model on an instance. Nothing is asked of AWS.

        Args:
            shape: The model, or None where it was not looked at: then only what does not depend on it is checked.
            instance: The instance type.
            catalog: Where images and instances stand. Default: the shipped one.
            region: Where it is to run, to see whether the image is there.
        """
        from bedrock_distill.resources.endpoint.containers.rules import check  # noqa: PLC0415 - rules know containers

        return check(self, shape, instance, catalog=catalog or load_catalog(), region=region)
