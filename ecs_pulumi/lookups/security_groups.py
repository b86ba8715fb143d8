"""Security groups (Neutron API reference, "Security groups")."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecs_pulumi.cloud import network
from ecs_pulumi.lookups.calls import call_with_outputs, exactly_one, one_line_errors, region_of, require_criteria
from ecs_pulumi.lookups.models import SecurityGroupInfo

if TYPE_CHECKING:
    import pulumi


@one_line_errors
def get_security_group(
    name: str | None = None,
    *,
    id: str | None = None,  # noqa: A002  (the API's own word)
    region: str | None = None,
    cloud: str | None = None,
) -> SecurityGroupInfo:
    """Find the security group that meets all criteria. A group of the project takes precedence over a shared one.

    Args:
        name: The name, for example `default`.
        id: The id.
        region: The region. Default: the configured region.
        cloud: An entry of clouds.yaml. Default: the cloud of the stack.

    Raises:
        NoMatch: No object matches; the message lists the most similar names.
        NotUnique: Several objects match; the message lists them.
    """
    criteria = {"name": name, "id": id}
    require_criteria("security group", criteria)
    target = region_of(region, cloud)

    def groups(**filters: str | None) -> list[SecurityGroupInfo]:
        found = network.list_all(target.network, "security_group", **filters)
        return [SecurityGroupInfo.model_validate(item) for item in found]

    found = groups(**criteria)
    own = [group for group in found if group.project_id == target.project_id]
    return exactly_one(own or found, "security group", criteria, groups)


def get_security_group_output(
    name: pulumi.Input[str | None] = None,
    *,
    id: pulumi.Input[str | None] = None,  # noqa: A002
    region: pulumi.Input[str | None] = None,
    cloud: pulumi.Input[str | None] = None,
) -> pulumi.Output[SecurityGroupInfo]:
    """Variant of `get_security_group` that accepts outputs and returns an output."""
    return call_with_outputs(get_security_group, name=name, id=id, region=region, cloud=cloud)
