"""Key pairs (guide, chapter 4, step 4; Nova API reference, "Keypairs")."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecs_pulumi.cloud import compute, errors
from ecs_pulumi.lookups.calls import call_with_outputs, exactly_one, one_line_errors, region_of
from ecs_pulumi.lookups.models import KeyPairInfo

if TYPE_CHECKING:
    import pulumi

_TYPE_MICROVERSION = "2.2"


@one_line_errors
def get_key_pair(name: str, *, region: str | None = None, cloud: str | None = None) -> KeyPairInfo:
    """Find a key pair of the configured user by name.

    Args:
        name: The name.
        region: The region. Default: the configured region.
        cloud: An entry of clouds.yaml. Default: the cloud of the stack.

    Raises:
        NoMatch: No object matches; the message lists the most similar names.
    """
    api = region_of(region, cloud).compute
    try:
        document = compute.get_key_pair(api, name, microversion=api.newest_supported(_TYPE_MICROVERSION))
        return KeyPairInfo.model_validate(document)
    except errors.NotFound:
        return exactly_one(
            [],
            "key pair",
            {"name": name},
            lambda: [KeyPairInfo.model_validate(item) for item in compute.list_key_pairs(api)],
        )


def get_key_pair_output(
    name: pulumi.Input[str], *, region: pulumi.Input[str | None] = None, cloud: pulumi.Input[str | None] = None
) -> pulumi.Output[KeyPairInfo]:
    """Variant of `get_key_pair` that accepts outputs and returns an output."""
    return call_with_outputs(get_key_pair, name=name, region=region, cloud=cloud)
