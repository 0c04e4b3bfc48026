"""AddTags, ListTags and DeleteTags, and the tags that come with a Create."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bedrock_distill.local.services.sagemaker.state import Tables, refused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bedrock_distill.local.call import Call
    from bedrock_distill.local.world import World

__all__ = ["MAX_TAGS", "Tags", "read_tags"]

MAX_TAGS = 50
_PAGE = 50


def read_tags(
    tags: Sequence[Mapping[str, str]] | None, *, known: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Tags laid over those that are there.

    Raises:
        AwsError: ValidationException for AWS's own prefix, a key given twice, or more than a resource may carry.
    """
    given: dict[str, str] = {}
    for tag in tags or ():
        if tag["Key"].lower().startswith("aws:"):
            raise refused(f"Tag keys cannot start with aws:, which is reserved: {tag['Key']}.")
        if tag["Key"] in given:
            raise refused(f"Duplicate tag key {tag['Key']}.")
        given[tag["Key"]] = tag["Value"]
    merged = {**(known or {}), **given}
    if len(merged) > MAX_TAGS:
        raise refused(f"A resource can have {MAX_TAGS} tags; this request would make {len(merged)}.")
    return merged


class Tags:
    """Tags of whatever SageMaker holds."""

    def __init__(self, world: World) -> None:
        self._world = world

    def add_tags(self, call: Call) -> dict[str, Any]:
        """Add tags; a key that is there gets the new value."""
        arn = call.params["ResourceArn"]
        with self._world.lock:
            merged = read_tags(call.params["Tags"], known=self._of(call))
            Tables(self._world, call.region).tags.put(arn, merged)
        return {"Tags": _listed(merged)}

    def list_tags(self, call: Call) -> dict[str, Any]:
        """Every tag, in the order they were first given."""
        return {"Tags": _listed(self._of(call))}

    def delete_tags(self, call: Call) -> dict[str, Any]:
        """Remove tags; keys that are not there do not matter."""
        with self._world.lock:
            gone = call.params["TagKeys"]
            left = {key: value for key, value in self._of(call).items() if key not in gone}
            Tables(self._world, call.region).tags.put(call.params["ResourceArn"], left)
        return {}

    def _of(self, call: Call) -> dict[str, str]:
        arn = call.params["ResourceArn"]
        tables = Tables(self._world, call.region)
        rows: list[Any] = [*tables.models, *tables.configs, *tables.endpoints, *tables.components]
        if not any(row.arn == arn for row in rows):
            raise refused(f'Could not find resource "{arn}".')
        return tables.tags.get(arn) or {}


def _listed(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
