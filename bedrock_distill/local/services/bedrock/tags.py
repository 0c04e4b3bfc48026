"""TagResource, UntagResource and ListTagsForResource, and the rules that every tag list obeys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bedrock_distill.local.gateway.errors import AwsError
from bedrock_distill.local.services.bedrock.state import Tables

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bedrock_distill.local.call import Call
    from bedrock_distill.local.world import World

__all__ = ["MAX_TAGS", "Tags", "read_tags"]

MAX_TAGS = 50
"""Tags a resource may carry (botocore's model, TooManyTagsException)."""


def read_tags(tags: Sequence[Mapping[str, str]] | None, *, resource: str) -> dict[str, str]:
    """A tag list as a mapping.

    Args:
        tags: As the request has them.
        resource: ARN that the tags are for.

    Raises:
        AwsError: ValidationException for a key given twice or AWS's own prefix, TooManyTagsException for more than
            a resource may carry.
    """
    read: dict[str, str] = {}
    for tag in tags or ():
        key = tag["key"]
        if key in read:
            raise AwsError("ValidationException", f"The tag key {key} is given twice.")
        if key.lower().startswith("aws:"):
            raise AwsError(
                "ValidationException", f"The tag key {key} is reserved: keys cannot start with aws:."
            )
        read[key] = tag["value"]
    _bounded(read, resource)
    return read


def _bounded(tags: Mapping[str, str], resource: str) -> None:
    if len(tags) > MAX_TAGS:
        raise AwsError(
            "TooManyTagsException",
            f"A resource can have {MAX_TAGS} tags; this request would make {len(tags)}.",
            resourceName=resource,
        )


class Tags:
    """Tags of jobs, models, deployments and provisioned throughput."""

    def __init__(self, world: World) -> None:
        self._world = world

    def tag_resource(self, call: Call) -> dict[str, Any]:
        """Add tags; a key that is there gets the new value."""
        arn = call.params["resourceARN"]
        with self._world.lock:
            tags = self._tagged(call, arn)
            merged = {**tags, **read_tags(call.params["tags"], resource=arn)}
            _bounded(merged, arn)
            Tables(self._world, call.region).tags.put(arn, merged)
        return {}

    def untag_resource(self, call: Call) -> dict[str, Any]:
        """Remove tags; keys that are not there do not matter."""
        arn = call.params["resourceARN"]
        with self._world.lock:
            left = {
                key: value
                for key, value in self._tagged(call, arn).items()
                if key not in call.params["tagKeys"]
            }
            Tables(self._world, call.region).tags.put(arn, left)
        return {}

    def list_tags_for_resource(self, call: Call) -> dict[str, Any]:
        """Every tag, in the order they were first given."""
        tags = self._tagged(call, call.params["resourceARN"])
        return {"tags": [{"key": key, "value": value} for key, value in tags.items()]}

    def _tagged(self, call: Call, arn: str) -> dict[str, str]:
        """The resource's tags.

        Raises:
            AwsError: ResourceNotFoundException where there is no such resource.
        """
        tables = Tables(self._world, call.region)
        if not tables.taggable(arn):
            raise AwsError(
                "ResourceNotFoundException",
                f"The resource {arn} was not found. Check the ARN and try your request again.",
            )
        return tables.tags.get(arn) or {}
