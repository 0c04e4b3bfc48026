"""Create, Get, List, Update and DeleteProvisionedModelThroughput: throughput by model units."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from bedrock_distill.catalog import read_model_id
from bedrock_distill.local.clock import Phase
from bedrock_distill.local.gateway.errors import AwsError
from bedrock_distill.local.services.bedrock.arns import foundation_model_arn, provisioned_model_arn
from bedrock_distill.local.services.bedrock.client_tokens import answered_before, remember
from bedrock_distill.local.services.bedrock.job_models import INVALID_MODEL, check_alive
from bedrock_distill.local.services.bedrock.listing import created_within, page
from bedrock_distill.local.services.bedrock.serving import ProvisionedModel
from bedrock_distill.local.services.bedrock.state import Tables, find_model, moment
from bedrock_distill.local.services.bedrock.tags import read_tags
from bedrock_distill.uris import Arn

if TYPE_CHECKING:
    from datetime import datetime

    from bedrock_distill.local.call import Call
    from bedrock_distill.local.world import World

__all__ = ["CREATING_S", "ProvisionedModels"]

CREATING_S = 30.0
"""Seconds that a provisioned throughput takes under the `real` clock."""


class _Bought(NamedTuple):
    """The model that throughput is for."""

    arn: str
    foundation_arn: str
    """The model itself, or the one under the custom model."""


class ProvisionedModels:
    """Provisioned throughput of custom models and of foundation models' context variants."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._ids = world.ids.spawn("bedrock/provisioned-models")

    def create_provisioned_model_throughput(self, call: Call) -> dict[str, Any]:
        """Buy throughput for a model under a name that is free."""
        tables = Tables(self._world, call.region)
        with self._world.lock:
            # The model of this operation has no ConflictException, so what conflicts is invalid here.
            if arn := answered_before(tables, call, conflict="ValidationException"):
                return {"provisionedModelArn": arn}
            bought = self._model(call, call.params["modelId"])
            self._name_free(tables, call.params["provisionedModelName"])
            row = self._new(tables, call, bought)
        row.phases.start()
        return {"provisionedModelArn": row.arn}

    def get_provisioned_model_throughput(self, call: Call) -> dict[str, Any]:
        """One provisioned throughput, by ARN or name."""
        row = self._find(call)
        row.phases.observe()
        if row.update is not None:
            row.update.observe()
        return _summary(row)

    def list_provisioned_model_throughputs(self, call: Call) -> dict[str, Any]:
        """The region's provisioned throughput, filtered and paged."""
        wanted = call.params
        rows = Tables(self._world, call.region).provisioned.where(
            lambda row: (
                created_within(row, wanted, after="creationTimeAfter", before="creationTimeBefore")
                and wanted.get("nameContains", "") in row.name
                and wanted.get("statusEquals") in (None, _status(row))
                and wanted.get("modelArnEquals") in (None, row.serves)
            )
        )
        return page(rows, wanted, member="provisionedModelSummaries", summary=_summary)

    def update_provisioned_model_throughput(self, call: Call) -> dict[str, Any]:
        """Change the name at once, and the model when the new one is ready; the old one answers until then."""
        tables = Tables(self._world, call.region)
        name, target = call.params.get("desiredProvisionedModelName"), call.params.get("desiredModelId")
        with self._world.lock:
            row = changed = self._find(call)
            if not row.active or row.updating:
                raise AwsError(
                    "ValidationException",
                    f"The provisioned model throughput {row.name} is being created or updated. Wait until it is done.",
                )
            if name is not None and name != row.name:
                self._name_free(tables, name)
                changed = replace(changed, name=name, renamed=moment(self._world))
            if target is not None:
                wanted = self._exchangeable(call, row, target)
                update = self._world.clock.phases([Phase("Updating", lasts_s=CREATING_S)])
                changed = replace(changed, model_arn=row.serves, update_to=wanted, update=update)
            tables.provisioned.put(row.arn, changed)
        if changed.update is not None and changed.update is not row.update:
            changed.update.start()
        return {}

    def delete_provisioned_model_throughput(self, call: Call) -> dict[str, Any]:
        """Give throughput back, unless it is in the middle of something or still under its commitment."""
        tables = Tables(self._world, call.region)
        with self._world.lock:
            row = self._find(call)
            until = row.committed_until
            if until is not None and self._world.clock.now() < until:
                raise AwsError(
                    "ConflictException",
                    f"The provisioned model throughput {row.name} cannot be deleted before its commitment ends, "
                    f"at {until:%Y-%m-%dT%H:%M:%SZ}.",
                )
            if not row.active or row.updating:
                raise AwsError(
                    "ConflictException",
                    f"The provisioned model throughput {row.name} is being created or updated. Wait until it is done.",
                )
            tables.provisioned.delete(row.arn)
            tables.tags.delete(row.arn)
        return {}

    def _find(self, call: Call) -> ProvisionedModel:
        identifier = call.params["provisionedModelId"]
        rows = Tables(self._world, call.region).provisioned
        row = rows.get(identifier) or rows.find(lambda row: row.name == identifier)
        if row is None:
            raise AwsError(
                "ResourceNotFoundException",
                f"Could not find a provisioned model throughput for {identifier}.",
            )
        return row

    def _model(self, call: Call, identifier: str) -> _Bought:
        """The model that an identifier names, if throughput can be bought for it here and now."""
        ref = read_model_id(identifier)
        if ref.kind in ("custom-model", "name"):
            custom = find_model(Tables(self._world, call.region), identifier)
            if custom is None:
                raise AwsError(
                    "ResourceNotFoundException", f"Could not find a custom model for {identifier}."
                )
            check_alive(self._world, self._world.catalog.model(custom.job.base_id))
            return _Bought(custom.arn, custom.foundation_arn)
        model = self._world.catalog.find(ref)
        elsewhere = Arn.looks_like(identifier) and Arn.parse(identifier).region != call.region
        if ref.kind != "foundation" or model is None or elsewhere:
            raise _invalid(INVALID_MODEL)
        if ref.suffix not in model.suffixes:
            variants = ", ".join(f"{model.id}:{suffix}" for suffix in model.suffixes) or "none"
            raise _invalid(
                f"Provisioned Throughput is bought for a context variant of {model.name}; there are: {variants}."
            )
        check_alive(self._world, model)
        if call.region not in model.provisioned_regions:
            where = ", ".join(model.provisioned_regions) or "no region"
            raise _invalid(
                f"Provisioned Throughput for {model.name} is not supported in {call.region}; supported in {where}."
            )
        arn = foundation_model_arn(call.region, f"{model.id}:{ref.suffix}")
        return _Bought(arn, arn)

    def _exchangeable(self, call: Call, row: ProvisionedModel, identifier: str) -> str:
        """ARN of a model that may take the place of the present one.

        That is, for a custom model: its base, or another custom model of the same base. Nothing takes a base model's place.
        """
        if row.serves == row.foundation_arn:
            raise _invalid(
                f"The model of the provisioned model throughput {row.name} cannot be changed: it is a base model."
            )
        base = Arn.parse(row.foundation_arn).resource_id
        if identifier in (base, row.foundation_arn):
            return row.foundation_arn
        custom = find_model(Tables(self._world, call.region), identifier)
        if custom is None or custom.foundation_arn != row.foundation_arn:
            raise _invalid(
                f"The model {identifier} cannot take the place of {row.serves}: it must be the base model {base}, or "
                "another custom model that was customized from it."
            )
        return custom.arn

    def _name_free(self, tables: Tables, name: str) -> None:
        if tables.provisioned.find(lambda row: row.name == name):
            raise _invalid(f"The provisioned model name {name} is already in use.")

    def _new(self, tables: Tables, call: Call, bought: _Bought) -> ProvisionedModel:
        """Make the row, its tags and its token. Holds the world's lock."""
        arn = provisioned_model_arn(call.region, call.account_id, self._ids.token())
        tags = read_tags(call.params.get("tags"), resource=arn)
        row = ProvisionedModel(
            arn=arn,
            name=call.params["provisionedModelName"],
            serial=tables.next_serial(),
            model_arn=bought.arn,
            foundation_arn=bought.foundation_arn,
            units=call.params["modelUnits"],
            commitment=call.params.get("commitmentDuration", ""),
            created=moment(self._world),
            phases=self._world.clock.phases([Phase("Creating", lasts_s=CREATING_S)]),
        )
        tables.provisioned.put(arn, row)
        tables.tags.put(arn, tags)
        remember(tables, call, arn)
        return row


def _invalid(message: str) -> AwsError:
    return AwsError("ValidationException", message)


def _status(row: ProvisionedModel) -> str:
    if not row.active:
        return "Creating"
    return "Updating" if row.updating else "InService"


def _updated(row: ProvisionedModel) -> datetime:
    """When it last changed."""
    moments = [row.created, *([row.renamed] if row.renamed else [])]
    for phases in (row.phases, row.update):
        if phases is not None:
            moments += [*phases.entered.values(), *phases.left.values()]
    return max(moments)


def _summary(row: ProvisionedModel) -> dict[str, Any]:
    """The row as Get and List both give it."""
    summary: dict[str, Any] = {
        "provisionedModelName": row.name,
        "provisionedModelArn": row.arn,
        "modelArn": row.serves,
        "desiredModelArn": row.update_to if row.updating else row.serves,
        "foundationModelArn": row.foundation_arn,
        "modelUnits": row.units,
        "desiredModelUnits": row.units,
        "status": _status(row),
        "creationTime": row.created,
        "lastModifiedTime": _updated(row),
    }
    if row.committed_until is not None:
        summary |= {
            "commitmentDuration": row.commitment,
            "commitmentExpirationTime": row.committed_until,
        }
    return summary
