"""The `bedrock` service: the control plane, one file a noun, put together here."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bedrock_distill.local.services.bedrock.batch_jobs import BatchJobs
from bedrock_distill.local.services.bedrock.copy_jobs import CopyJobs
from bedrock_distill.local.services.bedrock.custom_models import CustomModels
from bedrock_distill.local.services.bedrock.customization_jobs import CustomizationJobs
from bedrock_distill.local.services.bedrock.deployments import Deployments
from bedrock_distill.local.services.bedrock.evaluation_jobs import EvaluationJobs
from bedrock_distill.local.services.bedrock.foundation_models import FoundationModels
from bedrock_distill.local.services.bedrock.import_jobs import ImportJobs
from bedrock_distill.local.services.bedrock.imported_models import ImportedModels
from bedrock_distill.local.services.bedrock.invocation_logging import InvocationLogging
from bedrock_distill.local.services.bedrock.provisioned import ProvisionedModels
from bedrock_distill.local.services.bedrock.tags import Tags
from bedrock_distill.train.launch import launch

if TYPE_CHECKING:
    from bedrock_distill.local.call import Call
    from bedrock_distill.local.services.bedrock.job_runner import Trainer
    from bedrock_distill.local.world import World

__all__ = ["Bedrock"]

Operation = Callable[["Call"], dict[str, Any]]


class Bedrock:
    """Every operation of `bedrock` that the local cloud has, as a method; one that is missing here it has not.

    Args:
        world: The cloud.
        trainer: Who trains the students. None takes `bedrock_distill.train.launch.launch`, which trains in a process
            of its own; a stand-in that trains nothing makes tests of everything else fast.
    """

    def __init__(self, world: World, *, trainer: Trainer | None = None) -> None:
        jobs = CustomizationJobs(world, trainer=trainer or launch)
        nouns = (
            FoundationModels(world),
            jobs,
            CustomModels(world),
            CopyJobs(world),
            Deployments(world),
            ProvisionedModels(world),
            ImportJobs(world),
            ImportedModels(world),
            BatchJobs(world),
            EvaluationJobs(world),
            InvocationLogging(world),
        )
        self._operations: dict[str, Operation] = {
            name: getattr(noun, name)
            for noun in (*nouns, Tags(world))
            for name in vars(type(noun))
            if not name.startswith("_")
        }

    def __getattr__(self, name: str) -> Operation:
        """The operation of this name, of whichever noun has it."""
        try:
            return self.__dict__["_operations"][name]  # type: ignore[no-any-return] # filled in __init__, and so named
        except KeyError:
            raise AttributeError(f"The local cloud's bedrock has no operation {name!r}.") from None

    def __dir__(self) -> list[str]:
        """The operations, beside what every object has."""
        return sorted([*super().__dir__(), *self._operations])
