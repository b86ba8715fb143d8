"""Key pairs (guide, chapter 4, step 4; Nova API reference, "Keypairs")."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecs_pulumi.cloud import compute, errors
from ecs_pulumi.lookups.calls import later, only, region_of, told
from ecs_pulumi.lookups.models import KeyPairInfo

if TYPE_CHECKING:
    import pulumi

_TYPED = "2.2"


@told
def get_key_pair(name: str, *, region: str | None = None) -> KeyPairInfo:
    """The key pair of this name, of the configured user.

    Args:
        name: Its name.
        region: The region. Default: the configured one.

    Raises:
        NoMatch: There is none; the message names those most like it.
    """
    api = region_of(region).compute
    try:
        document = compute.get_key_pair(api, name, microversion=api.newest_supported(_TYPED))
        return KeyPairInfo.model_validate(document)
    except errors.NotFound:
        return only(
            [],
            "key pair",
            {"name": name},
            lambda: [KeyPairInfo.model_validate(item) for item in compute.list_key_pairs(api)],
        )


def get_key_pair_output(
    name: pulumi.Input[str], *, region: pulumi.Input[str | None] = None
) -> pulumi.Output[KeyPairInfo]:
    """`get_key_pair` for the outputs of resources."""
    return later(get_key_pair, name=name, region=region)
