"""The plan of an endpoint: stage, role, model, configuration, endpoint or update, component, scaling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bedrock_distill.plan import (
    Configure,
    CreateResource,
    LookAt,
    Lookup,
    Plan,
    Ready,
    Step,
    Undo,
    WaitFor,
    estimate,
    fingerprint_of,
    make_plan,
)
from bedrock_distill.plan.estimate import Use
from bedrock_distill.plan.listed import size_in_words
from bedrock_distill.resources.endpoint.choosing import place_of
from bedrock_distill.resources.endpoint.requests import Parts, requests_for
from bedrock_distill.resources.endpoint.scaling import scaling_steps
from bedrock_distill.resources.endpoint.survey import role_documents, survey_endpoint
from bedrock_distill.resources.endpoint.warnings import warnings_for
from bedrock_distill.resources.made_role import role_arn, role_step

if TYPE_CHECKING:
    from bedrock_distill.aws import Clients
    from bedrock_distill.catalog import Catalog
    from bedrock_distill.resources.endpoint.choosing import Place
    from bedrock_distill.resources.endpoint.requests import Requests
    from bedrock_distill.resources.endpoint.spec import Endpoint
    from bedrock_distill.resources.endpoint.survey import EndpointSurvey

__all__ = ["plan_endpoint", "plan_endpoint_in", "target_of"]

_IN_SERVICE = Ready(
    member="EndpointStatus",
    good=("InService",),
    bad=("Failed", "UpdateRollbackFailed", "OutOfService"),
)
_COMPONENT_IN_SERVICE = Ready(member="InferenceComponentStatus", good=("InService",), bad=("Failed",))


def plan_endpoint_in(spec: Endpoint, clients: Clients, catalog: Catalog) -> Plan:
    """Look, plan, and hold the requests against the services' models.

    Raises:
        DataError: If the directory cannot be read, or holds no model.
        SpecError: If the settings cannot work, or a request would be refused.
        ServiceError: If AWS cannot be asked what must be known.
    """
    plan = plan_endpoint(spec, survey_endpoint(spec, clients, catalog), catalog)
    if plan.blockers:
        # Checking it here would only bring a second, less clear reason.
        return plan
    for step in plan.steps:
        if isinstance(step, CreateResource | Configure):
            clients.check(step.service, step.operation, step.request)
    return plan


def plan_endpoint(spec: Endpoint, survey: EndpointSurvey, catalog: Catalog) -> Plan:
    """The plan for an endpoint in the world as it was found. Pure.

    Args:
        spec: What is wanted.
        survey: What `survey_endpoint` read.
        catalog: Facts about instances and images, and prices.

    Raises:
        SpecError: If the settings cannot work.
    """
    place, shape = survey.place, survey.model.report.shape
    on = place_of(spec, survey.model.report, catalog, place.region)
    role = (
        None
        if spec.role
        else role_step(spec, role_documents(spec, place, survey.model.uri, survey.image), survey.role)
    )
    parts = Parts(
        shape=shape,
        model_uri=survey.model.uri,
        image=survey.image,
        ami=survey.ami,
        role_arn=role_arn(spec, place, role),
        place=on,
        catalog=catalog,
    )
    requests = requests_for(spec, parts)
    scaling = scaling_steps(spec, policy=survey.wake_policy, alarm=survey.wake_alarm is True)
    steps: list[Step] = [
        *survey.model.stage(spec.data_kms_key),
        *([role] if role else []),
        _model_step(requests, needs_role=role is not None),
        _config_step(requests),
        *_endpoint_steps(spec, survey, requests, ready=bool(scaling)),
        *_component_steps(requests, survey),
        *scaling,
        WaitFor(
            kind="endpoint",
            name=spec.name,
            typical=f"5 to {_minutes(requests)} minutes, as the weights are large",
        ),
    ]
    return make_plan(
        kind="endpoint",
        name=spec.name,
        region=place.region,
        account_id=place.account_id,
        fingerprint=fingerprint_of(
            {
                "kind": "endpoint",
                "steps": [step.request for step in steps if isinstance(step, CreateResource | Configure)],
                "model": survey.model.identity,
                "region": place.region,
                "account": place.account_id,
            }
        ),
        facts=_facts(spec, survey, on, requests),
        steps=steps,
        warnings=warnings_for(
            spec, survey, on, target=target_of(spec), config=requests.config["EndpointConfigName"]
        ),
        estimate=estimate([_use(spec, on)], catalog=catalog, region=place.region),
    )


def target_of(spec: Endpoint) -> str:
    """What inspection calls the container."""
    return {"djl-lmi": "lmi", "djl-tensorrtllm": "lmi", "huggingface-llm": "tgi"}.get(
        spec.container.framework, "vllm"
    )


def _minutes(requests: Requests) -> int:
    """Upper bound of a start, by the timeouts that were set for it."""
    variant = requests.config["ProductionVariants"][0]
    names = ("ModelDataDownloadTimeoutInSeconds", "ContainerStartupHealthCheckTimeoutInSeconds")
    return 5 + sum(int(variant[name]) for name in names) // 60


def _model_step(requests: Requests, *, needs_role: bool) -> CreateResource:
    return CreateResource(
        kind="SageMaker model",
        name=requests.model["ModelName"],
        service="sagemaker",
        operation="create_model",
        request=requests.model,
        arn="ModelArn",
        lookup=Lookup(operation="describe_model", parameter="ModelName", arn="ModelArn", same={}),
        bills=False,
        needs_role=needs_role,
        undo=Undo(operation="delete_model", parameter="ModelName"),
    )


def _config_step(requests: Requests) -> CreateResource:
    return CreateResource(
        kind="endpoint configuration",
        name=requests.config["EndpointConfigName"],
        service="sagemaker",
        operation="create_endpoint_config",
        request=requests.config,
        arn="EndpointConfigArn",
        lookup=Lookup(
            operation="describe_endpoint_config",
            parameter="EndpointConfigName",
            arn="EndpointConfigArn",
            same={},
        ),
        bills=False,
        undo=Undo(operation="delete_endpoint_config", parameter="EndpointConfigName"),
    )


def _endpoint_steps(spec: Endpoint, survey: EndpointSurvey, requests: Requests, *, ready: bool) -> list[Step]:
    config = requests.config["EndpointConfigName"]
    existing = survey.existing
    serves_it = existing is None or existing.get("EndpointConfigName") == config
    create = CreateResource(
        kind="endpoint",
        name=spec.name,
        service="sagemaker",
        operation="create_endpoint",
        request=requests.endpoint,
        arn="EndpointArn",
        # One that was made meanwhile with other settings is not what was planned; an update's step replaces them.
        lookup=Lookup(
            operation="describe_endpoint",
            parameter="EndpointName",
            arn="EndpointArn",
            same={"EndpointConfigName": config} if serves_it else {},
        ),
        bills=True,
        ready=_IN_SERVICE if ready else None,
        undo=Undo(operation="delete_endpoint", parameter="EndpointName"),
        done=existing is not None,
    )
    if serves_it:
        return [create]
    request: dict[str, Any] = {"EndpointName": spec.name, "EndpointConfigName": config}
    if spec.scaling and not spec.component:
        # Otherwise a fleet that traffic has scaled out would fall back to `instances` in the middle of it.
        request["RetainAllVariantProperties"] = True
    if requests.deployment:
        request["DeploymentConfig"] = requests.deployment
    update = Configure(
        kind="endpoint's configuration",
        name=config,
        service="sagemaker",
        operation="update_endpoint",
        request=request,
        look=LookAt(operation="describe_endpoint", params={"EndpointName": spec.name}),
        # An update that is under way is not begun again.
        same=({"EndpointConfigName": config}, {"PendingDeploymentSummary.EndpointConfigName": config}),
        result="EndpointArn",
        # A component is updated only on an endpoint that is in service.
        ready=_IN_SERVICE if requests.component else None,
        bills=True,
    )
    return [create, update]


def _component_steps(requests: Requests, survey: EndpointSurvey) -> list[Step]:
    request = requests.component
    if request is None:
        return []
    name, model = request["InferenceComponentName"], request["Specification"]["ModelName"]
    create = CreateResource(
        kind="inference component",
        name=name,
        service="sagemaker",
        operation="create_inference_component",
        request=request,
        arn="InferenceComponentArn",
        lookup=Lookup(
            operation="describe_inference_component",
            parameter="InferenceComponentName",
            arn="InferenceComponentArn",
            same={},
        ),
        bills=True,
        ready=_COMPONENT_IN_SERVICE,
        undo=Undo(operation="delete_inference_component", parameter="InferenceComponentName"),
        done=name in survey.components,
    )
    if name not in survey.components:
        return [create]
    update = Configure(
        kind="inference component's model",
        name=model,
        service="sagemaker",
        operation="update_inference_component",
        request={"InferenceComponentName": name, "Specification": request["Specification"]},
        look=LookAt(operation="describe_inference_component", params={"InferenceComponentName": name}),
        same=({"Specification.ModelName": model},),
        result="InferenceComponentArn",
        # The endpoint stays InService meanwhile, so nobody who waits for it would see a component that is rolled back.
        ready=_COMPONENT_IN_SERVICE,
    )
    return [create, update]


def _facts(spec: Endpoint, survey: EndpointSurvey, on: Place, requests: Requests) -> dict[str, str]:
    shape = survey.model.report.shape
    what = (
        f" ({shape.architecture}, {shape.parameters:,} parameters, {size_in_words(shape.weight_bytes)})"
        if shape
        else ""
    )
    facts = {
        "model": f"{spec.model}{what}",
        "from": str(survey.model.uri),
        "container": survey.image,
        "instance": on.instance + (f" ({on.why})" if on.why else ""),
        "tensor parallel": str(on.tensor_parallel),
        "host image": survey.ami or "SageMaker's own choice",
        "endpoint": spec.name + (" (update)" if survey.existing else ""),
        "configuration": requests.config["EndpointConfigName"],
        "role": spec.role or "made for this endpoint",
    }
    if spec.scaling:
        unit = "copies" if spec.component else "instances"
        facts["scaling"] = (
            f"{spec.scaling.minimum} to {spec.scaling.maximum} {unit}, {spec.aimed_at:g} requests under way on each"
        )
    return facts


def _use(spec: Endpoint, on: Place) -> Use:
    most = f", at most {spec.scaling.maximum}" if spec.scaling else ""
    return Use(
        what=f"{on.instance}, each hour{most}",
        model=on.instance,
        kind="instance_hour",
        quantity=spec.instances,
        unit="instance hours",
    )
