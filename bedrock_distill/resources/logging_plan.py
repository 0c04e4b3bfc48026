"""Plans for model invocation logging: two settings at most, the bucket's policy and the configuration. Pure."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from bedrock_distill.plan import Estimate, Plan, PlanWarning, PutSetting, fingerprint_of, make_plan
from bedrock_distill.resources.bucket_policy import delivery_statement, with_statement, without_statement
from bedrock_distill.resources.invocation_logging import (
    LOGGING,
    InvocationLogging,
    LoggingOff,
    LoggingRestored,
    destination_of,
)
from bedrock_distill.resources.logging_survey import policy_setting
from bedrock_distill.resources.logging_warnings import warnings_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bedrock_distill.resources.logging_survey import LoggingSpec, LoggingSurvey
    from bedrock_distill.uris import S3Uri

__all__ = ["ENABLING", "FLAGS", "LOGGING_STEP_ID", "configuration_step", "plan_logging"]

ENABLING = "invocation-logging"
"""Name of the plans that switch logging on."""

LOGGING_STEP = "model invocation logging"
"""Name of the step that puts the configuration."""

LOGGING_STEP_ID = f"put:{LOGGING_STEP}"
"""The same step in a journal."""

FLAGS = {
    "text": "textDataDeliveryEnabled",
    "image": "imageDataDeliveryEnabled",
    "embedding": "embeddingDataDeliveryEnabled",
    "video": "videoDataDeliveryEnabled",
    "audio": "audioDataDeliveryEnabled",
}
"""The spec's field -> Bedrock's."""

_OFF_AT_FIRST = ("image", "embedding")
"""Said to be off in a new configuration. `video` and `audio` are not sent unless asked for: older releases of boto3 do
not know them."""

_NAMES: dict[type, str] = {
    InvocationLogging: ENABLING,
    LoggingOff: "logging-off",
    LoggingRestored: "logging-restored",
}
"""Spec -> the plan's name."""


def plan_logging(spec: LoggingSpec, survey: LoggingSurvey) -> Plan:
    """The plan for a logging spec in the world as it was found. Pure.

    Args:
        spec: What is wanted.
        survey: What `survey_logging` read.
    """
    wanted, steps, warnings = _PLANNERS[type(spec)](spec, survey)
    name = _NAMES[type(spec)]
    intent = {
        "kind": name,
        "spec": spec.model_dump(mode="json"),
        "region": survey.region,
        "account": survey.account_id,
    }
    return make_plan(
        kind="logging",
        name=name,
        region=survey.region,
        account_id=survey.account_id,
        fingerprint=fingerprint_of(intent),
        facts={
            "logging": in_words(wanted, survey),
            "delivered": _delivered(wanted),
            "before": in_words(survey.configuration, survey),
        },
        steps=steps,
        warnings=warnings,
        estimate=Estimate(lines=()),
    )


_Parts = tuple[dict[str, Any] | None, list[PutSetting], list[PlanWarning]]


def _enable(spec: InvocationLogging, survey: LoggingSurvey) -> _Parts:
    wanted = _wanted(spec, survey.configuration)
    says = f"Log the model invocations of {survey.region} to {survey.root(spec.uri)}/"
    logging = _configuration(survey, wanted, says, patience="S3 bucket")
    steps = [logging]
    if survey.policy.known:
        statement = statement_for(spec.uri, survey)
        after = with_statement(survey.policy.document, statement)
        says = f"Let Bedrock write logs there, by the policy of the bucket {spec.bucket}"
        steps.insert(0, _policy(spec.bucket, survey, after, says))
    return wanted, steps, list(warnings_for(spec, survey, wanted, steps))


def _disable(spec: LoggingOff, survey: LoggingSurvey) -> _Parts:
    now = destination_of(survey.configuration)
    wanted = copy.deepcopy(survey.configuration)
    warnings: list[PlanWarning] = []
    if wanted is not None and now == spec.uri:
        del wanted["s3Config"]
        wanted = wanted if wanted.get("cloudWatchConfig") else None
    elif now is not None:
        warnings.append(
            PlanWarning(
                code="other-destination",
                text=f"Logs go to {now}, not to {spec.uri}: that stays as it is.",
            )
        )
    rest = "" if wanted is None else "; other destinations stay"
    says = f"Log no more model invocations of {survey.region} to {spec.uri}{rest}"
    steps = [_configuration(survey, wanted, says)]
    if spec.remove_policy:
        step, warning = _removal(spec, survey, wanted)
        steps += [step] if step else []
        warnings += [warning] if warning else []
    return wanted, steps, warnings


