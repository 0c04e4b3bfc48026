"""The services of the local cloud, one package each. What is not here is moto's or is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bedrock_distill.local.world import World

__all__ = ["services"]


def services(world: World) -> dict[str, Any]:
    """A cloud's own services by boto3's names; imported when a cloud is made, not with the package."""
    from bedrock_distill.local.services.application_autoscaling import ApplicationAutoScaling  # noqa: PLC0415 - see above
    from bedrock_distill.local.services.bedrock import Bedrock  # noqa: PLC0415 - see above
    from bedrock_distill.local.services.comprehend import Comprehend  # noqa: PLC0415 - see above
    from bedrock_distill.local.services.emr_serverless import EmrServerless  # noqa: PLC0415 - see above
    from bedrock_distill.local.services.runtime import BedrockRuntime  # noqa: PLC0415 - see above
    from bedrock_distill.local.services.sagemaker import SageMaker  # noqa: PLC0415 - see above
    from bedrock_distill.local.services.sagemaker.hosting import Hosting  # noqa: PLC0415 - see above
    from bedrock_distill.local.services.sagemaker_runtime import SageMakerRuntime  # noqa: PLC0415 - see above

    hosting = Hosting(world)
    sagemaker = SageMaker(world, hosting)
    return {
        "application-autoscaling": ApplicationAutoScaling(world, hosting, sagemaker),
        "bedrock": Bedrock(world),
        "bedrock-runtime": BedrockRuntime(world),
        "comprehend": Comprehend(world),
        "emr-serverless": EmrServerless(world),
        "sagemaker": sagemaker,
        "sagemaker-runtime": SageMakerRuntime(world, hosting),
    }
