"""What the reader of a plan that switches logging on should know: what Bedrock would refuse, and what follows. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bedrock_distill.aws.buckets import HIDDEN
from bedrock_distill.plan import PlanWarning, PutSetting, same_json
from bedrock_distill.resources.bucket_policy import (
    MAX_POLICY_BYTES,
    delivery_statement,
    judge,
    key_statement,
    orphans,
)
from bedrock_distill.resources.invocation_logging import destination_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bedrock_distill.aws import KeyState
    from bedrock_distill.resources.invocation_logging import InvocationLogging
    from bedrock_distill.resources.logging_survey import LoggingSurvey

__all__ = ["warnings_for"]

_ENFORCED = "BucketOwnerEnforced"


def warnings_for(
    spec: InvocationLogging, survey: LoggingSurvey, wanted: Mapping[str, Any], steps: Sequence[PutSetting]
) -> Iterator[PlanWarning]:
    """Every warning of a plan that switches logging on, what blocks first."""
    found = [
        *_replaced(spec, survey, wanted),
        *_bucket(spec, survey),
        *_ownership(spec, survey),
        *_policy(spec, survey, steps),
        *_encryption(spec, survey),
        *_log_group(spec, survey),
        *_consequences(spec, survey, steps),
    ]
    yield from sorted(found, key=lambda warning: not warning.blocks)


def _replaced(
    spec: InvocationLogging, survey: LoggingSurvey, wanted: Mapping[str, Any]
) -> Iterator[PlanWarning]:
    before = survey.configuration or {}
    now = destination_of(before)
    changes = []
    if now not in (None, spec.uri):
        changes.append(f"logs go to {now}")
    group = before.get("cloudWatchConfig")
    if group and not same_json(group, wanted.get("cloudWatchConfig")):
        changes.append(f"they go to the log group {group['logGroupName']} in another way")
    if changes:
        yield PlanWarning(
            code="other-destination",
            text=f"In {survey.region} {' and '.join(changes)}, and there is one configuration per account and region: "
            f"whoever reads them there would get no more. "
            + (
                "It is replaced, as asked, and kept in the plan."
                if spec.replace
                else "Give --replace (replace=True) to replace it."
            ),
            blocks=not spec.replace,
        )


def _bucket(spec: InvocationLogging, survey: LoggingSurvey) -> Iterator[PlanWarning]:
    bucket = survey.bucket
    if bucket is None or not bucket.exists:
        yield PlanWarning(
            code="no-bucket",
            text=f"There is no bucket {spec.bucket}: aws s3 mb s3://{spec.bucket} --region {survey.region}",
            blocks=True,
        )
    elif bucket.forbidden:
        yield PlanWarning(
            code="bucket-forbidden",
            text=f"The bucket {spec.bucket} may not be looked at (403): it is another account's, or these credentials lack "
            f"s3:ListBucket on it. Bedrock logs only to buckets of the account itself ({survey.account_id}).",
            blocks=True,
        )
    elif survey.rules is not None and survey.rules.foreign:
        yield PlanWarning(
            code="bucket-of-another-account",
            text=f"The bucket {spec.bucket} does not belong to the account {survey.account_id}: Bedrock logs only to buckets "
            "of the account itself.",
            blocks=True,
        )
    elif bucket.region is not None and bucket.region != survey.region:
        yield PlanWarning(
            code="bucket-elsewhere",
            text=f"The bucket {spec.bucket} is in {bucket.region}, and the logs of {survey.region} go only to a bucket in "
            f"{survey.region}: name one there, or use --region {bucket.region} to log that region's invocations.",
            blocks=True,
        )


def _ownership(spec: InvocationLogging, survey: LoggingSurvey) -> Iterator[PlanWarning]:
    rules = survey.rules
    if rules is None or rules.foreign or rules.ownership == _ENFORCED:
        return
    if rules.ownership == HIDDEN:
        yield PlanWarning(
            code="acls-unknown",
            text=f"Whether ACLs are disabled on {spec.bucket} cannot be seen (s3:GetBucketOwnershipControls); Bedrock needs "
            f"them to be (object ownership {_ENFORCED}).",
        )
        return
    state = f"is {rules.ownership}" if rules.ownership else "is not set, as in buckets from before 2023"
    yield PlanWarning(
        code="acls-enabled",
        text=f"The object ownership of {spec.bucket} {state}, and Bedrock needs buckets whose ACLs are disabled: aws s3api "
        f"put-bucket-ownership-controls --bucket {spec.bucket} --ownership-controls "
        f"'Rules=[{{ObjectOwnership={_ENFORCED}}}]'. Look first whether anybody relies on the ACLs.",
        # Where nothing is set, only AWS knows what that means: it is for Bedrock to refuse.
        blocks=rules.ownership is not None,
    )


def _policy(
    spec: InvocationLogging, survey: LoggingSurvey, steps: Sequence[PutSetting]
) -> Iterator[PlanWarning]:
    if survey.rules is None or survey.rules.foreign:
        return
    place = {
        "partition": survey.partition,
        "region": survey.region,
        "account_id": survey.account_id,
    }
    statement = delivery_statement(**place, root=survey.root(spec.uri))
    if survey.policy.broken:
        yield PlanWarning(
            code="policy-broken",
            text=f"The policy of {spec.bucket} cannot be merged with: {survey.policy.broken}",
            blocks=True,
        )
    if survey.policy.hidden:
        yield PlanWarning(
            code="policy-hidden",
            text=f"The policy of {spec.bucket} cannot be read (s3:GetBucketPolicy), so it is left alone. It must hold this "
            f"statement, or Bedrock refuses: {json.dumps(statement)}",
        )
    if denied := judge(survey.policy.document, statement).denied_by:
        yield PlanWarning(
            code="policy-may-deny",
            text=f"Statements of the policy of {spec.bucket} may keep Bedrock from writing ({', '.join(denied)}), for a Deny "
            f"wins over any Allow: except bedrock.amazonaws.com from them under {survey.root(spec.uri)}/ if logs do not come.",
        )
    change = next((step for step in steps if step.setting.text and not step.done), None)
    if change is None:
        return
    if gone := orphans(survey.policy.document):
        yield PlanWarning(
            code="policy-orphans",
            text=f"The policy of {spec.bucket} names principals that were deleted ({', '.join(gone)}): S3 shows such a policy "
            "and refuses it when it is put. Take them out first.",
            blocks=True,
        )
    size = len(json.dumps(change.after, separators=(",", ":"), ensure_ascii=False).encode())
    if size > MAX_POLICY_BYTES:
        yield PlanWarning(
            code="policy-too-long",
            text=f"The policy of {spec.bucket} would have {size:,} bytes with the new statement, and S3 takes "
            f"{MAX_POLICY_BYTES:,}: shorten it, or log to another bucket.",
            blocks=True,
        )


def _encryption(spec: InvocationLogging, survey: LoggingSurvey) -> Iterator[PlanWarning]:
    rules = survey.rules
    if rules is None or rules.foreign:
        return
    if (
        survey.wanted_key is not None
        and rules.encryption != HIDDEN
        and not _same_key(survey.wanted_key, rules.key)
    ):
        yield PlanWarning(
            code="other-key",
            text=f"{spec.bucket} is not encrypted with the key {spec.kms_key} but with "
            f"{rules.key.named or 'the key aws/s3' if rules.key else 'keys of S3'}: set the bucket's default encryption "
            "first, which is not done here.",
            blocks=True,
        )
        return
    key = survey.wanted_key or rules.key
    if key is not None:
        yield from _key(spec, survey, key)


def _same_key(wanted: KeyState, found: KeyState | None) -> bool:
    return found is not None and (wanted.named == found.named or (wanted.arn or "?") == found.arn)


def _key(spec: InvocationLogging, survey: LoggingSurvey, key: KeyState) -> Iterator[PlanWarning]:
    place = {
        "partition": survey.partition,
        "region": survey.region,
        "account_id": survey.account_id,
    }
    statement = key_statement(**place)
    if key.aws_managed:
        yield PlanWarning(
            code="aws-managed-key",
            text=f"{spec.bucket} is encrypted with a key that AWS manages, and its policy cannot be edited to let Bedrock use "
            "it. If Bedrock refuses, give the bucket a key of yours, or keys of S3 (SSE-S3).",
        )
        return
    verdict = judge(key.policy, {**statement, "Resource": key.arn or "*"})
    if verdict.allows and not verdict.denied_by:
        return
    known = key.policy is not None and not verdict.may_allow
    yield PlanWarning(
        code="key-policy" if known else "key-policy-unknown",
        text=f"{spec.bucket} is encrypted with the KMS key {key.named}, and its key policy "
        f"{'does not hold' if known else 'must hold'} a statement that lets Bedrock use it. Key policies are not edited "
        f"here; add: {json.dumps(statement)}",
        blocks=known,
    )


def _log_group(spec: InvocationLogging, survey: LoggingSurvey) -> Iterator[PlanWarning]:
    wanted, state = spec.cloudwatch, survey.log_group
    if wanted is None:
        return
    if state.exists is False:
        yield PlanWarning(
            code="no-log-group",
            text=f"There is no log group {wanted.log_group} in {survey.region}: aws logs create-log-group --log-group-name "
            f"{wanted.log_group} --region {survey.region}",
            blocks=True,
        )
    if state.role_exists is False:
        yield PlanWarning(
            code="no-logging-role",
            text=f"There is no role {wanted.role}: Bedrock writes to the log group by a role of yours.",
            blocks=True,
        )
    stream = (
        f"arn:{survey.partition}:logs:{survey.region}:{survey.account_id}:log-group:{wanted.log_group}:log-stream:"
        "aws/bedrock/modelinvocations"
    )
    yield PlanWarning(
        code="log-group-role",
        text=f"Bedrock checks that {wanted.role} lets bedrock.amazonaws.com assume it and may logs:CreateLogStream and "
        f"logs:PutLogEvents on {stream}; otherwise it says 'Failed to validate permissions for log group'.",
    )


def _consequences(
    spec: InvocationLogging, survey: LoggingSurvey, steps: Sequence[PutSetting]
) -> Iterator[PlanWarning]:
    if not spec.text:
        yield PlanWarning(
            code="no-bodies",
            text="Text is not delivered: the records hold neither prompts nor answers, so nothing can be learned from them.",
        )
    before = survey.configuration or {}
    if before.get("cloudWatchConfig") and spec.text and before.get("textDataDeliveryEnabled") is False:
        yield PlanWarning(
            code="text-elsewhere",
            text=f"What is delivered holds for every destination: prompts and answers now go to the log group "
            f"{before['cloudWatchConfig']['logGroupName']}, too.",
        )
    if not all(step.done for step in steps):
        yield PlanWarning(
            code="storage-costs",
            text="The log objects cost S3 storage and requests. They hold whatever callers send, and stay until somebody "
            "deletes them: a lifecycle rule on the bucket does.",
        )
    if "=" in spec.prefix or " " in spec.prefix:
        yield PlanWarning(
            code="prefix-not-for-jobs",
            text=f"A distillation job takes no log source under {spec.uri} (no '=' and no spaces): choose another prefix if "
            "jobs are to read the logs themselves.",
        )