def _removal(
    spec: LoggingOff, survey: LoggingSurvey, wanted: Mapping[str, Any] | None
) -> tuple[PutSetting | None, PlanWarning | None]:
    """The step that takes the statement out, or the reason not to."""
    if not survey.policy.known:
        why = survey.policy.broken or "these credentials may not read it (s3:GetBucketPolicy)"
        return None, PlanWarning(
            code="policy-unread",
            text=f"The policy of the bucket {spec.bucket} cannot be changed: {why}.",
            blocks=True,
        )
    large = ((wanted or {}).get("cloudWatchConfig") or {}).get("largeDataDeliveryS3Config")
    if large and destination_of({"s3Config": large}) == spec.uri:
        return None, PlanWarning(
            code="policy-needed",
            text=f"Bedrock goes on writing to {spec.uri} (large bodies of the log group): its statement in the bucket "
            "policy stays.",
        )
    after = without_statement(survey.policy.document, statement_for(spec.uri, survey))
    if survey.policy.document is None:
        return None, None
    says = f"Take Bedrock's statement for {spec.uri} out of the policy of the bucket {spec.bucket}"
    return _policy(spec.bucket, survey, after, says), None


def _restore(spec: LoggingRestored, survey: LoggingSurvey) -> _Parts:
    says = f"Put back: {in_words(spec.configuration, survey)}"
    return spec.configuration, [_configuration(survey, spec.configuration, says)], []


_PLANNERS: dict[type, Any] = {
    InvocationLogging: _enable,
    LoggingOff: _disable,
    LoggingRestored: _restore,
}
"""Spec -> what makes the wanted configuration, the steps and the warnings of it."""


def configuration_step(plan: Plan) -> PutSetting:
    """The step of a logging plan that puts the configuration."""
    return next(step for step in plan.steps if isinstance(step, PutSetting) and step.name == LOGGING_STEP)


def statement_for(uri: S3Uri, survey: LoggingSurvey) -> dict[str, Any]:
    """The bucket policy's statement for a destination."""
    return delivery_statement(
        partition=survey.partition,
        region=survey.region,
        account_id=survey.account_id,
        root=survey.root(uri),
    )


def _wanted(spec: InvocationLogging, before: dict[str, Any] | None) -> dict[str, Any]:
    """The configuration with what the spec asks for, and everything else as it is."""
    wanted = copy.deepcopy(before) or {FLAGS[name]: False for name in _OFF_AT_FIRST}
    # The same place may be written with slashes at its ends: then it stays as it is.
    if destination_of(before) != spec.uri:
        wanted["s3Config"] = spec.s3_config()
    if spec.cloudwatch is not None:
        wanted["cloudWatchConfig"] = {
            "logGroupName": spec.cloudwatch.log_group,
            "roleArn": spec.cloudwatch.role,
        }
        if spec.cloudwatch.large_bodies:
            wanted["cloudWatchConfig"]["largeDataDeliveryS3Config"] = spec.s3_config()
    said = {FLAGS[name]: getattr(spec, name) for name in FLAGS}
    return wanted | {flag: value for flag, value in said.items() if value is not None}


def _configuration(
    survey: LoggingSurvey, after: dict[str, Any] | None, says: str, *, patience: str = ""
) -> PutSetting:
    return PutSetting(
        name=LOGGING_STEP,
        says=says,
        setting=LOGGING,
        before=survey.configuration,
        after=after,
        patience=patience,
        done=LOGGING.same(survey.configuration, after),
    )


def _policy(bucket: str, survey: LoggingSurvey, after: dict[str, Any] | None, says: str) -> PutSetting:
    setting = policy_setting(bucket, survey.account_id)
    return PutSetting(
        name=f"policy of the bucket {bucket}",
        says=says,
        setting=setting,
        before=survey.policy.document,
        after=after,
        done=setting.same(survey.policy.document, after),
    )


def in_words(configuration: Mapping[str, Any] | None, survey: LoggingSurvey) -> str:
    """A configuration as a reader wants it: where logs go, or that they go nowhere."""
    places = []
    if (uri := destination_of(configuration)) is not None:
        places.append(f"{survey.root(uri)}/")
    if group := (configuration or {}).get("cloudWatchConfig"):
        places.append(f"log group {group['logGroupName']}")
    return " and ".join(places) or "off"


def _delivered(configuration: Mapping[str, Any] | None) -> str:
    on = [name for name, flag in FLAGS.items() if (configuration or {}).get(flag)]
    return ", ".join(on) or "nothing"
